//! Questions to the person at the terminal: hidden input and confirmation.

use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input, Password};
use zeroize::Zeroizing;

use crate::ui::{Ui, escape};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// Asks for a secret, hidden, twice.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn new_secret(ui: &Ui, what: &str) -> Result<SecretValue> {
    check(ui, what)?;
    Password::with_theme(&SimpleTheme)
        .with_prompt(escape(what))
        .with_confirmation("The same again", "The two are not the same, once more")
        .allow_empty_password(true)
        .interact()
        .map(SecretValue::from)
        .map_err(interrupted)
}

/// Asks for a credential, hidden, once.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn credential(ui: &Ui, what: &str) -> Result<Zeroizing<String>> {
    check(ui, what)?;
    Password::with_theme(&SimpleTheme)
        .with_prompt(escape(what))
        .interact()
        .map(Zeroizing::new)
        .map_err(interrupted)
}

/// Asks for a line of text.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn line(ui: &Ui, what: &str) -> Result<String> {
    check(ui, what)?;
    Input::with_theme(&SimpleTheme)
        .with_prompt(escape(what))
        .interact_text()
        .map_err(interrupted)
}

/// Asks whether to go on; no by default.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn confirm(ui: &Ui, question: &str) -> Result<bool> {
    check(ui, question)?;
    Confirm::with_theme(&SimpleTheme)
        .with_prompt(escape(question))
        .default(false)
        .interact()
        .map_err(interrupted)
}

fn check(ui: &Ui, what: &str) -> Result<()> {
    if ui.interactive {
        return Ok(());
    }
    Err(Error::usage(format!(
        "input is needed ({what}), and nothing may be asked here"
    )))
}

fn interrupted(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        std::io::ErrorKind::Interrupted => Error::failed("interrupted"),
        _ => Error::io("could not ask", error),
    }
}
