//! Replacing on Neo, which can only delete and create: what is interrupted in between, by a kill or
//! a dead network, loses nothing and is finished later.

use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::neo::{ONE, SECRETS, action, assert_nothing_open, journal, set, set_up};
use crate::support::run::Keyfob;
use crate::support::servers::faults::Fault;
use crate::support::servers::{Answer, Neo};
use crate::support::wait::until;

#[test]
fn replacing_deletes_then_creates_and_leaves_nothing_open() {
    let (server, home) = set_up();
    let old = server.put("A", "old");
    let run = set(&home, "A", "hunter2").arg("--json").run();
    assert_eq!(action(run.ok()), "updated");
    assert_eq!(
        server.asked(),
        [
            "GET /v1/secrets?limit=100&offset=0".to_owned(),
            format!("DELETE /v1/secrets/{old}"),
            "POST /v1/secrets".to_owned(),
            "GET /v1/secrets?limit=100&offset=0".to_owned(),
        ]
    );
    assert_eq!(server.value("A").unwrap(), "hunter2");
    assert_nothing_open(&home);
}

#[test]
fn the_description_is_kept_as_far_as_the_list_shows_it() {
    let (server, home) = set_up();
    let id = server.put("A", "old");
    let listed = json!({
        "secrets": [{"id": id, "name": "A", "description": "what for"}],
        "pagination": {"total": 1, "limit": 100, "offset": 0},
    });
    server
        .faults()
        .once_on("GET", SECRETS, Fault::Answer(Answer::json(200, &listed)));
    set(&home, "A", "new").run().ok();
    assert_eq!(server.secret("A").unwrap().description.unwrap(), "what for");
    home.keyfob(["set", "A", "--description", "other"])
        .stdin("new")
        .run()
        .ok();
    assert_eq!(server.secret("A").unwrap().description.unwrap(), "other");
}

#[test]
fn the_new_value_is_on_disk_and_sealed_before_the_old_one_is_deleted() {
    let (server, home) = set_up();
    server.put("NAME", "old");
    server.faults().once_on("DELETE", ONE, Fault::Hang);
    let running = set(&home, "NAME", "hunter2-hunter2").spawn();
    until("the delete", || {
        server.asked().iter().any(|line| line.starts_with("DELETE"))
    });
    let files = journal(&home);
    assert_eq!(files.len(), 1);
    let sealed = std::fs::read(&files[0]).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            files[0].metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    running.kill();
    assert!(home.files_holding(b"hunter2-hunter2").is_empty());
    for part in ["NAME", "neo", "127.0.0.1"] {
        assert!(
            !files[0]
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .contains(part)
        );
    }
}

#[test]
fn a_delete_that_is_refused_leaves_everything_as_it_was() {
    let (server, home) = set_up();
    server.put("A", "old");
    server.set_read_only(true);
    set(&home, "A", "new").run().code(5);
    assert_eq!(server.value("A").unwrap(), "old");
    assert_nothing_open(&home);
    server.set_read_only(false);
    let answer = Answer::json(200, &json!({"success": false, "message": "not today"}));
    server.faults().on("DELETE", ONE, Fault::Answer(answer));
    home.run(["delete", "-y", "A"])
        .code(1)
        .stderr_has("not today");
    set(&home, "A", "new").run().code(1).stderr_has("not today");
    assert_nothing_open(&home);
    assert_eq!(server.value("A").unwrap(), "old");
}

#[test]
fn a_delete_whose_answer_is_lost_is_looked_up() {
    for fault in [
        Fault::close_applied(),
        Fault::ResetMidBody,
        Fault::Truncated,
        Fault::status(503),
    ] {
        let (server, home) = set_up();
        server.put("A", "old");
        server.faults().once_on("DELETE", ONE, fault.clone());
        set(&home, "A", "new").run().ok();
        assert_eq!(server.value("A").unwrap(), "new", "{fault:?}");
        assert_nothing_open(&home);
        server.faults().once_on("DELETE", ONE, fault);
        home.run(["delete", "-y", "A"]).ok();
        assert!(server.secrets().is_empty());
    }
}

