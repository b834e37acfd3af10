//! Groups as a whole: every field of the page, by flags and by file.

use serde_json::{Value, json};

use super::{GROUP, SECRETS, group, is_rich_apart_from_values, set_up, set_up_rich};
use crate::support::servers::northflank::{Names, PROJECT, Shows, Update};
use crate::support::servers::{Answer, Fault, Northflank};

/// The example request of the page, to the letter.
const EXAMPLE: &str = r#"{"name":"Example Secret","description":"A description","tags":["my-tag"],"secretType":"environment","priority":10,"restrictions":{"restricted":true,"nfObjects":[{"id":"example-service","type":"service"}],"tags":["my-tag"]},"addonDependencies":[{"addonId":"example-addon","keys":[{"keyName":"USERNAME","aliases":["MONGO_USERNAME"]}]}],"secrets":{"variables":{"NODE_ENV":"production","MONGO_DB":"some_connection_string"},"files":{"/dir/fileName":{"data":"VGhpcyBpcyBhbiBleGFtcGxlIHdpdGggYSB0ZW1wbGF0ZWQgJHtOT0RFX0VOVn0gdmFyaWFibGU=","encoding":"utf-8"}}}}"#;

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

/// The body of the last request.
fn sent(server: &Northflank, method: &str, path: &str) -> Value {
    let requests = server.requests();
    let request = requests
        .iter()
        .rev()
        .find(|request| request.is(method, path));
    request.expect("a request").json().expect("JSON")
}

#[test]
fn the_pages_example_can_be_said_with_flags() {
    let (server, home) = set_up();
    home.write(
        "app.env",
        "NODE_ENV=production\nMONGO_DB=some_connection_string\n",
    );
    home.write(
        "fileName",
        "This is an example with a templated ${NODE_ENV} variable",
    );
    let run = home.run([
        "--json",
        "group",
        "create",
        "Example Secret",
        "--description",
        "A description",
        "--tag",
        "my-tag",
        "--secret-type",
        "environment",
        "--priority",
        "10",
        "--restricted",
        "--restrict",
        "service:example-service",
        "--restrict-tag",
        "my-tag",
        "--addon",
        "example-addon:USERNAME=MONGO_USERNAME",
        "--variables",
        "app.env",
        "--file",
        "/dir/fileName=fileName",
    ]);
    assert_eq!(
        run.ok().json(),
        json!({"store": "northflank", "results": [{"name": "example-secret", "action": "created"}]})
    );
    assert_eq!(sent(&server, "POST", SECRETS), example());
}

#[test]
fn the_pages_example_can_be_given_as_a_file() {
    let yaml = r#"
name: Example Secret
description: A description
tags: [my-tag]
secretType: environment
priority: 10
restrictions:
  restricted: true
  nfObjects:
    - {id: example-service, type: service}
  tags: [my-tag]
addonDependencies:
  - addonId: example-addon
    keys:
      - keyName: USERNAME
        aliases: [MONGO_USERNAME]
secrets:
  variables:
    NODE_ENV: production
    MONGO_DB: some_connection_string
  files:
    /dir/fileName:
      data: VGhpcyBpcyBhbiBleGFtcGxlIHdpdGggYSB0ZW1wbGF0ZWQgJHtOT0RFX0VOVn0gdmFyaWFibGU=
      encoding: utf-8
"#;
    let toml = r#"
name = "Example Secret"
description = "A description"
tags = ["my-tag"]
secretType = "environment"
priority = 10
[restrictions]
restricted = true
nfObjects = [{ id = "example-service", type = "service" }]
tags = ["my-tag"]
[[addonDependencies]]
addonId = "example-addon"
keys = [{ keyName = "USERNAME", aliases = ["MONGO_USERNAME"] }]
[secrets.variables]
NODE_ENV = "production"
MONGO_DB = "some_connection_string"
[secrets.files."/dir/fileName"]
data = "VGhpcyBpcyBhbiBleGFtcGxlIHdpdGggYSB0ZW1wbGF0ZWQgJHtOT0RFX0VOVn0gdmFyaWFibGU="
encoding = "utf-8"
"#;
    for (file, text) in [
        ("g.json", EXAMPLE),
        ("g.yaml", yaml),
        ("g.toml", toml),
        ("-", EXAMPLE),
    ] {
        let (server, home) = set_up();
        home.write(file, text);
        home.keyfob(["group", "create", "--from", file])
            .stdin(text)
            .run()
            .ok();
        assert_eq!(sent(&server, "POST", SECRETS), example(), "{file}");
    }
}

