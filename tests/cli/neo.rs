//! Neo Service Layer, through the commands a user types.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::{Keyfob, Run};
use crate::support::servers::faults::Fault;
use crate::support::servers::limit::Reset;
use crate::support::servers::neo::{API_KEY, Lists, Paging, Tells};
use crate::support::servers::{Answer, Neo};

pub const SECRETS: &str = "/v1/secrets";
pub const ONE: &str = "/v1/secrets/*";

/// A server, and a home that knows it.
pub fn set_up() -> (Neo, Home) {
    let server = Neo::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "neo");
    home.knows_neo(&server);
    (server, home)
}

pub fn set(home: &Home, name: &str, value: &str) -> Keyfob {
    home.keyfob(["set", name]).stdin(value)
}

pub fn action(run: &Run) -> Value {
    run.json()["results"][0]["action"].clone()
}

/// The sealed files that are on the disk.
pub fn journal(home: &Home) -> Vec<PathBuf> {
    let folder = home.data().join("journal");
    let mut files = home.files();
    files.retain(|path| path.starts_with(&folder));
    files
}

#[track_caller]
pub fn assert_nothing_open(home: &Home) {
    assert_eq!(journal(home), Vec::<PathBuf>::new());
    let run = home.run(["--json", "rotate", "--list"]);
    assert_eq!(run.ok().json(), json!([]));
    home.run(["list"]).ok().stderr_lacks("rotate --resume");
}

#[test]
fn secrets_are_created_listed_shown_and_deleted_by_name() {
    let (server, home) = set_up();
    let run = set(&home, "a b/ü:%2F", "hunter2").arg("--json").run();
    assert_eq!(action(run.ok()), "created");
    home.keyfob(["set", "described", "--description", "what for"])
        .stdin("hunter2")
        .run()
        .ok();
    assert_eq!(server.value("a b/ü:%2F").unwrap(), "hunter2");
    let secret = server.secret("described").unwrap();
    assert_eq!(secret.description.unwrap(), "what for");

    let listed = home.run(["--json", "list"]).ok().json();
    assert_eq!(listed[0]["name"], "a b/ü:%2F");
    assert_eq!(listed[1]["attributes"]["id"], secret.id);
    assert!(listed[1]["created_at"].is_string() && listed[1]["updated_at"].is_string());
    home.run(["show", "described"]).ok().stdout_has(&secret.id);
    home.run(["list"]).ok().lacks("hunter2");

    home.run(["delete", "-y", "a b/ü:%2F"]).ok();
    assert_eq!(server.secrets().len(), 1);
    let run = home.run(["--json", "delete", "-y", "described", "missing"]);
    run.code(10);
    assert_eq!(run.json()["results"][0]["action"], "deleted");
    assert_eq!(run.json()["results"][1]["error"]["kind"], "not_found");
    assert!(server.secrets().is_empty());
}

