//! The groups themselves, how they are shown and how an update changes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::clock::Ticks;
use super::super::limit::{RateLimit, Reset};
use super::rules::Names;

/// The groups of one project, in the order of their creation.
pub type Project = Vec<Group>;

/// How an update treats what it does not name. Which it is, is not stated: a client must be
/// right under all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Variables and files that are not named stay.
    Merge,
    /// `secrets.variables` and `secrets.files` are replaced, each where it is named.
    ReplaceMaps,
    /// `secrets` is replaced whole where it is named.
    ReplaceSecrets,
}

/// What becomes of `POST …/secrets/{id}`, the vendor's other update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    /// It treats `secrets` so.
    Updates(Update),
    /// The server does not have it, and answers with this status.
    Missing(u16),
}

/// What reads show of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// What the vendor's own types say: no links, no stage; the details have the values, and
    /// `addonSecrets`, the addons' own credentials.
    Types,
    /// Every field that was set, the links in the details alone.
    Everything,
}

/// Everything that the server keeps.
pub(super) struct Store {
    /// The groups by team and project.
    projects: BTreeMap<(Option<String>, String), Project>,
    pub(super) ticks: Ticks,
    pub(super) update: Update,
    pub(super) post: Post,
    pub(super) shows: Shows,
    /// Whether PUT refuses fields that it does not know; it ignores them otherwise.
    pub(super) strict_put: bool,
    /// Whether deletes are answered and not carried out.
    pub(super) deletes_nothing: bool,
    pub(super) names: Names,
    pub(super) id_suffix: String,
    pub(super) read_only: bool,
    pub(super) limit: RateLimit,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            projects: BTreeMap::new(),
            ticks: Ticks::default(),
            update: Update::Merge,
            post: Post::Updates(Update::ReplaceMaps),
            shows: Shows::Types,
            strict_put: true,
            deletes_nothing: false,
            names: Names::Page,
            id_suffix: String::new(),
            read_only: false,
            limit: RateLimit::new(1000, 3600, Reset::Seconds),
        }
    }

    pub(super) fn add_project(&mut self, team: Option<&str>, project: &str) {
        let key = (team.map(str::to_owned), project.to_owned());
        self.projects.entry(key).or_default();
    }

    pub(super) fn project(&mut self, team: Option<&str>, project: &str) -> Option<&mut Project> {
        let key = (team.map(str::to_owned), project.to_owned());
        self.projects.get_mut(&key)
    }

    /// A new group. Its id is derived from its name: `Example Secret` → `example-secret`.
    pub(super) fn make(&mut self, fields: Map<String, Value>, project: &str) -> Group {
        let name = fields["name"].as_str().unwrap_or_default();
        let derived = name.to_lowercase().replace(char::is_whitespace, "-");
        let now = self.ticks.next();
        Group {
            id: format!("{derived}{}", self.id_suffix),
            project: project.to_owned(),
            fields,
            created: now.clone(),
            updated: now,
        }
    }
}

/// One secret group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its fields as a create sends them, those that the page does not know included.
    pub fields: Map<String, Value>,
    /// `updatedAt`, which moves with every change.
    pub updated: String,
    pub(super) created: String,
    project: String,
}

/// What only the details show, if anything does.
const ADDONS: [&str; 2] = ["addonDependencies", "externalAddonDependencies"];

impl Group {
    /// Its own variables.
    pub fn variables(&self) -> Map<String, Value> {
        self.inside("variables")
    }

    /// Its own files.
    pub fn files(&self) -> Map<String, Value> {
        self.inside("files")
    }