#[test]
fn what_the_page_does_not_know_is_passed_on_and_flags_lie_over_the_file() {
    let (server, home) = set_up();
    home.write("g.json", r#"{"name": "File Name", "stageId": "prod", "priority": 3,
        "restrictions": {"tagMatchCondition": "or"}, "secrets": {"dockerSecretMounts": {"x": {"data": "eA=="}}}}"#);
    home.run([
        "group",
        "create",
        "Flag Name",
        "--from",
        "g.json",
        "--restrict-tag",
        "web",
    ])
    .ok();
    assert_eq!(
        sent(&server, "POST", SECRETS),
        json!({"name": "Flag Name", "stageId": "prod", "priority": 3, "secretType": "environment",
            "restrictions": {"tagMatchCondition": "or", "restricted": true, "tags": ["web"]},
            "secrets": {"dockerSecretMounts": {"x": {"data": "eA=="}}}})
    );
}

#[test]
fn a_new_group_needs_no_more_than_a_name() {
    let (server, home) = set_up();
    home.run(["group", "create", "api-env"])
        .ok()
        .stderr_has("group api-env created in northflank");
    assert_eq!(
        sent(&server, "POST", SECRETS),
        json!({"name": "api-env", "secretType": "environment", "priority": 10})
    );
    home.keyfob(["set", "api-env/A"]).stdin("1").run().ok();
    home.run(["get", "api-env/A"]).ok().stdout_is("1");
    home.run(["group", "create"]).code(2);
}

#[test]
fn a_group_that_exists_is_a_conflict_that_names_it() {
    let (server, home) = set_up_rich();
    home.run(["group", "create", "API Env"])
        .code(6)
        .stderr_has("the id api-env")
        .stderr_has("called \"Api Env\"")
        .stderr_has("keyfob group update -s northflank api-env");
    server.set_id_suffix("-group");
    server.groups().put_variables("other", json!({}));
    home.run(["group", "create", "other"])
        .code(6)
        .stderr_has("the id other-group");
}

