//! `keyfob logout`: forgets tokens and stored credentials.

use serde_json::json;

use crate::app::App;
use crate::cli::LogoutArgs;
use crate::error::Result;

pub async fn run(args: LogoutArgs, app: &App) -> Result<()> {
    let name = match args.store {
        Some(name) => name,
        None => app.selected_store()?,
    };
    let store = app.open(&name)?;
    let forgotten = store
        .provider()
        .logout()
        .await
        .map_err(|error| store.named(error))?;
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "store": store.name(), "forgotten": forgotten }));
    }
    if forgotten.is_empty() {
        app.ui
            .note(&format!("{}: there was nothing to forget", store.name()));
    }
    for what in forgotten {
        app.ui
            .note(&format!("{}: {what} is forgotten", store.name()));
    }
    Ok(())
}
