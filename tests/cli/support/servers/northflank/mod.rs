//! Northflank's secret groups: all documented fields, their rules, paging and concurrent writers.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};

pub use self::rules::Names;
pub use self::store::{Group, Post, Shows, Update};
use self::store::{Project, Store};
use super::clock::Clock;
use super::limit::{RateLimit, Reset};
use super::server::Service;
use super::{Answer, Fault, Listen, Request, Server};

mod rules;
mod store;

/// The API token that the server knows.
pub const API_TOKEN: &str = "northflank-api-token-for-tests";
/// A project that exists, outside any team.
pub const PROJECT: &str = "shop";
/// What the vendor's type of a PUT has.
const PUT: [&str; 11] = [
    "name",
    "description",
    "stageId",
    "tags",
    "type",
    "secretType",
    "priority",
    "restrictions",
    "addonDependencies",
    "externalAddonDependencies",
    "secrets",
];

/// A team that exists, with a project [`PROJECT`] of its own.
pub const TEAM: &str = "acme";

/// A Northflank of its own. Derefs to [`Server`] for the log, the faults and the clock.
pub struct Northflank {
    server: Server,
    groups: Groups,
}

/// Access to what the server keeps, also for hooks that outlive a borrow of the server.
#[derive(Clone)]
pub struct Groups(Arc<Mutex<Store>>);

impl Northflank {
    /// Starts one over plain HTTP.
    pub fn start() -> Self {
        Self::listen(Listen::Http)
    }

    /// Starts one.
    pub fn listen(listen: Listen) -> Self {
        let groups = Groups(Arc::new(Mutex::new(Store::new())));
        groups.add_project(None, PROJECT);
        groups.add_project(Some(TEAM), PROJECT);
        Self {
            server: Server::start(listen, Api(groups.clone())),
            groups,
        }
    }

    /// What it keeps.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// How an update treats what it does not name (it merges).
    pub fn set_update(&self, update: Update) {
        self.groups.store().update = update;
    }

    /// What becomes of the vendor's other update (it replaces variables and files).
    pub fn set_post(&self, post: Post) {
        self.groups.store().post = post;
    }

    /// What reads show of a group (what the vendor's types say).
    pub fn set_shows(&self, shows: Shows) {
        self.groups.store().shows = shows;
    }

    /// Whether a PUT with fields that it does not know is refused (yes); else they are ignored.
    pub fn set_strict_put(&self, strict: bool) {
        self.groups.store().strict_put = strict;
    }

    /// Whether a delete is answered and not carried out (no).
    pub fn set_deletes_nothing(&self, nothing: bool) {
        self.groups.store().deletes_nothing = nothing;
    }

    /// Which names it takes (those of the page in hand).
    pub fn set_names(&self, names: Names) {
        self.groups.store().names = names;
    }

    /// What is added to derived ids (nothing; the page's example answer has `-group`).
    pub fn set_id_suffix(&self, suffix: &str) {
        self.groups.store().id_suffix = suffix.into();
    }

    /// Whether writing is forbidden to this token (no).
    pub fn set_read_only(&self, read_only: bool) {
        self.groups.store().read_only = read_only;
    }

    /// Admits so many requests every so many seconds (1000 an hour).
    pub fn set_rate_limit(&self, limit: u64, window: i64) {
        self.groups.store().limit = RateLimit::new(limit, window, Reset::Seconds);
    }

    /// Another client changes a group of [`PROJECT`] just before the next such request.
    pub fn change_before(
        &self,
        method: &str,
        path: &str,
        id: &str,
        change: impl Fn(&mut Group) + Send + Sync + 'static,
    ) {
        let (groups, id) = (self.groups.clone(), id.to_owned());
        let hook = Fault::before(move || groups.change(None, PROJECT, &id, &change));
        self.faults().once_on(method, path, hook);
    }

    /// Another client changes a group of [`PROJECT`] just after the next such request.
    pub fn change_after(
        &self,
        method: &str,
        path: &str,
        id: &str,
        change: impl Fn(&mut Group) + Send + Sync + 'static,
    ) {
        let (groups, id) = (self.groups.clone(), id.to_owned());
        let hook = Fault::after(move || groups.change(None, PROJECT, &id, &change));
        self.faults().once_on(method, path, hook);
    }
}

impl Deref for Northflank {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Groups {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap()
    }

    /// Adds a project without groups.
    pub fn add_project(&self, team: Option<&str>, project: &str) {
        self.store().add_project(team, project);
    }

