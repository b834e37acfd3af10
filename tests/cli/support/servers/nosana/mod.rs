//! The Nosana Secret Manager, as its page documents it and as the running server was observed.

use std::collections::BTreeMap;
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value, json};

mod jobs;

pub use jobs::{Job, Visible};

use super::backend::{Backend, Keeps};
use super::jwt;
use super::{Answer, Request};

/// A body of more bytes than this is refused.
pub const MAX_BODY: usize = 1_048_576;

/// A Secret Manager of its own.
pub type Nosana = Backend<Data>;

/// What the Secret Manager keeps.
pub struct Data {
    secrets: BTreeMap<String, Map<String, Value>>,
    jobs: BTreeMap<String, Job>,
    logins: usize,
    key: Vec<u8>,
    revoked_keys: Vec<Vec<u8>>,
    token_lifetime: i64,
    tolerance: i64,
    cost_per_name: Duration,
    folds_names: bool,
    lists_at_most: usize,
    longest_name: usize,
    longest_value: usize,
    many: Many,
    ignores_deletes: bool,
    answers_by_name: bool,
}

/// What becomes of `{"key": [names…]}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// All are deleted.
    Known,
    /// None is, and the answer is `OK`.
    Ignored,
    /// None is, and the answer is an internal error.
    Failing,
}

/// Stands in a value for half of a character, which a string of Rust cannot hold and one of
/// JavaScript can: the server writes it `\ud800`.
pub const HALF_CHARACTER: char = '\u{e000}';

impl Default for Data {
    fn default() -> Self {
        Self {
            secrets: BTreeMap::new(),
            jobs: BTreeMap::new(),
            logins: 0,
            key: b"the server's key, number 1".to_vec(),
            revoked_keys: Vec::new(),
            token_lifetime: 3600,
            tolerance: 3600,
            cost_per_name: Duration::ZERO,
            folds_names: false,
            lists_at_most: usize::MAX,
            longest_name: usize::MAX,
            longest_value: usize::MAX,
            many: Many::Known,
            ignores_deletes: false,
            answers_by_name: true,
        }
    }
}

impl Nosana {
    /// What it stores for an address.
    pub fn secrets(&self, address: &str) -> Map<String, Value> {
        let data = self.kept();
        data.secrets.get(address).cloned().unwrap_or_default()
    }

    /// Stores a value for an address.
    pub fn put(&self, address: &str, name: &str, value: impl Into<Value>) {
        let mut data = self.kept();
        let secrets = data.secrets.entry(address.into()).or_default();
        secrets.insert(name.into(), value.into());
    }

    /// Deletes a value of an address.
    pub fn remove(&self, address: &str, name: &str) {
        if let Some(secrets) = self.kept().secrets.get_mut(address) {
            secrets.remove(name);
        }
    }

    /// How many logins succeeded.
    pub fn logins(&self) -> usize {
        self.kept().logins
    }

    /// Adds a job under this address.
    pub fn put_job(&self, address: &str, job: Job) {
        self.kept().jobs.insert(address.into(), job);
    }

    /// How long tokens issued from now on are good for, in seconds (3600).
    pub fn set_token_lifetime(&self, seconds: i64) {
        self.kept().token_lifetime = seconds;
    }

    /// How far a login's timestamp may be off, in seconds (3600; earlier servers: 60).
    pub fn set_tolerance(&self, seconds: i64) {
        self.kept().tolerance = seconds;
    }

    /// How long storing costs for each name (nothing; the real server: about 15 ms).
    pub fn set_cost_per_name(&self, cost: Duration) {
        self.kept().cost_per_name = cost;
    }

    /// Names are equal whatever their case, accents and spaces at the end, as on MySQL.
    pub fn fold_names(&self) {
        self.kept().folds_names = true;
    }

    /// Lists no more secrets than these, as on Redis beside other tenants' keys.
    pub fn list_at_most(&self, secrets: usize) {
        self.kept().lists_at_most = secrets;
    }

    /// Storing a longer name is an internal error, as on PostgreSQL; those before it are stored.
    pub fn set_longest_name(&self, bytes: usize) {
        self.kept().longest_name = bytes;
    }

    /// Storing a longer string is an internal error, as on MySQL.
    pub fn set_longest_value(&self, bytes: usize) {
        self.kept().longest_value = bytes;
    }

