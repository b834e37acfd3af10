//! ByteNite, through the commands a user types.

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::keyutils;
use crate::support::run::{Keyfob, Run};
use crate::support::servers::bytenite::{API_KEY, Exchange, ExpiresIn};
use crate::support::servers::faults::Fault;
use crate::support::servers::{Answer, ByteNite};

const EXCHANGE: &str = "/v1/auth/access_token";
const SECRETS: &str = "/v1/auth/secrets";
const ONE: &str = "/v1/auth/secrets/*";

/// A server, and a home that knows it.
pub fn set_up() -> (ByteNite, Home) {
    let server = ByteNite::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "bytenite");
    home.knows_bytenite(&server);
    (server, home)
}

fn set(home: &Home, args: &[&str], value: &str) -> Keyfob {
    home.keyfob([&["set"], args].concat()).stdin(value)
}

fn action(run: &Run) -> Value {
    run.json()["results"][0]["action"].clone()
}

/// The body of the last request that stored a secret.
fn posted(server: &ByteNite) -> Value {
    let requests = server.requests();
    let last = requests
        .iter()
        .rev()
        .find(|request| request.is("POST", SECRETS));
    last.and_then(|request| request.json()).expect("a POST")
}

#[test]
fn a_secret_is_created_with_everything_the_page_has() {
    let (server, home) = set_up();
    let args = [
        "s3/backup",
        "--attr",
        "accessKey=AKIA",
        "--attr",
        "name=My backup",
        "--attr",
        "params.region=eu-central-1",
        "--attr",
        "params.path.style=true",
        "--expires-at",
        "2030-12-29T18:02:27.140Z",
        "--json",
    ];
    let run = set(&home, &args, "hunter2").run();
    assert_eq!(action(run.ok()), "created");
    assert_eq!(
        posted(&server),
        json!({
            "secret": {
                "id": "backup",
                "secretType": "s3",
                "name": "My backup",
                "accessKey": "AKIA",
                "expiresAt": "2030-12-29T18:02:27.14Z",
                "params": {"region": "eu-central-1", "path.style": "true"},
            },
            "secretKey": "hunter2",
        })
    );
    let shown = home.run(["--json", "show", "s3/backup"]).ok().json();
    assert_eq!(shown["expires_at"], "2030-12-29T18:02:27Z");
    assert_eq!(
        shown["attributes"],
        json!({
            "accessKey": "AKIA",
            "name": "My backup",
            "params": {"region": "eu-central-1", "path.style": "true"},
        })
    );
    home.run(["show", "s3/backup"])
        .ok()
        .stdout_has("accessKey: AKIA")
        .stdout_has("eu-central-1")
        .lacks("hunter2");
}

#[test]
fn a_list_can_be_of_one_type() {
    let (server, home) = set_up();
    server.put("s3", "a", "k", json!({}));
    server.put("gcp", "b c/ü", "k", json!({"params": {}}));
    let names = |args: &[&str]| -> Vec<String> {
        let listed = home.run([&["--json", "list"], args].concat()).ok().json();
        let entries = listed.as_array().unwrap().iter();
        entries
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&[]), ["gcp/b c/ü", "s3/a"]);
    server.forget_requests();
    assert_eq!(names(&["--type", "gcp"]), ["gcp/b c/ü"]);
    assert!(
        server
            .asked()
            .contains(&format!("GET {SECRETS}?secretType=gcp"))
    );
    assert_eq!(names(&["--type", "odd &type"]), Vec::<String>::new());
    assert_eq!(names(&["--prefix", "s3/"]), ["s3/a"]);
}

