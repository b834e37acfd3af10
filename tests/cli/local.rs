//! The local vault, through the commands a user types.

use std::collections::BTreeSet;

use crate::support::home::Home;

#[test]
fn every_way_to_give_a_value_keeps_its_bytes() {
    let home = Home::new();
    let get = |name: &str| home.run(["get", name]).ok().stdout.clone();
    home.keyfob(["set", "pipe"]).stdin("a\nb\n\n").run().ok();
    assert_eq!(get("pipe"), b"a\nb\n", "one newline at the end is dropped");
    home.keyfob(["set", "crlf"]).stdin("a\r\n").run().ok();
    assert_eq!(get("crlf"), b"a");
    let bytes: Vec<u8> = (0..=255).collect();
    home.write("bytes", &bytes);
    home.run(["set", "file", "--file", "bytes"]).ok();
    assert_eq!(get("file"), bytes);
    home.keyfob(["set", "stdin", "--file", "-"])
        .stdin("x\n")
        .run()
        .ok();
    assert_eq!(get("stdin"), b"x\n");
    home.keyfob(["set", "env", "--from-env", "GIVEN"])
        .env("GIVEN", " v ")
        .run()
        .ok();
    assert_eq!(get("env"), b" v ");
    home.run(["set", "fresh", "--generate=hex:40"])
        .ok()
        .stdout_is("");
    assert_eq!(get("fresh").len(), 40);
    home.run(["set", "default", "--generate"]).ok();
    assert_eq!(get("default").len(), 32);
    home.keyfob(["set", "empty"]).stdin("\n").run().ok();
    assert_eq!(get("empty"), b"");
    home.keyfob(["set", "nothing"])
        .run()
        .code(2)
        .stderr_has("no value came on stdin");
    home.run(["set", "nothing", "--from-env", "ABSENT"]).code(2);
    home.run(["set", "nothing", "--file", "absent"])
        .code(1)
        .stderr_has("absent");
    home.run(["get", "nothing"]).code(3);
}

#[test]
fn a_value_as_an_argument_is_refused_and_not_repeated() {
    let home = Home::new();
    for args in [
        &["set", "NAME", "hunter2"][..],
        &["set", "NAME", "--hunter2"],
        &["set", "NAME", "-xhunter2"],
        &["set", "NAME", "a", "hunter2"],
        &["--json", "set", "NAME", "hunter2"],
    ] {
        home.run(args.iter().copied())
            .code(2)
            .lacks("hunter2")
            .stderr_has("shell's history");
    }
    assert!(home.files().is_empty());
}

#[test]
fn an_accidental_delete_and_a_bad_update_can_be_undone() {
    let home = Home::new();
    for value in ["one", "two", "three"] {
        home.keyfob(["set", "A"]).stdin(value).run().ok();
    }
    let history = home.run(["--json", "vault", "history", "A"]).ok().json();
    assert_eq!(history.as_array().unwrap().len(), 3);
    home.run(["vault", "restore", "A"]).ok();
    home.run(["get", "A"]).ok().stdout_is("two");
    home.run(["vault", "restore", "A", "1"]).ok();
    home.run(["get", "A"]).ok().stdout_is("one");
    home.run(["delete", "-y", "A"]).ok();
    home.run(["get", "A"]).code(3);
    home.run(["vault", "restore", "A"]).ok();
    home.run(["get", "A"]).ok().stdout_is("one");
    home.run(["vault", "restore", "A", "99"]).code(3);
    for number in 0..12 {
        home.keyfob(["set", "A"])
            .stdin(number.to_string())
            .run()
            .ok();
    }
    let history = home.run(["--json", "vault", "history", "A"]).ok().json();
    assert_eq!(
        history.as_array().unwrap().len(),
        10,
        "ten versions are kept"
    );
}

#[test]
fn a_vault_that_is_damaged_truncated_or_foreign_is_never_overwritten() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let path = home.data().join("vault.age");
    let good = std::fs::read(&path).unwrap();
    let mut damaged = good.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for bad in [
        damaged,
        good[..good.len() - 20].to_vec(),
        b"not a vault".to_vec(),
        Vec::new(),
    ] {
        std::fs::write(&path, &bad).unwrap();
        home.run(["get", "A"]).code(13);
        home.keyfob(["set", "B"]).stdin("2").run().code(13);
        home.run(["delete", "-y", "A"]).code(13);
        home.run(["vault", "rekey", "-y"]).code(13);
        assert_eq!(std::fs::read(&path).unwrap(), bad);
    }
    std::fs::write(&path, &good).unwrap();
    home.run(["get", "A"]).ok().stdout_is("1");
}

