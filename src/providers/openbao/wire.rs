//! What OpenBao's answers hold. Values are any JSON; errors are `{"errors": [text…]}`, and an empty
//! list of them with a 404 is the plain word that something is not there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::http::{self, Response};
use crate::words::document::Document;
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::{Form, SecretValue};

/// The map of a path.
pub type Map = BTreeMap<String, SecretValue>;

/// One version of a path.
#[derive(Clone, Default)]
pub struct Secret {
    /// Its number; 0 where there never was one.
    pub version: u32,
    /// Its map; `None` where there is none, or it was deleted.
    pub data: Option<Map>,
    /// What stands beside it.
    pub beside: Beside,
}

/// What stands beside a version.
#[derive(Clone, Default)]
pub struct Beside {
    /// When it was written.
    pub created_at: Option<Timestamp>,
    /// When it was deleted, or will be.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is gone for good.
    pub destroyed: bool,
    /// What people have said of the path.
    pub custom: BTreeMap<String, String>,
}

/// The keys of a path without their values.
pub struct Keys {
    /// The number of the version; 0 where there never was one.
    pub version: u32,
    /// The keys; `None` where there is no version, or it was deleted.
    pub keys: Option<Vec<String>>,
    /// What stands beside it.
    pub beside: Beside,
}

/// One version of a path, as its metadata tells of it.
pub struct Numbered {
    /// Its number.
    pub number: u32,
    /// What else is told of it.
    pub beside: Beside,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The members of an object; anything else has none.
fn members(json: &str) -> Option<Members<'_>> {
    serde_json::from_str(json).ok()
}

fn nonsense(response: &Response) -> Error {
    response.nonsense("not the JSON expected")
}

/// The object under `data` of an answer.
fn data(response: &Response) -> Result<Members<'_>> {
    let text = std::str::from_utf8(&response.body).ok();
    let whole = text.and_then(members);
    let data = whole.and_then(|whole| members(whole.get("data")?.get()));
    data.ok_or_else(|| nonsense(response))
}

