//! The key-value engine: version 2 with its versions and check-and-set, version 1 without.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Known, Node, State, absent, answered, data, denied, refuse};
use crate::support::servers::{Answer, Request};

/// How many versions are kept.
const KEPT: usize = 10;

/// A stored version is no larger.
const MAX_VERSION: usize = 1024 * 1024;

/// A mount.
#[derive(Clone, Debug)]
pub struct Mount {
    pub version: u8,
    records: BTreeMap<String, Record>,
}

/// A path.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The versions, the oldest first.
    versions: Vec<Version>,
    /// How many were forgotten.
    forgotten: u32,
    /// What people say of it.
    pub custom: Map<String, Value>,
}

#[derive(Clone, Debug)]
struct Version {
    data: Map<String, Value>,
    created: String,
    deleted: Option<String>,
    destroyed: bool,
}

impl Version {
    fn is_gone(&self) -> bool {
        self.deleted.is_some() || self.destroyed
    }
}

impl Record {
    /// The number of the current version.
    pub fn number(&self) -> u32 {
        self.forgotten + u32::try_from(self.versions.len()).expect("few versions")
    }

    fn find(&self, number: u32) -> Option<&Version> {
        let at = number.checked_sub(self.forgotten + 1)?;
        self.versions.get(usize::try_from(at).ok()?)
    }

    fn find_mut(&mut self, number: u32) -> Option<&mut Version> {
        let at = number.checked_sub(self.forgotten + 1)?;
        self.versions.get_mut(usize::try_from(at).ok()?)
    }

    fn metadata(&self, number: u32) -> Value {
        let version = self.find(number).expect("a version");
        json!({
            "created_time": version.created,
            "custom_metadata": match self.custom.is_empty() {
                true => Value::Null,
                false => Value::Object(self.custom.clone()),
            },
            "deletion_time": version.deleted.clone().unwrap_or_default(),
            "destroyed": version.destroyed,
            "version": number,
        })
    }
}

impl Mount {
    pub fn new(version: u8) -> Self {
        Self {
            version,
            records: BTreeMap::new(),
        }
    }

    pub fn record(&self, path: &str) -> Option<&Record> {
        self.records.get(path)
    }

    /// The map of the current version.
    pub fn current(&self, path: &str) -> Option<Map<String, Value>> {
        let newest = self.records.get(path)?.versions.last()?;
        (!newest.is_gone()).then(|| newest.data.clone())
    }

    /// Deletes the newest version.
    pub fn delete(&mut self, path: &str, time: String) {
        let newest = self.records.get_mut(path).map(|it| &mut it.versions);
        if let Some(newest) = newest.and_then(|it| it.last_mut()) {
            newest.deleted.get_or_insert(time);
        }
    }

    pub fn paths(&self) -> Vec<String> {
        self.records.keys().cloned().collect()
    }

    pub fn push(&mut self, path: &str, data: Map<String, Value>, time: &str) {
        let record = self.records.entry(path.to_owned()).or_default();
        record.versions.push(Version {
            data,
            created: time.to_owned(),
            deleted: None,
            destroyed: false,
        });
        if record.versions.len() > KEPT {
            record.versions.remove(0);
            record.forgotten += 1;
        }
    }

    /// The names in a folder.
    fn folder(&self, path: &str) -> Vec<String> {
        let prefix = match path {
            "" => String::new(),
            path => format!("{path}/"),
        };
        let below = self
            .records
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix));
        let names: BTreeSet<String> = below
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .collect();
        names.into_iter().collect()
    }
}

