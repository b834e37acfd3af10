//! What was begun and is not finished: rotations, and replacements on backends that cannot replace
//! in place.

use jiff::Timestamp;

use super::finding::{Finding, Patient};
use crate::providers::open_replacements;
use crate::rotate::ledger::Ledger;
use crate::words::duration::age;
use crate::words::error::Result;

const CHECK: &str = "rotations";

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = open(patient).unwrap_or_else(|error| vec![Finding::error(CHECK, "", &error)]);
    if found.is_empty() {
        found.push(Finding::ok(CHECK, "", "none is open"));
    }
    found
}

fn open(patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let now = Timestamp::now();
    let ledger = Ledger::new(patient.services);
    let mut found = Vec::new();
    for open in ledger.all()? {
        let open = match open {
            Ok(open) => open,
            Err(error) => {
                found.push(Finding::error(CHECK, "", &error));
                continue;
            }
        };
        let rotation = &open.rotation;
        if patient
            .only
            .is_some_and(|only| *only != rotation.secret.store)
        {
            continue;
        }
        let begun = age(rotation.begun_at, now);
        found.push(match ledger.is_running(&open) {
            true => Finding::ok(CHECK, &rotation.secret, "it is running"),
            false => Finding::warning(
                CHECK,
                &rotation.secret,
                format!("it was begun {begun} ago and interrupted"),
            )
            .hint("keyfob rotate --resume finishes what is open, keyfob rotate --undo reverts it"),
        });
    }
    for open in open_replacements(patient.services, patient.only)? {
        found.push(match open {
            Ok(open) => Finding::fault(
                CHECK,
                open.name,
                format!(
                    "its replacement in {} was begun {} ago and interrupted: the secret may be missing",
                    open.store,
                    age(open.begun_at, now)
                ),
            )
            .hint("keyfob rotate --resume finishes what is open"),
            Err(error) => Finding::error(CHECK, "", &error),
        });
    }
    Ok(found)
}
