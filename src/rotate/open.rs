//! Going on with what was begun and is not finished, or back.

use std::collections::BTreeMap;

use super::engine::{self, Engine, Outcome, Report};
use super::tools::Tools;
use crate::journal::{Open, State};
use crate::store::Store;
use crate::words::error::Result;
use crate::words::secret::{Reference, StoreName};

/// Finishes `open`, and has `tell` told of each as soon as it ends.
///
/// # Errors
/// As [`Journal::all`](crate::journal::Journal::all).
pub async fn resume(
    open: &[Open],
    tools: &Tools<'_>,
    tell: impl Fn(&Report),
) -> Result<Vec<Report>> {
    let mut reports = each(open, tools, &tell, async |engine, open| {
        engine.resume(open).await
    })
    .await;
    let mut replacements: BTreeMap<StoreName, Vec<Open>> = BTreeMap::new();
    // A rotation has finished its own.
    for still in still_open(open, tools)? {
        let store = still.change.secret.store.clone();
        replacements.entry(store).or_default().push(still);
    }
    for (store, open) in replacements {
        let secrets: Vec<Reference> = open.iter().map(|open| open.change.secret.clone()).collect();
        let finished = async {
            let store = Store::open(&store, tools.config, tools.services)?;
            store.resume(open).await
        };
        let results: Vec<Result<()>> = match finished.await {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|outcome| outcome.result.map(drop))
                .collect(),
            Err(error) => vec![Err(error.store(store.as_str())); secrets.len()],
        };
        for (secret, result) in secrets.into_iter().zip(results) {
            let report = replaced(secret, result);
            tell(&report);
            reports.push(report);
        }
    }
    Ok(reports)
}

/// Reverts the rotations among `open`, as [`Engine::undo`], and has `tell` told of each as soon as
/// it ends.
pub async fn undo(
    open: &[Open],
    accept: bool,
    tools: &Tools<'_>,
    tell: impl Fn(&Report),
) -> Vec<Report> {
    let undo = async |engine: Engine<'_>, open: &Open| engine.undo(open, accept).await;
    each(open, tools, &tell, undo).await
}

/// The replacements among `open` that nobody has finished yet.
///
/// # Errors
/// As [`Journal::all`](crate::journal::Journal::all).
pub fn still_open(open: &[Open], tools: &Tools<'_>) -> Result<Vec<Open>> {
    let is_known = |still: &Open| {
        let mut known = open.iter().filter(|open| open.change.announced.is_some());
        known.any(|open| open.change.secret == still.change.secret)
    };
    let still = tools.journal.replacements(None)?.into_iter().flatten();
    Ok(still.filter(is_known).collect())
}

/// Does `act` to the rotations among `open`, one after the other, each with its stores open.
async fn each(
    open: &[Open],
    tools: &Tools<'_>,
    tell: &impl Fn(&Report),
    act: impl AsyncFn(Engine<'_>, &Open) -> Result<Option<Report>>,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for open in open.iter().filter(|open| open.change.announced.is_none()) {
        let acted = async {
            let steps = open.change.steps.iter();
            let names = steps.map(|step| &step.reference.store);
            let stores = &tools.stores(names)?;
            act(Engine { tools, stores }, open).await
        };
        let report = acted
            .await
            .unwrap_or_else(|error| Some(engine::report(open, Outcome::Open, Some(error))));
        // Another process may have closed it.
        if let Some(report) = report {
            tell(&report);
            reports.push(report);
        }
    }
    reports
}

fn replaced(secret: Reference, result: Result<()>) -> Report {
    let (outcome, state) = match &result {
        Ok(()) => (Outcome::Replaced, State::Written),
        Err(_) => (Outcome::Open, State::Unclear),
    };
    Report {
        targets: vec![(secret.clone(), state)],
        secret,
        outcome,
        error: result.err(),
    }
}