    /// What becomes of a request to delete many.
    pub fn set_many(&self, many: Many) {
        self.kept().many = many;
    }

    /// Answers `OK` to deletes, and does nothing.
    pub fn ignore_deletes(&self, ignores: bool) {
        self.kept().ignores_deletes = ignores;
    }

    /// Knows the list alone, and no `GET /secrets/NAME`.
    pub fn answer_no_names(&self) {
        self.kept().answers_by_name = false;
    }

    /// Every token issued so far counts as expired, whatever it says itself.
    pub fn revoke_tokens(&self) {
        let mut data = self.kept();
        let key = data.next_key();
        let revoked = std::mem::replace(&mut data.key, key);
        data.revoked_keys.push(revoked);
    }

    /// Signs with another key from now on: earlier tokens have an `invalid signature`.
    pub fn rotate_key(&self) {
        let mut data = self.kept();
        data.key = data.next_key();
    }

    /// A good token for an address, without a login.
    pub fn token(&self, address: &str) -> String {
        let data = self.kept();
        data.token(self.clock().now(), address, None)
    }
}

impl Data {
    /// A key that was not used before.
    fn next_key(&self) -> Vec<u8> {
        [&self.key[..], b"'"].concat()
    }

    /// "The JWT is HS256 with `address`, `iat`, `exp`." One for a job also says whose secrets it
    /// opens, and which: as they were at the login.
    fn token(&self, now: i64, address: &str, job: Option<(&str, Option<&[String]>)>) -> String {
        let exp = now + self.token_lifetime;
        let mut claims = json!({"address": address, "iat": now, "exp": exp});
        if let Some((project, secrets)) = job {
            claims["userAddress"] = json!(project);
            if let Some(secrets) = secrets {
                claims["secrets"] = json!(secrets);
            }
        }
        jwt::sign(&claims, &self.key)
    }

