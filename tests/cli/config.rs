//! Which files and variables make up the configuration, and what is said of mistakes in them.

use std::fs;
use std::path::PathBuf;

use keyfob::testing::Shape;
use keyfob::testing::registry::SCHEMAS;
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::Keyfob;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

/// Writes the user's own file.
fn write_users(home: &Home, text: &str) -> PathBuf {
    home.write(home.config().join("config.toml"), text)
}

/// The fields in effect of a store, as `keyfob store list` tells them.
#[track_caller]
fn fields(run: Keyfob, store: &str) -> Value {
    let stores = run.run().ok().json();
    let stores = stores.as_array().unwrap();
    let found = stores.iter().find(|found| found["store"] == store);
    found.map_or(Value::Null, |found| found["fields"].clone())
}

#[test]
fn the_project_s_file_lies_over_the_user_s_field_by_field() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let list = || home.keyfob(["store", "list", "--json"]);
    write_users(
        &home,
        "[stores.web]\nprovider = \"northflank\"\nproject = \"mine\"\nteam = \"acme\"\n",
    );
    home.write("keyfob.toml", "[stores.web]\nproject = \"shop\"\n");
    fs::create_dir_all(home.work().join("deep/below")).unwrap();
    for folder in [home.work(), home.work().join("deep/below")] {
        assert_eq!(
            fields(list().cwd(folder), "web"),
            json!({"project": "shop", "team": "acme"})
        );
    }
    // The nearest file counts, and it alone.
    home.write("deep/keyfob.toml", "[stores.web]\nteam = \"other\"\n");
    assert_eq!(
        fields(list().cwd(home.work().join("deep/below")), "web"),
        json!({"project": "mine", "team": "other"})
    );
}

#[test]
fn the_search_ends_with_the_repository_and_the_home_folder() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let list = || home.keyfob(["store", "list", "--json"]);
    home.write(
        "keyfob.toml",
        "[stores.web]\nprovider = \"northflank\"\nproject = \"outside\"\n",
    );
    fs::create_dir_all(home.work().join("repository/.git")).unwrap();
    fs::create_dir_all(home.work().join("repository/source")).unwrap();
    for folder in ["repository", "repository/source"] {
        assert_eq!(
            fields(list().cwd(home.work().join(folder)), "web"),
            json!(null)
        );
    }
    home.write(
        "repository/keyfob.toml",
        "[stores.web]\nprovider = \"northflank\"\nproject = \"inside\"\n",
    );
    assert_eq!(
        fields(list().cwd(home.work().join("repository/source")), "web"),
        json!({"project": "inside"})
    );
    home.write("../keyfob.toml", "[stores.above]\nprovider = \"neo\"\n");
    assert_eq!(fields(list().cwd(home.home()), "above"), json!(null));
}

#[test]
fn a_named_file_replaces_the_lookup_and_the_user_s_own() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let store = |field: &str| format!("[stores.web]\nprovider = \"northflank\"\n{field}\n");
    write_users(&home, &store("team = \"users\""));
    home.write("keyfob.toml", store("project = \"found\""));
    home.write("a/named.toml", store("project = \"named\""));
    home.write("b.toml", store("project = \"b\""));
    let list = || home.keyfob(["store", "list", "--json"]);
    assert_eq!(
        fields(list().arg("--config").arg("a/named.toml"), "web"),
        json!({"project": "named"})
    );
    assert_eq!(
        fields(list().env("KEYFOB_CONFIG", "a/named.toml"), "web"),
        json!({"project": "named"})
    );
    assert_eq!(
        fields(
            list().arg("-Cb.toml").env("KEYFOB_CONFIG", "a/named.toml"),
            "web"
        ),
        json!({"project": "b"})
    );
    // An empty variable counts as unset, and the user's own word needs no trust.
    assert_eq!(
        fields(list().env("KEYFOB_CONFIG", ""), "web"),
        json!({"team": "users", "project": "found"})
    );
    home.write("c.toml", "[stores.local]\nidentity = \"mine.txt\"\n");
    home.run(["-C", "c.toml", "list"]).ok();
    home.run(["-C", "absent.toml", "list"])
        .code(1)
        .stderr_has("absent.toml")
        .stderr_has("--config");
}

