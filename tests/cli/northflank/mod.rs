//! Northflank's secret groups, through the commands a user types.

mod changes;
mod groups;
mod listing;
mod nonsense;
mod secrets;

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::servers::Northflank;
use crate::support::servers::northflank::{Group, PROJECT, Update};

/// Where the groups of the project are.
const SECRETS: &str = "/v1/projects/shop/secrets";

/// Where the group called `Api Env` is.
const GROUP: &str = "/v1/projects/shop/secrets/api-env";

/// The three ways in which a server may read an update.
const UPDATES: [Update; 3] = [Update::Merge, Update::ReplaceMaps, Update::ReplaceSecrets];

/// A server, and a home that knows its project and has its token.
fn set_up() -> (Northflank, Home) {
    let server = Northflank::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "northflank");
    home.knows_northflank(&server);
    (server, home)
}

/// The same with a group `api-env` that holds more than keyfob knows of.
fn set_up_rich() -> (Northflank, Home) {
    let (server, home) = set_up();
    server.groups().put(None, PROJECT, rich());
    (server, home)
}

/// A group with every field, fields of the future among them.
fn rich() -> Value {
    json!({
        "name": "Api Env", "description": "of the API", "tags": ["my-tag"],
        "secretType": "environment", "priority": 7, "stageId": "production",
        "restrictions": {"restricted": true, "tags": ["web"], "tagMatchCondition": "and",
            "nfObjects": [{"id": "api", "type": "service"}]},
        "addonDependencies": [{"addonId": "mongo", "keys": [{"keyName": "USERNAME", "aliases": ["MONGO_USER"]}]}],
        "externalAddonDependencies": [{"addonId": "redis", "keys": [{"keyName": "HOST"}]}],
        "secrets": {
            "variables": {"A": "value-of-a", "B": "value-of-b"},
            "files": {"/etc/app.conf": {"data": "Y29uZg==", "encoding": "utf-8"}},
            "dockerSecretMounts": {"npmrc": {"data": "c2VjcmV0", "encoding": "utf-8"}},
        },
    })
}

fn group(server: &Northflank, id: &str) -> Group {
    server.groups().get(None, PROJECT, id).expect("a group")
}

/// Everything of the group but its variables and files is as [`rich`] made it.
#[track_caller]
fn is_rich_apart_from_values(server: &Northflank) {
    let mut found = Value::Object(group(server, "api-env").fields);
    let mut wanted = rich();
    for fields in [&mut found, &mut wanted] {
        fields["secrets"]["variables"].take();
        fields["secrets"]["files"].take();
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("type");
        }
    }
    assert_eq!(found, wanted);
}
