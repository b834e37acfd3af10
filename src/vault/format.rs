//! What stands in a vault under the encryption: one JSON document. Encryption is the work of
//! `file`, what one secret looks like that of `record`.
//!
//! ```json
//! {"keyfob": 2,
//!  "id": "…", "earlier_ids": ["…"],
//!  "recipients": ["age1…", "ssh-ed25519 AAAA… alice@laptop"],
//!  "secrets": {"NAME": {"value": "…", "created_at": "…", "updated_at": "…", "version": 2,
//!                       "versions": [{"version": 1, "value": "…", "updated_at": "…"}]}},
//!  "deleted": {"NAME": {"deleted": true, …}}}
//! ```
//!
//! Format 1, of the first release, is the same without ids.
//!
//! A reader keeps what it was asked for and skips the rest, and a writer carries what it does not
//! touch over as it stands: nothing is copied out of the plaintext that nobody wants.
//!
//! That takes seeds: serde's own derive can neither skip secrets that nobody asked for, nor borrow
//! their names, nor refuse a name that stands twice, of which the next writing would lose one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lineage::Lineage;
use super::record::{Record, damaged};
use crate::identity::recipients::Recipient;
use crate::words::error::{Error, Result};

/// The newest version of the format, which this code writes.
pub const FORMAT: u64 = 2;

/// The version without ids, which it reads.
const FORMAT_WITHOUT_ID: u64 = 1;

/// How long a deleted secret can be restored, and how many of them are kept at most, so that a
/// vault does not grow for ever.
pub const DELETED_KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
const DELETED_KEPT: usize = 1_000;

/// Which of a document's two tables a secret stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Those that can be read.
    Secrets,
    /// Those that can be restored.
    Deleted,
}

/// Secrets by name.
pub type Secrets<'a> = BTreeMap<Cow<'a, str>, Slot<'a>>;

/// One secret: as the plaintext has it, or changed.
#[derive(Debug)]
pub enum Slot<'a> {
    /// The JSON as it was read, and as it will be written.
    Kept(&'a RawValue),
    /// What it is from now on. Boxed: of many slots as a rule one is changed.
    Changed(Box<Record>),
}

impl Slot<'_> {
    /// What is changed into `record`.
    pub fn changed(record: Record) -> Self {
        Slot::Changed(Box::new(record))
    }

    /// The secret with all its versions; `name` is for the error where it cannot be read.
    pub fn record(&self, name: &str) -> Result<Cow<'_, Record>> {
        match self {
            Slot::Kept(raw) => Record::parse(name, raw).map(Cow::Owned),
            Slot::Changed(record) => Ok(Cow::Borrowed(record.as_ref())),
        }
    }
}

impl Serialize for Slot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Slot::Kept(raw) => raw.serialize(serializer),
            Slot::Changed(record) => record.serialize(serializer),
        }
    }
}

/// A vault's content, borrowed from its plaintext as far as it was not changed.
#[derive(Debug, Default)]
pub struct Document<'a> {
    /// What tells it from a file that somebody else has made.
    pub lineage: Lineage,
    /// Who it was encrypted to when it was written last.
    pub recipients: Vec<Recipient>,
    /// The secrets.
    pub secrets: Secrets<'a>,
    /// Deleted ones, for as long as they can be restored. No name is in both tables.
    pub deleted: Secrets<'a>,
}

impl<'a> Document<'a> {
    /// Reads a whole document.
    ///
    /// # Errors
    /// As [`parse_some`](Self::parse_some).
    pub fn parse(plaintext: &'a [u8]) -> Result<Self> {
        Self::parse_some(plaintext, |_, _| true)
    }