#[test]
fn a_create_that_is_answered_by_nonsense_is_open_and_finished_later() {
    let (server, home) = set_up();
    server.put("A", "old");
    server.faults().on("POST", SECRETS, Fault::captive_portal());
    set(&home, "A", "hunter2")
        .run()
        .code(13)
        .stderr_has("A is deleted")
        .stderr_has("keyfob rotate --resume");
    home.run(["rotate", "--resume"]).code(13);
    assert_eq!(server.count("POST", SECRETS), 2);
    server.faults().clear();
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("A").unwrap(), "hunter2");
    assert_nothing_open(&home);
}

#[test]
fn a_network_that_dies_after_the_delete_loses_nothing() {
    let (server, home) = set_up();
    server.put("A", "old");
    server.faults().once_on("DELETE", ONE, Fault::after(|| ()));
    server.faults().add(
        |request| request.method != "DELETE",
        1,
        usize::MAX,
        Fault::close_unapplied(),
    );
    let run = set(&home, "A", "hunter2").arg("--timeout=5s").run();
    run.code(8)
        .stderr_has("keyfob rotate --resume")
        .stderr_has("A is deleted")
        .lacks("hunter2");
    assert!(server.secrets().is_empty());
    assert!(home.files_holding(b"hunter2").is_empty());

    // At the next use it says so, by name; and it lists what is open without asking anybody.
    server.faults().clear();
    server.forget_requests();
    home.run(["list"])
        .ok()
        .stderr_has("the replacement of A")
        .stderr_has("keyfob rotate --resume");
    home.run(["delete", "-y", "B"])
        .code(3)
        .stderr_has("the replacement of A");
    set(&home, "C", "v")
        .run()
        .ok()
        .stderr_has("the replacement of A");
    server.forget_requests();
    let open = home.run(["--json", "rotate", "--list"]).ok().json();
    assert_eq!(open.as_array().unwrap().len(), 1);
    assert_eq!(open[0]["name"], "A");
    assert_eq!(
        (&open[0]["store"], &open[0]["provider"]),
        (&json!("neo"), &json!("neo"))
    );
    assert_eq!(open[0]["url"], server.url());
    home.run(["rotate", "--list"])
        .ok()
        .stdout_has("A")
        .lacks("hunter2");
    home.keyfob(["rotate", "--list", "-s", "local"])
        .run()
        .ok()
        .stdout_is("");
    assert_eq!(server.asked(), Vec::<String>::new());

    let run = home.run(["--json", "rotate", "--resume"]);
    assert_eq!(
        run.ok().json(),
        json!([{
            "secret": "keyfob://neo/A",
            "outcome": "replaced",
            "targets": [{"secret": "keyfob://neo/A", "holds": "new"}],
        }])
    );
    assert_eq!(server.value("A").unwrap(), "hunter2");
    assert_nothing_open(&home);
    let run = home.run(["--json", "rotate", "--resume"]);
    assert_eq!(run.ok().json(), json!([]));
}

#[test]
fn an_outage_shorter_than_the_deadline_is_waited_out() {
    let (server, home) = set_up();
    server.put("A", "old");
    // After the list and the delete, six requests fail.
    server.faults().add(|_| true, 2, 6, Fault::status(503));
    set(&home, "A", "new").run().ok();
    assert_eq!(server.value("A").unwrap(), "new");
    assert_nothing_open(&home);
}

/// One request at which the process is killed.
#[derive(Clone, Copy, Debug)]
struct Boundary {
    /// The first request of this method.
    method: &'static str,
    /// Whether the request has its effect.
    applied: bool,
}

fn at(method: &'static str, applied: bool) -> Boundary {
    Boundary { method, applied }
}

/// Kills the process before that request is answered, once it had its effect or before.
fn kill_at(server: &Neo, command: Keyfob, boundary: Boundary) {
    let process: Arc<OnceLock<Pid>> = Arc::default();
    let fault = match boundary.applied {
        true => {
            let process = Arc::clone(&process);
            Fault::after(move || {
                let process = process.wait();
                kill_process(*process, Signal::KILL).expect("a running process");
            })
        }
        false => Fault::Hang,
    };
    let method = boundary.method;
    server
        .faults()
        .add(move |request| request.method == method, 0, 1, fault);
    let before = server.requests().len();
    let running = command.spawn();
    let pid = i32::try_from(running.pid()).ok().and_then(Pid::from_raw);
    process.set(pid.expect("a process id")).expect("set once");
    let run = match boundary.applied {
        true => running.wait(),
        false => {
            let sent = || {
                server.requests()[before..]
                    .iter()
                    .any(|request| request.method == method)
            };
            until("the request", sent);
            running.kill()
        }
    };
    assert_eq!(run.signal, Some(9), "{boundary:?}: {}", run.stderr);
    server.faults().clear();
}

