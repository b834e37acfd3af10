//! Who reads a vault: what its file says of that is not believed, whoever wrote it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::home::Home;
use crate::support::programs::installed;
use crate::support::run::Run;

/// Somebody with an identity and a vault of their own, and their public key.
fn person() -> (Home, String) {
    let home = Home::new();
    home.keyfob(["set", "own"]).stdin("x").run().ok();
    let info = home.run(["--json", "vault", "info"]).ok().json();
    let key = info["identity"]["public_key"].as_str().unwrap().to_owned();
    (home, key)
}

/// A folder that several people work in, with the path of the team's vault.
fn shared() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.age");
    (folder, path)
}

fn set(home: &Home, vault: &Path, name: &str, value: &str) -> Run {
    let run = home.keyfob(["set", name]);
    run.env("KEYFOB_LOCAL_PATH", vault).stdin(value).run()
}

fn at(home: &Home, vault: &Path, args: &[&str]) -> Run {
    let run = home.keyfob(args.iter().copied());
    run.env("KEYFOB_LOCAL_PATH", vault).run()
}

/// A vault's file as somebody makes it who knows public keys alone; `false` where age is missing.
fn forge(home: &Home, text: &str, readers: &[&str], path: &Path) -> bool {
    if !installed("age") {
        eprintln!("skipped: a forged vault needs age, which is not installed");
        return false;
    }
    let plain = home.write("forged.json", text);
    let mut args = vec!["-o".to_owned(), path.to_str().unwrap().to_owned()];
    for reader in readers {
        args.extend(["-r".to_owned(), (*reader).to_owned()]);
    }
    args.push(plain.to_str().unwrap().to_owned());
    let _ = fs::remove_file(path);
    home.program("age", args).run().ok();
    true
}

#[test]
fn a_vault_by_somebody_with_a_public_key_alone_is_not_written_to() {
    let ((alice, alice_key), (mallory, mallory_key)) = (person(), person());
    let (_folder, vault) = shared();
    set(&alice, &vault, "DB", "old").ok();
    let text = format!(
        r#"{{"keyfob":1,"recipients":["{alice_key}","{mallory_key}"],"secrets":{{"DB":{{"value":"evil","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","version":1}}}}}}"#
    );
    let with_id = text.replace(
        r#""keyfob":1"#,
        r#""keyfob":2,"id":"0123456789abcdef0123456789abcdef","earlier_ids":["00000000000000000000000000000000"]"#,
    );
    for text in [text, with_id] {
        if !forge(&mallory, &text, &[&alice_key], &vault) {
            return;
        }
        let forged = fs::read(&vault).unwrap();
        for configured in [None, Some(&alice_key)] {
            let run = alice.keyfob(["set", "STRIPE"]);
            let run = run.env("KEYFOB_LOCAL_PATH", &vault).stdin("new");
            let run = match configured {
                Some(key) => run.env("KEYFOB_LOCAL_RECIPIENTS", key),
                None => run,
            };
            run.run()
                .code(12)
                .stderr_has(&mallory_key)
                .stderr_has("keyfob -s local vault recipients accept");
        }
        for args in [
            &["delete", "-y", "DB"][..],
            &["vault", "restore", "DB"],
            &["vault", "rekey", "-y"],
            &["vault", "recipients", "add", &mallory_key],
            &["vault", "purge", "-y", "DB"],
        ] {
            at(&alice, &vault, args).code(12);
        }
        assert_eq!(fs::read(&vault).unwrap(), forged);
        // Reading works, and says whose word it is.
        at(&alice, &vault, &["get", "DB"])
            .ok()
            .stdout_is("evil")
            .stderr_has("anybody may have written it");
        at(&alice, &vault, &["vault", "recipients", "list"]).ok();
    }
    // Nobody is asked in a script; with -y what was shown is taken.
    at(&alice, &vault, &["vault", "recipients", "accept"])
        .code(2)
        .stderr_has(&mallory_key)
        .stderr_has("not seen before");
    set(&alice, &vault, "STRIPE", "new").code(12);
    let accepted = at(
        &alice,
        &vault,
        &["--json", "vault", "recipients", "accept", "-y"],
    );
    assert_eq!(accepted.ok().json()["accepted"], true);
    set(&alice, &vault, "STRIPE", "new").ok();
    at(
        &alice,
        &vault,
        &["vault", "recipients", "remove", &mallory_key],
    )
    .ok();
    let again = at(
        &alice,
        &vault,
        &["--json", "vault", "recipients", "accept", "-y"],
    );
    assert_eq!(again.ok().json()["accepted"], false);
}