#[test]
fn what_is_relative_starts_at_the_file_it_stands_in() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.write(
        "keyfob.toml",
        "default_store = \"dev\"\n[stores.dev]\nprovider = \"local\"\npath = \"kept/secrets.age\"\n",
    );
    fs::create_dir_all(home.work().join("deep")).unwrap();
    fs::create_dir_all(home.work().join("kept")).unwrap();
    home.keyfob(["set", "A"])
        .cwd(home.work().join("deep"))
        .stdin("1")
        .run()
        .ok();
    assert!(home.work().join("kept/secrets.age").is_file());
    home.run(["get", "A"]).ok().stdout_is("1");
    // From the environment it starts at the working directory.
    home.keyfob(["get", "A"])
        .cwd(home.work().join("kept"))
        .env("KEYFOB_DEV_PATH", "secrets.age")
        .run()
        .ok();
}

#[test]
fn every_field_of_every_provider_can_be_set_in_the_environment() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    for schema in SCHEMAS {
        for field in schema.fields {
            let (text, shown) = match field.shape {
                Shape::Choice(words) => (words[words.len() - 1], words[words.len() - 1]),
                Shape::Url => ("http://127.0.0.1:9/x/", "http://127.0.0.1:9/x"),
                Shape::List => ("one,two", "one, two"),
                Shape::Path => ("some/path", "some/path"),
                Shape::Text => ("some-text", "some-text"),
            };
            let shown = if field.credential { "(set)" } else { shown };
            let own = |store: &str| format!("KEYFOB_{store}_{}", field.name.to_uppercase());
            // A built-in store, and one of a file with a dash in its name.
            home.write(
                "keyfob.toml",
                format!("[stores.my-own]\nprovider = \"{}\"\n", schema.provider),
            );
            for (store, variable) in [
                (schema.provider, own(&schema.provider.to_uppercase())),
                ("my-own", own("MY_OWN")),
            ] {
                let run = home
                    .keyfob(["store", "list", "--json"])
                    .env(&variable, text);
                assert_eq!(fields(run, store), json!({field.name: shown}), "{variable}");
            }
        }
    }
}

#[test]
fn the_environment_wins_over_files() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.write(
        "keyfob.toml",
        "[stores.web]\nprovider = \"northflank\"\nproject = \"of-the-file\"\nteam = \"t\"\n",
    );
    let list = || home.keyfob(["store", "list", "--json"]);
    assert_eq!(
        fields(
            list().env("KEYFOB_WEB_PROJECT", "of-the-environment"),
            "web"
        ),
        json!({"project": "of-the-environment", "team": "t"})
    );
    assert_eq!(
        fields(list().env("KEYFOB_WEB_PROJECT", ""), "web"),
        json!({"project": "of-the-file", "team": "t"})
    );
}

#[test]
fn the_nearest_word_selects_the_store() {
    let mut home = Home::new().with("KEYFOB_TRUST", "1");
    write_users(
        &home,
        "default_store = \"users\"\n[stores.users]\nprovider = \"local\"\npath = \"users.age\"\n",
    );
    let stores: String = ["projects", "environments", "options", "references"]
        .iter()
        .map(|name| format!("[stores.{name}]\nprovider = \"local\"\npath = \"{name}.age\"\n"))
        .collect();
    home.write(
        "keyfob.toml",
        format!("default_store = \"projects\"\n{stores}"),
    );
    for name in [
        "local",
        "users",
        "projects",
        "environments",
        "options",
        "references",
    ] {
        home.keyfob(["set", "-s", name, "WHO"])
            .stdin(name)
            .run()
            .ok();
    }
    let who = |home: &Home, args: &[&str]| home.run([args, &["get", "WHO"]].concat()).ok().text();
    assert_eq!(who(&home, &[]), "projects");
    home.set("KEYFOB_STORE", "environments");
    assert_eq!(who(&home, &[]), "environments");
    assert_eq!(who(&home, &["-s", "options"]), "options");
    home.run(["get", "-s", "options", "keyfob://references/WHO"])
        .ok()
        .stdout_is("references");
    home.set("KEYFOB_STORE", "");
    home.write("keyfob.toml", &stores);
    assert_eq!(who(&home, &[]), "users");
    write_users(&home, "");
    assert_eq!(who(&home, &[]), "local");
}

