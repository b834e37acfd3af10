//! The table of shapes: every operation of every store, and every level of every answer that it is
//! given, spoiled in every way. What is not understood is never an empty store, a missing name or a
//! success: nothing is written on top of it, kept of it or run with it.
//!
//! The answers are those of the strict servers, so that what these learn is spoiled, too. A default
//! run takes a part of the product that is the same each time; `KEYFOB_SHAPES=1` takes the whole of
//! it, and `KEYFOB_SHAPES_ONLY=TEXT` the cases whose report holds the text.

mod expected;
mod mutations;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use self::expected::{Expected, UNDONE, expected, is_owed};
use self::mutations::{Mutation, mutations};
use crate::matrix::crew;
use crate::matrix::judge::{Before, Honest};
use crate::matrix::operations::{OPERATIONS, Operation};
use crate::matrix::stage::Stage;
use crate::support::servers::{Answer, Fault, Request};

/// The deadline of every command; nothing here waits.
const TIMEOUT: &str = "20s";

/// So long a command may take on a machine that has much else to do.
const BOUND: Duration = Duration::from_secs(60);

/// What is done to the answers of one request.
#[derive(Clone, Debug)]
enum Spoiled {
    /// One level of the document.
    Level(Mutation),
    /// The answer there is, to a request that has no effect.
    Undone,
    /// Something else than a document.
    Body(&'static str, Answer),
    /// An error with this status, one level of whose document is spoiled.
    Error(u16, Mutation, Value),
}

impl fmt::Display for Spoiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spoiled::Level(mutation) => mutation.fmt(f),
            Spoiled::Undone => f.write_str(UNDONE),
            Spoiled::Body(name, _) => f.write_str(name),
            Spoiled::Error(status, mutation, _) => write!(f, "error {status}, {mutation}"),
        }
    }
}

/// One trial.
struct Case {
    store: &'static str,
    operation: &'static Operation,
    /// Method and path.
    request: String,
    /// How many answers to such requests are left as they are.
    skip: usize,
    spoiled: Spoiled,
}

/// What an operation does where nothing is wrong.
struct Way {
    honest: Honest,
    /// The answers it gets, by method and path, in their order.
    answers: BTreeMap<String, Vec<Answer>>,
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

impl Way {
    fn of(store: &'static str, operation: &'static Operation) -> Self {
        let stage = Stage::new(store);
        operation.prepare(&stage);
        let before = Before::of(&stage);
        let answers: Arc<Mutex<BTreeMap<String, Vec<Answer>>>> = Arc::default();
        let kept = Arc::clone(&answers);
        stage
            .server()
            .faults()
            .always(Fault::changed(move |request, answer| {
                kept.lock()
                    .unwrap()
                    .entry(line(request))
                    .or_default()
                    .push(answer.clone());
                answer
            }));
        let run = operation.command(&stage, &["-vvv", "--json"]).run();
        run.code(operation.code);
        let honest = Honest {
            said: operation.said(&run),
            requests: stage.server().requests().len(),
        };
        let verdict = before.judge(&stage, operation, &honest, &run, BOUND);
        assert!(
            verdict.faults.is_empty() && verdict.succeeded,
            "{store}: {}: {:?} {run:?}",
            operation.name,
            verdict.faults
        );
        let answers = answers.lock().unwrap().clone();
        Self { honest, answers }
    }

