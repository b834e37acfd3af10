//! ByteNite's secrets: values go in and never come out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::backend::{Backend, Keeps};
use super::{Answer, Fault, Request};

/// The API key that the server knows at first.
pub const API_KEY: &str = "bytenite-api-key-for-tests";

/// A ByteNite of its own.
pub type ByteNite = Backend<State>;

/// What `POST /v1/auth/access_token` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Gives a token; the API key itself is no authorization.
    Token,
    /// Does not exist and answers with this status (404, 405); the API key is the authorization.
    Missing(u16),
}

/// How `expiresIn` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// `"3600"`, as the guides show it.
    Text,
    /// `3600`.
    Number,
    /// Not at all.
    Absent,
}

/// What ByteNite keeps.
pub struct State {
    secrets: BTreeMap<(String, String), Secret>,
    api_key: String,
    exchange: Exchange,
    expires_in: ExpiresIn,
    token_lifetime: i64,
    /// Good tokens and when each expires.
    tokens: BTreeMap<String, i64>,
    exchanges: usize,
    answers: usize,
    read_only: bool,
    /// Whether writes and deletes are answered and not carried out.
    does_nothing: bool,
    /// Whether a list without secrets is `{}`.
    leaves_out_empty: bool,
}

#[derive(Clone)]
struct Secret {
    /// What the list shows.
    shown: Map<String, Value>,
    key: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            secrets: BTreeMap::new(),
            api_key: API_KEY.into(),
            exchange: Exchange::Token,
            expires_in: ExpiresIn::Text,
            token_lifetime: 3600,
            tokens: BTreeMap::new(),
            exchanges: 0,
            answers: 0,
            read_only: false,
            does_nothing: false,
            leaves_out_empty: false,
        }
    }
}

impl ByteNite {
    /// The secret key stored under a type and id.
    pub fn secret_key(&self, secret_type: &str, id: &str) -> Option<String> {
        let found = self.kept().secrets.get(&key_of(secret_type, id)).cloned();
        found.map(|secret| secret.key)
    }

    /// What the list shows of a secret.
    pub fn shown(&self, secret_type: &str, id: &str) -> Option<Value> {
        let found = self.kept().secrets.get(&key_of(secret_type, id)).cloned();
        found.map(|secret| Value::Object(secret.shown))
    }

    /// The names of all secrets as `TYPE/ID`.
    pub fn names(&self) -> Vec<String> {
        let state = self.kept();
        let names = state.secrets.keys();
        names.map(|(kind, id)| format!("{kind}/{id}")).collect()
    }

    /// Stores a secret; `fields` are shown beside its id and type.
    pub fn put(&self, secret_type: &str, id: &str, key: &str, fields: Value) {
        let mut shown = fields.as_object().cloned().unwrap_or_default();
        shown.insert("id".into(), id.into());
        shown.insert("secretType".into(), secret_type.into());
        let secret = Secret {
            shown,
            key: key.into(),
        };
        self.kept().secrets.insert(key_of(secret_type, id), secret);
    }

    /// The one API key that is good from now on ([`API_KEY`]).
    pub fn set_api_key(&self, api_key: &str) {
        self.kept().api_key = api_key.into();
    }

    /// What the exchange of the API key does (gives a token).
    pub fn set_exchange(&self, exchange: Exchange) {
        self.kept().exchange = exchange;
    }

    /// How `expiresIn` is written (as text).
    pub fn set_expires_in(&self, expires_in: ExpiresIn) {
        self.kept().expires_in = expires_in;
    }

    /// How long tokens issued from now on are good for, in seconds (3600).
    pub fn set_token_lifetime(&self, seconds: i64) {
        self.kept().token_lifetime = seconds;
    }

    /// Whether writing and deleting are forbidden to this account (no).
    pub fn set_read_only(&self, read_only: bool) {
        self.kept().read_only = read_only;
    }

    /// Whether writes and deletes are answered and not carried out (no).
    pub fn set_does_nothing(&self, nothing: bool) {
        self.kept().does_nothing = nothing;
    }

    /// Whether a list leaves out what is empty, as gateways do (no).
    pub fn set_leaves_out_empty(&self, leaves_out: bool) {
        self.kept().leaves_out_empty = leaves_out;
    }

