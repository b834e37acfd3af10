//! `keyfob history` and `keyfob restore`: the versions of a secret, on every store that keeps them.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::ui::Table;
use crate::words::batch::Action;
use crate::words::error::Result;
use crate::words::secret::Target;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["VERSION", "UPDATED", "STATE"];

/// List the versions of a secret, never their values
///
/// In a pipe a version a line, with tabs between version, updated and state: current, deleted, both,
/// or nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob history DB_PASSWORD
  keyfob history --json keyfob://local/DB_PASSWORD")]
pub struct HistoryArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
}

/// Bring an earlier version of a secret back, also of a deleted one
///
/// Its value becomes the current one again, as a new version. keyfob list --deleted shows which
/// deleted secrets can come back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob restore DB_PASSWORD
  keyfob restore DB_PASSWORD 3")]
pub struct RestoreArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// The version [default: the one before the current]
    #[arg(value_name = "VERSION")]
    pub version: Option<u32>,
}

/// Lists the versions of a secret.
///
/// # Errors
/// `unsupported` where there is no history; what the store answers.
pub async fn history(args: HistoryArgs, app: &App) -> Result<()> {
    let reference = app.reference(&args.name)?;
    let store = app.open(&reference.store)?;
    let versions = store.history(&reference.name).await?;
    if app.ui.json {
        let documents: Vec<_> = versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.number,
                    "updated_at": version.updated_at,
                    "current": version.current,
                    "deleted": version.deleted,
                })
            })
            .collect();
        return app.ui.document(&json!(documents));
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    for version in versions {
        let mark = match (version.current, version.deleted) {
            (true, true) => "current, deleted",
            (true, false) => "current",
            (false, true) => "deleted",
            (false, false) => "",
        };
        table.row([
            version.number.to_string(),
            app.ui.time(version.updated_at),
            mark.to_owned(),
        ]);
    }
    table.print(&app.ui)
}

/// Brings an earlier version of a secret back.
///
/// # Errors
/// As [`history`].
pub async fn restore(args: RestoreArgs, app: &App) -> Result<()> {
    let reference = app.reference(&args.name)?;
    let store = app.open(&reference.store)?;
    let restored = store.restore(&reference.name, args.version).await?;
    if app.ui.json {
        return app.ui.document(&json!({
            "store": reference.store,
            "name": reference.name,
            "action": restored.action.as_str(),
            "restored": restored.from,
            "version": restored.number,
        }));
    }
    app.ui.note(&match restored.action {
        Action::Unchanged => format!(
            "{} has the value of version {} already",
            reference.name, restored.from
        ),
        _ => format!(
            "{} has the value of version {} again, as version {}",
            reference.name, restored.from, restored.number
        ),
    });
    Ok(())
}
