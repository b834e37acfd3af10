//! Replacing keyfob by a command, with an environment that holds secrets and no credentials of
//! keyfob's own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;

#[cfg(unix)]
use super::again::end_with_parent;
#[cfg(not(unix))]
use super::beside;

use crate::credential;
use crate::providers::registry;
#[cfg(not(unix))]
use crate::redact::mask::Masker;
use crate::words::env::{Environment, same_name};
use crate::words::error::{Error, Result};
#[cfg(unix)]
use crate::words::memory;
use crate::words::secret::SecretValue;
use crate::words::word::Word;

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
        let there = set_as(&vars, OsStr::new(name));
        if policy.keep_existing && there.is_some() {
            continue;
        }
        let value = os_value(name, value)?;
        if let Some(there) = there {
            vars.remove(&there);
        }
        vars.insert(name.into(), value);
    }
    Ok(vars)
}

/// The name under which the variable `name` is set already: on Windows perhaps in other letters.
fn set_as(vars: &BTreeMap<OsString, OsString>, name: &OsStr) -> Option<OsString> {
    match cfg!(windows) {
        true => vars.keys().find(|there| same_name(there, name)).cloned(),
        false => vars.contains_key(name).then(|| name.to_owned()),
    }
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
        "the value of {} cannot be an environment variable: {why}",
        Word(name)
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
    let path = vars.get(OsStr::new("PATH")).cloned();
    let mut process = Command::new(program);
    process.args(args).env_clear().envs(vars);
    let error = memory::starting(|| process.exec());
    failure(program, path.as_deref(), error)
}

/// The same for a process that was started to become the command, with its environment, and ends
/// with the keyfob that started it.
#[cfg(unix)]
pub fn exec_beside(command: &[OsString], env: &Environment) -> (u8, Error) {
    end_with_parent();
    let vars = env.vars();
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    exec(command, vars.collect())
}

/// Runs `command`, with what it prints masked where there is a `masker`, and ends with its exit code:
/// nothing replaces a process on this platform. Returns only when that fails, with the exit code and why.
#[cfg(not(unix))]
pub fn exec(
    command: &[OsString],
    vars: BTreeMap<OsString, OsString>,
    masker: Option<&Masker>,
) -> (u8, Error) {
    let Some((program, args)) = command.split_first() else {
        return (KEYFOB_FAILED, Error::usage("there is no command to run"));
    };
    let path = beside::variable(&vars, "PATH").map(OsStr::to_owned);
    match beside::run(program, args, vars, masker) {
        Ok(code) => std::process::exit(code),
        Err(error) => failure(program, path.as_deref(), error),
    }
}

/// The exit code and the words for a `program` that could not be started, looked for in `path`.
fn failure(program: &OsStr, path: Option<&OsStr>, error: std::io::Error) -> (u8, Error) {
    let name = program.to_string_lossy();
    let name = Word(&name);
    if error.kind() != std::io::ErrorKind::NotFound {
        let error = Error::io(format!("{name} cannot be executed"), error);
        return (CANNOT_EXECUTE, error);
    }
    let error = match found(program, path) {
        Some(file) => no_interpreter(name, &file),
        None => Error::not_found(format!("{name}: command not found")),
    };
    (NOT_FOUND, error)
}

/// The file that `program` names, where there is one.
fn found(program: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 || program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|file| file.is_file());
    }
    std::env::split_paths(path?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// That `file` is there, and what it wants to be run by is not.
fn no_interpreter(name: Word<'_>, file: &Path) -> Error {
    let Some(line) = first_line(file) else {
        return Error::not_found(format!(
            "{name} is there, but the program that loads it is not"
        ))
        .hint("it was built for another system, or another C library");
    };
    let interpreter = line.split([' ', '\t']).next().unwrap_or_default();
    let is_of_windows = interpreter.ends_with('\r');
    let interpreter = Word(interpreter.trim_end_matches('\r'));
    match is_of_windows {
        true => Error::not_found(format!(
            "{name}: its interpreter {interpreter} is not found, because a carriage return follows it"
        ))
        .hint(format!(
            "{name} has the line ends of Windows: save it with those of Unix"
        )),
        false => Error::not_found(format!(
            "{name}: its interpreter {interpreter} is not found"
        ))
        .hint("the first line of the file names it"),
    }
}

/// What stands behind `#!` in the first line of `file`.
fn first_line(file: &Path) -> Option<String> {
    let mut line = Vec::new();
    let file = File::open(file).ok()?;
    // As much as Linux looks at.
    file.take(256).read_to_end(&mut line).ok()?;
    let line = line
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    Some(line.trim_start_matches([' ', '\t']).to_owned())
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
    fn on_windows_no_other_letters_make_another_variable() {
        let env = Environment::from_vars([("Path", "old"), ("neo_api_key", "k")], "/");
        let secrets = BTreeMap::from([("PATH".to_owned(), SecretValue::from("new"))]);
        let set = |policy| -> Vec<(OsString, OsString)> {
            let vars = child_environment(&env, &secrets, policy);
            vars.unwrap().into_iter().collect()
        };
        let keep = Policy {
            keep_existing: true,
            ..Policy::default()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let all = [("PATH", "new"), ("Path", "old"), ("neo_api_key", "k")];
        let (won, kept) = match cfg!(windows) {
            true => (&all[..1], &all[1..2]),
            false => (&all[..], &all[..]),
        };
        assert_eq!(set(Policy::default()), pairs(won));
        assert_eq!(set(keep), pairs(kept));
    }

    #[test]
    fn a_nul_byte_is_an_error_that_names_the_secret() {
        let secrets = BTreeMap::from([("A".to_owned(), SecretValue::new(b"x\0y".to_vec()))]);
        let error =
            child_environment(&Environment::default(), &secrets, Policy::default()).unwrap_err();
        assert!(error.message().contains("the value of A "), "{error}");
    }
}
