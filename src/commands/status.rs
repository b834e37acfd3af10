//! `keyfob status`: what is known of each store without asking a server.

use serde_json::json;

use crate::app::App;
use crate::providers::Account;
use crate::store::Store;
use crate::ui::{Table, time};
use crate::words::error::Result;
use crate::words::secret::StoreName;
use clap::Args;

/// Show each store's provider, address, account, credential and token
///
/// Asks no server. With --store only that store.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob status
  keyfob status --json -s gpu")]
pub struct StatusArgs {}

pub async fn run(_args: StatusArgs, app: &App) -> Result<()> {
    let config = app.config()?;
    // What no store could be opened with is no fault of each store.
    app.services()?;
    let names: Vec<StoreName> = match app.named_store() {
        Some(name) => vec![config.store(name)?.name().clone()],
        None => config.stores().map(|store| store.name().clone()).collect(),
    };
    let selected = app.selected_store()?;
    let mut table = Table::new(&[
        "",
        "STORE",
        "PROVIDER",
        "ADDRESS",
        "ACCOUNT",
        "CREDENTIAL",
        "TOKEN",
    ]);
    let mut documents = Vec::new();
    for name in names {
        let configured = config.store(&name)?;
        let mark = if name == selected { "*" } else { "" };
        let account = match app.open(&name) {
            Ok(store) => store
                .account()
                .await
                .map(|account| (account_json(&store, &account), account)),
            Err(error) => Err(error),
        };
        match account {
            Ok((mut document, account)) => {
                document["default"] = (name == selected).into();
                documents.push(document);
                table.row([
                    mark.to_owned(),
                    name.to_string(),
                    configured.provider().to_owned(),
                    account.url,
                    account.account.unwrap_or_default(),
                    account.credential.unwrap_or_default(),
                    account
                        .token_expires_at
                        .map(|at| format!("until {}", time(at)))
                        .unwrap_or_default(),
                ]);
            }
            Err(error) => {
                // One store that is not set up must not hide the others.
                let mut document = error.to_json();
                document["store"] = name.as_str().into();
                document["provider"] = configured.provider().into();
                document["default"] = (name == selected).into();
                documents.push(document);
                table.row([
                    mark.to_owned(),
                    name.to_string(),
                    configured.provider().to_owned(),
                    String::new(),
                    String::new(),
                    format!("{}: {}", error.kind().as_str(), error.message()),
                    String::new(),
                ]);
            }
        }
    }
    if app.ui.json {
        return app.ui.document(&json!(documents));
    }
    table.print(&app.ui)
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
