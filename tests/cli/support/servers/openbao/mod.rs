//! OpenBao's key-value engine and its ways to sign in, as observed on the running server: what it
//! refuses, in which words, and what a cluster does while it changes its active node.

mod kv;
mod sign_in;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::backend::{Backend, Keeps};
use super::clock::Ticks;
use super::limit::{RateLimit, Reset};
use super::{Answer, Request};

use kv::Mount;
pub use kv::Record;
pub use sign_in::Granted;
use sign_in::Methods;

/// The root token.
pub const TOKEN: &str = "s.root-token-for-tests-0123";

/// How many strings a body may hold, names of members included.
const STRINGS: usize = 1000;

/// A body that is larger is not read.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// An OpenBao of its own.
pub type OpenBao = Backend<State>;

/// What a node of a cluster is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Node {
    /// It is active, or the only one.
    #[default]
    Active,
    /// It answers reads from its own copy, which is behind by the last write, and forwards writes.
    Standby,
    /// The same, and nothing is active: a write is referred to the one that is gone.
    Leaderless,
    /// It was just started, and knows of no active node.
    Lost,
    /// It is sealed.
    Sealed,
}

/// What a token may do.
#[derive(Clone, Debug, Default)]
pub struct Policy(Vec<(String, Vec<&'static str>)>);

impl Policy {
    /// One that allows nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// The same, with these capabilities on the path; one that ends in `*` is a prefix.
    pub fn allowing(mut self, path: &str, capabilities: &[&'static str]) -> Self {
        self.0.push((path.to_owned(), capabilities.to_vec()));
        self
    }

    fn allows(&self, path: &str, capability: &str) -> bool {
        self.0.iter().any(|(rule, capabilities)| {
            let fits = match rule.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == rule,
            };
            fits && capabilities.contains(&capability)
        })
    }

    /// Whether anything below the mount is allowed.
    fn touches(&self, mount: &str) -> bool {
        let mount = format!("{mount}/");
        self.0.iter().any(|(rule, _)| {
            let rule = rule.trim_end_matches('*');
            rule.starts_with(&mount) || mount.starts_with(rule)
        })
    }
}

/// A token that the server knows.
#[derive(Clone, Debug)]
struct Known {
    /// What it may; `None` is everything.
    policy: Option<Policy>,
    /// When it ends, in seconds since 1970.
    ends: Option<i64>,
    /// When it ends for good, however often it is renewed.
    last: Option<i64>,
    renewable: bool,
    /// For how many requests it is still good.
    uses: Option<u64>,
    /// For how many it was given; 0 is any number.
    granted_uses: u64,
    is_batch: bool,
}

impl Known {
    /// One that never ends, and may this.
    fn of(policy: Policy) -> Self {
        Self {
            policy: Some(policy),
            ends: None,
            last: None,
            renewable: false,
            uses: None,
            granted_uses: 0,
            is_batch: false,
        }
    }
}

/// What OpenBao keeps.
pub struct State {
    mounts: BTreeMap<String, Mount>,
    /// What a standby has not seen yet.
    before: Option<BTreeMap<String, Mount>>,
    /// How many reads it answers until it has; `None` where it never does.
    behind_for: Option<usize>,
    tokens: BTreeMap<String, Known>,
    made: u64,
    methods: Methods,
    namespaces: BTreeSet<String>,
    node: Node,
    /// How many further writes find no active node, or `None` while that stays so.
    leaderless_for: Option<usize>,
    has_index: bool,
    index: u64,
    /// How the indexes begin that it can read.
    indexes: &'static str,
    ticks: Ticks,
    limit: Option<RateLimit>,
    warning: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        let root = Known {
            policy: None,
            ..Known::of(Policy::none())
        };
        Self {
            mounts: BTreeMap::from([("secret".to_owned(), Mount::new(2))]),
            before: None,
            behind_for: None,
            tokens: BTreeMap::from([(TOKEN.to_owned(), root)]),
            made: 0,
            methods: Methods::default(),
            namespaces: BTreeSet::new(),
            node: Node::Active,
            leaderless_for: None,
            has_index: true,
            index: 40,
            indexes: "index-",
            ticks: Ticks::default(),
            limit: None,
            warning: None,
        }
    }
}

impl OpenBao {
    /// Mounts a key-value engine.
    pub fn mount(&self, mount: &str, version: u8) {
        self.kept()
            .mounts
            .insert(mount.to_owned(), Mount::new(version));
    }

    /// Makes a namespace; requests without its header do not see it.
    pub fn namespace(&self, namespace: &str) {
        self.kept().namespaces.insert(namespace.to_owned());
    }

    /// What kind of node it is (active).
    pub fn set_node(&self, node: Node) {
        let mut state = self.kept();
        state.node = node;
        state.leaderless_for = None;
    }

    /// After how many reads a standby has seen a write (never).
    pub fn catch_up_after(&self, reads: usize) {
        self.kept().behind_for = Some(reads);
    }

    /// Deletes the newest version of a path, as somebody else would.
    pub fn delete(&self, path: &str) {
        let mut state = self.kept();
        let time = state.ticks.next();
        state
            .mounts
            .get_mut("secret")
            .expect("the mount")
            .delete(path, time);
    }

    /// The next so many writes find no active node; then it is one.
    pub fn lose_leader_for(&self, writes: usize) {
        let mut state = self.kept();
        state.node = Node::Leaderless;
        state.leaderless_for = Some(writes);
    }

    /// Whether writes are answered with an index (they are).
    pub fn set_index(&self, has_index: bool) {
        self.kept().has_index = has_index;
    }

    /// No index that was given so far can be read any more.
    pub fn change_indexes(&self) {
        self.kept().indexes = "other-";
    }

    /// What every answer warns of (nothing).
    pub fn set_warning(&self, warning: &str) {
        self.kept().warning = Some(warning.to_owned());
    }

    /// Admits so many requests every so many seconds (any number).
    pub fn set_quota(&self, limit: u64, window: i64) {
        self.kept().limit = Some(RateLimit::new(limit, window, Reset::Seconds));
    }

    /// Makes a token that may do this.
    pub fn token(&self, policy: Policy) -> String {
        self.kept().make(Known::of(policy))
    }

    /// Whether the server knows the token.
    pub fn knows(&self, token: &str) -> bool {
        self.kept().tokens.contains_key(token)
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str) {
        self.kept().tokens.remove(token);
    }

    /// Changes what the ways to sign in know.
    pub fn methods(&self, change: impl FnOnce(&mut Methods)) {
        change(&mut self.kept().methods);
    }

    /// Wraps a secret id; the answer is the token that opens it, once.
    pub fn wrap(&self, secret_id: &str) -> String {
        let mut state = self.kept();
        state.made += 1;
        let token = format!("s.wrapping{:016}", state.made);
        state
            .methods
            .wrapped
            .insert(token.clone(), secret_id.to_owned());
        token
    }

    /// Stores one key, as somebody else would.
    pub fn put(&self, path: &str, key: &str, value: &str) {
        self.put_json(path, key, json!(value));
    }

    /// The same with any JSON.
    pub fn put_json(&self, path: &str, key: &str, value: Value) {
        let mut state = self.kept();
        let time = state.ticks.next();
        let mount = state.mounts.get_mut("secret").expect("the mount");
        let mut data = mount.current(path).unwrap_or_default();
        data.insert(key.to_owned(), value);
        mount.push(path, data, &time);
    }

    /// The current map of a path.
    pub fn map(&self, path: &str) -> Map<String, Value> {
        let state = self.kept();
        state.mounts["secret"].current(path).unwrap_or_default()
    }

    /// The number of the current version of a path.
    pub fn version(&self, path: &str) -> u32 {
        let state = self.kept();
        state.mounts["secret"]
            .record(path)
            .map_or(0, Record::number)
    }

    /// What people have said of the path.
    pub fn custom(&self, path: &str) -> Map<String, Value> {
        let state = self.kept();
        let record = state.mounts["secret"].record(path);
        record
            .map(|record| record.custom.clone())
            .unwrap_or_default()
    }

    /// Every key by its path, as `PATH/KEY`.
    pub fn values(&self) -> BTreeMap<String, String> {
        let state = self.kept();
        let mount = &state.mounts["secret"];
        let mut values = BTreeMap::new();
        for path in mount.paths() {
            for (key, value) in mount.current(&path).unwrap_or_default() {
                let text = value.as_str().map_or(value.to_string(), str::to_owned);
                values.insert(format!("{path}/{key}"), text);
            }
        }
        values
    }

    /// The same mount's bare map, of version 1.
    pub fn bare(&self, mount: &str, path: &str) -> Option<Value> {
        let state = self.kept();
        state.mounts[mount].current(path).map(Value::Object)
    }

    /// Stores a bare map in a mount of version 1, as somebody else would.
    pub fn put_bare(&self, mount: &str, path: &str, map: &Map<String, Value>) {
        let mut state = self.kept();
        let time = state.ticks.next();
        let mount = state.mounts.get_mut(mount).expect("the mount");
        mount.push(path, map.clone(), &time);
    }

    /// How often somebody signed in.
    pub fn logins(&self) -> usize {
        let requests = self.requests().into_iter();
        requests
            .filter(|request| request.path.contains("/login"))
            .count()
    }
}

impl Keeps for State {
    fn answer(&mut self, request: &Request) -> Answer {
        if let Some(limit) = &mut self.limit
            && !limit.admit(request.time)
        {
            let path = request.path.trim_start_matches("/v1/");
            return refuse(
                429,
                &format!("request path \"{path}\": rate limit quota exceeded"),
            );
        }
        let mut answer = self.within_quota(request);
        if let Some(warning) = &self.warning
            && let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body)
            && body.contains_key("data")
        {
            body.insert("warnings".to_owned(), json!([warning]));
            answer.body = escaped(&Value::Object(body));
        }
        answer
    }
}

