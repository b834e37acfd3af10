//! `keyfob run`: a command with secrets in its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

#[cfg(unix)]
use anstream::ColorChoice;

use crate::app::App;
use crate::cli::RunArgs;
use crate::commands::{Failure, fallback, selected};
use crate::error::{Error, Result};
use crate::process::exec;
use crate::process::mask::Masker;
#[cfg(unix)]
use crate::process::{session, supervise};
use crate::secret::SecretValue;

/// Replaces this process by the command, or ends it with the command's exit code; returns only when
/// that fails.
pub async fn run(args: RunArgs, app: &App) -> Failure {
    app.waits(args.wait);
    let policy = exec::Policy {
        keep_existing: args.keep_existing,
        pristine: args.pristine,
    };
    let values = match args.fallback.fallback {
        Some(_) => fallback::values(&args.selection, &args.fallback, app).await,
        None => selected::values(&args.selection, app).await,
    };
    let ready = values.and_then(|values| {
        let vars = exec::child_environment(&app.env, &values, policy)?;
        let masker = args.mask.then(|| masker(&values, app)).transpose()?;
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
fn masker(values: &BTreeMap<String, SecretValue>, app: &App) -> Result<Masker> {
    let masker = Masker::new(values.values().map(SecretValue::expose))?;
    let names: Vec<&str> = masker
        .left_alone()
        .iter()
        .filter_map(|index| values.keys().nth(*index))
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
