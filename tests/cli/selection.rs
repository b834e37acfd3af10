//! Which secrets `run`, `export` and `inject` bring, what they call them, and what they leave out.

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::world::World;

/// Two vaults: `local` with these names, and `old` with OLD1 and old-2; and an `[env]` table.
fn two_vaults(names: &[&str], env: &str) -> Home {
    let mut home = Home::new();
    home.set("KEYFOB_TRUST", "1");
    let table = format!("[stores.old]\nprovider = \"local\"\npath = \"old.age\"\n[env]\n{env}");
    home.write("keyfob.toml", table);
    for name in names {
        set(&home, "local", name);
    }
    for name in ["OLD1", "old-2"] {
        set(&home, "old", name);
    }
    home
}

#[track_caller]
fn set(home: &Home, store: &str, name: &str) {
    let set = home.keyfob(["set", "-q", "-s", store, "--", name]);
    set.stdin(format!("of {name}")).run().ok();
}

fn exported(run: &Run) -> Vec<String> {
    let document: Value = run.ok().json();
    document.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_store_that_is_named_counts_before_the_env_table() {
    let mut home = two_vaults(&["A", "B"], "A = \"keyfob://local/A\"\n");
    let json = ["export", "--format", "json"];
    let run = home.run(json);
    assert_eq!(exported(&run), ["A"]);
    run.quiet();
    // By option and by variable, with one note.
    for by in ["--store", "KEYFOB_STORE"] {
        let run = match by {
            "--store" => home.run([&json[..], &["-s", "old"]].concat()),
            _ => home.set("KEYFOB_STORE", "old").run(json),
        };
        assert_eq!(exported(&run), ["OLD1", "old-2"], "{by}");
        run.stderr_is(&format!(
            "all of old is taken, as {by} names it, and the [env] table of the configuration is passed over\n"
        ));
    }
    let run = home.run(["run", "-q", "--", "sh", "-c", "echo [$A$OLD1]"]);
    run.ok().stdout_is("[of OLD1]\n");
    let run = home
        .keyfob(["inject", "-q"])
        .stdin("{{ A }} {{ OLD1 }}")
        .run();
    run.ok().stdout_is("{{ A }} of OLD1");
    // Names and a part of the store are what they were.
    assert_eq!(
        exported(&home.run(["export", "--format", "json", "--prefix", "O"])),
        ["OLD1"]
    );
    home.unset("KEYFOB_STORE");
    home.keyfob(["inject"])
        .stdin("{{ A }}")
        .run()
        .ok()
        .stdout_is("of A");
}

#[test]
fn a_name_asked_for_that_is_missing_is_an_error_wherever_it_is_asked_for() {
    let home = two_vaults(&["A", "B", "SECRET_TOK"], "V = \"A\"\n");
    for (args, what) in [
        (&["--all", "--except", "SECRET_TKO"][..], "SECRET_TKO"),
        (&["--only", "A,B", "--except", "BB"], "BB"),
        (&["--prefix", "S", "--except", "BB"], "BB"),
        (&["-s", "old", "--except", "A"], "A"),
        (&["--all", "--except", "keyfob://old/NOPE"], "NOPE"),
        (&["-e", "X=A", "--except", "Y"], "Y"),
        (
            &["--except", "NOPE"],
            "the [env] table has no variable NOPE",
        ),
        (&["--only", "NOPE"], "NOPE"),
    ] {
        let export = home.run([&["export"], args].concat());
        export.code(3).stdout_is("").stderr_has(what);
        let run = home.run([&["run"], args, &["--", "echo", "started"]].concat());
        run.code(125).stdout_is("").stderr_has(what);
    }
    for only in ["A, B", ""] {
        home.run(["export", "--only", only])
            .code(2)
            .stderr_has("hint: names are written with a comma and no blank");
    }
    for (args, names) in [
        (
            &["--all", "--except", "SECRET_*,NONE*"][..],
            &["A", "B"][..],
        ),
        (&["--only", "A,B", "--except", "SECRET_TOK"], &["A", "B"]),
        (&["--prefix", "S", "--except", "A"], &["SECRET_TOK"]),
        (
            &[
                "--only",
                "A,B,keyfob://old/OLD1",
                "--except",
                "keyfob://old/OLD1",
            ],
            &["A", "B"],
        ),
        (&["--except", "V"], &[]),
        (&["--only", "none*"], &[]),
        (
            &["--only", "*_TOK,keyfob://old/old-?"],
            &["SECRET_TOK", "old-2"],
        ),
    ] {
        let run = home.run([&["export", "-q", "--format", "json"], args].concat());
        assert_eq!(exported(&run), names, "{args:?}");
    }
}

#[test]
fn a_name_that_no_variable_has_is_kept_refused_or_left_out() {
    let home = two_vaults(&["OK", "db-password", "tls.crt", "a/b", "x y"], "");
    let all = ["OK", "a/b", "db-password", "tls.crt", "x y"];
    for format in ["json", "yaml", "toml"] {
        let file = format!("all.{format}");
        let run = home.run(["export", "-s", "local", "--format", format, "-o", &file]);
        run.ok().quiet();
        let read = home
            .run(["--json", "import", "-s", "old", "--dry-run", &file])
            .ok()
            .json();
        let names: Vec<&str> = read["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, all, "{format}");
    }
    // By its own rule.
    let run = home.run(["export", "--format", "k8s"]);
    run.ok()
        .stdout_has("\"tls.crt\"")
        .stdout_has("db-password")
        .stdout_lacks("a/b");
    run.stderr_is("warning: 2 secrets were left out, as what they are called is no valid key of a Kubernetes Secret: a/b, \"x y\"; --upper or -e VAR=NAME brings them along\n");
    home.run(["export", "--format", "k8s", "--only", "tls.crt"])
        .ok()
        .quiet();
    home.run(["export", "--format", "k8s", "--only", "a/b,OK"])
        .code(2)
        .stderr_has("a/b is no valid key");
    // One warning for all of them.
    let run = home.run(["run", "--", "printenv", "OK"]);
    run.ok().stdout_is("of OK\n");
    run.stderr_is("warning: 4 secrets were left out, as what they are called is no valid name of a variable: a/b, db-password, tls.crt, \"x y\"; --upper or -e VAR=NAME brings them along\n");
    // What is asked for by name is not left out, and what a pattern brings may be.
    let run = home.run([
        "run",
        "--only",
        "db-password,OK,tls.crt",
        "--",
        "echo",
        "started",
    ]);
    run.code(125)
        .stdout_is("")
        .stderr_has("no valid name of a variable: db-password, tls.crt");
    home.run(["export", "--only", "OK,d*"])
        .ok()
        .stdout_is("OK='of OK'\n")
        .stderr_has("db-password is no valid name");
    home.run(["export", "--format", "json", "--strict"])
        .code(2)
        .stderr_has("a/b, db-password, tls.crt, \"x y\"");
    home.run(["export", "--only", "db-*"])
        .ok()
        .stdout_is("")
        .stderr_has("warning: nothing is left of what was selected");
    // Names given one by one are checked by the same rule.
    home.run(["export", "--format", "json", "-e", "new/name=OK"])
        .ok()
        .quiet();
    home.run(["export", "--format", "k8s", "-e", "new/name=OK"])
        .code(2)
        .stderr_has("new/name");
}

#[test]
fn a_value_that_no_variable_holds_is_kept_refused_or_left_out() {
    let home = two_vaults(&["OK"], "");
    for (name, bytes) in [
        ("NUL", b"a\0b".to_vec()),
        ("LARGE", vec![b'x'; 128 * 1024]),
        ("FITS", vec![b'x'; 128 * 1024 - 6]),
        ("BYTES", b"\xff\xfe".to_vec()),
    ] {
        home.keyfob(["set", "-q", "--file", "-", name])
            .stdin(bytes)
            .run()
            .ok();
    }
    let run = home.run(["run", "--", "sh", "-c", "echo $OK ${#FITS} [$NUL$LARGE]"]);
    run.ok().stdout_is("of OK 131066 []\n");
    run.stderr_is("warning: these values cannot be environment variables and were left out: LARGE (it is longer than the 128 KiB that a variable holds), NUL (it holds a NUL byte)\n");
    let run = home.run(["export", "--format", "shell"]);
    run.ok()
        .stdout_has("export OK='of OK'\n")
        .stdout_lacks("NUL")
        .stdout_lacks("BYTES");
    run.stderr_has("BYTES (it is not text), LARGE (");
    // Where anything is held it is kept.
    let run = home.run(["export", "--format", "json"]);
    assert_eq!(exported(&run), ["BYTES", "FITS", "LARGE", "NUL", "OK"]);
    run.quiet();
    home.keyfob(["inject", "-e", "X=NUL"])
        .stdin("{{ X }}")
        .run()
        .ok()
        .stdout_is("a\0b");
    for (args, names) in [
        (&["--only", "NUL,OK"][..], "NUL"),
        (&["-e", "X=LARGE"], "X"),
        (
            &["--strict"],
            "LARGE (it is longer than the 128 KiB that a variable holds), NUL (",
        ),
    ] {
        let run = home.run([&["run"], args, &["--", "echo", "started"]].concat());
        run.code(125)
            .stdout_is("")
            .stderr_has(names)
            .stderr_has("--except ");
        home.run([&["export"], args].concat())
            .code(13)
            .stdout_is("")
            .stderr_has(names);
    }
}

#[test]
fn prefixes_come_off_and_are_put_on() {
    let home = two_vaults(
        &["api-env/KEY", "api-env/db-url", "other", "api-env/PATH"],
        "V = \"other\"\n",
    );
    for (args, names) in [
        (
            &["--strip-prefix", "api-env/", "--except", "PATH"][..],
            &["KEY", "db-url"][..],
        ),
        (
            &[
                "--strip-prefix",
                "api-env/",
                "--except",
                "api-env/PATH",
                "--upper",
            ],
            &["DB_URL", "KEY"],
        ),
        (
            &["--strip-prefix", "api-env/", "--add-prefix", "APP_"],
            &["APP_KEY", "APP_PATH", "APP_db-url"],
        ),
        (
            &["--prefix", "api-env/d", "--strip-prefix", "api-env/"],
            &["db-url"],
        ),
        (
            &["--all", "--strip-prefix", "api-env/", "--except", "PATH"],
            &["KEY", "db-url"],
        ),
        (
            &["--only", "api-env/KEY", "--strip-prefix", "api-env/"],
            &["KEY"],
        ),
        (
            &[
                "--strip-prefix",
                "api-env/",
                "--except",
                "PATH",
                "-e",
                "X=other",
            ],
            &["KEY", "X", "db-url"],
        ),
        (&["--add-prefix", "TF_VAR_"], &["TF_VAR_V"]),
        (
            &["--add-prefix", "p/", "--all", "--except", "api-env/*"],
            &["p/other"],
        ),
        (&["--strip-prefix", "none/"], &[]),
    ] {
        let run = home.run([&["export", "-q", "--format", "json"], args].concat());
        assert_eq!(exported(&run), names, "{args:?}");
    }
    for (args, code, what) in [
        (
            &["--only", "other", "--strip-prefix", "api-env/"][..],
            2,
            "--strip-prefix",
        ),
        (
            &["--strip-prefix", "api-env/"],
            2,
            "PATH would change how programs run",
        ),
        (
            &["--only", "other", "--add-prefix", "LD_"],
            2,
            "LD_other would change",
        ),
        (
            &[
                "--all",
                "--except",
                "api-env/*",
                "-e",
                "X=other",
                "--add-prefix",
                "X",
                "--upper",
            ],
            0,
            "",
        ),
    ] {
        home.run([&["export"], args].concat())
            .code(code)
            .stderr_has(what);
    }
}

#[test]
fn what_programs_obey_comes_by_its_name_alone_and_beside_anything() {
    let home = two_vaults(&["A", "NODE_OPTIONS", "LD_X"], "");
    let node = ["-e", "NODE_OPTIONS=NODE_OPTIONS"];
    for args in [
        &["--all", "--except", "LD_X"][..],
        &["--only", "A,NODE_OPTIONS"],
        &["--only", "A,N*"],
        &["--prefix", "", "--except", "LD_*"],
        &["--all", "--except", "NODE_OPTIONS,LD_X"],
    ] {
        let export = home.run([&["export", "--format", "json"], args, &node].concat());
        assert_eq!(exported(&export), ["A", "NODE_OPTIONS"], "{args:?}");
        let print = ["--", "sh", "-c", "echo $A $NODE_OPTIONS"];
        let run = home.keyfob([&["run"], args, &node, &print].concat()).run();
        run.ok().stdout_is("of A of NODE_OPTIONS\n");
        let inject = home.keyfob([&["inject"], args, &node].concat());
        inject
            .stdin("{{ NODE_OPTIONS }}")
            .run()
            .ok()
            .stdout_is("of NODE_OPTIONS");
    }
    home.run(["export", "--all"])
        .code(2)
        .stderr_has("LD_X, NODE_OPTIONS");
}

#[test]
fn an_empty_store_is_told_from_a_selection_that_brings_nothing() {
    let home = two_vaults(&["A"], "");
    home.run(["delete", "-y", "-q", "A"]).ok();
    home.run(["run", "--", "true"])
        .ok()
        .stderr_is("warning: there are no secrets in the store local\n");
    home.run(["run", "--prefix", "X", "--", "true"])
        .ok()
        .stderr_is("warning: no secret was selected\n");
}

#[test]
fn the_hosted_stores_are_selected_from_in_the_same_way() {
    let mut world = World::new();
    world.home.set("KEYFOB_STORE", "nosana");
    for name in ["hf-token", "OK", "DB_URL", "DB_KEY"] {
        world.put("nosana", name, "x");
    }
    let home = &world.home;
    let run = home.run(["export", "--format", "json"]);
    assert_eq!(exported(&run), ["DB_KEY", "DB_URL", "OK", "hf-token"]);
    run.quiet();
    let run = home.run([
        "export", "--format", "json", "--only", "DB_*", "--except", "*_KEY",
    ]);
    assert_eq!(exported(&run), ["DB_URL"]);
    home.run(["export", "--all", "--except", "hf_token"])
        .code(3)
        .stderr_has("hf_token");
    // Of a store that gives nothing back names alone are chosen.
    for name in ["hf-token", "OK"] {
        world.put("neo", name, "x");
    }
    let home = &world.home;
    let run = home.run(["export", "-s", "neo", "--format", "nosana", "--only", "O*"]);
    run.ok().stdout_has("\"OK\"").stdout_lacks("hf-token");
    home.run([
        "export", "-s", "neo", "--format", "nosana", "--except", "nope",
    ])
    .code(3)
    .stderr_has("nope");
    assert_eq!(
        home.run(["--json", "list", "-s", "nosana"]).ok().json()[0]["name"],
        json!("DB_KEY")
    );
}
