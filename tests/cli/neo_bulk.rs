//! Many secrets at once on Neo, which takes one in each request: bounded, on few connections, and
//! with a result for each. Driven through the library, as a batch is what it is about.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Duration;

use keyfob::testing::Keyring;
use keyfob::testing::Sessions;
use keyfob::testing::Store;
use keyfob::testing::TokenCache;
use keyfob::testing::credential::NoReferences;
use keyfob::testing::{Action, Batch, NoProgress, Outcome, Services, Write, registry};
use keyfob::testing::{Config, LoadOptions};
use keyfob::testing::{Deadline, Http};
use keyfob::testing::{Environment, Folders};
use keyfob::testing::{Kind, Result};
use keyfob::testing::{Name, SecretValue, StoreName};
use serde_json::json;

use crate::neo::SECRETS;
use crate::support::home::Home;
use crate::support::servers::faults::Fault;
use crate::support::servers::neo::API_KEY;
use crate::support::servers::{Answer, Neo, Request};

/// Stores so many secrets in one batch, with these variables and this timeout.
fn write(
    server: &Neo,
    count: usize,
    vars: &[(&str, &str)],
    timeout: Duration,
) -> Result<Vec<Outcome>> {
    let home = Home::new();
    let url = server.url();
    let own = [
        ("KEYFOB_NEO_BASE_URL", url.as_str()),
        ("NEO_API_KEY", API_KEY),
    ];
    let env = Environment::from_vars(own.iter().chain(vars).copied(), home.work());
    let folders = Folders {
        config: home.config(),
        data: home.data(),
        cache: home.root().join("cache/keyfob"),
        patience: Folders::PATIENCE,
    };
    let config = Config::load(&LoadOptions {
        env: &env,
        folders: &folders,
        files: Default::default(),
        schemas: registry::SCHEMAS,
    })?;
    let keyring = Keyring::default();
    let services = Services {
        http: Http::new(Rc::new(Deadline::after(Some(timeout))), Rc::new(|_| ())),
        sessions: Sessions::new(TokenCache::default(), None),
        keyring,
        references: Rc::new(NoReferences),
        withheld: BTreeSet::new(),
        env,
        folders,
        progress: Rc::new(NoProgress),
        notice: Rc::new(|_| ()),
        is_heard: true,
        wait: None,
    };
    let store = Store::open(&StoreName::new("neo")?, &config, &Rc::new(services))?;
    let writes = (0..count)
        .map(|number| {
            Write::new(
                Name::new(format!("S{number:04}")).unwrap(),
                SecretValue::from("v"),
            )
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(store.write(Batch {
        writes,
        if_absent: false,
    }))
}

fn failures(outcomes: &[Outcome]) -> Vec<(usize, Kind)> {
    let outcomes = outcomes.iter().enumerate();
    outcomes
        .filter_map(|(at, outcome)| Some((at, outcome.result.as_ref().err()?.kind())))
        .collect()
}

fn is_create(request: &Request) -> bool {
    request.is("POST", SECRETS)
}

#[test]
fn creates_run_side_by_side_on_as_many_connections() {
    for (vars, bound) in [(&[][..], 16), (&[("KEYFOB_CONCURRENCY", "3")], 3)] {
        // Without a delay requests follow each other before a connection is idle.
        let server = Neo::start();
        write(&server, 300, vars, Duration::from_secs(30)).unwrap();
        let connections = server.connections();
        assert!(connections <= bound, "{connections} connections");

        let server = Neo::start();
        // The first are answered when all of them are there.
        let all = Barrier::new(bound);
        let together = Fault::before(move || {
            all.wait();
        });
        server.faults().add(is_create, 0, bound, together);
        let outcomes = write(&server, 200, vars, Duration::from_secs(30)).unwrap();
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome.result, Ok(Action::Created)))
        );
        assert_eq!(server.secrets().len(), 200);
        assert_eq!(server.peak_requests(), bound);
        assert!(
            server.connections() <= bound,
            "{} connections",
            server.connections()
        );
    }
}

#[test]
fn a_thousand_are_looked_for_on_few_pages_side_by_side() {
    let server = Neo::start();
    write(&server, 1_000, &[], Duration::from_secs(30)).unwrap();
    assert_eq!(server.secrets().len(), 1_000);
    // An empty page before; ten pages after, of which all but two are asked for at once.
    assert_eq!(server.count("GET", SECRETS), 11);
    assert_eq!(server.count("POST", SECRETS), 1_000);
    assert!(
        server.connections() <= 16,
        "{} connections",
        server.connections()
    );
    // As many as are left come together: they are answered when all of them are there.
    let all = Barrier::new(8);
    let together = Fault::before(move || {
        all.wait();
    });
    let is_late = |request: &Request| {
        let offset = request
            .parameter("offset")
            .and_then(|text| text.parse().ok());
        request.is("GET", SECRETS) && offset.is_some_and(|offset: usize| offset >= 200)
    };
    server.faults().add(is_late, 0, 8, together);
    let error = write(&server, 1, &[], Duration::from_secs(30)).unwrap();
    assert_eq!(error.len(), 1);
}

