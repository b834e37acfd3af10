//! What was begun and is not finished: rotations, and replacements on backends that cannot replace
//! in place.

use jiff::Timestamp;

use super::finding::{Finding, Patient};
use crate::rotate::due;
use crate::rotate::history::History;
use crate::words::duration::age;
use crate::words::error::Result;

const CHECK: &str = "rotations";

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = open(patient).unwrap_or_else(|error| vec![Finding::error(CHECK, "", &error)]);
    found.extend(noted_ahead(patient));
    if found.is_empty() {
        found.push(Finding::ok(CHECK, "", "none is open"));
    }
    found
}

/// What is noted of rotations that are still to come.
fn noted_ahead(patient: &Patient<'_>) -> Option<Finding> {
    let latest = match History::new(&patient.services.folders).latest() {
        Ok(latest) => latest?,
        Err(error) => return Some(Finding::error(CHECK, "", &error)),
    };
    if !due::is_to_come(latest, Timestamp::now()) {
        return None;
    }
    let detail = format!(
        "a rotation is noted for {latest:.0}, which is still to come: this machine's clock is wrong, or was"
    );
    Some(Finding::warning(CHECK, "", detail).hint(
        "such a secret counts as due: with the clock set right, keyfob rotate --due rotates it",
    ))
}

fn open(patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let now = Timestamp::now();
    let journal = patient.services.journal();
    let all = journal.all(patient.only)?.into_iter();
    let found = all.map(|open| {
        let open = match open {
            Ok(open) => open,
            Err(error) => return Finding::error(CHECK, "", &error),
        };
        let secret = &open.change.secret;
        let begun = age(open.change.begun_at, now);
        if open.change.announced.is_some() {
            let detail = format!(
                "its replacement was begun {begun} ago and interrupted: the secret may be missing"
            );
            return Finding::fault(CHECK, secret, detail)
                .hint("keyfob rotate --resume finishes what is open");
        }
        if journal.is_running(&open) {
            return Finding::ok(CHECK, secret, "it is running");
        }
        let detail = format!("it was begun {begun} ago and interrupted");
        Finding::warning(CHECK, secret, detail)
            .hint("keyfob rotate --resume finishes what is open, keyfob rotate --undo reverts it")
    });
    Ok(found.collect())
}
