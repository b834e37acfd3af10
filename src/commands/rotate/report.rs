//! How rotations ended, told to people and to programs.

use serde_json::{Value, json};

use crate::app::App;
use crate::journal::State;
use crate::rotate::engine::{Outcome, Report};
use crate::words::error::{Error, Result};
use crate::words::secret::Reference;

/// Tells how one of `count` rotations ended, as soon as it did.
pub fn tell(report: &Report, count: usize, app: &App) {
    if !app.ui.json {
        match report.outcome {
            Outcome::Rotated => app.ui.note(&format!(
                "{} is rotated{}",
                report.secret,
                more(report.targets.len())
            )),
            Outcome::Replaced => app.ui.note(&format!("{} is replaced", report.secret)),
            Outcome::RolledBack if report.error.is_none() => app.ui.note(&format!(
                "the rotation of {} is undone{}",
                report.secret,
                more(report.targets.len())
            )),
            Outcome::Abandoned => app.ui.note(&format!(
                "the rotation of {} is closed; not everything could be undone",
                report.secret
            )),
            _ => {}
        }
        for (target, state) in &report.targets {
            let target = target.shown();
            app.ui.trace(1, &format!("{target} {}", holds(*state)));
        }
    }
    // The only one's failure is the command's own.
    if let Some(error) = report.error.as_ref().filter(|_| count > 1 && !app.ui.json) {
        app.ui.error(error);
    }
}

/// Prints the reports for programs, and turns them into the command's success or failure.
pub fn finish(reports: Vec<Report>, app: &App) -> Result<()> {
    if app.ui.json {
        let documents: Vec<Value> = reports.iter().map(as_json).collect();
        app.ui.document(&json!(documents))?;
    }
    failure(&reports).map_or(Ok(()), Err)
}

/// What a target holds, in words.
pub fn holds(state: State) -> &'static str {
    match state {
        State::Untouched => "holds the old value",
        State::Unclear => "holds the old value or the new one",
        State::Written => "holds the new value",
        State::Changed => "holds another value, which somebody else wrote",
    }
}

/// The same for programs.
pub fn target_as_json((target, state): (&Reference, State)) -> Value {
    json!({
        "secret": target,
        "holds": match state {
            State::Untouched => "old",
            State::Unclear => "unclear",
            State::Written => "new",
            State::Changed => "other",
        },
    })
}

fn as_json(report: &Report) -> Value {
    // What was refused may well not be there.
    let shown = |target: &Reference| match report.outcome {
        Outcome::Refused => json!(target.shown().exact()),
        _ => json!(target),
    };
    let targets = report.targets.iter();
    let targets = targets.map(|(target, state)| {
        let mut document = target_as_json((target, *state));
        document["secret"] = shown(target);
        document
    });
    let mut document = json!({
        "secret": shown(&report.secret),
        "outcome": report.outcome,
        "targets": targets.collect::<Vec<_>>(),
    });
    if let Some(error) = &report.error {
        document["error"] = Error::to_json(error)["error"].clone();
    }
    document
}

fn more(targets: usize) -> String {
    match targets {
        0 | 1 => String::new(),
        targets => format!(", {targets} secrets in all"),
    }
}

/// The reports' failures, as one.
fn failure(reports: &[Report]) -> Option<Error> {
    let failed: Vec<&Error> = reports
        .iter()
        .filter_map(|report| report.error.as_ref())
        .collect();
    match failed.as_slice() {
        [] => None,
        [error] if reports.len() == 1 => Some((*error).clone()),
        failed => {
            let message = format!("{} of {} rotations failed", failed.len(), reports.len());
            Some(match failed.len() == reports.len() {
                true => Error::new(failed[0].kind(), message),
                false => Error::partial(message),
            })
        }
    }
}