fn read<'a, T: Deserialize<'a>>(members: &Members<'a>, name: &str) -> Option<T> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

/// A time; the server writes the empty text for none.
fn time(members: &Members<'_>, name: &str) -> Option<Timestamp> {
    read::<String>(members, name)?.parse().ok()
}

fn map(json: &str) -> Option<Map> {
    if json == "null" {
        return Some(Map::new());
    }
    let values = members(json)?.into_iter();
    let values = values.map(|(key, raw)| {
        let json = raw.get();
        let value = match json.starts_with('"') {
            true => {
                let text: String = serde_json::from_str(json).ok()?;
                SecretValue::from(text).in_form(Form::String)
            }
            false => SecretValue::from(unescaped(json)).in_form(Form::Json),
        };
        Some((key, value))
    });
    values.collect()
}

/// JSON without the escapes that the server writes for `<`, `>` and `&`, and nobody has asked for.
fn unescaped(json: &str) -> String {
    if !json.contains("\\u00") {
        return json.to_owned();
    }
    let read: Result<serde_json::Value, _> = serde_json::from_str(json);
    read.map_or_else(|_| json.to_owned(), |value| value.to_string())
}

/// The number of a version and what stands beside it.
fn metadata(json: &str) -> Option<(u32, Beside)> {
    let members = members(json)?;
    let version = read::<u32>(&members, "version").filter(|version| *version > 0)?;
    Some((version, beside(&members)))
}

fn beside(members: &Members<'_>) -> Beside {
    Beside {
        created_at: time(members, "created_time"),
        deleted_at: time(members, "deletion_time"),
        destroyed: read(members, "destroyed").unwrap_or_default(),
        custom: read(members, "custom_metadata").unwrap_or_default(),
    }
}

/// The version that `response` to a read holds; one without a number or map where there is nothing.
///
/// # Errors
/// What the server answered instead.
pub fn secret(response: &Response) -> Result<Secret> {
    if is_absent(response) {
        return Ok(Secret::default());
    }
    if !response.is_success() && response.status != StatusCode::NOT_FOUND {
        return Err(failure(response));
    }
    let found = data(response).ok().and_then(|data| {
        let (version, beside) = metadata(data.get("metadata")?.get())?;
        let json = data.get("data")?.get();
        Some(Secret {
            version,
            data: match response.is_success() {
                true => Some(map(json)?),
                false => None,
            },
            beside,
        })
    });
    found.ok_or_else(|| no_answer(response))
}

/// The same of a mount that keeps no versions.
///
/// # Errors
/// What the server answered instead.
pub fn bare(response: &Response) -> Result<Secret> {
    if is_absent(response) {
        return Ok(Secret::default());
    }
    if !response.is_success() {
        return Err(failure(response));
    }
    let text = std::str::from_utf8(&response.body).ok();
    let found = text.and_then(members).and_then(|whole| {
        let json = whole.get("data")?.get();
        map(json).filter(|_| json != "null")
    });
    match found {
        Some(map) => Ok(Secret {
            data: Some(map),
            ..Secret::default()
        }),
        None => Err(no_answer(response)),
    }
}

/// The keys that `response` holds. `None` where the server does not tell, and only a read does.
///
/// # Errors
/// What the server answered instead.
pub fn keys(response: &Response) -> Result<Option<Keys>> {
    match response.status {
        StatusCode::FORBIDDEN if denial(response) == Denial::Policy => return Ok(None),
        // As what does not know of keys alone answers, too.
        _ if is_absent(response) => return Ok(None),
        StatusCode::NOT_FOUND | StatusCode::OK => {}
        _ => return Err(failure(response)),
    }
    let found = data(response).ok().and_then(|data| {
        let (version, beside) = metadata(data.get("metadata")?.get())?;
        let keys = match data.get("subkeys")?.get() {
            _ if !response.is_success() => None,
            "null" => Some(Vec::new()),
            json => Some(members(json)?.into_keys().collect()),
        };
        Some(Keys {
            version,
            keys,
            beside,
        })
    });
    found.map(Some).ok_or_else(|| no_answer(response))
}

/// The names in a folder, with a slash behind those of folders; none where there is no such folder.
///
/// # Errors
/// What the server answered instead.
pub fn list(response: &Response) -> Result<Vec<String>> {
    if is_absent(response) {
        return Ok(Vec::new());
    }
    if !response.is_success() {
        return Err(failure(response));
    }
    let keys = data(response)?;
    let keys: Option<Vec<String>> = read(&keys, "keys");
    keys.filter(|keys| keys.iter().all(|key| !key.is_empty()))
        .ok_or_else(|| nonsense(response))
}

/// The versions of a path, the oldest first, and which is the current one; none where there is
/// nothing.
///
/// # Errors
/// What the server answered instead.
pub fn versions(response: &Response) -> Result<(Vec<Numbered>, u32)> {
    if is_absent(response) {
        return Ok((Vec::new(), 0));
    }
    if !response.is_success() {
        return Err(failure(response));
    }
    let data = data(response)?;
    let found = || {
        let current: u32 = read(&data, "current_version")?;
        let mut versions = members(data.get("versions")?.get())?
            .into_iter()
            .map(|(number, raw)| {
                Some(Numbered {
                    number: number.parse().ok()?,
                    beside: beside(&members(raw.get())?),
                })
            })
            .collect::<Option<Vec<Numbered>>>()?;
        versions.sort_by_key(|version| version.number);
        Some((versions, current))
    };
    found().ok_or_else(|| nonsense(response))
}

/// The number of the version that a write has made.
///
/// # Errors
/// `invalid_data` for an answer that tells none.
pub fn written(response: &Response) -> Result<u32> {
    let version = read::<u32>(&data(response)?, "version");
    version
        .filter(|version| *version > 0)
        .ok_or_else(|| nonsense(response))
}

/// What is known of a mount.
pub struct Mount {
    /// Its path, without the slash at its end.
    pub path: String,
    /// Which version of the key-value engine it is of; `None` where it is something else.
    pub version: Option<u8>,
}

/// The mount that `response` tells of.
///
/// # Errors
/// `invalid_data` for an answer that makes no sense.
pub fn mount(response: &Response) -> Result<Mount> {
    let data = data(response)?;
    let found = || {
        let path: String = read(&data, "path")?;
        let kind: String = read(&data, "type")?;
        let options = members(data.get("options")?.get()).unwrap_or_default();
        let version = match read::<String>(&options, "version") {
            _ if kind != "kv" && kind != "generic" => None,
            Some(text) if text == "2" => Some(2),
            Some(text) if text == "1" => Some(1),
            None => Some(1),
            Some(_) => None,
        };
        Some(Mount {
            path: path.trim_end_matches('/').to_owned(),
            version,
        })
    };
    found().ok_or_else(|| nonsense(response))
}

/// The texts of an answer's list of errors; `None` where it has none.
fn errors(response: &Response) -> Option<Vec<String>> {
    let text = std::str::from_utf8(&response.body).ok()?;
    read(&members(text)?, "errors")
}

/// What the server says beside its answer, without what repeats a text of the answer itself, which may
/// be a value.
pub fn warnings(response: &Response) -> Vec<String> {
    let text = std::str::from_utf8(&response.body).ok();
    let whole = text.and_then(members).unwrap_or_default();
    let said = read::<Option<Vec<String>>>(&whole, "warnings").flatten();
    let mut said = said.unwrap_or_default();
    if !said.is_empty()
        && let Some(data) = read::<Document>(&whole, "data")
    {
        said.retain(|warning| !repeats(warning, data.expose()));
    }
    said
}

/// Whether a text in `value` stands in `warning`. One of fewer bytes may stand in any.
fn repeats(warning: &str, value: &Value) -> bool {
    const TELLING: usize = 5;
    match value {
        Value::String(text) => text.len() >= TELLING && warning.contains(text.as_str()),
        Value::Array(items) => items.iter().any(|item| repeats(warning, item)),
        Value::Object(members) => members.values().any(|member| repeats(warning, member)),
        Value::Number(number) => {
            let text = number.to_string();
            text.len() >= TELLING && warning.contains(&text)
        }
        Value::Null | Value::Bool(_) => false,
    }
}

/// Makes sure that the answer tells of a token.
///
/// # Errors
/// `invalid_data` for one that does not.
pub fn looked_up(response: &Response) -> Result<()> {
    let ttl = read::<i64>(&data(response)?, "ttl");
    ttl.map(drop).ok_or_else(|| nonsense(response))
}

/// Whether the server itself says that there is nothing.
pub fn is_absent(response: &Response) -> bool {
    response.status == StatusCode::NOT_FOUND
        && errors(response).is_some_and(|errors| errors.is_empty())
}

/// Whether the answer is that of a node to a PATCH of what it does not have, or not yet.
pub fn is_behind(response: &Response) -> bool {
    response.status == StatusCode::NOT_FOUND && response.body.is_empty()
}

/// Whether the answer refuses a write because the version is another than it expects.
pub fn is_outdated(response: &Response) -> bool {
    let says = |text: &String| text.contains("check-and-set parameter did not match");
    response.status == StatusCode::BAD_REQUEST
        && errors(response).is_some_and(|errors| errors.iter().any(says))
}

/// Whether the answer says that the mount is not there, where it is known to be: it is being made.
pub fn is_coming(response: &Response) -> bool {
    let says = |text: &String| text.contains("no handler for route");
    response.status == StatusCode::NOT_FOUND
        && errors(response).is_some_and(|errors| errors.iter().any(says))
}

/// Whether the answer says that the index that went with the request cannot be read: another server
/// has given it, or it was damaged where it is kept.
pub fn is_unreadable_index(response: &Response) -> bool {
    let says = |text: &String| text.contains("failed to decode \"X-Vault-Index\"");
    response.status == StatusCode::BAD_REQUEST
        && errors(response).is_some_and(|errors| errors.iter().any(says))
}

/// Why a request was not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The token is missing, wrong, expired, revoked or used up.
    Token,
    /// The token is good, and may not.
    Policy,
    /// One of the two.
    Unclear,
    /// It is none of the server's own words.
    Foreign,
}

