//! What this machine keeps: the OS keyring, tokens and keypairs.

use std::time::Duration;

use super::finding::{Finding, Patient};
use crate::config::StoreConfig;
use crate::identity::keypair::locate;
use crate::keyring::{Status, Unreachable};
use crate::providers::{self, Services};

/// A keyring that takes longer is felt with every command.
const SLOW: Duration = Duration::from_millis(500);

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let services = patient.services;
    let mut found = vec![keyring(&services.keyring.probe()), tokens(services)];
    for store in patient.config.iter().flat_map(|config| config.stores()) {
        let examined = patient.only.is_none_or(|only| only == store.name());
        if examined && store.schema().field("keypair").is_some() {
            found.push(keypair(store, patient));
        }
    }
    found
}

fn keyring(status: &Status) -> Finding {
    const CHECK: &str = "keyring";
    let name = status.name;
    let took = status.took.as_millis();
    let without = "until then keyfob does without it where it can";
    match &status.why {
        None if status.took > SLOW => Finding::warning(
            CHECK,
            name,
            format!("it is open, but took {took} ms to answer"),
        )
        .hint("what is kept in files and variables instead is found at once"),
        None => Finding::ok(
            CHECK,
            name,
            format!("it is open, and answered in {took} ms"),
        ),
        Some(Unreachable::Absent) => Finding::skipped(CHECK, name, "there is none in this session"),
        Some(Unreachable::Locked) => Finding::warning(CHECK, name, "it is locked").hint(format!(
            "unlock it with the system's own program; {without}"
        )),
        Some(Unreachable::Slow) => Finding::warning(
            CHECK,
            name,
            "it did not answer in time, and commands go on without it",
        )
        .hint("restart it; to do without it, set DBUS_SESSION_BUS_ADDRESS=disabled:"),
        Some(Unreachable::Faulty(what)) => {
            Finding::warning(CHECK, name, format!("it is faulty: {what}"))
                .hint(format!("see what the system says of it; {without}"))
        }
    }
}

fn tokens(services: &Services) -> Finding {
    let detail = match services.sessions.shared_place() {
        None => "each command that needs one logs in: they are kept nowhere".to_owned(),
        Some(place) => format!("they are kept in {place}"),
    };
    Finding::ok("tokens", "", detail)
}

/// The keypair that `store` would sign in with.
fn keypair(store: &StoreConfig, patient: &Patient<'_>) -> Finding {
    const CHECK: &str = "keypair";
    let services = patient.services;
    match providers::keypair(store, services) {
        Ok(located) => Finding::ok(
            CHECK,
            store.name(),
            format!("{} from {}", located.keypair.address(), located.source),
        ),
        Err(_) if !is_wanted(store, patient) => {
            Finding::skipped(CHECK, store.name(), "there is none")
        }
        Err(error) => Finding::error(CHECK, store.name(), &error),
    }
}

/// Whether the user means to use the store, or there is something in the usual places to use it
/// with.
fn is_wanted(store: &StoreConfig, patient: &Patient<'_>) -> bool {
    let found = locate::usual_file(&patient.services.env, locate::OF_ANY);
    patient.means(store) || !matches!(found, Ok(None))
}
