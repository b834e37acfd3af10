//! `keyfob logout`: forgets tokens, stored credentials and what was kept of a store's answers.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::fallback::shelf::{Origin, Shelf};
use crate::keyring::Unreachable;
use crate::words::error::{Kind, Result};
use crate::words::secret::StoreName;

/// Forget a store's cached token and the credential kept for it
///
/// The snapshots that run --fallback has kept of its secrets on this machine are removed, too.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob logout nosana")]
pub struct LogoutArgs {
    /// The store [default: the selected one]
    // Not called `store`: clap would take it for the global option, and then refuse that here.
    #[arg(value_name = "STORE")]
    pub named: Option<StoreName>,
}

pub async fn run(args: LogoutArgs, app: &App) -> Result<()> {
    let name = match args.named {
        Some(name) => name,
        None => app.selected_store()?,
    };
    let config = app.config()?.store(&name)?;
    let store = match app.open(&name) {
        // Without an address nothing was ever obtained.
        Err(error) if error.kind() == Kind::Config && !config.is_set_up() => {
            return done(&name, Vec::new(), app);
        }
        store => store?,
    };
    // Before anything that may fail for want of a keyring or a keypair.
    let origin = Origin::new(store.name(), store.scope().await.ok());
    let snapshots = Shelf::new(app.folders()?).forget(&[origin]);
    let snapshots_forgotten = snapshots
        .removed
        .iter()
        .map(|path| format!("the fallback snapshot {}", path.display()));
    let mut forgotten: Vec<String> = snapshots_forgotten.collect();
    let failure = match store.logout().await {
        Ok(more) => {
            forgotten.extend(more);
            snapshots.failures.into_iter().next()
        }
        Err(error) => Some(error),
    };
    if let Some(error) = failure {
        tell(&forgotten, &name, app);
        return Err(error);
    }
    let is_hosted = store.spec().name() != "local";
    let keyring = &app.services()?.keyring;
    if is_hosted && keyring.probe().why == Some(Unreachable::Absent) {
        app.ui.note(&format!(
            "{name}: there is no OS keyring in this session; what another session has kept in one stays"
        ));
    }
    done(&name, forgotten, app)
}

fn done(store: &StoreName, forgotten: Vec<String>, app: &App) -> Result<()> {
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "store": store, "forgotten": forgotten }));
    }
    if forgotten.is_empty() {
        app.ui
            .note(&format!("{store}: there was nothing to forget"));
    }
    tell(&forgotten, store, app);
    Ok(())
}

fn tell(forgotten: &[String], store: &StoreName, app: &App) {
    for what in forgotten {
        app.ui.note(&format!("{store}: {what} is forgotten"));
    }
}