#[test]
fn a_kill_at_any_request_loses_nothing_and_is_resumed() {
    for method in ["GET", "DELETE", "POST"] {
        for applied in [false, true] {
            let boundary = at(method, applied);
            let (server, home) = set_up();
            server.put("A", "old");
            kill_at(&server, set(&home, "A", "hunter2"), boundary);
            if method == "GET" {
                // Nothing was begun: the old value is there, and nothing to be finished.
                assert_eq!(server.value("A").unwrap(), "old");
                assert_nothing_open(&home);
                continue;
            }
            home.run(["list"]).ok().stderr_has("keyfob rotate --resume");
            home.run(["rotate", "--resume"]).ok();
            assert_eq!(server.value("A").unwrap(), "hunter2", "{boundary:?}");
            assert_eq!(server.secrets().len(), 1);
            assert_nothing_open(&home);
        }
    }
}

#[test]
fn a_resume_that_is_killed_is_resumed_again() {
    for method in ["GET", "DELETE", "POST"] {
        for applied in [false, true] {
            let boundary = at(method, applied);
            let (server, home) = set_up();
            server.put("A", "old");
            let first = at("DELETE", false);
            kill_at(&server, set(&home, "A", "hunter2"), first);
            kill_at(&server, home.keyfob(["rotate", "--resume"]), boundary);
            home.run(["rotate", "--resume"]).ok();
            assert_eq!(server.value("A").unwrap(), "hunter2", "{boundary:?}");
            assert_eq!(server.secrets().len(), 1);
            assert_nothing_open(&home);
        }
    }
}

#[test]
fn setting_the_name_again_supersedes_what_is_open() {
    for method in ["DELETE", "POST"] {
        for applied in [false, true] {
            let (server, home) = set_up();
            server.put("A", "old");
            let command = home
                .keyfob(["set", "A", "--description", "what for"])
                .stdin("first");
            kill_at(&server, command, at(method, applied));
            home.keyfob(["set", "--if-absent", "A"])
                .stdin("no")
                .run()
                .code(6);
            // Another kill, with the second value: the first one is superseded only now.
            let again = at("POST", false);
            kill_at(&server, set(&home, "A", "second"), again);
            assert_eq!(journal(&home).len(), 1);
            home.run(["rotate", "--resume"]).ok();
            let secret = server.secret("A").unwrap();
            assert_eq!(secret.value, "second", "{method} {applied}");
            if !(method == "POST" && applied) {
                // This server's list shows no description; what is open knows it.
                let kept = method == "POST" || applied;
                assert_eq!(secret.description.is_some(), kept, "{method} {applied}");
            }
            assert_nothing_open(&home);

            kill_at(&server, set(&home, "A", "third"), at(method, applied));
            let run = set(&home, "A", "fourth").arg("--json").run();
            assert_eq!(action(run.ok()), "updated");
            assert_eq!(server.value("A").unwrap(), "fourth");
            assert_eq!(server.secrets().len(), 1);
            assert_nothing_open(&home);
        }
    }
}

#[test]
fn deleting_the_name_drops_what_is_open() {
    for applied in [false, true] {
        let (server, home) = set_up();
        server.put("A", "old");
        kill_at(&server, set(&home, "A", "new"), at("DELETE", applied));
        home.run(["delete", "-y", "A"]).ok();
        assert!(server.secrets().is_empty());
        assert_nothing_open(&home);
    }
}

#[test]
fn what_somebody_else_created_in_between_is_not_taken_for_ours() {
    let (server, home) = set_up();
    server.put("A", "old");
    kill_at(&server, set(&home, "A", "ours"), at("DELETE", true));
    server.put("A", "theirs");
    let run = home.run(["rotate", "--resume"]);
    run.code(6).stderr_has("somebody else has created A");
    assert_eq!(server.value("A").unwrap(), "theirs");
    assert_eq!(journal(&home).len(), 1);
    set(&home, "A", "ours after all").run().ok();
    assert_eq!(server.value("A").unwrap(), "ours after all");
    assert_nothing_open(&home);
}