    /// Reads a document, of its secrets only those that `keep` says yes to. Such a part must not
    /// be written back.
    ///
    /// # Errors
    /// `invalid_data` where it is no vault, was written by a newer keyfob, or is damaged. The
    /// message never quotes the content.
    pub fn parse_some(plaintext: &'a [u8], keep: impl Fn(Table, &str) -> bool) -> Result<Self> {
        let text = std::str::from_utf8(plaintext).map_err(|_| not_a_vault())?;
        let mut kept = Kept {
            keep,
            secrets: Vec::new(),
            deleted: Vec::new(),
        };
        let mut document =
            Self::parse_into(text, &mut kept).map_err(|error| explain(text, &error))?;
        let twice = || damaged("a name stands in it twice");
        document.secrets = by_name(kept.secrets).ok_or_else(twice)?;
        document.deleted = by_name(kept.deleted).ok_or_else(twice)?;
        Ok(document)
    }

    /// Reads a document and hands its secrets to `sink`, in their order there. The document itself
    /// has none then.
    pub(super) fn parse_into<S: Sink<'a>>(text: &'a str, sink: &mut S) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        let document = DocumentSeed { sink }.deserialize(&mut json)?;
        json.end()?;
        Ok(document)
    }

    /// The version of its format.
    pub fn format(&self) -> u64 {
        match self.lineage.id {
            Some(_) => FORMAT,
            None => FORMAT_WITHOUT_ID,
        }
    }

    /// Drops what has been deleted for too long, and the oldest of too many.
    pub fn forget_long_deleted(&mut self, now: Timestamp) -> Result<()> {
        let mut times = Vec::with_capacity(self.deleted.len());
        for (name, slot) in &self.deleted {
            times.push((slot.record(name)?.updated_at(), name.clone()));
        }
        times.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        for (at, (time, name)) in times.iter().enumerate() {
            if at >= DELETED_KEPT || now.duration_since(*time) > DELETED_KEPT_FOR {
                self.deleted.remove(name);
            }
        }
        Ok(())
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // First, so that an older keyfob meets it before anything it doesn't understand.
        map.serialize_entry("keyfob", &self.format())?;
        if let Some(id) = &self.lineage.id {
            map.serialize_entry("id", id)?;
        }
        if !self.lineage.earlier.is_empty() {
            map.serialize_entry("earlier_ids", &self.lineage.earlier)?;
        }
        map.serialize_entry("recipients", &self.recipients)?;
        map.serialize_entry("secrets", &self.secrets)?;
        if !self.deleted.is_empty() {
            map.serialize_entry("deleted", &self.deleted)?;
        }
        map.end()
    }
}

/// Takes secrets as they are read.
pub(super) trait Sink<'a> {
    /// What is read of each.
    type Item: Deserialize<'a>;

    /// Whether it takes the secret `name` of `table`; it is skipped otherwise.
    fn wants(&self, table: Table, name: &str) -> bool;

    /// Takes that secret.
    fn take(&mut self, table: Table, name: Cow<'a, str>, item: Self::Item);
}

/// Keeps secrets as they stand.
struct Kept<'a, K> {
    keep: K,
    secrets: Vec<(Cow<'a, str>, Slot<'a>)>,
    deleted: Vec<(Cow<'a, str>, Slot<'a>)>,
}

impl<'a, K: Fn(Table, &str) -> bool> Sink<'a> for Kept<'a, K> {
    type Item = &'a RawValue;

    fn wants(&self, table: Table, name: &str) -> bool {
        (self.keep)(table, name)
    }

    fn take(&mut self, table: Table, name: Cow<'a, str>, item: &'a RawValue) {
        let kept = match table {
            Table::Secrets => &mut self.secrets,
            Table::Deleted => &mut self.deleted,
        };
        kept.push((name, Slot::Kept(item)));
    }
}

/// The table of what was `read`; `None` where a name comes twice, of which the next writing would
/// lose one. As keyfob writes names sorted, it takes one look at each of them.
fn by_name<'a>(mut read: Vec<(Cow<'a, str>, Slot<'a>)>) -> Option<Secrets<'a>> {
    if !is_ascending(&read) {
        read.sort_by(|a, b| a.0.cmp(&b.0));
        if !is_ascending(&read) {
            return None;
        }
    }
    Some(read.into_iter().collect())
}

