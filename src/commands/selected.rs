//! What the selection options bring, for every command that has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::input;
use crate::app::App;
use crate::formats::Format;
use crate::select::{Chosen, Destination, FileValue, Found, Naming, Plan, Wanted, Wants};
use crate::store::Store;
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, SecretValue};
use crate::words::shown::{self, Shown};

/// Waiting for what a backend will have in a moment.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct WaitArg {
    /// Wait for the secrets of a Nosana job that was claimed just now [default: 60s]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "60s")]
    pub wait: Option<HumanDuration>,
}

/// Which names count.
#[derive(Clone, Debug, Default, Args)]
pub struct NameArgs {
    /// Only these names or patterns ('DB_*'); separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All but these names or patterns; separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
}

/// Which secrets a command works on, and what they are called there.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    #[command(flatten)]
    pub names: NameArgs,
    /// Bring one secret under the name of a variable; repeatable
    #[arg(short = 'e', long = "env", value_name = "VAR=NAME-or-REF")]
    pub env: Vec<String>,
    /// Bring what a dotenv file names; its values may be references
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Vec<PathBuf>,
    /// Bring all of the store, whatever else is named
    #[arg(long)]
    pub all: bool,
    /// Turn names into variable names: db-password becomes DB_PASSWORD
    #[arg(long)]
    pub upper: bool,
    /// Fail on a name that is no valid variable name, instead of skipping it with a warning
    #[arg(long)]
    pub strict: bool,
}

impl SelectionArgs {
    /// Whether the options themselves name what is to be brought along.
    pub fn names_something(&self) -> bool {
        self.all
            || self.names.prefix.is_some()
            || [&self.names.only, &self.env]
                .iter()
                .any(|names| !names.is_empty())
            || !self.env_file.is_empty()
    }
}

/// Reads what the options select, by variable, and warns of what was left out. Every store is
/// asked once, all of them at the same time.
///
/// # Errors
/// What [`plan`], [`Found::read`] and [`Plan::choose`] fail with.
pub async fn values(args: &SelectionArgs, app: &App) -> Result<BTreeMap<String, SecretValue>> {
    let plan = plan(args, app)?;
    let wants = plan.wants();
    let stores = open(&wants, app)?;
    let found = Found::read(&stores, &wants).await?;
    let values = choose(&plan, &found, args, app)?.values(&found)?;
    close(stores).await;
    Ok(values)
}

/// Closes `stores`, as a command is about to run.
pub async fn close(stores: Vec<Store>) {
    for store in stores {
        store.close().await;
    }
}

/// What the options and the configuration ask for. Asks nobody.
///
/// # Errors
/// `usage` for options and references that are malformed, what reading an `--env-file` fails with.
pub fn plan(args: &SelectionArgs, app: &App) -> Result<Plan> {
    Plan::new(app.selected_store()?, wanted(args)?, || {
        let table = app.config()?.env_table();
        Ok(table
            .iter()
            .map(|(variable, mapping)| (variable.clone(), mapping.target.clone()))
            .collect())
    })
}

/// Opens the stores that something is wanted of.
///
/// # Errors
/// What opening one of them fails with.
pub fn open(wants: &Wants, app: &App) -> Result<Vec<Store>> {
    wants.stores().map(|name| app.open(name)).collect()
}

/// Gives what was found its variables, and warns of what was left out.
///
/// # Errors
/// What [`Plan::choose`] fails with.
pub fn choose<V>(
    plan: &Plan,
    found: &Found<'_, V>,
    args: &SelectionArgs,
    app: &App,
) -> Result<Chosen> {
    let chosen = plan.choose(found, naming(args))?;
    warn_of_skipped(&chosen, app);
    if chosen.variables.is_empty() {
        app.ui.warn("no secret was selected");
    }
    Ok(chosen)
}

/// Warns of what was left out.
pub fn warn_of_skipped(chosen: &Chosen, app: &App) {
    for Reference { name, .. } in &chosen.skipped {
        app.ui.warn(&match name.check() {
            Ok(()) => format!(
                "{name} is no valid name of a variable and was left out; --upper or -e VAR={name} brings it along"
            ),
            Err(_) => "the secret with the empty name was left out".to_owned(),
        });
    }
}

/// How names become variables.
pub fn naming(args: &SelectionArgs) -> Naming {
    Naming {
        destination: Destination::Environment,
        upper: args.upper,
        strict: args.strict,
    }
}

/// What the options ask for.
///
/// # Errors
/// `usage` for options and references that are malformed; what reading an `--env-file` fails with.
pub fn wanted(args: &SelectionArgs) -> Result<Wanted> {
    let mut mapped = Vec::new();
    for mapping in &args.env {
        let Some((variable, target)) = mapping.split_once('=') else {
            return Err(match shown::quoted(mapping) {
                Shown::Plain(quoted) => {
                    let error = Error::usage(format!("-e {quoted} is not VAR=NAME"));
                    error.hint(format!(
                        "to keep the name: -e {mapping}={mapping}, or --only {mapping}"
                    ))
                }
                described => Error::usage(format!("-e {described} is not VAR=NAME")),
            });
        };
        mapped.push((variable.to_owned(), target.parse()?));
    }
    let mut files = Vec::new();
    for path in &args.env_file {
        let pairs = input::pairs(path, Some(Format::Dotenv))?;
        for (variable, value) in pairs {
            let value = match value
                .expose_str()
                .filter(|text| Reference::looks_like(text))
            {
                Some(text) => FileValue::Reference(text.parse()?),
                None => FileValue::Literal(value),
            };
            files.push((variable, value));
        }
    }
    Ok(Wanted {
        only: args.names.only.clone(),
        except: args.names.except.clone(),
        prefix: args.names.prefix.clone(),
        mapped,
        files,
        all: args.all,
    })
}
