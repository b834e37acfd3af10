//! Whether what a command said is so: by what its server holds and was sent.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::operations::Operation;
use super::stage::{Held, Stage};
use crate::support::run::Run;
use crate::support::servers::Request;

/// The exit codes and kinds of the contract.
pub const KINDS: [(i32, &str); 13] = [
    (1, "failed"),
    (2, "usage"),
    (3, "not_found"),
    (4, "unauthenticated"),
    (5, "forbidden"),
    (6, "conflict"),
    (7, "unsupported"),
    (8, "unavailable"),
    (9, "rate_limited"),
    (10, "partial"),
    (11, "config"),
    (12, "untrusted"),
    (13, "invalid_data"),
];

/// How the command does when nothing is wrong.
pub struct Honest {
    /// What counts of its stdout.
    pub said: String,
    /// How many requests it makes.
    pub requests: usize,
}

/// What was there before.
pub struct Before {
    held: Held,
    vault: Held,
    vault_file: Vec<u8>,
    snapshot: Option<Vec<u8>>,
}

/// What came of a case.
pub struct Verdict {
    /// Whether the command says that it did what it is for.
    pub succeeded: bool,
    /// The kind of its error.
    pub kind: String,
    /// What is wrong with it.
    pub faults: Vec<String>,
}

impl Before {
    pub fn of(stage: &Stage) -> Self {
        Self {
            held: stage.held(),
            vault: match stage.store {
                "local" => Held::new(),
                store => [('a', super::stage::NEW_A), ('n', super::stage::NEW_N)]
                    .map(|(which, value)| (super::stage::name(store, which), value.to_owned()))
                    .into(),
            },
            vault_file: stage.vault_file(),
            snapshot: snapshot(stage),
        }
    }

    /// Judges `run`, which was to end within `bound`.
    pub fn judge(
        &self,
        stage: &Stage,
        operation: &Operation,
        honest: &Honest,
        run: &Run,
        bound: Duration,
    ) -> Verdict {
        let mut faults = Vec::new();
        let mut wrong = |what: String| faults.push(what);
        let kind = kind_of(run);
        let code = run.code.unwrap_or(-1);
        let said = operation.said(run);
        let succeeded = code == operation.code && (code == 0 || said == honest.said);

        // How it ended.
        if !(0..=125).contains(&code) || code == 101 || run.stderr.contains("panicked") {
            wrong(format!("it ended with {:?}", run.code));
        }
        if let (false, Some(error)) = (code == 0, &kind_named(run))
            && !(operation.runs() && code == 125)
            && KINDS
                .iter()
                .all(|(number, kind)| *number != code || kind != error)
        {
            wrong(format!("exit code {code} and kind {error}"));
        }
        if code != 0 && kind.is_empty() && !(operation.args.starts_with("diff") && code == 1) {
            wrong(format!("exit code {code} without a kind"));
        }
        if run.elapsed > bound {
            wrong(format!("it took {:?}", run.elapsed));
        }

        // What it wrote.
        let results = results(run);
        if code != 0 && !succeeded && !run.stdout.is_empty() && results.is_none() {
            wrong(format!("stdout on failure: {:?}", run.text()));
        }
        let told = match succeeded {
            true => run.stderr.clone(),
            false => format!("{}{}", run.stderr, run.text()),
        };
        for canary in stage.canaries() {
            if told.contains(&canary) {
                wrong(format!("it tells {canary}"));
            }
        }

        // What is there, and what it said of it.
        let held = stage.held();
        let (target_before, target, other_unchanged) = match operation.local {
            true => {
                let unchanged = stage.vault_file() == self.vault_file;
                let vault = match unchanged {
                    true => self.vault.clone(),
                    false => stage.vault(),
                };
                (&self.vault, vault, held == self.held)
            }
            false => (
                &self.held,
                held,
                stage.vault_file() == self.vault_file || operation.args.starts_with("rotate"),
            ),
        };
        if succeeded && operation.reads() && said != honest.said {
            wrong(format!("it says {said:?} instead of {:?}", honest.said));
        }
        let done = operation.done(target_before, stage.store);
        if !other_unchanged {
            wrong("what it is not about has changed".to_owned());
        }
        if succeeded && target != done {
            wrong(format!("said done, and there is {target:?}"));
        }
        let names: BTreeSet<&String> = target_before
            .keys()
            .chain(done.keys())
            .chain(target.keys())
            .collect();
        for name in names {
            let found = target.get(name);
            let allowed = [target_before.get(name), done.get(name)];
            let is_open = found.is_none() && stage.store == "neo" && stage.has_open_change();
            if !allowed.contains(&found) && !is_open {
                wrong(format!("{name} is {found:?}"));
            }
        }
        for (name, action) in results.iter().flatten() {
            let found = target.get(name);
            let is_so = match action.as_str() {
                "created" | "updated" => found == done.get(name),
                "unchanged" => found == target_before.get(name) || found == done.get(name),
                "deleted" => found.is_none(),
                _ => true,
            };
            if !is_so {
                wrong(format!("said that {name} is {action}, and it is {found:?}"));
            }
        }
        let claims_nothing = [
            "everything is as it was",
            "nothing was changed",
            "nothing was stored",
        ];
        if claims_nothing
            .iter()
            .any(|claim| run.stderr.contains(claim))
            && target != *target_before
        {
            wrong(format!(
                "said that nothing has changed, and there is {target:?}"
            ));
        }

        // What was run and kept.
        let ran = stage.ran();
        let good = operation.runs().then(|| super::stage::OLD_A.to_owned());
        if ran.is_some() && (!succeeded || ran != good) {
            wrong(format!("it ran its command with {ran:?}"));
        }
        if succeeded && operation.runs() && ran.is_none() {
            wrong("it did not run its command".to_owned());
        }
        // One that a refused credential has brought is not to be used any more.
        let is_removed = matches!(kind.as_str(), "unauthenticated" | "forbidden");
        let left = snapshot(stage);
        if !succeeded && left != self.snapshot && (left.is_some() || !is_removed) {
            wrong("the snapshot was replaced".to_owned());
        }

        // What was sent.
        let requests = stage.server().requests();
        let bound = 6 * honest.requests + 12;
        if requests.len() > bound {
            wrong(format!(
                "{} requests, where {} do",
                requests.len(),
                honest.requests
            ));
        }
        if let Some(request) = unsafe_repeat(&requests) {
            wrong(format!("sent twice without a look: {request}"));
        }
        Verdict {
            succeeded,
            kind,
            faults,
        }
    }
}

