//! `keyfob run`: a command with secrets in its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

#[cfg(unix)]
use anstream::ColorChoice;
use clap::{Args, ValueHint};

use crate::app::App;
use crate::commands::fallback::FallbackArgs;
use crate::commands::selected::{SelectionArgs, WaitArg};
use crate::commands::{Failure, fallback, selected};
#[cfg(target_os = "linux")]
use crate::exec::room;
use crate::exec::start;
#[cfg(unix)]
use crate::exec::{again, supervise};
use crate::redact::mask::Masker;
use crate::select::Destination;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::word::listed;

/// Run a command with secrets in its environment
///
/// On Unix keyfob replaces itself by the command, so that signals, job control and exit codes are
/// the command's own. keyfob's own credentials are removed from the command's environment. With
/// --mask it stays beside the command, and passes on signals, keys and the terminal's size.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob run -- npm start
  keyfob run --only DATABASE_URL,API_KEY -- ./migrate
  keyfob run --only 'DB_*' --except DB_ADMIN_URL -- ./migrate
  keyfob run -P prod -- ./deploy
  keyfob run -s web --strip-prefix api-env/ -- npm start
  keyfob run -e PGPASSWORD=keyfob://web/DB_PASSWORD -- psql
  keyfob run --pristine -e TOKEN=ci-token -- /usr/bin/env
  keyfob run --mask -- ./deploy --verbose
  keyfob run --fallback --max-stale 2h --timeout 5s -- make test

With nothing named: all of the store that -s or KEYFOB_STORE names; else the [env] table of the
configuration where there is one; else all of the default store. A name asked for must be there. What
cannot be a variable, by its name or its value (a NUL byte, more than 128 KiB), is left out with a
warning, unless it was asked for by name.

Exit codes: 125 keyfob itself failed, 126 the command cannot be executed, 127 it was not found,
otherwise the command's own; with --mask 128+n when signal n ended it.")]
pub struct RunArgs {
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Let a variable that is already set win over a secret
    #[arg(long)]
    pub keep_existing: bool,
    /// Start from an empty environment
    #[arg(long)]
    pub pristine: bool,
    /// Hide the secrets in what the command writes to stdout and stderr
    ///
    /// Each value is replaced by ***, and so are its lines and its forms in base64, hex, URLs, JSON
    /// and shell quotes. Values of fewer than five bytes are left alone, with a warning.
    #[arg(long)]
    pub mask: bool,
    #[command(flatten)]
    pub fallback: FallbackArgs,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Replaces this process by the command, or ends it with the command's exit code; returns only when
/// that fails.
pub async fn run(args: RunArgs, app: &App) -> Failure {
    app.waits(args.wait.wait);
    let policy = start::Policy {
        keep_existing: args.keep_existing,
        pristine: args.pristine,
    };
    let values = match args.fallback.fallback {
        Some(_) => fallback::values(&args.selection, &args.fallback, app).await,
        None => selected::values(&args.selection, Destination::Environment, app).await,
    };
    let ready = values.and_then(|values| {
        let vars = start::child_environment(&app.env, &values, policy)?;
        #[cfg(target_os = "linux")]
        room::check(&args.command, &vars, &values)?;
        let masker = args.mask.then(|| masker(&values, app)).transpose()?;
        Ok((vars, masker))
    });
    let (code, error) = match ready {
        Ok((vars, Some(masker))) => supervised(&args.command, vars, &masker, app),
        #[cfg(unix)]
        Ok((vars, None)) => start::exec(&args.command, vars),
        #[cfg(not(unix))]
        Ok((vars, None)) => start::exec(&args.command, vars, None),
        Err(error) => return Failure::before_start(error),
    };
    Failure {
        error,
        code,
        is_answer: false,
    }
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
            listed(names)
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
    let request = again::Request {
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
fn supervised(
    command: &[OsString],
    vars: BTreeMap<OsString, OsString>,
    masker: &Masker,
    _: &App,
) -> (u8, Error) {
    start::exec(command, vars, Some(masker))
}