    /// Sets a variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let secrets = self.fields.entry("secrets").or_insert(json!({}));
        secrets["variables"][name] = json!(value);
    }

    fn inside(&self, part: &str) -> Map<String, Value> {
        let part = self.fields.get("secrets").and_then(|all| all.get(part));
        part.and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Every field, as the answer to a create has them.
    pub(super) fn whole(&self) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("id".into(), json!(self.id));
        shown.insert("projectId".into(), json!(self.project));
        shown.insert("createdAt".into(), json!(self.created));
        shown.insert("updatedAt".into(), json!(self.updated));
        shown.entry("type").or_insert(json!("secret"));
        Value::Object(shown)
    }

    fn without(&self, hidden: &[&str]) -> Value {
        let mut shown = self.whole();
        if let Some(shown) = shown.as_object_mut() {
            shown.retain(|field, _| !hidden.contains(&field.as_str()));
        }
        shown
    }

    /// As the list has it: no values, no links; by the vendor's types no times either.
    pub(super) fn listed(&self, shows: Shows) -> Value {
        let mut hidden = vec![ADDONS[0], ADDONS[1], "secrets"];
        match shows {
            Shows::Types => hidden.extend(["stageId", "createdAt", "updatedAt"]),
            Shows::Everything => hidden.push("restrictions"),
        }
        self.without(&hidden)
    }

    /// As the details have it.
    pub(super) fn details(&self, shows: Shows) -> Value {
        if shows == Shows::Everything {
            return self.without(&["secrets"]);
        }
        let mut shown = self.with_values(shows, true, true);
        let linked = self.addons().into_iter().map(|addon| {
            let id = addon["addonId"].as_str().unwrap_or_default();
            json!({
                "id": id, "name": id, "addonType": "mongodb", "version": "4.4.1",
                "variables": {"NF_MONGO_PASSWORD": format!("credential-of-{id}")},
            })
        });
        shown["addonSecrets"] = linked.collect();
        shown
    }

    /// As a get has it: values, its own or inherited from addons, but not the links.
    pub(super) fn with_values(&self, shows: Shows, own: bool, inherited: bool) -> Value {
        let hidden = [ADDONS[0], ADDONS[1], "stageId"];
        let mut shown = self.without(match shows {
            Shows::Types => &hidden,
            Shows::Everything => &ADDONS,
        });
        let secrets = self.fields.get("secrets").and_then(Value::as_object);
        let mut secrets = secrets.cloned().unwrap_or_default();
        let mut variables = if inherited {
            self.inherited()
        } else {
            Map::new()
        };
        if own {
            variables.extend(self.variables());
        }
        let files = if own { self.files() } else { Map::new() };
        secrets.insert("variables".into(), Value::Object(variables));
        secrets.insert("files".into(), Value::Object(files));
        shown["secrets"] = Value::Object(secrets);
        shown
    }

    fn addons(&self) -> Vec<Value> {
        let addons = self.fields.get(ADDONS[0]).and_then(Value::as_array);
        addons.cloned().unwrap_or_default()
    }

    /// The keys of its link to an addon, where there is one.
    pub(super) fn link(&self, addon: &str) -> Option<Value> {
        let linked = self.addons().into_iter();
        let mut linked = linked.filter(|link| link["addonId"] == addon);
        linked.next().map(|link| link["keys"].clone())
    }

    /// Links an addon by these keys, or takes the link away.
    pub(super) fn set_link(&mut self, addon: &str, keys: Option<Value>) {
        let mut links = self.addons();
        links.retain(|link| link["addonId"] != addon);
        links.extend(keys.map(|keys| json!({"addonId": addon, "keys": keys})));
        self.fields.insert(ADDONS[0].into(), json!(links));
    }

    /// What the linked addons bring: each key under its aliases, or under its own name.
    fn inherited(&self) -> Map<String, Value> {
        let mut brought = Map::new();
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for addon in self.addons() {
            for key in items(&addon["keys"]) {
                let (id, name) = (&addon["addonId"], &key["keyName"]);
                let value = json!(format!("value of {id} {name}").replace('"', ""));
                let mut names = items(&key["aliases"]);
                if names.is_empty() {
                    names.push(name.clone());
                }
                for name in names.iter().filter_map(Value::as_str) {
                    brought.insert(name.to_owned(), value.clone());
                }
            }
        }
        brought
    }

    /// Changes the fields that are named, and leaves the others.
    pub(super) fn update(&mut self, fields: Map<String, Value>, mode: Update) {
        for (field, value) in fields {
            let sent = match (field.as_str(), value) {
                ("secrets", Value::Object(sent)) if mode != Update::ReplaceSecrets => sent,
                // "`stageId: null` clears it."
                ("stageId", Value::Null) => {
                    self.fields.remove("stageId");
                    continue;
                }
                (_, value) => {
                    self.fields.insert(field, value);
                    continue;
                }
            };
            let kept = self.fields.entry("secrets").or_insert(json!({}));
            for (part, value) in sent {
                match (&mut kept[&part], value) {
                    (Value::Object(kept), Value::Object(sent)) if mode == Update::Merge => {
                        kept.extend(sent);
                    }
                    (kept, value) => *kept = value,
                }
            }
        }
    }
}
