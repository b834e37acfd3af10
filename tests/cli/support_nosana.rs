//! Self-tests of the Nosana server: each quirk that a client has to live with.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::client::{Plain, Reply};
use crate::support::servers::Nosana;
use crate::support::servers::jwt;
use crate::support::servers::nosana::{Job, MAX_BODY, Many, Visible};
use crate::support::solana::Keypair;

fn login_body(keypair: &Keypair, timestamp: i64) -> Value {
    json!({
        "address": keypair.address(),
        "signature": keypair.sign(&format!("nosana_secret_{timestamp}")),
        "timestamp": timestamp,
    })
}

fn login(server: &Nosana, body: Value) -> Reply {
    Plain::new().json("POST", server.url() + "/login", body)
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// A client with a token for this keypair, got in the regular way.
fn client(server: &Nosana, keypair: &Keypair) -> Plain {
    let reply = login(server, login_body(keypair, now()));
    Plain::new().with("authorization", format!("Bearer {}", token(&reply)))
}

fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_login_is_a_signature_over_the_timestamp() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let reply = login(&server, login_body(&keypair, now()));
    assert!(reply.header("content-type").starts_with("text/plain"));
    let claims = jwt::claims(&token(&reply)).unwrap();
    assert_eq!(claims["address"], keypair.address());
    let (iat, exp) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    assert_eq!(exp - iat, 3600);

    let refused = |change: &dyn Fn(&mut Value)| {
        let mut body = login_body(&keypair, now());
        change(&mut body);
        let reply = login(&server, body);
        (reply.status, reply.json())
    };
    let invalid = |error| (400, json!({"type": "ValidationError", "error": error}));
    let internal = (500, json!({"type": "InternalServerError"}));
    let missing = invalid("address/signature/timestamp missing");
    assert_eq!(refused(&|body| body["address"] = Value::Null), missing);
    assert_eq!(refused(&|body| body["timestamp"] = json!("now")), missing);
    let other = Keypair::new(2).address();
    let wrong = invalid("invalid signature");
    assert_eq!(refused(&|body| body["address"] = json!(other)), wrong);
    assert_eq!(refused(&|body| body["address"] = json!("0OIl")), internal);
    assert_eq!(refused(&|body| body["signature"] = json!("abc")), internal);
    assert_eq!(refused(&|body| body["job"] = json!("nowhere")), internal);
    assert_eq!(server.logins(), 1);
}

#[test]
fn a_timestamp_may_be_off_by_the_servers_tolerance() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    assert_eq!(
        login(&server, login_body(&keypair, now() - 3500)).status,
        200
    );
    server.set_tolerance(60);
    let reply = login(&server, login_body(&keypair, now() - 3500));
    assert_eq!(reply.json()["error"], "timestamp expired");
    server.clock().set_offset(-3500);
    assert_eq!(
        login(&server, login_body(&keypair, now() - 3500)).status,
        200
    );
}

#[test]
fn bad_tokens_are_refused_with_403_on_every_route() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let good = server.token(&keypair.address());
    for (authorization, message, error) in [
        (
            format!("bearer {good}"),
            "invalid token",
            "JsonWebTokenError",
        ),
        (good.clone(), "invalid token", "JsonWebTokenError"),
        (
            "Bearer nonsense".into(),
            "jwt malformed",
            "JsonWebTokenError",
        ),
        (
            format!("Bearer {good}x"),
            "invalid signature",
            "JsonWebTokenError",
        ),
    ] {
        let client = Plain::new().with("authorization", authorization);
        let expected = json!({"type": "ForbiddenError", "message": message, "error": error});
        let reply = client.get(server.url() + "/secrets");
        assert_eq!((reply.status, reply.json()), (403, expected.clone()));
        let reply = client.json("POST", server.url() + "/login", login_body(&keypair, now()));
        assert_eq!((reply.status, reply.json()), (403, expected));
    }
    let reply = Plain::new().get(server.url() + "/secrets");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json()["message"], "Not authenticated");
}

