//! Self-tests of the Northflank server.

use serde_json::{Value, json};

use crate::support::client::{Plain, Reply};
use crate::support::servers::Northflank;
use crate::support::servers::northflank::{API_TOKEN, Names, PROJECT, Post, Shows, TEAM, Update};

const SECRETS: &str = "/v1/projects/shop/secrets";

fn client() -> Plain {
    Plain::new().with("authorization", format!("Bearer {API_TOKEN}"))
}

/// The example request of the page.
fn example() -> Value {
    json!({
        "name": "Example Secret", "description": "A description", "tags": ["my-tag"],
        "secretType": "environment", "priority": 10,
        "restrictions": {
            "restricted": true, "tags": ["my-tag"],
            "nfObjects": [{"id": "example-service", "type": "service"}],
        },
        "addonDependencies": [{
            "addonId": "example-addon",
            "keys": [{"keyName": "USERNAME", "aliases": ["MONGO_USERNAME"]}],
        }],
        "secrets": {
            "variables": {"NODE_ENV": "production"},
            "files": {"/dir/fileName": {"data": "VGhpcw==", "encoding": "utf-8"}},
        },
    })
}

fn refused(reply: &Reply) -> (u16, String) {
    let error = &reply.json()["error"];
    assert_eq!(error["status"], reply.status);
    let message = error["message"].as_str().unwrap().to_owned();
    (reply.status, message)
}

#[test]
fn the_example_of_the_page_is_created_once() {
    let server = Northflank::start();
    let (client, url) = (client(), server.url() + SECRETS);
    let reply = client.json("POST", &url, example());
    assert_eq!(reply.status, 200);
    let data = &reply.json()["data"];
    for (field, value) in example().as_object().unwrap() {
        assert_eq!(&data[field], value, "{field}");
    }
    assert_eq!(data["id"], "example-secret");
    assert_eq!(
        server
            .groups()
            .variable("example-secret", "NODE_ENV")
            .unwrap(),
        "production"
    );

    let mut again = example();
    again["name"] = json!("example-secret");
    let (status, message) = refused(&client.json("POST", &url, again.clone()));
    assert_eq!(status, 409);
    assert!(message.contains("same derived identifier"));
    again["priority"] = json!(11);
    assert_eq!(
        client.json("PUT", &url, again).json()["data"]["priority"],
        11
    );
    server.set_id_suffix("-group");
    let reply = client.json("POST", &url, example());
    assert_eq!(reply.json()["data"]["id"], "example-secret-group");
}

#[test]
fn every_rule_of_the_page_is_kept() {
    let server = Northflank::start();
    let (client, url) = (client(), server.url() + SECRETS);
    let long = "a".repeat(40);
    let text = "x".repeat(201);
    for (pointer, bad) in [
        ("/name", json!("ab")),
        ("/name", json!(long)),
        ("/name", json!("1name")),
        ("/name", json!("a--b")),
        ("/name", json!("name_x")),
        ("/description", json!("")),
        ("/description", json!("naïve")),
        ("/description", json!(text)),
        ("/tags", json!("my-tag")),
        ("/tags/0", json!("my tag")),
        ("/tags/0", json!("ab")),
        ("/secretType", json!("other")),
        ("/priority", json!(101)),
        ("/priority", json!(-1)),
        ("/priority", json!(1.5)),
        ("/restrictions/restricted", json!("yes")),
        ("/restrictions/tags/0", json!("-ab")),
        ("/restrictions/nfObjects/0/id", json!("a_b")),
        ("/restrictions/nfObjects/0/type", json!("addon")),
        ("/addonDependencies/0/addonId", json!("a b")),
        ("/addonDependencies/0/keys", Value::Null),
        ("/addonDependencies/0/keys/0/keyName", json!("123")),
        ("/addonDependencies/0/keys/0/aliases/0", json!("A B")),
        ("/secrets/variables", json!({"A B": "x"})),
        ("/secrets/variables/NODE_ENV", json!(1)),
        (
            "/secrets/files",
            json!({"relative": {"data": "", "encoding": "utf-8"}}),
        ),
        ("/secrets/files/~1dir~1fileName/data", json!("no base64")),
        ("/secrets/files/~1dir~1fileName/encoding", json!("rot13")),
    ] {
        let mut body = example();
        *body.pointer_mut(pointer).unwrap() = bad.clone();
        let (status, message) = refused(&client.json("POST", &url, body));
        assert_eq!(status, 400, "{pointer} {bad}");
        let field = pointer[1..].split('/').next().unwrap();
        assert!(message.contains(field), "{pointer} {bad}: {message}");
    }
    for required in ["name", "secretType", "priority"] {
        let mut body = example();
        body.as_object_mut().unwrap().remove(required);
        assert_eq!(client.json("POST", &url, body).status, 400, "{required}");
    }
    let undeclared = client.send("POST", &url, &[], example().to_string());
    assert_eq!(undeclared.unwrap().status, 400);
    assert!(server.groups().ids(None, PROJECT).is_empty());

    server.set_names(Names::Current);
    let mut body = example();
    body["name"] = json!(format!("1{long}"));
    assert_eq!(client.json("POST", &url, body).status, 200);
}