fn snapshot(stage: &Stage) -> Option<Vec<u8>> {
    std::fs::read(stage.world.home.work().join("snapshot.age")).ok()
}

/// The kind of the error, in its words.
fn kind_named(run: &Run) -> Option<String> {
    let lines = run.stderr.lines();
    let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find_map(|line| line["error"]["kind"].as_str().map(str::to_owned))
}

/// The kind of the error, in its words where it has some, else by the exit code.
fn kind_of(run: &Run) -> String {
    let by_code = KINDS.iter().find(|(code, _)| Some(*code) == run.code);
    kind_named(run).unwrap_or_else(|| match by_code {
        Some((_, kind)) if !run.stderr.starts_with('{') => (*kind).to_owned(),
        _ => String::new(),
    })
}

/// What it says of each secret, where it says that.
fn results(run: &Run) -> Option<Vec<(String, String)>> {
    let document: Value = serde_json::from_slice(&run.stdout).ok()?;
    let text = |result: &Value, field: &str| result[field].as_str().unwrap_or_default().to_owned();
    if let Some(rotations) = document.as_array() {
        let mut rotations = rotations.iter();
        let is_told = rotations.all(|rotation| rotation.get("outcome").is_some());
        return is_told.then(Vec::new);
    }
    let results = document.get("results")?.as_array()?;
    let pair = |result| (text(result, "name"), text(result, "action"));
    Some(results.iter().map(pair).collect())
}

/// A request that does something else when it is repeated, and was, with no look in between
/// whether the first one was carried out.
fn unsafe_repeat(requests: &[Request]) -> Option<String> {
    let is_unsafe = |request: &Request| match request.method.as_str() {
        "PATCH" => true,
        // A second create of Neo or Northflank is refused for the first; the others store the same.
        "POST" => {
            request.path.ends_with("/secrets")
                && request.path.starts_with("/v1/")
                && !request.path.starts_with("/v1/auth/")
        }
        _ => false,
    };
    let mut sent: Vec<&Request> = Vec::new();
    for request in requests {
        if request.method == "GET" {
            sent.clear();
        } else if is_unsafe(request) {
            let same = |earlier: &&Request| {
                earlier.method == request.method
                    && earlier.path == request.path
                    && earlier.body == request.body
                    // It was refused before anything was done, in words that say so.
                    && !matches!(earlier.answered, Some(307 | 308 | 429))
            };
            if sent.iter().any(same) {
                return Some(format!("{} {}", request.method, request.path));
            }
            sent.push(request);
        }
    }
    None
}
