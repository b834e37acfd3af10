//! Variables and files as secrets: get, set, delete, show and run, and the credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::{SECRETS, group, set_up, set_up_rich};
use crate::support::home::Home;
use crate::support::servers::Fault;
use crate::support::servers::northflank::{API_TOKEN, PROJECT};

/// Bytes that are no text.
const BINARY: &[u8] = &[0xff, 0, 0xfe, b'\n', b'\r', 0x80];

#[test]
fn variables_are_named_group_and_key() {
    let (server, home) = set_up();
    server
        .groups()
        .put_variables("Api Env", json!({"OLD": "1"}));
    let set = |value: &str| {
        let run = home
            .keyfob(["--json", "set", "api-env/db/URL"])
            .stdin(value)
            .run();
        run.ok().json()["results"][0]["action"].clone()
    };
    assert_eq!(set("one"), "created");
    assert_eq!(set("two"), "updated");
    assert_eq!(
        server.groups().variable("api-env", "db/URL").unwrap(),
        "two"
    );
    home.run(["get", "api-env/db/URL"]).ok().stdout_is("two");
    home.run(["list"])
        .ok()
        .stdout_has("api-env/OLD")
        .stdout_has("api-env/db/URL");
    home.run(["show", "api-env/OLD"])
        .ok()
        .stdout_has("name: api-env/OLD")
        .stdout_has("kind: variable");
    home.run(["delete", "-y", "api-env/db/URL"]).ok();
    assert_eq!(server.groups().variable("api-env", "db/URL"), None);
    assert_eq!(server.groups().variable("api-env", "OLD").unwrap(), "1");
    home.run(["get", "api-env/db/URL"]).code(3);
}

#[test]
fn a_configured_group_is_left_out_of_names() {
    let (server, mut home) = set_up_rich();
    home.set("KEYFOB_NORTHFLANK_GROUP", "api-env");
    home.run(["get", "A"]).ok().stdout_is("value-of-a");
    home.run(["get", "/etc/app.conf"]).ok().stdout_is("conf");
    home.keyfob(["set", "C"]).stdin("3").run().ok();
    home.keyfob(["set", "/etc/more"]).stdin("4").run().ok();
    home.run(["delete", "-y", "B"]).ok();
    assert_eq!(
        home.run(["list"])
            .ok()
            .text()
            .lines()
            .map(|line| line.split('\t').next().unwrap())
            .collect::<Vec<_>>(),
        ["/etc/app.conf", "/etc/more", "A", "C"]
    );
    assert_eq!(group(&server, "api-env").files().len(), 2);
    home.run(["run", "--", "sh", "-c", "printf %s \"$A$C\""])
        .ok()
        .stdout_is("value-of-a3");
}

#[test]
fn files_keep_their_exact_bytes() {
    let (server, home) = set_up();
    server.groups().put_variables("Api Env", json!({}));
    let local = home.write("key.der", BINARY);
    let name = "api-env//etc/tls/key.der";
    home.keyfob(["set", name, "--file"]).arg(&local).run().ok();
    let stored = group(&server, "api-env").files()["/etc/tls/key.der"].clone();
    assert_eq!(
        stored,
        json!({"data": BASE64.encode(BINARY), "encoding": "utf-8"})
    );
    home.run(["get", name]).ok().stdout_is(BINARY);
    home.run(["show", name]).ok().stdout_has("kind: file");
    server.forget_requests();
    let run = home
        .keyfob(["--json", "set", name, "--file"])
        .arg(&local)
        .run();
    assert_eq!(run.ok().json()["results"][0]["action"], "unchanged");
    assert_eq!(server.asked(), [format!("GET {SECRETS}/api-env?show=this")]);
    home.run(["delete", "-y", name]).ok();
    assert!(group(&server, "api-env").files().is_empty());
}

#[test]
fn a_variable_must_be_text() {
    let (server, home) = set_up_rich();
    let local = home.write("key.der", BINARY);
    home.keyfob(["set", "api-env/KEY", "--file"])
        .arg(&local)
        .run()
        .code(13)
        .stderr_has("KEY is not text")
        .stderr_has("absolute path");
    assert!(server.requests().is_empty());
}