/// Whether names are sorted, each standing once.
fn is_ascending<T>(named: &[(Cow<'_, str>, T)]) -> bool {
    named.is_sorted_by(|(a, _), (b, _)| a < b)
}

/// The document as a whole.
struct DocumentSeed<'s, S> {
    sink: &'s mut S,
}

impl<'de, S: Sink<'de>> DeserializeSeed<'de> for DocumentSeed<'_, S> {
    type Value = Document<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: Sink<'de>> Visitor<'de> for DocumentSeed<'_, S> {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vault")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut version = None;
        let mut document = Document::default();
        let mut members = Vec::new();
        while let Some(NameRead(key)) = map.next_key()? {
            if members.contains(&key) {
                return Err(M::Error::custom("one member twice"));
            }
            members.push(key.clone());
            let table = match key.as_ref() {
                "keyfob" => {
                    version = Some(map.next_value::<u64>()?);
                    continue;
                }
                "id" => {
                    document.lineage.id = Some(map.next_value()?);
                    continue;
                }
                "earlier_ids" => {
                    document.lineage.earlier = map.next_value()?;
                    continue;
                }
                "recipients" => {
                    document.recipients = map.next_value()?;
                    continue;
                }
                "secrets" => Table::Secrets,
                "deleted" => Table::Deleted,
                // A field that would be lost with the next write.
                _ => return Err(M::Error::custom("unknown field")),
            };
            let sink = &mut *self.sink;
            map.next_value_seed(TableSeed { sink, table })?;
        }
        match version {
            Some(FORMAT) if document.lineage.id.is_some() => Ok(document),
            Some(FORMAT_WITHOUT_ID) => Ok(document),
            _ => Err(M::Error::custom("unknown format")),
        }
    }
}

struct TableSeed<'s, S> {
    sink: &'s mut S,
    table: Table,
}

