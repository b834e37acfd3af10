//! `keyfob status`: what is known of each store without asking a server.

use clap::Args;
use serde_json::json;

use super::trust::configured;
use crate::app::App;
use crate::providers::Account;
use crate::store::Store;
use crate::ui::Table;
use crate::words::error::Result;
use crate::words::secret::StoreName;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &[
    "",
    "STORE",
    "PROVIDER",
    "ADDRESS",
    "ACCOUNT",
    "CREDENTIAL",
    "TOKEN",
];

/// Show each store's provider, address, account, credential and token
///
/// Asks no server. With --store only that store. A keyfob.toml that is not trusted is left out, and
/// told of.
///
/// In a pipe a store a line, with tabs between a * for the default store, store, provider, address,
/// account, credential and token.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob status
  keyfob status --json -s gpu")]
pub struct StatusArgs {}

pub async fn run(_args: StatusArgs, app: &App) -> Result<()> {
    let config = configured(app)?;
    // What no store could be opened with is no fault of each store.
    app.services()?;
    let names: Vec<StoreName> = match app.named_store() {
        Some(name) => vec![config.store(name)?.name().clone()],
        None => config.stores().map(|store| store.name().clone()).collect(),
    };
    let default = app.default_store()?;
    let mut table = Table::new(COLUMNS, &app.ui);
    let mut documents = Vec::new();
    let mut unused = Vec::new();
    for name in names {
        let configured = config.store(&name)?;
        let mark = if name == default { "*" } else { "" };
        let account = match app.open(&name) {
            Ok(store) => store
                .account()
                .await
                .map(|account| (account_json(&store, &account), account)),
            Err(error) => Err(error),
        };
        let (mut document, cells) = match account {
            Ok((document, account)) => {
                let until = account.token_expires_at;
                let cells = [
                    account.url,
                    account.account.unwrap_or_default(),
                    account.credential.unwrap_or_default(),
                    until.map_or(String::new(), |at| match app.ui.stdout_is_terminal() {
                        true => format!("ends {}", app.ui.time(at)),
                        false => format!("until {}", app.ui.time(at)),
                    }),
                ];
                (document, cells)
            }
            // One store that is not set up must not hide the others.
            Err(error) => {
                let mut document = error.to_json();
                document["store"] = name.as_str().into();
                document["provider"] = configured.provider().into();
                let why = format!("{}: {}", error.kind().as_str(), error.message());
                (document, ["", "", &why, ""].map(str::to_owned))
            }
        };
        document["default"] = (name == default).into();
        let is_used = name == default
            || app.named_store().is_some()
            || configured.is_set_up()
            || document.get("credential").is_some();
        documents.push(document);
        if !is_used && app.ui.stdout_is_terminal() {
            unused.push(name.to_string());
            continue;
        }
        let first = [mark, name.as_str(), configured.provider()].map(str::to_owned);
        table.row(first.into_iter().chain(cells));
    }
    if app.ui.json {
        return app.ui.document(&json!(documents));
    }
    table.print(&app.ui)?;
    if !unused.is_empty() {
        app.ui.note(&format!("not set up: {}", unused.join(", ")));
    }
    Ok(())
}

/// What is known of `store`'s account, as JSON.
pub fn account_json(store: &Store, account: &Account) -> serde_json::Value {
    let mut document = json!({ "store": store.name(), "provider": store.spec().name() });
    // An account is plain data: serializing it cannot fail.
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(account) {
        for (key, value) in fields {
            document[key] = value;
        }
    }
    document
}