    fn cases(&self, store: &'static str, operation: &'static Operation) -> Vec<Case> {
        let mut cases = Vec::new();
        for (request, answers) in &self.answers {
            let mut add = |skip, spoiled| {
                cases.push(Case {
                    store,
                    operation,
                    request: request.clone(),
                    skip,
                    spoiled,
                });
            };
            for (skip, answer) in answers.iter().enumerate().take(2) {
                let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
                for mutation in document.iter().flat_map(mutations) {
                    add(skip, Spoiled::Level(mutation));
                }
                for (name, body) in bodies(&answer.body) {
                    add(skip, Spoiled::Body(name, body));
                }
                if !request.starts_with("GET ") && !is_login(request) {
                    add(skip, Spoiled::Undone);
                }
                for (document, mutation) in errors(store) {
                    for status in STATUSES {
                        let error = Spoiled::Error(status, mutation.clone(), document.clone());
                        add(skip, error);
                    }
                }
            }
        }
        cases
    }
}

/// The statuses whose meaning depends on the words beside them.
const STATUSES: [u16; 4] = [400, 403, 404, 409];

/// How a store tells errors, and every way to spoil that.
fn errors(store: &str) -> Vec<(Value, Mutation)> {
    let documents = match store {
        "nosana" => vec![
            json!({"type": "ForbiddenError", "message": "jwt expired", "error": "TokenExpiredError"}),
            json!({"type": "ValidationError", "error": "invalid signature"}),
        ],
        "bytenite" => vec![
            json!({"code": 5, "message": "there is none", "details": []}),
            json!({"ok": false, "requestId": "r", "message": "no", "error":
                {"code": "NOT_FOUND", "message": "there is none", "description": "see the page"}}),
        ],
        "northflank" => vec![json!({"error":
            {"status": 404, "message": "there is none", "id": "not-found", "details": {"a": "b"}}})],
        _ => vec![json!({"error":
            {"code": "NOT_FOUND", "message": "there is none", "details": {"a": "b"}}})],
    };
    let spoiled = |document: Value| {
        let mutations = mutations(&document).into_iter();
        mutations.map(move |mutation| (document.clone(), mutation))
    };
    documents.into_iter().flat_map(spoiled).collect()
}

fn is_login(request: &str) -> bool {
    matches!(request, "POST /login" | "POST /v1/auth/access_token")
}

/// What is no document at all, or a document of somebody else.
fn bodies(good: &[u8]) -> Vec<(&'static str, Answer)> {
    let page = "<!DOCTYPE html><html><body>Welcome to Station WiFi</body></html>";
    let other = |status| Answer::text(status, "{\"status\": 404, \"path\": \"/\"}");
    vec![
        ("a web page", Answer::html(200, page)),
        ("nothing", Answer::status(200)),
        ("204", Answer::status(204)),
        ("half of it", Answer::text(200, &good[..good.len() / 2])),
        ("it twice", Answer::text(200, [good, b"\n", good].concat())),
        ("words", Answer::text(200, "fine, thanks")),
        ("a web page, 404", Answer::html(404, page)),
        ("nothing, 404", Answer::status(404)),
        ("words, 404", Answer::text(404, "404 page not found")),
        ("somebody's JSON, 404", other(404)),
        ("somebody's JSON, 400", other(400)),
    ]
}

/// What an answer with a status of [`STATUSES`] may be told as.
const KINDS_OF_ERRORS: &[&str] = &[
    "failed",
    "not_found",
    "unauthenticated",
    "forbidden",
    "conflict",
    "unavailable",
    "partial",
    "invalid_data",
];

impl Case {
    fn report(&self) -> String {
        let after = match self.skip {
            0 => String::new(),
            skip => format!(", after {skip}"),
        };
        let Case {
            store,
            operation,
            request,
            spoiled,
            ..
        } = self;
        format!("{store}: {}: {request}{after}: {spoiled}", operation.name)
    }

    fn expected(&self) -> Expected {
        let reads = self.request.starts_with("GET ") || is_login(&self.request);
        match &self.spoiled {
            Spoiled::Level(mutation) => match expected(self.store, &self.request, mutation) {
                // Whether it was done, a look tells.
                Expected::Nonsense if !reads || self.is_a_look_back() => Expected::Ignored,
                expected => expected,
            },
            // That is how it answers for the empty string.
            Spoiled::Body("nothing" | "204", _) if self.request.starts_with("GET /secrets/") => {
                Expected::Good
            }
            Spoiled::Body(..) if reads && !self.is_a_look_back() => Expected::Nonsense,
            // That is how it says that there is none.
            Spoiled::Error(404, ..) if self.request.starts_with("GET ") && !self.is_of_a_list() => {
                Expected::Good
            }
            // A list that is refused is no empty list.
            Spoiled::Error(..) if reads && self.is_of_a_list() && !self.is_a_look_back() => {
                Expected::Nonsense
            }
            // Of a value that replaces one that nobody can read, the server's word is all there is.
            Spoiled::Undone if self.replaces_unseen() => Expected::Good,
            _ => Expected::Ignored,
        }
    }

    /// Whether it is a list that is read again where values cannot be: it adds to the server's word
    /// for what was done, and is no ground to take that back.
    fn is_a_look_back(&self) -> bool {
        let is_blind = matches!(self.store, "bytenite" | "neo");
        is_blind && self.request.starts_with("GET ") && self.skip > 0 && !self.operation.reads()
    }

    /// Whether it asks for all that there is, in a backend that lists.
    fn is_of_a_list(&self) -> bool {
        self.request.ends_with("/secrets")
    }

    fn replaces_unseen(&self) -> bool {
        let goal = self.operation.goal.iter();
        let replaces = goal
            .clone()
            .any(|(name, value)| *name == "{a}" && value.is_some());
        self.store == "bytenite" && self.request.starts_with("POST ") && replaces
    }

    /// What a command that fails may say that it is.
    fn kinds(&self) -> &'static [&'static str] {
        match &self.spoiled {
            // An error is one of whatever kind; what counts is what was done for it.
            Spoiled::Error(..) => KINDS_OF_ERRORS,
            // Nothing is wrong with the answer; what is wrong is what it says.
            Spoiled::Undone => &["failed", "conflict", "invalid_data", "partial"],
            // What stands beside a secret tells whether somebody else was there.
            Spoiled::Level(_) if self.expected() == Expected::Ignored => {
                &["invalid_data", "partial", "conflict", "failed"]
            }
            // A key or a signature is refused with 400, too; and where nothing exchanges keys, the
            // key itself is sent.
            Spoiled::Body(name, _) if is_login(&self.request) && name.contains(", 40") => {
                &["invalid_data", "unauthenticated"]
            }
            _ => &["invalid_data", "partial"],
        }
    }

