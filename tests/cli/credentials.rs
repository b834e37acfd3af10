//! API keys: where they come from, and the keyring that `login` keeps them in, with a real Secret
//! Service. ByteNite and Neo stand for all providers that have one.

use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::support::bus::PrivateBus;
use crate::support::home::Home;
use crate::support::servers::{Answer, ByteNite, Listen, Neo, Request, Server, bytenite, neo};

/// A provider's name, its server, and the API key that the server knows.
struct Subject {
    provider: &'static str,
    server: Box<dyn std::ops::Deref<Target = Server>>,
    key: &'static str,
}

fn subjects() -> [Subject; 2] {
    [
        Subject {
            provider: "bytenite",
            server: Box::new(ByteNite::start()),
            key: bytenite::API_KEY,
        },
        Subject {
            provider: "neo",
            server: Box::new(Neo::start()),
            key: neo::API_KEY,
        },
    ]
}

impl Subject {
    fn home(&self) -> Home {
        let mut home = Home::new();
        home.set("KEYFOB_STORE", self.provider);
        home.set(self.variable("BASE_URL"), self.server.url());
        home
    }

    fn variable(&self, field: &str) -> String {
        format!("KEYFOB_{}_{field}", self.provider.to_uppercase())
    }
}

#[test]
fn login_proves_a_key_and_keeps_it_for_its_address_alone() {
    if !PrivateBus::available_for("login_proves_a_key_and_keeps_it_for_its_address_alone") {
        return;
    }
    for subject in subjects() {
        let bus = PrivateBus::unlocked();
        let mut home = subject.home();
        home.attach(&bus);
        home.keyfob(["login"])
            .stdin("wrong-key\n")
            .run()
            .code(4)
            .lacks("wrong-key");
        assert_eq!(bus.items(), 0, "what was refused is not kept");
        home.run(["list"]).code(4);

        home.keyfob(["login"])
            .stdin(format!("{}\n", subject.key))
            .run()
            .ok()
            .lacks(subject.key);
        assert_eq!(bus.items(), 1);
        home.run(["list"]).ok();
        subject.server.forget_requests();
        let status = home
            .run(["--json", "status", "-s", subject.provider])
            .ok()
            .json();
        assert_eq!(status[0]["credential"], "OS keyring");
        assert!(subject.server.requests().is_empty());

        // Another address gets nothing of it.
        let other = Server::start(Listen::Http, |_: &Request| Answer::status(500));
        home.keyfob(["list"])
            .env(subject.variable("BASE_URL"), other.url())
            .run()
            .code(4);
        assert!(other.requests().is_empty());

        home.run(["logout"])
            .ok()
            .stderr_has("the credential in the OS keyring");
        assert_eq!(bus.items(), 0);
        home.run(["list"]).code(4);
        home.run(["logout"]).ok().stderr_has("nothing to forget");
    }
}

#[test]
fn a_kept_credential_belongs_to_one_store() {
    if !PrivateBus::available_for("a_kept_credential_belongs_to_one_store") {
        return;
    }
    let [subject, _] = subjects();
    let bus = PrivateBus::unlocked();
    let mut home = subject.home();
    home.attach(&bus);
    home.set("KEYFOB_PROD_PROVIDER", subject.provider);
    home.set("KEYFOB_PROD_BASE_URL", subject.server.url());
    let login = |store: &str| {
        let key = format!("{}\n", subject.key);
        home.keyfob(["login", store]).stdin(key).run().ok();
    };
    login("prod");
    // The provider's own store, at the same address.
    home.run(["list"]).code(4);
    home.run(["list", "-s", "prod"]).ok();
    login(subject.provider);
    assert_eq!(bus.items(), 2);
    home.run(["logout"]).ok();
    assert_eq!(bus.items(), 1);
    home.run(["list"]).code(4);
    home.run(["list", "-s", "prod"]).ok();
}

#[test]
fn with_a_key_in_the_environment_the_keyring_is_not_touched() {
    for subject in subjects() {
        let mut home = subject.home();
        let socket = home.root().join("bus");
        // A bus on which nobody answers: whoever looks for a keyring knocks here.
        let bus = UnixListener::bind(&socket).unwrap();
        bus.set_nonblocking(true).unwrap();
        let knocks = || std::iter::from_fn(|| bus.accept().ok()).count();
        home.set(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", socket.display()),
        );
        home.keyfob(["list"])
            .env(subject.variable("API_KEY"), subject.key)
            .run()
            .ok();
        home.keyfob(["status", "-s", subject.provider])
            .env(subject.variable("API_KEY"), subject.key)
            .run()
            .ok();
        assert_eq!(knocks(), 0);
        home.run(["list"]).code(4);
        assert_ne!(knocks(), 0, "without one it is");
    }
}

#[test]
fn a_command_is_run_once_and_only_when_a_key_is_needed() {
    for subject in subjects() {
        let mut home = subject.home();
        let ran = home.work().join("ran");
        // A command that sees another credential of keyfob's prints two lines, which are no key.
        let others = match subject.provider {
            "neo" => "BYTENITE_API_KEY",
            _ => "NEO_API_KEY",
        };
        home.set(others, "another-key");
        let command = format!(
            "echo run >> '{}'; printenv {others}; printf {}",
            ran.display(),
            subject.key
        );
        home.set(subject.variable("API_KEY_COMMAND"), command);
        let status = home
            .run(["--json", "status", "-s", subject.provider])
            .ok()
            .json();
        assert_eq!(status[0]["credential"], "api_key_command");
        home.run(["get", "s3/a"]).code(7);
        assert!(!ran.exists());
        home.run(["delete", "-y", "s3/a", "s3/b"]).code(3);
        assert_eq!(fs::read_to_string(&ran).unwrap(), "run\n");
        // The environment wins.
        home.keyfob(["list"])
            .env(subject.variable("API_KEY"), subject.key)
            .run()
            .ok();
        assert_eq!(fs::read_to_string(&ran).unwrap(), "run\n");
    }
}

#[test]
fn a_checkout_cannot_say_where_keys_go_or_what_prints_them() {
    for subject in subjects() {
        let mut home = subject.home();
        home.unset(subject.variable("BASE_URL"));
        home.unset("KEYFOB_STORE");
        home.set(subject.variable("API_KEY"), subject.key);
        fs::create_dir(home.work().join(".git")).unwrap();
        let ran = home.work().join("ran");
        for (field, value) in [
            ("base_url", json!(subject.server.url())),
            (
                "api_key_command",
                json!(format!("touch '{}'", ran.display())),
            ),
        ] {
            let store = match field {
                // With a key of its own it would not be run at all.
                "api_key_command" => "another",
                _ => subject.provider,
            };
            let text = format!(
                "[stores.{store}]\nprovider = \"{}\"\n{field} = {value}\n",
                subject.provider
            );
            home.write("keyfob.toml", text);
            home.unset("NEO_API_KEY");
            home.run(["list", "-s", store])
                .code(12)
                .stderr_has("keyfob.toml has not been trusted");
        }
        assert!(subject.server.requests().is_empty() && !ran.exists());
    }
}