    /// A group, all of its fields.
    pub fn get(&self, team: Option<&str>, project: &str, id: &str) -> Option<Group> {
        let mut store = self.store();
        let project = store.project(team, project)?;
        project.iter().find(|group| group.id == id).cloned()
    }

    /// The ids of a project's groups, in the order of their creation.
    pub fn ids(&self, team: Option<&str>, project: &str) -> Vec<String> {
        let mut store = self.store();
        let project = store.project(team, project).expect("a project");
        project.iter().map(|group| group.id.clone()).collect()
    }

    /// Creates a group from the body of a create, which is not checked, and returns its id.
    pub fn put(&self, team: Option<&str>, project: &str, fields: Value) -> String {
        let fields = fields.as_object().expect("a group's fields").clone();
        let mut store = self.store();
        let group = store.make(fields, project);
        let id = group.id.clone();
        store.project(team, project).expect("a project").push(group);
        id
    }

    /// Changes a group as another client would: its `updatedAt` moves.
    pub fn change(
        &self,
        team: Option<&str>,
        project: &str,
        id: &str,
        change: impl FnOnce(&mut Group),
    ) {
        let mut store = self.store();
        let now = store.ticks.next();
        let project = store.project(team, project).expect("a project");
        let group = project.iter_mut().find(|group| group.id == id);
        let group = group.expect("a group");
        change(group);
        group.updated = now;
    }

    /// Deletes a group as another client would.
    pub fn remove(&self, team: Option<&str>, project: &str, id: &str) {
        let mut store = self.store();
        let project = store.project(team, project).expect("a project");
        project.retain(|group| group.id != id);
    }

    /// The variables of a group of [`PROJECT`], or nothing.
    pub fn variables(&self, id: &str) -> Map<String, Value> {
        let group = self.get(None, PROJECT, id);
        group.map(|group| group.variables()).unwrap_or_default()
    }

    /// A variable of a group of [`PROJECT`].
    pub fn variable(&self, id: &str, name: &str) -> Option<String> {
        let variables = self.variables(id);
        variables.get(name)?.as_str().map(str::to_owned)
    }

    /// Creates a group of [`PROJECT`] with these variables and returns its id.
    pub fn put_variables(&self, name: &str, variables: Value) -> String {
        let fields = json!({
            "name": name, "secretType": "environment", "priority": 10,
            "secrets": {"variables": variables, "files": {}},
        });
        self.put(None, PROJECT, fields)
    }
}

struct Api(Groups);

impl Service for Api {
    fn answer(&self, request: &Request, _clock: &Clock) -> Answer {
        let mut store = self.0.store();
        let answer = match store.limit.admit(request.time) {
            true => answer(&mut store, request),
            false => refuse(429, "Rate limit exceeded", json!({})),
        };
        // The three headers are "on every answer".
        store.limit.tell(answer, request.time)
    }
}

fn answer(store: &mut Store, request: &Request) -> Answer {
    if request.header("authorization") != Some(&format!("Bearer {API_TOKEN}")) {
        return refuse(401, "Invalid authorization token", json!({}));
    }
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    // "Team scope: the same under `/v1/teams/{teamId}/projects/…`."
    let (team, name, rest) = match path.as_slice() {
        ["v1", "projects", project, "secrets", rest @ ..] => (None, *project, rest),
        [
            "v1",
            "teams",
            team,
            "projects",
            project,
            "secrets",
            rest @ ..,
        ] => (Some(*team), *project, rest),
        _ => return refuse(404, "Route not found", json!({})),
    };
    if store.project(team, name).is_none() {
        return refuse(404, "Project not found", json!({}));
    }
    if store.read_only && request.method != "GET" {
        return refuse(403, "Project > Secrets > General is not granted", json!({}));
    }
    let (shows, post) = (store.shows, store.post);
    match (request.method.as_str(), rest) {
        ("POST", []) => return create(store, team, name, request, false),
        ("PUT", []) => return create(store, team, name, request, true),
        ("PATCH", [id]) => {
            let mode = store.update;
            return update(store, team, name, id, request, mode);
        }
        ("POST", [id]) => {
            return match post {
                Post::Updates(mode) => update(store, team, name, id, request, mode),
                Post::Missing(status) => refuse(status, "Method not allowed", json!({})),
            };
        }
        ("DELETE", [_]) if store.deletes_nothing => return data(&json!({})),
        _ => {}
    }
    let now = store.ticks.next();
    let project = store.project(team, name).expect("checked");
    match (request.method.as_str(), rest) {
        ("GET", []) => list(project, request, shows),
        ("GET", [id]) => get(project, id, request, shows),
        ("GET", [id, "details"]) => details(project, id, shows),
        ("DELETE", [id]) => delete(project, id),
        (method @ ("GET" | "POST" | "DELETE"), [id, "addons", addon]) => {
            link(project, id, addon, method, request, &now)
        }
        (_, [] | [_] | [_, "details"] | [_, "addons", _]) => {
            refuse(405, "Method not allowed", json!({}))
        }
        _ => refuse(404, "Route not found", json!({})),
    }
}

