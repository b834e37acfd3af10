//! Replacing keyfob by a command, with an environment that holds secrets and no credentials of
//! keyfob's own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::credential;
use crate::providers::registry;
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::memory;
use crate::words::secret::SecretValue;

/// The exit code of `run` when keyfob itself failed before the command started.
pub const KEYFOB_FAILED: u8 = 125;
/// The exit code of `run` when the command cannot be executed.
pub const CANNOT_EXECUTE: u8 = 126;
/// The exit code of `run` when the command was not found.
pub const NOT_FOUND: u8 = 127;

/// How the command's environment is put together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// A variable that is already set wins over a secret.
    pub keep_existing: bool,
    /// Start from an empty environment.
    pub pristine: bool,
}

/// The environment of a command: what is inherited, without keyfob's own credentials, and the
/// secrets.
///
/// # Errors
/// `invalid_data` naming a secret that no environment variable can hold.
pub fn child_environment(
    env: &Environment,
    secrets: &BTreeMap<String, SecretValue>,
    policy: Policy,
) -> Result<BTreeMap<OsString, OsString>> {
    let mut vars: BTreeMap<OsString, OsString> = if policy.pristine {
        BTreeMap::new()
    } else {
        env.vars_without(&credential::withheld(registry::SCHEMAS, env))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    for (name, value) in secrets {
        if policy.keep_existing && vars.contains_key(OsStr::new(name)) {
            continue;
        }
        vars.insert(name.into(), os_value(name, value)?);
    }
    Ok(vars)
}

#[cfg(unix)]
fn os_value(name: &str, value: &SecretValue) -> Result<OsString> {
    use std::os::unix::ffi::OsStrExt;

    if value.expose().contains(&0) {
        return Err(no_variable(name, "it holds a NUL byte"));
    }
    Ok(OsStr::from_bytes(value.expose()).to_owned())
}

#[cfg(not(unix))]
fn os_value(name: &str, value: &SecretValue) -> Result<OsString> {
    match value.expose_str() {
        Some(text) if !text.contains('\0') => Ok(text.into()),
        Some(_) => Err(no_variable(name, "it holds a NUL character")),
        None => Err(no_variable(name, "it is not text")),
    }
}

fn no_variable(name: &str, why: &str) -> Error {
    Error::invalid_data(format!(
        "the value of {name} cannot be an environment variable: {why}"
    ))
    .hint("leave it out with --except, or store it encoded")
}

/// Replaces this process by `command`. Returns only when that fails, with the exit code and why.
#[cfg(unix)]
pub fn exec(command: &[OsString], vars: BTreeMap<OsString, OsString>) -> (u8, Error) {
    use std::os::unix::process::CommandExt;

    let Some((program, args)) = command.split_first() else {
        return (KEYFOB_FAILED, Error::usage("there is no command to run"));
    };
    let mut process = Command::new(program);
    process.args(args).env_clear().envs(vars);
    let error = memory::starting(|| process.exec());
    failure(program, error)
}

/// Runs `command` and ends with its exit code; there is no exec on this platform.
#[cfg(not(unix))]
pub fn exec(command: &[OsString], vars: BTreeMap<OsString, OsString>) -> (u8, Error) {
    let Some((program, args)) = command.split_first() else {
        return (KEYFOB_FAILED, Error::usage("there is no command to run"));
    };
    match Command::new(program)
        .args(args)
        .env_clear()
        .envs(vars)
        .status()
    {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => failure(program, error),
    }
}

/// The exit code and the words for a `program` that could not be started.
pub(super) fn failure(program: &OsStr, error: std::io::Error) -> (u8, Error) {
    let program = program.to_string_lossy();
    match error.kind() {
        std::io::ErrorKind::NotFound => (
            NOT_FOUND,
            Error::not_found(format!("{program}: command not found")),
        ),
        _ => (
            CANNOT_EXECUTE,
            Error::io(format!("{program} cannot be executed"), error),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_of_any_provider_reaches_a_command() {
        let fields = registry::SCHEMAS.iter().flat_map(|schema| schema.fields);
        let mut vars = BTreeMap::from([
            ("PATH".to_owned(), false),
            ("KEYFOB_STORE".to_owned(), false),
            ("KEYFOB_FALLBACK_KEY".to_owned(), true),
        ]);
        for field in fields {
            let own = format!("KEYFOB_MY_GPU_{}", field.name.to_uppercase());
            let vendors = field.vendor_env.iter().map(|name| (*name).to_owned());
            let secret = field.credential || field.inline_env;
            vars.extend(vendors.chain([own]).map(|name| (name, secret)));
        }
        assert!(vars["NEO_API_KEY"] && vars["KEYFOB_MY_GPU_KEYPAIR"]);
        let env = Environment::from_vars(vars.keys().map(|name| (name, "x")), "/");
        let left = child_environment(&env, &BTreeMap::new(), Policy::default()).unwrap();
        for (name, secret) in vars {
            assert_eq!(left.contains_key(OsStr::new(&name)), !secret, "{name}");
        }
    }

    #[test]
    fn secrets_win_unless_told_otherwise() {
        let env = Environment::from_vars(
            [("A", "old"), ("B", "b"), ("KEYFOB_NOSANA_KEYPAIR", "k")],
            "/",
        );
        let secrets = BTreeMap::from([("A".to_owned(), SecretValue::from("new"))]);
        let vars = child_environment(&env, &secrets, Policy::default()).unwrap();
        assert_eq!(vars[OsStr::new("A")], "new");
        assert_eq!(vars.len(), 2);
        let keep = Policy {
            keep_existing: true,
            ..Policy::default()
        };
        assert_eq!(
            child_environment(&env, &secrets, keep).unwrap()[OsStr::new("A")],
            "old"
        );
        let pristine = Policy {
            pristine: true,
            ..Policy::default()
        };
        assert_eq!(
            child_environment(&env, &secrets, pristine).unwrap().len(),
            1
        );
    }

    #[test]
    fn a_nul_byte_is_an_error_that_names_the_secret() {
        let secrets = BTreeMap::from([("A".to_owned(), SecretValue::new(b"x\0y".to_vec()))]);
        let error =
            child_environment(&Environment::default(), &secrets, Policy::default()).unwrap_err();
        assert!(error.message().contains("the value of A "), "{error}");
    }
}
