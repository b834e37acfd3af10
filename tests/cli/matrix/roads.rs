//! Roads that lead to no server, or to one that cannot prove who it is: nobody listens, and what a
//! certificate can be. Every operation of every store ends as `unavailable` and has sent nothing.

use std::io::Write as _;
use std::time::Duration;

use super::crew;
use super::judge::Before;
use super::operations::{OPERATIONS, Operation};
use super::stage::{STORES, Stage};
use crate::support::servers::{Certificate, Listen, Neo, Server};

/// What is wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Refused,
    NoTls,
    UnknownIssuer,
    WrongHost,
    Expired,
}

const ROADS: [Road; 5] = [
    Road::Refused,
    Road::NoTls,
    Road::UnknownIssuer,
    Road::WrongHost,
    Road::Expired,
];

/// Somebody who speaks TLS, badly, on some of the roads.
struct Strangers {
    unknown_issuer: Neo,
    wrong_host: Neo,
    expired: Neo,
}

impl Strangers {
    fn new() -> Self {
        let listen = |certificate| Neo::listen(Listen::Tls(certificate));
        Self {
            unknown_issuer: listen(Certificate::UnknownIssuer),
            wrong_host: listen(Certificate::WrongHost),
            expired: listen(Certificate::Expired),
        }
    }

    fn on(&self, road: Road) -> Option<&Server> {
        match road {
            Road::Refused | Road::NoTls => None,
            Road::UnknownIssuer => Some(&self.unknown_issuer),
            Road::WrongHost => Some(&self.wrong_host),
            Road::Expired => Some(&self.expired),
        }
    }
}

fn trial(
    store: &'static str,
    operation: &Operation,
    road: Road,
    strangers: &Strangers,
) -> Option<String> {
    let stage = Stage::new(store);
    operation.prepare(&stage);
    let before = Before::of(&stage);
    // Nobody who listens may come to: a second of tries is enough.
    let options = ["-vvv", "--json", "--timeout", "1s"];
    let field = |field: &str| format!("KEYFOB_{}_{field}", store.to_uppercase());
    let mut command = operation.command(&stage, &options);
    let stranger = strangers.on(road);
    match (road, stranger) {
        // Not a port that was a server's: another test may have it by then.
        (Road::Refused, _) => command = command.env(field("BASE_URL"), "http://127.0.0.1:9"),
        (_, Some(stranger)) => {
            command = command
                .env(field("BASE_URL"), stranger.url())
                .env(field("CA_FILE"), stranger.ca_file());
        }
        _ => {
            let url = stage.server().url().replace("http://", "https://");
            command = command.env(field("BASE_URL"), url);
        }
    }
    let run = command.run();
    let honest = super::judge::Honest {
        said: String::new(),
        requests: 0,
    };
    let verdict = before.judge(&stage, operation, &honest, &run, Duration::from_secs(30));
    let mut faults = verdict.faults;
    // What replaces a secret on a backend that cannot is told of the item. A snapshot belongs to the
    // address that it was taken at, and is not used at another.
    let kinds = ["unavailable", "partial"];
    match run.code {
        Some(0) => faults.push("it succeeded".to_owned()),
        _ if !kinds.contains(&verdict.kind.as_str()) => {
            faults.push(format!("kind {}", verdict.kind))
        }
        _ => {}
    }
    if stranger.is_some_and(|stranger| !stranger.requests().is_empty()) {
        faults.push("a stranger was asked".to_owned());
    }
    (!faults.is_empty()).then(|| {
        format!(
            "{store}: {}: {road:?}\n  {}\n  code {:?}, stdout {:?}, stderr {}",
            operation.name,
            faults.join("\n  "),
            run.code,
            run.text(),
            run.stderr
        )
    })
}

#[test]
fn a_road_that_leads_to_no_server_is_unavailable_and_nothing_is_sent() {
    let strangers = Strangers::new();
    let mut cases = Vec::new();
    for store in STORES {
        // `status` asks nobody.
        let asks = |it: &&Operation| it.stores.contains(&store) && it.name != "status";
        for operation in OPERATIONS.iter().filter(asks) {
            cases.extend(ROADS.map(|road| (store, operation, road)));
        }
    }
    let wrong = crew::each(&cases, |(store, operation, road)| {
        trial(store, operation, *road, &strangers)
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    let all = cases.len();
    let told = format!("fault matrix, roads to no server: {all} cases\n");
    let _ = std::io::stderr().write_all(told.as_bytes());
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
