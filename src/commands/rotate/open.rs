//! What was begun and is not finished, as the journal tells: shown, finished or reverted.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::report;
use crate::app::App;
use crate::journal::{Direction, Journal, Open, State};
use crate::rotate::engine::Report;
use crate::rotate::open;
use crate::rotate::tools::Tools;
use crate::ui::{self, Table};
use crate::words::duration::age;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, StoreName, Target};

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["ROTATION", "STATE", "TARGET", "HOLDS", "BEGUN", "AGE"];

/// What is open, and why what else is open cannot be read.
#[derive(Default)]
struct Found {
    open: Vec<Open>,
    unreadable: Vec<Error>,
}

impl Found {
    /// All of `store`, or of all stores.
    fn all(journal: &Journal, store: Option<&StoreName>) -> Result<Self> {
        let mut found = Self::default();
        for open in journal.all(store)? {
            match open {
                Ok(open) => found.open.push(open),
                Err(error) => found.unreadable.push(error),
            }
        }
        Ok(found)
    }

    /// Those of `names`; without names, those of the store that is named, or all.
    ///
    /// # Errors
    /// `not_found` for a name of which nothing is open.
    fn of(names: &[Target], journal: &Journal, app: &App) -> Result<Self> {
        if names.is_empty() {
            return Self::all(journal, app.named_store());
        }
        // A reference names its own store.
        let mut found = Self::all(journal, None)?;
        let names = names.iter().map(|name| app.reference(name));
        let names = names.collect::<Result<Vec<Reference>>>()?;
        for name in &names {
            if !found.open.iter().any(|open| open.change.secret == *name) {
                let name = name.shown();
                return Err(Error::not_found(format!("no rotation of {name} is open"))
                    .hint("keyfob rotate --list shows what is open"));
            }
        }
        found
            .open
            .retain(|open| names.contains(&open.change.secret));
        Ok(found)
    }

    /// `result`, unless something could not be read: that must not hide the others, nor be passed
    /// over.
    fn or_unreadable(mut self, result: Result<()>, app: &App) -> Result<()> {
        let Some(last) = self.unreadable.pop() else {
            return result;
        };
        for error in self.unreadable.iter().chain(result.as_ref().err()) {
            app.ui.error(error);
        }
        Err(last)
    }

    fn finish(self, reports: Vec<Report>, app: &App) -> Result<()> {
        if reports.is_empty() && self.unreadable.is_empty() {
            app.ui.note("no rotation is open");
        }
        let result = report::finish(reports, app);
        self.or_unreadable(result, app)
    }
}

/// Whether anything is open.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn is_any(app: &App) -> Result<bool> {
    Ok(!app.services()?.journal().all(None)?.is_empty())
}

/// Shows what is open.
pub fn list(app: &App) -> Result<()> {
    let journal = app.services()?.journal();
    let found = Found::all(&journal, app.named_store())?;
    let shown = show(&found.open, &journal, app);
    found.or_unreadable(shown, app)
}

fn show(all: &[Open], journal: &Journal, app: &App) -> Result<()> {
    if app.ui.json {
        let all: Vec<Value> = all.iter().map(|open| as_json(open, journal)).collect();
        return app.ui.document(&json!(all));
    }
    if all.is_empty() {
        app.ui.note("no rotation is open");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(COLUMNS, &app.ui);
    for open in all {
        let change = &open.change;
        let state = match (&change.announced, change.direction) {
            (Some(_), _) => "being replaced",
            (None, _) if journal.is_running(open) => "running",
            (None, Direction::Forward) => "interrupted",
            (None, Direction::Back) => "not all undone",
        };
        for step in &change.steps {
            let (target, holds) = match (&change.announced, step.state) {
                (Some(announced), _) => (announced.url.clone(), "perhaps nothing"),
                (None, State::Untouched) => (step.reference.to_string(), "the old value"),
                (None, State::Unclear) => (step.reference.to_string(), "the old or the new value"),
                (None, State::Written) => (step.reference.to_string(), "the new value"),
                (None, State::Changed) => (step.reference.to_string(), "somebody else's value"),
            };
            table.row([
                change.secret.to_string(),
                state.to_owned(),
                target,
                holds.to_owned(),
                ui::time(change.begun_at),
                age(change.begun_at, now),
            ]);
        }
    }
    table.print(&app.ui)
}

fn as_json(open: &Open, journal: &Journal) -> Value {
    let change = &open.change;
    let mut document = json!({
        "store": change.secret.store,
        "name": change.secret.name,
        "begun_at": change.begun_at,
    });
    if let Some(announced) = &change.announced {
        document["kind"] = json!("replacement");
        document["provider"] = json!(announced.provider);
        document["url"] = json!(announced.url);
    } else {
        let targets = change.steps.iter();
        let targets = targets.map(|step| report::target_as_json((&step.reference, step.state)));
        document["kind"] = json!("rotation");
        document["secret"] = json!(change.secret);
        document["running"] = json!(journal.is_running(open));
        document["direction"] = json!(change.direction);
        document["targets"] = targets.collect();
    }
    document
}

/// Finishes what is open.
pub async fn resume(names: &[Target], tools: &Tools<'_>, app: &App) -> Result<()> {
    let found = Found::of(names, &tools.journal, app)?;
    let tell = |report: &Report| report::tell(report, found.open.len(), app);
    let reports = open::resume(&found.open, tools, tell).await?;
    found.finish(reports, app)
}

/// Reverts what is open.
pub async fn undo(names: &[Target], accept: bool, tools: &Tools<'_>, app: &App) -> Result<()> {
    let found = Found::of(names, &tools.journal, app)?;
    let rotations = found.open.iter();
    let rotations = rotations.filter(|open| open.change.announced.is_none());
    let count = rotations.count();
    let tell = |report: &Report| report::tell(report, count, app);
    let reports = open::undo(&found.open, accept, tools, tell).await;
    for open in open::still_open(&found.open, tools)? {
        app.ui.warn(&format!(
            "the replacement of {} cannot be undone, as its old value is not known: keyfob rotate --resume finishes it",
            open.change.secret
        ));
    }
    found.finish(reports, app)
}
