//! What came after 0.1, walked over every provider: for people, for programs and in CI. Each command
//! ends with the same code in all of them, says what can be read there, and asks nobody.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::world::World;

/// The stores, with a name that each takes.
const STORES: [(&str, &str); 6] = [
    ("local", "app_a"),
    ("nosana", "app_a"),
    ("northflank", "app_a"),
    ("openbao", "app_a"),
    ("bytenite", "s3/app_a"),
    ("neo", "app_a"),
];

/// The commands in their order, `N` being the secret's name, and the codes that they end with, store
/// by store as above.
const WALK: &[(&[&str], [i32; 6])] = &[
    (&["check"], [0; 6]),
    (&["check", "-P", "prod"], [0; 6]),
    (&["check", "-P", "bad"], [3; 6]),
    (&["check", "-P", "nowhere"], [11; 6]),
    (&["where", "V"], [0; 6]),
    (&["where", "N"], [0; 6]),
    (&["run", "--", "printenv", "V"], [0, 0, 0, 0, 125, 125]),
    (
        &["run", "-P", "prod", "--", "printenv", "W"],
        [0, 0, 0, 0, 125, 125],
    ),
    (&["run", "-P", "bad", "--", "true"], [125; 6]),
    (&["get", "N", "--or", "else"], [0, 0, 0, 0, 7, 7]),
    (&["get", "Nx", "--or", "else"], [0, 0, 0, 0, 7, 7]),
    (&["get", "Nx"], [3, 3, 3, 3, 7, 7]),
    (&["list", "N*"], [0; 6]),
    (&["list", "q*"], [0; 6]),
    (&["list", "--deleted"], [0, 7, 7, 0, 7, 7]),
    (&["history", "N"], [0, 7, 7, 0, 7, 7]),
    (&["export", "--only", "N*"], [0, 0, 0, 0, 7, 7]),
    (&["export", "--strip-prefix", "app_"], [0, 0, 0, 0, 7, 7]),
    (
        &["export", "--all", "--add-prefix", "X_"],
        [0, 0, 0, 0, 7, 7],
    ),
    (
        &["export", "--only", "N", "-o", "out.json"],
        [0, 0, 0, 0, 7, 7],
    ),
    (&["import", "-y", "secret.yaml"], [0; 6]),
    (
        &["set", "N", "--keep-value", "--description", "d"],
        [0, 7, 7, 0, 7, 7],
    ),
    (
        &["set", "Nx", "--keep-value", "--description", "d"],
        [3, 7, 7, 3, 7, 7],
    ),
    (&["edit", "N"], [0, 0, 0, 0, 7, 7]),
    (&["move", "Nx", "Nnew"], [3, 3, 3, 3, 7, 7]),
    (&["move", "N", "Nnew"], [0, 0, 0, 0, 7, 7]),
    (&["where", "Nnew"], [0, 0, 0, 0, 3, 3]),
    (&["delete", "Nnew"], [0, 0, 0, 0, 3, 3]),
    (&["restore", "Nnew"], [0, 7, 7, 0, 7, 7]),
    (&["help", "move"], [0; 6]),
];

/// How a command is run.
const MODES: [(&str, &[&str], Option<&str>); 3] = [
    ("plain", &[], None),
    ("json", &["--json"], None),
    ("ci", &[], Some("1")),
];

fn prepared(store: &str, name: &str) -> World {
    let world = World::new();
    world.put(store, name, "value-of-it");
    let home = &world.home;
    // So that keyfob knows what it has stored where nothing can be read back.
    home.keyfob(["set", "-q", "-s", store, name])
        .stdin("value-of-it")
        .run()
        .ok();
    home.write(
        "keyfob.toml",
        format!(
            "default_store = \"{store}\"\n\
             [env]\nV = \"{name}\"\nO = {{ from = \"{name}none\", required = false }}\n\
             D = {{ default = \"info\" }}\n\
             [profiles.prod.env]\nW = \"{name}\"\n\
             [profiles.bad.env]\nW = \"{name}none\"\n"
        ),
    );
    let key = match store {
        "bytenite" => "s3/kept",
        _ => "kept",
    };
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  \"{key}\": from-a-manifest\n"
    );
    home.write("secret.yaml", manifest);
    home.write("editor", "#!/bin/sh\nprintf edited > \"$1\"\n");
    crate::support::home::set_mode(&home.work().join("editor"), 0o755);
    world
}

