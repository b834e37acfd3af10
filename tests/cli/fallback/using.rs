//! When a snapshot is used, and when it is not.

use serde_json::json;

use super::*;
use crate::support::servers::nosana::{Job, Visible};
use crate::support::servers::{Certificate, Listen, Northflank};

#[test]
fn a_backend_that_dies_between_two_runs_does_not_stop_the_second() {
    let (server, home, keypair) = set_up();
    keep(&home);
    server.put(&keypair.address(), "A", "changed later");
    server.stop();
    // With the retries and the deadline that are the default.
    let run = print_a(&home, &["--fallback"]).run();
    assert_used(&run);
    run.stderr_has("connection refused");
    let run = home
        .keyfob(["run", "--fallback", "--timeout", "500ms", "--only", "A"])
        .args(["--", "sh", "-c", "exit 42"])
        .run();
    run.code(42).stderr_has(" ago (");
}

#[test]
fn the_age_is_said_even_where_nothing_else_is() {
    let (server, home, _) = set_up();
    keep(&home);
    server.stop();
    assert_used(&while_down(&home, &["-q"]));
    assert_used(&while_down(&home, &["--json"]));
}

#[test]
fn without_the_option_nothing_is_kept_or_used() {
    let (server, home, _) = set_up();
    print_a(&home, &[]).run().ok();
    assert!(!home.data().join("fallback").exists());
    keep(&home);
    server.stop();
    assert_failed(&print_a(&home, &["--timeout", "500ms"]).run());
}