impl State {
    fn within_quota(&mut self, request: &Request) -> Answer {
        if request.method == "HEAD" {
            return refuse(405, "unsupported method");
        }
        if request.body.len() > MAX_BODY {
            return refuse(413, "http: request body too large");
        }
        let Some(path) = request.path.strip_prefix("/v1/") else {
            return Answer::status(404);
        };
        // "An empty, `.` or `..` segment: 307 to another path of the same server."
        let odd = |segment: &&str| matches!(*segment, "" | "." | "..");
        let inner = path.trim_end_matches('/');
        if inner.split('/').any(|segment| odd(&segment)) || path.ends_with("//") {
            let clean: Vec<&str> = path.split('/').filter(|it| !odd(it)).collect();
            return Answer::status(307).header("location", format!("/v1/{}", clean.join("/")));
        }
        let decoded = percent_encoding::percent_decode_str(path);
        let Ok(decoded) = decoded.decode_utf8() else {
            return Answer::status(400);
        };
        if decoded.chars().any(is_unprintable) {
            return Answer::status(400);
        }
        if decoded
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
        {
            return refuse(400, "path cannot contain parent references");
        }
        let writes = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        match self.node {
            Node::Sealed => return refuse(503, "Vault is sealed"),
            Node::Lost => {
                let why = "local node not active but active cluster node not found";
                return refuse(500, why);
            }
            Node::Leaderless if writes => {
                let answer = Answer::status(307).header(
                    "location",
                    format!("http://127.0.0.1:9{}", request.target()),
                );
                if let Some(left) = &mut self.leaderless_for {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        self.node = Node::Standby;
                    }
                }
                return answer;
            }
            _ => {}
        }
        if writes && request.body.len() > 1 {
            match serde_json::from_slice::<Value>(&request.body) {
                Err(_) => return refuse(400, "failed to parse JSON input"),
                Ok(body) if strings(&body) > STRINGS => {
                    return refuse(
                        400,
                        "refused JSON input due to high complexity: exceeded maximum number of strings",
                    );
                }
                Ok(_) => {}
            }
        }
        let namespace = request.header("x-vault-namespace").unwrap_or_default();
        let namespace = namespace.trim_matches('/').to_owned();
        if !namespace.is_empty() && !self.namespaces.contains(&namespace) {
            return refuse(404, "namespace not found");
        }
        let mut path = decoded.into_owned();
        if request.parameter("list").is_some() && !path.ends_with('/') {
            path.push('/');
        }
        if let Some(answer) = self.log_in(request, &path) {
            return answer;
        }
        let token = match request.header("x-vault-token") {
            Some(token) => token.to_owned(),
            None => {
                let bearer = request.header("authorization").unwrap_or_default();
                bearer
                    .strip_prefix("Bearer ")
                    .unwrap_or_default()
                    .to_owned()
            }
        };
        if path == "sys/wrapping/unwrap" && request.method == "POST" {
            return self.unwrap(&token);
        }
        let Some(known) = self.use_token(&token, request.time) else {
            return refuse(403, "permission denied");
        };
        // "With the index alone: 429, and Retry-After."
        let index = request.header("x-vault-index");
        let forwards = request.header("x-vault-inconsistent") == Some("forward-active-node");
        if let Some(index) = index {
            if !index.starts_with(self.indexes) {
                return refuse(400, "failed to decode \"X-Vault-Index\"");
            }
            if self.node == Node::Standby && !forwards {
                return Answer::json(429, &json!({"errors": []})).header("retry-after", 1);
            }
        }
        let is_behind = matches!(self.node, Node::Standby | Node::Leaderless)
            && !(index.is_some() && forwards && self.node == Node::Standby);
        if let Some(answer) = self.of_the_token(request, &path, &token, &known) {
            return answer;
        }
        if let Some(mount) = path.strip_prefix("sys/internal/ui/mounts/") {
            return self.mount_of(&known, &namespace, mount);
        }
        self.kv(request, &namespace, &path, &known, writes, is_behind)
    }

    /// The token, if it is good; one of its uses is gone then.
    fn use_token(&mut self, token: &str, now: i64) -> Option<Known> {
        let known = self.tokens.get_mut(token)?;
        if known.ends.is_some_and(|end| end <= now) {
            return None;
        }
        match &mut known.uses {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        Some(known.clone())
    }

    fn make(&mut self, known: Known) -> String {
        self.made += 1;
        let kind = if known.is_batch { 'b' } else { 's' };
        let token = format!("{kind}.made-for-tests-{:08}", self.made);
        self.tokens.insert(token.clone(), known);
        token
    }

    fn mount_of(&self, known: &Known, namespace: &str, path: &str) -> Answer {
        let mut mounts = self.mounts.iter().filter_map(|(mount, kept)| {
            let (own, name) = mount.split_once('|').unwrap_or(("", mount));
            (own == namespace).then_some((name, kept))
        });
        let found =
            mounts.find(|(mount, _)| path == *mount || path.starts_with(&format!("{mount}/")));
        let allowed = |mount: &str| known.policy.as_ref().is_none_or(|it| it.touches(mount));
        let Some((mount, kept)) = found.filter(|(mount, _)| allowed(mount)) else {
            return refuse(
                403,
                &format!(
                    "preflight capability check returned 403, please ensure client's policies grant access to path \"{path}/\""
                ),
            );
        };
        data(json!({
            "accessor": "kv_1",
            "options": {"version": kept.version.to_string()},
            "path": format!("{mount}/"),
            "type": "kv",
        }))
    }

    /// The answer to a write: it says how new the state is by now.
    fn wrote(&mut self, answer: Answer) -> Answer {
        self.index += 1;
        match self.has_index {
            true => answer.header("x-vault-index", format!("{}{}", self.indexes, self.index)),
            false => answer,
        }
    }
}

/// `{"errors": [text]}`.
fn refuse(status: u16, text: &str) -> Answer {
    let errors = match text {
        "" => json!([]),
        text => json!([text]),
    };
    Answer::json(status, &json!({ "errors": errors }))
}

/// The policy says no.
fn denied() -> Answer {
    refuse(403, "1 error occurred:\n\t* permission denied\n\n")
}

/// There is nothing.
fn absent() -> Answer {
    refuse(404, "")
}

fn data(data: Value) -> Answer {
    answered(200, data)
}

fn answered(status: u16, data: Value) -> Answer {
    let body = json!({
        "request_id": "1dd6290c-4f96-f09e-89ab-3c143e824650",
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": data,
        "wrap_info": null,
        "warnings": null,
        "auth": null,
    });
    let mut answer = Answer::json(status, &body);
    answer.body = escaped(&body);
    answer
}

/// As Go writes JSON: `<`, `>` and `&` are escaped.
fn escaped(body: &Value) -> Vec<u8> {
    body.to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .into_bytes()
}

/// How many strings there are, names of members counted.
fn strings(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(strings).sum(),
        Value::Object(members) => members.values().map(|value| 1 + strings(value)).sum(),
        _ => 0,
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}