#[test]
fn other_recipients_can_read_until_they_are_removed() {
    let alice = Home::new();
    let bob = Home::new();
    alice.keyfob(["set", "A"]).stdin("1").run().ok();
    bob.keyfob(["set", "own"]).stdin("x").run().ok();
    let key = bob.run(["--json", "vault", "info"]).ok().json()["identity"]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let shared = alice.data().join("vault.age");
    let as_bob = |code: i32| {
        bob.keyfob(["get", "A"])
            .env("KEYFOB_LOCAL_PATH", &shared)
            .run()
            .code(code);
    };
    as_bob(4);
    alice.run(["vault", "recipients", "add", &key]).ok();
    as_bob(0);
    alice
        .run(["vault", "recipients", "list"])
        .ok()
        .stdout_has(&key)
        .stdout_has("yours");
    alice
        .run(["vault", "recipients", "remove", &key])
        .ok()
        .stderr_has("rotate");
    as_bob(4);
    alice.run(["vault", "recipients", "remove", &key]).code(3);
    alice
        .run(["vault", "recipients", "add", "age1nonsense"])
        .code(2);
}

#[test]
fn rekey_makes_a_new_identity_and_loses_nothing() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let before = std::fs::read(home.data().join("identity.txt")).unwrap();
    home.run(["vault", "rekey", "-y"]).ok();
    home.run(["get", "A"]).ok().stdout_is("1");
    assert_ne!(
        std::fs::read(home.data().join("identity.txt")).unwrap(),
        before
    );
}

#[test]
fn fifty_parallel_writers_all_land() {
    let home = Home::new();
    let running: Vec<_> = (0..50)
        .map(|number| {
            home.keyfob(["set", &format!("N{number}")])
                .stdin(number.to_string())
                .spawn()
        })
        .collect();
    for run in running {
        run.wait().ok();
    }
    let values: BTreeSet<String> = (0..50)
        .map(|number| home.run(["get", &format!("N{number}")]).ok().text())
        .collect();
    assert_eq!(values.len(), 50);
    let leftovers: Vec<_> = std::fs::read_dir(home.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // The vault, its identity, and what is remembered of vaults.
    assert_eq!(leftovers.len(), 3, "{leftovers:?}");
}

#[test]
fn the_vault_opens_with_age_and_rage_alone() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("from keyfob").run().ok();
    for program in ["age", "rage"] {
        if !crate::support::programs::installed(program) {
            eprintln!(
                "skipped: the_vault_opens_with_age_and_rage_alone: {program} is not installed"
            );
            continue;
        }
        let run = home
            .program(program, ["-d", "-i"])
            .arg(home.data().join("identity.txt"))
            .arg(home.data().join("vault.age"))
            .run();
        run.ok()
            .stdout_has("from keyfob")
            .stdout_has("\"keyfob\":2");
    }
}

#[test]
fn an_identity_that_another_vault_was_begun_with_is_no_sign_of_a_lost_one() {
    let home = Home::new();
    home.run(["store", "add", "dev", "local", "path=dev.age"])
        .ok();
    home.keyfob(["set", "-s", "dev", "A"]).stdin("1").run().ok();
    home.run(["list"])
        .ok()
        .stderr_has("there are no secrets in the store local");
    home.run(["get", "A"])
        .code(3)
        .stderr_has("there is no secret named A in the store local");
    home.run(["doctor", "-s", "local"])
        .ok()
        .stdout_lacks("fault\t");
    // The one that was is missed none the less.
    home.keyfob(["set", "B"]).stdin("1").run().ok();
    std::fs::remove_file(home.data().join("vault.age")).unwrap();
    home.run(["list"])
        .code(3)
        .stderr_has("is not there any more");
}

#[cfg(unix)]
#[test]
fn a_vault_that_is_not_there_is_missed() {
    use std::fs;
    use std::os::unix::fs::symlink;

    let reading: [&[&str]; 8] = [
        &["list"],
        &["get", "A"],
        &["export"],
        &["run", "--all", "--", "true"],
        &["show", "A"],
        &["vault", "info"],
        &["vault", "recipients", "list"],
        &["vault", "history", "A"],
    ];
    let missed = |home: &Home, what: &str| {
        for args in reading {
            let code = if args[0] == "run" { 125 } else { 3 };
            home.run(args.iter().copied())
                .code(code)
                .stdout_is("")
                .stderr_has(what)
                .stderr_has("hint: ");
        }
    };
    // Nothing was ever made: there is nothing to miss.
    let home = Home::new();
    home.run(["list"]).ok();
    home.run(["vault", "info"]).ok();

    // A configured path.
    let mut home = Home::new();
    home.set("KEYFOB_LOCAL_PATH", "team.age");
    missed(&home, "there is no vault");
    home.run(["doctor", "-s", "local"])
        .ok()
        .stdout_has("warning");
    home.write("a.env", "A=1\n");
    home.run(["import", "-y", "a.env"]).ok().stderr_has("made");
    home.run(["get", "A"]).ok().stdout_is("1");

    // Deleted beside its identity.
    fs::remove_file(home.work().join("team.age")).unwrap();
    missed(&home, "is not there any more");
    home.unset("KEYFOB_LOCAL_PATH");
    missed(&home, "there is an identity");
    home.run(["doctor", "-s", "local"])
        .code(1)
        .stdout_has("fault");
    home.keyfob(["set", "B"])
        .stdin("2")
        .run()
        .ok()
        .stderr_has("a new one is begun");
    home.keyfob(["set", "B"])
        .stdin("3")
        .run()
        .ok()
        .stderr_lacks("begun");

    // Behind a link to what is not mounted.
    let (vault, mount) = (home.data().join("vault.age"), home.root().join("mnt"));
    fs::remove_file(&vault).unwrap();
    symlink(mount.join("usb/vault.age"), &vault).unwrap();
    missed(&home, "is a link to");
    for args in [
        &["set", "C", "--generate"][..],
        &["delete", "-y", "A"],
        &["vault", "rekey", "-y"],
        &["vault", "recipients", "accept", "-y"],
    ] {
        home.run(args.iter().copied())
            .code(3)
            .stderr_has("is a link to");
    }
    assert!(!mount.exists());
    home.run(["doctor", "-s", "local"])
        .code(1)
        .stdout_has("fault");
}