#[test]
fn tokens_expire_are_revoked_and_lose_their_key() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let asked = |client: &Plain| client.get(server.url() + "/secrets");
    let expired = json!({
        "type": "ForbiddenError", "message": "jwt expired", "error": "TokenExpiredError"
    });

    server.set_token_lifetime(0);
    assert_eq!(asked(&client(&server, &keypair)).json(), expired);
    server.set_token_lifetime(3600);
    let first = client(&server, &keypair);
    assert_eq!(asked(&first).status, 200);
    server.clock().set_offset(3601);
    assert_eq!(asked(&first).json(), expired);
    server.clock().set_offset(0);

    server.revoke_tokens();
    assert_eq!(asked(&first).json(), expired);
    let second = client(&server, &keypair);
    assert_eq!(
        asked(&second).status,
        200,
        "a token of the same second is another one"
    );
    server.rotate_key();
    assert_eq!(asked(&second).json()["message"], "invalid signature");
    assert_eq!(asked(&client(&server, &keypair)).status, 200);
}

#[test]
fn secrets_are_stored_listed_typed_and_deleted() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let client = client(&server, &keypair);
    let url = server.url() + "/secrets";
    let secrets = json!({"a b/ü:.": "text", "n": 1.5, "null": null, "o": {"x": [1]}});
    let reply = client.json("POST", &url, json!({"secrets": secrets}));
    assert_eq!((reply.status, reply.text()), (200, "OK"));
    let reply = client.get(&url);
    assert!(reply.header("content-type").starts_with("text/plain"));
    assert_eq!(reply.json(), secrets);
    assert_eq!(server.secrets(&Keypair::new(2).address()).len(), 0);

    let body = json!({"key": "n"}).to_string();
    let reply = client.send("DELETE", &url, &[], body).unwrap();
    assert_eq!((reply.status, reply.text()), (200, "OK"));
    let kept = server.secrets(&keypair.address());
    assert!(kept.contains_key("n"), "not declared as JSON");
    server.put(&keypair.address(), "undefined", "v");
    let body = json!({"key": "n"}).to_string();
    client.send("DELETE", &url, &[], body).unwrap();
    assert_eq!(server.secrets(&keypair.address()), kept);
    assert_eq!(
        client.json("DELETE", &url, json!({"key": "n"})).text(),
        "OK"
    );
    assert!(!server.secrets(&keypair.address()).contains_key("n"));
    assert_eq!(
        client.json("DELETE", &url, json!({"key": "n"})).text(),
        "OK"
    );

    client.json("POST", &url, json!({"secrets": {"__proto__": "lost"}}));
    assert!(client.get(&url).json().get("__proto__").is_none());
}

#[test]
fn many_are_deleted_in_one_request_where_the_database_knows_how() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let client = client(&server, &keypair);
    let url = server.url() + "/secrets";
    let put = || ["A", "B", "C"].map(|name| server.put(&keypair.address(), name, "v"));
    let delete = |key: Value| client.json("DELETE", &url, json!({ "key": key }));
    let left = || server.secrets(&keypair.address()).len();
    for (many, status, kept) in [
        (Many::Known, 200, 1),
        (Many::Ignored, 200, 3),
        (Many::Failing, 500, 3),
    ] {
        put();
        server.set_many(many);
        assert_eq!(delete(json!(["A", "C", "GONE"])).status, status);
        assert_eq!(left(), kept);
    }
    server.ignore_deletes(true);
    assert_eq!(delete(json!("A")).text(), "OK");
    assert_eq!(left(), 3);
}

#[test]
fn one_name_is_answered_in_odd_ways() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let client = client(&server, &keypair);
    let url = server.url() + "/secrets";
    let stored =
        json!({"prefix": "p/", "secrets": {"n": 0, "ok": "OK", "empty": "", "null": null}});
    assert_eq!(client.json("POST", &url, stored).text(), "OK");
    for (name, text) in [
        ("p%2Fn", "0"),
        ("p%2Fok", "\"OK\""),
        ("p%2Fempty", ""),
        ("p%2Fnull", ""),
        ("gone", "OK"),
    ] {
        let reply = client.get(format!("{url}/{name}"));
        assert_eq!((reply.status, reply.text()), (200, text), "{name}");
    }
    server.put(&keypair.address(), "other", "v");
    assert_eq!(
        client
            .get(format!("{url}/"))
            .json()
            .as_object()
            .unwrap()
            .len(),
        5
    );
    let listed = client.get(format!("{url}?prefix=p/")).json();
    assert_eq!(listed.as_object().unwrap().len(), 4);
    for (body, status) in [
        (json!({"secrets": null}), 200),
        (json!({"secrets": ["zero"]}), 200),
        (json!({"secrets": "x"}), 400),
        (json!({}), 400),
    ] {
        assert_eq!(client.json("POST", &url, body).status, status);
    }
    assert_eq!(client.get(format!("{url}/0")).json(), "zero");
    server.answer_no_names();
    assert_eq!(client.get(format!("{url}/other")).status, 404);
}