impl State {
    pub(super) fn kv(
        &mut self,
        request: &Request,
        namespace: &str,
        path: &str,
        known: &Known,
        writes: bool,
        is_behind: bool,
    ) -> Answer {
        let mounted = self.mounts.iter().find_map(|(mount, kept)| {
            let (own, name) = mount.split_once('|').unwrap_or(("", mount));
            let rest = path.strip_prefix(name)?.strip_prefix('/')?;
            (own == namespace).then(|| {
                (
                    mount.clone(),
                    name.to_owned(),
                    rest.to_owned(),
                    kept.version,
                )
            })
        });
        let Some((mount, name, rest, version)) = mounted else {
            return match known.policy {
                None => refuse(
                    404,
                    &format!("no handler for route \"{path}\". route entry not found."),
                ),
                Some(_) => denied(),
            };
        };
        if writes && rest.ends_with('/') {
            return refuse(400, "path must not end with a slash");
        }
        let lists =
            request.method == "LIST" || request.parameter("list").as_deref() == Some("true");
        let (what, below) = match version {
            1 => ("", rest.as_str()),
            _ => match rest.split_once('/') {
                Some(parted) => parted,
                None => (rest.as_str(), ""),
            },
        };
        let below = below.trim_end_matches('/');
        if writes && below.len() > 20_000 {
            return refuse(
                500,
                "put failed due to key being too large; got 20001 bytes",
            );
        }
        let exists = self.mounts[&mount].record(below).is_some();
        let capability = match request.method.as_str() {
            _ if lists => "list",
            "GET" => "read",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ if exists => "update",
            _ => "create",
        };
        let asked = match what {
            "" => format!("{name}/{below}"),
            what => format!("{name}/{what}/{below}"),
        };
        let allowed = |capability| {
            known
                .policy
                .as_ref()
                .is_none_or(|it| it.allows(&asked, capability))
        };
        // As the server has it: who may create may do so whatever there is, and cas decides.
        let may_try = capability == "update" && allowed("create");
        if !(allowed(capability) || may_try) {
            return denied();
        }
        if !writes && is_behind && self.before.is_some() {
            match &mut self.behind_for {
                Some(0) => self.before = None,
                Some(left) => *left -= 1,
                None => {}
            }
        }
        let kept = match &self.before {
            Some(before) if is_behind => &before[&mount],
            _ => &self.mounts[&mount],
        };
        if !writes {
            return match (version, what) {
                (1, _) if lists => list(kept, below),
                (1, _) => match kept.current(below) {
                    Some(map) => data(Value::Object(map)),
                    None => absent(),
                },
                (_, "metadata") if lists => list(kept, below),
                (_, "metadata") => metadata(kept, below),
                (_, "data") => read(kept, below, request.parameter("version")),
                (_, "subkeys") => subkeys(kept, below),
                _ => answered(404, Value::Null).with_warning(),
            };
        }
        // A standby looks for what is to be patched in its own copy.
        if request.method == "PATCH"
            && self.node == Node::Standby
            && let Some(copy) = &self.before
            && copy[&mount].record(below).is_none()
        {
            match &mut self.behind_for {
                Some(0) => self.before = None,
                Some(left) => *left -= 1,
                None => {}
            }
            if self.before.is_some() {
                return Answer::status(404);
            }
        }
        let before = self.mounts.clone();
        let answer = match version {
            1 => self.write_bare(request, &mount, below),
            _ => self.write(request, &mount, what, below),
        };
        if answer.status >= 300 {
            return answer;
        }
        if self.node == Node::Standby {
            self.before.get_or_insert(before);
        }
        self.wrote(answer)
    }

    fn write_bare(&mut self, request: &Request, mount: &str, path: &str) -> Answer {
        let time = self.ticks.next();
        let kept = self.mounts.get_mut(mount).expect("a mount");
        match request.method.as_str() {
            "PATCH" => refuse(405, "1 error occurred:\n\t* unsupported operation\n\n"),
            "DELETE" => {
                kept.records.remove(path);
                Answer::status(204)
            }
            _ => match request.json() {
                Some(Value::Object(map)) if !map.is_empty() => {
                    kept.records.remove(path);
                    kept.push(path, in_doubles(map), &time);
                    Answer::status(204)
                }
                _ => refuse(400, "missing data fields"),
            },
        }
    }