#[test]
fn a_server_that_ignores_the_type_does_not_change_the_list() {
    let (server, home) = set_up();
    let all =
        json!({"secrets": [{"id": "a", "secretType": "s3"}, {"id": "b", "secretType": "gcp"}]});
    server
        .faults()
        .on("GET", SECRETS, Fault::Answer(Answer::json(200, &all)));
    let listed = home.run(["--json", "list", "--type", "s3"]).ok().json();
    assert_eq!(listed, json!([{"name": "s3/a"}]));
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let (server, home) = set_up();
    server.put(
        "s3",
        "backup",
        "old",
        json!({
            "name": "My backup", "accessKey": "AKIA", "expiresAt": "2030-01-01T00:00:00.000Z",
            "params": {"region": "eu", "nested": {"deep": [1]}},
        }),
    );
    let run = set(
        &home,
        &["s3/backup", "--attr", "params.region=us", "--json"],
        "new",
    )
    .run();
    assert_eq!(action(run.ok()), "updated");
    assert_eq!(
        posted(&server)["secret"],
        json!({
            "id": "backup", "secretType": "s3", "name": "My backup", "accessKey": "AKIA",
            "expiresAt": "2030-01-01T00:00:00.000Z",
            "params": {"region": "us", "nested": {"deep": [1]}},
        })
    );
    assert_eq!(server.secret_key("s3", "backup").unwrap(), "new");
    set(
        &home,
        &["s3/backup", "--expires-at", "2031-01-01T00:00:00Z"],
        "new",
    )
    .run()
    .ok();
    assert_eq!(server.shown("s3", "backup").unwrap()["accessKey"], "AKIA");
    assert_eq!(
        server.shown("s3", "backup").unwrap()["expiresAt"],
        "2031-01-01T00:00:00.000Z"
    );
}

#[test]
fn fields_nobody_documents_are_sent_back_where_the_server_takes_them() {
    let (server, home) = set_up();
    server.put("s3", "a", "old", json!({"name": "n", "owner": "me"}));
    // This server refuses them, so they are left out, and that is said.
    set(&home, &["s3/a"], "new").run().ok().stderr_has("owner");
    assert_eq!(
        posted(&server)["secret"],
        json!({"id": "a", "secretType": "s3", "name": "n"})
    );
    assert_eq!(server.secret_key("s3", "a").unwrap(), "new");
    let first = server
        .requests()
        .into_iter()
        .find(|request| request.is("POST", SECRETS))
        .unwrap();
    assert_eq!(first.json().unwrap()["secret"]["owner"], "me");
}

