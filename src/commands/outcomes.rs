//! The results of a batch, item by item: printed, and turned into the command's own success or
//! failure.

use std::collections::BTreeMap;

use serde_json::json;

use crate::app::App;
use crate::store::Store;
use crate::words::batch::{Action, Outcome};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::StoreName;
use crate::words::shown::Shown;

pub use crate::transfer::failed;

/// What was done in one store.
pub struct Results {
    /// The store.
    pub store: StoreName,
    /// What was done, in the order asked for.
    pub outcomes: Vec<Outcome>,
    /// Whether it was only looked at, and all of this would be.
    pub dry_run: bool,
}

/// How many lines of a kind are told where nobody asked for all, and none of them is a failure.
pub const TOLD: usize = 100;

impl Results {
    /// What was done in `store`.
    pub fn of(store: &Store, outcomes: Vec<Outcome>) -> Self {
        Self {
            store: store.name().clone(),
            outcomes,
            dry_run: false,
        }
    }

    /// What would be done in `store`.
    pub fn foreseen(store: &Store, outcomes: Vec<Outcome>) -> Self {
        Self {
            dry_run: true,
            ..Self::of(store, outcomes)
        }
    }
}

/// Says of each of the things called `what` what became of it, or would, and reports as [`report`]
/// does.
pub fn written(app: &App, what: &str, results: Results) -> Result<()> {
    let store = &results.store;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in results.outcomes.iter().filter(|_| !app.ui.json) {
        if let Ok(action) = outcome.result {
            let done = match action {
                Action::Unchanged if results.dry_run => "is the same already".to_owned(),
                Action::Unchanged => "was the same already".to_owned(),
                other if results.dry_run => format!("would be {}", other.as_str()),
                other => other.as_str().to_owned(),
            };
            let line = format!("{what}{} {done} in {store}", outcome.name);
            let count = told.entry(done).or_default();
            *count += 1;
            match *count > TOLD {
                true => app.ui.trace(1, &line),
                false => app.ui.note(&line),
            }
        }
    }
    if app.ui.verbose == 0 {
        for (done, count) in told.iter().filter(|(_, count)| **count > TOLD) {
            let more = count - TOLD;
            app.ui.note(&format!(
                "and {more} more: {done} in {store} (-v names all)"
            ));
        }
    }
    report(app, vec![results])
}

/// Reports the results of all stores: with `--json` one document, a list where there are several
/// stores; else a line for each failure. Fails with `partial` when some items failed and some did
/// not, and with the first failure when all did.
pub fn report(app: &App, all: Vec<Results>) -> Result<()> {
    let total: usize = all.iter().map(|results| results.outcomes.len()).sum();
    let failures: Vec<(&StoreName, &Outcome, &Error)> = all
        .iter()
        .flat_map(|results| {
            results.outcomes.iter().filter_map(|outcome| {
                let error = outcome.result.as_ref().err()?;
                Some((&results.store, outcome, error))
            })
        })
        .collect();
    let fail = match all.iter().any(|results| results.dry_run) {
        true => "would fail",
        false => "failed",
    };
    let result = match failures.first() {
        None => Ok(()),
        Some((store, _, error)) if failures.len() == total => {
            let more = total - 1;
            let error = (*error).clone().store(store.as_str());
            Err(if more > 0 {
                error.context(format!("all {total} {fail}, the first"))
            } else {
                error
            })
        }
        Some((store, _, _)) => Err(
            Error::partial(format!("{} of {total} {fail}", failures.len())).store(store.as_str()),
        ),
    };
    if app.ui.json {
        let documents: Vec<_> = all.iter().map(|results| as_json(results, total)).collect();
        match documents.as_slice() {
            [document] => app.ui.document(document)?,
            documents => app.ui.document(&json!(documents))?,
        }
    } else if total > 1 {
        // All of them, however many: what failed is what somebody has to look at.
        for (_, outcome, error) in &failures {
            // A message that names it already needs no name before it.
            let name = failed_name(outcome, error, total).to_string();
            app.ui.warn(&match names(error.message(), &name) {
                true => error.message().to_owned(),
                false => format!("{name}: {error}"),
            });
        }
    }
    result
}

/// Whether `message` names `name`: as a word of its own, and not as a letter in another one.
fn names(message: &str, name: &str) -> bool {
    message.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&message[..at], &message[at + name.len()..]);
        let ends = |c: char| c.is_whitespace() || ",:;".contains(c);
        (before.is_empty() || before.ends_with(char::is_whitespace))
            && (behind.is_empty() || behind.starts_with(ends))
    })
}

/// The name of what failed, one of `total`. One that is not there, or alone, may be a value that stands
/// in the place of a name; of many that came from a file or a store, each must be told.
fn failed_name<'o>(outcome: &'o Outcome, error: &Error, total: usize) -> Shown<'o> {
    match total == 1 || error.kind() == Kind::NotFound {
        true => outcome.name.shown(),
        false => Shown::Named(outcome.name.as_str().into()),
    }
}

fn as_json(results: &Results, total: usize) -> serde_json::Value {
    let items: Vec<serde_json::Value> = results
        .outcomes
        .iter()
        .map(|outcome| match &outcome.result {
            Ok(action) => json!({ "name": outcome.name, "action": action.as_str() }),
            Err(error) => json!({
                "name": failed_name(outcome, error, total).exact(),
                "action": "failed",
                "error": error.to_json()["error"],
            }),
        })
        .collect();
    let mut document = json!({ "store": results.store, "results": items });
    if results.dry_run {
        document["dry_run"] = json!(true);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_what_stands_in_it_as_a_word() {
        for (message, name, is_named) in [
            ("A is too large", "A", true),
            ("the value of A: not text", "A", true),
            ("it could not be seen whether A is deleted", "A", true),
            ("not stored: A", "A", true),
            ("ACCESS is denied, and AA, too", "A", false),
            ("the server failed", "e", false),
            ("\"a b\" exists already", "\"a b\"", true),
        ] {
            assert_eq!(names(message, name), is_named, "{message}");
        }
    }
}
