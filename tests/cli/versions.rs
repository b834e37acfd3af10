//! History, what is deleted, and what stands beside a value.

use serde_json::json;

use crate::support::home::Home;
use crate::support::world::{READABLE, WRITE_ONLY, World};

#[test]
fn versions_are_listed_and_restored_at_top_level() {
    let home = Home::new();
    for value in ["one", "two"] {
        home.keyfob(["set", "A"]).stdin(value).run().ok();
    }
    let versions = home.run(["--json", "history", "A"]).ok().json();
    assert_eq!(
        versions,
        home.run(["--json", "vault", "history", "A"]).ok().json()
    );
    assert_eq!(versions.as_array().unwrap().len(), 2);
    home.run(["restore", "keyfob://local/A"]).ok();
    home.run(["get", "A"]).ok().stdout_is("one");
    home.run(["vault", "restore", "A", "2"]).ok();
    home.run(["get", "A"]).ok().stdout_is("two");
    home.run(["history", "NONE"]).code(3);
    home.run(["restore", "A", "99"]).code(3);
    let world = World::new();
    for store in ["nosana", "northflank", "bytenite", "neo"] {
        world.home.run(["history", "-s", store, "s3/a"]).code(7);
        world.home.run(["restore", "-s", store, "s3/a"]).code(7);
        let run = world.home.run(["list", "-s", store, "--deleted"]);
        run.code(7).stderr_has("history");
    }
}

#[test]
fn deleted_secrets_are_listed_until_they_come_back() {
    let home = Home::new();
    home.run(["list", "--deleted"])
        .ok()
        .stderr_has("no deleted secret");
    for name in ["A", "B", "DB"] {
        let set = ["set", name, "--description", "d"];
        home.keyfob(set).stdin("v").run().ok();
    }
    home.run(["delete", "-y", "A", "DB"]).ok();
    let names = |args: &[&str]| {
        let list = home.run([&["--json", "list", "--deleted"], args].concat());
        let list = list.ok().json();
        let names = list.as_array().unwrap().iter();
        names
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["A", "DB"]);
    assert_eq!(names(&["--prefix", "D"]), ["DB"]);
    let list = home.run(["--json", "list", "--deleted"]).ok().json();
    assert_eq!(list[0]["description"], "d");
    assert!(list[0]["updated_at"].is_string());
    home.run(["list", "--deleted"]).ok().stdout_has("A\t");
    home.run(["restore", "A"]).ok();
    assert_eq!(names(&[]), ["DB"]);
    home.run(["vault", "purge", "-y"]).ok();
    assert_eq!(names(&[]), Vec::<String>::new());
    home.run(["list", "--deleted", "--type", "x"]).code(2);
}

#[test]
fn what_stands_beside_a_value_changes_without_it() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    let keep = |args: &[&str]| {
        let keep = [&["--json", "set", "--keep-value"], args].concat();
        home.keyfob(keep).stdin("never read").run()
    };
    let results =
        |action: &str| json!({"store": "local", "results": [{"name": "A", "action": action}]});
    let described = ["A", "--description", "what for"];
    assert_eq!(keep(&described).ok().json(), results("updated"));
    assert_eq!(keep(&described).ok().json(), results("unchanged"));
    home.run(["get", "A"]).ok().stdout_is("v");
    let show = home.run(["--json", "show", "A"]).ok().json();
    assert_eq!(show["description"], "what for");
    // No version is made of it.
    let versions = home.run(["--json", "history", "A"]).ok().json();
    assert_eq!(versions.as_array().unwrap().len(), 1);
    keep(&["NONE", "--description", "d"]).code(3);
    keep(&["A"]).code(2).stderr_has("--description");
    keep(&["A", "--attr", "a=b"]).code(7);
    for source in ["--file=x", "--generate", "--from-env=X", "--if-absent"] {
        keep(&["A", "--description", "d", source]).code(2);
    }
    // Who gave no value may have meant just that; who meant one keeps the hint about it.
    let alone = "--keep-value changes what stands beside the value alone";
    home.run(["set", "A", "--description", "d"])
        .code(2)
        .stderr_has("no value came on stdin")
        .stderr_has(alone);
    home.run(["set", "A", "--description", "d", "--generate=no:8"])
        .code(2)
        .lacks(alone);
    home.run(["set", "A"]).code(2).lacks(alone);
    let world = World::new();
    for store in READABLE.into_iter().chain(WRITE_ONLY) {
        if store == "local" {
            continue;
        }
        let set = [
            "set",
            "-s",
            store,
            "s3/a",
            "--keep-value",
            "--description",
            "d",
        ];
        // It can, and has no such secret.
        let code = if store == "openbao" { 3 } else { 7 };
        world.home.run(set).code(code);
        assert_eq!(world.changes(store), Vec::<String>::new(), "{store}");
    }
    let attr = [
        "set",
        "-s",
        "bytenite",
        "s3/a",
        "--keep-value",
        "--attr",
        "accessKey=x",
    ];
    world.home.run(attr).code(7).stderr_has("with the value");
}

#[test]
fn a_missing_secret_has_the_value_that_is_given_for_it() {
    for store in READABLE {
        let world = World::new();
        let get = |args: &[&str]| world.home.run([&["get", "-s", store], args].concat());
        get(&["A", "--or", "info"]).ok().stdout_is("info").quiet();
        get(&["A", "--or", ""]).ok().stdout_is("");
        let json = get(&["A", "--or", "x", "--json"]).ok().json();
        assert_eq!(json["value"], "x");
        world.put(store, "A", "there");
        get(&["A", "--or", "info"]).ok().stdout_is("there");
    }
    let world = World::new();
    world
        .home
        .run(["get", "-s", "nowhere", "A", "--or", "x"])
        .code(3);
    world
        .home
        .run(["get", "-s", "neo", "A", "--or", "x"])
        .code(7);
}

#[test]
fn help_is_asked_for_in_words() {
    let home = Home::new();
    for words in [&[][..], &["run"], &["vault", "recipients", "add"], &["rm"]] {
        let asked = home.run([&["help"], words].concat());
        let flag = home.run([words, &["--help"]].concat());
        asked.ok().quiet().stdout_is(flag.ok().text());
    }
    home.run(["help", "frobnicate"]).code(2);
    home.run(["help", "vault", "nothing"]).code(2);
}

#[test]
fn a_list_is_narrowed_by_a_pattern() {
    for store in READABLE {
        let world = World::new();
        for name in ["DB_A", "DB_B", "OTHER"] {
            world.put(store, name, "v");
        }
        let names = |glob: &str| {
            let list = world.home.run(["--json", "list", "-s", store, glob]);
            let list = list.ok().json();
            let names = list.as_array().unwrap().iter();
            names
                .map(|it| it["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("DB_*"), ["DB_A", "DB_B"], "{store}");
        assert_eq!(names("*_[B-Z]"), ["DB_B"], "{store}");
        assert_eq!(names("OTHER"), ["OTHER"], "{store}");
        assert_eq!(names("NONE*"), Vec::<String>::new(), "{store}");
        let none = world.home.run(["list", "-s", store, "NONE*"]);
        none.ok().stderr_has("whose name is like \"NONE*\"");
        world.home.run(["list", "-s", store, "[z-a]"]).code(2);
    }
}
