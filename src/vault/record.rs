//! One secret inside a vault: its last versions, newest first, and the JSON they are kept as.
//!
//! Values are taken out of the JSON by [`unescape`] and not by serde_json, which undoes escapes in
//! a buffer of its own that it does not wipe.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name, SecretValue};

/// How many versions of a secret stay, the current one among them.
pub const VERSIONS_KEPT: usize = 10;

/// A secret with its last versions.
#[derive(Clone, Debug)]
pub struct Record {
    /// What its owner says of it.
    pub description: Option<String>,
    /// When it was first stored.
    pub created_at: Timestamp,
    current: Version,
    earlier: Vec<Version>,
}

/// One value that a secret has had; or, without a value, its deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Counts from one and never again.
    pub number: u32,
    /// When it became the current one.
    pub updated_at: Timestamp,
    /// `None`: with this version the secret was deleted.
    pub value: Option<SecretValue>,
}

impl Record {
    /// A secret that did not exist before.
    pub fn new(value: SecretValue, description: Option<String>, now: Timestamp) -> Self {
        Self {
            description,
            created_at: now,
            current: Version {
                number: 1,
                updated_at: now,
                value: Some(value),
            },
            earlier: Vec::new(),
        }
    }

    /// Makes `value` the current one, or deletes it; the oldest version goes when there are too
    /// many.
    pub fn push(&mut self, value: Option<SecretValue>, now: Timestamp) {
        let version = Version {
            number: self.current.number.saturating_add(1),
            updated_at: now,
            value,
        };
        let previous = std::mem::replace(&mut self.current, version);
        self.earlier.insert(0, previous);
        self.earlier.truncate(VERSIONS_KEPT - 1);
    }

    /// The same secret as `record` with this description and these versions, newest first, of which
    /// there is at least one where `record` has one.
    pub fn of(record: &Record, description: Option<String>, versions: Vec<Version>) -> Self {
        let mut versions = versions.into_iter();
        Self {
            description,
            created_at: record.created_at,
            current: versions.next().unwrap_or_else(|| record.current.clone()),
            earlier: versions.take(VERSIONS_KEPT - 1).collect(),
        }
    }

    /// The current version.
    pub fn current(&self) -> &Version {
        &self.current
    }

    /// Forgets all versions but the current one; tells how many there were.
    pub fn forget_earlier(&mut self) -> usize {
        let count = self.earlier.len();
        self.earlier = Vec::new();
        count
    }

    /// The current value; `None` of a deleted secret.
    pub fn value(&self) -> Option<&SecretValue> {
        self.current.value.as_ref()
    }

    /// The number of the current version.
    pub fn version(&self) -> u32 {
        self.current.number
    }

    /// When the current version was written.
    pub fn updated_at(&self) -> Timestamp {
        self.current.updated_at
    }

    /// Its versions, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.current).chain(&self.earlier)
    }

    /// Reads the secret `name` from its JSON.
    ///
    /// # Errors
    /// `invalid_data` that names it and quotes nothing of it.
    pub fn parse(name: &str, raw: &RawValue) -> Result<Self> {
        Self::from_json(raw).ok_or_else(|| unreadable(name))
    }

    fn from_json(raw: &RawValue) -> Option<Self> {
        let stored: StoredRecord<'_> = serde_json::from_str(raw.get()).ok()?;
        let current = Version {
            number: stored.version,
            updated_at: stored.updated_at,
            value: value_of(stored.value, stored.value_base64, stored.deleted)?,
        };
        let mut earlier = Vec::with_capacity(stored.versions.len());
        let mut above = stored.version;
        for version in stored.versions {
            if version.version >= above {
                return None;
            }
            above = version.version;
            earlier.push(Version {
                number: version.version,
                updated_at: version.updated_at,
                value: value_of(version.value, version.value_base64, version.deleted)?,
            });
        }
        Some(Self {
            description: stored.description,
            created_at: stored.created_at,
            current,
            earlier,
        })
    }
}

/// What can be read of a secret without the rest of it.
pub trait Part {
    /// The members of its JSON that tell it.
    type Json<'a>: Deserialize<'a>;
    /// What they tell.
    type Is;