    /// "Auth failures are 403, never 401."
    fn claims(&self, authorization: &str, now: i64) -> Result<Value, Answer> {
        let refuse = |message, error| Err(forbidden(message, Some(error)));
        // "`bearer` in lower case is refused."
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            return refuse("invalid token", "JsonWebTokenError");
        };
        let Some(claims) = jwt::claims(token) else {
            return refuse("jwt malformed", "JsonWebTokenError");
        };
        if !jwt::verify(token, &self.key) {
            let revoked = self.revoked_keys.iter().any(|key| jwt::verify(token, key));
            return match revoked {
                true => refuse("jwt expired", "TokenExpiredError"),
                false => refuse("invalid signature", "JsonWebTokenError"),
            };
        }
        if claims["exp"].as_i64().is_none_or(|exp| exp <= now) {
            return refuse("jwt expired", "TokenExpiredError");
        }
        Ok(claims)
    }

    /// `POST /login`.
    fn login(&mut self, body: &Value, now: i64) -> Answer {
        let text = |field: &str| body[field].as_str().filter(|text| !text.is_empty());
        let timestamp = body["timestamp"].as_i64();
        let (Some(address), Some(signature), Some(timestamp)) =
            (text("address"), text("signature"), timestamp)
        else {
            return invalid("address/signature/timestamp missing");
        };
        if (now - timestamp).abs() > self.tolerance {
            return invalid("timestamp expired");
        }
        // "A malformed address or signature gives 500."
        let Some(key) = decode::<32>(address).and_then(|key| VerifyingKey::from_bytes(&key).ok())
        else {
            return internal();
        };
        let Some(signature) = decode::<64>(signature) else {
            return internal();
        };
        let message = format!("nosana_secret_{timestamp}");
        let signature = Signature::from_bytes(&signature);
        if key.verify_strict(message.as_bytes(), &signature).is_err() {
            return invalid("invalid signature");
        }
        let scope = match text("job") {
            None => None,
            Some(job) => match self.job_scope(job, address) {
                Ok(scope) => Some(scope),
                Err(answer) => return answer,
            },
        };
        self.logins += 1;
        let scope = scope
            .as_ref()
            .map(|(project, names)| (project.as_str(), names.as_deref()));
        reply(200, &json!({"token": self.token(now, address, scope)}))
    }

    /// `GET /secrets`: "your JWT token will decide what secrets you can access".
    fn get_secrets(&self, user: &Value, prefix: &str) -> Answer {
        let none = Map::new();
        let of = |address: &Value| {
            let address = address.as_str().unwrap_or_default();
            self.secrets.get(address).unwrap_or(&none)
        };
        let mut listed = Map::new();
        if user["userAddress"].is_null() {
            listed.extend(of(&user["address"]).clone());
            listed.retain(|name, _| name.starts_with(prefix));
        } else {
            // "A job that declares none → 400 `no secrets in job`."
            let Some(names) = user["secrets"].as_array() else {
                return invalid("no secrets in job");
            };
            let secrets = of(&user["userAddress"]);
            for name in names.iter().filter_map(Value::as_str) {
                if let Some(value) = secrets.get(name) {
                    listed.insert(name.to_owned(), value.clone());
                }
            }
        }
        // Assigning to `__proto__` adds no key to an object of JavaScript.
        listed.remove("__proto__");
        let listed = listed.into_iter().take(self.lists_at_most).collect();
        reply(200, &Value::Object(listed))
    }

    /// `GET /secrets/NAME`: "a missing name answers 200 with the bare text `OK`; the empty string
    /// and `null` answer 200 with an empty body".
    fn get_secret(&self, user: &Value, name: &str) -> Answer {
        let declared = match user["userAddress"].is_null() {
            true => true,
            false => {
                let names = user["secrets"].as_array();
                names.is_some_and(|names| names.iter().any(|declared| declared == name))
            }
        };
        if !declared {
            return invalid(format!("secret key {name} not in job"));
        }
        let address = match &user["userAddress"] {
            Value::Null => &user["address"],
            owner => owner,
        };
        let secrets = self.secrets.get(address.as_str().unwrap_or_default());
        let value = secrets.and_then(|secrets| secrets.get(&self.spelled(secrets, name)));
        match value {
            None => ok(),
            Some(Value::Null) => Answer::text(200, ""),
            Some(Value::String(text)) if text.is_empty() => Answer::text(200, ""),
            Some(value) => reply(200, value),
        }
    }

    /// The name under which this one is kept, if it is.
    fn spelled(&self, secrets: &Map<String, Value>, name: &str) -> String {
        let mut kept = secrets.keys();
        let same = kept.find(|kept| self.folds_names && fold(kept) == fold(name));
        same.map_or(name, String::as_str).to_owned()
    }

    /// `POST /secrets`: "if a secret key already exists, it will overwrite the currently stored
    /// value".
    fn set_secrets(&mut self, user: &Value, body: &Value) -> Answer {
        let Some(address) = own(user) else {
            return forbidden("this token is for the secrets of a job", None);
        };
        // "`{"secrets":null}` and `{"secrets":[1]}` answer OK": what JavaScript calls an object.
        let indexed;
        let none = Map::new();
        let secrets = match &body["secrets"] {
            Value::Object(secrets) => secrets,
            Value::Array(items) => {
                let items = items.iter().enumerate();
                indexed = items
                    .map(|(at, item)| (at.to_string(), item.clone()))
                    .collect();
                &indexed
            }
            Value::Null if body.get("secrets").is_some() => &none,
            _ => return invalid("`secrets` param must be an object"),
        };
        // "GET and POST also take a `prefix`."
        let prefix = body["prefix"].as_str().unwrap_or_default();
        let work = self.cost_per_name * secrets.len() as u32;
        for (name, value) in secrets {
            let name = format!("{prefix}{name}");
            let length = value.as_str().map_or(0, str::len);
            // "A POST is no transaction: those before it are stored."
            if name.len() > self.longest_name || length > self.longest_value {
                return internal().after(work);
            }
            let mut stored = self.secrets.remove(&address).unwrap_or_default();
            stored.insert(self.spelled(&stored, &name), value.clone());
            self.secrets.insert(address.clone(), stored);
        }
        ok().after(work)
    }

    /// `DELETE /secrets`: "deleting a missing name also answers `OK`".
    fn delete_secret(&mut self, user: &Value, body: &Value) -> Answer {
        let Some(address) = own(user) else {
            return forbidden("this token is for the secrets of a job", None);
        };
        let names: Vec<String> = match &body["key"] {
            Value::String(name) => vec![name.clone()],
            // "`{"key": [names…]}` deletes many in one request."
            Value::Array(names) => {
                match self.many {
                    Many::Known => {}
                    Many::Ignored => return ok(),
                    Many::Failing => return internal(),
                }
                let names = names.iter().filter_map(Value::as_str);
                names.map(str::to_owned).collect()
            }
            // "A DELETE whose JSON body lacks `Content-Type: application/json` answers 200 `OK` and
            // deletes the secret named `undefined`."
            _ => vec!["undefined".to_owned()],
        };
        if self.ignores_deletes {
            return ok();
        }
        let mut stored = self.secrets.remove(&address).unwrap_or_default();
        for name in names {
            stored.remove(&self.spelled(&stored, &name));
        }
        self.secrets.insert(address, stored);
        ok()
    }
}