/// List: "per_page at most 100, default 50; the last page omits `cursor`". No values.
fn list(project: &Project, request: &Request, shows: Shows) -> Answer {
    let number = |name: &str, default| match request.parameter(name) {
        None => Some(default),
        Some(text) => text.parse::<usize>().ok(),
    };
    let Some(per_page @ 1..=100) = number("per_page", 50) else {
        return refuse(400, "per_page must be from 1 to 100", json!({}));
    };
    let Some(page @ 1..) = number("page", 1) else {
        return refuse(400, "page must be at least 1", json!({}));
    };
    // A cursor is the last id of the page before, in a form of the server's own.
    let start = match request.parameter("cursor") {
        None => (page - 1) * per_page,
        Some(cursor) => {
            let last = |group: &Group| cursor_of(&group.id) == cursor;
            match project.iter().position(last) {
                Some(last) => last + 1,
                None => return refuse(400, "Invalid cursor", json!({})),
            }
        }
    };
    let shown: Vec<&Group> = project.iter().skip(start).take(per_page).collect();
    let more = start + shown.len() < project.len();
    let mut pagination = json!({"hasNextPage": more, "count": shown.len()});
    if let Some(last) = shown.last().filter(|_| more) {
        pagination["cursor"] = json!(cursor_of(&last.id));
    }
    let secrets: Vec<Value> = shown.iter().map(|group| group.listed(shows)).collect();
    let body = json!({"data": {"secrets": secrets}, "pagination": pagination});
    Answer::json(200, &body)
}

/// Get, values included: `?show=this` (or `inherited`, `all`). Without it, `all` is taken, so
/// that a client cannot do without saying which values it means.
fn get(project: &Project, id: &str, request: &Request, shows: Shows) -> Answer {
    let Some(group) = project.iter().find(|group| group.id == id) else {
        return not_found();
    };
    let show = request.parameter("show").unwrap_or_else(|| "all".into());
    match show.as_str() {
        "this" => data(&group.with_values(shows, true, false)),
        "inherited" => data(&group.with_values(shows, false, true)),
        "all" => data(&group.with_values(shows, true, true)),
        _ => refuse(400, "show must be this, inherited or all", json!({})),
    }
}

/// Details, "with addons".
fn details(project: &Project, id: &str, shows: Shows) -> Answer {
    match project.iter().find(|group| group.id == id) {
        Some(group) => data(&group.details(shows)),
        None => not_found(),
    }
}

/// "`GET|POST|DELETE …/secrets/{id}/addons/{addonId}` reads and sets the keys of a link." An addon
/// exists where any group links it.
fn link(
    project: &mut Project,
    id: &str,
    addon: &str,
    method: &str,
    request: &Request,
    now: &str,
) -> Answer {
    let exists = project.iter().any(|group| group.link(addon).is_some());
    let Some(group) = project.iter_mut().find(|group| group.id == id) else {
        return not_found();
    };
    if !exists && method != "POST" {
        return refuse(404, "Addon not found", json!({}));
    }
    let with_default = |keys: &Value| -> Value {
        let keys = keys.as_array().cloned().unwrap_or_default();
        let keys = keys.into_iter().map(|mut key| {
            key["defaultKey"] = json!(format!("NF_{}", key["keyName"].as_str().unwrap_or("")));
            key
        });
        keys.collect()
    };
    match method {
        "GET" => {
            let keys = group.link(addon);
            let mut shown = json!({
                "secretName": group.fields["name"], "secretId": group.id, "addonName": addon,
                "addonId": addon, "addonType": "mongodb", "linked": keys.is_some(),
                "availableKeys": ["USERNAME", "PASSWORD", "HOST"],
            });
            if let Some(keys) = keys {
                shown["linkedKeys"] = with_default(&keys);
            }
            data(&shown)
        }
        "POST" => {
            let body = match fields(request) {
                Ok(body) => body,
                Err(answer) => return answer,
            };
            let links = json!([{"addonId": addon, "keys": body.get("keys")}]);
            let links = Map::from_iter([("addonDependencies".to_owned(), links)]);
            if let Err(broken) = rules::check_fields(&links, Names::Current) {
                return invalid(broken);
            }
            let keys = body["keys"].clone();
            group.set_link(addon, Some(keys.clone()));
            group.updated = now.to_owned();
            data(&json!({"keys": with_default(&keys)}))
        }
        _ => {
            group.set_link(addon, None);
            group.updated = now.to_owned();
            data(&json!({}))
        }
    }
}

