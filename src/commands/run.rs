//! `keyfob run`: a command with secrets in its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

#[cfg(unix)]
use anstream::ColorChoice;

use crate::app::App;
use crate::cli::{RunArgs, SelectionArgs};
use crate::commands::Failure;
use crate::error::{Error, Result};
use crate::formats::{self, Format};
use crate::process::exec;
use crate::process::mask::Masker;
#[cfg(unix)]
use crate::process::{session, supervise};
use crate::secret::{Reference, SecretValue};
use crate::selection::{self, FileValue, Naming, Plan, Selected, Wanted};

/// Replaces this process by the command, or ends it with the command's exit code; returns only when
/// that fails.
pub async fn run(args: RunArgs, app: &App) -> Failure {
    app.waits(args.wait);
    let policy = exec::Policy {
        keep_existing: args.keep_existing,
        pristine: args.pristine,
    };
    let ready = select(&args.selection, app).await.and_then(|selected| {
        let vars = exec::child_environment(&app.env, &selected.values, policy)?;
        let masker = args.mask.then(|| masker(&selected, app)).transpose()?;
        Ok((vars, masker))
    });
    let (code, error) = match ready {
        Ok((vars, Some(masker))) => supervised(&args.command, vars, &masker, app),
        Ok((vars, None)) => exec::exec(&args.command, vars),
        Err(error) => return Failure::before_start(error),
    };
    Failure { error, code }
}

/// What hides the values that were selected; those it cannot hide are named.
fn masker(selected: &Selected, app: &App) -> Result<Masker> {
    let masker = Masker::new(selected.values.values().map(SecretValue::expose))?;
    let names: Vec<&str> = masker
        .left_alone()
        .iter()
        .filter_map(|index| selected.values.keys().nth(*index))
        .map(String::as_str)
        .collect();
    if !names.is_empty() {
        app.ui.warn(&format!(
            "too short to be hidden, and shown where the command prints it: {}",
            names.join(", ")
        ));
    }
    Ok(masker)
}

/// Runs the command with its output masked, and ends with its exit code; returns only when that
/// fails.
#[cfg(unix)]
fn supervised(
    command: &[OsString],
    vars: BTreeMap<OsString, OsString>,
    masker: &Masker,
    app: &App,
) -> (u8, Error) {
    let request = session::Request {
        json: app.ui.json,
        color: match app.ui.color {
            ColorChoice::Never => "never",
            ColorChoice::Always | ColorChoice::AlwaysAnsi => "always",
            ColorChoice::Auto => "auto",
        },
        command,
    };
    match supervise::run(&request, vars, masker) {
        Ok(code) => std::process::exit(code.into()),
        Err(failed) => failed,
    }
}

#[cfg(not(unix))]
fn supervised(_: &[OsString], _: BTreeMap<OsString, OsString>, _: &Masker, _: &App) -> (u8, Error) {
    (
        exec::KEYFOB_FAILED,
        Error::unsupported("--mask is not available on this platform yet"),
    )
}

/// Fetches what the options select, and warns of what was left out.
pub async fn select(args: &SelectionArgs, app: &App) -> Result<Selected> {
    let plan = Plan::new(app.selected_store()?, wanted(args)?, || {
        let table = app.config()?.env_table()?;
        Ok(table
            .iter()
            .map(|(variable, mapping)| (variable.clone(), mapping.target.clone()))
            .collect())
    })?;
    let naming = Naming {
        upper: args.upper,
        strict: args.strict,
    };
    let mut stores = Vec::new();
    for name in plan.stores() {
        stores.push(app.open(name)?);
    }
    let selected = selection::fetch(plan, &stores, naming).await?;
    for name in &selected.skipped {
        app.ui.warn(&format!(
            "{name} is no valid name of a variable and was left out; --upper or -e VAR={name} brings it along"
        ));
    }
    if selected.values.is_empty() {
        app.ui.warn("no secret was selected");
    }
    Ok(selected)
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
        let what = format!("could not read {}", path.display());
        let text = std::fs::read(path).map_err(|error| Error::io(&what, &error))?;
        let text = zeroize::Zeroizing::new(text);
        let pairs =
            formats::read(Format::Dotenv, &text).map_err(|error| error.context(path.display()))?;
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
