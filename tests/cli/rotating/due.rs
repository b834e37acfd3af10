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
        .stderr_has("1 of 1 secrets is due");
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
