//! Wrong command lines: each is answered with what could be meant, and nothing else stands on stderr
//! where JSON was asked for.

use crate::support::home::Home;
use crate::support::world::World;

#[test]
fn what_is_called_otherwise_elsewhere_is_found() {
    let home = Home::new();
    for (tried, meant) in [
        ("add", "keyfob set?"),
        ("create", "keyfob set?"),
        ("cat", "keyfob get?"),
        ("reveal", "keyfob get?"),
        ("exec", "keyfob run?"),
        ("rename", "keyfob move?"),
        ("recipients", "keyfob vault recipients?"),
        ("version", "keyfob --version?"),
        ("gett", "keyfob get?"),
        ("hstory", "keyfob history?"),
    ] {
        let hint = format!("hint: did you mean {meant}");
        home.run([tried]).code(2).stderr_has(&hint);
    }
    let run = home.run(["frobnicate"]);
    run.code(2)
        .stderr_has("hint: keyfob --help lists the commands");
    home.run(["vault", "frobnicate"])
        .code(2)
        .stderr_has("hint: keyfob vault --help lists the commands");
    home.run(["vault", "recipient", "list"])
        .code(2)
        .stderr_has("did you mean keyfob vault recipients?");
    home.run(["store", "add"])
        .code(2)
        .stderr_has("hint: keyfob store add --help");
}

#[test]
fn a_wrong_choice_is_answered_with_the_choices() {
    let home = Home::new();
    for (args, hints) in [
        (
            &["export", "--format", "dotnev"][..],
            ["did you mean dotenv?", "json"],
        ),
        (
            &["export", "--format", "JSON"],
            ["did you mean json?", "dotenv"],
        ),
        (
            &["export", "--format", ".env"],
            ["the choices are", "dotenv"],
        ),
        (
            &["--color", "sometimes", "list"],
            ["the choices are", "auto, always, never"],
        ),
        (&["completions", "bsh"], ["did you mean bash?", "zsh"]),
        (
            &["import", "--format", "ini", "x"],
            ["the choices are", "dotenv"],
        ),
        (&["--timeout", "5", "list"], ["hint: write 5s", "1h30m"]),
    ] {
        let run = home.run(args);
        run.code(2);
        for hint in hints {
            run.stderr_has(hint);
        }
    }
}

#[test]
fn a_value_that_goes_behind_an_equals_sign_is_told_so() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    for (args, code, hint) in [
        (
            &["run", "--fallback", "f.age", "--", "echo", "hi"][..],
            125,
            "hint: write --fallback=f.age",
        ),
        (&["get", "A", "--wait", "60s"], 2, "hint: write --wait=60s"),
        (
            &["set", "A", "--generate", "password:40"],
            2,
            "hint: write --generate=password:40",
        ),
    ] {
        home.run(args).code(code).stdout_is("").stderr_has(hint);
    }
    home.run(["run", "--fallback", "--", "true"]).ok();
    home.keyfob(["set", "A", "-"]).stdin("piped\n").run().ok();
    home.run(["get", "A"]).ok().stdout_is("piped");
    home.keyfob(["set", "A", "-", "--generate"]).run().code(2);
}

#[test]
fn nothing_is_not_always_the_same_nothing() {
    let home = Home::new();
    home.run(["list"])
        .ok()
        .stderr_has("there are no secrets in the store local")
        .stderr_has("hint: keyfob set -s local NAME");
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    home.run(["list", "--prefix", "ZZZ"])
        .ok()
        .stderr_has("whose name begins with \"ZZZ\"")
        .stderr_has("hint: keyfob list -s local");
    let home = home.with("KEYFOB_LOCAL_PATH", "/nope/x");
    home.run(["list"])
        .code(3)
        .stderr_has("there is no vault /nope/x");
}

#[test]
fn hints_name_the_store() {
    let world = World::new();
    let home = &world.home;
    for (args, code, hint) in [
        (&["group", "list"][..], 7, "-s northflank"),
        (
            &["group", "show", "-s", "northflank", "no such"],
            3,
            "keyfob group create -s northflank 'no such'",
        ),
        (&["delete", "-s", "neo", "NONE"], 3, "keyfob list -s neo"),
        (&["history", "-s", "local", "NONE"], 3, "keyfob"),
    ] {
        let run = home.run(args);
        run.code(code).stderr_has(hint).stderr_lacks("{store}");
    }
    world.put("local", "A", "1");
    home.run(["restore", "A", "99"])
        .code(3)
        .stderr_has("keyfob history -s local A");
}

#[test]
fn stderr_is_json_line_by_line_where_json_was_asked_for() {
    let world = World::new();
    let home = &world.home;
    home.write("in.env", "A=1\nB=2\n");
    let mut lines = 0;
    for args in [
        &["set", "FIRST", "--generate"][..],
        &["import", "in.env"],
        &["list", "--prefix", "ZZZ"],
        &["list", "-s", "neo"],
        &["scan"],
        &["diff", "local", "nosana"],
        &["export", "--only", "NONE"],
        &["delete", "A", "NONE"],
        &["doctor", "-s", "local"],
        &["trust"],
        &["frobnicate"],
        &["get"],
        &["move", "FIRST", "SECOND"],
    ] {
        let run = home.run([&["--json", "-vv"], args].concat());
        for line in run.stderr.lines() {
            lines += 1;
            let line: serde_json::Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{args:?}: {line}: {error}"));
            let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
            assert_eq!(keys.len(), 1, "{line}");
            assert!(
                ["note", "warning", "error"].contains(&keys[0].as_str()),
                "{line}"
            );
            assert!(line[keys[0]]["message"].is_string(), "{line}");
        }
    }
    assert!(lines > 20, "{lines}");
}

#[test]
fn the_default_is_not_what_is_selected() {
    let home = Home::new();
    for command in [&["status"][..], &["store", "list"]] {
        let list = home.run([&["--json", "-s", "neo"], command].concat());
        let list = list.ok().json();
        for store in list.as_array().unwrap() {
            let is_default = store["store"] == "local";
            assert_eq!(store["default"], is_default, "{store}");
            assert!(
                !store.as_object().unwrap().values().any(|it| it.is_null()),
                "{store}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let home = Home::new();
    for command in ["--help", "--version", "help run", "run -h"] {
        let line = format!("\"$0\" {command} > /dev/full");
        let binary = crate::support::home::BINARY;
        let run = home.program("sh", ["-c", &line, binary]).run();
        run.code(1).stderr_has("could not write to stdout");
    }
}

#[test]
fn a_missing_file_that_was_named_is_a_failure() {
    let home = Home::new();
    for args in [
        &["key", "address", "/nope.json"][..],
        &["key", "import", "/nope.json"],
        &["set", "A", "--file", "/nope"],
        &["import", "/nope"],
        &["trust", "/nope/keyfob.toml"],
    ] {
        home.run(args).code(1);
    }
}