#[test]
fn a_group_that_does_not_exist_is_made_by_hand() {
    let (server, home) = set_up();
    home.keyfob(["set", "nowhere/A"])
        .stdin("1")
        .run()
        .code(3)
        .stderr_has("no secret group nowhere in the project shop")
        .stderr_has("keyfob group create");
    assert!(server.groups().ids(None, PROJECT).is_empty());
    home.run(["get", "nowhere/A"]).code(3);
    home.run(["delete", "-y", "nowhere/A"]).code(3);
    home.run(["delete", "-y", "--ignore-missing", "nowhere/A"])
        .ok();
    let home = home.with("KEYFOB_NORTHFLANK_GROUP", "nowhere");
    for args in [&["list"][..], &["run", "--", "true"]] {
        home.run(args)
            .stderr_has("no secret group nowhere")
            .stderr_has("keyfob group create");
    }
}

#[test]
fn what_is_missing_or_there_already_is_told_apart() {
    let (server, home) = set_up_rich();
    let run = home.run(["--json", "delete", "-y", "api-env/A", "api-env/GONE"]);
    assert_eq!(
        run.code(10).json()["results"][0],
        json!({"name": "api-env/A", "action": "deleted"})
    );
    assert_eq!(run.json()["results"][1]["error"]["kind"], "not_found");
    home.keyfob(["set", "--if-absent", "api-env/B"])
        .stdin("new")
        .run()
        .code(6);
    assert_eq!(
        server.groups().variable("api-env", "B").unwrap(),
        "value-of-b"
    );
    server.forget_requests();
    let run = home
        .keyfob(["--json", "set", "api-env/B"])
        .stdin("value-of-b")
        .run();
    assert_eq!(run.ok().json()["results"][0]["action"], "unchanged");
    assert_eq!(server.count("PATCH", &format!("{SECRETS}/api-env")), 0);
}

#[test]
fn many_are_one_read_and_one_write_a_group() {
    let (server, home) = set_up_rich();
    home.run([
        "delete",
        "-y",
        "api-env/A",
        "api-env//etc/app.conf",
        "Api Env/B",
    ])
    .ok();
    let group = format!("{SECRETS}/api-env");
    assert_eq!(server.count("PATCH", &group), 1);
    assert!(super::group(&server, "api-env").variables().is_empty());
    server.forget_requests();
    home.run(["run", "--only", "api-env/A,api-env/B", "--", "true"])
        .code(125);
    assert_eq!(server.asked(), [format!("GET {group}?show=this")]);
}