    /// What `json`, of the secret `name`, tells; `None` where that is none.
    fn of(name: Name, json: Self::Json<'_>, times: &mut Times) -> Option<Self::Is>;
}

/// Reads times, of which many secrets have the same: that of their import.
#[derive(Default)]
pub struct Times {
    text: String,
    at: Option<Timestamp>,
}

impl Times {
    /// The time that `text` tells; `None` where it tells none.
    fn read(&mut self, text: &str) -> Option<Timestamp> {
        if self.at.is_none() || self.text != text {
            self.at = text.parse().ok();
            self.text.clear();
            self.text.push_str(text);
        }
        self.at
    }
}

/// Reads a part of the secret `name` from its JSON.
///
/// # Errors
/// As [`Record::parse`].
pub fn parse<P: Part>(name: Name, raw: &RawValue) -> Result<P::Is> {
    let shown = name.clone();
    serde_json::from_str(raw.get())
        .ok()
        .and_then(|json| P::of(name, json, &mut Times::default()))
        .ok_or_else(|| unreadable(shown.as_str()))
}

/// The current value, and the number of its version.
pub enum Current {}

/// The JSON of [`Current`].
#[derive(Deserialize)]
pub struct CurrentJson<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<&'a RawValue>,
    version: Option<u32>,
}

impl Part for Current {
    type Json<'a> = CurrentJson<'a>;
    type Is = (Name, SecretValue, Option<u32>);

    fn of(name: Name, json: CurrentJson<'_>, _: &mut Times) -> Option<Self::Is> {
        let value = value_of(json.value, json.value_base64, false)??;
        Some((name, value, json.version))
    }
}

/// What may be known of a secret without its value.
pub enum Known {}

/// The JSON of [`Known`].
#[derive(Deserialize)]
pub struct KnownJson<'a> {
    description: Option<String>,
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    #[serde(borrow)]
    updated_at: Cow<'a, str>,
    version: u32,
}

impl Part for Known {
    type Json<'a> = KnownJson<'a>;
    type Is = Entry;

    fn of(name: Name, json: KnownJson<'_>, times: &mut Times) -> Option<Entry> {
        Some(Entry {
            created_at: Some(times.read(&json.created_at)?),
            updated_at: Some(times.read(&json.updated_at)?),
            description: json.description,
            version: Some(json.version),
            ..Entry::new(name)
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<&'a RawValue>,
    #[serde(default)]
    deleted: bool,
    description: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u32,
    #[serde(borrow, default)]
    versions: Vec<StoredVersion<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredVersion<'a> {
    version: u32,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<&'a RawValue>,
    #[serde(default)]
    deleted: bool,
    updated_at: Timestamp,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        serialize_value(&mut map, self.current.value.as_ref())?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("updated_at", &self.current.updated_at)?;
        map.serialize_entry("version", &self.current.number)?;
        if !self.earlier.is_empty() {
            map.serialize_entry("versions", &self.earlier)?;
        }
        map.end()
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &self.number)?;
        serialize_value(&mut map, self.value.as_ref())?;
        map.serialize_entry("updated_at", &self.updated_at)?;
        map.end()
    }
}

/// A text as it is, so that the vault can be read after `age -d`; other bytes in base64.
fn serialize_value<M: SerializeMap>(
    map: &mut M,
    value: Option<&SecretValue>,
) -> Result<(), M::Error> {
    match value.map(|value| (value, value.expose_str())) {
        Some((_, Some(text))) => map.serialize_entry("value", text),
        Some((value, None)) => {
            let encoded = Zeroizing::new(BASE64.encode(value.expose()));
            map.serialize_entry("value_base64", encoded.as_str())
        }
        None => map.serialize_entry("deleted", &true),
    }
}

/// The value of a version, itself `None` for a deletion; `None` where it cannot be read.
fn value_of(
    text: Option<&RawValue>,
    encoded: Option<&RawValue>,
    deleted: bool,
) -> Option<Option<SecretValue>> {
    match (text, encoded, deleted) {
        (Some(text), None, false) => Some(Some(SecretValue::from(unescape(text.get())?))),
        (None, Some(encoded), false) => {
            let bytes = BASE64.decode(&*unescape(encoded.get())?).ok()?;
            Some(Some(SecretValue::new(bytes)))
        }
        (None, None, true) => Some(None),
        _ => None,
    }
}

/// The text of a JSON string, quotes included in `raw`; `None` where it is none.
fn unescape(raw: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?;
    // Never longer than with its escapes, so that it does not move and leave copies.
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(at) = rest.find('\\') {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = &rest[at + 2..];
        let plain = match escape {
            b'"' | b'\\' | b'/' => escape as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (unit, after) = utf16_unit(rest)?;
                rest = after;
                if (0xd800..0xdc00).contains(&unit) {
                    let (low, after) = utf16_unit(rest.strip_prefix("\\u")?)?;
                    rest = after;
                    char::decode_utf16([unit, low]).next()?.ok()?
                } else {
                    char::from_u32(u32::from(unit))?
                }
            }
            _ => return None,
        };
        let mut utf8 = [0; 4];
        text.extend_from_slice(plain.encode_utf8(&mut utf8).as_bytes());
    }
    text.extend_from_slice(rest.as_bytes());
    Some(text)
}