#[test]
fn what_is_shown_depends_on_where_one_looks() {
    let server = Northflank::start();
    server.set_shows(Shows::Everything);
    let (client, url) = (client(), server.url() + SECRETS);
    let mut body = example();
    body["stageId"] = json!("unknown to the page");
    body["secrets"]["dockerSecretMounts"] = json!({"x": {"data": "eA=="}});
    client.json("POST", &url, body.clone());
    let listed = client.get(&url).json()["data"]["secrets"][0].clone();
    assert!(listed.get("secrets").is_none() && listed["priority"] == 10);

    let get =
        |query: &str| client.get(format!("{url}/example-secret{query}")).json()["data"].clone();
    let this = get("?show=this");
    assert_eq!(this["secrets"], body["secrets"]);
    assert_eq!(this["stageId"], "unknown to the page");
    assert!(this.get("addonDependencies").is_none());
    let inherited = get("?show=inherited")["secrets"]["variables"].clone();
    assert_eq!(
        inherited,
        json!({"MONGO_USERNAME": "value of example-addon USERNAME"})
    );
    assert_eq!(
        get("")["secrets"]["variables"].as_object().unwrap().len(),
        2
    );
    assert_eq!(
        client.get(format!("{url}/example-secret?show=that")).status,
        400
    );
    let details = get("/details");
    assert_eq!(details["addonDependencies"], body["addonDependencies"]);
    assert!(details.get("secrets").is_none());

    // What the vendor's types have is less, and more.
    server.set_shows(Shows::Types);
    for shown in [
        get("?show=this"),
        get("/details"),
        client.get(&url).json()["data"]["secrets"][0].clone(),
    ] {
        for hidden in ["addonDependencies", "externalAddonDependencies", "stageId"] {
            assert!(shown.get(hidden).is_none(), "{hidden} in {shown}");
        }
    }
    let addon = get("/details")["addonSecrets"][0].clone();
    assert_eq!(addon["id"], "example-addon");
    assert!(addon["variables"].to_string().contains("credential-of-"));
    let link = get("/addons/example-addon");
    assert_eq!(
        (&link["linked"], &link["linkedKeys"][0]["keyName"]),
        (&json!(true), &json!("USERNAME"))
    );
    assert_eq!(link["linkedKeys"][0]["defaultKey"], "NF_USERNAME");
    let link = format!("{url}/example-secret/addons/example-addon");
    let keys = json!({"keys": [{"keyName": "PASSWORD"}]});
    assert_eq!(client.json("POST", &link, keys).status, 200);
    assert_eq!(
        get("/addons/example-addon")["linkedKeys"][0]["keyName"],
        "PASSWORD"
    );
    assert_eq!(client.delete(&link).status, 200);
    assert_eq!(client.get(&link).status, 404);
}

#[test]
fn updates_merge_or_replace_as_ordered() {
    for (mode, variables, files) in [
        (Update::Merge, json!({"A": "1", "B": "3", "C": "4"}), 1),
        (Update::ReplaceMaps, json!({"B": "3", "C": "4"}), 1),
        (Update::ReplaceSecrets, json!({"B": "3", "C": "4"}), 0),
    ] {
        let server = Northflank::start();
        server.set_update(mode);
        let mut group = example();
        group["secrets"]["variables"] = json!({"A": "1", "B": "2"});
        let id = server.groups().put(None, PROJECT, group);
        let before = server.groups().get(None, PROJECT, &id).unwrap().updated;
        let body = json!({"secrets": {"variables": {"B": "3", "C": "4"}}});
        let reply = client().json("PATCH", format!("{}{SECRETS}/{id}", server.url()), body);
        assert_eq!(
            reply.json()["data"]["secrets"]["variables"],
            variables,
            "{mode:?}"
        );
        let group = server.groups().get(None, PROJECT, &id).unwrap();
        assert_eq!(group.files().len(), files, "{mode:?}");
        assert_eq!(group.fields["description"], "A description");
        assert!(group.updated > before);
    }
}

