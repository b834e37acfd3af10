//! What a checkout's keyfob.toml may decide before somebody has read it: nothing that leads
//! secrets or credentials anywhere.

use std::fs;

use keyfob::testing::Shape;
use keyfob::testing::registry::SCHEMAS;
use serde_json::json;

use crate::support::home::Home;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

/// Every command that would work with the selected store.
const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["get", "A"],
    &["show", "A"],
    &["set", "A", "--generate"],
    &["delete", "-y", "A"],
    &["login"],
    &["logout"],
    &["run", "--", "true"],
    &["run", "-e", "X=A", "--", "true"],
];

/// A server, and a home in which the user has a keypair and a checkout may say anything.
fn set_up() -> (Nosana, Home, Keypair) {
    let server = Nosana::start();
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    home.write_private("../home/.config/solana/id.json", keypair.json());
    home.set("KEYFOB_STORE", "nosana");
    server.put(&keypair.address(), "A", "1");
    (server, home, keypair)
}

fn refusal(command: &[&str]) -> i32 {
    if command[0] == "run" { 125 } else { 12 }
}

#[test]
fn what_leads_credentials_elsewhere_is_refused_and_nothing_is_sent() {
    for field in ["base_url", "keypair", "ca_file"] {
        let (server, mut home, keypair) = set_up();
        let value = match field {
            "base_url" => server.url(),
            "keypair" => keypair.write(&home).display().to_string(),
            _ => "authority.pem".to_owned(),
        };
        if field != "base_url" {
            home.set("KEYFOB_NOSANA_BASE_URL", server.url());
        }
        let file = home.write(
            "keyfob.toml",
            format!("[stores.nosana]\n{field} = {value:?}\n"),
        );
        for command in COMMANDS.iter().chain([&&["key", "address"][..]]) {
            home.run(command.iter().copied())
                .code(refusal(command))
                .stdout_is("")
                .stderr_has(&format!("`stores.nosana.{field}`"))
                .stderr_has(&file.display().to_string())
                .stderr_has("keyfob trust");
        }
        let run = home.run(["--json", "list"]);
        assert_eq!(run.code(12).error()["kind"], "untrusted");
        assert_eq!(run.error()["store"], "nosana");
        home.run(["status"]).ok().stdout_has("untrusted");
        assert_eq!(server.connections(), 0, "{field}");
    }
}

#[test]
fn what_decides_who_reads_the_vault_is_refused() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let vault = home.data().join("vault.age");
    let before = fs::read(&vault).unwrap();
    for line in [
        "identity = \"theirs.txt\"",
        "recipients = [\"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\"]",
    ] {
        home.write("keyfob.toml", format!("[stores.local]\n{line}\n"));
        let field = line.split(' ').next().unwrap();
        for command in COMMANDS.iter().chain(&[
            &["vault", "info"][..],
            &["vault", "recipients", "list"],
            &["vault", "history", "A"],
            &["vault", "restore", "A"],
            &["vault", "rekey", "-y"],
        ]) {
            home.run(command.iter().copied())
                .code(refusal(command))
                .stderr_has(&format!("`stores.local.{field}`"));
        }
        assert_eq!(fs::read(&vault).unwrap(), before);
    }
}

#[test]
fn commands_of_a_checkout_are_not_run() {
    for schema in SCHEMAS {
        for field in schema
            .fields
            .iter()
            .filter(|field| field.name.ends_with("_command"))
        {
            let home = Home::new();
            let ran = home.work().join("ran");
            home.write(
                "keyfob.toml",
                format!(
                    "default_store = \"a\"\n[stores.a]\nprovider = \"{}\"\n{} = \"touch '{}'\"\n",
                    schema.provider,
                    field.name,
                    ran.display()
                ),
            );
            for command in COMMANDS {
                home.run(command.iter().copied())
                    .code(refusal(command))
                    .stderr_has(&format!("`stores.a.{}`", field.name));
            }
            home.run(["status"]).ok();
            assert!(!ran.exists(), "{}", schema.provider);
        }
    }
}