    /// How many tokens were given.
    pub fn exchanges(&self) -> usize {
        self.kept().exchanges
    }

    /// No token issued so far is good any more.
    pub fn revoke_tokens(&self) {
        self.kept().tokens.clear();
    }

    /// "`ok: false` in a 200 is a failure": such an answer, for POST and DELETE.
    pub fn not_ok(code: i64, message: &str) -> Fault {
        Fault::Answer(Answer::json(200, &outcome("req-not-ok", code, message)))
    }
}

impl Keeps for State {
    fn answer(&mut self, request: &Request) -> Answer {
        self.answers += 1;
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("POST", ["v1", "auth", "access_token"]) => return self.exchange(request),
            ("GET" | "POST", ["v1", "auth", "secrets"]) => {}
            ("DELETE", ["v1", "auth", "secrets", _, _]) => {}
            (_, ["v1", "auth", "access_token" | "secrets"]) => {
                return refuse(405, 12, "not allowed");
            }
            (_, ["v1", "auth", "secrets", _, _]) => return refuse(405, 12, "not allowed"),
            _ => return refuse(404, 5, "Not Found"),
        }
        if let Err(answer) = self.authorize(request) {
            return answer;
        }
        match (request.method.as_str(), path.as_slice()) {
            ("DELETE", [.., kind, id]) => self.remove(kind, id),
            ("POST", _) => self.save(request),
            _ => self.list(request),
        }
    }
}

impl State {
    /// The vendor's guides: `POST /v1/auth/access_token` `{"apiKey"}` → `{"token", "expiresIn"}`.
    fn exchange(&mut self, request: &Request) -> Answer {
        if let Exchange::Missing(status) = self.exchange {
            return refuse(status, 5, "Not Found");
        }
        let Some(Value::Object(body)) = json_body(request) else {
            return refuse(400, 3, "malformed request");
        };
        let known = body.len() == 1 && body.get("apiKey").is_some_and(Value::is_string);
        if !known {
            return refuse(400, 3, "apiKey is required, and nothing else is known");
        }
        if body["apiKey"] != self.api_key {
            return refuse(401, 16, "invalid API key");
        }
        self.exchanges += 1;
        // The signs that tokens may hold; none of them is a scheme word.
        let token = format!("bn.{:06}-x_y/z+w=", self.exchanges);
        let expires = request.time + self.token_lifetime;
        self.tokens.insert(token.clone(), expires);
        let mut body = json!({"token": token});
        match self.expires_in {
            ExpiresIn::Text => body["expiresIn"] = json!(self.token_lifetime.to_string()),
            ExpiresIn::Number => body["expiresIn"] = json!(self.token_lifetime),
            ExpiresIn::Absent => {}
        }
        Answer::json(200, &body)
    }

    /// "`Authorization: <token>` without a scheme word."
    fn authorize(&self, request: &Request) -> Result<(), Answer> {
        let sent = request.header("authorization").unwrap_or_default();
        let good = match self.exchange {
            Exchange::Token => self
                .tokens
                .get(sent)
                .is_some_and(|expires| *expires > request.time),
            Exchange::Missing(_) => sent == self.api_key,
        };
        if !good {
            return Err(refuse(401, 16, "the user is not authenticated"));
        }
        if self.read_only && request.method != "GET" {
            return Err(refuse(403, 7, "the user does not have permission"));
        }
        Ok(())
    }

    /// "List available secrets", of one type where `secretType` is given. Never a secret key.
    fn list(&self, request: &Request) -> Answer {
        let wanted = request
            .parameter("secretType")
            .filter(|kind| !kind.is_empty());
        let query = request.query.as_deref().unwrap_or_default();
        let mut pairs = query.split('&').filter(|pair| !pair.is_empty());
        let known = pairs.all(|pair| pair.starts_with("secretType="));
        if !known {
            return refuse(400, 3, "unknown query parameter");
        }
        let secrets = self.secrets.iter();
        let secrets: Vec<&Map<String, Value>> = secrets
            .filter(|((kind, _), _)| wanted.as_ref().is_none_or(|wanted| wanted == kind))
            .map(|(_, secret)| &secret.shown)
            .collect();
        match secrets.is_empty() && self.leaves_out_empty {
            true => Answer::json(200, &json!({})),
            false => Answer::json(200, &json!({"secrets": secrets})),
        }
    }

