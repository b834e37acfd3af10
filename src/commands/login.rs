//! `keyfob login`: obtains and caches a token, or keeps a credential.

use std::io::{self, IsTerminal};

use clap::Args;

use super::input;
use super::status::account_json;
use crate::app::App;
use crate::config::environment::variable;
use crate::providers::Given;
use crate::store::Store;
use crate::ui::{prompt, time};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{SecretValue, StoreName};

/// Log in to a store: obtain and cache a token, or keep a credential in the OS keyring
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob login nosana
  keyfob login -s gpu")]
pub struct LoginArgs {
    /// The store [default: the selected one]
    // Not called `store`: clap would take it for the global option, and then refuse that here.
    #[arg(value_name = "STORE")]
    pub named: Option<StoreName>,
}

/// A credential is a line of text; nothing longer is read.
const MAX_CREDENTIAL: usize = 64 * 1024;

pub async fn run(args: LoginArgs, app: &App) -> Result<()> {
    let name = match args.named {
        Some(name) => name,
        None => app.selected_store()?,
    };
    let store = app.open(&name)?;
    // What is missing beside the credential is told before anybody is asked for that.
    match store.account().await {
        Err(error) if error.kind() != Kind::Unauthenticated => return Err(error),
        _ => {}
    }
    let given = given(app, &store)?;
    let account = store.login(&given).await?;
    if app.ui.json {
        return app.ui.document(&account_json(&store, &account));
    }
    let who = match &account.account {
        Some(who) => format!(" as {who}"),
        None => String::new(),
    };
    app.ui.note(&format!(
        "logged in to {} at {}{who}",
        store.name(),
        account.url
    ));
    if let (Some(place), Some(until)) = (&account.token_cache, account.token_expires_at) {
        app.ui.note(&format!(
            "the token is kept in {place} until {}",
            time(until)
        ));
    }
    Ok(())
}

/// What is given to sign in, by the first of the provider's ways that the store does not rule out, as
/// far as neither environment nor a command gives it: from a pipe, a line each, or asked for.
fn given(app: &App, store: &Store) -> Result<Given> {
    let config = app.config()?.store(store.name())?;
    let asked = config.text("auth");
    let mut methods = store.spec().credentials.iter();
    let Some(method) = methods.find(|it| it.auth.is_none() || it.auth == asked) else {
        return Ok(Given::new());
    };
    let is_missing = |field: &&str| {
        config.text(field).is_none() && config.text(&format!("{field}_command")).is_none()
    };
    let missing: Vec<&str> = method.fields.iter().copied().filter(is_missing).collect();
    let mut given = Given::new();
    if missing.is_empty() {
        return Ok(given);
    }
    let what = |field: &str| {
        let field = field.replace("api_", "API ").replace('_', " ");
        format!("{field} of {}", store.name())
    };
    // Nobody is asked for what cannot be kept.
    check_keyring(app, store, &missing)?;
    if io::stdin().is_terminal() {
        for field in missing {
            let text = prompt::credential(&app.ui, &capital(&what(field)))?;
            given.insert(field, SecretValue::from(text.as_str()));
        }
        return Ok(given);
    }
    let text = input::stdin_text(MAX_CREDENTIAL)?;
    read(&text, &missing, what).map_err(|error| {
        error.hint(format!(
            "pipe it in, or run keyfob login {} on a terminal",
            store.name()
        ))
    })
}

/// `text` as a question begins: with a capital letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Checks that there is an OS keyring to keep `fields` in.
fn check_keyring(app: &App, store: &Store, fields: &[&str]) -> Result<()> {
    let Some(why) = app.services()?.keyring.probe().why else {
        return Ok(());
    };
    let variables = fields.iter().map(|field| variable(store.name(), field));
    Err(
        Error::failed(format!("the credential cannot be kept: {why}"))
            .hint(format!(
                "give it in the environment instead: {}",
                variables.collect::<Vec<_>>().join(", ")
            ))
            .store(store.name().as_str()),
    )
}

/// The values of `fields` in `text`, a line each.
fn read(text: &str, fields: &[&'static str], what: impl Fn(&str) -> String) -> Result<Given> {
    let mut lines = text.trim().splitn(fields.len(), '\n').map(str::trim);
    let value = |field: &&'static str| match lines.next() {
        None | Some("") => Err(Error::usage(format!(
            "input is needed: the {}",
            what(field)
        ))),
        Some(line) => Ok((*field, SecretValue::from(line))),
    };
    fields.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_line_and_the_last_one_the_rest() {
        let read = |text, fields: &[&'static str]| read(text, fields, str::to_owned);
        let given = read("one\r\n two \n", &["role_id", "secret_id"]).unwrap();
        assert_eq!(given["role_id"], SecretValue::from("one"));
        assert_eq!(given["secret_id"], SecretValue::from("two"));
        // What no header can carry is refused where it is sent.
        let given = read("one\ntwo\n", &["api_key"]).unwrap();
        assert_eq!(given["api_key"], SecretValue::from("one\ntwo"));
        for text in ["", "\n", "one\n", "one\n\n"] {
            let error = read(text, &["role_id", "secret_id"]).unwrap_err();
            assert!(error.message().contains("input is needed: the "), "{error}");
        }
    }
}
