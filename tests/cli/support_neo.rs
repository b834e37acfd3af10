//! Self-tests of the Neo Service Layer server.

use serde_json::{Value, json};

use crate::support::client::{Plain, Reply};
use crate::support::servers::Neo;
use crate::support::servers::limit::Reset;
use crate::support::servers::neo::{API_KEY, Paging};

fn client() -> Plain {
    Plain::new().with("authorization", format!("Bearer {API_KEY}"))
}

fn code(reply: &Reply) -> (u16, String) {
    let code = reply.json()["error"]["code"].clone();
    (reply.status, code.as_str().unwrap_or_default().to_owned())
}

#[test]
fn secrets_are_created_once_listed_without_values_and_deleted_by_id() {
    let server = Neo::start();
    let (client, url) = (client(), server.url() + "/v1/secrets");
    let body = json!({"name": "api-key", "value": "v", "description": "d"});
    let created = client.json("POST", &url, body.clone());
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["description"], "d");
    assert!(created.json().get("value").is_none());
    assert_eq!(
        code(&client.json("POST", &url, body)),
        (409, "CONFLICT".into())
    );
    let listed = client.get(&url).json();
    assert_eq!(
        listed["pagination"],
        json!({"total": 1, "limit": 20, "offset": 0})
    );
    assert!(listed["secrets"][0].get("value").is_none());

    assert_eq!(
        code(&client.delete(url.clone() + "/api-key")),
        (404, "NOT_FOUND".into())
    );
    let id = server.secret("api-key").unwrap().id;
    assert_eq!(listed["secrets"][0]["id"], id);
    let deleted = client.delete(format!("{url}/{id}"));
    assert_eq!(
        (deleted.status, &deleted.json()["success"]),
        (200, &json!(true))
    );
    assert_eq!(client.delete(format!("{url}/{id}")).status, 404);
}

#[test]
fn what_is_not_documented_is_not_there() {
    let server = Neo::start();
    let (client, url) = (client(), server.url() + "/v1/secrets");
    let id = server.put("a", "v");
    assert_eq!(client.get(format!("{url}/{id}")).status, 404);
    assert_eq!(
        client
            .json("PUT", format!("{url}/{id}"), json!({"value": "w"}))
            .status,
        404
    );
    assert_eq!(client.json("PATCH", &url, json!({})).status, 405);
    for body in [
        json!({"name": "b"}),
        json!({"name": "", "value": "v"}),
        json!({"name": "b", "value": 1}),
        json!({"name": "b", "value": "v", "description": null}),
        json!({"name": "b", "value": "v", "tags": []}),
    ] {
        let reply = client.json("POST", &url, body);
        assert_eq!(code(&reply), (400, "INVALID_REQUEST".into()));
    }
    let undeclared = client.send("POST", &url, &[], r#"{"name":"b","value":"v"}"#);
    assert_eq!(undeclared.unwrap().status, 400);
    assert_eq!(server.value("a").as_deref(), Some("v"));
    assert_eq!(server.secrets().len(), 1);
}

#[test]
fn lists_come_in_pages() {
    let server = Neo::start();
    let client = client();
    for number in 0..45 {
        server.put(&format!("s{number:02}"), "v");
    }
    let names = |query: &str| {
        let reply = client.get(format!("{}/v1/secrets{query}", server.url()));
        assert_eq!(reply.status, 200, "{query}");
        let secrets = reply.json()["secrets"].as_array().unwrap().clone();
        let name = |secret: &Value| secret["name"].as_str().unwrap().to_owned();
        secrets.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("").len(), 20);
    assert_eq!(names("?limit=3&offset=1"), ["s43", "s42", "s41"]);
    assert_eq!(names("?limit=1000").len(), 45);
    assert_eq!(names("?offset=40").len(), 5);
    assert_eq!(names("?offset=45"), Vec::<String>::new());
    let refused = |query: &str| {
        client
            .get(format!("{}/v1/secrets{query}", server.url()))
            .status
    };
    assert_eq!([refused("?limit=0"), refused("?offset=-1")], [400, 400]);
    server.set_paging(Paging::Ignored);
    assert_eq!(names("?limit=5&offset=40"), names(""));
    server.set_paging(Paging::Everything);
    assert_eq!(names("?limit=5&offset=40").len(), 45);
}

#[test]
fn keys_are_checked_and_requests_limited() {
    let server = Neo::start();
    let url = server.url() + "/v1/secrets";
    assert_eq!(code(&Plain::new().get(&url)), (401, "UNAUTHORIZED".into()));
    let bare = Plain::new().with("authorization", API_KEY);
    assert_eq!(bare.get(&url).status, 401);
    let client = client();
    server.set_read_only(true);
    let body = json!({"name": "b", "value": "v"});
    assert_eq!(
        code(&client.json("POST", &url, body)),
        (403, "FORBIDDEN".into())
    );

    server.set_rate_limit(2, 10, Reset::Seconds);
    assert_eq!(client.get(&url).header("x-ratelimit-remaining"), "1");
    assert_eq!(client.get(&url).status, 200);
    let reply = client.get(&url);
    assert_eq!(
        (reply.status, reply.header("x-ratelimit-remaining")),
        (429, "0")
    );
    assert!(reply.header("x-ratelimit-reset").parse::<i64>().unwrap() <= 10);
    server.clock().set_offset(11);
    assert_eq!(client.get(&url).status, 200);
}
