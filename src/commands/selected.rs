//! What the selection options bring, for every command that has them.

use std::collections::BTreeMap;

use super::input;
use crate::app::App;
use crate::cli::SelectionArgs;
use crate::error::{Error, Result};
use crate::formats::Format;
use crate::secret::{Reference, SecretValue};
use crate::selection::{Chosen, FileValue, Found, Naming, Plan, Wanted, Wants};
use crate::store::Store;

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
    choose(plan, &found, args, app)?.values(&found)
}

/// What the options and the configuration ask for. Asks nobody.
///
/// # Errors
/// `usage` for options and references that are malformed, `untrusted` where a checkout's `[env]`
/// decides, what reading an `--env-file` fails with.
pub fn plan(args: &SelectionArgs, app: &App) -> Result<Plan> {
    Plan::new(app.selected_store()?, wanted(args)?, || {
        let table = app.config()?.env_table()?;
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
    plan: Plan,
    found: &Found<'_, V>,
    args: &SelectionArgs,
    app: &App,
) -> Result<Chosen> {
    let chosen = plan.choose(found, naming(args))?;
    for name in &chosen.skipped {
        app.ui.warn(&format!(
            "{name} is no valid name of a variable and was left out; --upper or -e VAR={name} brings it along"
        ));
    }
    if chosen.variables.is_empty() {
        app.ui.warn("no secret was selected");
    }
    Ok(chosen)
}

/// How names become variables.
pub fn naming(args: &SelectionArgs) -> Naming {
    Naming {
        upper: args.upper,
        strict: args.strict,
    }
}

fn wanted(args: &SelectionArgs) -> Result<Wanted> {
    let mut mapped = Vec::new();
    for mapping in &args.env {
        let Some((variable, target)) = mapping.split_once('=') else {
            return Err(
                Error::usage(format!("-e {mapping:?} is not VAR=NAME")).hint(format!(
                    "to keep the name: -e {mapping}={mapping}, or --only {mapping}"
                )),
            );
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
        only: args.only.clone(),
        except: args.except.clone(),
        prefix: args.prefix.clone(),
        mapped,
        files,
        all: args.all,
    })
}
