//! Policies: what they hold, and what is due by them.

use serde_json::json;

use crate::support::home::Home;

fn with_policies(policies: &str) -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.config()).expect("a folder");
    home.write(home.config().join("config.toml"), policies);
    for name in ["A", "B", "COPY"] {
        home.keyfob(["set", name]).stdin("old").run().ok();
    }
    home
}

fn value(home: &Home, name: &str) -> String {
    home.run(["get", name]).ok().text()
}

/// Makes what keyfob knows of the last rotations look `ago` days older, and the vault's times too
/// old to tell.
fn age_record(home: &Home, days: i64) {
    let path = home.data().join("rotations/rotated.json");
    let mut record: serde_json::Value = serde_json::from_slice(&home.read(&path)).unwrap();
    for at in record["rotated_at"].as_object_mut().unwrap().values_mut() {
        let then: jiff::Timestamp = at.as_str().unwrap().parse().unwrap();
        let earlier = then - jiff::SignedDuration::from_hours(24 * days);
        *at = json!(earlier.to_string());
    }
    home.write_private(&path, record.to_string());
}

#[test]
fn a_policy_says_what_options_say() {
    let home = with_policies(
        r#"
        [rotation.A]
        generate = "hex:10"
        targets = ["keyfob://local/COPY"]
        verify = 'test "$(cat | wc -c)" -gt 5'
        derive = { "keyfob://local/URL" = "x://{value|url}@" }
        "#,
    );
    home.run(["rotate", "A"]).ok();
    let new = value(&home, "A");
    assert_eq!(new.len(), 10);
    assert_eq!(value(&home, "COPY"), new);
    assert_eq!(value(&home, "URL"), format!("x://{new}@"));
    // Options win, and add.
    home.run(["rotate", "A", "--generate=hex:12", "--to=keyfob://local/B"])
        .ok();
    let new = value(&home, "A");
    assert_eq!(new.len(), 12);
    assert_eq!(
        (value(&home, "B"), value(&home, "COPY")),
        (new.clone(), new)
    );
    home.run(["rotate", "A", "--verify=exit 1"]).code(1);
    // Another secret has no policy.
    home.run(["rotate", "B"]).ok();
    assert_eq!(value(&home, "B").len(), 32);
}

#[test]
fn keyfobs_own_record_tells_what_is_due_where_the_store_has_no_times() {
    let server = crate::support::servers::ByteNite::start();
    let mut home = with_policies("[rotation.\"keyfob://bytenite/s3/k\"]\nevery = \"30d\"\n");
    home.set("KEYFOB_BYTENITE_BASE_URL", server.url()).set(
        "BYTENITE_API_KEY",
        crate::support::servers::bytenite::API_KEY,
    );
    server.put("s3", "k", "old", json!({"name": "k", "accessKey": "AK"}));
    // Not known is due.
    let run = home.run(["rotate", "--check"]);
    run.code(1)
        .stdout_has("unknown")
        .stderr_has("the one secret with a policy is due");
    home.run(["rotate", "--due"])
        .code(7)
        .stderr_has("--accept-no-undo");
    let plan = home.run(["rotate", "--due", "--accept-no-undo", "--dry-run"]);
    plan.ok().stdout_has("write keyfob://bytenite/s3/k");
    home.run(["rotate", "--due", "--accept-no-undo"]).ok();
    let first = server.secret_key("s3", "k").unwrap();
    assert_ne!(first, "old");
    server.forget_requests();
    home.run(["rotate", "--check"]).ok();
    home.run(["rotate", "--due", "--accept-no-undo"])
        .ok()
        .stderr_has("nothing is due");
    assert_eq!(server.asked(), Vec::<String>::new());

    age_record(&home, 29);
    home.run(["rotate", "--check"]).ok();
    age_record(&home, 2);
    let check = home.run(["--json", "rotate", "--check"]).code(1).json();
    assert_eq!(check[0]["due"], true);
    assert!(check[0]["rotated_at"].is_string());
    let run = home.run(["--json", "rotate", "--due", "--accept-no-undo"]);
    assert_eq!(run.ok().json()[0]["outcome"], "rotated");
    assert_ne!(server.secret_key("s3", "k").unwrap(), first);
    home.run(["rotate", "--check"]).ok();
}

