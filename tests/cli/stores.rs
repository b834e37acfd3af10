//! `keyfob init` and `keyfob store`: files changed without losing what their owner wrote.

use std::fs;

use serde_json::{Value, json};

use crate::support::home::Home;

fn text(home: &Home, path: &str) -> String {
    String::from_utf8(home.read(path)).unwrap()
}

/// What `keyfob store list` tells of one store.
fn listed(home: &Home, name: &str) -> Value {
    let stores = home.run(["store", "list", "--json"]).ok().json();
    let stores = stores.as_array().unwrap();
    let found = stores.iter().find(|store| store["store"] == name);
    found.cloned().unwrap_or_default()
}

#[test]
fn init_writes_a_commented_file_and_never_over_another() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.run(["init"])
        .ok()
        .stdout_is("")
        .stderr_has("keyfob.toml");
    let made = text(&home, "keyfob.toml");
    assert!(made.contains("#[stores.dev]"), "{made}");
    // Nothing in it counts yet, and all of it does once its examples are uncommented.
    assert_eq!(listed(&home, "local")["default"], true);
    assert_eq!(listed(&home, "dev"), json!(null));
    let uncommented: String = made
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .map(|line| format!("{line}\n"))
        .collect();
    home.write("keyfob.toml", &uncommented);
    assert_eq!(listed(&home, "dev")["fields"]["path"], "secrets.age");
    home.write("keyfob.toml", "# mine\n");
    let run = home.run(["--json", "init"]);
    run.code(6).stdout_is("");
    assert_eq!(run.error()["kind"], "conflict");
    assert_eq!(text(&home, "keyfob.toml"), "# mine\n");
    // Neither over something that is no file.
    fs::create_dir_all(home.work().join("folder/keyfob.toml")).unwrap();
    let folder = home.work().join("folder");
    assert_ne!(home.keyfob(["init"]).cwd(&folder).run().code, Some(0));
    #[cfg(unix)]
    {
        let linked = home.work().join("linked");
        fs::create_dir(&linked).unwrap();
        let victim = home.write("victim", "not keyfob's");
        std::os::unix::fs::symlink(&victim, linked.join("keyfob.toml")).unwrap();
        home.keyfob(["init"]).cwd(&linked).run().code(6);
        assert_eq!(text(&home, "victim"), "not keyfob's");
    }
}

#[test]
fn comments_and_order_survive_a_store_that_comes_and_goes() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let original = "\
# What this project needs.

default_store = \"dev\" # the vault

# Everybody's own.
[stores.dev]
provider = 'local'   # single quotes stay
path = \"secrets.age\"

# What run brings.
[env]
A = \"a\" # the first

# The end.
";
    home.write("keyfob.toml", original);
    home.run([
        "store",
        "add",
        "web",
        "northflank",
        "project=shop",
        "group=api-env",
        "--project",
    ])
    .ok();
    let added = text(&home, "keyfob.toml");
    for line in original.lines() {
        assert!(added.contains(line), "{line:?} is lost in {added}");
    }
    assert_eq!(
        listed(&home, "web")["fields"],
        json!({"project": "shop", "group": "api-env"})
    );
    home.run(["store", "remove", "web", "--project"]).ok();
    assert_eq!(text(&home, "keyfob.toml"), original);
    // A removed store takes the default that named it along.
    home.run(["store", "remove", "dev", "--project"]).ok();
    let removed = text(&home, "keyfob.toml");
    for gone in ["default_store", "stores.dev", "Everybody's own"] {
        assert!(!removed.contains(gone), "{removed}");
    }
    for kept in [
        "# What this project needs.",
        "# What run brings.",
        "# the first",
        "# The end.",
    ] {
        assert!(removed.contains(kept), "{kept} is lost in {removed}");
    }
    assert_eq!(listed(&home, "local")["default"], true);
}

#[test]
fn parallel_changes_all_land() {
    let home = Home::new();
    let running: Vec<_> = (0..20)
        .map(|number| {
            home.keyfob(["store", "add", &format!("s{number}"), "local"])
                .spawn()
        })
        .collect();
    for run in running {
        run.wait().ok();
    }
    let stores = home.run(["store", "list", "--json"]).ok().json();
    let configured = stores.as_array().unwrap().iter();
    assert_eq!(
        configured
            .filter(|store| !store["origin"].is_null())
            .count(),
        20
    );
}

#[test]
fn a_removed_store_keeps_its_secrets() {
    let home = Home::new();
    home.run(["store", "add", "dev", "local", "path=dev.age"])
        .ok();
    home.keyfob(["set", "-s", "dev", "A"]).stdin("1").run().ok();
    home.run(["--json", "store", "rm", "dev"]).ok();
    home.run(["get", "-s", "dev", "A"]).code(3);
    home.run(["store", "add", "dev", "local", "path=dev.age"])
        .ok();
    home.run(["get", "-s", "dev", "A"]).ok().stdout_is("1");
}

#[test]
fn login_and_logout_take_the_store_as_every_command_does() {
    let home = Home::new();
    for command in ["login", "logout"] {
        for args in [
            &[command, "-s", "local"][..],
            &["-s", "local", command],
            &[command, "local"],
        ] {
            home.run(args).ok().stderr_has("local");
        }
        // The one that is named is meant.
        home.run(["-s", "missing", command, "local"]).ok();
        home.run([command, "-s", "missing"]).code(3);
    }
}
