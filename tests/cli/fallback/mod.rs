//! `run --fallback`: snapshots for when a backend is down, as a CI step meets it: no terminal, no
//! keyring, one process a run.

mod files;
mod removing;
mod several;
mod using;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use keyfob::testing::Keyring;
use keyfob::testing::{Environment, Folders};
use keyfob::testing::{Keys, Purpose};
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::{Keyfob, Run};
use crate::support::servers::{Answer, Fault, Nosana};
use crate::support::solana::Keypair;

/// What `KEYFOB_FALLBACK_KEY` is set to.
const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// Its public key.
const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// The value of the secret `A`.
const CANARY: &str = "canary-c4n4ry-value-0815";

/// A server with the secret `A`, and a CI runner that knows it.
fn set_up() -> (Nosana, Home, Keypair) {
    let (server, mut home, keypair) = crate::nosana::set_up();
    server.put(&keypair.address(), "A", CANARY);
    home.set("CI", "true");
    home.set("KEYFOB_FALLBACK_KEY", KEY);
    (server, home, keypair)
}

/// A refusal in the words of the APIs.
fn refused(status: u16) -> Fault {
    let words = json!({ "type": "ForbiddenError", "message": "no", "error": { "status": status, "message": "no" } });
    Fault::Answer(Answer::json(status, &words))
}

/// A run that prints `A`, which is all it selects, with these options besides.
fn print_a(home: &Home, options: &[&str]) -> Keyfob {
    home.keyfob(["run", "--only", "A"])
        .args(options)
        .args(["--", "printenv", "A"])
}

/// The same with `--fallback`, while all works: it keeps a snapshot.
#[track_caller]
fn keep(home: &Home) {
    let run = print_a(home, &["--fallback"]).run();
    run.ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_lacks("snapshot");
    assert_eq!(snapshots(home).len(), 1);
}

/// The same with `--fallback`, while the server is down. Its retries need not be waited for.
fn while_down(home: &Home, options: &[&str]) -> Run {
    let options = [&["--fallback", "--timeout", "500ms"], options].concat();
    print_a(home, &options).run()
}

#[track_caller]
fn assert_used(run: &Run) {
    run.ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_has("nosana cannot be reached (could not ")
        .stderr_has("); running with the snapshot from ")
        .stderr_lacks(CANARY);
    let said =
        regex::Regex::new(r#"from (\d+[ms])+ ago \(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)(\n|")"#);
    assert!(said.unwrap().is_match(&run.stderr), "{}", run.stderr);
}

/// It failed before its command started.
#[track_caller]
fn assert_failed(run: &Run) {
    run.code(125).stdout_is("").stderr_has("error: ");
    run.stderr_lacks(CANARY).stderr_lacks("running with");
}

/// The snapshots in the data folder.
fn snapshots(home: &Home) -> Vec<PathBuf> {
    with_extension(home, "age")
}

/// The notes beside them.
fn notes(home: &Home) -> Vec<PathBuf> {
    with_extension(home, "json")
}

fn with_extension(home: &Home, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.data().join("fallback")) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == extension));
    paths.sort();
    paths
}

/// Changes what stands in a snapshot under the encryption, as only whoever has the key can.
fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders::below(folder.path());
    let env = Environment::from_vars([("KEYFOB_FALLBACK_KEY", KEY)], folder.path());
    let notice = Rc::new(|_: &str| ());
    let keys = Keys::new(
        Purpose::Snapshot,
        &env,
        &folders,
        &Keyring::default(),
        notice,
    );
    let plaintext = keys.decrypt(&fs::read(path).unwrap(), path).unwrap();
    let mut content = serde_json::from_slice(&plaintext).unwrap();
    change(&mut content);
    fs::write(path, keys.encrypt(&content).unwrap()).unwrap();
}

/// What Nosana answers to a token that it does not take.
fn token_rejected() -> Fault {
    let body =
        json!({"type": "ForbiddenError", "message": "jwt expired", "error": "TokenExpiredError"});
    Fault::Answer(Answer::text(403, body.to_string()))
}
