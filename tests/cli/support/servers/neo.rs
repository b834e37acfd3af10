//! Neo Service Layer's secrets: created and deleted, never read and never updated.

use serde_json::{Value, json};

use super::backend::{Backend, Keeps};
use super::clock::Ticks;
use super::limit::{RateLimit, Reset};
use super::{Answer, Request};

/// The API key that the server knows.
pub const API_KEY: &str = "neo-api-key-for-tests";

/// How many secrets are listed when `limit` is not given.
const DEFAULT_LIMIT: usize = 20;
/// How many are listed at most, whatever `limit` says.
const MAX_LIMIT: usize = 100;

/// A Neo Service Layer of its own.
pub type Neo = Backend<State>;

/// One secret as the server keeps it.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its id, `sec_` and nine digits.
    pub id: String,
    /// Its name; no two are the same.
    pub name: String,
    /// Its value, which no answer tells.
    pub value: String,
    /// What was said of it.
    pub description: Option<String>,
    created: String,
}

/// What the list makes of `limit` and `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// It follows them.
    Followed,
    /// It ignores them: the first twenty, each time, under `limit` 20 and `offset` 0.
    Ignored,
    /// It ignores them and lists everything at once.
    Everything,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// As the page has it.
    Documented,
    /// As a bare array.
    Array,
    /// As the page has it, with times in snake case.
    SnakeCase,
    /// As the page has it, without `secrets` where there are none.
    LeavesOutEmpty,
    /// As the page has it, with `null` where there are none.
    NullForEmpty,
}

/// How a success is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// As the page has it; a create with 201.
    Documented,
    /// The same, a create with 200.
    With200,
    /// 204 and nothing.
    NoContent,
    /// `{"status":"ok"}`.
    StatusOk,
}

/// What Neo keeps.
pub struct State {
    secrets: Vec<Secret>,
    next_id: u64,
    ticks: Ticks,
    paging: Paging,
    lists: Lists,
    tells: Tells,
    /// Whether creates and deletes are answered and not carried out.
    does_nothing: bool,
    read_only: bool,
    limit: RateLimit,
}

impl Default for State {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            next_id: 123_456_789,
            ticks: Ticks::default(),
            paging: Paging::Followed,
            lists: Lists::Documented,
            tells: Tells::Documented,
            does_nothing: false,
            read_only: false,
            limit: RateLimit::new(u64::MAX, 60, Reset::Seconds),
        }
    }
}

impl Neo {
    /// All secrets, the newest first, as the list has them.
    pub fn secrets(&self) -> Vec<Secret> {
        self.kept().secrets.iter().rev().cloned().collect()
    }

    /// The secret of this name.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        let state = self.kept();
        state
            .secrets
            .iter()
            .find(|secret| secret.name == name)
            .cloned()
    }

    /// The value of the secret of this name.
    pub fn value(&self, name: &str) -> Option<String> {
        self.secret(name).map(|secret| secret.value)
    }

    /// Stores a secret and returns its id.
    pub fn put(&self, name: &str, value: &str) -> String {
        self.kept().add(name, value, None).id
    }

    /// Deletes the secret of this name, as somebody else would.
    pub fn remove(&self, name: &str) {
        self.kept().secrets.retain(|secret| secret.name != name);
    }

    /// What the list makes of `limit` and `offset` (it follows them).
    pub fn set_paging(&self, paging: Paging) {
        self.kept().paging = paging;
    }

    /// How a list is written (as the page has it).
    pub fn set_lists(&self, lists: Lists) {
        self.kept().lists = lists;
    }

    /// How a success is told (as the page has it).
    pub fn set_tells(&self, tells: Tells) {
        self.kept().tells = tells;
    }

    /// Whether creates and deletes are answered and not carried out (no).
    pub fn set_does_nothing(&self, nothing: bool) {
        self.kept().does_nothing = nothing;
    }

    /// Whether creating and deleting are forbidden to this key (no).
    pub fn set_read_only(&self, read_only: bool) {
        self.kept().read_only = read_only;
    }

    /// Admits so many requests every so many seconds (any number).
    pub fn set_rate_limit(&self, limit: u64, window: i64, reset: Reset) {
        self.kept().limit = RateLimit::new(limit, window, reset);
    }
}

impl Keeps for State {
    fn answer(&mut self, request: &Request) -> Answer {
        // "Rate limit 429 with `X-RateLimit-Remaining` and `X-RateLimit-Reset`."
        let answer = match self.limit.admit(request.time) {
            true => self.within_limit(request),
            false => refuse(429, "RATE_LIMITED", "Too many requests"),
        };
        self.limit.tell(answer, request.time)
    }
}

