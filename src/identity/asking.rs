//! Whoever may be asked for a passphrase, and told what a plugin says. The age library calls back
//! from wherever a key is needed, and there is one terminal: so who sits there is said once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use age::secrecy::SecretString;

use crate::ui::{Ui, prompt};
use crate::words::error::{Error, Result};

/// The person, and how long to wait for what is no person.
struct Asked {
    ui: Ui,
    limit: Option<Duration>,
    environment: Variables,
}

/// The variables of a program, with their values.
pub(super) type Variables = Vec<(OsString, OsString)>;

static ASKED: OnceLock<Asked> = OnceLock::new();

/// What was answered already: one command may need a key several times.
static KNOWN: Mutex<BTreeMap<String, SecretString>> = Mutex::new(BTreeMap::new());

/// Says through what the user may be asked, how long a plugin may take, where `None` is for ever, and
/// the environment that it runs in. Until then nobody may be asked, and no plugin started.
pub fn introduce(ui: Ui, limit: Option<Duration>, environment: Vec<(OsString, OsString)>) {
    ASKED.get_or_init(|| Asked {
        ui,
        limit,
        environment,
    });
}

/// The environment of a plugin.
pub(super) fn environment() -> Option<&'static Variables> {
    ASKED.get().map(|asked| &asked.environment)
}

/// How long a plugin may take between two signs of life.
pub(super) fn limit() -> Option<Duration> {
    ASKED.get().and_then(|asked| asked.limit)
}

/// The passphrase of `what`, asked for once.
///
/// # Errors
/// `usage` where nobody may be asked.
pub(super) fn passphrase(what: &str) -> Result<SecretString> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(passphrase) = known.get(what) {
        return Ok(passphrase.clone());
    }
    let passphrase = secret(&format!("Passphrase of the {what}"))?;
    known.insert(what.to_owned(), passphrase.clone());
    Ok(passphrase)
}

/// A secret, hidden.
///
/// # Errors
/// As [`passphrase`].
pub(super) fn secret(what: &str) -> Result<SecretString> {
    let mut text = prompt::credential(ui(what)?, what)?;
    Ok(SecretString::from(std::mem::take(&mut *text)))
}

/// A line of text.
///
/// # Errors
/// As [`passphrase`].
pub(super) fn line(what: &str) -> Result<String> {
    prompt::line(ui(what)?, what)
}

/// Whether to go on.
///
/// # Errors
/// As [`passphrase`].
pub(super) fn confirm(question: &str) -> Result<bool> {
    prompt::confirm(ui(question)?, question)
}

/// Tells the user something.
pub(super) fn say(message: &str) {
    if let Some(asked) = ASKED.get() {
        message.lines().for_each(|line| asked.ui.note(line));
    }
}

fn ui(what: &str) -> Result<&'static Ui> {
    match ASKED.get() {
        Some(asked) => Ok(&asked.ui),
        None => Err(Error::usage(format!(
            "input is needed ({what}), and nothing may be asked here"
        ))),
    }
}