/// What a 403 says.
pub fn denial(response: &Response) -> Denial {
    let Some(errors) = errors(response) else {
        return Denial::Foreign;
    };
    let texts = errors.join("\n");
    match texts.trim() {
        "permission denied" => Denial::Token,
        text if text.contains("invalid token") => Denial::Token,
        text if text.contains("* permission denied") => Denial::Policy,
        _ => Denial::Unclear,
    }
}

/// Whether an answer refuses the token that came with the request.
pub fn is_token_rejection(response: &Response) -> bool {
    match response.status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::FORBIDDEN => denial(response) == Denial::Token,
        _ => false,
    }
}

/// Texts of a 500 that no second try changes, and what they mean.
const TOO_LARGE: [&str; 2] = [
    "put failed due to value being too large",
    "put failed due to key being too large",
];
const LARGE: [&str; 2] = [
    "a path holds up to 1 MiB, all of its keys together",
    "the path is too long: shorten the name",
];

/// Texts of a 400 that pass: a mount made or changed a moment ago.
const UPGRADING: [&str; 2] = [
    "Upgrading from non-versioned to versioned data",
    "Waiting for the primary to upgrade",
];

/// What a sealed server says of everything.
const SEALED: &str = "Vault is sealed";

fn says(body: &[u8], texts: &[&str]) -> bool {
    let body = String::from_utf8_lossy(body);
    texts.iter().any(|text| body.contains(text))
}

