//! Listing: pages by cursor, and one read a group, several at a time.

use serde_json::{Value, json};

use super::{SECRETS, set_up};
use crate::support::servers::northflank::PROJECT;
use crate::support::servers::{Answer, Fault, Northflank};

fn many(server: &Northflank, count: usize) {
    for number in 0..count {
        server
            .groups()
            .put_variables(&format!("group {number:03}"), json!({"A": "1", "B": "2"}));
    }
}

#[test]
fn two_hundred_and_fifty_groups_come_over_three_pages() {
    let (server, home) = set_up();
    many(&server, 250);
    let listed = home.run(["--json", "list"]).ok().json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 500);
    assert_eq!((names[0], names[499]), ("group-000/A", "group-249/B"));
    assert_eq!(server.count("GET", SECRETS), 3);
    assert_eq!(server.requests().len(), 253);
    assert!(
        server.asked()[..3]
            .iter()
            .all(|asked| asked.contains("per_page=100"))
    );
    assert!(
        server.peak_connections() <= 16,
        "{} connections",
        server.peak_connections()
    );
    server.forget_requests();
    let groups = home.run(["--json", "group", "list"]).ok().json();
    assert_eq!(groups.as_array().unwrap().len(), 250);
    assert_eq!(
        server.requests().len(),
        3,
        "groups alone need no more than their list"
    );
}

#[test]
fn concurrency_is_bounded_by_the_user() {
    let (server, home) = set_up();
    many(&server, 12);
    home.keyfob(["list"])
        .env("KEYFOB_CONCURRENCY", "2")
        .run()
        .ok();
    assert!(
        server.peak_requests() <= 2,
        "{} at once",
        server.peak_requests()
    );
    home.keyfob(["list"])
        .env("KEYFOB_CONCURRENCY", "many")
        .run()
        .code(2);
}

#[test]
fn a_prefix_asks_for_no_more_groups_than_it_needs() {
    let (server, home) = set_up();
    many(&server, 12);
    let names = |prefix: &str| {
        home.run(["list", "--prefix", prefix])
            .ok()
            .text()
            .lines()
            .count()
    };
    assert_eq!(names("group-00"), 20);
    assert_eq!(server.requests().len(), 11);
    server.forget_requests();
    assert_eq!(names("group-003/B"), 1);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(names("nothing"), 0);
}

#[test]
fn run_with_a_group_s_prefix_reads_that_group_alone() {
    let (server, home) = set_up();
    many(&server, 12);
    let run = |prefix: &str| {
        server.forget_requests();
        let arguments = ["run", "--prefix", prefix, "--strip-prefix", prefix, "--"];
        let arguments = [&arguments[..], &["sh", "-c", "printf %s \"$A$B\""]].concat();
        home.run(arguments).ok().stdout_is("12");
        server.requests().len()
    };
    assert!(run("group-003/") <= 2, "{:?}", server.asked());
    home.run(["run", "--prefix", "nothing/", "--", "true"]).ok();
}

#[test]
fn a_limit_that_ends_shows_what_was_read_and_says_what_was_not() {
    let (server, home) = set_up();
    many(&server, 250);
    // Three pages, and forty groups.
    server.set_rate_limit(43, 3600);
    let run = home
        .keyfob(["--json", "list"])
        .env("KEYFOB_CONCURRENCY", "8")
        .run();
    run.code(9);
    let listed = run.json();
    assert_eq!(listed.as_array().unwrap().len(), 80);
    assert_eq!(listed[0]["name"], "group-000/A");
    let error = run.error();
    assert_eq!(error["kind"], "rate_limited");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("210 of 250 groups were not read (group-040, group-041"),
        "{message}"
    );
    assert!(message.contains("and 205 more"), "{message}");
    assert!(
        error["hint"].as_str().unwrap().contains("try again in 3"),
        "{error}"
    );
    // What the server has said is known: not one request was refused.
    assert_eq!(server.requests().len(), 43);

    // What works with all of a store does not take a part for it.
    for (args, code) in [
        (&["export"][..], 9),
        (&["run", "--all", "--", "echo", "it ran"], 125),
        (&["diff", "northflank", "local"], 9),
    ] {
        server.set_rate_limit(43, 3600);
        let run = home.run(args);
        run.code(code).stdout_is("").stderr_has("were not read");
    }
    // Nothing read is not nothing there.
    server.set_rate_limit(3, 3600);
    home.run(["list"])
        .code(9)
        .stdout_is("")
        .stderr_lacks("there are no secrets");
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
}

#[test]
fn a_limit_that_ends_between_two_pages_shows_the_pages_before() {
    let (server, home) = set_up();
    many(&server, 250);
    server.set_rate_limit(2, 3600);
    let run = home.run(["--json", "group", "list"]);
    assert_eq!(run.code(9).json().as_array().unwrap().len(), 200);
    assert_eq!(run.error()["kind"], "rate_limited");
    run.stderr_has("only the first 200 groups were listed");
    server.set_rate_limit(2, 3600);
    home.run(["list"])
        .code(9)
        .stdout_is("")
        .stderr_has("200 of more than 200 groups were not read");
    // Nothing is changed by what a part of the list says.
    server.set_rate_limit(2, 3600);
    home.keyfob(["set", "Nameless Group/A"])
        .stdin("1")
        .run()
        .code(9);
}

#[test]
fn a_limit_that_begins_anew_in_time_is_waited_for() {
    let (server, home) = set_up();
    many(&server, 6);
    server.set_rate_limit(4, 2);
    home.run(["list"]).ok().stdout_has("group-005/B");
}

#[test]
fn pages_that_go_round_in_circles_end() {
    let (server, home) = set_up();
    let page = |cursor: Value| {
        let pagination = json!({"hasNextPage": true, "cursor": cursor, "count": 1});
        Fault::Answer(Answer::json(
            200,
            &json!({"data": {"secrets": [{"id": "api-env", "name": "Api Env"}]}, "pagination": pagination}),
        ))
    };
    server.faults().on("GET", SECRETS, page(json!("again")));
    home.run(["list"]).code(13).stderr_has("round in circles");
    assert!(server.requests().len() <= 3, "{:?}", server.asked());
    // Nor do ever new cursors that bring nothing new.
    server.faults().clear();
    server.faults().once_on("GET", SECRETS, page(json!("one")));
    server.faults().once_on("GET", SECRETS, page(json!("two")));
    home.run(["group", "list"])
        .code(13)
        .stderr_has("round in circles");
}

#[test]
fn a_group_deleted_meanwhile_is_left_out() {
    let (server, home) = set_up();
    many(&server, 3);
    let groups = server.groups().clone();
    let delete = Fault::after(move || groups.remove(None, PROJECT, "group-001"));
    server.faults().once_on("GET", SECRETS, delete);
    let run = home.run(["list"]);
    run.ok()
        .stdout_has("group-000/A")
        .stdout_has("group-002/A")
        .stdout_lacks("group-001");
}

#[test]
fn run_brings_all_groups_where_names_are_variables() {
    let (server, home) = set_up();
    many(&server, 2);
    home.run([
        "run",
        "--upper",
        "--",
        "sh",
        "-c",
        "printf %s \"$GROUP_000_A$GROUP_001_B\"",
    ])
    .ok()
    .stdout_is("12");
    home.run([
        "run",
        "-e",
        "TOKEN=group-001/B",
        "--",
        "sh",
        "-c",
        "printf %s \"$TOKEN\"",
    ])
    .ok()
    .stdout_is("2");
}
