//! When snapshots go: with the credential, whoever ends it.

use super::*;
use crate::support::servers::Request;

#[test]
fn a_gateway_s_page_takes_no_snapshot() {
    for status in [401, 403] {
        let (server, home, _) = set_up();
        keep(&home);
        server.faults().on("GET", "/secrets", Fault::status(status));
        let run = print_a(&home, &["--fallback"]).run();
        assert_failed(&run);
        run.stderr_lacks("was removed");
        assert_eq!(snapshots(&home).len(), 1);
    }
}

#[test]
fn a_revoked_credential_fails_the_run_and_takes_the_snapshot_with_it() {
    for (method, path, fault) in [
        ("GET", "/secrets", token_rejected()),
        ("GET", "/secrets", refused(401)),
        ("GET", "/secrets", refused(403)),
        ("POST", "/login", refused(401)),
        ("POST", "/login", refused(403)),
    ] {
        eprintln!("{method} {path} {fault:?}");
        let (server, home, _) = set_up();
        keep(&home);
        server.faults().on(method, path, fault);
        let run = print_a(&home, &["--fallback", "-q"]).run();
        assert_failed(&run);
        run.stderr_has("warning: nosana refused the credential: the fallback snapshot ")
            .stderr_has(".age was removed\n");
        assert!(snapshots(&home).is_empty() && notes(&home).is_empty());
        server.stop();
        let run = while_down(&home, &[]);
        assert_failed(&run);
        run.stderr_has("no fallback snapshot of this selection");
    }
}

#[test]
fn a_project_s_token_that_is_revoked_or_may_not_read_any_more_takes_it_too() {
    for status in [401, 403] {
        let (server, home) = several::northflank();
        keep(&home);
        server.faults().always(refused(status));
        let run = print_a(&home, &["--fallback"]).run();
        assert_failed(&run);
        run.stderr_has("northflank refused the credential");
        assert!(snapshots(&home).is_empty());
    }
    let (_server, mut home) = several::northflank();
    keep(&home);
    home.set("KEYFOB_NORTHFLANK_API_TOKEN", "revoked");
    let run = print_a(&home, &["--fallback"]).run();
    assert_failed(&run);
    run.stderr_has("was removed");
    assert!(snapshots(&home).is_empty());
}

#[test]
fn a_token_that_is_renewed_takes_nothing_with_it() {
    let (server, home, _) = set_up();
    keep(&home);
    server.faults().once_on("GET", "/secrets", token_rejected());
    keep(&home);
    // Refused, and then nobody there to renew it.
    server.faults().clear();
    server.faults().on("GET", "/secrets", token_rejected());
    let login = |request: &Request| request.is("POST", "/login");
    server
        .faults()
        .add(login, 1, usize::MAX, Fault::status(503));
    assert_used(&print_a(&home, &["--fallback"]).run());
    assert_eq!(snapshots(&home).len(), 1);
}

#[test]
fn every_snapshot_of_what_was_refused_goes_and_no_other() {
    let (server, mut home, keypair) = set_up();
    let other = Keypair::new(5);
    for keypair in [&keypair, &other] {
        server.put(&keypair.address(), "A", CANARY);
        server.put(&keypair.address(), "B", "b");
    }
    let own = config(&home, &server, &[("same", &keypair), ("other", &other)]);
    home.set("KEYFOB_CONFIG", own);
    let kept = [
        &["--fallback", "--only", "A"][..],
        &["--fallback", "--only", "B"],
        &["--fallback=file.age", "--only", "B"],
        // The same place under another name.
        &["--fallback", "--all", "-s", "same"],
        &[
            "--fallback",
            "-s",
            "other",
            "-e",
            "A=A",
            "-e",
            "B=keyfob://nosana/B",
        ],
        // Another place.
        &["--fallback", "--all", "-s", "other"],
    ];
    for options in kept {
        let run = home
            .keyfob(["run"])
            .args(options)
            .args(["--", "true"])
            .run();
        run.ok();
    }
    assert_eq!((snapshots(&home).len(), notes(&home).len()), (5, 6));
    server.faults().once_on("GET", "/secrets", refused(403));
    server.faults().once_on("GET", "/secrets", refused(403));
    let run = print_a(&home, &["--fallback"]).run();
    assert_failed(&run);
    assert_eq!(run.stderr.matches("was removed").count(), 5);
    assert_eq!((snapshots(&home).len(), notes(&home).len()), (1, 1));
    assert!(!home.work().join("file.age").exists());
    server.stop();
    home.keyfob(["run"])
        .args(kept[5])
        .args(["--timeout", "500ms", "--", "true"])
        .run()
        .ok()
        .stderr_has("other cannot be reached");
}

