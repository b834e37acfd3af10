//! Selections from several stores, and from stores that are never out of reach.

use super::*;
use crate::support::servers::Northflank;
use crate::support::servers::northflank::{API_TOKEN, PROJECT};

/// A Northflank with the secret `A`, and a CI runner that knows it.
pub(super) fn northflank() -> (Northflank, Home) {
    let server = Northflank::start();
    let group = server
        .groups()
        .put_variables("Api Env", json!({"A": CANARY}));
    let mut home = Home::new();
    know(&mut home, &server, &group);
    home.set("KEYFOB_STORE", "northflank");
    home.set("CI", "true");
    home.set("KEYFOB_FALLBACK_KEY", KEY);
    (server, home)
}

fn know(home: &mut Home, server: &Northflank, group: &str) {
    home.set("KEYFOB_NORTHFLANK_BASE_URL", server.url());
    home.set("KEYFOB_NORTHFLANK_PROJECT", PROJECT);
    home.set("KEYFOB_NORTHFLANK_GROUP", group);
    home.set("KEYFOB_NORTHFLANK_API_TOKEN", API_TOKEN);
}

/// Both servers with a secret each, and a home that knows both.
fn both() -> (Nosana, Keypair, Northflank, Home) {
    let (nosana, mut home, keypair) = set_up();
    let northflank = Northflank::start();
    let group = northflank
        .groups()
        .put_variables("Api Env", json!({"B": "b"}));
    know(&mut home, &northflank, &group);
    (nosana, keypair, northflank, home)
}

fn print_both(home: &Home, options: &[&str]) -> Run {
    home.keyfob([
        "run",
        "--fallback",
        "-e",
        "B=keyfob://northflank/B",
        "-e",
        "A=A",
    ])
    .args(options)
    .args(["--", "sh", "-c", "echo $A $B"])
    .run()
}

#[test]
fn a_project_s_secrets_come_back_too() {
    let (server, mut home) = northflank();
    keep(&home);
    for fault in [Fault::status(503), Fault::close_unapplied(), Fault::Hang] {
        server.faults().clear();
        server.faults().always(fault);
        let run = while_down(&home, &[]);
        run.ok()
            .stdout_is(format!("{CANARY}\n"))
            .stderr_has("northflank cannot be reached");
    }
    server.faults().clear();
    server.stop();
    home.set("KEYFOB_NORTHFLANK_PROJECT", "another");
    assert_failed(&while_down(&home, &[]));
    home.set("KEYFOB_NORTHFLANK_PROJECT", PROJECT);
    home.set("KEYFOB_NORTHFLANK_TEAM", "acme");
    assert_failed(&while_down(&home, &[]));
    home.unset("KEYFOB_NORTHFLANK_TEAM");
    // A new token for the same place is the same place.
    home.set("KEYFOB_NORTHFLANK_API_TOKEN", "another-token");
    while_down(&home, &[]).ok();
}

#[test]
fn one_store_down_is_all_from_the_snapshot() {
    let (nosana, keypair, northflank, home) = both();
    print_both(&home, &[])
        .ok()
        .stdout_is(format!("{CANARY} b\n"));
    nosana.put(&keypair.address(), "A", "newer than the snapshot");
    northflank.stop();
    let run = print_both(&home, &["--timeout", "5s"]);
    run.ok()
        .stdout_is(format!("{CANARY} b\n"))
        .stderr_has("northflank cannot be reached")
        .stderr_has(", for nosana as well\n");
    nosana.stop();
    print_both(&home, &["--timeout", "5s"])
        .ok()
        .stdout_is(format!("{CANARY} b\n"))
        .stderr_has("northflank and nosana cannot be reached")
        .stderr_lacks("as well");
}

#[test]
fn one_store_down_does_not_hide_what_is_wrong_with_another() {
    let (nosana, _, northflank, home) = both();
    print_both(&home, &[]).ok();
    northflank.stop();
    nosana.faults().on("GET", "/secrets", Fault::status(404));
    let run = print_both(&home, &["--timeout", "5s"]);
    assert_failed(&run);
    run.stderr_has("404");
    assert_eq!(snapshots(&home).len(), 1);
    nosana.faults().clear();
    nosana.faults().on("GET", "/secrets", token_rejected());
    let run = print_both(&home, &["--timeout", "5s"]);
    assert_failed(&run);
    run.stderr_has("nosana refused the credential");
    assert!(snapshots(&home).is_empty());
}

#[test]
fn nothing_is_kept_of_the_local_vault_alone() {
    let home = Home::new().with("CI", "true");
    let identity = home.write_private("identity.txt", KEY);
    let home = home.with("KEYFOB_LOCAL_IDENTITY", identity);
    home.keyfob(["set", "A"]).stdin(CANARY).run().ok();
    print_a(&home, &["--fallback", "-v"])
        .run()
        .ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_has("only local stores are selected");
    print_a(&home, &["--fallback"]).run().ok().quiet();
    assert!(!home.data().join("fallback").exists());
    assert!(!home.data().join("identity.txt").exists());
}

#[test]
fn the_local_vault_beside_a_server_is_kept_along() {
    let (server, home, _) = set_up();
    home.keyfob(["set", "keyfob://local/B"])
        .stdin("b")
        .run()
        .ok();
    let run = |options: &[&str]| {
        home.keyfob(["run", "--fallback", "-e", "A=A", "-e", "B=keyfob://local/B"])
            .args(options)
            .args(["--", "sh", "-c", "echo $A $B"])
            .run()
    };
    run(&[]).ok().stdout_is(format!("{CANARY} b\n"));
    server.stop();
    run(&["--timeout", "5s"])
        .ok()
        .stdout_is(format!("{CANARY} b\n"))
        .stderr_has(", for local as well");
}

#[test]
fn a_store_whose_values_nobody_can_read_says_so() {
    let home = Home::new().with("KEYFOB_NEO_API_KEY", "k");
    let run = home.run(["run", "--fallback", "-s", "neo", "--", "true"]);
    run.code(125).stderr_lacks("snapshot");
}