fn utf16_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

fn unreadable(name: &str) -> Error {
    damaged(format!("its secret {name:?} cannot be read"))
}

/// The error for a vault whose content cannot be right; `why` must not quote it.
pub fn damaged(why: impl fmt::Display) -> Error {
    Error::invalid_data(format!("the vault is damaged: {why}"))
        .hint("restore it from a backup or from version control; keyfob does not write over it")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn through_json(record: &Record) -> Record {
        Record::parse("a", &serde_json::value::to_raw_value(record).unwrap()).unwrap()
    }

    fn numbers(record: &Record) -> Vec<u32> {
        record.versions().map(|version| version.number).collect()
    }

    #[test]
    fn ten_versions_stay() {
        let mut record = Record::new("1".into(), None, at(1));
        for number in 2..=12_i64 {
            record.push(Some(number.to_string().into()), at(number));
        }
        let record = through_json(&record);
        assert_eq!(numbers(&record), (3..=12).rev().collect::<Vec<_>>());
        assert_eq!(record.value().unwrap().expose(), b"12");
        assert_eq!(record.updated_at(), at(12));
        assert_eq!(record.created_at, at(1));
    }

    #[test]
    fn a_deletion_is_a_version() {
        let mut record = Record::new("x".into(), Some("what".into()), at(1));
        record.push(None, at(2));
        let record = through_json(&record);
        assert!(record.value().is_none());
        assert_eq!(numbers(&record), [2, 1]);
        assert_eq!(record.description.as_deref(), Some("what"));
    }

    #[test]
    fn the_json_is_as_documented() {
        let mut record = Record::new(SecretValue::new(vec![0xff]), None, at(0));
        record.push(Some("a\nb".into()), at(1));
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"value":"a\nb","created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:01Z","version":2,"versions":[{"version":1,"value_base64":"/w==","updated_at":"1970-01-01T00:00:00Z"}]}"#
        );
    }

    #[test]
    fn nonsense_is_refused_without_being_quoted() {
        let times = r#""created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z""#;
        for fields in [
            r#""version":1"#,
            r#""version":1,"value":"hunter2","value_base64":"""#,
            r#""version":1,"value":"hunter2","deleted":true"#,
            r#""version":1,"value":["hunter2"]"#,
            r#""version":1,"value_base64":"hunter2""#,
            r#""version":"hunter2","value":"""#,
            r#""version":1,"value":"","hunter2":1"#,
            r#""version":1,"value":"","versions":[{"version":1,"value":"","updated_at":"1970-01-01T00:00:00Z"}]"#,
        ] {
            let json = format!("{{{times},{fields}}}");
            let raw: Box<RawValue> = serde_json::from_str(&json).unwrap();
            let error = Record::parse("a", &raw).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(!error.message().contains("hunter2"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn unescaping_is_what_serde_json_does(raw in "\"([ -~é漢😀]|\\\\([\"\\\\/bfnrt]|u[0-9a-fA-F]{4}|ud83d\\\\ude0[0-9])){0,12}\"") {
            let expected = serde_json::from_str::<String>(&raw).ok();
            let text = serde_json::from_str::<&RawValue>(&raw).ok().and_then(|raw| unescape(raw.get()));
            prop_assert_eq!(text.map(|text| text.to_vec()), expected.map(String::into_bytes));
        }

        #[test]
        fn any_bytes_survive(value in any::<Vec<u8>>()) {
            let record = Record::new(SecretValue::new(value.clone()), None, at(0));
            let raw = serde_json::value::to_raw_value(&record).unwrap();
            let name = Name::new("a").unwrap();
            let (_, parsed, version) = parse::<Current>(name, &raw).unwrap();
            prop_assert_eq!(parsed.expose(), &value[..]);
            prop_assert_eq!(version, Some(1));
        }
    }
}
