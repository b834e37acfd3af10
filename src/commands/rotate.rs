//! `keyfob rotate`: shows and finishes replacements that were interrupted.

use std::collections::BTreeSet;

use serde_json::json;

use super::outcomes::{Results, failed, report};
use crate::app::App;
use crate::cli::RotateArgs;
use crate::error::{Error, Result};
use crate::providers::{OpenReplacement, Outcome, open_replacements};
use crate::render::Table;
use crate::secret::{Name, StoreName};

pub async fn run(args: RotateArgs, app: &App) -> Result<()> {
    let (mut open, mut unreadable) = (Vec::new(), Vec::new());
    for found in open_replacements(app.services()?, app.named_store())? {
        match found {
            Ok(replacement) => open.push(replacement),
            Err(error) => unreadable.push(error),
        }
    }
    let result = match args.list {
        true => list(&open, app),
        false => resume(&open, app).await,
    };
    // One that cannot be read must not hide the others, nor be passed over.
    match unreadable.pop() {
        None => result,
        Some(last) => {
            for error in unreadable {
                app.ui.error(&error);
            }
            if let Err(error) = result {
                app.ui.error(&error);
            }
            Err(last)
        }
    }
}

fn list(open: &[OpenReplacement], app: &App) -> Result<()> {
    if app.ui.json {
        return app.ui.document(&json!(open));
    }
    if open.is_empty() {
        app.ui.note("no replacement is open");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "STORE", "PROVIDER", "ADDRESS", "BEGUN"]);
    for replacement in open {
        table.row([
            replacement.name.to_string(),
            replacement.store.to_string(),
            replacement.provider.clone(),
            replacement.url.clone(),
            replacement.begun_at.to_string(),
        ]);
    }
    table.print(&app.ui)
}

async fn resume(open: &[OpenReplacement], app: &App) -> Result<()> {
    let stores: BTreeSet<&StoreName> = open.iter().map(|replacement| &replacement.store).collect();
    let mut all = Vec::new();
    for store in stores {
        let outcomes = match resume_in(store, app).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let of_store = open
                    .iter()
                    .filter(|replacement| replacement.store == *store);
                let names: Vec<Name> = of_store
                    .map(|replacement| replacement.name.clone())
                    .collect();
                failed(&names, &error.store(store.as_str()))
            }
        };
        for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
            if !app.ui.json {
                app.ui
                    .note(&format!("{} is replaced in {store}", outcome.name));
            }
        }
        all.push(Results {
            store: store.clone(),
            outcomes,
        });
    }
    if all.is_empty() {
        app.ui.note("no replacement is open");
        all.push(Results {
            store: app.selected_store()?,
            outcomes: Vec::new(),
        });
    }
    report(app, all)
}

async fn resume_in(store: &StoreName, app: &App) -> Result<Vec<Outcome>> {
    let store = app.open(store)?;
    match store.provider().replacements() {
        Some(replacements) => replacements.resume().await,
        None => Err(Error::conflict(format!(
            "the store {} is not where the replacement was begun: its provider is {} now",
            store.name(),
            store.spec().name()
        ))),
    }
}
