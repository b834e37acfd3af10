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
    let found = stores.iter().find(|store| store["name"] == name);
    found.cloned().unwrap_or_default()
}

#[test]
fn init_writes_a_commented_file_and_never_over_another() {
    let home = Home::new();
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
fn init_with_a_default_makes_all_of_it_or_nothing() {
    let home = Home::new();
    let made = home.run(["--json", "init", "--default", "nosana"]);
    let path = home.work().canonicalize().unwrap().join("keyfob.toml");
    assert_eq!(made.ok().json(), json!({"path": path}));
    assert_eq!(listed(&home, "nosana")["default"], true);
    assert!(text(&home, "keyfob.toml").contains("\ndefault_store = \"nosana\"\n\n# A store is"));
    let other = Home::new();
    other
        .run(["init", "--default", "nosanna"])
        .code(3)
        .stderr_has("did you mean `nosana`?");
    assert!(!other.work().join("keyfob.toml").exists());
}

#[test]
fn a_store_is_added_to_the_user_s_own_file_unless_told_otherwise() {
    let home = Home::new();
    let own = home.config().join("config.toml");
    let added = home
        .run(["--json", "store", "add", "gpu", "nosana", "network=devnet"])
        .ok()
        .json();
    assert_eq!(added, json!({"name": "gpu", "path": own}));
    assert_eq!(
        fs::read_to_string(&own).unwrap(),
        "[stores.gpu]\nprovider = \"nosana\"\nnetwork = \"devnet\"\n"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&own).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let gpu = listed(&home, "gpu");
    assert_eq!(gpu["provider"], "nosana");
    assert_eq!(gpu["fields"], json!({"network": "devnet"}));
    assert_eq!(gpu["default"], false);
    assert_eq!(gpu["origin"], format!("{}:2:12", own.display()));
    home.run(["store", "list"]).ok().stdout_has("gpu\tnosana\t");

    // The project's file must be there.
    home.run(["store", "add", "dev", "local", "--project"])
        .code(3)
        .stderr_has("keyfob init");
    home.write("keyfob.toml", "");
    home.run(["store", "add", "dev", "local", "--project", "--default"])
        .ok()
        .stderr_has("keyfob.toml");
    assert_eq!(listed(&home, "dev")["default"], true);
    assert!(!fs::read_to_string(&own).unwrap().contains("dev]"));
    // A named file is the one that is changed.
    home.run(["-C", "named.toml", "store", "add", "x", "local"])
        .ok();
    assert!(text(&home, "named.toml").contains("[stores.x]"));
}

#[test]
fn what_is_wrong_is_not_written() {
    let home = Home::new();
    home.write("keyfob.toml", "# as it was\n");
    for (args, code, part) in [
        (&["a", "nosanna"][..], 2, "did you mean `nosana`?"),
        (
            &["a", "nosana", "netwrok=devnet"],
            2,
            "did you mean `network`?",
        ),
        (&["a", "nosana", "network=devent"], 2, "network"),
        (&["a", "nosana", "network"], 2, "FIELD=VALUE"),
        (&["a", "nosana", "network="], 2, "empty"),
        (&["a", "nosana", "job=1", "job=2"], 2, "twice"),
        (
            &["a", "nosana", "base_url=http://example.com"],
            2,
            "loopback",
        ),
        (
            &["a", "northflank", "api_token=hunter2"],
            2,
            "KEYFOB_A_API_TOKEN",
        ),
        (&["A b", "local"], 2, "store name"),
    ] {
        home.run([&["store", "add", "--project"], args].concat())
            .code(code)
            .stderr_has(part)
            .lacks("hunter2");
        assert_eq!(text(&home, "keyfob.toml"), "# as it was\n");
    }
    home.run(["store", "add", "a", "local", "--project"]).ok();
    let before = text(&home, "keyfob.toml");
    home.run(["store", "add", "a", "neo", "--project"]).code(6);
    // Two stores that would share their variables.
    home.run(["store", "add", "x-y", "local", "--project"]).ok();
    home.run(["store", "add", "x_y", "local", "--project"])
        .code(11)
        .stderr_has("KEYFOB_X_Y_");
    home.run(["store", "remove", "x-y", "--project"]).ok();
    assert_eq!(text(&home, "keyfob.toml"), before);
    home.run(["store", "remove", "b", "--project"]).code(3);
    home.run(["store", "remove", "a"]).code(3);
    home.write("keyfob.toml", "wrong");
    home.run(["store", "add", "b", "local", "--project"])
        .code(11)
        .stderr_has("keyfob.toml:1:");
    assert_eq!(text(&home, "keyfob.toml"), "wrong");
}

#[test]
fn comments_and_order_survive_a_store_that_comes_and_goes() {
    let home = Home::new();
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
fn stores_that_are_built_in_are_listed_too() {
    let home = Home::new();
    let stores = home.run(["store", "list", "--json"]).ok().json();
    let names: Vec<&str> = stores
        .as_array()
        .unwrap()
        .iter()
        .map(|store| store["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["bytenite", "local", "neo", "northflank", "nosana"]);
    home.run(["store", "ls"])
        .ok()
        .stdout_has("*\tlocal\tlocal\tbuilt in\n");
}