/// Create, or with `replace` create or replace, "name in the body". "409: a secret with the same
/// derived id exists."
fn create(
    store: &mut Store,
    team: Option<&str>,
    project: &str,
    request: &Request,
    replace: bool,
) -> Answer {
    let fields = match fields(request) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    if let Err(broken) = rules::check_whole(&fields, store.names) {
        return invalid(broken);
    }
    let mut fields = fields;
    if replace {
        let unknown = fields.keys().find(|field| !PUT.contains(&field.as_str()));
        if let Some(field) = unknown.filter(|_| store.strict_put).cloned() {
            return invalid((field, "is not known".to_owned()));
        }
        fields.retain(|field, _| PUT.contains(&field.as_str()));
    }
    let mut group = store.make(fields, project);
    let groups = store.project(team, project).expect("checked");
    let found = groups.iter().position(|found| found.id == group.id);
    match found {
        Some(at) if replace => {
            group.created = groups[at].created.clone();
            groups[at] = group.clone();
        }
        Some(_) => {
            let message = "There is already a secret with the same derived identifier";
            return refuse(409, message, json!({}));
        }
        None => groups.push(group.clone()),
    }
    data(&group.whole())
}

/// Update: fields that are not named stay. Of those inside `secrets` see [`Update`]. The one by
/// POST "has neither `name`, `tags` nor `stageId`", and its answer says nothing.
fn update(
    store: &mut Store,
    team: Option<&str>,
    project: &str,
    id: &str,
    request: &Request,
    mode: Update,
) -> Answer {
    let fields = match fields(request) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let (names, shows) = (store.names, store.shows);
    if let Err(broken) = rules::check_fields(&fields, names) {
        return invalid(broken);
    }
    let by_post = request.method == "POST";
    let unknown = |field: &&String| ["name", "tags", "stageId"].contains(&field.as_str());
    if let Some(field) = fields.keys().find(unknown).filter(|_| by_post) {
        return invalid((field.clone(), "is not known".to_owned()));
    }
    let now = store.ticks.next();
    let groups = store.project(team, project).expect("checked");
    let Some(group) = groups.iter_mut().find(|group| group.id == id) else {
        return not_found();
    };
    group.update(fields, mode);
    group.updated = now;
    match by_post {
        true => Answer::json(200, &json!({})),
        false => data(&group.with_values(shows, true, false)),
    }
}

/// Delete → `{"data":{}}`.
fn delete(project: &mut Project, id: &str) -> Answer {
    let before = project.len();
    project.retain(|group| group.id != id);
    match project.len() < before {
        true => data(&json!({})),
        false => not_found(),
    }
}

fn fields(request: &Request) -> Result<Map<String, Value>, Answer> {
    let body = request.declares_json().then(|| request.json()).flatten();
    match body {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(refuse(
            400,
            "The body must be a JSON object, declared as such",
            json!({}),
        )),
    }
}

fn cursor_of(id: &str) -> String {
    let hex = id.bytes().map(|byte| format!("{byte:02x}"));
    format!("c={}+/", hex.collect::<String>())
}

fn data(data: &Value) -> Answer {
    Answer::json(200, &json!({"data": data}))
}

fn not_found() -> Answer {
    refuse(404, "Secret not found", json!({}))
}

fn invalid((field, rule): rules::Broken) -> Answer {
    let details = json!({"field": field, "rule": rule});
    refuse(400, &format!("Invalid request: {field} {rule}"), details)
}

/// `{"error":{"status","message","id","details"}}`.
fn refuse(status: u16, message: &str, details: Value) -> Answer {
    let id = match status {
        400 => "bad-request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        409 => "conflict",
        _ => "error",
    };
    let error = json!({"status": status, "message": message, "id": id, "details": details});
    Answer::json(status, &json!({"error": error}))
}
