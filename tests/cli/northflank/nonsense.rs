//! Answers that do not say what a group holds: they are no empty group, and nothing is written on
//! top of them.

use serde_json::{Value, json};

use super::{GROUP, SECRETS, set_up};
use crate::support::home::Home;
use crate::support::servers::northflank::Update;
use crate::support::servers::{Answer, Fault, Northflank};

/// What a get may answer that does not say what the group holds.
fn shapes() -> Vec<Value> {
    let mut shapes = vec![json!({"data": {"id": "api-env", "name": "Api Env"}})];
    let odd = [Value::Null, json!([]), json!("text"), json!(5)];
    for odd in odd {
        let group = |secrets: Value| json!({"data": {"id": "api-env", "secrets": secrets}});
        shapes.push(json!({"data": &odd}));
        shapes.push(group(odd.clone()));
        shapes.push(group(json!({"variables": &odd})));
        shapes.push(group(json!({"variables": &odd, "files": {}})));
        shapes.push(group(json!({"variables": {"A": "a"}, "files": &odd})));
    }
    shapes
}

/// A server of the hard kind, whose updates replace, with `A` and `C` in one group, and a home.
fn set_up_two() -> (Northflank, Home) {
    let (server, home) = set_up();
    server.set_update(Update::ReplaceMaps);
    server
        .groups()
        .put_variables("Api Env", json!({"A": "old-a", "C": "old-c"}));
    home.keyfob(["set", "-s", "local", "api-env/Q"])
        .stdin("v")
        .run()
        .ok();
    server.forget_requests();
    (server, home)
}

fn answer(body: &Value) -> Fault {
    Fault::Answer(Answer::json(200, body))
}

/// Every command that reads a group, with its exit code where it fails.
const COMMANDS: [(&[&str], i32); 14] = [
    (&["get", "api-env/A"], 13),
    (&["set", "api-env/B"], 13),
    (&["list"], 13),
    (&["list", "--prefix", "api-env/"], 13),
    (&["export"], 13),
    (&["run", "--", "echo", "it ran"], 125),
    (&["run", "--only", "api-env/A", "--", "echo", "it ran"], 125),
    (&["diff", "local", "northflank"], 13),
    (&["group", "show", "api-env"], 13),
    (&["group", "update", "api-env", "--description", "d"], 13),
    (&["set", "--if-absent", "api-env/A"], 13),
    (&["delete", "-y", "api-env/A"], 13),
    (&["import", "-y", "-"], 13),
    (&["sync", "-y", "local", "northflank"], 13),
];

/// These commands fail while a get answers `shape`, and write nothing.
#[track_caller]
fn are_refused(commands: &[(&[&str], i32)], shape: &Value) {
    let (server, home) = set_up_two();
    server.faults().on("GET", GROUP, answer(shape));
    for (args, code) in commands {
        let run = home
            .keyfob(args.iter().copied())
            .stdin(r#"{"api-env/Q": "new"}"#)
            .run();
        let told = format!("{args:?} at {shape}: {:?} {}", run.code, run.stderr);
        assert_eq!(run.code, Some(*code), "{told}");
        assert!(run.stderr.contains("answered 200 OK with"), "{told}");
        assert!(!run.text().contains("it ran"), "{told}");
    }
    let asked = server.asked();
    assert!(
        asked.iter().all(|line| line.starts_with("GET ")),
        "{asked:?}"
    );
    let left = Value::Object(server.groups().variables("api-env"));
    assert_eq!(left, json!({"A": "old-a", "C": "old-c"}));
}

#[test]
fn a_group_without_usable_secrets_is_no_empty_group() {
    for shape in shapes() {
        are_refused(&COMMANDS[..2], &shape);
    }
}

#[test]
fn no_command_takes_it_for_one() {
    are_refused(&COMMANDS, &json!({"data": null}));
    are_refused(&COMMANDS, &shapes()[0]);
    let group = json!({"id": "api-env", "secrets": {"variables": null}});
    are_refused(&COMMANDS, &json!({"data": group}));
}

#[test]
fn a_kind_of_failure_is_told_for_each() {
    let (server, home) = set_up_two();
    server.faults().on("GET", GROUP, answer(&shapes()[0]));
    let error = home.run(["--json", "get", "api-env/A"]).error();
    assert_eq!(error["kind"], "invalid_data", "{error}");
    let run = home.keyfob(["--json", "set", "api-env/B"]).stdin("b").run();
    let result = &run.json()["results"][0];
    assert_eq!(result["action"], "failed", "{result}");
    assert_eq!(result["error"]["kind"], "invalid_data", "{result}");
}

#[test]
fn a_group_that_says_that_it_is_empty_is_empty() {
    for secrets in [
        json!({}),
        json!({"variables": {}}),
        json!({"files": {}}),
        json!({"variables": {}, "files": {}}),
    ] {
        let (server, home) = set_up();
        server.groups().put_variables("Api Env", json!({}));
        let shape = json!({"data": {"id": "api-env", "name": "Api Env", "secrets": secrets}});
        server.faults().on("GET", GROUP, answer(&shape));
        home.run(["--json", "list"]).ok().stdout_is("[]\n");
        home.run(["group", "show", "api-env"]).ok();
        server.faults().clear();
        server.faults().once_on("GET", GROUP, answer(&shape));
        home.keyfob(["set", "api-env/B"]).stdin("b").run().ok();
        assert_eq!(server.groups().variable("api-env", "B").unwrap(), "b");
    }
}

#[test]
fn a_create_that_is_answered_with_nonsense_is_looked_up_and_not_repeated() {
    for odd in [json!({"data": null}), json!({"data": []}), json!({})] {
        let (server, home) = set_up();
        server.faults().on("POST", SECRETS, answer(&odd));
        home.run(["group", "create", "Api Env"]).code(13);
        assert_eq!(server.count("POST", SECRETS), 1, "{odd}");
    }
}

#[test]
fn more_pages_without_a_cursor_make_no_list() {
    let (server, home) = set_up_two();
    for cursor in [None, Some(Value::Null), Some(json!(""))] {
        let mut pagination = json!({"hasNextPage": true, "count": 1});
        if let Some(cursor) = cursor {
            pagination["cursor"] = cursor;
        }
        let groups = json!({"secrets": [{"id": "api-env", "name": "Api Env"}]});
        let page = json!({"data": groups, "pagination": pagination});
        server.faults().clear();
        server.faults().on("GET", SECRETS, answer(&page));
        for args in [&["list"][..], &["group", "list"], &["export"]] {
            home.run(args).code(13).stdout_is("").stderr_has("cursor");
        }
    }
}

#[test]
fn only_the_api_itself_says_that_a_group_is_not_there() {
    let (server, home) = set_up_two();
    for answer in [
        Answer::html(404, "<html>nginx</html>"),
        Answer::text(404, "404 page not found"),
        Answer::status(404),
    ] {
        server.faults().clear();
        server
            .faults()
            .on("GET", GROUP, Fault::Answer(answer.clone()));
        for args in [&["list"][..], &["export"], &["get", "api-env/A"]] {
            home.run(args).code(13).stdout_is("").stderr_has("404");
        }
        server.faults().clear();
        server.faults().on("DELETE", GROUP, Fault::Answer(answer));
        home.run(["group", "delete", "-y", "api-env"])
            .code(13)
            .stderr_has("404");
    }
    server.faults().clear();
    home.run(["get", "api-env/A"]).ok().stdout_is("old-a");
}
