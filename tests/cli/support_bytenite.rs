//! Self-tests of the ByteNite server.

use serde_json::{Value, json};

use crate::support::client::{Plain, Reply};
use crate::support::servers::ByteNite;
use crate::support::servers::bytenite::{API_KEY, Exchange, ExpiresIn};

fn exchange(server: &ByteNite, key: &str) -> Reply {
    let url = server.url() + "/v1/auth/access_token";
    Plain::new().json("POST", url, json!({"apiKey": key}))
}

fn client(server: &ByteNite) -> Plain {
    let reply = exchange(server, API_KEY);
    assert_eq!(reply.status, 200, "{reply:?}");
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    Plain::new().with("authorization", token)
}

fn secrets(server: &ByteNite) -> String {
    server.url() + "/v1/auth/secrets"
}

#[test]
fn an_api_key_is_exchanged_for_a_token() {
    let server = ByteNite::start();
    let lasts = |form| {
        server.set_expires_in(form);
        exchange(&server, API_KEY).json()["expiresIn"].clone()
    };
    assert_eq!(lasts(ExpiresIn::Text), "3600");
    assert_eq!(lasts(ExpiresIn::Number), 3600);
    assert_eq!(lasts(ExpiresIn::Absent), Value::Null);
    assert_eq!(exchange(&server, "wrong").status, 401);
    assert_eq!(server.exchanges(), 3);
}

#[test]
fn a_token_is_sent_bare_and_expires() {
    let server = ByteNite::start();
    let token = exchange(&server, API_KEY).json()["token"].clone();
    let token = token.as_str().unwrap();
    let status = |authorization: &str| {
        let client = Plain::new().with("authorization", authorization);
        client.get(secrets(&server)).status
    };
    assert_eq!(status(token), 200);
    assert_eq!(status(&format!("Bearer {token}")), 401);
    assert_eq!(status(API_KEY), 401);
    assert_eq!(Plain::new().get(secrets(&server)).status, 401);
    server.clock().set_offset(3600);
    assert_eq!(status(token), 401);
    server.clock().set_offset(0);
    server.revoke_tokens();
    assert_eq!(status(token), 401);
}

#[test]
fn without_an_exchange_the_key_is_the_authorization() {
    let server = ByteNite::start();
    let client = Plain::new().with("authorization", API_KEY);
    for status in [404, 405] {
        server.set_exchange(Exchange::Missing(status));
        assert_eq!(exchange(&server, API_KEY).status, status);
        assert_eq!(client.get(secrets(&server)).status, 200);
    }
}

#[test]
fn secrets_are_saved_whole_listed_without_keys_and_removed() {
    let server = ByteNite::start();
    let client = client(&server);
    let save = |secret: Value, key: &str| {
        let body = json!({"secret": secret, "secretKey": key});
        client.json("POST", secrets(&server), body)
    };
    let full = json!({
        "id": "a b/c", "secretType": "s3", "name": "N", "accessKey": "A",
        "expiresAt": "2025-12-29T18:02:27Z", "params": {"region": "eu", "n": 1},
    });
    let reply = save(full, "k1");
    assert_eq!((reply.status, &reply.json()["ok"]), (200, &json!(true)));
    save(json!({"id": "x", "secretType": "gcp"}), "k2");
    let list = client.get(secrets(&server)).json();
    assert_eq!(list["secrets"].as_array().unwrap().len(), 2);
    let list = client.get(secrets(&server) + "?secretType=s3");
    assert!(!list.text().contains("k1"));
    assert_eq!(
        list.json()["secrets"][0]["expiresAt"],
        "2025-12-29T18:02:27.000Z"
    );
    assert_eq!(list.json()["secrets"].as_array().unwrap().len(), 1);

    save(json!({"id": "a b/c", "secretType": "s3"}), "k3");
    assert_eq!(server.secret_key("s3", "a b/c").as_deref(), Some("k3"));
    assert_eq!(
        server.shown("s3", "a b/c").unwrap().get("name"),
        None,
        "replaced whole"
    );

    assert_eq!(client.delete(secrets(&server) + "/s3/a%20b/c").status, 404);
    let reply = client.delete(secrets(&server) + "/s3/a%20b%2Fc");
    assert_eq!((reply.status, &reply.json()["ok"]), (200, &json!(true)));
    let reply = client.delete(secrets(&server) + "/s3/a%20b%2Fc");
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (404, &json!(5))
    );
    assert_eq!(server.names(), ["gcp/x"]);
}

#[test]
fn malformed_secrets_are_refused() {
    let server = ByteNite::start();
    let client = client(&server);
    let good = || json!({"secret": {"id": "i", "secretType": "s3"}, "secretKey": "k"});
    for (field, value) in [
        ("/secretKey", json!("")),
        ("/secretKey", json!(1)),
        ("/secret/id", json!("")),
        ("/secret/secretType", Value::Null),
    ] {
        let mut body = good();
        *body.pointer_mut(field).unwrap() = value;
        assert_eq!(
            client.json("POST", secrets(&server), body).status,
            400,
            "{field}"
        );
    }
    for (field, value) in [
        ("expiresAt", json!("tomorrow")),
        ("params", json!([])),
        ("name", json!(1)),
        ("unknown", json!("x")),
    ] {
        let mut body = good();
        body["secret"][field] = value;
        let reply = client.json("POST", secrets(&server), body);
        assert_eq!(
            (reply.status, &reply.json()["ok"]),
            (400, &json!(false)),
            "{field}"
        );
    }
    let reply = client.send("POST", &secrets(&server), &[], good().to_string());
    assert_eq!(reply.unwrap().status, 400, "not declared as JSON");
    assert!(server.names().is_empty());
}

#[test]
fn it_can_fail_with_200_and_forbid() {
    let server = ByteNite::start();
    let client = client(&server);
    let body = json!({"secret": {"id": "i", "secretType": "s3"}, "secretKey": "k"});
    server.faults().next(ByteNite::not_ok(7, "quota"));
    let reply = client.json("POST", secrets(&server), body.clone());
    assert_eq!((reply.status, &reply.json()["ok"]), (200, &json!(false)));
    server.set_read_only(true);
    assert_eq!(client.json("POST", secrets(&server), body).status, 403);
    assert_eq!(client.get(secrets(&server)).status, 200);
    assert!(server.names().is_empty());
}
