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
fn a_duration_behind_a_blank_is_neither_a_pattern_nor_a_command() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    for (args, code) in [
        (&["list", "--wait", "5s"][..], 2),
        (&["ls", "--wait", "1m30s"], 2),
        (&["run", "--wait", "60s", "true"], 125),
        (&["run", "--pristine", "--wait", "60s", "true"], 125),
    ] {
        let run = home.run(args);
        run.code(code).stderr_has("--wait takes its value behind");
        run.stderr_has("hint: write --wait=");
    }
    // What belongs to the command is its own.
    home.run(["run", "echo", "--wait", "5s"])
        .ok()
        .stdout_is("--wait 5s\n");
    home.run(["run", "--", "echo", "--wait", "5s"])
        .ok()
        .stdout_is("--wait 5s\n");
}

#[test]
fn options_that_others_have_are_answered_with_what_is_here() {
    let home = Home::new();
    for (args, code, hint) in [
        (
            &["run", "--watch", "--", "true"][..],
            125,
            "hint: run brings the secrets once",
        ),
        (
            &["run", "--watch"],
            125,
            "hint: run brings the secrets once",
        ),
        (
            &["run", "--command", "env"],
            125,
            "hint: the command stands behind --",
        ),
        (&["run", "--project", "x", "--", "true"], 125, "-P NAME"),
        (&["run", "--env", "prod", "--", "true"], 125, "-P prod"),
        (&["get", "A", "--copy"], 2, "keyfob get NAME | wl-copy"),
        (&["get", "A", "--clip"], 2, "keyfob get NAME | wl-copy"),
        (&["get", "A", "-c"], 2, "keyfob get NAME | wl-copy"),
        (&["get", "A", "--plain"], 2, "prints the value as it is"),
        (&["get", "A", "--raw"], 2, "prints the value as it is"),
        (&["get", "A", "--output", "f"], 2, "keyfob get NAME > FILE"),
        (&["get", "A", "-o", "f"], 2, "keyfob get NAME > FILE"),
        (&["delete", "A", "--force"], 2, "-y does not ask"),
        (&["delete", "-f", "A"], 2, "-y does not ask"),
        (&["list", "--format", "json"], 2, "--json"),
        (&["list", "--output", "json"], 2, "--json"),
        (&["list", "-o", "json"], 2, "--json"),
        (&["list", "--all"], 2, "keyfob list lists all"),
        (&["set", "A", "--type", "x"], 2, "keyfob set --help"),
    ] {
        let run = home.run(args);
        run.code(code).stderr_has(hint);
        run.stderr_lacks("did you mean");
    }
    // A slip in an option of its own may be one, and is not repeated.
    home.run(["set", "--descripton", "x", "A"])
        .code(2)
        .stderr_has("a value is not taken as an argument")
        .stderr_has("if an option was meant: --description")
        .lacks("--descripton");
    // A value stays one.
    for args in [
        &["set", "A", "--value", "hunter2"][..],
        &["set", "A", "--Hunter2-and-more"],
        &["set", "A", "--correct-hunter"],
        &["set", "A", "--hunter", "x"],
        &["set", "A", "hunter2"],
        &["set", "A", "-----BEGIN"],
    ] {
        home.run(args)
            .code(2)
            .stderr_has("a value is not taken as an argument")
            .lacks("unter");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_said_once() {
    let home = Home::new();
    for (args, message) in [
        (
            &["--timeout", "5", "list"][..],
            "--timeout: \"5\" is no duration: write numbers",
        ),
        (
            &["get", "A", "--wait=abc"],
            "--wait: \"abc\" is no duration: write numbers",
        ),
        (
            &["run", "--fallback", "--max-stale", "5", "--", "true"],
            "--max-stale: \"5\" is no duration: write numbers",
        ),
        (
            &["inject", "--mode", "foo"],
            "--mode: \"foo\" is no mode: write it like",
        ),
        (
            &["restore", "A", "abc"],
            "VERSION: \"abc\" is no whole number",
        ),
        (
            &["vault", "restore", "A", "1x"],
            "VERSION: \"1x\" is no whole number",
        ),
        (
            &["restore", "A", "99999999999"],
            "VERSION: 99999999999 is not in",
        ),
        (
            &[
                "group",
                "create",
                "-s",
                "northflank",
                "abc",
                "--priority",
                "high",
            ],
            "--priority: \"high\" is no whole number",
        ),
        (
            &["get", "KEYFOB://local/A"],
            "NAME: what begins with KEYFOB: is no reference of keyfob's",
        ),
    ] {
        let run = home.run(args);
        run.stderr_has(&format!("error: {message}"));
        run.stderr_lacks("invalid value")
            .stderr_lacks("digit found");
    }
    for args in [
        &["get", "KEYFOB://local/A"][..],
        &["export", "-e", "A=op://x/y/z"],
        &["move", "A", "op://x/y"],
    ] {
        home.run(args)
            .code(2)
            .stderr_has("hint: references are written keyfob://STORE/NAME");
    }
    home.run(["store", "add", "x", "local", "foo"])
        .code(2)
        .stderr_has("hint: the fields are path, identity, recipients");
}

#[test]
fn a_refused_credential_is_told_by_where_it_came_from() {
    let world = World::new();
    let home = &world.home;
    for (store, field) in [
        ("neo", "API_KEY"),
        ("bytenite", "API_KEY"),
        ("northflank", "API_TOKEN"),
    ] {
        let variable = format!("KEYFOB_{}_{field}", store.to_uppercase());
        let run = home
            .keyfob(["list", "-s", store])
            .env(&variable, "wrong-one");
        run.run()
            .code(4)
            .stderr_has(&format!(
                "hint: the credential from environment {variable} is wrong, expired, revoked"
            ))
            .lacks("wrong-one");
    }
    home.write(
        "keyfob.toml",
        "[stores.shop]\nprovider = \"neo\"\napi_key_command = \"echo wrong-one\"\n",
    );
    let shop = home
        .keyfob(["list", "-s", "shop"])
        .env("KEYFOB_TRUST", "1")
        .env("KEYFOB_SHOP_BASE_URL", world.neo.url())
        .env_remove("NEO_API_KEY");
    shop.run()
        .code(4)
        .stderr_has("hint: the credential from api_key_command is wrong")
        .lacks("wrong-one");
}

#[test]
fn an_error_names_its_store_whatever_else_its_words_hold() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    // The addresses hold the names of the stores.
    for (args, store) in [
        (&["list", "-s", "neo"][..], "neo"),
        (&["diff", "local", "neo"], "neo"),
        (&["sync", "local", "neo"], "neo"),
        (&["copy", "A", "neo"], "neo"),
        (&["move", "A", "keyfob://neo/A"], "neo"),
        (&["set", "-s", "bytenite", "s3/x", "--generate"], "bytenite"),
        (&["show", "-s", "bytenite", "s3/x"], "bytenite"),
        (&["delete", "-y", "-s", "neo", "X"], "neo"),
    ] {
        let run = home.run(args);
        assert_ne!(run.code, Some(0), "{args:?}");
        run.stderr_has(&format!("{store}: there is no credential for https://"));
    }
    // So does the folder that the vault is in, and there is nothing of it in others.
    let empty = Home::new();
    for path in [".local/v.age", "v.age"] {
        let home = Home::new().with("KEYFOB_LOCAL_PATH", empty.root().join(path));
        for args in [
            &["get", "A"][..],
            &["history", "A"],
            &["list", "--deleted"],
            &["vault", "info"],
            &["vault", "recipients", "list"],
            &["vault", "rekey", "-y"],
            &["vault", "purge"],
        ] {
            let run = home.run(args);
            run.code(3).stderr_has("error: local: there is no vault ");
            assert_eq!(
                home.run([&["--json"], args].concat()).error()["store"],
                "local",
                "{args:?}"
            );
        }
    }
    // A word of its own, and a reference, name it already.
    home.run(["get", "NONE"])
        .code(3)
        .stderr_has("error: there is no secret named NONE in the store local");
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
    for (args, said) in [
        (
            &["list", "--deleted"][..],
            "no deleted secret can be restored",
        ),
        (
            &["list", "--deleted", "--prefix", "ZZZ"],
            "no deleted secret whose name begins with \"ZZZ\" can be restored",
        ),
        (
            &["list", "--deleted", "Z*"],
            "no deleted secret whose name is like \"Z*\" can be restored",
        ),
    ] {
        home.run(args).ok().stderr_has(said);
    }
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
        (
            &["get", "-s", "bytenite", "s3/a"],
            7,
            "keyfob list -s bytenite shows",
        ),
        (
            &["rotate", "A=hunter2", "--generate", "hex:8"],
            3,
            "keyfob set NAME --generate makes it",
        ),
        (
            &["set", "keyfob://local/A=hunter2"],
            2,
            "echo | keyfob set -s local NAME",
        ),
        (&["history", "-s", "local", "NONE"], 3, "keyfob"),
    ] {
        let run = home.run(args);
        run.code(code).stderr_has(hint).stderr_lacks("{store}");
    }
    world.put("local", "A", "1");
    world.put("local", "B", "1");
    world.put("local", "C", "1");
    home.run(["delete", "B"])
        .ok()
        .stderr_has("keyfob restore -s local B brings it back");
    home.run(["restore", "B"]).ok();
    home.run(["delete", "B", "C"])
        .ok()
        .stderr_has("keyfob restore -s local NAME brings one back");
    // What only import can be told is no hint elsewhere.
    home.write("twice.env", "A=1\nA=$B\n");
    for (option, hint) in [("--last-wins", "--literal"), ("--literal", "--last-wins")] {
        home.run(["import", option, "twice.env"])
            .code(13)
            .stderr_has(&format!("keyfob import {hint}"));
    }
    home.write("twice.env", "A=1\nA=2\n");
    home.write("other.env", "A=$B\n");
    for file in ["twice.env", "other.env"] {
        home.run(["export", "--env-file", file])
            .code(13)
            .stderr_lacks("import");
    }
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
    // So is one that cannot be read, being none.
    for args in [
        &["trust", "."][..],
        &["-C", ".", "list"],
        &["key", "address", "."],
        &["key", "address", "/dev/null"],
        &["key", "import", "/dev/null"],
        &["import", "."],
        &["set", "A", "--file", "."],
    ] {
        home.run(args).code(1);
    }
}
