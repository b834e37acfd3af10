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
fn what_is_left_of_a_token_is_left_to_the_next_process() {
    let granted = Granted {
        uses: 4,
        ..Granted::new(policy())
    };
    let test = "what_is_left_of_a_token_is_left_to_the_next_process";
    let Some((server, home)) = set_up(test, granted) else {
        return;
    };
    // The mount and the secret; then the secret alone.
    for logins in [1, 1, 1, 2, 2, 2, 2, 3] {
        home.run(["get", "app/K"]).ok().stdout_is("v");
        assert_eq!(server.logins(), logins);
    }
    // Each request of it was answered: nobody had to be refused to know.
    assert_eq!(server.requests().len(), 3 + 1 + 8);
    home.run(["logout"]).ok();
}

#[test]
fn processes_spend_one_token_and_share_the_next() {
    let granted = Granted {
        uses: 3,
        ..Granted::new(policy())
    };
    let test = "processes_spend_one_token_and_share_the_next";
    let Some((server, home)) = set_up(test, granted) else {
        return;
    };
    home.run(["get", "app/K"]).ok();
    let running: Vec<_> = (0..12)
        .map(|_| home.keyfob(["get", "app/K"]).spawn())
        .collect();
    for run in running {
        run.wait().ok().stdout_is("v");
    }
    // Somebody has spent what this one has seen to be left: one login, for all of its requests.
    for n in 0..22 {
        server.put(&format!("p{n}"), "K", "v");
    }
    let granted = Granted {
        uses: 1000,
        ..Granted::new(policy())
    };
    with_approle(&server, None, granted);
    for _ in 0..3 {
        home.run(["get", "app/K"]).ok();
    }
    let token = server.requests().pop().unwrap();
    server.revoke(token.header("x-vault-token").unwrap());
    let logins = server.logins();
    home.run(["list"]).ok().stdout_has("p21/K");
    assert_eq!(server.logins(), logins + 1);
    home.run(["logout"]).ok();
}

#[test]
fn a_token_of_a_few_seconds_serves_the_next_process() {
    let granted = Granted {
        lease: 29,
        ..Granted::new(policy())
    };
    let test = "a_token_of_a_few_seconds_serves_the_next_process";
    let Some((server, home)) = set_up(test, granted) else {
        return;
    };
    home.run(["get", "app/K"]).ok();
    home.run(["get", "app/K"]).ok();
    assert_eq!(server.logins(), 1);
    home.run(["logout"]).ok();
}

/// The token that the server was sent last.
fn last_token(server: &OpenBao) -> String {
    let request = server.requests().pop().unwrap();
    request.header("x-vault-token").unwrap().to_owned()
}

#[test]
fn logging_out_revokes_what_it_can_no_longer_sign_in_for() {
    let test = "logging_out_revokes_what_it_can_no_longer_sign_in_for";
    let Some((server, home)) = set_up(test, Granted::new(policy())) else {
        return;
    };
    // What it is signed in with is somebody else's word, and is not asked for.
    let elsewhere = OpenBao::start();
    elsewhere.put("ci", "ROLE", "the-role");
    let mut referring = home.with("KEYFOB_TRUST", "1");
    referring.unset("KEYFOB_OPENBAO_ROLE_ID");
    referring.write(
        "keyfob.toml",
        format!(
            "[stores.bao]\nprovider = \"openbao\"\nbase_url = \"{}\"\nauth = \"approle\"\nrole_id = \"keyfob://kept/ci/ROLE\"\n\
             [stores.kept]\nprovider = \"openbao\"\nbase_url = \"{}\"\n",
            server.url(),
            elsewhere.url(),
        ),
    );
    referring.set("KEYFOB_KEPT_TOKEN", crate::support::servers::openbao::TOKEN);
    referring.run(["get", "-s", "bao", "app/K"]).ok();
    let token = last_token(&server);
    referring
        .run(["logout", "bao"])
        .ok()
        .stderr_has("the cached token is forgotten");
    assert!(!server.knows(&token));
    // What it was signed in with is gone with the job.
    server.methods(|methods| {
        let role = (None, "eyJ.the.token".to_owned(), Granted::new(policy()));
        methods.jwt.insert("jwt".to_owned(), vec![role]);
    });
    let job = signed_in(&server, "jwt", &[]).with("KEYFOB_TOKEN_CACHE", "keyutils");
    job.keyfob(["get", "app/K"])
        .env("VAULT_ID_TOKEN", "eyJ.the.token")
        .run()
        .ok();
    let token = last_token(&server);
    job.run(["logout"]).ok().stderr_has("the cached token");
    assert!(!server.knows(&token));
}

#[test]
fn logging_out_says_which_token_lives_on() {
    let granted = Granted {
        is_batch: true,
        ..Granted::new(policy())
    };
    let Some((server, home)) = set_up("logging_out_says_which_token_lives_on", granted) else {
        return;
    };
    home.run(["get", "app/K"]).ok();
    home.run(["logout"])
        .ok()
        .stderr_has("the cached token is forgotten")
        .stderr_has("good until it ends")
        .stderr_has("batch tokens cannot be revoked");
    // One that is gone already is no news.
    with_approle(&server, None, Granted::new(policy()));
    home.run(["get", "app/K"]).ok();
    server.revoke(&last_token(&server));
    home.run(["logout"]).ok().stderr_lacks("good until");
}

#[test]
fn an_index_that_the_server_cannot_read_is_forgotten() {
    if !keyutils::available_for("an_index_that_the_server_cannot_read_is_forgotten") {
        return;
    }
    let server = OpenBao::start();
    with_approle(&server, None, Granted::new(policy()));
    let given = home(&server).with("KEYFOB_TOKEN_CACHE", "keyutils");
    let own = signed_in(&server, "approle", &[("ROLE_ID", "the-role")])
        .with("KEYFOB_TOKEN_CACHE", "keyutils");
    for home in [&given, &own] {
        home.keyfob(["set", "app/K"]).stdin("v").run().ok();
    }
    server.change_indexes();
    for home in [&given, &own] {
        server.forget_requests();
        home.run(["get", "app/K"]).ok().stdout_is("v");
        assert_eq!(server.requests().len(), 2);
        server.forget_requests();
        home.run(["get", "app/K"]).ok().stdout_is("v");
        assert_eq!(server.requests().len(), 1);
        home.run(["logout"]).ok();
    }
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