#[test]
fn groups_are_found_by_name_and_id() {
    let (server, home) = set_up();
    server.set_id_suffix("-group");
    server
        .groups()
        .put_variables("Example Secret", json!({"A": "1"}));
    for name in [
        "Example Secret/A",
        "example-secret/A",
        "example-secret-group/A",
    ] {
        home.run(["get", name]).ok().stdout_is("1");
        home.run(["show", name])
            .ok()
            .stdout_has(&format!("name: {name}\n"));
    }
    home.keyfob(["set", "Example Secret/A"])
        .stdin("2")
        .run()
        .ok();
    assert_eq!(
        server
            .groups()
            .variable("example-secret-group", "A")
            .unwrap(),
        "2"
    );
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_is_sent() {
    let (server, home) = set_up();
    for (name, says) in [
        ("KEY", "names no secret group"),
        ("api-env/with space", "letters, digits"),
        ("api-env/größe", "letters, digits"),
        ("api-env//etc/", "must be absolute and name a file"),
        ("a_b/KEY", "must match the pattern"),
    ] {
        home.keyfob(["set", name])
            .stdin("1")
            .run()
            .code(13)
            .stderr_has(says);
    }
    home.keyfob(["set", "api-env/A", "--description", "x"])
        .stdin("1")
        .run()
        .code(7);
    assert!(server.requests().is_empty());
}

#[test]
fn ids_are_percent_encoded_and_a_team_is_in_the_path() {
    let (server, mut home) = set_up();
    server.groups().add_project(Some("a/b"), "my shop?");
    let fields = json!({"name": "Api Env", "secretType": "environment", "priority": 1,
        "secrets": {"variables": {"A": "of the team"}, "files": {}}});
    server.groups().put(Some("a/b"), "my shop?", fields);
    home.set("KEYFOB_NORTHFLANK_PROJECT", "my shop?");
    home.set("KEYFOB_NORTHFLANK_TEAM", "a/b");
    home.run(["get", "api-env/A"]).ok().stdout_is("of the team");
    assert_eq!(
        server.asked(),
        ["GET /v1/teams/a%2Fb/projects/my%20shop%3F/secrets/api-env?show=this"]
    );
    home.run(["status"]).ok().stdout_has("a/b/my shop?");
    home.keyfob(["set", "api-env/A"]).stdin("2").run().ok();
    home.run(["list"]).ok().stdout_has("api-env/A");
}

#[test]
fn a_project_is_needed_and_a_wrong_one_is_told() {
    let (server, mut home) = set_up();
    home.set("KEYFOB_NORTHFLANK_PROJECT", "other");
    home.run(["list"])
        .code(3)
        .stderr_has("Project not found")
        .stderr_has("project");
    home.unset("KEYFOB_NORTHFLANK_PROJECT");
    server.forget_requests();
    home.run(["list"])
        .code(11)
        .stderr_has("KEYFOB_NORTHFLANK_PROJECT");
    home.run(["status"]).ok().stdout_has(&server.url());
    assert!(server.requests().is_empty());
}

#[test]
fn the_token_comes_from_the_environment_or_a_command() {
    let (server, mut home) = set_up_rich();
    home.unset("NORTHFLANK_API_TOKEN");
    server.forget_requests();
    home.run(["get", "api-env/A"])
        .code(4)
        .stderr_has("NORTHFLANK_API_TOKEN");
    assert!(server.requests().is_empty());
    let vendor = |token: &str| {
        home.keyfob(["get", "api-env/A"])
            .env("NORTHFLANK_API_TOKEN", token)
            .run()
    };
    vendor(API_TOKEN).ok().stdout_is("value-of-a");
    vendor("wrong-token-0815")
        .code(4)
        .stderr_has("401")
        .lacks("wrong-token-0815");
    home.keyfob(["get", "api-env/A"])
        .env(
            "KEYFOB_NORTHFLANK_API_TOKEN_COMMAND",
            format!("echo {API_TOKEN}"),
        )
        .run()
        .ok()
        .stdout_is("value-of-a");
    let read = server.requests();
    assert_eq!(
        read[0].header("authorization"),
        Some(format!("Bearer {API_TOKEN}").as_str())
    );
}

#[test]
fn what_the_token_may_not_do_names_the_permission() {
    let (server, home) = set_up_rich();
    server.set_read_only(true);
    home.run(["get", "api-env/A"]).ok();
    for (args, permission) in [
        (&["set", "api-env/A", "--generate"][..], "Update"),
        (&["group", "create", "other"], "Create"),
        (&["group", "delete", "-y", "api-env"], "Delete"),
    ] {
        home.run(args)
            .code(5)
            .stderr_has(&format!("Project > Secrets > General > {permission}"));
    }
}

#[test]
fn login_proves_the_token_and_the_account_is_told_without_a_request() {
    let (server, home) = set_up();
    home.run(["status"])
        .ok()
        .stdout_has("shop")
        .stdout_has("environment NORTHFLANK_API_TOKEN");
    assert!(server.requests().is_empty());
    home.run(["login"]).ok().stderr_has("as shop");
    assert_eq!(server.asked(), [format!("GET {SECRETS}?per_page=1")]);
    home.keyfob(["login"])
        .env("KEYFOB_NORTHFLANK_API_TOKEN", "wrong")
        .run()
        .code(4);
    home.run(["logout"]).ok();
}

#[cfg(unix)]
#[test]
fn a_token_kept_in_the_keyring_is_for_one_address_alone() {
    use crate::support::bus::PrivateBus;
    if !PrivateBus::available_for("a_token_kept_in_the_keyring_is_for_one_address_alone") {
        return;
    }
    let bus = PrivateBus::unlocked();
    let (server, mut home) = set_up_rich();
    home.attach(&bus);
    home.unset("NORTHFLANK_API_TOKEN");
    home.keyfob(["login"]).stdin("wrong-token").run().code(4);
    assert_eq!(bus.items(), 0, "what is refused is not kept");
    home.keyfob(["login"])
        .stdin(format!("{API_TOKEN}\n"))
        .run()
        .ok();
    assert_eq!(bus.items(), 1);
    home.run(["get", "api-env/A"]).ok().stdout_is("value-of-a");
    home.run(["status"]).ok().stdout_has("keyring");
    let (other, _) = set_up();
    home.keyfob(["get", "api-env/A"])
        .env("KEYFOB_NORTHFLANK_BASE_URL", other.url())
        .run()
        .code(4);
    assert!(other.requests().is_empty());
    home.run(["logout"]).ok().stderr_has("forgotten");
    assert_eq!(bus.items(), 0);
    server.forget_requests();
    home.run(["get", "api-env/A"]).code(4);
    assert!(server.requests().is_empty());
}

#[test]
fn a_rate_limit_is_waited_for_where_the_deadline_allows() {
    let (server, home) = set_up_rich();
    server.faults().next(Fault::rate_limited_reset(1));
    home.run(["get", "api-env/A"]).ok().stdout_is("value-of-a");
    server.faults().next(Fault::rate_limited_reset(3540));
    home.run(["get", "api-env/A"])
        .code(9)
        .stderr_has("try again in 3540 s");
    server.set_rate_limit(1, 3600);
    home.run(["get", "api-env/A"]).ok();
    let run = home.run(["--json", "get", "api-env/A"]);
    assert_eq!(run.code(9).error()["kind"], "rate_limited");
}

#[test]
fn metadata_is_that_of_the_group() {
    let (_server, home) = set_up_rich();
    let listed = home
        .run(["--json", "list", "--prefix", "api-env/A"])
        .ok()
        .json();
    let entry = &listed[0];
    assert_eq!(entry["name"], "api-env/A");
    assert_eq!(
        entry["attributes"],
        json!({"group": "api-env", "kind": "variable", "secretType": "environment", "priority": 7,
            "restricted": true, "tags": ["my-tag"]})
    );
    assert!(entry["created_at"].is_string() && entry["updated_at"].is_string());
    home.run(["--json", "show", "api-env//etc/app.conf"])
        .ok()
        .lacks("conf\"}")
        .lacks("Y29uZg");
}

#[test]
fn no_value_comes_out_of_a_failure() {
    const CANARY: &str = "canary-c4n4ry-value-0815";
    let patch = format!("{SECRETS}/api-env");
    for fault in [
        Fault::Answer(crate::support::servers::Answer::json(
            400,
            &json!({"error": {"status": 400, "message": format!("bad {CANARY} and value-of-b and conf"), "id": "x", "details": {"value": CANARY}}}),
        )),
        Fault::status(502),
        Fault::captive_portal(),
        Fault::Truncated,
        Fault::ResetMidBody,
    ] {
        let (server, home) = set_up_rich();
        server.faults().on("PATCH", &patch, fault);
        let run = home
            .keyfob(["-vvv", "--timeout", "2s", "set", "api-env/A"])
            .stdin(CANARY)
            .run();
        run.lacks(CANARY).lacks("value-of-b").lacks(API_TOKEN);
        assert!(home.files_holding(CANARY.as_bytes()).is_empty());
    }
    // Answers with values that cannot be read are not repeated either.
    let (server, home): (_, Home) = set_up_rich();
    server.faults().on("GET", &patch, Fault::Truncated);
    home.run(["-vvv", "--timeout", "2s", "get", "api-env/A"])
        .code(13)
        .lacks("value-of");
}