impl<'de, S: Sink<'de>> DeserializeSeed<'de> for TableSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: Sink<'de>> Visitor<'de> for TableSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secrets by name")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { sink, table } = self;
        while let Some(NameRead(name)) = map.next_key()? {
            if name.is_empty() {
                return Err(M::Error::custom("empty name"));
            }
            if sink.wants(table, &name) {
                let item = map.next_value()?;
                sink.take(table, name, item);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct NameRead<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is wrong with `text`, which could not be read for `error`. Not in `error`'s words: they
/// may quote a value.
fn explain(text: &str, error: &serde_json::Error) -> Error {
    #[derive(Deserialize)]
    struct Probe {
        keyfob: Option<u64>,
    }
    match serde_json::from_str::<Probe>(text) {
        Ok(Probe { keyfob: None }) => not_a_vault(),
        Ok(Probe {
            keyfob: Some(version),
        }) if version > FORMAT => Error::invalid_data(format!(
            "a newer keyfob wrote it, in format {version}; this one reads format {FORMAT}"
        ))
        .hint("update keyfob"),
        Ok(_) => damaged(format!(
            "its JSON is not that of a vault at line {}, column {}",
            error.line(),
            error.column()
        )),
        Err(error) if error.is_data() => not_a_vault(),
        Err(_) if !text.trim_start().starts_with("{\"keyfob\"") => not_a_vault(),
        Err(_) => damaged(format!(
            "its JSON is broken at line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

fn not_a_vault() -> Error {
    Error::invalid_data("it is an age file, but what it holds is not a keyfob vault")
        .hint("check the store's path; keyfob does not write over it")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;
    use crate::words::secret::SecretValue;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn written(document: &Document<'_>) -> Vec<u8> {
        serde_json::to_vec(document).unwrap()
    }

    fn one(name: &str, value: &[u8]) -> Vec<u8> {
        let mut document = Document::default();
        let record = Record::new(SecretValue::new(value.to_vec()), None, at(0));
        document
            .secrets
            .insert(name.to_owned().into(), Slot::changed(record));
        written(&document)
    }

    fn fault(json: &str) -> Error {
        let error = Document::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData, "{json}");
        assert!(!error.message().contains("hunter2"), "{error:?}");
        error
    }

    #[test]
    fn what_is_not_ours_is_told_from_what_is_damaged_or_newer() {
        for json in [
            "",
            "hunter2",
            "[]",
            "3",
            "{}",
            r#"{"secrets":{}}"#,
            r#"{"keyfob":"hunter2"}"#,
        ] {
            assert!(
                fault(json).message().contains("not a keyfob vault"),
                "{json}"
            );
        }
        for json in [
            r#"{"keyfob":3}"#,
            r#"{"keyfob":7,"secrets":["hunter2"]}"#,
            r#"{"secrets":"hunter2","keyfob":3}"#,
        ] {
            assert!(fault(json).message().contains("newer keyfob"), "{json}");
        }
        for json in [
            r#"{"keyfob":1,"secrets":{"a":"hunter2"#,
            r#"{"keyfob":1,"secrets":"hunter2"}"#,
            r#"{"keyfob":1,"secrets":{}} hunter2"#,
            r#"{"keyfob":1,"hunter2":1}"#,
            r#"{"keyfob":0,"secrets":{}}"#,
            r#"{"keyfob":1,"recipients":["hunter2"]}"#,
            r#"{"keyfob":2,"recipients":[]}"#,
            r#"{"keyfob":2,"id":"hunter2"}"#,
            r#"{"keyfob":1,"secrets":{"":{}}}"#,
            r#"{"keyfob":1,"secrets":{"a":{},"a":{}}}"#,
            r#"{"keyfob":1,"secrets":{"b":{},"a":{},"b":{}}}"#,
            r#"{"keyfob":1,"recipients":[],"secrets":{},"recipients":[]}"#,
        ] {
            assert!(fault(json).message().contains("damaged"), "{json}");
        }
    }

    #[test]
    fn the_version_stands_first() {
        assert!(written(&Document::default()).starts_with(br#"{"keyfob":1,"#));
    }

    #[test]
    fn what_was_not_touched_is_carried_over_byte_for_byte() {
        let json = br#"{"keyfob":1,"recipients":[],"secrets":{"a":{ "unknown" : 1 }},"deleted":{"b":{"x":2}}}"#;
        assert_eq!(written(&Document::parse(json).unwrap()), json);
        let json = br#"{"keyfob":2,"id":"0123456789abcdef0123456789abcdef","earlier_ids":["00000000000000000000000000000000"],"recipients":[],"secrets":{}}"#;
        assert_eq!(written(&Document::parse(json).unwrap()), json);
    }

    #[test]
    fn deleted_secrets_go_after_a_month_and_when_there_are_too_many() {
        let now = at(100 * 24 * 3600);
        let mut document = Document::default();
        for number in 0..DELETED_KEPT + 5 {
            let mut record = Record::new(SecretValue::default(), None, at(0));
            record.push(None, now - SignedDuration::from_secs(number as i64));
            let name = format!("{number:05}");
            document.deleted.insert(name.into(), Slot::changed(record));
        }
        document.forget_long_deleted(now).unwrap();
        assert_eq!(document.deleted.len(), DELETED_KEPT);
        assert!(document.deleted.contains_key("00000"));
        document
            .forget_long_deleted(now + DELETED_KEPT_FOR)
            .unwrap();
        assert_eq!(document.deleted.len(), 1);
    }

    proptest! {
        #[test]
        fn any_name_and_bytes_survive(name in "\\PC{1,20}|[\\x00-\\x7f]{1,20}", value in any::<Vec<u8>>()) {
            let json = one(&name, &value);
            let document = Document::parse(&json).unwrap();
            let record = document.secrets[name.as_str()].record(&name).unwrap();
            prop_assert_eq!(record.value().unwrap().expose(), &value[..]);
        }

        #[test]
        fn no_input_makes_it_panic(json in "[\\x20-\\x7f]{0,60}|\\{\"keyfob\":1[ -~]{0,40}") {
            let _ = Document::parse(json.as_bytes());
        }

        #[test]
        fn a_truncated_document_is_refused(value in "\\PC{0,20}", cut in any::<prop::sample::Index>()) {
            let json = one("a", value.as_bytes());
            let cut = cut.index(json.len());
            prop_assert!(Document::parse(&json[..cut]).is_err());
        }
    }
}
