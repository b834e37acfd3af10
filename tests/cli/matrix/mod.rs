//! The fault matrix: every store, every operation, every fault, over real sockets. Whatever a
//! network, a gateway or a server does, a command says what is so, in time, and no secret.
//!
//! A default run takes a part of the product that is the same each time; `KEYFOB_MATRIX=1` takes the
//! whole of it, `KEYFOB_MATRIX=7` every seventh case. `KEYFOB_MATRIX_ONLY=TEXT` tries the cases
//! whose report holds the text.

pub mod crew;
pub mod faults;
pub mod judge;
pub mod operations;
mod roads;
pub mod stage;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use self::faults::Trouble;
use self::judge::{Before, Honest, Verdict};
use self::operations::{OPERATIONS, Operation};
use self::stage::{STORES, Stage};
use crate::support::servers::Request;

/// The deadline of every command.
const TIMEOUT: &str = "1500ms";

/// So long a command may take on a machine that has much else to do. Without a deadline, the waits
/// that servers ask for here are longer.
const BOUND: Duration = Duration::from_secs(20);

/// Whom a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first request alone.
    First,
    /// Every request.
    Always,
    /// The first request that changes something; whether it does.
    Write { applied: bool },
    /// Every request that changes something; whether they do.
    Writes { applied: bool },
}

const PLACES: [Place; 6] = [
    Place::First,
    Place::Always,
    Place::Write { applied: false },
    Place::Write { applied: true },
    Place::Writes { applied: false },
    Place::Writes { applied: true },
];

/// One trial.
struct Case {
    store: &'static str,
    operation: &'static Operation,
    trouble: usize,
    place: Place,
}

/// How thin the default run is: of so many cases one is tried. A prime, so that no store, operation,
/// fault or place is left out for falling into step with it.
const ONE_OF: usize = 41;

/// How thin this run is.
fn one_of() -> usize {
    let wanted = std::env::var("KEYFOB_MATRIX").ok();
    wanted.map_or(ONE_OF, |wanted| wanted.parse().expect("a number"))
}

/// The cases of a store, each of which a default run tries or not whatever the others are.
fn cases(store: &'static str, troubles: &[Trouble]) -> Vec<Case> {
    let operations = OPERATIONS
        .iter()
        .filter(|operation| operation.stores.contains(&store));
    let one_of = one_of();
    let mut cases = Vec::new();
    let mut number = 0;
    for operation in operations {
        for (trouble, what) in troubles.iter().enumerate() {
            for place in PLACES {
                let writes = !matches!(place, Place::First | Place::Always);
                let applied = matches!(
                    place,
                    Place::Write { applied: true } | Place::Writes { applied: true }
                );
                if writes && (operation.reads() || operation.local)
                    || applied && !what.may_be_applied
                {
                    continue;
                }
                number += 1;
                if number % one_of == 0 {
                    cases.push(Case {
                        store,
                        operation,
                        trouble,
                        place,
                    });
                }
            }
        }
    }
    cases
}

/// Whether the request is to change something, which a login is not.
fn changes(request: &Request) -> bool {
    request.method != "GET" && !matches!(request.path.as_str(), "/login" | "/v1/auth/access_token")
}

impl Case {
    fn report(&self, troubles: &[Trouble]) -> String {
        let trouble = &troubles[self.trouble].name;
        format!(
            "{}: {}: {trouble}, {:?}",
            self.store, self.operation.name, self.place
        )
    }

    fn options(&self) -> [&str; 4] {
        ["-vvv", "--json", "--timeout", TIMEOUT]
    }

