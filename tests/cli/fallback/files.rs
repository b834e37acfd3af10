//! Where snapshots are, and who can read them.

use super::*;

#[test]
fn nothing_of_a_secret_can_be_read_without_the_key() {
    let (server, home, keypair) = set_up();
    let mut runs = vec![print_a(&home, &["--fallback", "-vvv"]).run()];
    runs.push(print_a(&home, &["--fallback=file.age", "-vvv"]).run());
    let env = home
        .keyfob(["run", "--fallback", "-vvv", "--", "env"])
        .run();
    env.ok()
        .stdout_lacks("FALLBACK_KEY")
        .stdout_lacks(&KEY[20..]);
    runs.push(env);
    server.stop();
    runs.push(while_down(&home, &["-vvv"]));
    runs.push(while_down(&home, &["-vvv", "--max-stale", "1ms"]));
    for run in &runs {
        for secret in [CANARY, &KEY[20..], &keypair.base58()] {
            run.stderr_lacks(secret);
        }
    }
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(CANARY);
    for secret in [CANARY, &base64, KEY, "printenv", "\"A\""] {
        let files = home.files_holding(secret.as_bytes());
        assert!(files.is_empty(), "{files:?}");
    }
    for path in notes(&home) {
        let note = fs::read_to_string(path).unwrap();
        assert!(!note.contains("nosana"), "{note}");
        assert!(!note.contains(&keypair.address()), "{note}");
    }
}

#[cfg(unix)]
#[test]
fn age_itself_opens_a_snapshot() {
    if !crate::support::programs::installed("age") {
        eprintln!("skipped: age_itself_opens_a_snapshot needs age");
        return;
    }
    let (_server, home, _) = set_up();
    print_a(&home, &["--fallback=file.age"]).run().ok();
    home.write_private("key.txt", KEY);
    let run = home
        .program("age", ["-d", "-i", "key.txt", "file.age"])
        .run();
    run.ok();
    let content: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(content["keyfob"], 1);
    assert!(content["values"]["nosana"]["A"].is_string());
}

#[test]
fn the_key_is_not_repeated_where_it_cannot_be_used() {
    let (server, home, _) = set_up();
    let key = KEY.replace("GQ97", "QQ97");
    let run = print_a(&home, &["--fallback", "-vvv"])
        .env("KEYFOB_FALLBACK_KEY", &key)
        .run();
    run.ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_has("no fallback snapshot was kept")
        .stderr_has("environment KEYFOB_FALLBACK_KEY")
        .stderr_lacks(&key[20..]);
    server.stop();
    keyfob_with_key(&home, &key).stderr_lacks(&key[20..]);
}

fn keyfob_with_key(home: &Home, key: &str) -> Run {
    let run = print_a(home, &["--fallback", "--timeout", "500ms"])
        .env("KEYFOB_FALLBACK_KEY", key)
        .run();
    assert_failed(&run);
    run
}

#[cfg(unix)]
#[test]
fn snapshots_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_server, home, _) = set_up();
    keep(&home);
    print_a(&home, &["--fallback=deep/er/file.age"]).run().ok();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in snapshots(&home).iter().chain(&notes(&home)) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&home.work().join("deep/er/file.age")), 0o600);
    assert_eq!(mode(&home.data().join("fallback")), 0o700);
}

#[test]
fn a_file_is_carried_to_another_machine() {
    let (server, home, keypair) = set_up();
    print_a(&home, &["--fallback=cache/snapshot.age"])
        .run()
        .ok();
    assert!(snapshots(&home).is_empty());
    let mut other = Home::new();
    other.set("CI", "true");
    other.set("KEYFOB_STORE", "nosana");
    other.set("KEYFOB_NOSANA_BASE_URL", server.url());
    other.set("KEYFOB_NOSANA_KEYPAIR", keypair.json());
    other.write("cache/snapshot.age", home.read("cache/snapshot.age"));
    server.stop();
    let run = |home: &Home, options: &[&str]| {
        let always = &["--fallback=cache/snapshot.age", "--timeout", "500ms"][..];
        print_a(home, &[always, options].concat()).run()
    };
    let without = run(&other, &[]);
    assert_failed(&without);
    without
        .stderr_has("encrypted to an identity that is not at hand")
        .stderr_has("KEYFOB_FALLBACK_KEY");
    other.set("KEYFOB_FALLBACK_KEY", KEY.replace("AGE", "age"));
    assert_failed(&run(&other, &[]));
    let (another, _) = keyfob::testing::generate(jiff::Timestamp::UNIX_EPOCH);
    other.set("KEYFOB_FALLBACK_KEY", another.as_str());
    let wrong = run(&other, &[]);
    assert_failed(&wrong);
    wrong.stderr_has("encrypted to an identity that is not at hand");
    other.set("KEYFOB_FALLBACK_KEY", KEY);
    assert_used(&run(&other, &[]));
    let elsewhere = run(&other, &["--upper"]);
    assert_failed(&elsewhere);
    elsewhere.stderr_has("was kept for another selection, or for stores set up in another way");
    // It came from elsewhere, and nothing was made here.
    assert!(!other.data().exists());
}

