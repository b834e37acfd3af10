//! The secrets of Nosana jobs: what is answered in each state of a job, and what `--wait` waits for.

use crate::nosana::set_up;
use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::servers::Nosana;
use crate::support::servers::faults::Fault;
use crate::support::servers::nosana::{Job, Visible};
use crate::support::solana::Keypair;

/// A job that declares `A` and was claimed by the home's keypair.
struct Claimed {
    server: Nosana,
    home: Home,
    keypair: Keypair,
    owner: String,
    address: String,
}

impl Claimed {
    fn new(visible: Visible) -> Self {
        let (server, mut home, keypair) = set_up();
        let owner = Keypair::new(9).address();
        server.put(&owner, "A", "of the owner");
        server.put(&owner, "B", "not declared");
        let address = Keypair::new(42).address();
        home.set("KEYFOB_NOSANA_JOB", &address);
        let claimed = Self {
            server,
            home,
            keypair,
            owner,
            address,
        };
        claimed.put(visible, &["A"]);
        claimed
    }

    /// The job in another state, or with other names.
    fn put(&self, visible: Visible, names: &[&str]) {
        let job = Job {
            project: self.owner.clone(),
            node: Some(self.keypair.address()),
            secrets: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            visible,
        };
        self.server.put_job(&self.address, job);
        self.server.forget_requests();
    }

    fn get(&self, args: &[&str]) -> Run {
        self.home.run([&["--json", "get"], args].concat())
    }
}

#[track_caller]
fn assert_error(run: &Run, code: i32, kind: &str, hint: &str) {
    let error = run.code(code).error();
    assert_eq!(error["kind"], kind);
    let said = error["hint"].as_str().unwrap();
    assert!(said.contains(hint), "{said}");
    assert_eq!(said.contains("--wait"), hint == "--wait", "{said}");
}

#[test]
fn a_job_is_read_only_and_lists_what_it_declares() {
    let job = Claimed::new(Visible::Now);
    job.home.run(["get", "A"]).ok().stdout_is("of the owner");
    job.home.run(["get", "B"]).code(3);
    job.server.forget_requests();
    let set = job.home.keyfob(["set", "A"]).stdin("x").run();
    set.code(7).stderr_has("read only");
    job.home.run(["delete", "-y", "A"]).code(7);
    let requests = job.server.requests();
    assert!(requests.is_empty(), "refused before anything is sent");
}

#[test]
fn what_is_seen_in_a_moment_is_said_so_and_waited_for_on_request() {
    let job = Claimed::new(Visible::Now);
    for (visible, code, kind) in [
        // Unknown, not claimed, not seen or without its document yet.
        (Visible::AfterErrors(1), 3, "not_found"),
        (Visible::AfterLogins(1), 5, "forbidden"),
        (Visible::AfterTokens(1), 3, "not_found"),
    ] {
        job.put(visible.clone(), &["A"]);
        assert_error(&job.get(&["A"]), code, kind, "--wait");
        job.put(visible.clone(), &["A"]);
        let waited = job.get(&["--wait=30s", "A"]);
        assert_eq!(waited.ok().json()["value"], "of the owner", "{visible:?}");
        job.put(visible, &["A"]);
        job.home
            .run(["run", "--wait=30s", "--", "printenv", "A"])
            .ok()
            .stdout_is("of the owner\n");
    }
}

#[test]
fn an_unknown_job_is_not_found_and_no_reason_to_try_again_unasked() {
    let mut job = Claimed::new(Visible::Now);
    job.home
        .set("KEYFOB_NOSANA_JOB", Keypair::new(43).address());
    assert_error(&job.get(&["A"]), 3, "not_found", "--wait");
    assert_eq!(job.server.asked(), ["POST /login"]);
    // Who has waited is not told to wait.
    let waited = job.get(&["--wait=1s", "A"]);
    assert_error(&waited, 3, "not_found", "job's address");
}

#[test]
fn a_finished_job_of_somebody_else_is_not_waited_for() {
    let job = Claimed::new(Visible::Finished);
    for args in [&["A"][..], &["--wait=300s", "A"]] {
        job.server.forget_requests();
        assert_error(&job.get(args), 5, "forbidden", "finished");
        assert_eq!(job.server.asked(), ["POST /login"]);
    }
}

#[test]
fn a_finished_job_opens_to_its_owner_what_its_result_lists() {
    let job = Claimed::new(Visible::Now);
    let node = Keypair::new(7).address();
    job.server.put(&node, "RESULT", "of the node");
    let finished = Job {
        project: job.keypair.address(),
        node: Some(node),
        secrets: Some(vec!["RESULT".to_owned()]),
        visible: Visible::Finished,
    };
    job.server.put_job(&job.address, finished);
    job.home
        .run(["get", "RESULT"])
        .ok()
        .stdout_is("of the node");
}

#[test]
fn a_job_without_a_state_has_an_empty_list() {
    let job = Claimed::new(Visible::Now);
    job.put(Visible::Now, &[]);
    job.home
        .run(["--json", "list", "--wait=300s"])
        .ok()
        .stdout_is("[]\n");
    // What it does not declare never comes.
    job.get(&["--wait=300s", "A"]).code(3);
}

#[test]
fn a_name_that_is_declared_and_not_stored_yet_is_waited_for() {
    let job = Claimed::new(Visible::Now);
    job.put(Visible::Now, &["A", "LATER"]);
    job.home
        .run(["get", "LATER"])
        .code(3)
        .stderr_has("has not stored it yet")
        .stderr_has("--wait");
    job.server.forget_requests();
    let waiting = job.home.keyfob(["get", "--wait=60s", "LATER"]).spawn();
    crate::support::wait::until("a first look", || {
        job.server.count("GET", "/secrets/LATER") > 0
    });
    job.server.put(&job.owner, "LATER", "now");
    waiting.wait().ok().stdout_is("now");
    assert_eq!(job.server.logins(), 2, "the token is good for it");
    // Where a server cannot be asked for a name, it may be there as well.
    job.server.answer_no_names();
    job.server.remove(&job.owner, "LATER");
    job.server.forget_requests();
    let waiting = job.home.keyfob(["get", "--wait=60s", "LATER"]).spawn();
    crate::support::wait::until("a first look", || {
        job.server.count("GET", "/secrets/LATER") > 0
    });
    job.server.put(&job.owner, "LATER", "now");
    waiting.wait().ok().stdout_is("now");
}

#[test]
fn what_fails_otherwise_is_not_waited_for() {
    let job = Claimed::new(Visible::Now);
    for (fault, code) in [
        (Fault::captive_portal(), 13),
        (Fault::status(404), 13),
        (Fault::status(403), 5),
    ] {
        job.server.faults().on("GET", "/secrets", fault);
        job.get(&["--wait=300s", "A"]).code(code);
        job.server.faults().clear();
    }
}