    /// "Create or update a secret": what was stored under the type and id is replaced whole.
    fn save(&mut self, request: &Request) -> Answer {
        let body = match json_body(request) {
            Some(body) => body,
            None => return self.malformed("the body is no JSON, or not declared to be"),
        };
        match check(&body) {
            Err(reason) => self.malformed(&reason),
            Ok(_) if self.does_nothing => self.done("secret saved"),
            Ok((kind, id, secret)) => {
                self.secrets.insert((kind, id), secret);
                self.done("secret saved")
            }
        }
    }

    /// "Remove a secret."
    fn remove(&mut self, kind: &str, id: &str) -> Answer {
        if self.does_nothing {
            return self.done("secret removed");
        }
        match self.secrets.remove(&key_of(kind, id)) {
            Some(_) => self.done("secret removed"),
            None => {
                let body = outcome(&self.request_id(), 5, "the secret does not exist");
                Answer::json(404, &body)
            }
        }
    }

    fn request_id(&self) -> String {
        format!("req-{}", self.answers)
    }

    fn done(&self, message: &str) -> Answer {
        let body = json!({
            "ok": true, "requestId": self.request_id(), "message": message, "error": null
        });
        Answer::json(200, &body)
    }

    fn malformed(&self, reason: &str) -> Answer {
        Answer::json(400, &outcome(&self.request_id(), 3, reason))
    }
}

fn key_of(secret_type: &str, id: &str) -> (String, String) {
    (secret_type.to_owned(), id.to_owned())
}

fn json_body(request: &Request) -> Option<Value> {
    request.declares_json().then(|| request.json()).flatten()
}

/// Checks the body of a POST against the page; unknown fields are refused.
fn check(body: &Value) -> Result<(String, String, Secret), String> {
    let unknown = |object: &Map<String, Value>, known: &[&str]| {
        let unknown = object.keys().find(|key| !known.contains(&key.as_str()));
        unknown.map_or(Ok(()), |key| Err(format!("unknown field {key:?}")))
    };
    let body = body.as_object().ok_or("the body is no object")?;
    unknown(body, &["secret", "secretKey"])?;
    let key = body.get("secretKey").and_then(Value::as_str);
    let key = key
        .filter(|key| !key.is_empty())
        .ok_or("secretKey is required")?;
    let secret = body.get("secret").and_then(Value::as_object);
    let mut shown = secret.ok_or("secret is required")?.clone();
    let known = [
        "id",
        "secretType",
        "name",
        "accessKey",
        "expiresAt",
        "params",
    ];
    unknown(&shown, &known)?;
    for field in &known[..5] {
        if shown.get(*field).is_some_and(|value| !value.is_string()) {
            return Err(format!("{field} must be a string"));
        }
    }
    if shown
        .get("params")
        .is_some_and(|params| !params.is_object())
    {
        return Err("params must be an object".into());
    }
    let mut required = ["secretType", "id"].into_iter().map(|field| {
        let text = shown.get(field).and_then(Value::as_str);
        let text = text.filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or(format!("{field} is required"))
    });
    let (kind, id) = (required.next().unwrap()?, required.next().unwrap()?);
    // "`other`: free secrets with a `secretKey` alone."
    if kind == "other" && shown.contains_key("accessKey") {
        return Err("a secret of the type other has no accessKey".into());
    }
    if let Some(time) = shown.get("expiresAt").and_then(Value::as_str) {
        let time: Timestamp = time.parse().map_err(|_| "expiresAt must be RFC 3339")?;
        // As the page shows them: in UTC, to the millisecond.
        shown.insert("expiresAt".into(), format!("{time:.3}").into());
    }
    let key = key.to_owned();
    Ok((kind, id, Secret { shown, key }))
}

/// The documented body of POST and DELETE, for a failure.
fn outcome(request_id: &str, code: i64, message: &str) -> Value {
    json!({
        "ok": false,
        "requestId": request_id,
        "message": message,
        "error": {"code": code, "message": message, "description": "see the documentation"},
    })
}

/// The default error body, which the page does not show: code, message and details.
fn refuse(status: u16, code: i64, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"code": code, "message": message, "details": []}),
    )
}
