//! What outlives a process: a token and its lease, and how new the server's answers must be.

use super::home;
use super::signing_in::{home as signed_in, policy, with_approle};
use crate::support::home::Home;
use crate::support::keyutils;
use crate::support::servers::OpenBao;
use crate::support::servers::openbao::{Granted, Node};

/// A server with a secret, and a home that signs in by AppRole and keeps its token.
fn set_up(test: &str, granted: Granted) -> Option<(OpenBao, Home)> {
    if !keyutils::available_for(test) {
        return None;
    }
    let server = OpenBao::start();
    server.put("app", "K", "v");
    with_approle(&server, None, granted);
    let home = signed_in(&server, "approle", &[("ROLE_ID", "the-role")]);
    Some((server, home.with("KEYFOB_TOKEN_CACHE", "keyutils")))
}

const RENEW: &str = "/v1/auth/token/renew-self";
const REVOKE: &str = "/v1/auth/token/revoke-self";

#[test]
fn processes_that_start_together_sign_in_once() {
    let test = "processes_that_start_together_sign_in_once";
    let Some((server, home)) = set_up(test, Granted::new(policy())) else {
        return;
    };
    let running: Vec<_> = (0..20)
        .map(|_| home.keyfob(["get", "app/K"]).spawn())
        .collect();
    for run in running {
        run.wait().ok().stdout_is("v");
    }
    assert_eq!(server.logins(), 1);
    // The mount is looked for once as well.
    server.forget_requests();
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.asked(), ["GET /v1/secret/data/app"]);
    home.run(["logout"]).ok();
}

#[test]
fn a_token_is_renewed_while_it_is_used() {
    let granted = Granted {
        lease: 45,
        ..Granted::new(policy())
    };
    let Some((server, home)) = set_up("a_token_is_renewed_while_it_is_used", granted) else {
        return;
    };
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.count("POST", RENEW), 0);
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.count("POST", RENEW), 1);
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.count("POST", RENEW), 1);
    assert_eq!(server.logins(), 1);
    home.run(["logout"]).ok();
}

#[test]
fn a_token_that_cannot_be_renewed_is_used_until_it_ends() {
    let granted = Granted {
        lease: 45,
        longest: 45,
        ..Granted::new(policy())
    };
    let test = "a_token_that_cannot_be_renewed_is_used_until_it_ends";
    let Some((server, home)) = set_up(test, granted) else {
        return;
    };
    for _ in 0..4 {
        home.run(["get", "app/K"]).ok().stdout_is("v");
    }
    // It was tried, and is not tried again by each.
    assert_eq!(server.count("POST", RENEW), 1);
    home.run(["logout"]).ok();
}

#[test]
fn logging_out_revokes_the_token() {
    let Some((server, home)) = set_up("logging_out_revokes_the_token", Granted::new(policy()))
    else {
        return;
    };
    home.run(["get", "app/K"]).ok();
    let token = server.requests().pop().unwrap();
    let token = token.header("x-vault-token").unwrap().to_owned();
    assert!(server.knows(&token));
    home.run(["logout"]).ok().stderr_has("the cached token");
    assert_eq!(server.count("POST", REVOKE), 1);
    assert!(!server.knows(&token));
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.logins(), 2);
    // One that was given is its giver's.
    home.run(["logout"]).ok();
    let given = server.token(policy());
    let giver = home.with("BAO_TOKEN", &given);
    giver.run(["get", "app/K"]).ok();
    giver.run(["logout"]).ok();
    assert!(server.knows(&given));
}

#[test]
fn the_next_process_reads_what_this_one_has_written() {
    if !keyutils::available_for("the_next_process_reads_what_this_one_has_written") {
        return;
    }
    let server = OpenBao::start();
    server.put("app", "K", "old");
    server.set_node(Node::Standby);
    let home = home(&server).with("KEYFOB_TOKEN_CACHE", "keyutils");
    home.keyfob(["set", "app/K"]).stdin("new").run().ok();
    home.run(["get", "app/K"]).ok().stdout_is("new");
    // Without an index it is the version that is waited for, of this path of this mount alone.
    let server = OpenBao::start();
    server.put("app", "K", "old");
    server.mount("other", 2);
    server.set_index(false);
    server.set_node(Node::Standby);
    let mut home = super::home(&server).with("KEYFOB_TOKEN_CACHE", "keyutils");
    server.catch_up_after(1);
    home.keyfob(["set", "app/K"]).stdin("new").run().ok();
    server.set_node(Node::Active);
    home.set("KEYFOB_OPENBAO_MOUNT", "other");
    server.forget_requests();
    home.run(["get", "app/K"]).code(3);
    assert_eq!(server.count("GET", "/v1/other/data/app"), 1);
    home.unset("KEYFOB_OPENBAO_MOUNT");
    home.run(["logout"]).ok();
}