#[test]
fn a_policy_may_list_its_own_secret() {
    let home = with_policies(
        r#"
        [rotation.A]
        every = "30d"
        targets = ["keyfob://local/A", "keyfob://local/COPY", "keyfob://local/COPY"]
        "#,
    );
    home.run(["rotate", "--check"]).ok();
    home.run(["rotate", "A", "--to=keyfob://local/COPY"]).ok();
    assert_eq!(value(&home, "A"), value(&home, "COPY"));
    let plan = home.run(["--json", "rotate", "A", "--dry-run"]).ok().json();
    let writes = plan[0]["steps"].as_array().unwrap().iter();
    assert_eq!(writes.filter(|step| step["step"] == "write").count(), 2);
    // Two values for one secret are wrong in the file, and everybody says so.
    let policy = home.config().join("config.toml");
    home.write(
        &policy,
        "[rotation.A]\nevery = \"30d\"\nderive = { \"keyfob://local/A\" = \"x{value}\" }\n",
    );
    for args in [&["--check"][..], &["--due"], &["A"]] {
        home.keyfob(["rotate"])
            .args(args)
            .run()
            .code(11)
            .stderr_has("config.toml")
            .stderr_has("written twice");
    }
}

#[test]
fn the_oldest_target_is_what_is_due() {
    let server = crate::support::servers::ByteNite::start();
    let mut home = with_policies(
        "[rotation.\"keyfob://bytenite/s3/k\"]\nevery = \"30d\"\ntargets = [\"keyfob://bytenite/s3/copy\"]\n",
    );
    home.set("KEYFOB_BYTENITE_BASE_URL", server.url()).set(
        "BYTENITE_API_KEY",
        crate::support::servers::bytenite::API_KEY,
    );
    for id in ["k", "copy"] {
        server.put("s3", id, "old", json!({"name": id, "accessKey": "AK"}));
    }
    // The secret alone is fresh.
    home.write(home.config().join("config.toml"), "");
    home.run(["rotate", "keyfob://bytenite/s3/k", "--accept-no-undo"])
        .ok();
    home.write(
        home.config().join("config.toml"),
        "[rotation.\"keyfob://bytenite/s3/k\"]\nevery = \"30d\"\ntargets = [\"keyfob://bytenite/s3/copy\"]\n",
    );
    home.run(["rotate", "--check"])
        .code(1)
        .stdout_has("unknown");
    home.run(["rotate", "--due", "--accept-no-undo"]).ok();
    assert_eq!(
        server.secret_key("s3", "k"),
        server.secret_key("s3", "copy")
    );
    home.run(["rotate", "--check"]).ok();
    // What the first release noted, it noted for all.
    let path = home.data().join("rotations/rotated.json");
    let mut record: serde_json::Value = serde_json::from_slice(&home.read(&path)).unwrap();
    record.as_object_mut().unwrap().remove("with_targets");
    home.write_private(&path, record.to_string());
    home.run(["rotate", "--check"]).ok();
}

#[test]
fn a_clock_that_was_ahead_silences_no_policy() {
    let home = with_policies("[rotation.A]\nevery = \"30d\"\n");
    home.run(["rotate", "A"]).ok();
    home.run(["rotate", "--check"]).ok();
    age_record(&home, -400);
    // The vault's own time is fresh, and a rotation made by a clock ahead has that in the vault too.
    let check = home.run(["rotate", "--check"]);
    check.stderr_has("still to come");
    let doctor = home.run(["--json", "doctor"]).json();
    let found = doctor.to_string();
    assert!(found.contains("still to come"), "{found}");
    home.run(["rotate", "A"]).ok();
    home.run(["rotate", "--check"])
        .ok()
        .stderr_lacks("still to come");
}

#[test]
fn a_clock_that_was_ahead_makes_due_where_the_store_has_no_times() {
    let server = crate::support::servers::ByteNite::start();
    let mut home = with_policies("[rotation.\"keyfob://bytenite/s3/k\"]\nevery = \"30d\"\n");
    home.set("KEYFOB_BYTENITE_BASE_URL", server.url()).set(
        "BYTENITE_API_KEY",
        crate::support::servers::bytenite::API_KEY,
    );
    server.put("s3", "k", "old", json!({"name": "k", "accessKey": "AK"}));
    home.run(["rotate", "--due", "--accept-no-undo"]).ok();
    home.run(["rotate", "--check"]).ok();
    age_record(&home, -400);
    home.run(["rotate", "--check"])
        .code(1)
        .stderr_has("still to come");
    home.run(["rotate", "--due", "--accept-no-undo"]).ok();
    home.run(["rotate", "--check"])
        .ok()
        .stderr_lacks("still to come");
}
