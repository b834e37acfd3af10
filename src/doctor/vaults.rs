//! What keeps a vault from being written to as it should, though it can be read.

use super::finding::{Finding, Patient};
use crate::http::Deadline;
use crate::providers::local;
use crate::vault::concerns::Concern;

const CHECK: &str = "vault";

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let Ok(config) = &patient.config else {
        return Vec::new();
    };
    let services = patient.services.bounded_by(Deadline::after(patient.limit));
    let mut findings = Vec::new();
    for store in config.stores() {
        let asked_for = patient.only.is_none_or(|only| only == store.name());
        if !asked_for {
            continue;
        }
        let Ok(vault) = local::vault(store, &services) else {
            continue;
        };
        findings.extend(vault.concerns().into_iter().map(|concern| {
            let (is_fault, what, remedy) = match concern {
                Concern::Unmerged { what, remedy } => (true, what, remedy),
                Concern::Unaccepted { what, remedy } | Concern::OpenToAll { what, remedy } => {
                    (false, what, remedy)
                }
            };
            let finding = match is_fault {
                true => Finding::fault(CHECK, store.name(), what),
                false => Finding::warning(CHECK, store.name(), what),
            };
            finding.hint(remedy)
        }));
    }
    findings
}