#[test]
fn what_was_accepted_does_not_vouch_for_who_made_it() {
    let ((alice, alice_key), (mallory, mallory_key)) = (person(), person());
    let (_folder, vault) = shared();
    set(&alice, &vault, "DB", "old").ok();
    let forged = |readers: &str| {
        format!(
            r#"{{"keyfob":2,"id":"0123456789abcdef0123456789abcdef","recipients":[{readers}],"secrets":{{}}}}"#
        )
    };
    // First a harmless one, whose id its maker knows …
    if !forge(
        &mallory,
        &forged(&format!("\"{alice_key}\"")),
        &[&alice_key],
        &vault,
    ) {
        return;
    }
    set(&alice, &vault, "STRIPE", "new").code(12);
    at(&alice, &vault, &["vault", "recipients", "accept", "-y"]).ok();
    // … then one with the same id, and another reader.
    let text = forged(&format!("\"{alice_key}\",\"{mallory_key}\""));
    forge(&mallory, &text, &[&alice_key], &vault);
    set(&alice, &vault, "STRIPE", "new").code(12);
}

#[test]
fn a_vault_from_before_a_reader_was_removed_does_not_come_back() {
    let ((alice, _), (bob, bob_key)) = (person(), person());
    let (_folder, vault) = shared();
    set(&alice, &vault, "A", "1").ok();
    at(&alice, &vault, &["vault", "recipients", "add", &bob_key]).ok();
    set(&bob, &vault, "B", "1").ok();
    let before = fs::read(&vault).unwrap();
    at(&alice, &vault, &["vault", "recipients", "remove", &bob_key]).ok();
    let after = fs::read(&vault).unwrap();
    fs::write(&vault, &before).unwrap();
    // Bob may write what he wants into it: he knows its id, and not the new one.
    set(&bob, &vault, "C", "1").ok();
    set(&alice, &vault, "STRIPE", "new")
        .code(12)
        .stderr_has("older than what was here")
        .stderr_has(&bob_key);
    at(&bob, &vault, &["get", "STRIPE"]).code(3);
    fs::write(&vault, &after).unwrap();
    set(&alice, &vault, "STRIPE", "new").ok();
    at(&bob, &vault, &["get", "STRIPE"]).code(4);
}

#[test]
fn a_new_reader_is_named_once_and_taken() {
    let ((alice, alice_key), (bob, bob_key), (_carol, carol_key)) = (person(), person(), person());
    let (_folder, vault) = shared();
    set(&alice, &vault, "A", "1").ok().stderr_lacks("read by");
    at(&alice, &vault, &["vault", "recipients", "add", &bob_key]).ok();
    // Bob meets it.
    at(&bob, &vault, &["get", "A"])
        .ok()
        .stderr_has("for the first time")
        .stderr_has(&alice_key);
    at(&bob, &vault, &["get", "A"]).ok().quiet();
    at(&bob, &vault, &["vault", "recipients", "add", &carol_key]).ok();
    set(&alice, &vault, "A", "2")
        .ok()
        .stderr_has("let others read it")
        .stderr_has(&carol_key);
    set(&alice, &vault, "A", "3").ok().stderr_lacks(&carol_key);
    // A removal makes a new id, which whoever wrote the file knows.
    at(
        &alice,
        &vault,
        &["vault", "recipients", "remove", &carol_key],
    )
    .ok();
    set(&bob, &vault, "B", "1").ok().stderr_lacks("untrusted");
    set(&alice, &vault, "A", "4").ok();
}

#[test]
fn the_configured_recipients_are_the_whole_list() {
    let ((alice, alice_key), (_bob, bob_key), (_carol, carol_key)) = (person(), person(), person());
    let (_folder, vault) = shared();
    set(&alice, &vault, "A", "1").ok();
    at(&alice, &vault, &["vault", "recipients", "add", &bob_key]).ok();
    let with = |args: &[&str]| {
        let run = alice.keyfob(args.iter().copied());
        run.env("KEYFOB_LOCAL_PATH", &vault)
            .env(
                "KEYFOB_LOCAL_RECIPIENTS",
                format!("{alice_key},{carol_key}"),
            )
            .stdin("2")
            .run()
    };
    let readers = |run: &Run| -> Vec<(String, bool)> {
        let listed = run.ok().json();
        let listed = listed.as_array().unwrap().iter();
        let dropped = |reader: &Value| reader["dropped"] == true;
        listed
            .map(|reader| {
                (
                    reader["recipient"].as_str().unwrap().to_owned(),
                    dropped(reader),
                )
            })
            .collect()
    };
    assert_eq!(
        readers(&with(&["--json", "vault", "recipients", "list"])),
        [
            (alice_key.clone(), false),
            (bob_key.clone(), true),
            (carol_key.clone(), false)
        ]
    );
    with(&["set", "A"])
        .ok()
        .stderr_has(&format!("shut out of the vault {}", vault.display()))
        .stderr_has(&bob_key)
        .stderr_has(&carol_key);
    assert_eq!(
        readers(&with(&["--json", "vault", "recipients", "list"])),
        [(alice_key.clone(), false), (carol_key.clone(), false)]
    );
    with(&["vault", "recipients", "add", &bob_key])
        .code(6)
        .stderr_has("recipients setting");
}