#[test]
fn what_is_not_gated_needs_no_trust() {
    let home = Home::new();
    for schema in SCHEMAS {
        let fields: String = schema
            .fields
            .iter()
            .filter(|field| !field.gated && !field.credential)
            .map(|field| match field.shape {
                Shape::Choice(words) => format!("{} = \"{}\"\n", field.name, words[0]),
                _ => format!("{} = \"value\"\n", field.name),
            })
            .collect();
        home.write(
            "keyfob.toml",
            format!("[stores.a]\nprovider = \"{}\"\n{fields}", schema.provider),
        );
        let run = home.run(["--json", "status", "-s", "a"]);
        let status = run.ok().json();
        assert_ne!(status[0]["error"]["kind"], "untrusted", "{status}");
        assert_eq!(status[0]["provider"], schema.provider);
    }
    home.write(
        "keyfob.toml",
        "default_store = \"a\"\n[stores.a]\nprovider = \"local\"\npath = \"a.age\"\n",
    );
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    assert!(home.work().join("a.age").is_file());
}

#[test]
fn trust_holds_for_the_content_that_was_shown_and_no_other() {
    let (server, home, _) = set_up();
    let text = format!("[stores.nosana]\nbase_url = \"{}\"\n", server.url());
    let file = home.write("keyfob.toml", &text);
    let path = file.canonicalize().unwrap().display().to_string();
    home.run(["get", "A"]).code(12);

    let shown = home.run(["trust", "--show"]);
    shown
        .ok()
        .stderr_has(&format!(
            "stores.nosana.base_url = {}  (line 2)",
            server.url()
        ))
        .stderr_lacks("is trusted");
    home.run(["get", "A"]).code(12);
    let shown = home.run(["--json", "trust", "--show"]).ok().json();
    let allowed = json!([{"field": "stores.nosana.base_url", "value": server.url(), "line": 2}]);
    assert_eq!(
        shown,
        json!({"path": path, "trusted": false, "allowed": allowed})
    );
    assert_eq!(server.connections(), 0);

    home.run(["trust"])
        .ok()
        .stderr_has("stores.nosana.base_url")
        .stderr_has("is trusted as it is now");
    home.run(["get", "A"]).ok().stdout_is("1");
    assert_eq!(
        home.run(["--json", "trust", "--list"]).ok().json(),
        json!([{"path": path, "state": "trusted"}])
    );
    // Trusting it once more changes nothing, and says the same.
    let again = home.run(["--json", "trust"]).ok().json();
    assert_eq!(
        again,
        json!({"path": path, "trusted": true, "allowed": allowed})
    );

    home.write("keyfob.toml", format!("{text}# a comment\n"));
    home.run(["get", "A"]).code(12);
    home.run(["trust", "--list"])
        .ok()
        .stdout_is(format!("{path}\tchanged\n"));
    home.write("keyfob.toml", &text);
    home.run(["get", "A"]).ok();

    // The same content somewhere else is another file.
    home.write("elsewhere/keyfob.toml", &text);
    fs::create_dir(home.work().join("elsewhere/.git")).unwrap();
    home.keyfob(["get", "A"])
        .cwd(home.work().join("elsewhere"))
        .run()
        .code(12);

    let revoked = home.run(["--json", "trust", "--revoke"]).ok().json();
    assert_eq!(revoked, json!({"path": path, "trusted": false}));
    home.run(["get", "A"]).code(12);
    home.run(["trust", "--revoke"]).code(3);
    assert_eq!(
        home.run(["--json", "trust", "--list"]).ok().json(),
        json!([])
    );
}

#[test]
fn a_change_by_keyfob_itself_stays_trusted_and_trusts_nothing_else() {
    let (server, home, _) = set_up();
    let text = format!("[stores.nosana]\nbase_url = \"{}\"\n", server.url());
    home.write("keyfob.toml", &text);
    // Adding to a file that nobody has read does not make it one's own word.
    let add = ["store", "add", "dev", "local", "path=dev.age", "--project"];
    home.run(add).ok();
    home.run(["get", "A"]).code(12);
    home.write("keyfob.toml", &text);
    home.run(["trust"]).ok();
    home.run(add).ok();
    home.run(["get", "A"]).ok();
    home.run(["store", "remove", "dev", "--project"]).ok();
    home.run(["get", "A"]).ok();
    // A file of keyfob's own making is the user's word from the start.
    fs::remove_file(home.work().join("keyfob.toml")).unwrap();
    home.run(["init"]).ok();
    let url = format!("base_url={}", server.url());
    home.run(["store", "add", "gpu", "nosana", &url, "--project"])
        .ok();
    home.run(["get", "-s", "gpu", "A"]).ok();
}