/// Whether stderr is lines of objects, and stdout one document or nothing.
fn is_for_programs(run: &Run, passes_on: bool) -> bool {
    let object = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|it| it.is_object());
    let stdout = run.text();
    let document = stdout.trim().is_empty() || serde_json::from_str::<Value>(&stdout).is_ok();
    run.stderr.lines().all(object) && (document || passes_on)
}

#[test]
fn new_commands_end_alike_for_people_for_programs_and_in_ci() {
    let mut wrong = String::new();
    for (place, (store, name)) in STORES.iter().enumerate() {
        for (mode, options, ci) in MODES {
            let world = prepared(store, name);
            let editor = world.home.work().join("editor");
            for (words, codes) in WALK {
                let words: Vec<String> = words.iter().map(|word| word.replace('N', name)).collect();
                let mut command = world.home.keyfob(options).env("KEYFOB_TRUST", "1");
                command = command.env("EDITOR", &editor).args(&words);
                if let Some(ci) = ci {
                    command = command.env("CI", ci);
                }
                let run = command.run();
                let what = format!("{store} {mode} {words:?}");
                if run.code != Some(codes[place]) {
                    let _ = writeln!(wrong, "{what}: {:?}: {}", run.code, run.stderr);
                }
                if mode == "json" && !is_for_programs(&run, words[0] == "run" || words[0] == "help")
                {
                    let _ = writeln!(wrong, "{what}: {} {}", run.text(), run.stderr);
                }
                if mode == "plain" {
                    let failed = run.code != Some(0) && words[0] != "check";
                    if failed && !run.stderr.contains("error: ") {
                        let _ = writeln!(wrong, "{what}: without an error: {}", run.stderr);
                    }
                }
                if run.stderr.contains("value-of-it") {
                    let _ = writeln!(wrong, "{what}: the value: {}", run.stderr);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn new_commands_answer_programs_in_their_shapes() {
    for (store, name) in STORES {
        let world = prepared(store, name);
        let home = &world.home;
        let run = |args: &[&str]| {
            home.keyfob(["--json"])
                .args(args)
                .env("KEYFOB_TRUST", "1")
                .run()
        };
        let checked = run(&["check"]).ok().json();
        let v = &checked.as_array().unwrap()[..];
        let v = v.iter().find(|it| it["variable"] == "V").unwrap().clone();
        let expected = json!({"variable": "V", "store": store, "name": name, "state": "present", "required": true});
        assert_eq!(v, expected, "{store}");
        let found = run(&["where", "V"]).ok().json();
        assert_eq!(found["store"], store);
        assert_eq!(found["name"], name);
        assert_eq!(found["variable"], "V");
        assert_eq!(found["line"], 3);
        assert_eq!(
            run(&["list", &format!("{name}*")]).ok().json()[0]["name"],
            name
        );
        if crate::support::world::READABLE.contains(&store) {
            let new = format!("{name}new");
            let moved = run(&["move", name, &new]).ok().json();
            let expected = json!({"store": store, "results": [{"name": name, "action": "moved"}]});
            assert_eq!(moved, expected, "{store}");
        }
    }
}

/// What is offered behind `line`, whose last word is being typed.
fn offered(home: &Home, line: &[&str]) -> Vec<String> {
    let run = home.keyfob(["--", "keyfob"]).args(line);
    let run = run.env("KEYFOB_COMPLETE", "bash").env("KEYFOB_TRUST", "1");
    let run = run.run();
    run.ok().quiet();
    run.text().lines().map(str::to_owned).collect()
}

#[test]
fn what_can_be_named_is_completed_on_every_store() {
    for (store, name) in STORES {
        let world = prepared(store, name);
        let home = &world.home;
        // Each of them begins with what it is about, so that files of the folder are none.
        for line in [
            &["where", ""][..],
            &["get", ""],
            &["get", "--or", "else", ""],
            &["set", "--keep-value", ""],
            &["edit", ""],
            &["move", ""],
            &["history", ""],
            &["restore", ""],
            &["delete", ""],
            &["show", ""],
            &["rotate", ""],
            &["run", "--only", ""],
            &["export", "--only", ""],
            &["export", "--except", ""],
        ] {
            let found = offered(home, line);
            assert!(
                found.iter().any(|it| it == name),
                "{store} {line:?}: {found:?}"
            );
            // Another's names are no names of this store, and references are made of them.
            let mut other = vec!["-s", if store == "local" { "neo" } else { "local" }];
            other.extend(line);
            let found = offered(home, &other);
            let is_of_both = line[0] == "where";
            assert!(
                is_of_both || !found.iter().any(|it| it == name),
                "{store} {line:?}: {found:?}"
            );
        }
        let reference = format!("keyfob://{store}/{name}");
        for line in [
            &["get", "keyfob://"][..],
            &["move", name, "keyfob://"],
            &["copy", "keyfob://"],
        ] {
            let found = offered(home, line);
            let is_offered = found.iter().any(|it| reference.starts_with(it.as_str()));
            assert!(is_offered, "{store} {line:?}: {found:?}");
        }
        let mapped = offered(home, &["run", "-e", "X="]);
        assert!(mapped.contains(&format!("X={name}")), "{store}: {mapped:?}");
        for profile in ["prod", "bad"] {
            assert!(offered(home, &["check", "-P", ""]).contains(&profile.to_owned()));
        }
        assert!(offered(home, &["check", "-s", ""]).contains(&store.to_owned()));
        // No server is asked while somebody types.
        let asked = || world.servers().map(|server| server.requests().len());
        let before = asked();
        offered(home, &["restore", ""]);
        offered(home, &["group", "show", ""]);
        assert_eq!(asked(), before, "{store}");
    }
}

#[test]
fn what_was_deleted_and_groups_are_completed_where_there_are_such() {
    let world = World::new();
    let home = &world.home;
    world.put("local", "GONE", "1");
    home.run(["delete", "GONE"]).ok();
    for line in [
        &["restore", ""][..],
        &["vault", "restore", ""],
        &["vault", "purge", ""],
    ] {
        assert_eq!(offered(home, line), ["GONE"], "{line:?}");
    }
    for line in [&["get", ""][..], &["delete", ""], &["show", ""]] {
        assert!(offered(home, line).is_empty(), "{line:?}");
    }
    for act in ["show", "update", "delete"] {
        for store in [
            "northflank",
            "local",
            "nosana",
            "openbao",
            "bytenite",
            "neo",
        ] {
            let found = offered(home, &["group", act, "-s", store, ""]);
            let expected: &[&str] = match store {
                "northflank" => &[crate::support::world::GROUP],
                _ => &[],
            };
            assert_eq!(found, expected, "{act} {store}");
        }
    }
}

#[test]
fn every_new_command_has_its_page_and_help() {
    let home = Home::new();
    let mut commands: Vec<&str> = WALK.iter().map(|(words, _)| words[0]).collect();
    commands.sort_unstable();
    commands.dedup();
    for command in commands {
        let page = format!(".TH \"KEYFOB\\-{}\" \"1\"", command.to_uppercase());
        for (options, ci) in [
            (&[][..], None),
            (&["-q"], None),
            (&["--no-input"], Some("1")),
        ] {
            let mut man = home.keyfob(["man", command]).args(options);
            if let Some(ci) = ci {
                man = man.env("CI", ci);
            }
            let man = man.run();
            man.ok().stdout_has(&page).stdout_has(".SH EXAMPLES");
            assert!(man.stderr.is_empty(), "{command}: {}", man.stderr);
        }
        for args in [&["help", command][..], &[command, "--help"]] {
            home.run(args)
                .ok()
                .stdout_has(&format!("Usage: keyfob {command}"));
        }
    }
}