impl State {
    fn within_limit(&mut self, request: &Request) -> Answer {
        // "401 UNAUTHORIZED: Invalid or missing API key."
        if request.header("authorization") != Some(&format!("Bearer {API_KEY}")) {
            return refuse(401, "UNAUTHORIZED", "Invalid or missing API key");
        }
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["v1", "secrets"]) => self.list(request),
            ("POST" | "DELETE", ["v1", "secrets", ..]) if self.read_only => {
                refuse(403, "FORBIDDEN", "Insufficient permissions")
            }
            ("POST", ["v1", "secrets"]) => self.create(request),
            ("DELETE", ["v1", "secrets", id]) => self.delete(id),
            // "The page speaks of retrieving and updating too, but documents neither."
            (_, ["v1", "secrets"]) => refuse(405, "METHOD_NOT_ALLOWED", "Method not allowed"),
            _ => refuse(404, "NOT_FOUND", "There is no such endpoint"),
        }
    }

    /// "Retrieves a list of secrets in your account, without their values."
    fn list(&self, request: &Request) -> Answer {
        let number = |name: &str, default: usize| match request.parameter(name) {
            None => Some(default),
            Some(text) => text.parse().ok(),
        };
        let (limit, offset) = match (number("limit", DEFAULT_LIMIT), number("offset", 0)) {
            (Some(limit @ 1..), Some(offset)) => (limit, offset),
            _ => return refuse(400, "INVALID_REQUEST", "limit or offset is out of range"),
        };
        let (limit, offset) = match self.paging {
            Paging::Followed => (limit.min(MAX_LIMIT), offset),
            Paging::Ignored => (DEFAULT_LIMIT, 0),
            Paging::Everything => (self.secrets.len().max(1), 0),
        };
        let newest_first = self.secrets.iter().rev();
        let secrets: Vec<Value> = newest_first
            .skip(offset)
            .take(limit)
            .map(|secret| {
                let (created, updated) = match self.lists {
                    Lists::SnakeCase => ("created_at", "updated_at"),
                    _ => ("createdAt", "updatedAt"),
                };
                json!({
                    "id": secret.id,
                    "name": secret.name,
                    created: secret.created,
                    updated: secret.created,
                })
            })
            .collect();
        let pagination = json!({"total": self.secrets.len(), "limit": limit, "offset": offset});
        let body = match self.lists {
            Lists::Array => json!(secrets),
            Lists::LeavesOutEmpty if secrets.is_empty() => json!({ "pagination": pagination }),
            Lists::NullForEmpty if secrets.is_empty() => json!({"secrets": null}),
            _ => json!({"secrets": secrets, "pagination": pagination}),
        };
        Answer::json(200, &body)
    }

    /// "Creates a new secret in your account."
    fn create(&mut self, request: &Request) -> Answer {
        let invalid = |reason: &str| refuse(400, "INVALID_REQUEST", reason);
        let body = request.declares_json().then(|| request.json()).flatten();
        let Some(Value::Object(body)) = body else {
            return invalid("The body must be a JSON object, declared as such");
        };
        let known = ["name", "value", "description"];
        if body.keys().any(|key| !known.contains(&key.as_str())) {
            return invalid("The body holds an unknown parameter");
        }
        let text = |field: &str| body.get(field).and_then(Value::as_str);
        let (Some(name), Some(value)) =
            (text("name").filter(|name| !name.is_empty()), text("value"))
        else {
            return invalid("name and value are required");
        };
        let described = body.get("description").is_none_or(Value::is_string);
        if !described {
            return invalid("description must be a string");
        }
        // "409 CONFLICT: A secret with the same name already exists."
        if self.secrets.iter().any(|secret| secret.name == name) {
            return refuse(
                409,
                "CONFLICT",
                "A secret with the same name already exists",
            );
        }
        let secret = self.add(name, value, text("description"));
        if self.does_nothing {
            self.secrets.pop();
        }
        let mut body = json!({
            "id": secret.id,
            "name": secret.name,
            "createdAt": secret.created,
            "updatedAt": secret.created,
        });
        if let Some(description) = secret.description {
            body["description"] = json!(description);
        }
        self.told(201, &body)
    }

    /// "Permanently deletes a secret": by its id, never by its name.
    fn delete(&mut self, id: &str) -> Answer {
        let Some(at) = self.secrets.iter().position(|secret| secret.id == id) else {
            return refuse(404, "NOT_FOUND", "The requested secret was not found");
        };
        if !self.does_nothing {
            self.secrets.remove(at);
        }
        let body = json!({"success": true, "message": "Secret deleted successfully"});
        self.told(200, &body)
    }

    /// A success, in the words in which this server tells it.
    fn told(&self, status: u16, body: &Value) -> Answer {
        match self.tells {
            Tells::Documented => Answer::json(status, body),
            Tells::With200 => Answer::json(200, body),
            Tells::NoContent => Answer::status(204),
            Tells::StatusOk => Answer::json(200, &json!({"status": "ok"})),
        }
    }

    fn add(&mut self, name: &str, value: &str, description: Option<&str>) -> Secret {
        let secret = Secret {
            id: format!("sec_{}", self.next_id),
            name: name.into(),
            value: value.into(),
            description: description.map(Into::into),
            created: self.ticks.next(),
        };
        self.next_id += 1;
        self.secrets.push(secret.clone());
        secret
    }
}

/// `{"error":{"code","message","details"}}` with the codes of the page.
fn refuse(status: u16, code: &str, message: &str) -> Answer {
    let error = json!({"code": code, "message": message, "details": {}});
    Answer::json(status, &json!({"error": error}))
}