/// A configuration with these stores.
fn config(home: &Home, server: &Nosana, stores: &[(&str, &Keypair)]) -> PathBuf {
    let tables = stores.iter().map(|(name, keypair)| {
        let (url, path) = (server.url(), keypair.write(home));
        format!(
            "[stores.{name}]\nprovider = \"nosana\"\nbase_url = \"{url}\"\nkeypair = {path:?}\n"
        )
    });
    home.write("own.toml", tables.collect::<String>())
}

#[test]
fn a_file_from_elsewhere_goes_too() {
    let (server, home, _) = set_up();
    print_a(&home, &["--fallback=snapshot.age"]).run().ok();
    fs::remove_dir_all(home.data()).unwrap();
    server.faults().on("GET", "/secrets", refused(403));
    let run = print_a(&home, &["--fallback=snapshot.age"]).run();
    assert_failed(&run);
    run.stderr_has("snapshot.age was removed");
    assert!(!home.work().join("snapshot.age").exists());
}

#[test]
fn logout_takes_the_snapshots_that_draw_on_the_store() {
    let (server, home, keypair) = set_up();
    keep(&home);
    print_a(&home, &["--fallback=file.age"]).run().ok();
    let own = config(&home, &server, &[("same", &keypair)]);
    home.keyfob(["logout", "northflank"])
        .run()
        .ok()
        .stderr_has("nothing to forget");
    assert_eq!(notes(&home).len(), 2);
    // By another name of the same place, and without the key.
    let run = home
        .keyfob(["logout", "same", "--json"])
        .env("KEYFOB_CONFIG", own)
        .env_remove("KEYFOB_FALLBACK_KEY")
        .run();
    let forgotten = run.ok().json()["forgotten"].to_string();
    assert!(forgotten.contains("file.age"), "{forgotten}");
    assert_eq!(run.json()["forgotten"].as_array().unwrap().len(), 2);
    assert!(snapshots(&home).is_empty() && notes(&home).is_empty());
    assert!(!home.work().join("file.age").exists());
    server.stop();
    assert_failed(&while_down(&home, &[]));
}

#[test]
fn logout_takes_them_without_the_keypair_too() {
    let (_server, home, _) = set_up();
    keep(&home);
    home.keyfob(["logout", "nosana"])
        .env("KEYFOB_NOSANA_KEYPAIR", home.work().join("absent.json"))
        .run()
        .ok()
        .stderr_has("the fallback snapshot ");
    assert!(snapshots(&home).is_empty());
}

#[cfg(unix)]
#[test]
fn logout_takes_them_even_where_it_fails_otherwise() {
    let (_server, home, _) = set_up();
    keep(&home);
    // It takes connections and says nothing.
    let path = home.root().join("silent-bus");
    let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
    home.keyfob(["logout", "nosana"])
        .env("KEYFOB_TOKEN_CACHE", "keyring")
        .env("KEYFOB_KEYRING_TIMEOUT", "200ms")
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", path.display()),
        )
        .run()
        .code(1)
        .stderr_has("the fallback snapshot ")
        .stderr_has("cannot be forgotten");
    assert!(snapshots(&home).is_empty());
}

#[test]
fn logout_leaves_what_stands_in_the_file_s_place_by_now() {
    let (_server, home, _) = set_up();
    print_a(&home, &["--fallback=file.age"]).run().ok();
    home.write("file.age", "something else");
    home.run(["logout", "nosana"]).ok();
    assert_eq!(home.read("file.age"), b"something else");
    assert!(notes(&home).is_empty());
}

#[test]
fn what_nobody_knows_the_origin_of_goes_with_any_logout() {
    let (_server, home, _) = set_up();
    keep(&home);
    fs::write(&notes(&home)[0], "{").unwrap();
    home.run(["logout", "northflank"]).ok();
    assert!(snapshots(&home).is_empty() && notes(&home).is_empty());
}