    /// What is wrong with what the command made of it.
    fn trial(&self, way: &Way) -> Vec<String> {
        let stage = Stage::new(self.store);
        self.operation.prepare(&stage);
        let before = Before::of(&stage);
        let fault = match &self.spoiled {
            Spoiled::Level(mutation) => {
                let mutation = mutation.clone();
                Fault::changed(move |_, mut answer| {
                    if let Ok(document) = serde_json::from_slice(&answer.body) {
                        answer.body = mutation.apply(&document).to_string().into();
                    }
                    answer
                })
            }
            Spoiled::Undone => Fault::Answer(way.answers[&self.request][self.skip].clone()),
            // What a server refuses in its own words it has not done.
            Spoiled::Error(status, mutation, document) => {
                Fault::Answer(Answer::json(*status, &mutation.apply(document)))
            }
            Spoiled::Body(_, answer) => Fault::answered(answer.clone()),
        };
        let request = self.request.clone();
        let matches = move |sent: &Request| line(sent) == request;
        stage
            .server()
            .faults()
            .add(matches, self.skip, usize::MAX, fault);
        let command = self
            .operation
            .command(&stage, &["-vvv", "--json", "--timeout", TIMEOUT]);
        let run = command.run();
        stage.server().faults().clear();
        let verdict = before.judge(&stage, self.operation, &way.honest, &run, BOUND);
        let mut faults = verdict.faults;
        if verdict.succeeded && self.expected() == Expected::Nonsense {
            faults.push("it was taken for an answer".to_owned());
        }
        if !verdict.succeeded && !self.kinds().contains(&verdict.kind.as_str()) {
            faults.push(format!("kind {}", verdict.kind));
        }
        if !faults.is_empty() {
            faults.push(format!(
                "code {:?}, stdout {:?}, stderr {}\n  {}",
                run.code,
                run.text(),
                run.stderr,
                stage.server().asked().join("\n  ")
            ));
        }
        faults
    }
}

/// How thin the default run is: of so many cases one is tried.
const ONE_OF: usize = 23;

/// So much thinner are the errors, of which there are many and most are alike.
const ERRORS: usize = 40;

fn shapes(store: &'static str) {
    let operations: Vec<&'static Operation> = OPERATIONS
        .iter()
        .filter(|operation| operation.stores.contains(&store))
        .collect();
    let ways = crew::each(&operations, |operation| Way::of(store, operation));
    let ways: BTreeMap<&str, Way> = operations
        .iter()
        .map(|operation| operation.name)
        .zip(ways)
        .collect();
    let cases = operations
        .iter()
        .flat_map(|operation| ways[operation.name].cases(store, operation));
    let wanted = std::env::var("KEYFOB_SHAPES").ok();
    let one_of = wanted.map_or(ONE_OF, |wanted| wanted.parse().expect("a number"));
    let only = std::env::var("KEYFOB_SHAPES_ONLY").unwrap_or_default();
    let all_are_paid = std::env::var_os("KEYFOB_SHAPES_OWED").is_some();
    let (mut all, mut owed) = (0, 0);
    let cases: Vec<Case> = cases
        .filter(|case| case.expected() != Expected::Good)
        .filter(|case| {
            let is_owed = !all_are_paid && is_owed(store, &case.request, &case.spoiled.to_string());
            owed += usize::from(is_owed);
            !is_owed
        })
        .filter(|case| {
            all += 1;
            let one_of = match case.spoiled {
                Spoiled::Error(..) => one_of * ERRORS,
                _ => one_of,
            };
            all % one_of == 0 && case.report().contains(&only)
        })
        .collect();
    let found = crew::each(&cases, |case| case.trial(&ways[case.operation.name]));
    let wrong: Vec<String> = cases
        .iter()
        .zip(found)
        .filter(|(_, faults)| !faults.is_empty())
        .map(|(case, faults)| format!("{}\n  {}", case.report(), faults.join("\n  ")))
        .collect();
    let told = format!(
        "table of shapes, {store}: {} of {all} cases, and {owed} owed\n",
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
fn what_nosana_answers_is_understood_or_refused() {
    shapes("nosana");
}

#[test]
fn what_bytenite_answers_is_understood_or_refused() {
    shapes("bytenite");
}

#[test]
fn what_northflank_answers_is_understood_or_refused() {
    shapes("northflank");
}

#[test]
fn what_neo_answers_is_understood_or_refused() {
    shapes("neo");
}