    fn write(&mut self, request: &Request, mount: &str, what: &str, path: &str) -> Answer {
        let time = self.ticks.next();
        let kept = self.mounts.get_mut(mount).expect("a mount");
        let body = request.json().unwrap_or_default();
        let numbers = || -> Vec<u32> {
            let numbers = body["versions"].as_array().cloned().unwrap_or_default();
            let numbers = numbers.iter().filter_map(Value::as_u64);
            numbers
                .map(|number| u32::try_from(number).expect("small"))
                .collect()
        };
        if request.method == "PATCH" {
            match request.header("content-type") {
                None => return refuse(400, "PATCH requires Content-Type"),
                Some("application/merge-patch+json") => {}
                Some(_) => {
                    return refuse(
                        415,
                        "PATCH requires Content-Type of application/merge-patch+json",
                    );
                }
            }
        }
        match (what, request.method.as_str()) {
            ("data", "POST" | "PUT") => store(kept, path, &body, &time),
            ("data", "PATCH") => patch(kept, path, &body, &time),
            ("data", "DELETE") => {
                kept.delete(path, time);
                Answer::status(204)
            }
            ("delete", "POST" | "PUT") => {
                each(kept, path, &numbers(), |version| {
                    version.deleted.get_or_insert(time.clone());
                });
                Answer::status(204)
            }
            ("undelete", "POST" | "PUT") => {
                each(kept, path, &numbers(), |version| version.deleted = None);
                Answer::status(204)
            }
            ("destroy", "POST" | "PUT") => {
                each(kept, path, &numbers(), |version| {
                    version.destroyed = true;
                    version.data.clear();
                });
                Answer::status(204)
            }
            ("metadata", "PATCH") => {
                let Some(record) = kept.records.get_mut(path) else {
                    return absent();
                };
                let Value::Object(custom) = &body["custom_metadata"] else {
                    return refuse(400, "no custom_metadata");
                };
                if let Some(why) = custom
                    .iter()
                    .find_map(|(key, value)| bad_custom(key, value))
                {
                    return refuse(400, why);
                }
                for (key, value) in custom {
                    match value {
                        Value::Null => drop(record.custom.remove(key)),
                        value => drop(record.custom.insert(key.clone(), value.clone())),
                    }
                }
                match record.custom.len() > 64 {
                    true => refuse(400, "payload must contain at most 64 keys"),
                    false => Answer::status(204),
                }
            }
            ("metadata", "DELETE") => {
                kept.records.remove(path);
                Answer::status(204)
            }
            _ => refuse(405, "1 error occurred:\n\t* unsupported operation\n\n"),
        }
    }
}

fn bad_custom(key: &str, value: &Value) -> Option<&'static str> {
    if key.is_empty() || key.len() > 128 {
        return Some("length of key is invalid");
    }
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() || text.len() > 512 => {
            Some("length of value is invalid")
        }
        Value::String(text) if text.chars().any(super::is_unprintable) => {
            Some("value contains unprintable characters")
        }
        Value::String(_) => None,
        _ => Some("value must be a string"),
    }
}

fn each(kept: &mut Mount, path: &str, numbers: &[u32], act: impl Fn(&mut Version)) {
    let Some(record) = kept.records.get_mut(path) else {
        return;
    };
    for number in numbers {
        if let Some(version) = record.find_mut(*number) {
            act(version);
        }
    }
}

fn list(kept: &Mount, path: &str) -> Answer {
    let names = kept.folder(path);
    match names.is_empty() {
        true => absent(),
        false => data(json!({ "keys": names })),
    }
}

fn metadata(kept: &Mount, path: &str) -> Answer {
    let Some(record) = kept.record(path) else {
        return absent();
    };
    let numbers = record.forgotten + 1..=record.number();
    let versions: Map<String, Value> = numbers
        .map(|number| (number.to_string(), record.metadata(number)))
        .collect();
    data(json!({
        "current_version": record.number(),
        "oldest_version": record.forgotten,
        "versions": versions,
        "custom_metadata": record.custom,
        "cas_required": false,
        "max_versions": 0,
    }))
}

fn read(kept: &Mount, path: &str, version: Option<String>) -> Answer {
    let Some(record) = kept.record(path) else {
        return absent();
    };
    let number = match version {
        None => record.number(),
        Some(text) => match text.parse::<i64>() {
            Err(_) => return refuse(400, "version must be a number"),
            Ok(..=0) => record.number(),
            Ok(number) => u32::try_from(number).expect("small"),
        },
    };
    let Some(version) = record.find(number) else {
        return absent();
    };
    let metadata = record.metadata(number);
    match version.is_gone() {
        true => answered(404, json!({"data": null, "metadata": metadata})),
        false => data(json!({"data": version.data, "metadata": metadata})),
    }
}