#[test]
fn values_are_never_read_and_the_error_says_who_can() {
    let (server, home) = set_up();
    server.put("A", "hunter2");
    server.forget_requests();
    for args in [&["get", "A"][..], &["run", "--only", "A", "--", "true"]] {
        let run = home.run([&["--json"], args].concat());
        let error = run.error();
        assert_eq!(error["kind"], "unsupported");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("documents neither"),
            "{error}"
        );
        assert!(
            error["hint"]
                .as_str()
                .unwrap()
                .contains("context.secrets.get"),
            "{error}"
        );
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_stored_is_refused_before_anything_is_sent() {
    let (server, home) = set_up();
    for (args, kind) in [(&["--attr", "a=b"][..], 7), (&["--expires-at", "30d"], 7)] {
        home.keyfob([&["set", "A"], args].concat())
            .stdin("v")
            .run()
            .code(kind);
    }
    home.keyfob(["set", "A"])
        .stdin(b"\xff\xfe".as_slice())
        .run()
        .code(13);
    home.run(["list", "--type", "s3"]).code(7);
    set(&home, "A", "v")
        .env("KEYFOB_CONCURRENCY", "0")
        .run()
        .code(2)
        .stderr_has("KEYFOB_CONCURRENCY");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn every_error_of_the_page_has_its_kind_and_a_hint() {
    let (server, home) = set_up();
    for (status, code, kind) in [
        (400, "INVALID_REQUEST", "invalid_data"),
        (401, "UNAUTHORIZED", "unauthenticated"),
        (403, "FORBIDDEN", "forbidden"),
        (404, "NOT_FOUND", "not_found"),
        (409, "CONFLICT", "conflict"),
    ] {
        let body = json!({"error": {"code": code, "message": "the server's words", "details": {}}});
        for bare in [false, true] {
            server.faults().clear();
            let answer = match bare {
                false => Answer::json(status, &body),
                true => Answer::status(status),
            };
            server.faults().on("POST", SECRETS, Fault::Answer(answer));
            // Only the API itself says that something is not there.
            let kind = match (status, bare) {
                (404, true) => "invalid_data",
                _ => kind,
            };
            let run = set(&home, "A", "hunter2").arg("--json").run();
            let error = run.error();
            assert_eq!(error["kind"], kind, "{error}");
            assert!(error["hint"].is_string(), "{error}");
            run.stderr_lacks("hunter2").stderr_lacks(API_KEY);
            if !bare {
                run.stderr_has("the server's words").stderr_has(code);
            }
        }
    }
    server.faults().clear();
    server.faults().always(Fault::rate_limited_reset(3600));
    home.run(["list"]).code(9).stderr_has("3600 s");
}

#[test]
fn the_api_key_comes_from_either_variable_and_is_never_shown() {
    let (server, mut home) = set_up();
    home.unset("NEO_API_KEY");
    home.run(["list"]).code(4).stderr_has("NEO_API_KEY");
    assert_eq!(server.asked(), Vec::<String>::new());
    home.set("KEYFOB_NEO_API_KEY", API_KEY);
    home.run(["list"]).ok();
    home.set("NEO_API_KEY", "another");
    home.run(["list"]).ok();
    home.set("KEYFOB_NEO_API_KEY", "wrong-key");
    home.run(["-vv", "list"]).code(4).lacks("wrong-key");
    server.forget_requests();
    let status = home.run(["--json", "status", "-s", "neo"]).ok().json();
    assert_eq!(status[0]["url"], server.url());
    assert_eq!(status[0]["credential"], "environment KEYFOB_NEO_API_KEY");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn all_pages_are_listed() {
    let (server, home) = set_up();
    for number in 0..250 {
        server.put(&format!("S{number:03}"), "v");
    }
    let listed = home.run(["--json", "list"]).ok().json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..250).map(|number| format!("S{number:03}")).collect();
    assert_eq!(names, expected);
    assert_eq!(server.count("GET", SECRETS), 3);
}

#[test]
fn a_server_that_ignores_paging_is_not_asked_in_circles() {
    let (server, home) = set_up();
    for number in 0..45 {
        server.put(&format!("S{number:03}"), "v");
    }
    server.set_paging(Paging::Everything);
    let listed = home.run(["--json", "list"]).ok().quiet().json();
    assert_eq!(listed.as_array().unwrap().len(), 45);
    assert_eq!(server.count("GET", SECRETS), 1);

    server.set_paging(Paging::Ignored);
    server.forget_requests();
    let run = home.run(["--json", "list"]);
    assert_eq!(run.ok().json().as_array().unwrap().len(), 20);
    run.stderr_has("45").stderr_has("20");
    assert_eq!(server.count("GET", SECRETS), 2);
    // What it hides still cannot be created a second time, nor taken for created.
    set(&home, "S000", "w").run().code(6);
    assert_eq!(server.value("S000").unwrap(), "v");
}

#[test]
fn a_list_that_makes_secrets_up_comes_to_an_end() {
    let (server, home) = set_up();
    let page = |total: Value| {
        let secrets: Vec<Value> = (0..100)
            .map(|at| json!({"id": format!("sec_{at}"), "name": "N"}))
            .collect();
        Fault::Answer(Answer::json(
            200,
            &json!({"secrets": secrets, "pagination": total}),
        ))
    };
    for total in [
        json!({"total": 1_000_000_000}),
        json!({"total": null}),
        Value::Null,
    ] {
        server.faults().clear();
        server.faults().always(page(total));
        let run = home.keyfob(["--json", "list"]).run();
        assert_eq!(run.ok().json().as_array().unwrap().len(), 100);
    }
}

#[test]
fn answers_that_make_no_sense_are_not_taken_for_success() {
    let (server, home) = set_up();
    for fault in [
        Fault::captive_portal(),
        Fault::Truncated,
        Fault::Answer(Answer::json(200, &json!({"secrets": "none"}))),
        Fault::Answer(Answer::status(204)),
    ] {
        server.faults().clear();
        server.faults().always(fault);
        home.run(["list"]).code(13);
        set(&home, "A", "v").run().code(13);
    }
    server.faults().clear();
    server.faults().on("POST", SECRETS, Fault::captive_portal());
    set(&home, "A", "v").run().code(13).stderr_has("web page");
    assert!(server.secrets().is_empty());
}

#[test]
fn the_shapes_of_the_same_authors_other_servers_are_taken() {
    for lists in [
        Lists::Documented,
        Lists::Array,
        Lists::SnakeCase,
        Lists::LeavesOutEmpty,
        Lists::NullForEmpty,
    ] {
        for tells in [
            Tells::Documented,
            Tells::With200,
            Tells::NoContent,
            Tells::StatusOk,
        ] {
            let (server, home) = set_up();
            server.set_lists(lists);
            server.set_tells(tells);
            assert_eq!(home.run(["--json", "list"]).ok().json(), json!([]));
            let run = set(&home, "A", "one").arg("--json").run();
            assert_eq!(action(run.ok()), "created", "{lists:?} {tells:?}");
            let run = set(&home, "A", "two").arg("--json").run();
            assert_eq!(action(run.ok()), "updated", "{lists:?} {tells:?}");
            assert_eq!(server.value("A").unwrap(), "two");
            let listed = home.run(["--json", "list"]).ok().json();
            assert!(listed[0]["created_at"].is_string(), "{listed}");
            // What was stored is known, whatever the answer said of it.
            set(&home, "A", "two").arg("-slocal").run().ok();
            let diff = home.run(["diff", "local", "neo"]);
            diff.ok();
            home.run(["delete", "-y", "A"]).ok();
            assert!(server.secrets().is_empty());
            assert_nothing_open(&home);
        }
    }
}

#[test]
fn a_long_list_that_is_a_bare_array_comes_in_pages() {
    let (server, home) = set_up();
    server.set_lists(Lists::Array);
    for number in 0..250 {
        server.put(&format!("S{number:03}"), "v");
    }
    let listed = home.run(["--json", "list"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 250);
    assert_eq!(server.count("GET", SECRETS), 3);
}

#[test]
fn a_list_of_the_wrong_shape_is_no_list() {
    let (server, home) = set_up();
    server.put("A", "old");
    let good = json!({"id": "sec_1", "name": "B"});
    for odd in [
        json!("x"),
        json!(5),
        json!(null),
        json!([[]]),
        json!([["sec_1", "B", null, null, null]]),
        json!([null]),
        json!([[], {}]),
        json!({"secrets": {}}),
        json!({"secrets": "x"}),
        json!({"secrets": [null]}),
        json!({"secrets": [["sec_1", "B", null, null, null]]}),
        json!({"secrets": [{"id": 5, "name": "B"}]}),
        json!({"secrets": [{"id": "sec_1", "name": null}]}),
        json!({"secrets": [{"id": "sec_1"}]}),
        json!({"secrets": [{"id": "sec_1", "name": "B", "createdAt": 5}]}),
        json!({"secrets": [good], "pagination": [1]}),
        json!({"secrets": [good], "pagination": {"total": "1"}}),
    ] {
        server.faults().clear();
        server
            .faults()
            .on("GET", SECRETS, Fault::Answer(Answer::json(200, &odd)));
        for args in [&["list"][..], &["set", "A"], &["delete", "-y", "A"]] {
            let run = home.keyfob(args).stdin("new").run();
            assert_eq!(run.code, Some(13), "{odd}: {}", run.stderr);
        }
    }
    // A failure in the place of a list is no empty list.
    for failure in [
        json!({"error": {"code": "OOPS", "message": "no lists today"}}),
        json!({"success": false, "message": "no lists today"}),
        json!({"code": 5, "message": "no lists today"}),
    ] {
        server.faults().clear();
        server
            .faults()
            .on("GET", SECRETS, Fault::Answer(Answer::json(200, &failure)));
        home.run(["list"]).code(1).stderr_has("no lists today");
    }
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
}

#[test]
fn what_is_said_and_not_done_is_found_out() {
    let (server, home) = set_up();
    server.put("A", "old");
    server.set_does_nothing(true);
    set(&home, "B", "new")
        .run()
        .code(1)
        .stderr_has("does not list it");
    home.run(["delete", "-y", "A"])
        .code(1)
        .stderr_has("still lists it");
    home.write("many.json", r#"{"C": "1", "D": "2"}"#);
    let run = home.run(["--json", "import", "-y", "many.json"]);
    assert_eq!(run.code(1).json()["results"][1]["action"], "failed");
    // One list before, one after, whatever the number of writes.
    server.forget_requests();
    home.run(["import", "-y", "many.json"]).code(1);
    assert!(server.count("GET", SECRETS) <= 3, "{:?}", server.asked());
    // A replacement that is not there is not lost.
    server.set_does_nothing(false);
    server.faults().on(
        "POST",
        SECRETS,
        Fault::Answer(Answer::json(201, &json!({"id": "sec_7"}))),
    );
    set(&home, "A", "hunter2")
        .run()
        .code(1)
        .stderr_has("does not list it")
        .stderr_has("keyfob rotate --resume");
    server.faults().clear();
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("A").unwrap(), "hunter2");
    assert_nothing_open(&home);
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let (server, home) = set_up();
    server.put("B", "old");
    let gone = Fault::rate_limited(3600);
    server.faults().nth_on(2, "GET", SECRETS, gone.clone());
    set(&home, "A", "v")
        .run()
        .ok()
        .stderr_has("by the server's word alone")
        .stderr_has("429");
    assert_eq!(server.value("A").unwrap(), "v");
    // What replaced another stays kept until it was seen.
    server.faults().clear();
    server.faults().nth_on(2, "GET", SECRETS, gone.clone());
    set(&home, "B", "new")
        .run()
        .code(9)
        .stderr_has("could not be looked up")
        .stderr_has("keyfob rotate --resume");
    server.faults().clear();
    home.run(["rotate", "--resume"]).ok();
    assert_eq!(server.value("B").unwrap(), "new");
    assert_nothing_open(&home);
    // Whether a key is gone matters too much to be taken on trust.
    server.faults().nth_on(2, "GET", SECRETS, gone);
    home.run(["delete", "-y", "B"])
        .code(9)
        .stderr_has("whether it is gone could not be looked up");
}

#[test]
fn nonsense_that_was_carried_out_is_said_to_be() {
    let (server, home) = set_up();
    server.put("A", "old");
    for (method, path) in [("POST", SECRETS), ("DELETE", ONE)] {
        server.faults().on(method, path, Fault::Truncated);
    }
    let run = set(&home, "B", "new").arg("--json").run();
    assert_eq!(action(run.ok()), "created");
    home.run(["delete", "-y", "A"]).ok();
    assert_eq!(server.secrets().len(), 1);
}

#[test]
fn a_create_whose_answer_is_lost_is_checked_before_it_is_repeated() {
    for (fault, posts) in [
        (Fault::close_applied(), 1),
        (Fault::ResetMidBody, 1),
        (Fault::Truncated, 1),
        (Fault::close_unapplied(), 2),
        (Fault::status(502), 2),
    ] {
        let (server, home) = set_up();
        server.faults().once_on("POST", SECRETS, fault);
        let run = set(&home, "A", "hunter2").arg("--json").run();
        assert_eq!(action(run.ok()), "created");
        assert_eq!(server.count("POST", SECRETS), posts);
        assert_eq!(server.secrets().len(), 1);
        assert_eq!(server.value("A").unwrap(), "hunter2");
    }
}

#[test]
fn a_create_that_is_answered_by_nonsense_is_looked_up_and_not_repeated() {
    for fault in [
        Fault::captive_portal(),
        Fault::status(404),
        Fault::EndlessBody,
        Fault::redirect(302, "/elsewhere"),
        Fault::redirect(307, "http://127.0.0.1:9/elsewhere"),
        Fault::Answer(Answer::json(200, &json!({"data": {}}))),
    ] {
        let (server, home) = set_up();
        server.faults().on("POST", SECRETS, fault.clone());
        let run = set(&home, "A", "hunter2").run();
        run.code(13).stderr_has("keyfob list").lacks("hunter2");
        let asked: Vec<String> = server.requests().into_iter().map(|it| it.method).collect();
        assert_eq!(asked, ["GET", "POST", "GET"], "{fault:?}");
    }
}

#[test]
fn only_the_api_itself_says_that_a_secret_is_not_there() {
    for (answer, code) in [
        (Answer::html(404, "<html>nginx</html>"), 13),
        (Answer::text(404, "404 page not found"), 13),
        (Answer::status(404), 13),
        (Answer::json(404, &json!("Not Found")), 13),
        // And where it says so, and still lists it, that is found out.
        (
            Answer::json(
                404,
                &json!({"error": {"code": "NOT_FOUND", "message": "no"}}),
            ),
            1,
        ),
    ] {
        let (server, home) = set_up();
        server.put("A", "old");
        server
            .faults()
            .on("DELETE", ONE, Fault::Answer(answer.clone()));
        let run = home.run(["delete", "-y", "A"]);
        run.code(code).stderr_lacks("deleted from");
        assert_eq!(server.count("GET", SECRETS), 2, "looked up: {answer:?}");
        if code == 1 {
            run.stderr_has("still lists it");
            continue;
        }
        run.stderr_has("404");
        // Nor is anything replaced on top of it.
        set(&home, "A", "new").run().code(13);
        assert_eq!(server.value("A").unwrap(), "old");
        assert_eq!(server.count("POST", SECRETS), 0);
    }
    // Whatever answered, it is gone where the list says so.
    let (server, home) = set_up();
    server.put("A", "old");
    let server = Arc::new(server);
    let gone = Arc::downgrade(&server);
    let delete = Fault::before(move || {
        if let Some(server) = gone.upgrade() {
            server.remove("A");
        }
    });
    server.faults().once_on("DELETE", ONE, Fault::status(503));
    server.faults().nth_on(1, "DELETE", ONE, delete);
    home.run(["delete", "-y", "A"]).ok();
}

#[test]
fn a_create_that_was_carried_out_late_is_done() {
    let (server, home) = set_up();
    // The first is answered with 502, and stored only when the second one comes.
    server.faults().once_on("POST", SECRETS, Fault::status(502));
    let server = Arc::new(server);
    let late = Arc::downgrade(&server);
    server.faults().once_on(
        "POST",
        SECRETS,
        Fault::before(move || {
            if let Some(server) = late.upgrade() {
                server.put("A", "hunter2");
            }
        }),
    );
    let run = set(&home, "A", "hunter2").arg("--json").run();
    assert_eq!(action(run.ok()), "created");
    assert_eq!(server.count("POST", SECRETS), 2);
    assert_eq!(server.secrets().len(), 1);
}

#[test]
fn if_absent_leaves_what_is_there_alone() {
    let (server, home) = set_up();
    server.put("A", "old");
    home.keyfob(["set", "--if-absent", "A"])
        .stdin("new")
        .run()
        .code(6);
    assert_eq!(server.value("A").unwrap(), "old");
    home.keyfob(["set", "--if-absent", "B"])
        .stdin("new")
        .run()
        .ok();
    assert_eq!(server.value("B").unwrap(), "new");
}

#[test]
fn several_secrets_of_one_name_are_ambiguous() {
    let (server, home) = set_up();
    let listed = json!({
        "secrets": [{"id": "sec_1", "name": "A"}, {"id": "sec_2", "name": "A"}],
        "pagination": {"total": 2, "limit": 100, "offset": 0},
    });
    server
        .faults()
        .on("GET", SECRETS, Fault::Answer(Answer::json(200, &listed)));
    for args in [&["set", "A"][..], &["delete", "-y", "A"]] {
        home.keyfob(args)
            .stdin("v")
            .run()
            .code(6)
            .stderr_has("sec_1")
            .stderr_has("sec_2");
    }
    assert_eq!(
        server.count("DELETE", "/v1/secrets/sec_1") + server.count("POST", SECRETS),
        0
    );
    assert_eq!(
        home.run(["--json", "list"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn rotate_wants_to_know_what_to_do() {
    let home = Home::new();
    home.run(["rotate"]).code(2);
    home.run(["rotate", "--list", "--resume"]).code(2);
}

#[test]
fn a_rate_limit_is_waited_for_within_the_deadline() {
    let (server, home) = set_up();
    server
        .faults()
        .once_on("POST", SECRETS, Fault::rate_limited(1));
    set(&home, "A", "v").run().ok();
    assert_eq!(server.value("A").unwrap(), "v");
    server.set_rate_limit(0, 60, Reset::Seconds);
    home.keyfob(["list", "--timeout", "2s"]).run().code(9);
}