#[test]
fn what_was_deleted_is_purged() {
    let home = Home::new();
    for (name, values) in [
        ("A", vec!["one", "two"]),
        ("B", vec!["one", "two"]),
        ("C", vec!["x"]),
    ] {
        for value in values {
            home.keyfob(["set", name]).stdin(value).run().ok();
        }
    }
    home.run(["delete", "-y", "A"])
        .ok()
        .stderr_has("30 days")
        .stderr_has("vault purge");
    // Nobody can be asked.
    home.run(["vault", "purge"]).code(2);
    home.run(["vault", "restore", "A"]).ok();
    home.run(["delete", "-y", "A"]).ok();
    let purged = home.run(["--json", "vault", "purge", "-y"]).ok().json();
    assert_eq!(
        purged,
        serde_json::json!({"store": "local", "results": [{"name": "A", "action": "deleted"}]})
    );
    home.run(["vault", "restore", "A"]).code(3);
    home.run(["vault", "history", "A"]).code(3);
    let nothing = home.run(["--json", "vault", "purge", "-y"]).ok().json();
    assert_eq!(nothing["results"], serde_json::json!([]));
    // Of one that is there, the earlier versions.
    home.run(["vault", "purge", "-y", "B"]).ok();
    home.run(["get", "B"]).ok().stdout_is("two");
    home.run(["vault", "restore", "B", "1"]).code(3);
    let some = home
        .run(["--json", "vault", "purge", "-y", "C", "B", "NONE"])
        .code(10)
        .json();
    assert_eq!(some["results"][0]["action"], "unchanged");
    assert_eq!(some["results"][2]["error"]["kind"], "not_found");
    home.keyfob(["set", "A"]).stdin("three").run().ok();
    let history = home.run(["--json", "vault", "history", "A"]).ok().json();
    assert_eq!(history.as_array().unwrap().len(), 1);
}

#[test]
fn the_identity_is_shown_and_exported() {
    let home = Home::new();
    home.run(["identity", "show"]).code(3);
    home.run(["identity", "export", "-y"]).code(3);
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let kept = std::fs::read(home.data().join("identity.txt")).unwrap();
    let shown = home.run(["--json", "identity", "show"]).ok().json();
    let key = shown["public_key"].as_str().unwrap();
    assert!(shown["path"].as_str().unwrap().ends_with("identity.txt"));
    home.run(["identity", "show"])
        .ok()
        .stdout_has(key)
        .lacks("AGE-SECRET-KEY");
    // Only when it is said, and never over anything.
    for args in [
        &["identity", "export"][..],
        &["identity", "export", "-o", "copy"],
    ] {
        home.run(args.iter().copied())
            .code(2)
            .lacks("AGE-SECRET-KEY");
    }
    home.run(["identity", "export", "-y"]).ok().stdout_is(&kept);
    home.run(["identity", "export", "-y", "-o", "copy"])
        .ok()
        .stdout_is("")
        .lacks("AGE-SECRET-KEY");
    assert_eq!(home.read("copy"), kept);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let copy = std::fs::metadata(home.work().join("copy")).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    }
    home.run(["identity", "export", "-y", "-o", "copy"]).code(6);
    // A backup opens the vault elsewhere.
    let other = Home::new().with("KEYFOB_LOCAL_PATH", home.data().join("vault.age"));
    let get = other.keyfob(["get", "A"]);
    get.env("KEYFOB_LOCAL_IDENTITY", home.work().join("copy"))
        .run()
        .ok()
        .stdout_is("1");
}
