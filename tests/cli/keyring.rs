//! The OS keyring in daily use: a real Secret Service, and every way in which there is none.

#[cfg(target_os = "linux")]
mod library;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::bus::PrivateBus;
use crate::support::home::Home;
use crate::support::programs::installed;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

/// A bus on which nobody answers, and which counts who knocks.
struct SilentBus {
    listener: UnixListener,
    path: PathBuf,
}

impl SilentBus {
    fn attached_to(home: &mut Home) -> Self {
        let path = home.root().join("silent-bus");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let bus = Self { listener, path };
        home.set(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", bus.path.display()),
        );
        bus
    }

    /// How many connections were made since it was last asked.
    fn knocks(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}

fn info(home: &Home) -> Value {
    home.run(["--json", "vault", "info"]).ok().json()
}

#[test]
fn the_vault_s_identity_is_made_in_the_keyring_and_found_again() {
    if !PrivateBus::available_for("the_vault_s_identity_is_made_in_the_keyring") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let mut home = Home::new();
    home.attach(&bus);
    home.keyfob(["set", "A"])
        .stdin("1")
        .run()
        .ok()
        .stderr_has("OS keyring");
    assert_eq!(bus.items(), 1);
    assert!(!home.data().join("identity.txt").exists());
    assert!(home.files_holding(b"AGE-SECRET-KEY-").is_empty());
    home.run(["get", "A"]).ok().stdout_is("1");
    home.run(["run", "--", "printenv", "A"])
        .ok()
        .stdout_is("1\n");
    let identity = info(&home)["identity"].clone();
    assert_eq!(identity["location"], "OS keyring");

    // Rekeying replaces it where it is, and what was encrypted before still opens.
    let older = std::fs::read(home.data().join("vault.age")).unwrap();
    home.run(["vault", "rekey", "-y"]).ok();
    assert_eq!(bus.items(), 1);
    assert_ne!(
        info(&home)["identity"]["public_key"],
        identity["public_key"]
    );
    home.run(["get", "A"]).ok();
    std::fs::write(home.data().join("vault.age"), older).unwrap();
    home.run(["get", "A"]).ok();
}

#[test]
fn of_two_entries_of_one_name_the_public_key_tells_the_right_one() {
    if !PrivateBus::available_for("of_two_entries_of_one_name") || !installed("secret-tool") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let mut home = Home::new();
    home.attach(&bus);
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let public = info(&home)["identity"]["public_key"].clone();
    let account = format!("identity:{}", public.as_str().unwrap());
    let kept = home.run(["identity", "export", "-y"]).ok().stdout.clone();
    // Another's, and no identity at all; both look like keyfob's own.
    for secret in [
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33",
        "nothing",
    ] {
        bus.double(&account, secret);
        assert_eq!(bus.items(), 2);
        home.run(["get", "A"]).ok().stdout_is("1");
        let exported = home.run(["identity", "export", "-y"]).ok().stdout.clone();
        assert_eq!(exported, kept);
    }
    home.keyfob(["set", "A"]).stdin("2").run().ok();
    home.run(["vault", "rekey", "-y"]).ok();
    home.run(["get", "A"]).ok().stdout_is("2");
    assert_eq!(bus.items(), 1, "what was replaced is gone, its double too");

    // Of two keypairs nobody knows which is meant.
    let (one, two) = (Keypair::new(1), Keypair::new(2));
    home.unset("KEYFOB_NOSANA_KEYPAIR");
    home.keyfob(["key", "import"]).stdin(one.json()).run().ok();
    bus.double("keypair:solana", &one.json());
    home.run(["key", "address"]).ok().stdout_has(&one.address());
    bus.double("keypair:solana", &two.json());
    home.run(["key", "address"])
        .code(4)
        .stderr_has(&one.address())
        .stderr_has(&two.address())
        .stderr_has("key import");
    home.keyfob(["key", "import", "--replace"])
        .stdin(two.json())
        .run()
        .ok();
    home.run(["key", "address"]).ok().stdout_has(&two.address());
}

#[test]
fn the_addresses_of_a_bus_are_tried_in_order() {
    if !PrivateBus::available_for("the_addresses_of_a_bus_are_tried_in_order") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let mut home = Home::new();
    home.attach(&bus);
    let address = format!("unix:path=/no/such/socket;{};disabled:", bus.address());
    home.set("DBUS_SESSION_BUS_ADDRESS", address);
    home.keyfob(["set", "A"])
        .stdin("1")
        .run()
        .ok()
        .stderr_has("OS keyring");
    assert_eq!(bus.items(), 1);
    home.run(["get", "A"]).ok().stdout_is("1");
}

#[test]
fn without_the_keyring_that_holds_it_no_second_identity_is_made() {
    if !PrivateBus::available_for("without_the_keyring_no_second_identity_is_made") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let mut home = Home::new();
    home.attach(&bus);
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let public = info(&home)["identity"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let vault = home.data().join("vault.age");
    let before = std::fs::read(&vault).unwrap();

    let all: &[&[&str]] = &[
        &["get", "A"],
        &["set", "-s", "other", "B", "--generate"],
        &["set", "A", "--generate"],
        &["list"],
        &["delete", "-y", "A"],
        &["vault", "rekey", "-y"],
    ];
    let refused = |home: &Home, why: &str, commands: &[&[&str]]| {
        for args in commands {
            let run = home.run(args.iter().copied());
            run.code(4).stderr_has(&public).stderr_has(why);
        }
        // What can be said without it is.
        home.run(["status"]).ok();
        assert_eq!(std::fs::read(&vault).unwrap(), before);
        assert!(!home.data().join("identity.txt").exists());
    };
    home.set("KEYFOB_OTHER_PROVIDER", "local");
    home.set("KEYFOB_OTHER_PATH", home.work().join("other.age"));
    bus.lock();
    refused(&home, "locked", all);
    bus.freeze();
    home.attach(&bus);
    // Each of them waits for it.
    refused(&home, "did not answer", &all[..2]);
    let empty = PrivateBus::empty();
    home.attach(&empty);
    refused(&home, "no OS keyring", all);
    // A bus that has ended, and none at all.
    drop(empty);
    refused(&home, "no OS keyring", all);
    home.unset("DBUS_SESSION_BUS_ADDRESS");
    refused(&home, "no OS keyring", all);
}

#[test]
fn a_new_vault_does_without_a_keyring_that_cannot_be_used() {
    if !PrivateBus::available_for("a_new_vault_does_without_a_keyring") {
        return;
    }
    for bus in [
        PrivateBus::locked(),
        PrivateBus::hanging(),
        PrivateBus::empty(),
    ] {
        let mut home = Home::new();
        home.attach(&bus);
        let set = home.keyfob(["set", "A"]).stdin("1").run();
        set.ok().stderr_has("identity.txt");
        // Whatever the keyring does now, the file is enough.
        let silent = SilentBus::attached_to(&mut home);
        home.run(["get", "A"]).ok().stdout_is("1");
        assert_eq!(silent.knocks(), 0);
    }
    let mut home = Home::new();
    home.unset("DBUS_SESSION_BUS_ADDRESS");
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    home.run(["get", "A"]).ok();
}

#[test]
fn what_needs_no_keyring_never_touches_it() {
    let server = Nosana::start();
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    server.put(&keypair.address(), "A", "1");
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let bus = SilentBus::attached_to(&mut home);
    home.knows_nosana(&server, &keypair);
    // A token cache of none is the test's own choice; the vault's identity is a file by now.
    for args in [
        &["get", "A"][..],
        &["list"],
        &["show", "A"],
        &["set", "A", "--generate"],
        &["run", "--", "true"],
        &["vault", "info"],
        &["status", "-s", "local"],
        &["get", "-s", "nosana", "A"],
        &["status", "-s", "nosana"],
        &["key", "address"],
        &["store", "list"],
        &["generate"],
        &["trust", "--list"],
        &["--version"],
    ] {
        home.run(args.iter().copied()).ok();
        assert_eq!(bus.knocks(), 0, "{args:?}");
    }
    home.keyfob(["--", "keyfob", "get", ""])
        .env("KEYFOB_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "2")
        .run()
        .ok();
    assert_eq!(bus.knocks(), 0, "completion");
    // And what does, does: the first identity looks for one.
    std::fs::remove_file(home.data().join("identity.txt")).unwrap();
    std::fs::remove_file(home.data().join("vault.age")).unwrap();
    let made = home.keyfob(["set", "A"]).stdin("1").run();
    made.ok();
    assert_ne!(bus.knocks(), 0);
}

/// A server, and a home on `bus` that caches tokens by `policy`.
fn cached_by(policy: &str, bus: &PrivateBus) -> (Nosana, Home) {
    let server = Nosana::start();
    let mut home = Home::new();
    home.attach(bus);
    let keypair = Keypair::new(1);
    server.put(&keypair.address(), "A", "1");
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    home.set("KEYFOB_TOKEN_CACHE", policy);
    (server, home)
}

#[test]
fn tokens_are_cached_in_the_keyring_and_forgotten_on_request() {
    if !PrivateBus::available_for("tokens_are_cached_in_the_keyring") {
        return;
    }
    for policy in ["auto", "keyring"] {
        let bus = PrivateBus::unlocked();
        let (server, home) = cached_by(policy, &bus);
        home.run(["get", "A"]).ok().stdout_is("1");
        assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
        assert_eq!(bus.items(), 1);
        server.forget_requests();
        home.run(["get", "A"]).ok().stdout_is("1");
        assert_eq!(server.asked(), ["GET /secrets"], "{policy}");
        let status = home.run(["--json", "status", "-s", "nosana"]).ok().json();
        assert_eq!(status[0]["token_cache"], "the OS keyring");
        assert!(status[0]["token_expires_at"].is_string());
        // Another account, or another address, has nothing of it.
        server.forget_requests();
        home.keyfob(["list"])
            .env("KEYFOB_NOSANA_KEYPAIR", Keypair::new(2).json())
            .run()
            .ok();
        assert_eq!(server.logins(), 2);
        home.run(["logout"]).ok().stderr_has("forgotten");
        server.forget_requests();
        home.run(["get", "A"]).ok();
        assert_eq!(server.count("POST", "/login"), 1);
        // A rejected token is replaced where it is.
        server.revoke_tokens();
        server.forget_requests();
        home.run(["get", "A"]).ok();
        assert_eq!(server.count("POST", "/login"), 1);
        server.forget_requests();
        home.run(["get", "A"]).ok();
        assert_eq!(server.asked(), ["GET /secrets"]);
        home.run(["logout"]).ok();
    }
}

#[test]
fn a_keyring_that_cannot_be_used_costs_a_login_and_not_the_command() {
    if !PrivateBus::available_for("a_keyring_that_cannot_be_used_costs_a_login") {
        return;
    }
    for (bus, kept) in [
        (PrivateBus::locked(), Some("the OS keyring is locked")),
        (PrivateBus::hanging(), Some("the OS keyring did not answer")),
        (PrivateBus::empty(), None),
    ] {
        let (server, home) = cached_by("keyring", &bus);
        for _ in 0..2 {
            server.forget_requests();
            let run = home.run(["get", "A"]);
            run.ok().stdout_is("1");
            assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
        }
        let out = home.run(["logout"]);
        match kept {
            // It may hold a token that would be used again once it can be read.
            Some(why) => out
                .code(1)
                .stderr_has("a token that may be cached cannot be forgotten")
                .stderr_has(why),
            None => out.ok(),
        };
    }
}

#[test]
fn a_credential_that_was_given_and_refused_is_not_said_to_come_from_elsewhere() {
    if !PrivateBus::available_for("a_credential_that_was_given_and_refused") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let server = crate::support::servers::Neo::start();
    let mut home = Home::new();
    home.attach(&bus);
    home.set("KEYFOB_NEO_BASE_URL", server.url());
    let login = |key: &str| home.keyfob(["login", "neo"]).stdin(key).run();
    login("wrong-one")
        .code(4)
        .stderr_has("hint: nothing was kept")
        .lacks("wrong-one");
    login(crate::support::servers::neo::API_KEY).ok();
}