#[test]
fn the_other_update_and_put_know_their_own_fields() {
    let server = Northflank::start();
    let client = client();
    let id = server.groups().put(None, PROJECT, example());
    let url = format!("{}{SECRETS}/{id}", server.url());
    let secrets = json!({"secrets": {"variables": {"B": "1"}}});
    let reply = client.json("POST", &url, secrets.clone());
    assert_eq!(reply.json(), json!({}));
    assert_eq!(json!(server.groups().variables(&id)), json!({"B": "1"}));
    for field in ["name", "tags", "stageId"] {
        let reply = client.json("POST", &url, json!({field: example()[field]}));
        assert_eq!(reply.status, 400, "{field}");
    }
    server.set_post(Post::Updates(Update::Merge));
    client.json("POST", &url, json!({"secrets": {"variables": {"C": "2"}}}));
    assert_eq!(server.groups().variables(&id).len(), 2);
    server.set_post(Post::Missing(405));
    assert_eq!(client.json("POST", &url, secrets).status, 405);

    let mut whole = example();
    whole["addonSecrets"] = json!([]);
    let all = server.url() + SECRETS;
    assert_eq!(client.json("PUT", &all, whole.clone()).status, 400);
    server.set_strict_put(false);
    assert_eq!(client.json("PUT", &all, whole).status, 200);
    let kept = server.groups().get(None, PROJECT, &id).unwrap();
    assert!(kept.fields.get("addonSecrets").is_none());

    server.set_deletes_nothing(true);
    assert_eq!(client.delete(&url).json(), json!({"data": {}}));
    assert_eq!(server.groups().ids(None, PROJECT), ["example-secret"]);
    let patch = json!({"stageId": "prod"});
    client.json("PATCH", &url, patch);
    client.json("PATCH", &url, json!({"stageId": null}));
    let kept = server.groups().get(None, PROJECT, &id).unwrap();
    assert!(kept.fields.get("stageId").is_none());
}

#[test]
fn another_client_can_come_in_between() {
    let server = Northflank::start();
    let client = client();
    let id = server.groups().put_variables("group", json!({"A": "1"}));
    let path = format!("{SECRETS}/{id}");
    let url = server.url() + &path;
    server.change_after("GET", &path, &id, |group| group.set_variable("OTHER", "x"));
    let seen = client.get(url.clone() + "?show=this").json()["data"].clone();
    assert_eq!(seen["secrets"]["variables"], json!({"A": "1"}));
    let now = client.get(url.clone() + "?show=this").json()["data"].clone();
    assert_eq!(now["secrets"]["variables"], json!({"A": "1", "OTHER": "x"}));
    assert!(now["updatedAt"].as_str() > seen["updatedAt"].as_str());
    server.change_before("PATCH", &path, &id, |group| {
        group.set_variable("OTHER", "y")
    });
    client.json("PATCH", &url, json!({"secrets": {"variables": {"A": "2"}}}));
    assert_eq!(server.groups().variable(&id, "OTHER").unwrap(), "y");
}

#[test]
fn lists_come_in_pages() {
    let server = Northflank::start();
    let client = client();
    for number in 0..120 {
        server
            .groups()
            .put_variables(&format!("group {number}"), json!({}));
    }
    let page = |query: &str| {
        client
            .get(format!("{}{SECRETS}?{query}", server.url()))
            .json()
    };
    let mut ids = Vec::new();
    let mut query = String::new();
    loop {
        let page = page(&query);
        for group in page["data"]["secrets"].as_array().unwrap() {
            ids.push(group["id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["pagination"].get("cursor") else {
            assert_eq!(
                page["pagination"],
                json!({"hasNextPage": false, "count": 20})
            );
            break;
        };
        let cursor = cursor.as_str().unwrap();
        assert!(cursor.contains('='), "a cursor needs encoding");
        query = format!("cursor={}", cursor.replace('=', "%3D").replace('+', "%2B"));
    }
    assert_eq!(ids, server.groups().ids(None, PROJECT));
    assert_eq!(page("per_page=100")["pagination"]["count"], 100);
    assert_eq!(page("per_page=100&page=2")["pagination"]["count"], 20);
    for bad in ["per_page=101", "per_page=0", "page=0", "cursor=made-up"] {
        assert_eq!(page(bad)["error"]["status"], 400, "{bad}");
    }
}

#[test]
fn scopes_tokens_and_limits_are_checked() {
    let server = Northflank::start();
    let client = client();
    let team = format!(
        "{}/v1/teams/{TEAM}/projects/{PROJECT}/secrets",
        server.url()
    );
    assert_eq!(client.json("POST", &team, example()).status, 200);
    assert_eq!(server.groups().ids(Some(TEAM), PROJECT), ["example-secret"]);
    assert!(server.groups().ids(None, PROJECT).is_empty());
    assert_eq!(client.get(team.replace(TEAM, "other")).status, 404);
    server.groups().add_project(Some("a/b c"), "d/e");
    let odd = server.url() + "/v1/teams/a%2Fb%20c/projects/d%2Fe/secrets";
    assert_eq!(client.get(odd).status, 200);
    let deleted = client.delete(team.clone() + "/example-secret");
    assert_eq!(deleted.json(), json!({"data": {}}));
    assert_eq!(
        refused(&client.delete(team.clone() + "/example-secret")).0,
        404
    );

    let bare = Plain::new().with("authorization", API_TOKEN);
    assert_eq!(refused(&bare.get(&team)).0, 401);
    server.set_read_only(true);
    assert_eq!(refused(&client.json("POST", &team, example())).0, 403);
    server.set_rate_limit(1, 60);
    let reply = client.get(&team);
    assert_eq!(
        (reply.status, reply.header("x-ratelimit-remaining")),
        (200, "0")
    );
    let reply = client.get(&team);
    assert_eq!(refused(&reply).0, 429);
    assert!(reply.header("x-ratelimit-reset").parse::<i64>().unwrap() <= 60);
}