#[test]
fn rules_are_checked_before_anything_is_sent() {
    let (server, home) = set_up();
    home.write(
        "bad.json",
        r#"{"name": "good name", "secrets": {"variables": {"A": 12345678}}}"#,
    );
    home.write("key", "x");
    home.write("vars.env", "A=1\n");
    home.write(
        "match.json",
        r#"{"name": "good", "restrictions": {"tagMatchCondition": "xor"}}"#,
    );
    home.write("type.json", r#"{"name": "good", "type": "other"}"#);
    let long = "d".repeat(201);
    for (args, says) in [
        (&["ab"][..], r#"name must have 3 to 100 characters: "ab""#),
        (
            &["good", "--priority", "101"],
            "priority must be an integer from 0 to 100: 101",
        ),
        (
            &["good", "--priority", "-1"],
            "priority must be an integer from 0 to 100: -1",
        ),
        (
            &["good", "--tag", "a_b"],
            r#"tags[0] must match the pattern"#,
        ),
        (
            &["good", "--description", "a@b"],
            "description must match the pattern",
        ),
        (
            &["good", "--description", &long],
            "description must have at most 200 characters",
        ),
        (
            &["good", "--secret-type", "env"],
            "secretType must be one of environment-arguments, environment, arguments: \"env\"",
        ),
        (
            &["good", "--restrict", "job:a_b"],
            "restrictions.nfObjects[0].id must match",
        ),
        (
            &["good", "--restrict-tag", "ab"],
            "restrictions.tags[0] must have 3 to 39",
        ),
        (
            &["good", "--addon", "a_b:KEY"],
            "addonDependencies[0].addonId must match",
        ),
        (
            &["good", "--addon", "ab:123"],
            "keyName must match the pattern [a-zA-Z]+",
        ),
        (&["good", "--addon", "ab:KEY=a b"], "aliases[0] must match"),
        (&["good", "--file", "relative=key"], "must be absolute"),
        (
            &["good", "--external-addon", "a_b:KEY"],
            "externalAddonDependencies[0].addonId must match",
        ),
        (
            &["good", "--external-addon", "ab:KEY=a b"],
            "externalAddonDependencies[0].keys[0].aliases[0] must match",
        ),
        (
            &["good", "--docker-secret", "a/b=key"],
            "cannot be the name of a docker secret",
        ),
        (
            &["good", "--stage", &long],
            "stageId must have 1 to 100 characters",
        ),
        (
            &["--from", "match.json"],
            "restrictions.tagMatchCondition must be one of and, or",
        ),
        (
            &["--from", "type.json"],
            "type must be one of secret, config",
        ),
        (&["--from", "bad.json"], "secrets.variables.A must be text"),
    ] {
        let run = home.keyfob(["group", "create"].iter().chain(args)).run();
        run.code(13).stderr_has(says).lacks("12345678");
    }
    for args in [
        ["--restrict", "addon:x"],
        ["--addon", "nothing"],
        ["--external-addon", "nothing"],
        ["--file", "/a"],
        ["--docker-secret", "a"],
        ["--type", "other"],
        ["--tag-match", "xor"],
    ] {
        home.keyfob(["group", "create", "good"].iter().chain(&args))
            .run()
            .code(2);
    }
    assert!(server.requests().is_empty(), "{:?}", server.asked());
}

#[test]
fn the_server_has_the_last_word_on_names() {
    let (server, home) = set_up();
    let long = format!("1{}", "x".repeat(99));
    home.run(["group", "create", &long])
        .code(13)
        .stderr_has("name");
    assert_eq!(server.requests().len(), 1);
    server.set_names(Names::Current);
    home.run(["group", "create", &long]).ok();
    home.run(["group", "create", &format!("{long}x")]).code(13);
}

#[test]
fn show_has_every_field_and_no_value() {
    let (server, home) = set_up_rich();
    let run = home.run(["--json", "group", "show", "Api Env"]);
    let mut shown = run.ok().json();
    let times = shown.as_object_mut().unwrap();
    assert!(times.remove("created_at").is_some() && times.remove("updated_at").is_some());
    assert_eq!(
        shown,
        json!({"store": "northflank", "id": "api-env", "name": "Api Env", "description": "of the API",
            "tags": ["my-tag"], "secretType": "environment", "type": "secret", "priority": 7,
            "restrictions": {"restricted": true, "tags": ["web"], "tagMatchCondition": "and",
                "nfObjects": [{"id": "api", "type": "service"}]},
            "addonDependencies": [{"addonId": "mongo", "keys": [{"keyName": "USERNAME", "aliases": ["MONGO_USER"]}]}],
            "variables": ["A", "B"], "files": ["/etc/app.conf"], "dockerSecretMounts": ["npmrc"]})
    );
    // The details name the addons, and each link is asked for its keys.
    let link = format!("GET {GROUP}/addons/mongo");
    assert_eq!(
        server.asked(),
        [
            format!("GET {GROUP}?show=this"),
            format!("GET {GROUP}/details"),
            link
        ]
    );
    let text = home.run(["group", "show", "api-env"]);
    for line in [
        "id: api-env",
        "secret type: environment",
        "\ntype: secret",
        "restricted to: service:api",
        "tags match: and",
        "\naddon: mongo:USERNAME=MONGO_USER",
        "variable: A",
        "file: /etc/app.conf",
        "docker secret: npmrc",
    ] {
        text.ok().stdout_has(line);
    }
    for secret in ["value-of", "Y29uZg", "c2VjcmV0", "credential-of"] {
        run.lacks(secret);
        text.lacks(secret);
    }
    server.set_shows(Shows::Everything);
    let text = home.run(["group", "show", "api-env"]);
    for line in [
        "stage: production",
        "external addon: redis:HOST",
        "\naddon: mongo:USERNAME=MONGO_USER",
    ] {
        text.ok().stdout_has(line);
    }
    // A link that may not be seen, or is gone since, is an addon without known keys.
    server.set_shows(Shows::Types);
    for status in [403, 404] {
        let refusal = json!({"error": {"status": status, "message": "no", "id": "no"}});
        let refusal = Fault::Answer(Answer::json(status, &refusal));
        server.faults().clear();
        server
            .faults()
            .on("GET", &format!("{GROUP}/addons/*"), refusal);
        home.run(["group", "show", "api-env"])
            .ok()
            .stdout_has("addon: mongo\n");
    }
    for odd in [
        json!([true]),
        json!({"linked": "yes"}),
        json!({"linkedKeys": [["A"]]}),
        json!(null),
    ] {
        server.faults().clear();
        let answer = Fault::Answer(Answer::json(200, &json!({ "data": odd })));
        server
            .faults()
            .on("GET", &format!("{GROUP}/addons/*"), answer);
        home.run(["group", "show", "api-env"]).code(13);
    }
    server.faults().clear();
    for odd in [
        json!(null),
        json!({}),
        json!([["mongo"]]),
        json!([{}]),
        json!("x"),
    ] {
        server.faults().clear();
        let details = json!({"data": {"id": "api-env", "name": "Api Env", "addonSecrets": odd}});
        server.faults().on(
            "GET",
            &format!("{GROUP}/details"),
            Fault::Answer(Answer::json(200, &details)),
        );
        home.run(["group", "show", "api-env"]).code(13);
    }
    server.faults().clear();
    home.run(["group", "show", "nowhere"])
        .code(3)
        .stderr_has("keyfob group list");
}

#[test]
fn list_has_the_groups_and_asks_for_no_value() {
    let (server, home) = set_up_rich();
    server.groups().put_variables("Another", json!({"A": "1"}));
    let listed = home.run(["--json", "group", "list"]).ok().json();
    assert_eq!(listed[0]["id"], "another");
    assert_eq!(listed[1]["name"], "Api Env");
    assert_eq!(listed[1]["priority"], 7);
    assert!(listed[1].get("variables").is_none());
    home.run(["group", "ls"])
        .ok()
        .stdout_has("api-env\tApi Env\tenvironment\t7");
    assert_eq!(server.count("GET", SECRETS), server.requests().len());
}

#[test]
fn an_update_says_what_changed_and_keeps_the_rest() {
    let (server, home) = set_up_rich();
    home.run([
        "group",
        "update",
        "api-env",
        "--priority",
        "9",
        "--restricted=false",
    ])
    .ok();
    assert_eq!(
        sent(&server, "PATCH", GROUP),
        json!({"priority": 9, "restrictions": {"restricted": false, "tags": ["web"], "tagMatchCondition": "and",
            "nfObjects": [{"id": "api", "type": "service"}]}})
    );
    home.run([
        "group",
        "update",
        "Api Env",
        "--priority",
        "7",
        "--restricted",
    ])
    .ok();
    is_rich_apart_from_values(&server);
    let run = home.run([
        "--json",
        "group",
        "update",
        "api-env",
        "--priority",
        "7",
        "--tag",
        "my-tag",
    ]);
    assert_eq!(run.ok().json()["results"][0]["action"], "unchanged");
    assert_eq!(server.count("PATCH", GROUP), 2);
    home.run(["group", "update", "nowhere", "--priority", "1"])
        .code(3);
}

#[test]
fn an_update_replaces_lists_and_adds_variables_and_files() {
    let (server, home) = set_up_rich();
    home.write("more.env", "B=new\nC=3\n");
    home.write("more", "more");
    home.run([
        "group",
        "update",
        "api-env",
        "--tag",
        "one",
        "--tag",
        "two",
        "--restrict",
        "job:nightly",
        "--addon",
        "mongo:USERNAME",
        "--addon",
        "mongo:PASSWORD=PW,PASS",
        "--addon",
        "redis:HOST",
        "--variables",
        "more.env",
        "--file",
        "/etc/more=more",
    ])
    .ok();
    let found = group(&server, "api-env");
    assert_eq!(found.fields["tags"], json!(["one", "two"]));
    assert_eq!(
        found.fields["restrictions"]["nfObjects"],
        json!([{"id": "nightly", "type": "job"}])
    );
    assert_eq!(found.fields["restrictions"]["tagMatchCondition"], "and");
    assert_eq!(
        found.fields["addonDependencies"],
        json!([
            {"addonId": "mongo", "keys": [{"keyName": "USERNAME"}, {"keyName": "PASSWORD", "aliases": ["PW", "PASS"]}]},
            {"addonId": "redis", "keys": [{"keyName": "HOST"}]},
        ])
    );
    assert_eq!(
        json!(found.variables()),
        json!({"A": "value-of-a", "B": "new", "C": "3"})
    );
    assert_eq!(
        found.files().keys().collect::<Vec<_>>(),
        ["/etc/app.conf", "/etc/more"]
    );
    assert_eq!(
        found.fields["secrets"]["dockerSecretMounts"],
        super::rich()["secrets"]["dockerSecretMounts"]
    );
}

#[test]
fn every_field_has_a_flag_and_each_can_be_emptied() {
    for shows in [Shows::Types, Shows::Everything] {
        for update in [Update::Merge, Update::ReplaceMaps] {
            let (server, home) = set_up();
            server.set_shows(shows);
            server.set_update(update);
            home.write("npmrc", "token");
            let options = [
                "--type",
                "config",
                "--stage",
                "production",
                "--tag-match",
                "and",
                "--restrict-tag",
                "web",
                "--external-addon",
                "redis:HOST=REDIS,R",
                "--external-addon",
                "redis:PORT",
                "--docker-secret",
                "npmrc=npmrc",
                "--addon",
                "mongo:USERNAME",
            ];
            let run = home
                .keyfob(["group", "create", "api-env"].iter().chain(&options))
                .run();
            run.ok();
            let wanted = json!({
                "name": "api-env", "secretType": "environment", "priority": 10,
                "type": "config", "stageId": "production",
                "restrictions": {"restricted": true, "tags": ["web"], "tagMatchCondition": "and"},
                "addonDependencies": [{"addonId": "mongo", "keys": [{"keyName": "USERNAME"}]}],
                "externalAddonDependencies": [{"addonId": "redis", "keys": [
                    {"keyName": "HOST", "aliases": ["REDIS", "R"]}, {"keyName": "PORT"}]}],
                "secrets": {"dockerSecretMounts": {"npmrc": {"data": "dG9rZW4=", "encoding": "utf-8"}}},
            });
            assert_eq!(sent(&server, "POST", SECRETS), wanted);

            let empty = [
                "--stage",
                "",
                "--tag",
                "",
                "--restrict-tag",
                "",
                "--addon",
                "",
                "--external-addon",
                "",
                "--type",
                "secret",
                "--tag-match",
                "or",
            ];
            home.keyfob(["group", "update", "api-env"].iter().chain(&empty))
                .run()
                .ok();
            let found = group(&server, "api-env").fields;
            assert!(found.get("stageId").is_none());
            for list in ["tags", "addonDependencies", "externalAddonDependencies"] {
                assert_eq!(found[list], json!([]), "{list}");
            }
            assert_eq!(found["type"], "secret");
            assert_eq!(
                found["restrictions"],
                json!({"restricted": true, "tags": [], "tagMatchCondition": "or"})
            );
            assert!(found["secrets"]["dockerSecretMounts"]["npmrc"].is_object());
            home.write("off.yaml", "secrets: {dockerSecretMounts: {npmrc: null}}\n");
            home.run(["group", "update", "api-env", "--from", "off.yaml"])
                .ok();
            let found = group(&server, "api-env").fields;
            assert_eq!(found["secrets"]["dockerSecretMounts"], json!({}));
        }
    }
}

#[test]
fn what_is_sent_and_not_shown_is_said_and_what_is_shown_is_checked() {
    let (server, home) = set_up_rich();
    home.run(["group", "update", "api-env", "--stage", "test"])
        .ok()
        .stderr_has("stageId of the group api-env was sent, and the server does not show");
    assert_eq!(group(&server, "api-env").fields["stageId"], "test");
    server.set_shows(Shows::Everything);
    home.run(["group", "update", "api-env", "--stage", "other"])
        .ok()
        .stderr_lacks("does not show");
    // The links are looked at: one that came out otherwise is told.
    server.set_shows(Shows::Types);
    home.run(["group", "update", "api-env", "--addon", "mongo:HOST"])
        .ok()
        .stderr_lacks("does not show");
    let run = home.run([
        "--json",
        "group",
        "update",
        "api-env",
        "--addon",
        "mongo:HOST",
    ]);
    assert_eq!(run.ok().json()["results"][0]["action"], "unchanged");
    let keys =
        json!({"data": {"addonId": "mongo", "linked": true, "linkedKeys": [{"keyName": "HOST"}]}});
    server.faults().on(
        "GET",
        &format!("{GROUP}/addons/mongo"),
        Fault::Answer(Answer::json(200, &keys)),
    );
    home.run(["group", "update", "api-env", "--addon", "mongo:PASSWORD"])
        .code(13)
        .stderr_has("and did not");
}

#[test]
fn a_group_is_created_when_it_was_read_back_and_deleted_when_it_is_gone() {
    let (server, home) = set_up();
    let said = json!({"data": {"id": "api-env", "name": "api-env"}});
    server
        .faults()
        .on("POST", SECRETS, Fault::Answer(Answer::json(200, &said)));
    home.run(["group", "create", "api-env"])
        .code(13)
        .stderr_has("does not have it");
    server.faults().clear();
    home.run(["group", "create", "api-env"]).ok();
    server.set_deletes_nothing(true);
    home.run(["group", "delete", "-y", "api-env"])
        .code(1)
        .stderr_has("and still has it");
    assert_eq!(server.groups().ids(None, PROJECT), ["api-env"]);
    server.set_deletes_nothing(false);
    home.run(["group", "delete", "-y", "api-env"]).ok();
}

#[test]
fn null_in_a_payload_takes_a_secret_away() {
    let (server, home) = set_up_rich();
    home.write("g.yaml", "priority: 7\nsecrets:\n  variables:\n    A: null\n    C: '3'\n  files:\n    /etc/app.conf: null\n");
    home.run(["group", "update", "api-env", "--from", "g.yaml"])
        .ok();
    let found = group(&server, "api-env");
    assert_eq!(
        json!(found.variables()),
        json!({"B": "value-of-b", "C": "3"})
    );
    assert!(found.files().is_empty());
    is_rich_apart_from_values(&server);
}

#[test]
fn groups_are_deleted_and_what_is_missing_is_told() {
    let (server, home) = set_up_rich();
    server.groups().put_variables("other", json!({}));
    let run = home.run(["--json", "group", "delete", "-y", "Api Env", "gone"]);
    let results = run.code(10).json();
    assert_eq!(
        results["results"][0],
        json!({"name": "api-env", "action": "deleted"})
    );
    assert_eq!(results["results"][1]["error"]["kind"], "not_found");
    assert_eq!(server.groups().ids(None, PROJECT), ["other"]);
    home.run(["group", "delete", "-y", "gone"]).code(3);
}

#[test]
fn a_dry_run_says_what_would_become_of_groups_and_changes_nothing() {
    let (server, home) = set_up_rich();
    let changes = |server: &Northflank| {
        let asked = server.asked().into_iter();
        asked.filter(|asked| !asked.starts_with("GET")).count()
    };
    server.forget_requests();
    let run = |arguments: &[&str]| home.run([&["group"], arguments].concat());
    run(&["create", "-n", "New One"])
        .ok()
        .stderr_has("group new-one would be created in northflank");
    let document = run(&["--json", "create", "--dry-run", "New One"])
        .ok()
        .json();
    assert_eq!(document["dry_run"], true);
    run(&["create", "-n", "Api Env"]).code(6);
    run(&["create", "-n", "x", "--priority", "1000"]).code(13);
    run(&["update", "-n", "api-env", "--priority", "77"])
        .ok()
        .stderr_has("group api-env would be updated in northflank");
    run(&["update", "-n", "gone", "--priority", "77"]).code(3);
    run(&["delete", "-n", "api-env"])
        .ok()
        .stderr_has("group api-env would be deleted in northflank");
    run(&["delete", "-n", "api-env", "gone"]).code(10);
    assert_eq!(changes(&server), 0);
}

#[cfg(unix)]
#[test]
fn a_terminal_is_asked_before_a_group_goes() {
    let (server, home) = set_up_rich();
    for (answer, left) in [("n", 1), ("y", 0)] {
        let delete = home.keyfob(["group", "delete", "api-env"]);
        let mut terminal = delete.on_a_terminal();
        terminal
            .exp_string("Delete the group api-env and all of its secrets from northflank?")
            .unwrap();
        terminal.send_line(answer).unwrap();
        terminal.exp_eof().unwrap();
        assert_eq!(server.groups().ids(None, PROJECT).len(), left);
    }
}
