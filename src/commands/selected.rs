//! What the selection options bring, for every command that has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::input;
use crate::app::App;
use crate::config::Variable;
use crate::formats::{Format, ReadOptions};
use crate::select::{
    Chosen, Destination, FileValue, Found, IfMissing, Naming, Plan, TableValue, Wanted, Wants,
    leave_unfit_out, with_reasons,
};
use crate::store::Store;
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, SecretValue};
use crate::words::shown::{self, Shown};
use crate::words::word::{listed, shell_word};

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
    /// Only names that begin so, without it: api-env/KEY becomes KEY
    #[arg(long, value_name = "P")]
    pub strip_prefix: Option<String>,
    /// Turn names into variable names: db-password becomes DB_PASSWORD
    #[arg(long)]
    pub upper: bool,
    /// Put this before names, but those that -e gives
    #[arg(long, value_name = "P")]
    pub add_prefix: Option<String>,
    /// Fail on a name that is no valid variable name, and on a value that no variable holds
    #[arg(long)]
    pub strict: bool,
}

impl SelectionArgs {
    /// Whether the options themselves name what is to be brought along.
    pub fn names_something(&self) -> bool {
        self.all
            || self.names.prefix.is_some()
            || self.strip_prefix.is_some()
            || [&self.names.only, &self.env]
                .iter()
                .any(|names| !names.is_empty())
            || !self.env_file.is_empty()
    }

    /// What all names begin with that are taken of a store, as far as the options say.
    pub fn prefix(&self) -> Option<&str> {
        self.names
            .prefix
            .as_deref()
            .or(self.strip_prefix.as_deref())
    }
}

/// Reads what the options select, by variable, and warns of what was left out. Every store is
/// asked once, all of them at the same time.
///
/// # Errors
/// What [`plan`], [`Found::read`], [`choose`] and [`values_of`] fail with.
pub async fn values(
    args: &SelectionArgs,
    destination: Destination,
    app: &App,
) -> Result<BTreeMap<String, SecretValue>> {
    let plan = plan(args, app)?;
    let wants = plan.wants();
    let stores = open(&wants, app)?;
    let found = Found::read(&stores, &wants).await?;
    let naming = naming(args, destination);
    let chosen = choose(&plan, &found, &naming, app)?;
    let values = values_of(chosen, &found, &naming, app)?;
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
    let mut wanted = wanted(args)?;
    let store = app.selected_store()?;
    if let Some(by) = app.store_named_by().filter(|_| !args.names_something()) {
        wanted.all = true;
        if !app.config()?.env_table().is_empty() {
            app.ui.note(&format!(
                "all of {store} is taken, as {by} names it, and the [env] table of the configuration is passed over"
            ));
        }
    }
    Plan::new(store, wanted, || {
        let table = app.config()?.env_table().iter();
        Ok(table
            .map(|(name, mapping)| (name.clone(), table_value(&mapping.variable)))
            .collect())
    })
}

/// What a variable of the configuration says.
fn table_value(variable: &Variable) -> TableValue {
    let default = variable.default.as_deref().map(SecretValue::from);
    match (&variable.from, default) {
        (Some(from), Some(default)) => TableValue::Secret(from.clone(), IfMissing::Take(default)),
        (Some(from), None) => TableValue::Secret(
            from.clone(),
            match variable.required {
                true => IfMissing::Fail,
                false => IfMissing::LeaveOut,
            },
        ),
        (None, default) => TableValue::Literal(default.unwrap_or_default()),
    }
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
pub fn choose<V>(plan: &Plan, found: &Found<'_, V>, naming: &Naming, app: &App) -> Result<Chosen> {
    let chosen = plan.choose(found, naming)?;
    warn_of_skipped(&chosen, naming, app);
    for variable in &chosen.missing {
        let why = format!("{variable} is not set: its secret is missing, and it is not required");
        app.ui.trace(1, &why);
    }
    if chosen.variables.is_empty() {
        let store = plan.store();
        app.ui.warn(&match found.names(store).next() {
            None if plan.takes_all() => format!("there are no secrets in the store {store}"),
            _ if !chosen.skipped.is_empty() => "nothing is left of what was selected".to_owned(),
            _ => "no secret was selected".to_owned(),
        });
    }
    Ok(chosen)
}

/// The values of what was chosen; warns of those that cannot be variables, which are left out.
///
/// # Errors
/// `not_found` for a secret that was not found, and what [`leave_unfit_out`] fails with.
pub fn values_of(
    chosen: Chosen,
    found: &Found<'_, SecretValue>,
    naming: &Naming,
    app: &App,
) -> Result<BTreeMap<String, SecretValue>> {
    let asked = chosen.asked.clone();
    let mut values = chosen.values(found)?;
    let unfit = leave_unfit_out(&mut values, &asked, naming)?;
    if !unfit.is_empty() {
        app.ui.warn(&format!(
            "these values cannot be environment variables and were left out: {}",
            with_reasons(unfit.iter().take(TOLD)) + &more(unfit.len())
        ));
    }
    Ok(values)
}

/// So many names a warning tells.
const TOLD: usize = 100;

/// How many of `count` names a warning does not tell.
fn more(count: usize) -> String {
    match count.saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// Warns of what was left out.
pub fn warn_of_skipped(chosen: &Chosen, naming: &Naming, app: &App) {
    let names = chosen.skipped.iter().map(|reference| &reference.name);
    let (names, empty): (Vec<&Name>, Vec<&Name>) = names.partition(|name| name.check().is_ok());
    if !empty.is_empty() {
        app.ui.warn("the secret with the empty name was left out");
    }
    let what = match naming.destination {
        Destination::File(Format::K8s) => "key of a Kubernetes Secret",
        _ => "name of a variable",
    };
    match names.as_slice() {
        [] => {}
        [name] => app.ui.warn(&format!(
            "{name} is no valid {what} and was left out; --upper or -e {} brings it along",
            shell_word(&format!("VAR={}", name.as_str()))
        )),
        names => {
            let told: Vec<&str> = names.iter().take(TOLD).map(|name| name.as_str()).collect();
            app.ui.warn(&format!(
                "{} secrets were left out, as what they are called is no valid {what}: {}{}; --upper or -e VAR=NAME brings them along",
                names.len(),
                listed(told),
                more(names.len())
            ));
        }
    }
}

/// How names become variables, or whatever they become at their `destination`.
pub fn naming(args: &SelectionArgs, destination: Destination) -> Naming {
    Naming {
        destination,
        strip_prefix: args.strip_prefix.clone(),
        upper: args.upper,
        add_prefix: args.add_prefix.clone(),
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
                described @ Shown::Described(_) => {
                    Error::usage(format!("-e {described} is not VAR=NAME"))
                }
                quoted => Error::usage(format!("-e {quoted} is not VAR=NAME")).hint(format!(
                    "to keep the name: -e {}, or --only {name}; a profile is -P {name}",
                    shell_word(&format!("{mapping}={mapping}")),
                    name = quoted.typed()
                )),
            });
        };
        mapped.push((variable.to_owned(), target.parse()?));
    }
    let mut files = Vec::new();
    for path in &args.env_file {
        let pairs = input::pairs(path, Some(Format::Dotenv), ReadOptions::default())?;
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
        prefix: match args.names.only.is_empty() {
            true => args.prefix().map(str::to_owned),
            false => args.names.prefix.clone(),
        },
        mapped,
        files,
        all: args.all,
    })
}
