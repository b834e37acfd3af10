//! Whether each store can be used: reached, let in, and understood.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::finding::{Finding, Patient, Status};
use crate::config::StoreConfig;
use crate::http::Deadline;
use crate::providers::{Account, Services};
use crate::store::Store;
use crate::words::batch::Filter;
use crate::words::error::{Cause, Error, Kind};

const CHECK: &str = "store";

/// No secret begins so: what is asked is asked for the answer alone.
const NOTHING: &str = "keyfob-doctor-asks-for-nothing";

/// What is said of a built-in store that nobody uses.
const NEVER: &str = "it was never set up";

/// What a store may take beyond its deadline, where something does not keep to it.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let Ok(config) = &patient.config else {
        return vec![Finding::skipped(
            CHECK,
            "",
            "no store can be examined without a configuration",
        )];
    };
    let stores: Vec<&StoreConfig> = match patient.only {
        None => config.stores().collect(),
        Some(name) => match config.store(name) {
            Ok(store) => vec![store],
            Err(error) => return vec![Finding::error(CHECK, name, &error)],
        },
    };
    join_all(stores.into_iter().map(|store| within_limit(store, patient))).await
}

/// What is found of `store` in the time that it has.
async fn within_limit(store: &StoreConfig, patient: &Patient<'_>) -> Finding {
    let examined = examine_store(store, patient);
    let Some(limit) = patient.limit else {
        return examined.await;
    };
    match tokio::time::timeout(limit.saturating_add(GRACE), examined).await {
        Ok(finding) => finding,
        Err(_) => Finding::fault(
            CHECK,
            store.name(),
            format!("it took longer than {} s", limit.as_secs_f32()),
        )
        .hint("give --timeout more time, or see with -v where it goes"),
    }
}

async fn examine_store(config: &StoreConfig, patient: &Patient<'_>) -> Finding {
    let name = config.name();
    let services: Rc<Services> =
        Rc::new(patient.services.bounded_by(Deadline::after(patient.limit)));
    let store = match Store::open_configured(config, &services) {
        Ok(store) => store,
        Err(error) if error.kind() == Kind::Config && !patient.means(config) => {
            return Finding::skipped(CHECK, name, NEVER);
        }
        Err(error) => return Finding::error(CHECK, name, &error),
    };
    let account = store.account().await;
    if !patient.means(config) && !has_credential(&account) {
        return Finding::skipped(CHECK, name, NEVER);
    }
    let asked = Instant::now();
    let nothing = Filter {
        prefix: Some(NOTHING.to_owned()),
        ..Filter::default()
    };
    match store.list(&nothing).await {
        Err(error) if is_no_fault(&error, patient.means(config)) => {
            let mut finding = fault(config, &error);
            finding.status = Status::Warning;
            finding
        }
        Err(error) => fault(config, &error),
        Ok(_) => {
            let mut detail = described(&account.unwrap_or_default(), asked.elapsed());
            if services.sessions.shared_place().is_none()
                && let Some(forgone) = store.spec().without_cache
            {
                detail.push_str(&format!(
                    "; no token is kept (KEYFOB_TOKEN_CACHE), and {forgone}"
                ));
            }
            Finding::ok(CHECK, name, detail)
        }
    }
}

/// Whether there is something to use the store with. What is there and bad counts.
fn has_credential(account: &Result<Account, Error>) -> bool {
    account
        .as_ref()
        .is_ok_and(|account| account.credential.is_some())
}

/// Whether `error` only says that there is no vault where nobody has made one yet, or, unless
/// `meant`, where nobody may have wanted one.
fn is_no_fault(error: &Error, meant: bool) -> bool {
    match error.cause() {
        Cause::NotMade => true,
        Cause::Gone => !meant,
        _ => false,
    }
}

fn fault(config: &StoreConfig, error: &Error) -> Finding {
    let mut finding = Finding::error(CHECK, config.name(), error);
    finding.detail = format!("{}: {}", error.kind().as_str(), finding.detail);
    finding
}

fn described(account: &Account, took: Duration) -> String {
    let mut words = account.url.clone();
    if let Some(who) = &account.account {
        words.push_str(&format!(" as {who}"));
    }
    if let Some(credential) = &account.credential {
        words.push_str(&format!(", {credential}"));
    }
    format!("{words}, in {} ms", took.as_millis())
}
