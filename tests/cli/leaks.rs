//! No value, keypair or token comes out anywhere it should not, whatever fails.

use crate::support::home::Home;
use crate::support::servers::faults::Fault;
use crate::support::servers::message::Answer;
use crate::support::servers::{ByteNite, Neo, Nosana, bytenite, neo};
use crate::support::solana::Keypair;
use crate::support::wait::until;

const CANARY: &str = "canary-c4n4ry-value-0815";

/// Answers that repeat the value that was sent.
fn echoes() -> Vec<Fault> {
    vec![
        Fault::Answer(Answer::text(400, format!("bad value {CANARY}"))),
        Fault::Answer(Answer::text(
            500,
            format!("{{\"message\":\"cannot store {CANARY}\"}}"),
        )),
    ]
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::status(500),
        Fault::Answer(Answer::text(200, format!("{{\"A\": \"{CANARY}"))),
        Fault::Answer(Answer::text(200, format!("<html>{CANARY}</html>"))),
        Fault::captive_portal(),
        Fault::redirect(307, "http://127.0.0.1:9/elsewhere"),
        Fault::ResetMidBody,
        Fault::Truncated,
        Fault::close_applied(),
        Fault::rate_limited(3600),
        Fault::Hang,
    ]
}

#[test]
fn no_fault_brings_a_secret_into_a_message_or_a_file() {
    for (method, path) in [
        ("POST", "/login"),
        ("GET", "/secrets"),
        ("POST", "/secrets"),
    ] {
        let sent = (method, path) == ("POST", "/secrets");
        let echoes = if sent { echoes() } else { Vec::new() };
        for fault in faults().into_iter().chain(echoes) {
            let server = Nosana::start();
            let keypair = Keypair::new(7);
            let mut home = Home::new();
            home.set("KEYFOB_STORE", "nosana");
            home.knows_nosana(&server, &keypair);
            server.put(&keypair.address(), "OTHER", CANARY);
            let token = server.token(&keypair.address());
            let token_start = token.split('.').next().unwrap().to_owned();
            let what = format!("{method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            for json in [false, true] {
                let mut args = vec!["-vvv", "--timeout", "1s", "set", "A"];
                if json {
                    args.insert(0, "--json");
                }
                let run = home.keyfob(args).stdin(CANARY).run();
                assert_ne!(run.code, Some(101), "{what}: {}", run.stderr);
                for secret in [
                    CANARY,
                    token_start.as_str(),
                    &keypair.base58(),
                    &keypair.json(),
                ] {
                    assert!(!run.text().contains(secret), "{what}: {}", run.text());
                    assert!(!run.stderr.contains(secret), "{what}: {}", run.stderr);
                    let files = home.files_holding(secret.as_bytes());
                    assert!(files.is_empty(), "{what}: {files:?}");
                }
            }
        }
    }
}

#[test]
fn no_fault_of_bytenite_or_neo_brings_a_secret_out() {
    let bytenite = [
        ("POST", "/v1/auth/access_token", "POST", "/v1/auth/secrets"),
        ("GET", "/v1/auth/secrets", "POST", "/v1/auth/secrets"),
        ("POST", "/v1/auth/secrets", "POST", "/v1/auth/secrets"),
    ];
    for (method, path, sent_by, sent_to) in bytenite {
        let echoes = if (method, path) == (sent_by, sent_to) {
            echoes()
        } else {
            Vec::new()
        };
        for fault in faults().into_iter().chain(echoes) {
            let server = ByteNite::start();
            let what = format!("bytenite {method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            let home = home_of("bytenite", server.url(), bytenite::API_KEY);
            nothing_comes_out(
                &home,
                "s3/a",
                &[CANARY, bytenite::API_KEY, "bn.000001"],
                &what,
            );
        }
    }
    let neo = [
        ("GET", "/v1/secrets"),
        ("POST", "/v1/secrets"),
        ("DELETE", "/v1/secrets/*"),
    ];
    for (method, path) in neo {
        let echoes = if method == "POST" {
            echoes()
        } else {
            Vec::new()
        };
        for fault in faults().into_iter().chain(echoes) {
            let server = Neo::start();
            server.put("A", "old");
            let what = format!("neo {method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            let home = home_of("neo", server.url(), neo::API_KEY);
            nothing_comes_out(&home, "A", &[CANARY, neo::API_KEY], &what);
        }
    }
}

fn home_of(provider: &str, url: String, key: &str) -> Home {
    let prefix = format!("KEYFOB_{}_", provider.to_uppercase());
    Home::new()
        .with("KEYFOB_STORE", provider)
        .with(format!("{prefix}BASE_URL"), url)
        .with(format!("{prefix}API_KEY"), key)
}

/// Stores the canary under `name`, whatever comes of it, and looks for `secrets` everywhere.
fn nothing_comes_out(home: &Home, name: &str, secrets: &[&str], what: &str) {
    let run = home
        .keyfob(["-vvv", "--timeout", "1s", "set", name])
        .stdin(CANARY)
        .run();
    assert_ne!(run.code, Some(101), "{what}: {}", run.stderr);
    for secret in secrets {
        assert!(!run.text().contains(secret), "{what}: {}", run.text());
        assert!(!run.stderr.contains(secret), "{what}: {}", run.stderr);
        let files = home.files_holding(secret.as_bytes());
        assert!(files.is_empty(), "{what}: {files:?}");
    }
}

#[test]
fn a_vault_in_trouble_says_nothing_of_what_it_holds() {
    let home = Home::new();
    home.keyfob(["-vvv", "set", "A"])
        .stdin(CANARY)
        .run()
        .ok()
        .lacks(CANARY);
    home.keyfob(["-vvv", "list"]).run().ok().lacks(CANARY);
    home.keyfob(["-vvv", "show", "A"]).run().ok().lacks(CANARY);
    home.keyfob(["-vvv", "vault", "info"])
        .run()
        .ok()
        .lacks(CANARY);
    assert!(home.files_holding(CANARY.as_bytes()).is_empty());
    let identity = std::fs::read_to_string(home.data().join("identity.txt")).unwrap();
    let key = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .unwrap();
    home.run(["-vvv", "vault", "info"]).lacks(key);
    home.run(["-vvv", "status"]).lacks(key);
    home.keyfob(["get", "A"])
        .env("KEYFOB_LOCAL_IDENTITY", key)
        .run()
        .ok();
    let damaged = key.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ");
    home.keyfob(["get", "A"])
        .env("KEYFOB_LOCAL_IDENTITY", &damaged)
        .run()
        .lacks(&damaged[16..]);
}

#[cfg(target_os = "linux")]
#[test]
fn arguments_of_the_process_hold_no_secret() {
    let server = Nosana::start();
    let keypair = Keypair::new(7);
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    server.faults().on("GET", "/secrets", Fault::Hang);
    let running = home.keyfob(["set", "A"]).stdin(CANARY).spawn();
    until("the request", || server.count("GET", "/secrets") > 0);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(CANARY));
    let environment = std::fs::read(format!("/proc/{}/environ", running.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains(CANARY));
    running.kill();
}

#[test]
fn a_damaged_keypair_is_not_repeated() {
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "nosana");
    let keypair = Keypair::new(7);
    for text in [
        keypair.json().replace(',', ";"),
        format!("{}!", keypair.base58()),
        keypair.base58()[..40].to_owned(),
    ] {
        let run = home
            .keyfob(["-vvv", "list"])
            .env("KEYFOB_NOSANA_KEYPAIR", &text)
            .run();
        assert_ne!(run.code, Some(0));
        run.lacks(&text);
    }
}
