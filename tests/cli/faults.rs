//! What the system can refuse a running keyfob: a write that does not last, file descriptors,
//! permissions. It ends with an error that says what is so.

use std::path::Path;

use crate::support::home::{BINARY, Home, set_mode};
use crate::support::run::Run;
use crate::support::trace::can_trace;

/// Runs keyfob with `fault` injected into the `n`-th call of `call`; `None` where it makes fewer.
fn with_fault(home: &Home, args: &[&str], call: &str, fault: &str, n: usize) -> Option<Run> {
    let log = home.root().join("strace.log");
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:error={fault}:when={n}");
    let strace = ["-f", "-qq", "-o", log.to_str().unwrap(), "-e"];
    let run = home
        .program("strace", strace)
        .args([&trace, "-e", &inject, BINARY])
        .args(args)
        .stdin("new")
        .run();
    let log = String::from_utf8_lossy(&home.read(&log)).into_owned();
    log.contains("(INJECTED)").then_some(run)
}

/// A home with a secret, a template, a file of secrets and a configuration that nobody trusts yet.
fn ready() -> Home {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("old").run().ok();
    home.write("in.env", "A=new\n");
    home.write("in.txt", "{{ keyfob://local/A }}");
    for file in ["out.env", "out.txt"] {
        home.write_private(file, "before");
    }
    home
}

fn differs(home: &Home, path: &Path, before: &[u8]) -> bool {
    home.read(path) != before
}

#[test]
fn what_is_in_place_although_it_failed_is_said_to_be() {
    if !can_trace("what_is_in_place_although_it_failed_is_said_to_be") {
        return;
    }
    let (mut failed, mut in_place) = (0, 0);
    let cases: [(&[&str], &str); 8] = [
        (&["set", "A"], "data/keyfob/vault.age"),
        (&["import", "-y", "in.env"], "data/keyfob/vault.age"),
        (&["delete", "-y", "A"], "data/keyfob/vault.age"),
        (&["export", "-o", "out.env"], "work/out.env"),
        (&["inject", "-i", "in.txt", "-o", "out.txt"], "work/out.txt"),
        (&["vault", "rekey", "-y"], "data/keyfob/vault.age"),
        (&["rotate", "A"], "data/keyfob/vault.age"),
        (
            &["store", "add", "dev", "local"],
            "config/keyfob/config.toml",
        ),
    ];
    for (args, file) in cases {
        for fault in ["EIO", "ENOSPC"] {
            for n in 1.. {
                let home = ready();
                home.run(["store", "add", "first", "local"]).ok();
                let path = home.root().join(file);
                let before = home.read(&path);
                let Some(run) = with_fault(&home, args, "fsync", fault, n) else {
                    assert!(n > 1, "{args:?} syncs");
                    break;
                };
                let what = format!("{args:?}, fsync {n}, {fault}: {}", run.stderr);
                let changed = differs(&home, &path, &before);
                if run.code == Some(0) {
                    assert!(changed, "{what}");
                    continue;
                }
                failed += 1;
                assert_eq!(run.code, Some(1), "{what}");
                let said = run.stderr.contains("in place") || run.stderr.contains("rekeyed");
                if changed && args[0] != "rotate" {
                    in_place += 1;
                    assert!(said, "{what}");
                    assert!(!run.stderr.contains("as it was"), "{what}");
                }
                assert!(!run.stderr.contains("nothing was changed"), "{what}");
                home.run(["list"]).ok();
            }
        }
    }
    assert!(in_place >= 12 && failed > in_place);
    println!("{failed} failed syncs, {in_place} of them after the new content was in place");
}

#[test]
fn too_few_file_descriptors_are_an_error_and_no_abort() {
    let home = ready();
    home.write("keyfob.toml", "");
    home.run(["trust", "-y"]).ok();
    let mut refused = 0;
    for limit in 3..=12 {
        for command in [
            "list",
            "get A",
            "set B --generate",
            "run -- true",
            "rotate A",
            "generate",
            "--version",
            "vault rekey -y",
            "status",
            "doctor",
        ] {
            let script = format!("ulimit -n {limit}; exec \"$0\" {command}");
            let run = home.program("sh", ["-c", &script, BINARY]).run();
            let what = format!("{command} with {limit}: {:?} {}", run.code, run.stderr);
            assert_ne!(run.code, Some(134), "{what}");
            assert!(run.signal.is_none(), "{what}");
            assert!(!run.stderr.contains("bug in keyfob"), "{what}");
            if run.code != Some(0) {
                refused += 1;
                assert!(!run.stderr.is_empty(), "{what}");
            }
        }
    }
    home.run(["get", "A"]).ok();
    println!("{refused} commands refused for want of file descriptors, none aborted");
}

#[test]
fn no_random_numbers_are_an_error_and_no_abort() {
    if !can_trace("no_random_numbers_are_an_error_and_no_abort") {
        return;
    }
    let home = ready();
    for args in [&["get", "A"][..], &["generate"], &["set", "B"]] {
        let run = with_fault(&home, args, "getrandom", "EIO", 1).expect("a call");
        assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
        assert!(!run.stderr.contains("bug in keyfob"), "{}", run.stderr);
    }
}

#[test]
fn a_vault_that_is_read_only_is_not_replaced() {
    let home = ready();
    let vault = home.data().join("vault.age");
    set_mode(&vault, 0o444);
    let before = home.read(&vault);
    for args in [
        &["set", "A"][..],
        &["vault", "rekey", "-y"],
        &["rotate", "A"],
    ] {
        let run = home.keyfob(args).stdin("new").run();
        run.code(1)
            .stderr_has("it is read only")
            .stderr_has("chmod u+w ");
    }
    assert_eq!(home.read(&vault), before);
    home.run(["get", "A"]).ok().stdout_is("old");
    set_mode(&vault, 0o600);
    home.keyfob(["set", "A"]).stdin("new").run().ok();
    let out = home.write("read-only.env", "X=1\n");
    set_mode(&out, 0o444);
    home.run(["export", "-o", "read-only.env"])
        .code(1)
        .stderr_has("it is read only");
}