/// Whether an answer is worth another try: a cluster that changes its active node has none for some
/// seconds, and says so by referring to the one that is gone.
pub fn is_transient(status: StatusCode, body: &[u8]) -> bool {
    match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PRECONDITION_FAILED => true,
        StatusCode::INTERNAL_SERVER_ERROR => !says(body, &TOO_LARGE),
        StatusCode::BAD_REQUEST => says(body, &UPGRADING),
        status => http::is_transient(status),
    }
}

/// Whether the server itself says that it has done nothing, as it cannot now. A node that refers to
/// the active one says no such thing: it may have passed the request on to one that has carried it out
/// and was gone before it could answer.
pub fn is_refused_for_now(response: &Response) -> bool {
    let own = errors(response).is_some();
    own && match response.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_REQUEST => {
            is_transient(response.status, &response.body)
        }
        StatusCode::SERVICE_UNAVAILABLE => says(&response.body, &[SEALED]),
        _ => false,
    }
}

/// The error for a success or an absence that makes no sense.
fn no_answer(response: &Response) -> Error {
    if response.status == StatusCode::NOT_FOUND {
        return failure(response);
    }
    nonsense(response)
}

/// The error that an answer without success is.
pub fn failure(response: &Response) -> Error {
    let hinted = |kind, hint: &str| response.error(kind).hint(hint);
    match response.status {
        StatusCode::TEMPORARY_REDIRECT => hinted(
            Kind::Unavailable,
            "the cluster has no active node; it chooses another within seconds, as a rule",
        ),
        StatusCode::PRECONDITION_FAILED => response.error(Kind::Unavailable),
        StatusCode::INTERNAL_SERVER_ERROR if says(&response.body, &TOO_LARGE) => {
            let is_path = says(&response.body, &TOO_LARGE[1..]);
            hinted(Kind::InvalidData, LARGE[usize::from(is_path)]).caused_by(Cause::Other)
        }
        StatusCode::FORBIDDEN if denial(response) != Denial::Foreign => {
            hinted(Kind::Forbidden, MISSING)
        }
        StatusCode::NOT_FOUND => match errors(response) {
            Some(errors) if !errors.is_empty() => response.error(Kind::Forbidden).hint(MISSING),
            Some(_) => response.error(Kind::NotFound),
            None if !warnings(response).is_empty() => hinted(
                Kind::Config,
                "the mount is of another version; leave kv_version out to have it found",
            ),
            None => response.nonsense("something else than the server's own error"),
        },
        _ => response.status_error(),
    }
}

/// What may be missing where nothing is allowed.
pub const MISSING: &str = "the mount or the namespace may be missing or misspelt, or the token's policies give no right to it";

/// A map on its way to the server: strings as such, what has another type as its JSON.
pub struct Sent<'a>(pub &'a BTreeMap<&'a str, Option<&'a SecretValue>>);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            match value {
                Some(value) => map.serialize_entry(key, &One(value))?,
                None => map.serialize_entry(key, &())?,
            }
        }
        map.end()
    }
}

/// One value on its way.
struct One<'a>(&'a SecretValue);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.expose_str().unwrap_or_default();
        if self.0.form() == Form::Json
            && let Ok(json) = serde_json::from_str::<&RawValue>(text)
        {
            return json.serialize(serializer);
        }
        text.serialize(serializer)
    }
}

/// How many strings `value` is on the wire.
pub fn strings_in(value: &SecretValue) -> usize {
    match value.form() {
        // Each has two quotes; what stands inside one may have more.
        Form::Json => 1 + value.expose().iter().filter(|byte| **byte == b'"').count() / 2,
        Form::Plain | Form::String => 1,
    }
}