#[test]
fn each_create_moves_the_deadline_on() {
    let server = Neo::start();
    // Forty creates of 600 ms, four at a time, take 6 s: longer than the deadline.
    server.faults().add(
        is_create,
        0,
        usize::MAX,
        Fault::Delay(Duration::from_millis(600)),
    );
    let outcomes = write(
        &server,
        40,
        &[("KEYFOB_CONCURRENCY", "4")],
        Duration::from_secs(5),
    )
    .unwrap();
    assert_eq!(failures(&outcomes), []);
}

#[test]
fn failures_do_not_move_the_deadline_on() {
    let no = json!({"error": {"code": "INVALID_REQUEST", "message": "no"}});
    for answer in [
        Answer::json(400, &no),
        // Looked up each time, on two pages.
        Answer::html(200, "<html>a page</html>"),
    ] {
        let server = Neo::start();
        for number in 0..150 {
            server.put(&format!("OLD{number}"), "v");
        }
        let slow = Fault::Answer(answer.after(Duration::from_millis(300)));
        server.faults().add(is_create, 0, usize::MAX, slow);
        // Forty failures of 300 ms, one after the other, would take 12 s.
        let vars = [("KEYFOB_CONCURRENCY", "1")];
        let outcomes = write(&server, 40, &vars, Duration::from_secs(4)).unwrap();
        let failures = failures(&outcomes);
        assert_eq!(failures.len(), 40);
        assert_eq!(failures[39].1, Kind::Unavailable, "{failures:?}");
    }
}

#[test]
fn nonsense_is_answered_once_for_each() {
    let server = Neo::start();
    server
        .faults()
        .add(is_create, 0, usize::MAX, Fault::captive_portal());
    let outcomes = write(&server, 40, &[], Duration::from_secs(30)).unwrap();
    let failures = failures(&outcomes);
    assert!(
        failures.iter().all(|(_, kind)| *kind == Kind::InvalidData),
        "{failures:?}"
    );
    assert_eq!((failures.len(), server.count("POST", SECRETS)), (40, 40));
}

#[test]
fn a_failing_item_leaves_the_others_alone() {
    let server = Neo::start();
    let body = json!({"error": {"code": "INVALID_REQUEST", "message": "no"}});
    let refused = |request: &Request| is_create(request) && request.text().contains("S0007");
    server.faults().add(
        refused,
        0,
        usize::MAX,
        Fault::Answer(Answer::json(400, &body)),
    );
    let outcomes = write(&server, 40, &[], Duration::from_secs(10)).unwrap();
    assert_eq!(failures(&outcomes), [(7, Kind::InvalidData)]);
    assert_eq!(server.secrets().len(), 39);
}

#[test]
fn what_all_would_meet_is_met_once() {
    let gone = Answer::json(
        401,
        &json!({"error": {"code": "UNAUTHORIZED", "message": "revoked"}}),
    );
    for (fault, kind) in [
        (Fault::Answer(gone), Kind::Unauthenticated),
        (Fault::rate_limited(3600), Kind::RateLimited),
        (Fault::close_unapplied(), Kind::Unavailable),
    ] {
        let server = Neo::start();
        server.faults().add(is_create, 10, usize::MAX, fault);
        let vars = [("KEYFOB_CONCURRENCY", "4")];
        let outcomes = write(&server, 100, &vars, Duration::from_secs(10)).unwrap();
        let failures = failures(&outcomes);
        assert_eq!(failures.len(), 90, "{kind:?}");
        assert!(
            failures.iter().all(|(_, failed)| *failed == kind),
            "{failures:?}"
        );
        assert_eq!(server.secrets().len(), 10);
        // Four were under way, each of which may have been tried a few times.
        let creates = server.count("POST", SECRETS);
        assert!(creates <= 10 + 4 * 5, "{creates} creates");
        let last = outcomes[99].result.as_ref().unwrap_err();
        assert!(last.message().starts_with("not tried"), "{last}");
    }
}

#[test]
fn a_bound_that_is_none_is_refused_before_anything_is_sent() {
    let server = Neo::start();
    let error = write(
        &server,
        1,
        &[("KEYFOB_CONCURRENCY", "0")],
        Duration::from_secs(5),
    )
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(server.requests().is_empty());
}
