//! What was begun and is not finished: rotations, and replacements on backends that cannot replace
//! in place.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{hooks, open_stores, report};
use crate::app::App;
use crate::providers::{OpenReplacement, open_replacements};
use crate::rotate::engine::{self, Engine, Report};
use crate::rotate::ledger::{Ledger, Open};
use crate::rotate::record::{Direction, State};
use crate::ui::{self, Table};
use crate::words::batch::Outcome;
use crate::words::duration::age;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, StoreName, Target};

/// What is open, and why what else is open cannot be read.
struct Found {
    rotations: Vec<Open>,
    replacements: Vec<OpenReplacement>,
    unreadable: Vec<Error>,
}

impl Found {
    /// All of `store`, or of all stores.
    fn all(ledger: &Ledger, store: Option<&StoreName>, app: &App) -> Result<Self> {
        let mut found = Self {
            rotations: Vec::new(),
            replacements: Vec::new(),
            unreadable: Vec::new(),
        };
        for rotation in ledger.all()? {
            match rotation {
                Ok(open) if store.is_none_or(|store| open.rotation.secret.store == *store) => {
                    found.rotations.push(open);
                }
                Ok(_) => {}
                Err(error) => found.unreadable.push(error),
            }
        }
        for replacement in open_replacements(app.services()?, store)? {
            match replacement {
                Ok(replacement) => found.replacements.push(replacement),
                Err(error) => found.unreadable.push(error),
            }
        }
        Ok(found)
    }

    /// Leaves those of `names` alone; without names that is all.
    ///
    /// # Errors
    /// `not_found` for a name of which nothing is open.
    fn retain(&mut self, names: &[Target], app: &App) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let names = names.iter().map(|name| app.reference(name));
        let names = names.collect::<Result<Vec<Reference>>>()?;
        for name in &names {
            let is_open = self
                .rotations
                .iter()
                .any(|open| open.rotation.secret == *name)
                || self.replacements.iter().any(|open| secret(open) == *name);
            if !is_open {
                return Err(Error::not_found(format!("no rotation of {name} is open"))
                    .hint("keyfob rotate --list shows what is open"));
            }
        }
        self.rotations
            .retain(|open| names.contains(&open.rotation.secret));
        self.replacements
            .retain(|open| names.contains(&secret(open)));
        Ok(())
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
}

/// Whether anything is open.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn is_any(app: &App) -> Result<bool> {
    let found = Found::all(&Ledger::new(app.services()?), None, app)?;
    Ok(!(found.rotations.is_empty()
        && found.replacements.is_empty()
        && found.unreadable.is_empty()))
}

/// Shows what is open.
pub fn list(app: &App) -> Result<()> {
    let ledger = Ledger::new(app.services()?);
    let found = Found::all(&ledger, app.named_store(), app)?;
    let shown = show(&found, &ledger, app);
    found.or_unreadable(shown, app)
}

fn show(found: &Found, ledger: &Ledger, app: &App) -> Result<()> {
    if app.ui.json {
        let rotations = found.rotations.iter();
        let rotations = rotations.map(|open| rotation_as_json(open, ledger.is_running(open)));
        let replacements = found.replacements.iter().map(|open| {
            let mut document = json!(open);
            document["kind"] = json!("replacement");
            document
        });
        let all: Vec<Value> = rotations.chain(replacements).collect();
        return app.ui.document(&json!(all));
    }
    if found.rotations.is_empty() && found.replacements.is_empty() {
        app.ui.note("no rotation is open");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["ROTATION", "STATE", "TARGET", "HOLDS", "BEGUN", "AGE"]);
    for open in &found.rotations {
        let rotation = &open.rotation;
        let state = match (ledger.is_running(open), rotation.direction) {
            (true, _) => "running",
            (false, Direction::Forward) => "interrupted",
            (false, Direction::Back) => "not all undone",
        };
        for target in &rotation.targets {
            table.row([
                rotation.secret.to_string(),
                state.to_owned(),
                target.reference.to_string(),
                match target.state {
                    State::Untouched => "the old value",
                    State::Unclear => "the old or the new value",
                    State::Written => "the new value",
                }
                .to_owned(),
                ui::time(rotation.begun_at),
                age(rotation.begun_at, now),
            ]);
        }
    }
    for open in &found.replacements {
        table.row([
            secret(open).to_string(),
            "being replaced".to_owned(),
            open.url.clone(),
            "perhaps nothing".to_owned(),
            ui::time(open.begun_at),
            age(open.begun_at, now),
        ]);
    }
    table.print(&app.ui)
}