#[test]
fn bodies_are_bounded_and_must_be_json() {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let client = client(&server, &keypair);
    let url = server.url() + "/secrets";
    let sized = |size: usize| {
        let frame = json!({"secrets": {"k": ""}}).to_string().len();
        client.json(
            "POST",
            &url,
            json!({"secrets": {"k": "x".repeat(size - frame)}}),
        )
    };
    assert_eq!(sized(MAX_BODY).status, 200);
    let reply = sized(MAX_BODY + 1);
    assert_eq!(
        (reply.status, reply.text()),
        (413, "request entity too large")
    );
    let kind = [("content-type", "application/json")];
    let reply = client.send("POST", &url, &kind, "{\"secrets\":").unwrap();
    assert_eq!((reply.status, reply.text()), (400, "Bad Request"));
    assert_eq!(client.json("PUT", &url, json!({})).status, 405);
    assert_eq!(client.get(server.url() + "/secret").status, 404);
}

#[test]
fn a_job_opens_what_it_declares_to_its_node() {
    let server = Nosana::start();
    let (project, node) = (Keypair::new(1), Keypair::new(2));
    server.put(&project.address(), "DECLARED", "yes");
    server.put(&project.address(), "OTHER", "no");
    let job = |secrets: Option<&[&str]>, visible| Job {
        project: project.address(),
        node: Some(node.address()),
        secrets: secrets.map(|names| names.iter().map(|name| (*name).into()).collect()),
        visible,
    };
    let declared = ["DECLARED", "MISSING"];
    server.put_job("late", job(Some(&declared), Visible::AfterLogins(2)));
    server.put_job("slow", job(Some(&declared), Visible::AfterTokens(1)));
    server.put_job("bare", job(None, Visible::Now));
    let login_for = |keypair: &Keypair, job: &str| {
        let mut body = login_body(keypair, now());
        body["job"] = json!(job);
        login(&server, body)
    };
    let list = |reply: &Reply| {
        let client = Plain::new().with("authorization", format!("Bearer {}", token(reply)));
        client.get(server.url() + "/secrets")
    };

    assert_eq!(
        login_for(&project, "late").status,
        400,
        "not claimed by this address"
    );
    assert_eq!(login_for(&node, "late").status, 400);
    assert_eq!(login_for(&node, "late").status, 400);
    let reply = list(&login_for(&node, "late"));
    assert_eq!(reply.json(), json!({"DECLARED": "yes"}));

    let early = login_for(&node, "slow");
    let reply = list(&early);
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (400, Some("no secrets in job"))
    );
    assert_eq!(list(&login_for(&node, "slow")).status, 200);
    assert_eq!(
        list(&early).status,
        400,
        "a token says for good what it opens"
    );

    assert_eq!(
        list(&login_for(&node, "bare")).json()["error"],
        "no secrets in job"
    );

    server.put_job("early", job(Some(&declared), Visible::AfterErrors(1)));
    assert_eq!(login_for(&node, "early").status, 500);
    assert_eq!(login_for(&node, "early").status, 200);
    server.put(&node.address(), "DECLARED", "a result");
    server.put_job("over", job(Some(&declared), Visible::Finished));
    let reply = login_for(&node, "over");
    assert_eq!(reply.json()["error"], "You do not own this job:over");
    let reply = list(&login_for(&project, "over"));
    assert_eq!(reply.json(), json!({"DECLARED": "a result"}));

    let token = token(&login_for(&node, "late"));
    let client = Plain::new().with("authorization", format!("Bearer {token}"));
    let reply = client.json(
        "POST",
        server.url() + "/secrets",
        json!({"secrets": {"k": "v"}}),
    );
    assert_eq!(reply.status, 403);
}