#[test]
fn the_variable_trusts_for_one_process_alone() {
    let (server, home, _) = set_up();
    home.write(
        "keyfob.toml",
        format!("[stores.nosana]\nbase_url = \"{}\"\n", server.url()),
    );
    let get = |value: &str| home.keyfob(["get", "A"]).env("KEYFOB_TRUST", value).run();
    get("1").ok().stdout_is("1");
    for no in ["", "0", "false"] {
        get(no).code(12);
    }
    assert!(!home.config().join("trusted.json").exists());
}

#[test]
fn a_checkout_cannot_turn_a_store_into_another_provider_s() {
    let home = Home::new();
    home.write(
        home.config().join("config.toml"),
        "[stores.web]\nprovider = \"northflank\"\nproject = \"shop\"\n",
    );
    home.write(
        "keyfob.toml",
        "[stores.web]\nprovider = \"local\"\npath = \"theirs.age\"\n",
    );
    home.run(["set", "-s", "web", "A", "--generate"])
        .code(12)
        .stderr_has("`stores.web.provider`");
    assert!(!home.work().join("theirs.age").exists());
    home.run(["trust"]).ok();
    home.run(["set", "-s", "web", "A", "--generate"]).ok();
    assert!(home.work().join("theirs.age").exists());
}

#[test]
fn a_vault_of_a_checkout_with_readers_of_its_own_refuses_to_be_written() {
    let alice = Home::new();
    let mallory = Home::new();
    alice.keyfob(["set", "OWN"]).stdin("x").run().ok();
    let key = alice.run(["--json", "vault", "info"]).ok().json()["identity"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    mallory.keyfob(["set", "A"]).stdin("bait").run().ok();
    mallory.run(["vault", "recipients", "add", &key]).ok();
    let theirs = fs::read(mallory.data().join("vault.age")).unwrap();
    alice.write("secrets.age", &theirs);
    alice.write(
        "keyfob.toml",
        "default_store = \"team\"\n[stores.team]\nprovider = \"local\"\npath = \"secrets.age\"\n",
    );
    alice.run(["get", "A"]).ok().stdout_is("bait");
    for command in [
        &["set", "A", "--generate"][..],
        &["set", "NEW", "--generate"],
        &["delete", "-y", "A"],
        &["vault", "rekey", "-y"],
    ] {
        alice
            .run(command.iter().copied())
            .code(12)
            .stderr_has("age1")
            .stderr_has("keyfob trust");
    }
    assert_eq!(alice.read("secrets.age"), theirs);
    // Whoever is asked to trust the file is told what that is about.
    alice
        .run(["trust", "--show"])
        .ok()
        .stderr_has("stores.team.path = secrets.age");
    alice.run(["trust"]).ok();
    alice.keyfob(["set", "A"]).stdin("2").run().ok();
    mallory
        .keyfob(["get", "A"])
        .env("KEYFOB_LOCAL_PATH", alice.work().join("secrets.age"))
        .run()
        .ok()
        .stdout_is("2");
}

#[test]
fn a_shell_that_completes_names_is_not_led_by_a_checkout() {
    let home = Home::new();
    home.keyfob(["set", "SECRET_NAME"]).stdin("x").run().ok();
    let complete = || {
        home.keyfob(["--", "keyfob", "get", ""])
            .env("KEYFOB_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2")
            .run()
    };
    complete().ok().stdout_has("SECRET_NAME");
    home.write("keyfob.toml", "[stores.local]\nidentity = \"theirs.txt\"\n");
    complete().ok().stdout_lacks("SECRET_NAME");
}