#[test]
fn every_way_of_being_out_of_reach_counts() {
    let (server, home, _) = set_up();
    keep(&home);
    for (method, path) in [("POST", "/login"), ("GET", "/secrets")] {
        for fault in [
            Fault::close_unapplied(),
            Fault::ResetMidBody,
            Fault::Hang,
            Fault::status(408),
            Fault::status(500),
            Fault::status(502),
            Fault::status(503),
            Fault::status(504),
            Fault::Answer(Answer::status(503).header("retry-after", 3600)),
            Fault::Answer(Answer::text(500, r#"{"type":"InternalServerError"}"#)),
        ] {
            eprintln!("{method} {path} {fault:?}");
            server.faults().clear();
            server.faults().on(method, path, fault);
            assert_used(&while_down(&home, &[]));
        }
    }
    server.faults().clear();
    print_a(&home, &["--fallback"])
        .run()
        .ok()
        .stderr_lacks("snapshot");
}

#[test]
fn a_certificate_that_is_not_trusted_is_out_of_reach() {
    let server = Nosana::listen(Listen::Tls(Certificate::Good));
    let (_, mut home, keypair) = set_up();
    server.put(&keypair.address(), "A", CANARY);
    home.set("KEYFOB_NOSANA_BASE_URL", server.url());
    home.set("KEYFOB_NOSANA_CA_FILE", server.ca_file());
    keep(&home);
    home.unset("KEYFOB_NOSANA_CA_FILE");
    // Long enough to see the certificate, however busy the machine is.
    let run = print_a(&home, &["--fallback", "--timeout", "30s"]).run();
    assert_used(&run);
    run.stderr_has("certificate is not trusted");
}

#[test]
fn what_is_no_outage_fails_and_leaves_the_snapshot_alone() {
    let (server, home, _) = set_up();
    keep(&home);
    let clock = json!({"type": "ValidationError", "error": "timestamp expired"});
    for (method, path, fault) in [
        ("GET", "/secrets", Fault::status(404)),
        ("GET", "/secrets", Fault::status(400)),
        ("GET", "/secrets", Fault::rate_limited(3600)),
        ("POST", "/login", Fault::rate_limited(3600)),
        ("GET", "/secrets", Fault::captive_portal()),
        ("POST", "/login", Fault::captive_portal()),
        ("GET", "/secrets", Fault::Truncated),
        (
            "GET",
            "/secrets",
            Fault::redirect(307, "http://127.0.0.1:9/elsewhere"),
        ),
        (
            "POST",
            "/login",
            Fault::Answer(Answer::text(400, clock.to_string())),
        ),
    ] {
        eprintln!("{method} {path} {fault:?}");
        server.faults().clear();
        server.faults().on(method, path, fault);
        let run = print_a(&home, &["--fallback"]).run();
        assert_failed(&run);
        run.stderr_lacks("snapshot");
        assert_eq!(snapshots(&home).len(), 1);
    }
}

#[test]
fn a_group_that_does_not_say_what_it_holds_leaves_the_snapshot_alone() {
    let server = Northflank::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "northflank")
        .set("KEYFOB_NORTHFLANK_GROUP", "grp")
        .set("CI", "true")
        .set("KEYFOB_FALLBACK_KEY", KEY)
        .knows_northflank(&server);
    server.groups().put_variables("grp", json!({"A": CANARY}));
    // Without a selection, so that nothing is missed that was asked for by name.
    let print = || {
        home.keyfob(["run", "--fallback", "--timeout", "2s", "--"])
            .args(["sh", "-c", "printf '%s\\n' \"$A\""])
            .run()
    };
    print().ok().stdout_is(format!("{CANARY}\n"));
    let get = "/v1/projects/shop/secrets/grp";
    for body in [
        json!({"data": null}),
        json!({"data": "x"}),
        json!({"data": {"id": "grp", "name": "grp"}}),
        json!({"data": {"id": "grp", "secrets": null}}),
        json!({"data": {"id": "grp", "secrets": {"variables": []}}}),
    ] {
        server.faults().clear();
        let answer = Fault::Answer(Answer::json(200, &body));
        server.faults().on("GET", get, answer);
        assert_failed(&print());
        server.faults().clear();
        server.faults().always(Fault::status(503));
        print()
            .ok()
            .stdout_is(format!("{CANARY}\n"))
            .stderr_has("running with the snapshot from");
    }
}

#[test]
fn a_job_that_the_server_does_not_know_is_no_outage_whatever_the_number() {
    let (server, mut home, keypair) = set_up();
    let job = Keypair::new(8).address();
    let known = Job {
        project: keypair.address(),
        node: Some(keypair.address()),
        secrets: Some(vec!["A".to_owned()]),
        visible: Visible::Now,
    };
    server.put_job(&job, known);
    home.set("KEYFOB_NOSANA_JOB", job);
    keep(&home);
    let unknown = Answer::text(500, r#"{"type":"InternalServerError"}"#);
    server.faults().on("POST", "/login", Fault::Answer(unknown));
    let run = print_a(&home, &["--fallback"]).run();
    assert_failed(&run);
    run.stderr_has("does not know the job")
        .stderr_lacks("snapshot");
    assert_eq!(snapshots(&home).len(), 1);
    server.faults().clear();
    server.faults().on("GET", "/secrets", Fault::status(503));
    assert_used(&while_down(&home, &[]));
}

#[test]
fn what_is_wrong_on_this_machine_fails_and_leaves_the_snapshot_alone() {
    let (server, home, keypair) = set_up();
    keep(&home);
    server.remove(&keypair.address(), "A");
    let run = print_a(&home, &["--fallback"]).run();
    assert_failed(&run);
    run.stderr_has("no secret named A");
    server.stop();
    let without_keypair = print_a(&home, &["--fallback"])
        .env("KEYFOB_NOSANA_KEYPAIR", home.work().join("absent.json"))
        .run();
    assert_failed(&without_keypair);
    without_keypair.stderr_lacks("snapshot");
    assert_eq!(snapshots(&home).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_command_that_does_not_print_the_credential_in_time_is_no_outage() {
    let (server, mut home) = several::northflank();
    keep(&home);
    home.unset("KEYFOB_NORTHFLANK_API_TOKEN");
    home.set("KEYFOB_NORTHFLANK_API_TOKEN_COMMAND", "exec sleep 60");
    server.forget_requests();
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("did not finish in time")
        .stderr_lacks("snapshot");
    assert!(server.requests().is_empty());
    assert_eq!(snapshots(&home).len(), 1);
}

#[test]
fn there_is_nothing_to_fall_back_on_at_first() {
    let (server, home, _) = set_up();
    server.stop();
    let run = while_down(&home, &["--json"]);
    run.code(125);
    assert_eq!(run.error()["kind"], "unavailable");
    assert_eq!(run.error()["store"], "nosana");
    let hint = run.error()["hint"].to_string();
    assert!(
        hint.contains("there is no fallback snapshot of this selection yet"),
        "{hint}"
    );
    assert!(
        hint.contains("each run with --fallback that reaches its stores keeps one"),
        "{hint}"
    );
}

#[test]
fn one_that_is_too_old_is_not_used() {
    let (server, home, _) = set_up();
    keep(&home);
    server.stop();
    change(&snapshots(&home)[0], |content| {
        content["taken_at"] = json!("2020-01-01T00:00:00Z");
    });
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("connection refused")
        .stderr_has("the fallback snapshot is from ")
        .stderr_has(" ago (2020-01-01T00:00:00Z), older than --max-stale 1d\n");
    assert_failed(&while_down(&home, &["--max-stale", "90m"]));
    let run = while_down(&home, &["--max-stale", "36500d"]);
    run.ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_has(" ago (2020-01-01T00:00:00Z)");
}

#[test]
fn one_from_the_future_is_not_used() {
    let (server, home, _) = set_up();
    keep(&home);
    server.stop();
    change(&snapshots(&home)[0], |content| {
        content["taken_at"] = json!("2999-01-01T00:00:00Z");
    });
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("2999-01-01T00:00:00Z")
        .stderr_has("clock is wrong");
}

#[test]
fn one_that_is_damaged_is_not_used_and_is_replaced() {
    let (server, home, _) = set_up();
    keep(&home);
    let path = snapshots(&home).remove(0);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [&flipped[..], &good[..good.len() / 2], b"nonsense", b""] {
        fs::write(&path, bad).unwrap();
        server.faults().always(Fault::status(503));
        let run = while_down(&home, &[]);
        assert_failed(&run);
        run.stderr_has("the fallback snapshot ")
            .stderr_has(" is damaged");
        server.faults().clear();
        keep(&home);
        server.faults().always(Fault::status(503));
        assert_used(&while_down(&home, &[]));
        server.faults().clear();
    }
    change(&path, |content| content["keyfob"] = json!(2));
    server.stop();
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("written by another version of keyfob");
}

#[test]
fn one_that_the_identity_did_not_make_is_taken_for_damaged() {
    let (server, home, _) = set_up();
    keep(&home);
    server.stop();
    let path = snapshots(&home).remove(0);
    let identity: age::x25519::Identity = KEY.parse().unwrap();
    let content = age::decrypt(&identity, &fs::read(&path).unwrap()).unwrap();
    let recipient: age::x25519::Recipient = PUBLIC.parse().unwrap();
    fs::write(&path, age::encrypt(&recipient, &content).unwrap()).unwrap();
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("is damaged");
}

#[test]
fn another_selection_has_another_snapshot() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "B", "b");
    keep(&home);
    server.stop();
    for other in [
        &["-e", "A=A"][..],
        &["--only", "B"],
        &["--upper"],
        &["--except", "B"],
    ] {
        let run = while_down(&home, other);
        assert_failed(&run);
        run.stderr_has("no fallback snapshot of this selection");
    }
    // These do not decide what is read.
    assert_used(&while_down(&home, &["--keep-existing", "--wait"]));
}

#[test]
fn another_account_or_job_has_another_snapshot() {
    let (server, home, _) = set_up();
    keep(&home);
    server.stop();
    for (variable, value) in [
        ("KEYFOB_NOSANA_KEYPAIR", Keypair::new(9).json()),
        ("KEYFOB_NOSANA_JOB", Keypair::new(8).address()),
        ("KEYFOB_NOSANA_BASE_URL", "http://127.0.0.1:9".to_owned()),
    ] {
        let options = ["--fallback", "--timeout", "500ms"];
        let run = print_a(&home, &options).env(variable, value).run();
        assert_failed(&run);
        run.stderr_has("no fallback snapshot of this selection");
    }
}

#[test]
fn values_of_files_are_taken_from_the_files() {
    let (server, home, _) = set_up();
    home.write("app.env", "A=keyfob://nosana/A\nMODE=one\n");
    let run = |options: &[&str]| {
        home.keyfob(["run", "--fallback", "--env-file", "app.env"])
            .args(options)
            .args(["--", "sh", "-c", "echo $A $MODE"])
            .run()
    };
    run(&[]).ok();
    server.stop();
    home.write("app.env", "A=keyfob://nosana/A\nMODE=two\n");
    run(&["--timeout", "500ms"])
        .ok()
        .stdout_is(format!("{CANARY} two\n"));
}

#[test]
fn values_of_any_bytes_and_all_of_a_store_come_back() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "B", "two\nlines \u{2603} \"'\\\u{1}");
    server.put(&keypair.address(), "C", json!({"a": [1, null]}));
    server.put(&keypair.address(), "not-a-variable", "left out");
    let run = |options: &[&str]| {
        home.keyfob(["run", "--fallback", "--pristine"])
            .args(options)
            .args(["--", "/usr/bin/env", "-0"])
            .run()
    };
    let first = run(&[]);
    first.ok().stdout_has("C={\"a\":[1,null]}");
    server.stop();
    let second = run(&["--timeout", "500ms"]);
    assert_eq!(second.ok().stdout, first.stdout);
}

#[test]
fn masked_output_stays_masked() {
    let (server, home, _) = set_up();
    let run =
        |options: &[&str]| print_a(&home, &[&["--fallback", "--mask"], options].concat()).run();
    run(&[]).ok().stdout_is("***\n");
    server.stop();
    run(&["--timeout", "500ms"])
        .ok()
        .stdout_is("***\n")
        .stderr_has("running with the snapshot");
}

#[test]
fn the_options_belong_together() {
    let (_server, home, _) = set_up();
    print_a(&home, &["--max-stale", "1h"])
        .run()
        .code(125)
        .stderr_has("--fallback");
    for bad in ["soon", "-1h"] {
        print_a(&home, &["--fallback", &format!("--max-stale={bad}")])
            .run()
            .code(125);
    }
    print_a(&home, &["--fallback", "--max-stale", "0"])
        .run()
        .code(125)
        .stderr_has("no snapshot could be used");
    print_a(&home, &["--fallback="]).run().code(125);
}