fn subkeys(kept: &Mount, path: &str) -> Answer {
    let Some(record) = kept.record(path) else {
        return absent();
    };
    let number = record.number();
    let metadata = record.metadata(number);
    let version = record.find(number).expect("the newest");
    let keys = version.data.iter().map(|(key, value)| {
        let inner = match value {
            Value::Object(members) => members
                .keys()
                .map(|key| (key.clone(), Value::Null))
                .collect(),
            _ => Map::new(),
        };
        let shown = match inner.is_empty() {
            true => Value::Null,
            false => Value::Object(inner),
        };
        (key.clone(), shown)
    });
    match version.is_gone() {
        true => answered(404, json!({"subkeys": null, "metadata": metadata})),
        false => data(json!({"subkeys": keys.collect::<Map<_, _>>(), "metadata": metadata})),
    }
}

/// Whether `options.cas` stands on the current version.
fn check(kept: &Mount, path: &str, body: &Value) -> Option<Answer> {
    let current = kept.record(path).map_or(0, Record::number);
    match &body["options"]["cas"] {
        Value::Null => None,
        cas if cas.as_u64() == Some(u64::from(current)) => None,
        _ => Some(refuse(
            400,
            "check-and-set parameter did not match the current version",
        )),
    }
}

fn store(kept: &mut Mount, path: &str, body: &Value, time: &str) -> Answer {
    let data = match body.get("data") {
        Some(Value::Object(data)) => data.clone(),
        Some(Value::Null) => Map::new(),
        _ => return refuse(400, "no data provided"),
    };
    if let Some(answer) = check(kept, path, body) {
        return answer;
    }
    keep(kept, path, data, time)
}

fn keep(kept: &mut Mount, path: &str, map: Map<String, Value>, time: &str) -> Answer {
    let map = in_doubles(map);
    if Value::Object(map.clone()).to_string().len() > MAX_VERSION {
        return refuse(
            500,
            "put failed due to value being too large; got 1048577 bytes, max: 1048576 bytes",
        );
    }
    kept.push(path, map, time);
    let record = kept.record(path).expect("it was stored");
    data(record.metadata(record.number()))
}

fn patch(kept: &mut Mount, path: &str, body: &Value, time: &str) -> Answer {
    let Some(mut map) = kept.current(path) else {
        return absent();
    };
    if let Some(answer) = check(kept, path, body) {
        return answer;
    }
    let Value::Object(changes) = &body["data"] else {
        return refuse(400, "no data provided");
    };
    merge(&mut map, changes);
    keep(kept, path, map, time)
}

/// RFC 7396, which goes inside objects; what is new loses the nulls of its objects.
fn merge(map: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (key, change) in changes {
        match (change, map.get_mut(key)) {
            (Value::Null, _) => drop(map.remove(key)),
            (Value::Object(inner), Some(Value::Object(there))) => merge(there, inner),
            (change, _) => drop(map.insert(key.clone(), without_nulls(change.clone()))),
        }
    }
}

/// `value` without the members of its objects that are null, however deep, as the server's own
/// library leaves them out, in arrays, too; the nulls of an array itself stay.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

/// Numbers go through a double.
fn in_doubles(map: Map<String, Value>) -> Map<String, Value> {
    let through = |value: Value| match value {
        Value::Number(number)
            if number
                .as_f64()
                .is_some_and(|it| it.fract() == 0.0 && it.abs() < 1e15) =>
        {
            Value::Number(number)
        }
        Value::Number(number) => json!(number.as_f64()),
        value => value,
    };
    map.into_iter()
        .map(|(key, value)| (key, through(value)))
        .collect()
}

impl Answer {
    /// What a request of version 1 is told by a mount of version 2: no errors, but a warning.
    fn with_warning(mut self) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).expect("JSON");
        body["warnings"] = json!([
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."
        ]);
        self.body = body.to_string().into_bytes();
        self
    }
}
