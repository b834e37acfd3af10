//! What nobody gives on purpose: paths that are not text, waits without end. keyfob ends with an error
//! and a code, and never by an abort.

use crate::support::home::Home;

/// As long as 64 bits of some unit, and longer.
const ABSURD: [&str; 7] = [
    "9223372036854775807s",
    "9223372036854775808s",
    "18446744073709551615s",
    "9223372036854775807ms",
    "106751991167300d",
    "999999999999999999999d",
    "2562047788015215h30m",
];

#[test]
fn absurd_durations_are_errors_wherever_one_is_given() {
    let home = Home::new();
    for long in ABSURD {
        let wait = format!("--wait={long}");
        for (args, code) in [
            (&["--timeout", long, "list"][..], 2),
            (&["--timeout", long, "list", "-s", "neo"], 2),
            (
                &["run", "--fallback", "--max-stale", long, "--", "true"],
                125,
            ),
            (&["get", "-s", "nosana", "A", &wait], 2),
            (&["set", "-s", "bytenite", "s3/a", "--expires-at", long], 2),
        ] {
            home.run(args).code(code).stderr_has("error: ");
        }
        for variable in ["KEYFOB_TIMEOUT", "KEYFOB_KEYRING_TIMEOUT"] {
            home.keyfob(["list"])
                .env(variable, long)
                .run()
                .code(2)
                .stderr_has(variable);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_text_ends_no_command_by_an_abort() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let mut home = Home::new();
    let odd = home.root().join(OsString::from_vec(b"odd-\xff".to_vec()));
    std::fs::create_dir(&odd).unwrap();
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        home.set(variable, &odd);
    }
    for (args, code) in [
        (&["set", "A", "--generate"][..], 0),
        (&["get", "A"], 0),
        (&["list"], 0),
        (&["vault", "info"], 0),
        (&["vault", "rekey", "-y"], 0),
        (&["vault", "recipients", "list"], 0),
        (&["vault", "purge", "-y"], 0),
        (&["identity", "show"], 0),
        (&["identity", "export", "-y"], 0),
        (&["store", "add", "x", "neo"], 0),
        (&["store", "list"], 0),
        (&["status"], 0),
        (&["key", "new", "-o", "key.json"], 0),
        (&["export", "-o", "all.json", "--format", "json"], 0),
        (&["man", "--dir", "pages"], 0),
        (&["init"], 0),
        (&["trust", "-y"], 0),
        (&["trust", "--list"], 0),
    ] {
        for json in [&[][..], &["--json"]] {
            let given = home.work().join(OsString::from_vec(b"in-\xfe".to_vec()));
            let _ = std::fs::remove_dir_all(&given);
            std::fs::create_dir(&given).unwrap();
            if args == ["trust", "-y"] {
                std::fs::write(given.join("keyfob.toml"), "").unwrap();
            }
            let run = home.keyfob(json).args(args).cwd(given).run();
            let again = args[0] == "store" && args[1] == "add" && !json.is_empty();
            let expected = if again { 6 } else { code };
            assert_eq!(run.code, Some(expected), "{args:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_file_that_was_named_and_is_missing_is_a_plain_failure() {
    let home = Home::new();
    for args in [
        &["scan", "/nope"][..],
        &["trust", "-y", "/nope"],
        &["-C", "/nope", "list"],
        &["key", "address", "/nope"],
        &["key", "import", "/nope"],
        &["import", "/nope"],
        &["inject", "-i", "/nope"],
        &["set", "A", "--file", "/nope"],
        &["export", "--env-file", "/nope"],
    ] {
        home.run(args).code(1).stdout_is("").stderr_has("/nope");
    }
    home.run(["run", "-C", "/nope", "--", "true"]).code(125);
}

#[test]
fn a_built_in_store_stays_what_it_is() {
    let home = Home::new();
    let run = home.run(["store", "add", "local", "neo"]);
    run.code(6)
        .stderr_has("the built-in store of the provider local")
        .stderr_has("keyfob store add my-neo neo");
    home.run(["store", "add", "my-neo", "neo"]).ok();
    home.run(["store", "add", "local", "local", "path=x.age"])
        .ok();
}

#[test]
fn references_of_other_tools_are_no_names() {
    let home = Home::new();
    for name in [
        "KEYFOB://local/A",
        "keyfob:/local/A",
        "op://vault/item/field",
    ] {
        home.keyfob(["set", name])
            .stdin("x")
            .run()
            .code(2)
            .stderr_has("keyfob://STORE/NAME");
        home.run(["export", "-e", &format!("A={name}")]).code(2);
    }
    home.keyfob(["set", "-q", "keyfob://local/op:%2F%2Fx"])
        .stdin("x")
        .run()
        .ok();
    home.run(["get", "keyfob://local/op://x"])
        .ok()
        .stdout_is("x");
}
