//! `keyfob login`: obtains and caches a token, or keeps a credential.

use std::io::{self, IsTerminal};

use super::input;
use super::status::account_json;
use crate::app::App;
use crate::store::Store;
use crate::ui::{prompt, time};
use crate::words::error::{Error, Result};
use crate::words::secret::{SecretValue, StoreName};
use clap::Args;

/// Log in to a store: obtain and cache a token, or keep a credential in the OS keyring
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob login nosana
  keyfob login -s gpu")]
pub struct LoginArgs {
    /// The store [default: the selected one]
    #[arg(value_name = "STORE")]
    pub store: Option<StoreName>,
}

/// A credential is a line of text; nothing longer is read.
const MAX_CREDENTIAL: usize = 64 * 1024;

pub async fn run(args: LoginArgs, app: &App) -> Result<()> {
    let name = match args.store {
        Some(name) => name,
        None => app.selected_store()?,
    };
    let store = app.open(&name)?;
    let credential = credential(app, &store)?;
    let account = store.login(credential).await?;
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

/// The credential to keep, where the provider takes one and neither environment nor a command
/// gives it: from a pipe, or asked for.
fn credential(app: &App, store: &Store) -> Result<Option<SecretValue>> {
    let Some(field) = store.spec().credential else {
        return Ok(None);
    };
    let config = app.config()?.store(store.name())?;
    if config.text(field).is_some() || config.text(&format!("{field}_command")).is_some() {
        return Ok(None);
    }
    let what = format!("{} of {}", field.replace('_', " "), store.name());
    if io::stdin().is_terminal() {
        return prompt::credential(&app.ui, &what)
            .map(|text| Some(SecretValue::from(text.as_str())));
    }
    match input::stdin_text(MAX_CREDENTIAL)?.trim() {
        "" => Err(Error::usage(format!("input is needed: the {what}"))
            .hint("pipe it in, or run keyfob login on a terminal")),
        text => Ok(Some(SecretValue::from(text))),
    }
}
