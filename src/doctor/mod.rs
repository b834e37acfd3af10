//! What may be wrong with a set-up, and what to do about it.
//!
//! Each check looks at one thing and reports [`Finding`]s; nothing here changes, prints or fails.
//! Showing a report is the work of the `doctor` command.

mod configuration;
mod finding;
mod machine;
mod network;
mod permissions;
mod rotations;
mod stores;
mod vaults;

pub use finding::{Finding, Patient, Status};

/// Examines everything, the stores all at once, and reports in an order that does not change.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut report = configuration::examine(patient);
    report.extend(permissions::examine(patient));
    report.extend(rotations::examine(patient));
    report.extend(machine::examine(patient));
    report.extend(network::settings(&patient.services.env));
    report.extend(stores::examine(patient).await);
    report.extend(vaults::examine(patient));
    report.extend(network::clocks(&patient.services.http.clocks()));
    report
}