/// Finishes what is open.
pub async fn resume(names: &[Target], app: &App) -> Result<()> {
    let ledger = Ledger::new(app.services()?);
    let mut found = Found::all(&ledger, store_of(names, app), app)?;
    found.retain(names, app)?;
    let mut reports = Vec::new();
    let count = found.rotations.len() + found.replacements.len();
    for open in &found.rotations {
        match with_engine(open, &ledger, app, async |engine| engine.resume(open).await).await {
            Ok(Some(report)) => reports.push(report),
            Ok(None) => {}
            Err(error) => reports.push(engine::report(open, engine::Outcome::Open, Some(error))),
        }
        if let Some(report) = reports.last() {
            report::tell(report, count, app);
        }
    }
    // A rotation has finished its own.
    let still_open = open_replacements(app.services()?, None)?;
    let still_open: Vec<OpenReplacement> = still_open.into_iter().flatten().collect();
    let stores: BTreeSet<&StoreName> = found
        .replacements
        .iter()
        .filter(|open| still_open.contains(open))
        .map(|open| &open.store)
        .collect();
    for store in stores {
        for outcome in finish_in(store, &still_open, app).await {
            let report = replaced(store, outcome);
            report::tell(&report, count, app);
            reports.push(report);
        }
    }
    finish(found, reports, app)
}

/// Reverts what is open.
pub async fn undo(names: &[Target], accept: bool, app: &App) -> Result<()> {
    let ledger = Ledger::new(app.services()?);
    let mut found = Found::all(&ledger, store_of(names, app), app)?;
    found.retain(names, app)?;
    let mut reports = Vec::new();
    for open in &found.rotations {
        let undone = with_engine(open, &ledger, app, async |engine| {
            engine.undo(open, accept).await
        });
        match undone.await {
            Ok(Some(report)) => reports.push(report),
            Ok(None) => {}
            Err(error) => reports.push(engine::report(open, engine::Outcome::Open, Some(error))),
        }
        if let Some(report) = reports.last() {
            report::tell(report, found.rotations.len(), app);
        }
    }
    for open in open_replacements(app.services()?, store_of(names, app))?
        .into_iter()
        .flatten()
        .filter(|open| found.replacements.contains(open))
    {
        app.ui.warn(&format!(
            "the replacement of {} cannot be undone, as its old value is not known: keyfob rotate --resume finishes it",
            secret(&open)
        ));
    }
    finish(found, reports, app)
}

/// Where to look for `names`: in all stores where some are named, as a reference names its own.
fn store_of<'a>(names: &[Target], app: &'a App) -> Option<&'a StoreName> {
    match names.is_empty() {
        true => app.named_store(),
        false => None,
    }
}

fn finish(found: Found, reports: Vec<Report>, app: &App) -> Result<()> {
    if reports.is_empty() && found.unreadable.is_empty() {
        app.ui.note("no rotation is open");
    }
    let result = report::finish(reports, app);
    found.or_unreadable(result, app)
}

async fn with_engine<T>(
    open: &Open,
    ledger: &Ledger,
    app: &App,
    act: impl AsyncFnOnce(&Engine<'_>) -> Result<T>,
) -> Result<T> {
    let targets = open.rotation.targets.iter();
    let stores = open_stores(targets.map(|target| &target.reference.store), app)?;
    let hooks = hooks(app)?;
    let engine = Engine {
        stores: &stores,
        ledger,
        services: app.services()?,
        hooks: &hooks,
    };
    act(&engine).await
}

/// Finishes the replacements in `store`.
async fn finish_in(store: &StoreName, open: &[OpenReplacement], app: &App) -> Vec<Outcome> {
    let finished = async {
        let store = app.open(store)?;
        match store.replacements() {
            Some(replacements) => replacements.resume().await,
            None => Err(Error::conflict(format!(
                "the store {} is not where the replacement was begun: its provider is {} now",
                store.name(),
                store.spec().name()
            ))),
        }
    };
    finished.await.unwrap_or_else(|error: Error| {
        let of_store = open.iter().filter(|open| open.store == *store);
        let failed = of_store
            .map(|open| Outcome::new(open.name.clone(), Err(error.clone().store(store.as_str()))));
        failed.collect()
    })
}

fn replaced(store: &StoreName, outcome: Outcome) -> Report {
    let secret = Reference {
        store: store.clone(),
        name: outcome.name,
    };
    let (ended, state, error) = match outcome.result {
        Ok(_) => (engine::Outcome::Replaced, State::Written, None),
        Err(error) => (engine::Outcome::Open, State::Unclear, Some(error)),
    };
    Report {
        targets: vec![(secret.clone(), state)],
        secret,
        outcome: ended,
        error,
    }
}

fn rotation_as_json(open: &Open, running: bool) -> Value {
    let rotation = &open.rotation;
    let targets = rotation.targets.iter();
    let targets = targets.map(|target| report::target_as_json((&target.reference, target.state)));
    json!({
        "kind": "rotation",
        "store": rotation.secret.store,
        "name": rotation.secret.name,
        "secret": rotation.secret,
        "begun_at": rotation.begun_at,
        "running": running,
        "direction": rotation.direction,
        "targets": targets.collect::<Vec<_>>(),
    })
}

fn secret(open: &OpenReplacement) -> Reference {
    Reference {
        store: open.store.clone(),
        name: open.name.clone(),
    }
}