impl Keeps for Data {
    fn answer(&mut self, request: &Request) -> Answer {
        // "A request body over 1,048,576 bytes → 413 `request entity too large` (plain text)."
        if request.body.len() > MAX_BODY {
            return Answer::text(413, "request entity too large");
        }
        // What is not declared as JSON is not read, on any route.
        let body = match request.declares_json() && !request.body.is_empty() {
            false => Value::Null,
            true => match request
                .json()
                .filter(|body| body.is_object() || body.is_array())
            {
                Some(body) => body,
                // "Malformed JSON → 400 `Bad Request` (plain text)."
                None => return Answer::text(400, "Bad Request"),
            },
        };
        // "The Authorization header is checked on every route, `/login` too."
        let sent = request.headers.contains_key("authorization");
        let user = match request.header("authorization") {
            Some(authorization) => match self.claims(authorization, request.time) {
                Ok(claims) => Some(claims),
                Err(answer) => return answer,
            },
            None if sent => return forbidden("jwt malformed", Some("JsonWebTokenError")),
            None => None,
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/login") => return self.login(&body, request.time),
            ("GET" | "POST" | "DELETE", "/secrets") => {}
            // An empty name leads to the list.
            ("GET", "/secrets/") => {}
            ("GET", path) if path.starts_with("/secrets/") && self.answers_by_name => {}
            (_, "/login" | "/secrets") => return Answer::text(405, "Method Not Allowed"),
            _ => return Answer::text(404, "Not Found"),
        }
        let Some(user) = user else {
            return forbidden("Not authenticated", None);
        };
        let name = request.path.strip_prefix("/secrets/");
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            return self.get_secret(&user, &name);
        }
        match request.method.as_str() {
            "GET" => {
                let prefix = request.parameter("prefix").unwrap_or_default();
                self.get_secrets(&user, &prefix)
            }
            "POST" => self.set_secrets(&user, &body),
            _ => self.delete_secret(&user, &body),
        }
    }
}

/// The address whose own secrets a token opens; `None` for a job's token.
fn own(user: &Value) -> Option<String> {
    let address = user["address"].as_str()?;
    user["userAddress"].is_null().then(|| address.to_owned())
}

fn decode<const N: usize>(base58: &str) -> Option<[u8; N]> {
    let bytes = bs58::decode(base58).into_vec().ok()?;
    bytes.try_into().ok()
}

/// "Every body, JSON included, comes as `Content-Type: text/plain`."
fn reply(status: u16, body: &Value) -> Answer {
    let body = body.to_string().replace(HALF_CHARACTER, r"\ud800");
    Answer::text(status, body)
}

/// What MySQL compares of a name.
fn fold(name: &str) -> String {
    let name = name.trim_end_matches(' ').to_lowercase();
    name.replace('é', "e")
}

/// "Success of POST and DELETE is the bare text `OK`."
fn ok() -> Answer {
    Answer::text(200, "OK")
}

fn invalid(error: impl Into<String>) -> Answer {
    reply(
        400,
        &json!({"type": "ValidationError", "error": error.into()}),
    )
}

fn internal() -> Answer {
    reply(500, &json!({"type": "InternalServerError"}))
}

fn forbidden(message: &str, error: Option<&str>) -> Answer {
    let mut body = json!({"type": "ForbiddenError", "message": message});
    if let Some(error) = error {
        body["error"] = json!(error);
    }
    reply(403, &body)
}