#[test]
fn without_a_key_keyfob_s_own_identity_is_used() {
    let (server, mut home, _) = set_up();
    home.unset("KEYFOB_FALLBACK_KEY");
    print_a(&home, &["--fallback"])
        .run()
        .ok()
        .stderr_has("made an identity");
    server.stop();
    assert_used(&while_down(&home, &[]));
    // What was kept under one identity is not looked for under another.
    home.set("KEYFOB_FALLBACK_KEY", KEY);
    let run = while_down(&home, &[]);
    assert_failed(&run);
    run.stderr_has("identity that is not at hand");
}

#[test]
fn a_file_that_is_something_else_is_never_written_over() {
    let (_server, home, _) = set_up();
    let recipient: age::x25519::Recipient = PUBLIC.parse().unwrap();
    let vault = age::encrypt(&recipient, b"all that I have").unwrap();
    home.write("empty", "");
    for (name, content) in [("vault.age", &vault[..]), ("Cargo.toml", b"[package]\n")] {
        home.write(name, content);
        print_a(&home, &[&format!("--fallback={name}")])
            .run()
            .ok()
            .stdout_is(format!("{CANARY}\n"))
            .stderr_has("holds something else than a fallback snapshot");
        assert_eq!(home.read(name), content);
    }
    print_a(&home, &["--fallback=."])
        .run()
        .ok()
        .stderr_has("not a regular file");
    // What is kept under another key, or empty, may be written over.
    print_a(&home, &["--fallback=empty"])
        .run()
        .ok()
        .stderr_lacks("snapshot");
    let (another, _) = keyfob::testing::generate(jiff::Timestamp::UNIX_EPOCH);
    let before = home.read("empty");
    print_a(&home, &["--fallback=empty"])
        .env("KEYFOB_FALLBACK_KEY", another.as_str())
        .run()
        .ok();
    assert_ne!(home.read("empty"), before);
}

#[test]
fn a_snapshot_that_cannot_be_kept_does_not_stop_the_command() {
    let (server, home, _) = set_up();
    fs::create_dir_all(home.data()).unwrap();
    fs::write(home.data().join("fallback"), "in the way").unwrap();
    print_a(&home, &["--fallback"])
        .run()
        .ok()
        .stdout_is(format!("{CANARY}\n"))
        .stderr_has("warning: no fallback snapshot was kept");
    // A file of the user's own does not need that folder.
    print_a(&home, &["--fallback=file.age"])
        .run()
        .ok()
        .stderr_has("logout will not find the fallback snapshot");
    server.stop();
    let options = ["--fallback=file.age", "--timeout", "500ms"];
    assert_used(&print_a(&home, &options).run());
}

#[test]
fn what_is_of_no_use_any_more_is_tidied_away() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "B", "b");
    keep(&home);
    print_a(&home, &["--fallback=gone.age"]).run().ok();
    fs::remove_file(home.work().join("gone.age")).unwrap();
    let old = snapshots(&home).remove(0);
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(long_ago).unwrap();
    print_a(&home, &["--fallback", "--only", "B"]).run().ok();
    assert!(!old.exists());
    assert_eq!((snapshots(&home).len(), notes(&home).len()), (1, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn with_a_key_the_keyring_is_left_alone() {
    let (server, mut home, _) = set_up();
    let socket = home.root().join("bus");
    // A bus on which nobody answers: whoever looks for a keyring knocks here.
    let bus = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    bus.set_nonblocking(true).unwrap();
    let knocks = || std::iter::from_fn(|| bus.accept().ok()).count();
    let address = format!("unix:path={}", socket.display());
    home.set("DBUS_SESSION_BUS_ADDRESS", address);
    keep(&home);
    server.faults().always(Fault::status(503));
    assert_used(&while_down(&home, &[]));
    let (another, _) = keyfob::testing::generate(jiff::Timestamp::UNIX_EPOCH);
    keyfob_with_key(&home, &another);
    server.faults().clear();
    server.faults().always(refused(403));
    assert_failed(&print_a(&home, &["--fallback"]).run());
    assert!(snapshots(&home).is_empty());
    assert_eq!(knocks(), 0);
    server.faults().clear();
    home.unset("KEYFOB_FALLBACK_KEY");
    print_a(&home, &["--fallback"]).run().ok();
    assert_ne!(knocks(), 0, "without one it is asked to keep the identity");
}