#[test]
fn the_secret_key_must_come_with_every_change_and_the_error_says_why() {
    let (server, home) = set_up();
    server.put("s3", "a", "old", json!({}));
    let args = ["set", "s3/a", "--attr", "name=other"];
    home.run(args)
        .code(2)
        .stderr_has("never gives a value back");
    home.keyfob(args)
        .stdin("\n")
        .run()
        .code(13)
        .stderr_has("never returns it");
    assert_eq!(server.secret_key("s3", "a").unwrap(), "old");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_stored_is_refused_before_anything_is_sent() {
    let (server, home) = set_up();
    for attribute in [
        "region=eu",
        "params=x",
        "params.=x",
        "secretKey=x",
        "id=x",
        "expiresAt=x",
    ] {
        set(&home, &["s3/a", "--attr", attribute], "v")
            .run()
            .code(2)
            .stderr_has("accessKey, name and params.KEY");
    }
    set(&home, &["s3/a", "--description", "d"], "v")
        .run()
        .code(7);
    home.keyfob(["set", "s3/a"])
        .stdin(b"\xff".as_slice())
        .run()
        .code(13);
    for name in ["plain", "/a", "s3/", "../a", "s3/.."] {
        set(&home, &[name], "v")
            .run()
            .code(13)
            .stderr_has("TYPE/ID");
    }
    set(&home, &["s3/a"], "v")
        .env("KEYFOB_CONCURRENCY", "many")
        .run()
        .code(2);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn if_absent_leaves_what_is_there_alone() {
    let (server, home) = set_up();
    server.put("s3", "a", "old", json!({}));
    set(&home, &["s3/a", "--if-absent"], "new").run().code(6);
    assert_eq!(server.secret_key("s3", "a").unwrap(), "old");
    set(&home, &["gcp/a", "--if-absent"], "new").run().ok();
}

#[test]
fn a_secret_is_deleted_by_type_and_id() {
    let (server, home) = set_up();
    for kind in ["s3", "gcp"] {
        server.put(kind, "a b/ü%2F", "k", json!({}));
    }
    home.run(["delete", "-y", "s3/a b/ü%2F"]).ok();
    assert_eq!(server.names(), ["gcp/a b/ü%2F"]);
    let run = home.run(["--json", "delete", "-y", "gcp/a b/ü%2F", "gcp/missing"]);
    run.code(10);
    assert_eq!(run.json()["results"][1]["error"]["kind"], "not_found");
    assert!(server.names().is_empty());
}

#[test]
fn a_delete_whose_answer_is_lost_is_done() {
    let (server, home) = set_up();
    server.put("s3", "a", "k", json!({}));
    server
        .faults()
        .once_on("DELETE", ONE, Fault::close_applied());
    home.run(["delete", "-y", "s3/a"]).ok();
    assert_eq!(server.count("DELETE", "/v1/auth/secrets/s3/a"), 2);
}

#[test]
fn values_are_never_read_and_the_error_says_what_to_do() {
    let (server, home) = set_up();
    for args in [&["get", "s3/a"][..], &["run", "--", "true"]] {
        let run = home.run([&["--json"], args].concat());
        let error = run.error();
        assert_eq!(error["kind"], "unsupported");
        assert!(
            error["hint"].as_str().unwrap().contains("type and id"),
            "{error}"
        );
    }
    home.run(["get", "s3/a"]).code(7);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn the_key_is_exchanged_and_the_token_sent_without_a_scheme_word() {
    let (server, home) = set_up();
    home.run(["list"]).ok();
    let requests = server.requests();
    assert_eq!(
        server.asked(),
        [format!("POST {EXCHANGE}"), format!("GET {SECRETS}")]
    );
    assert_eq!(requests[0].json().unwrap(), json!({"apiKey": API_KEY}));
    assert_eq!(requests[0].header("authorization"), None);
    let token = requests[1].header("authorization").unwrap();
    assert!(token.starts_with("bn."), "{token}");
    assert!(!requests[1].transcript().contains(API_KEY));
}

#[test]
fn where_nothing_exchanges_it_the_key_itself_is_sent() {
    for status in [404, 405] {
        let (server, home) = set_up();
        server.set_exchange(Exchange::Missing(status));
        set(&home, &["s3/a"], "v").run().ok();
        assert_eq!(server.count("POST", EXCHANGE), 1, "it is asked for once");
        for request in server
            .requests()
            .iter()
            .filter(|request| request.path == SECRETS)
        {
            assert_eq!(request.header("authorization"), Some(API_KEY));
        }
        server.forget_requests();
        home.keyfob(["list"])
            .env("KEYFOB_BYTENITE_AUTH", "direct")
            .run()
            .ok();
        assert_eq!(server.asked(), [format!("GET {SECRETS}")]);
    }
}

#[test]
fn what_is_no_api_is_not_given_the_key_again() {
    for answer in [
        Answer::html(404, "<html>nginx</html>"),
        Answer::text(404, "404 page not found"),
        Answer::status(404),
        Answer::json(404, &json!("Not Found")),
        Answer::json(404, &json!([])),
        Answer::html(405, "<html>portal</html>"),
        Answer::html(405, "portal"),
    ] {
        let (server, home) = set_up();
        server.faults().on("POST", EXCHANGE, Fault::Answer(answer));
        set(&home, &["s3/a"], "v").run().code(13).lacks(API_KEY);
        let sent = server.requests();
        assert_eq!(sent.len(), 1, "{:?}", server.asked());
    }
    // What speaks as the API does is believed.
    for answer in [
        Answer::json(
            404,
            &json!({"code": 5, "message": "Not Found", "details": []}),
        ),
        Answer::json(
            404,
            &json!({"ok": false, "error": {"code": 5, "message": "no"}}),
        ),
        Answer::json(405, &json!({"code": 12, "message": "Method Not Allowed"})),
        Answer::status(405),
    ] {
        let (server, home) = set_up();
        server.set_exchange(Exchange::Missing(404));
        server.faults().on("POST", EXCHANGE, Fault::Answer(answer));
        set(&home, &["s3/a"], "v").run().ok();
    }
}

#[test]
fn free_secrets_have_a_key_alone() {
    let (server, home) = set_up();
    set(&home, &["other/HF_TOKEN"], "hunter2")
        .run()
        .ok()
        .stderr_lacks("name of a variable");
    assert_eq!(
        posted(&server),
        json!({"secret": {"id": "HF_TOKEN", "secretType": "other"}, "secretKey": "hunter2"})
    );
    server.forget_requests();
    set(&home, &["other/X", "--attr", "accessKey=AKIA"], "hunter2")
        .run()
        .code(2)
        .stderr_has("other has a secret key alone");
    assert_eq!(server.asked(), Vec::<String>::new());
    for name in ["aws/A", "gcp/A", "storj/A", "tape/A"] {
        set(&home, &[name, "--attr", "accessKey=AKIA"], "hunter2")
            .run()
            .ok();
    }
}

#[test]
fn an_id_that_is_no_variable_name_is_told_once() {
    let (_server, home) = set_up();
    set(&home, &["s3/my-backup"], "v")
        .run()
        .ok()
        .stderr_has("s3/my-backup is no name of a variable");
    set(&home, &["s3/my-backup"], "w")
        .run()
        .ok()
        .stderr_lacks("name of a variable");
    let many: String = (0..8)
        .map(|number| format!("other/a-{number}=v\n"))
        .collect();
    home.write("many.yaml", many.replace('=', ": "));
    let run = home.run(["import", "-y", "many.yaml"]);
    run.ok().stderr_has("other/a-0").stderr_has("and 3 more");
    assert_eq!(run.stderr.matches("name of a variable").count(), 1);
}

#[test]
fn ids_are_exported_for_a_manifest() {
    let (server, mut home) = set_up();
    for (kind, id) in [
        ("other", "HF_TOKEN"),
        ("aws", "BACKUP"),
        ("gcp", "BACKUP"),
        ("s3", "a-b"),
    ] {
        server.put(kind, id, "hunter2", json!({}));
    }
    let run = home.run(["export", "--format", "bytenite"]);
    run.ok()
        .stderr_has("no names of variables: a-b")
        .lacks("hunter2");
    assert_eq!(
        run.json(),
        json!({"platformConfig": {"secrets": ["BACKUP", "HF_TOKEN", "a-b"]}})
    );
    let run = home.run(["export", "--format", "bytenite", "--prefix", "other/"]);
    assert_eq!(
        run.ok().quiet().json(),
        json!({"platformConfig": {"secrets": ["HF_TOKEN"]}})
    );
    let only = [
        "export",
        "--format",
        "bytenite",
        "--only",
        "aws/BACKUP",
        "-o",
        "m.json",
    ];
    home.run(only).ok();
    assert!(
        String::from_utf8(home.read("m.json"))
            .unwrap()
            .contains("BACKUP")
    );
    home.run(["export", "--format", "bytenite", "--only", "aws/NONE"])
        .code(3);
    home.run(["--json", "export", "--format", "bytenite"])
        .code(2);
    home.run(["import", "--format", "bytenite", "m.json"])
        .code(2);
    // What is elsewhere is not where apps look.
    home.set("KEYFOB_STORE", "local");
    set(&home, &["A"], "hunter2").run().ok();
    home.run(["export", "--format", "bytenite"])
        .ok()
        .stderr_has(
            "local is no ByteNite store: jobs find its secrets only once they are in ByteNite",
        )
        .lacks("hunter2");
}

#[test]
fn what_has_expired_is_not_stored() {
    let (server, home) = set_up();
    let old = ["s3/a", "--expires-at", "2020-01-01T00:00:00Z"];
    set(&home, &old, "v")
        .run()
        .code(2)
        .stderr_has("is in the past: this machine's clock says 20");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn what_is_said_and_not_done_is_found_out() {
    let (server, home) = set_up();
    server.put("s3", "A", "k", json!({}));
    server.set_does_nothing(true);
    set(&home, &["s3/B"], "v")
        .run()
        .code(1)
        .stderr_has("does not list it");
    home.run(["delete", "-y", "s3/A"])
        .code(1)
        .stderr_has("still lists it");
    set(&home, &["s3/A", "--attr", "accessKey=NEW"], "v")
        .run()
        .code(1)
        .stderr_has("is listed with another accessKey");
    let many: String = (0..20)
        .map(|number| format!("other/A{number}: v\n"))
        .collect();
    home.write("many.yaml", many);
    server.set_does_nothing(false);
    server.forget_requests();
    home.run(["import", "-y", "many.yaml"]).ok();
    // One list before what import shows, one before the writes, one after them.
    assert!(server.count("GET", SECRETS) <= 3, "{:?}", server.asked());
    let names: Vec<String> = (0..20).map(|number| format!("other/A{number}")).collect();
    server.forget_requests();
    home.keyfob(
        ["delete", "-y"]
            .into_iter()
            .chain(names.iter().map(String::as_str)),
    )
    .run()
    .ok();
    assert_eq!(server.count("GET", SECRETS), 2);
    // Nonsense is looked into: what is gone is deleted.
    server.faults().on("DELETE", ONE, Fault::Truncated);
    home.run(["delete", "-y", "s3/A"]).ok();
    assert!(server.names().is_empty());
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let (server, home) = set_up();
    server.put("s3", "B", "k", json!({}));
    let gone = Fault::rate_limited(3600);
    server.faults().nth_on(2, "GET", SECRETS, gone.clone());
    set(&home, &["s3/A"], "v")
        .run()
        .ok()
        .stderr_has("by the server's word alone")
        .stderr_has("429");
    assert_eq!(server.secret_key("s3", "A").unwrap(), "v");
    // Whether a key is gone matters too much to be taken on trust.
    server.faults().clear();
    server.faults().nth_on(2, "GET", SECRETS, gone);
    home.run(["delete", "-y", "s3/B"])
        .code(9)
        .stderr_has("whether it is gone could not be looked up");
}

#[test]
fn a_list_without_secrets_is_empty_and_a_failure_is_none() {
    let (server, home) = set_up();
    server.set_leaves_out_empty(true);
    assert_eq!(home.run(["--json", "list"]).ok().json(), json!([]));
    for empty in [json!({}), json!({"secrets": null}), json!({"total": 0})] {
        server.faults().clear();
        server
            .faults()
            .on("GET", SECRETS, Fault::Answer(Answer::json(200, &empty)));
        assert_eq!(
            home.run(["--json", "list"]).ok().json(),
            json!([]),
            "{empty}"
        );
    }
    for odd in [
        json!([]),
        json!(null),
        json!({"secrets": {}}),
        json!({"secrets": 5}),
        json!({"secrets": [["a", "s3"]]}),
        json!({"secrets": [null]}),
        json!({"code": 5, "message": "no", "details": []}),
    ] {
        server.faults().clear();
        server
            .faults()
            .on("GET", SECRETS, Fault::Answer(Answer::json(200, &odd)));
        for args in [&["list"][..], &["set", "s3/A"], &["delete", "-y", "s3/A"]] {
            let run = home.keyfob(args).stdin("v").run();
            assert_eq!(run.code, Some(13), "{odd}: {}", run.stderr);
        }
    }
    for odd in [
        json!(["token"]),
        json!([]),
        json!({"token": ""}),
        json!({"token": 5}),
    ] {
        let (server, home) = set_up();
        server
            .faults()
            .on("POST", EXCHANGE, Fault::Answer(Answer::json(200, &odd)));
        home.run(["list"]).code(13);
        assert_eq!(server.count("GET", SECRETS), 0);
    }
}

#[test]
fn a_refused_key_is_unauthenticated() {
    let (server, mut home) = set_up();
    home.set("BYTENITE_API_KEY", "wrong-key");
    for auth in ["auto", "direct"] {
        home.keyfob(["-vv", "list"])
            .env("KEYFOB_BYTENITE_AUTH", auth)
            .run()
            .code(4)
            .lacks("wrong-key");
    }
    home.unset("BYTENITE_API_KEY");
    server.forget_requests();
    home.run(["list"]).code(4).stderr_has("BYTENITE_API_KEY");
    assert_eq!(server.asked(), Vec::<String>::new());
    home.keyfob(["list"])
        .env("KEYFOB_BYTENITE_AUTH", "maybe")
        .run()
        .code(11);
}

#[test]
fn a_rejected_token_is_renewed_once() {
    for status in [401, 403] {
        let (server, home) = set_up();
        let rejection = json!({"code": 16, "message": "token expired", "details": []});
        server.faults().once_on(
            "GET",
            SECRETS,
            Fault::Answer(Answer::json(status, &rejection)),
        );
        home.run(["list"]).ok();
        assert_eq!(server.exchanges(), 2);
        assert_eq!(server.count("GET", SECRETS), 2);

        server.faults().on(
            "GET",
            SECRETS,
            Fault::Answer(Answer::json(status, &rejection)),
        );
        server.forget_requests();
        home.run(["list"])
            .code(if status == 401 { 4 } else { 5 })
            .stderr_has("token expired");
        assert_eq!(server.count("POST", EXCHANGE), 2);
        assert_eq!(server.count("GET", SECRETS), 2);
    }
}

#[test]
fn what_is_forbidden_is_not_asked_for_with_ever_new_tokens() {
    let (server, home) = set_up();
    for id in ["a", "b", "c", "d"] {
        server.put("s3", id, "k", json!({}));
    }
    server.set_read_only(true);
    home.keyfob(["delete", "-y", "s3/a", "s3/b", "s3/c", "s3/d"])
        .env("KEYFOB_CONCURRENCY", "1")
        .run()
        .code(5);
    assert_eq!(server.exchanges(), 2);
    assert_eq!(server.names().len(), 4);
}

#[test]
fn the_token_is_cached_until_it_expires() {
    if !keyutils::available_for("the_token_is_cached_until_it_expires") {
        return;
    }
    for expires_in in [ExpiresIn::Text, ExpiresIn::Number] {
        let (server, mut home) = set_up();
        home.set("KEYFOB_TOKEN_CACHE", "keyutils");
        server.set_expires_in(expires_in);
        home.run(["list"]).ok();
        home.run(["list"]).ok();
        assert_eq!(server.exchanges(), 1, "{expires_in:?}");
        let status = home.run(["--json", "status", "-s", "bytenite"]).ok().json();
        assert!(status[0]["token_expires_at"].is_string(), "{status}");
        // Another key has another token.
        home.keyfob(["list"])
            .env("KEYFOB_BYTENITE_API_KEY", "wrong")
            .run()
            .code(4);
        server.revoke_tokens();
        home.run(["list"]).ok();
        assert_eq!(server.exchanges(), 2);
        home.run(["logout"]).ok().stderr_has("token");
        home.run(["list"]).ok();
        assert_eq!(server.exchanges(), 3);
        home.run(["logout"]).ok();
    }
}

#[test]
fn a_200_that_is_not_ok_is_a_failure_in_the_servers_words() {
    let (server, home) = set_up();
    server.put("s3", "a", "old", json!({}));
    for (code, kind) in [
        (400, "invalid_data"),
        (401, "unauthenticated"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (429, "rate_limited"),
        (503, "unavailable"),
        (1, "failed"),
        (77, "failed"),
    ] {
        server.faults().clear();
        server
            .faults()
            .on("POST", SECRETS, ByteNite::not_ok(code, "quota of secrets"));
        let run = set(&home, &["s3/new"], "hunter2").arg("--json").run();
        let error = run.error();
        assert_eq!(error["kind"], kind, "{error}");
        run.stderr_has("quota of secrets")
            .stderr_has("see the documentation")
            .stderr_has(&format!("code {code}"))
            .stderr_lacks("hunter2");
        assert_eq!(run.json()["results"][0]["action"], "failed");
    }
    server
        .faults()
        .on("DELETE", ONE, ByteNite::not_ok(1, "in use"));
    home.run(["delete", "-y", "s3/a"])
        .code(1)
        .stderr_has("in use");
    server
        .faults()
        .on("GET", SECRETS, ByteNite::not_ok(403, "no lists today"));
    home.run(["list"]).code(5).stderr_has("no lists today");
    assert_eq!(server.names(), ["s3/a"]);
}

#[test]
fn answers_that_make_no_sense_are_not_taken_for_success() {
    let (server, home) = set_up();
    for (method, path) in [("POST", EXCHANGE), ("GET", SECRETS), ("POST", SECRETS)] {
        for fault in [
            Fault::captive_portal(),
            Fault::Truncated,
            Fault::Answer(Answer::json(200, &json!({"secrets": "none"}))),
            Fault::Answer(Answer::json(200, &json!([]))),
            Fault::Answer(Answer::status(204)),
        ] {
            server.faults().clear();
            server.faults().on(method, path, fault.clone());
            let run = set(&home, &["s3/a"], "v").run();
            assert_eq!(
                run.code,
                Some(13),
                "{method} {path} {fault:?}: {}",
                run.stderr
            );
        }
    }
    server.faults().clear();
    // A gateway may leave an empty list out.
    server
        .faults()
        .on("GET", SECRETS, Fault::Answer(Answer::json(200, &json!({}))));
    assert_eq!(home.run(["--json", "list"]).ok().json(), json!([]));
}

#[test]
fn what_no_name_can_stand_for_is_left_out_and_said() {
    let (server, home) = set_up();
    let odd = json!({"secrets": [
        {"id": "a", "secretType": "s3"}, {"id": "c", "secretType": "a/b"}, {"id": "..", "secretType": "s3"},
        {"id": "d", "secretType": ""}, {"id": "", "secretType": "s3"},
    ]});
    server
        .faults()
        .on("GET", SECRETS, Fault::Answer(Answer::json(200, &odd)));
    let run = home.run(["--json", "list"]);
    assert_eq!(run.ok().json(), json!([{"name": "s3/a"}]));
    run.stderr_has("4 whose type or id");
    home.run(["delete", "-y", "s3/missing"]).code(3);
    // One that has none, or nothing that is text, may be any of them.
    for odd in [
        json!({"id": "d", "secretType": null}),
        json!({"id": 7, "secretType": "s3"}),
        json!({"secretType": "s3"}),
    ] {
        server.faults().clear();
        let answer = Answer::json(200, &json!({"secrets": [odd]}));
        server.faults().on("GET", SECRETS, Fault::Answer(answer));
        home.run(["list"]).code(13);
        set(&home, &["--if-absent", "s3/d"], "new").run().code(13);
        assert_eq!(server.secret_key("s3", "d"), None);
    }
}

#[test]
fn only_the_api_itself_says_that_a_secret_is_not_there() {
    let (server, home) = set_up();
    server.put("s3", "a", "old", json!({}));
    let gateway = json!({"code": 5, "message": "no such secret", "details": []});
    for (answer, code) in [
        (Answer::html(404, "<html>nginx</html>"), 13),
        (Answer::text(404, "404 page not found"), 13),
        (Answer::status(404), 13),
        (Answer::json(404, &json!("Not Found")), 13),
        // And where it says so, and still lists it, that is found out.
        (Answer::json(404, &gateway), 1),
    ] {
        server.faults().clear();
        server.faults().on("DELETE", ONE, Fault::Answer(answer));
        let run = home.run(["delete", "-y", "s3/a"]);
        run.code(code).stderr_lacks("deleted from");
        run.stderr_has(if code == 13 { "404" } else { "still lists it" });
    }
    let page = Fault::status(404);
    server.faults().clear();
    server.faults().on("POST", SECRETS, page.clone());
    set(&home, &["s3/a"], "v").run().code(13);
    server.faults().on("GET", SECRETS, page);
    home.run(["list"]).code(13).stderr_has("web page");
}

#[test]
fn documented_statuses_have_their_kinds() {
    let (server, home) = set_up();
    for (status, code) in [(400, 13), (401, 4), (403, 5), (404, 3), (418, 1)] {
        server.faults().clear();
        let body = json!({"code": 2, "message": "the server's words", "details": []});
        server
            .faults()
            .on("POST", SECRETS, Fault::Answer(Answer::json(status, &body)));
        set(&home, &["s3/a"], "hunter2")
            .run()
            .code(code)
            .stderr_has("the server's words")
            .lacks("hunter2");
    }
    for status in [500, 503] {
        server.faults().clear();
        server.faults().on("POST", SECRETS, Fault::status(status));
        set(&home, &["s3/a", "--timeout", "1s"], "v").run().code(8);
    }
    server.faults().clear();
    server.faults().once_on("POST", SECRETS, Fault::status(503));
    set(&home, &["s3/a"], "v").run().ok();
    assert_eq!(server.secret_key("s3", "a").unwrap(), "v");
}

#[test]
fn status_and_login_tell_who_and_where() {
    let (server, home) = set_up();
    let status = home.run(["--json", "status", "-s", "bytenite"]).ok().json();
    assert_eq!(status[0]["url"], server.url());
    assert_eq!(status[0]["credential"], "environment BYTENITE_API_KEY");
    assert_eq!(server.asked(), Vec::<String>::new());
    home.run(["login"])
        .ok()
        .stderr_has(&server.url())
        .lacks(API_KEY);
    assert_eq!(
        server.asked(),
        [format!("POST {EXCHANGE}"), format!("GET {SECRETS}")]
    );
}
