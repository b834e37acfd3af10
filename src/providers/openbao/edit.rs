//! What is to become of the keys of a path, and in which portions the server takes it.

use super::wire::{self, Map};
use crate::words::batch::Action;
use crate::words::error::Error;
use crate::words::secret::{Form, Name, SecretValue};

/// How many keys one request changes: with their values they are less than the thousand strings that
/// the server reads.
const KEYS: usize = 400;

/// How many strings, where values are JSON that holds more than one.
const STRINGS: usize = 900;

/// How many bytes: a version holds one MiB.
const BYTES: usize = 900 * 1024;

/// The key of what people say of the whole path.
pub const DESCRIPTION: &str = "description";

/// The key of what people say of one key.
pub fn description_of(key: &str) -> String {
    format!("{DESCRIPTION}:{key}")
}

/// What is to become of one key.
pub struct Edit {
    /// The secret, for messages.
    pub name: Name,
    /// The key.
    pub key: String,
    /// Its new value; `None` where it is to go.
    pub value: Option<SecretValue>,
    /// What is to be said of it.
    pub description: Option<String>,
    /// The version in which it was seen as it must still be; 0 where it must not be there.
    pub expected: Option<u32>,
    /// Whether it must not be there.
    pub if_absent: bool,
}

/// What was done with one key, and the version that has it so.
pub type Done = (Action, u32);

/// Whether two values are the same to the server: JSON is, whatever its writing.
pub fn same(one: &SecretValue, other: &SecretValue) -> bool {
    if one.form() == Form::Json && other.form() == Form::Json {
        let read = |value: &SecretValue| serde_json::from_slice(value.expose()).ok();
        return read(one).map(in_doubles) == read(other).map(in_doubles);
    }
    one == other
}

/// Numbers as the server keeps them.
fn in_doubles(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(items) => items.into_iter().map(in_doubles).collect(),
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, in_doubles(value)))
            .collect(),
        other => other,
    }
}

/// Whether two maps are the same to the server.
pub fn same_maps(one: &Map, other: &Map) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|((key, value), (other_key, other))| key == other_key && same(value, other))
}

/// The value as it is on the server, where nothing is without a type.
pub fn typed(value: &SecretValue) -> SecretValue {
    match value.form() {
        Form::Plain => value.clone().in_form(Form::String),
        Form::String | Form::Json => value.clone(),
    }
}

/// The edits `which`, parted so that each part is one request that the server takes.
pub fn chunks(edits: &[Edit], which: &[usize]) -> Vec<Vec<usize>> {
    let mut chunks: Vec<Vec<usize>> = Vec::new();
    let (mut strings, mut bytes) = (0, 0);
    for at in which {
        let value = edits[*at].value.as_ref();
        let its_strings = 1 + value.map_or(1, wire::strings_in);
        let its_bytes = edits[*at].key.len() + value.map_or(4, SecretValue::len);
        let fits = chunks.last().is_some_and(|chunk| chunk.len() < KEYS)
            && strings + its_strings <= STRINGS
            && bytes + its_bytes <= BYTES;
        match chunks.last_mut().filter(|_| fits) {
            Some(chunk) => chunk.push(*at),
            None => {
                chunks.push(vec![*at]);
                (strings, bytes) = (0, 0);
            }
        }
        strings += its_strings;
        bytes += its_bytes;
    }
    chunks
}

/// The error for what only a mount that keeps versions can do.
pub fn unversioned(name: &Name, what: &str) -> Error {
    Error::unsupported(format!(
        "{what} is not supported for {name}: its mount is of version 1, which keeps no versions"
    ))
}
