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
    assert_eq!(leftovers.len(), 2, "{leftovers:?}");
}

#[test]
fn the_vault_opens_with_age_and_rage_alone() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("from keyfob").run().ok();
    for program in ["age", "rage"] {
        if !crate::support::bus::installed(program) {
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
            .stdout_has("\"keyfob\":1");
    }
}