#[test]
fn what_needs_no_configuration_works_with_a_wrong_one() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.write("keyfob.toml", "wrong");
    for args in [
        &["generate"][..],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["--version"],
        &["key", "new", "-o", "id.json"],
        &["key", "address", "id.json"],
        &["trust", "--list"],
    ] {
        home.run(args.iter().copied()).ok();
    }
}

#[test]
fn credentials_in_a_file_are_refused_and_not_repeated() {
    const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let keypair = Keypair::new(3);
    let mut cases = Vec::new();
    for schema in SCHEMAS {
        for field in schema.fields.iter().filter(|field| field.may_hold_secret()) {
            let text = if field.credential {
                SECRET.to_owned()
            } else {
                keypair.base58()
            };
            cases.push((schema.provider, field.name, text));
        }
    }
    cases.push(("local", "identity", "AGE-SECRET-KEY-1GQ9778VQX".to_owned()));
    assert!(cases.iter().any(|(_, field, _)| *field == "api_key"));
    for (provider, field, text) in cases {
        let content = format!("[stores.a]\nprovider = \"{provider}\"\n{field} = \"{text}\"\n");
        for file in ["keyfob.toml", "../config/keyfob/config.toml"] {
            let path = home.write(file, &content);
            home.run(["-vvv", "-s", "a", "list"])
                .code(11)
                .stderr_has(":3:")
                .stderr_has(field)
                .stderr_has("KEYFOB_A_")
                .lacks(&text);
            fs::remove_file(path).unwrap();
        }
        home.write("keyfob.toml", "");
        home.run([
            "store",
            "add",
            "a",
            provider,
            &format!("{field}={text}"),
            "--project",
        ])
        .code(2)
        .lacks(&text);
        assert!(home.read("keyfob.toml").is_empty());
        fs::remove_file(home.work().join("keyfob.toml")).unwrap();
    }
}

#[test]
fn plain_http_is_for_loopback_only() {
    let server = Nosana::start();
    let mut home = Home::new().with("KEYFOB_TRUST", "1");
    home.set("KEYFOB_NOSANA_KEYPAIR", Keypair::new(1).json());
    // The same server by an address that is not loopback by its text.
    let elsewhere = server.url().replace("127.0.0.1", "0.0.0.0");
    home.keyfob(["-s", "nosana", "list"])
        .env("KEYFOB_NOSANA_BASE_URL", &elsewhere)
        .run()
        .code(11)
        .stderr_has("KEYFOB_NOSANA_BASE_URL")
        .stderr_has("loopback");
    let file = home.write(
        "keyfob.toml",
        format!("[stores.nosana]\nbase_url = \"{elsewhere}\"\n"),
    );
    home.keyfob(["-s", "nosana", "list"])
        .env("KEYFOB_TRUST", "1")
        .run()
        .code(11)
        .stderr_has(&format!("{}:2:12", file.display()))
        .stderr_has("loopback");
    fs::remove_file(file).unwrap();
    home.keyfob(["-s", "nosana", "list"])
        .env("KEYFOB_NOSANA_BASE_URL", "https://user:hunter2@127.0.0.1/")
        .run()
        .code(11)
        .lacks("hunter2");
    assert!(server.requests().is_empty());
    home.keyfob(["-s", "nosana", "list"])
        .env("KEYFOB_NOSANA_BASE_URL", server.url())
        .run()
        .ok();
}
