//! What the server keeps, read from its answers: the list, and the odd answers for one name.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

use crate::http::Response;
use crate::words::error::{Error, Result};
use crate::words::secret::{Form, Name, SecretValue};

/// What the server lists, by name.
pub type Listed = BTreeMap<Name, Stored>;

/// What the server keeps under a name: as a rule a string, but any JSON.
#[derive(Clone, PartialEq)]
pub struct Stored {
    /// It, in its form; `None` for a string that is no Unicode text, as JavaScript makes when it
    /// cuts a character in two.
    value: Option<SecretValue>,
    /// What it is in terms of JSON.
    pub json_type: &'static str,
}

impl Stored {
    fn new(json: &str) -> Self {
        let json_type = match json.as_bytes().first() {
            Some(b'"') => "string",
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        };
        if json_type != "string" {
            return Self {
                value: Some(SecretValue::from(json).in_form(Form::Json)),
                json_type,
            };
        }
        match serde_json::from_str::<String>(json) {
            Ok(text) => Self {
                value: Some(SecretValue::from(text).in_form(Form::String)),
                json_type,
            },
            Err(_) => Self {
                value: None,
                json_type: "malformed string",
            },
        }
    }

    /// Whether it is `value`.
    pub fn is(&self, value: &SecretValue) -> bool {
        self.value.as_ref() == Some(value)
    }

    /// Its value, if it is one.
    pub fn value(self) -> Option<SecretValue> {
        self.value
    }
}

/// The error for a secret whose value is no text.
pub fn malformed(name: &Name) -> Error {
    Error::invalid_data(format!(
        "the value of {name} is no Unicode text: half a character stands in it"
    ))
    .hint("only another program can have stored it so; set it anew, or delete it")
}

/// The secrets of `GET /secrets`, and how many more there are whose names hold half a character:
/// JavaScript can store such a name, and nothing in keyfob could ask for it.
///
/// # Errors
/// `invalid_data` for what is no JSON object.
pub fn list(response: &Response) -> Result<(Listed, usize)> {
    let raw: BTreeMap<Key, &RawValue> = serde_json::from_slice(&response.body)
        .map_err(|_| response.nonsense("not the JSON expected"))?;
    let count = raw.len();
    let secrets = raw.into_iter().filter_map(|(key, raw)| {
        let name = String::from_utf8(key.0).ok()?;
        Some((Name::any(name), Stored::new(raw.get())))
    });
    let secrets: Listed = secrets.collect();
    let unnamed = count - secrets.len();
    Ok((secrets, unnamed))
}

/// The secret of `GET /secrets/NAME`, if there is one.
///
/// # Errors
/// `invalid_data` for what is no JSON.
pub fn one(response: &Response) -> Result<Option<Stored>> {
    match response.body.as_slice() {
        // The string OK comes in quotes.
        b"OK" => Ok(None),
        // So it answers for `null`, too, which only the list tells from it.
        b"" => Ok(Some(Stored {
            value: Some(SecretValue::default()),
            json_type: "string",
        })),
        body => {
            let raw: &RawValue = serde_json::from_slice(body)
                .map_err(|_| response.nonsense("not the JSON expected"))?;
            Ok(Some(Stored::new(raw.get())))
        }
    }
}

/// Whether a server whose database compares names without regard to case, accents and spaces at
/// their ends may take the two for one.
pub fn alike(one: &Name, other: &Name) -> bool {
    let (one, other) = (one.as_str().trim_end(), other.as_str().trim_end());
    let mut pairs = one.chars().zip(other.chars());
    one.chars().count() == other.chars().count()
        && pairs.all(|(one, other)| {
            // Which letters are equal but for their accents only the database knows.
            one == other || one.eq_ignore_ascii_case(&other) || !one.is_ascii() || !other.is_ascii()
        })
}

/// A name as the server writes it: text, unless half a character stands in it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.into()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The listed secret that the server takes `name` for, where it answers `stored` under that name.
pub fn same_secret<'l>(listed: &'l Listed, name: &Name, stored: &Stored) -> Option<&'l Name> {
    let mut listed = listed.iter();
    let same = listed.find(|(other, held)| *other != name && *held == stored && alike(other, name));
    same.map(|(other, _)| other)
}