    fn trial(&self, troubles: &[Trouble], honest: &BTreeMap<&str, Honest>) -> Verdict {
        let stage = Stage::new(self.store);
        self.operation.prepare(&stage);
        let before = Before::of(&stage);
        let trouble = &troubles[self.trouble];
        let fault = |applied| (trouble.make)(&stage.server().url(), applied);
        let faults = stage.server().faults();
        match self.place {
            Place::First => faults.next(fault(trouble.may_be_applied)),
            Place::Always => faults.always(fault(trouble.may_be_applied)),
            Place::Write { applied } => faults.add(changes, 0, 1, fault(applied)),
            Place::Writes { applied } => faults.add(changes, 0, usize::MAX, fault(applied)),
        }
        let run = self.operation.command(&stage, &self.options()).run();
        faults.clear();
        let honest = &honest[self.operation.name];
        let mut verdict = before.judge(&stage, self.operation, honest, &run, BOUND);
        let kinds = trouble.kinds;
        if self.place == Place::Always
            && !kinds.is_empty()
            && !verdict.succeeded
            && !kinds.contains(&verdict.kind.as_str())
        {
            verdict.faults.push(format!("kind {}", verdict.kind));
        }
        if self.place == Place::First
            && trouble.passes
            && self.operation.reads()
            && !verdict.succeeded
        {
            verdict
                .faults
                .push("a fault that passes was not survived".to_owned());
        }
        if !verdict.faults.is_empty() {
            verdict.faults.push(format!(
                "code {:?}, stdout {:?}, stderr {}\n  {}",
                run.code,
                run.text(),
                run.stderr,
                stage.server().asked().join("\n  ")
            ));
        }
        verdict
    }
}

/// Runs every operation of a store where nothing is wrong.
fn honest(store: &'static str) -> BTreeMap<&'static str, Honest> {
    let operations: Vec<&Operation> = OPERATIONS
        .iter()
        .filter(|operation| operation.stores.contains(&store))
        .collect();
    let ways = crew::each(&operations, |operation| {
        let stage = Stage::new(store);
        operation.prepare(&stage);
        let before = Before::of(&stage);
        let run = operation.command(&stage, &["-vvv", "--json"]).run();
        run.code(operation.code);
        let honest = Honest {
            said: operation.said(&run),
            requests: stage.server().requests().len(),
        };
        let verdict = before.judge(&stage, operation, &honest, &run, Duration::from_secs(60));
        assert!(
            verdict.faults.is_empty() && verdict.succeeded,
            "{store}: {}: {:?} {run:?}",
            operation.name,
            verdict.faults
        );
        honest
    });
    operations
        .into_iter()
        .map(|operation| operation.name)
        .zip(ways)
        .collect()
}

fn matrix(store: &'static str) {
    let troubles = faults::all();
    let honest = honest(store);
    let mut cases = cases(store, &troubles);
    if let Ok(only) = std::env::var("KEYFOB_MATRIX_ONLY") {
        cases.retain(|case| case.report(&troubles).contains(&only));
    }
    let verdicts = crew::each(&cases, |case| case.trial(&troubles, &honest));
    let mut wrong = Vec::new();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        if !verdict.faults.is_empty() {
            wrong.push(format!(
                "{}\n  {}",
                case.report(&troubles),
                verdict.faults.join("\n  ")
            ));
        }
    }
    let succeeded = verdicts.iter().filter(|verdict| verdict.succeeded).count();
    // To the terminal itself, past what the harness keeps of a test that passes.
    let told = format!(
        "fault matrix, {store}: {} cases, {succeeded} of which succeeded all the same\n",
        cases.len()
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn nosana_says_what_is_so() {
    matrix("nosana");
}

#[test]
fn bytenite_says_what_is_so() {
    matrix("bytenite");
}

#[test]
fn northflank_says_what_is_so() {
    matrix("northflank");
}

#[test]
fn neo_says_what_is_so() {
    matrix("neo");
}

#[test]
fn the_matrix_is_as_large_as_it_is_said_to_be() {
    let troubles = faults::all();
    let size: usize = STORES
        .iter()
        .map(|store| cases(store, &troubles).len())
        .sum();
    let told = format!("fault matrix: {size} cases, of {} faults\n", troubles.len());
    let _ = std::io::stderr().write_all(told.as_bytes());
    assert!(size >= 600, "{size}");
}
