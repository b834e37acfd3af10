//! `keyfob logout`: "forgotten" is what is forgotten, with and without what it was obtained with.

use crate::support::bus::PrivateBus;
use crate::support::home::Home;
use crate::support::keyutils;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

const KEYPAIR: &str = "KEYFOB_NOSANA_KEYPAIR";

/// A server, and a home that has read from it and caches the token by `policy`.
fn logged_in(policy: &str, bus: Option<&PrivateBus>) -> (Nosana, Home, Keypair) {
    let server = Nosana::start();
    let mut home = Home::new();
    if let Some(bus) = bus {
        home.attach(bus);
    }
    let keypair = Keypair::new(1);
    server.put(&keypair.address(), "A", "1");
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    home.set("KEYFOB_TOKEN_CACHE", policy);
    home.run(["get", "A"]).ok().stdout_is("1");
    (server, home, keypair)
}

/// How many logins it takes to read with the keypair, once it is back.
fn logins(server: &Nosana, home: &Home, keypair: &Keypair) -> usize {
    server.forget_requests();
    home.keyfob(["get", "A"])
        .env(KEYPAIR, keypair.json())
        .run()
        .ok()
        .stdout_is("1");
    server.count("POST", "/login")
}

#[test]
fn a_store_that_was_never_set_up_has_nothing_to_forget() {
    let home = Home::new();
    for store in [
        "nosana",
        "bytenite",
        "northflank",
        "neo",
        "openbao",
        "local",
    ] {
        home.run(["logout", store])
            .ok()
            .stderr_has("there was nothing to forget")
            .stderr_lacks("is forgotten");
        let json = home.run(["--json", "logout", store]).ok().json();
        assert_eq!(json["forgotten"], serde_json::json!([]), "{store}");
    }
}

#[test]
fn a_token_is_forgotten_without_the_keypair_that_it_was_obtained_with() {
    if !keyutils::available_for("a_token_is_forgotten_without_the_keypair") {
        return;
    }
    let (server, mut home, keypair) = logged_in("keyutils", None);
    // Another store, whose token is the same one.
    home.set("KEYFOB_TWIN_PROVIDER", "nosana");
    home.set("KEYFOB_TWIN_BASE_URL", server.url());
    home.keyfob(["get", "-s", "twin", "A"])
        .env("KEYFOB_TWIN_KEYPAIR", keypair.json())
        .run()
        .ok();
    home.unset(KEYPAIR);
    home.run(["logout"])
        .ok()
        .stderr_has("the cached token is forgotten");
    home.run(["logout"])
        .ok()
        .stderr_has("there was nothing to forget");
    assert_eq!(logins(&server, &home, &keypair), 1);
    // What one store has obtained and another used is forgotten with either.
    home.keyfob(["get", "-s", "twin", "A"])
        .env("KEYFOB_TWIN_KEYPAIR", keypair.json())
        .run()
        .ok();
    home.run(["logout", "twin"]).ok().stderr_has("is forgotten");
    assert_eq!(logins(&server, &home, &keypair), 1);
    // A keypair that is there and cannot be read is no reason to keep the token.
    home.set(KEYPAIR, home.write("open.json", "no keypair"));
    home.run(["logout"]).ok().stderr_has("is forgotten");
    // Nothing of key, address or token stands in the notes.
    for secret in [keypair.address(), keypair.base58(), server.url().to_owned()] {
        let holding = home.files_holding(secret.as_bytes());
        assert!(holding.is_empty(), "{holding:?}");
    }
}

#[test]
fn what_cannot_be_forgotten_is_an_error() {
    if !PrivateBus::available_for("what_cannot_be_forgotten_is_an_error") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let (server, mut home, keypair) = logged_in("keyring", Some(&bus));
    home.unset(KEYPAIR);
    let refused = |home: &Home, why: &str| {
        home.run(["logout"])
            .code(1)
            .stderr_has("a token that may be cached cannot be forgotten")
            .stderr_has(why)
            .stderr_has("keyfob logout nosana")
            .stderr_lacks("is forgotten")
            .stderr_lacks("nothing to forget");
        let out = home.run(["--json", "logout"]);
        assert_eq!(out.code(1).error()["kind"], "failed");
    };
    bus.freeze();
    home.attach(&bus);
    refused(&home, "did not answer");
    bus.thaw();
    // Over ssh, and by a setting.
    home.unset("DBUS_SESSION_BUS_ADDRESS");
    refused(
        &home,
        "the OS keyring has it, and cannot be reached in this session",
    );
    home.set("KEYFOB_TOKEN_CACHE", "none");
    refused(&home, "leaves out the OS keyring");
    home.set("KEYFOB_TOKEN_CACHE", "keyring");
    home.attach(&bus);
    home.run(["logout"]).ok().stderr_has("is forgotten");
    assert_eq!(logins(&server, &home, &keypair), 1);
    bus.lock();
    refused(&home, "the OS keyring is locked");
}