#[test]
fn a_machine_that_remembers_nothing_writes() {
    let (alice, _) = person();
    let (_folder, vault) = shared();
    set(&alice, &vault, "A", "1").ok();
    let key = fs::read_to_string(alice.data().join("identity.txt")).unwrap();
    // As in CI: a fresh home each time, and one in which nothing can be kept.
    for fresh in [true, false] {
        let mut ci = Home::new();
        ci.set("CI", "1").set("KEYFOB_LOCAL_IDENTITY", key.trim());
        if !fresh {
            let nowhere = ci.write("file", "");
            ci.set("XDG_DATA_HOME", nowhere);
        }
        for value in ["2", "3"] {
            set(&ci, &vault, "A", value).ok().stderr_lacks("remember");
            at(&ci, &vault, &["get", "A"]).ok().stdout_is(value);
        }
    }
    set(&alice, &vault, "A", "4").ok();
}

#[test]
fn two_machines_of_one_user_and_a_copied_folder_go_on() {
    let (desk, _) = person();
    let key = fs::read_to_string(desk.data().join("identity.txt")).unwrap();
    let mut laptop = Home::new();
    laptop.set("KEYFOB_LOCAL_IDENTITY", key.trim());
    let (_bob, bob_key) = person();
    let (folder, vault) = shared();
    set(&desk, &vault, "A", "1").ok();
    set(&laptop, &vault, "B", "1").ok();
    at(&desk, &vault, &["vault", "recipients", "add", &bob_key]).ok();
    set(&laptop, &vault, "C", "1").ok();
    at(
        &laptop,
        &vault,
        &["vault", "recipients", "remove", &bob_key],
    )
    .ok();
    set(&desk, &vault, "D", "1").ok();
    // Moved and copied: the same vault elsewhere.
    for place in ["moved", "copied"] {
        let other = folder.path().join(place);
        fs::create_dir(&other).unwrap();
        let other = other.join("team.age");
        fs::copy(&vault, &other).unwrap();
        set(&desk, &other, "E", place)
            .ok()
            .stderr_lacks("for the first time");
    }
}

#[test]
fn a_vault_of_the_first_release_gets_an_id() {
    let ((alice, alice_key), (mallory, mallory_key)) = (person(), person());
    let (_folder, vault) = shared();
    let text = format!(r#"{{"keyfob":1,"recipients":["{alice_key}"],"secrets":{{}}}}"#);
    if !forge(&alice, &text, &[&alice_key], &vault) {
        return;
    }
    // Seen, and so who reads it is known though it has no id.
    at(&alice, &vault, &["list"]).ok();
    let forged = text.replace(&alice_key, &format!("{alice_key}\",\"{mallory_key}"));
    forge(&mallory, &forged, &[&alice_key], &vault);
    set(&alice, &vault, "A", "1").code(12);
    forge(&alice, &text, &[&alice_key], &vault);
    set(&alice, &vault, "A", "1").ok();
    // From then on one without an id is by anybody.
    let good = fs::read(&vault).unwrap();
    forge(&mallory, &text, &[&alice_key], &vault);
    set(&alice, &vault, "A", "1").code(12);
    fs::write(&vault, good).unwrap();
    set(&alice, &vault, "A", "2").ok();
}

#[test]
fn a_damaged_memory_stops_writing_and_no_reading() {
    let (alice, _) = person();
    fs::write(alice.data().join("vaults.json"), "{").unwrap();
    alice.run(["get", "own"]).ok();
    alice
        .keyfob(["set", "own"])
        .stdin("y")
        .run()
        .code(13)
        .stderr_has("vaults.json")
        .stderr_has("delete it");
    fs::remove_file(alice.data().join("vaults.json")).unwrap();
    alice.keyfob(["set", "own"]).stdin("y").run().ok();
}

#[cfg(unix)]
#[test]
fn a_vault_that_everybody_can_write_is_told() {
    let (alice, _) = person();
    let path = alice.data().join("vault.age");
    for (mode, told) in [(0o666, true), (0o662, true), (0o660, false), (0o644, false)] {
        crate::support::home::set_mode(&path, mode);
        let run = alice.keyfob(["set", "A"]).stdin(mode.to_string()).run();
        match told {
            true => run.ok().stderr_has("chmod o-w"),
            false => run.ok().stderr_lacks("chmod"),
        };
        let kept = fs::metadata(&path).unwrap();
        let kept = std::os::unix::fs::PermissionsExt::mode(&kept.permissions());
        assert_eq!(kept & 0o777, mode);
    }
}
