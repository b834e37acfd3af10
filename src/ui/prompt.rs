//! Questions to the person at the terminal: hidden input and confirmation.

use std::io::{self, IsTerminal as _};

use dialoguer::theme::SimpleTheme;
use dialoguer::{Input, Password};
use zeroize::Zeroizing;

use crate::ui::{Ui, escape};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// Asks for a secret, hidden, twice. An empty one is none: it asks again.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn new_secret(ui: &Ui, what: &str) -> Result<SecretValue> {
    check(ui, what)?;
    loop {
        let value = hidden(ui, what)?;
        let again = password("The same again")?;
        if *value == *again {
            return Ok(SecretValue::from(value.as_str()));
        }
        insist(ui, "The two are not the same, once more");
    }
}

/// Asks for a credential, hidden, once.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn credential(ui: &Ui, what: &str) -> Result<Zeroizing<String>> {
    check(ui, what)?;
    hidden(ui, what)
}

/// What is said of an Enter alone, before it is asked again.
const NOTHING: &str = "Nothing was typed, once more; Ctrl-C ends it";

/// What somebody types, unseen, until it is something.
fn hidden(ui: &Ui, what: &str) -> Result<Zeroizing<String>> {
    loop {
        let text = password(what)?;
        if !text.is_empty() {
            return Ok(text);
        }
        insist(ui, NOTHING);
    }
}

fn password(what: &str) -> Result<Zeroizing<String>> {
    Password::with_theme(&SimpleTheme)
        .with_prompt(escape(what))
        .allow_empty_password(true)
        .interact()
        .map(Zeroizing::new)
        .map_err(interrupted)
}

/// Says what belongs to a question, be keyfob quiet or not.
fn insist(ui: &Ui, message: &str) {
    let ui = Ui {
        quiet: false,
        ..*ui
    };
    ui.note(message);
}

/// Asks for a line of text.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn line(ui: &Ui, what: &str) -> Result<String> {
    check(ui, what)?;
    loop {
        let text: String = Input::with_theme(&SimpleTheme)
            .with_prompt(escape(what))
            .allow_empty(true)
            .interact_text()
            .map_err(interrupted)?;
        if !text.is_empty() {
            return Ok(text);
        }
        insist(ui, NOTHING);
    }
}

/// Asks whether to go on: `y` or `yes` and Enter mean it, everything else does not.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn confirm(ui: &Ui, question: &str) -> Result<bool> {
    check(ui, question)?;
    let answer: String = Input::with_theme(&SimpleTheme)
        .with_prompt(format!("{} [y/N]", escape(question)))
        .allow_empty(true)
        .interact_text()
        .map_err(interrupted)?;
    let answer = answer.trim();
    Ok(["y", "yes"]
        .iter()
        .any(|yes| answer.eq_ignore_ascii_case(yes)))
}

/// Asks whether to do what cannot be undone, unless `yes` says so already; `what` says what that is,
/// for who cannot be asked.
///
/// # Errors
/// `usage` where nothing may be asked; `failed` where the answer is no.
pub fn agree(ui: &Ui, yes: bool, question: &str, what: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    may_be_asked(ui, yes, what)?;
    match confirm(ui, question)? {
        true => Ok(()),
        false => Err(Error::failed("nothing was changed")),
    }
}

/// Checks that somebody can be asked about `what`, which cannot be undone, or that `yes` says it.
///
/// # Errors
/// `usage` where neither is so.
pub fn may_be_asked(ui: &Ui, yes: bool, what: &str) -> Result<()> {
    match yes || ui.interactive {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "{what} cannot be undone, and nobody can be asked here"
        ))
        .hint("give -y where it is meant")),
    }
}

/// Checks that `what` may be asked, and where: a question is for the terminal, and never goes to
/// whatever stderr is redirected to, which may have to be JSON.
fn check(ui: &Ui, what: &str) -> Result<()> {
    let why = match ui.interactive {
        false => "nothing may be asked here",
        true if !io::stderr().is_terminal() => "stderr is no terminal to ask on",
        true => return Ok(()),
    };
    Err(Error::usage(format!("input is needed ({what}), and {why}")))
}

fn interrupted(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        io::ErrorKind::Interrupted => Error::failed("interrupted"),
        _ => Error::io("could not ask", error),
    }
}
