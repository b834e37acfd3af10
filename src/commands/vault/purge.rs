//! `keyfob vault purge`: takes deleted secrets out for good.

use super::selected::selected;
use crate::app::App;
use crate::commands::outcomes::{Results, report};
use crate::ui::prompt;
use crate::words::batch::Action;
use crate::words::error::Result;
use crate::words::secret::Name;

/// Purges `names`, or all deleted secrets where none is named.
///
/// # Errors
/// `usage` where nobody can be asked and `yes` was not said; what the vault fails with.
pub fn run(names: Vec<Name>, yes: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    let store = app.selected_store()?;
    let names = match names.is_empty() {
        true => {
            let deleted = vault.deleted()?.into_iter();
            deleted.map(|entry| entry.name).collect()
        }
        false => names,
    };
    if names.is_empty() {
        app.ui.note("nothing deleted is left in the vault");
    } else {
        let listed: Vec<String> = names.iter().map(|name| name.shown().exact()).collect();
        let question = format!(
            "Take {} out of {store} for good, earlier versions too?",
            listed.join(", ")
        );
        prompt::agree(&app.ui, yes, &question, "purging")?;
    }
    let outcomes = match names.is_empty() {
        true => Vec::new(),
        false => vault.purge(&names)?,
    };
    for outcome in outcomes.iter().filter(|_| !app.ui.json) {
        let Ok(action) = &outcome.result else {
            continue;
        };
        let name = outcome.name.shown();
        app.ui.note(&match action {
            Action::Deleted => format!("{name} is out of {store} for good"),
            Action::Unchanged => format!("{name} has no earlier versions in {store}"),
            _ => format!("the earlier versions of {name} are out of {store} for good"),
        });
    }
    report(
        app,
        vec![Results {
            store,
            outcomes,
            dry_run: false,
        }],
    )
}