#[test]
fn a_new_value_that_is_refused_is_kept_until_another_is_taken() {
    let (server, home) = set_up();
    server.put("A", "old");
    let body = json!({"error": {"code": "INVALID_REQUEST", "message": "value is too long"}});
    server
        .faults()
        .once_on("POST", SECRETS, Fault::Answer(Answer::json(400, &body)));
    let run = set(&home, "A", "hunter2").run();
    run.code(13)
        .stderr_has("too long")
        .stderr_has("kept")
        .lacks("hunter2");
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("A").unwrap(), "hunter2");
    assert_nothing_open(&home);
}

#[test]
fn a_journal_is_bound_to_its_address() {
    let (server, mut home) = set_up();
    server.put("A", "old");
    kill_at(&server, set(&home, "A", "hunter2"), at("DELETE", true));
    let other = Neo::start();
    home.set("KEYFOB_NEO_BASE_URL", other.url());
    home.run(["rotate", "--resume"])
        .code(6)
        .stderr_has(&server.url());
    set(&home, "A", "elsewhere").run().ok();
    assert_eq!(other.value("A").unwrap(), "elsewhere");
    assert!(
        other
            .requests()
            .iter()
            .all(|request| !request.text().contains("hunter2"))
    );
    home.set("KEYFOB_NEO_BASE_URL", server.url());
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("A").unwrap(), "hunter2");
}

#[test]
fn a_journal_that_cannot_be_opened_is_said_and_hides_no_other() {
    let (server, home) = set_up();
    for name in ["A", "B"] {
        server.put(name, "old");
        kill_at(&server, set(&home, name, "new"), at("DELETE", true));
    }
    std::fs::write(&journal(&home)[0], b"age-encryption.org/v1\nnonsense").unwrap();
    home.run(["list"])
        .ok()
        .stderr_has("2 replacements")
        .stderr_has("keyfob rotate --resume");
    home.run(["rotate", "--list"])
        .code(13)
        .stderr_has("is damaged");
    home.run(["rotate", "--resume"]).code(13);
    assert_eq!(server.secrets().len(), 1);
    assert_eq!(server.secrets()[0].value, "new");
}

#[test]
fn an_identity_from_the_environment_seals_what_only_it_opens() {
    const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let (server, mut home) = set_up();
    home.set("KEYFOB_FALLBACK_KEY", KEY);
    server.put("A", "old");
    kill_at(&server, set(&home, "A", "new"), at("DELETE", true));
    // No identity of keyfob's own was made.
    assert!(home.files_holding(b"AGE-SECRET-KEY").is_empty());
    home.keyfob(["rotate", "--resume"])
        .env_remove("KEYFOB_FALLBACK_KEY")
        .run()
        .code(4);
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("A").unwrap(), "new");
}

#[test]
fn without_a_place_for_the_new_value_nothing_is_deleted() {
    let (server, home) = set_up();
    server.put("A", "old");
    std::fs::create_dir_all(home.data()).unwrap();
    std::fs::write(home.data().join("journal"), b"in the way").unwrap();
    set(&home, "A", "new")
        .run()
        .code(1)
        .stderr_has("was not replaced");
    assert_eq!(server.value("A").unwrap(), "old");
}

#[test]
fn doctor_tells_of_it_in_one_line() {
    let (server, home) = set_up();
    server.put("A", "old");
    kill_at(&server, set(&home, "A", "new"), at("DELETE", true));
    let examined = home.run(["--json", "doctor", "-s", "neo"]);
    let examined = examined.code(1).json();
    let checks = examined["checks"].as_array().unwrap().iter();
    let mut told = checks.filter(|check| check["detail"].to_string().contains("interrupted"));
    let check = told.next().unwrap();
    assert_eq!(check["check"], "rotations");
    assert_eq!(check["status"], "fault");
    assert_eq!(check["subject"], "keyfob://neo/A");
    assert!(told.next().is_none(), "{examined}");
    assert_eq!(examined["faults"], 1);
}

#[test]
fn what_is_named_is_finished_and_nothing_else() {
    let (server, home) = set_up();
    for name in ["A", "B"] {
        server.put(name, "old");
        kill_at(&server, set(&home, name, "new"), at("DELETE", true));
    }
    home.run(["rotate", "--resume", "C"]).code(3);
    home.run(["rotate", "--resume", "B"]).ok();
    assert_eq!(server.value("B").unwrap(), "new");
    let open = home.run(["--json", "rotate", "--list"]).ok().json();
    assert_eq!(open.as_array().unwrap().len(), 1);
    assert_eq!(open[0]["name"], "A");
}
