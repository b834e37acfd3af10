//! The words everybody uses: secret names, secret values, entries and references.
//!
//! A [`SecretValue`] is bytes that are wiped on drop and can't be printed by accident; an
//! [`Entry`] is what may be known of a secret without reading it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::words::digest;
use crate::words::error::{Error, Result};
use crate::words::shown::{self, Shown};
use crate::words::wiped::Wiped;
use crate::words::word::Word;

/// So much of a value is read, in bytes, wherever it comes from. What a store takes is for the store
/// to say.
pub const MAX_VALUE: usize = 64 * 1024 * 1024;

/// What the bytes of a value stand for, as far as its source tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Themselves: its source knows no types.
    #[default]
    Plain,
    /// A string, where other values are none.
    String,
    /// The JSON of what is no string.
    Json,
}

/// A secret's value: any bytes. Never shown, compared in constant time; copies share the bytes, which
/// are wiped when the last of them is dropped.
///
/// Where a backend's values have types, its provider gives each the [`Form`] that it has there, and
/// stores it in the form that it comes with; to everybody else a value is its bytes.
#[derive(Clone, Default)]
pub struct SecretValue {
    bytes: Arc<Wiped>,
    form: Form,
}

impl SecretValue {
    /// Takes `bytes` over as they are.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self::from(Zeroizing::new(bytes))
    }

    /// The same bytes, standing for this.
    pub fn in_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// What the bytes stand for.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether the bytes are those of `other`, whatever the two stand for.
    pub fn reads_as(&self, other: &Self) -> bool {
        self.bytes.as_slice().ct_eq(other.bytes.as_slice()).into()
    }

    /// The plain bytes. Every place where a value leaves its wrapper calls this or
    /// [`expose_str`](Self::expose_str).
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The plain text, or `None` where the bytes are not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretValue {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self {
            bytes: Arc::new(bytes.into()),
            form: Form::Plain,
        }
    }
}

/// Where both say what they stand for, that counts too: a string is not the number that reads as it
/// does. Where one does not say it, the bytes alone count; so this is no equivalence, and no `Eq`.
impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        let untyped = self.form == Form::Plain || other.form == Form::Plain;
        self.reads_as(other) && (untyped || self.form == other.form)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Gives a name that is text inside what every name can do.
macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}

text_name!(Name);
text_name!(StoreName);

/// The name as it stands in a sentence: see [`Word`]. Where it is data it is [`Name::as_str`].
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Word(&self.0).fmt(f)
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret's name inside a store: any text. What more a backend asks of names its provider checks;
/// under the empty one a backend may have something, and keyfob stores nothing.
///
/// Copies share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks that `text` is not empty.
    ///
    /// # Errors
    /// `invalid_data` for the empty name.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self> {
        let name = Self::any(text);
        name.check()?;
        Ok(name)
    }

    /// The name of what is there already, which may be the empty one.
    pub fn any(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Checks that something may be stored under it.
    ///
    /// # Errors
    /// `invalid_data` for the empty name.
    pub fn check(&self) -> Result<()> {
        match self.0.is_empty() {
            true => Err(Error::invalid_data("a secret's name cannot be empty")),
            false => Ok(()),
        }
    }

    /// The name in a message about a secret that is not there: it may be a name with its value
    /// behind it, which is described.
    pub fn shown(&self) -> Shown<'_> {
        shown::name(&self.0)
    }
}

/// What tells a stored secret from one that somebody else puts in its place: a digest of what its
/// backend says of it, such as its id and times. Two that are equal are of one writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// The mark made of `parts`, which it does not reveal.
    pub fn of(parts: &[&str]) -> Self {
        Self(digest::of_parts(parts))
    }

    /// The digest in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known of a secret without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name, as `get` takes it.
    pub name: Name,
    /// When it was first stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When its value was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When the backend will stop serving it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What its owner says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What else the backend keeps with it, none of it secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// The number of its current version, where the backend counts them.
    #[serde(skip)]
    pub version: Option<u32>,
    /// By what it can be told from another of its name, where its value cannot be read.
    #[serde(skip)]
    pub mark: Option<Mark>,
}

impl Entry {
    /// An entry of which only the name is known.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            created_at: None,
            updated_at: None,
            expires_at: None,
            description: None,
            attributes: BTreeMap::new(),
            version: None,
            mark: None,
        }
    }
}

/// A store's name: lower-case letters, digits, `-` and `_`, beginning with a letter or digit. Copies
/// share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(Arc<str>);

impl StoreName {
    /// Checks `text` against the rule.
    ///
    /// # Errors
    /// `usage` naming the rule.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self> {
        let text = text.into();
        let good = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if good {
            Ok(Self(text))
        } else {
            let error = Error::usage(format!(
                "{} is no store name: at most 64 lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit",
                shown::quoted(&text)
            ));
            // A reference is what stands for a secret nearly everywhere else.
            Err(match text.parse::<Reference>() {
                Ok(Reference { store, .. }) => error.hint(format!(
                    "a store stands here, without a name in it: {store}; keyfob move gives a secret another name"
                )),
                Err(_) => error,
            })
        }
    }
}

impl<'de> Deserialize<'de> for StoreName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const SCHEME: &str = "keyfob://";

/// What a reference leaves as it stands; everything else is written `%XX`.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b'+')
    .remove(b',')
    .remove(b'=');

/// A secret in a named store, written `keyfob://STORE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The store.
    pub store: StoreName,
    /// The name inside it.
    pub name: Name,
}

impl Reference {
    /// Whether `text` means to be a reference, well-formed or not.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The reference in a message about a secret that is not there; see [`Name::shown`].
    pub fn shown(&self) -> Shown<'_> {
        match self.name.shown() {
            described @ Shown::Described(_) => described,
            _ => Shown::Named(self.to_string().into()),
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::usage(format!("{} is no reference: {why}", shown::quoted(text))).hint(
                "references are written keyfob://STORE/NAME, with %XX for odd characters in NAME",
            )
        };
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| bad("it does not begin with keyfob://"))?;
        let (store, name) = rest
            .split_once('/')
            .ok_or_else(|| bad("there is no \"/\" after the store"))?;
        let store = StoreName::new(store).map_err(|error| bad(error.message()))?;
        if !well_formed_escapes(name) {
            return Err(bad("\"%\" must be followed by two hexadecimal digits"));
        }
        let name = percent_decode_str(name)
            .decode_utf8()
            .map_err(|_| bad("its escapes do not give UTF-8"))?;
        let name = Name::new(name).map_err(|_| bad("the name is empty"))?;
        Ok(Self { store, name })
    }
}

fn well_formed_escapes(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| {
        *byte != b'%'
            || bytes
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = utf8_percent_encode(self.name.as_str(), PLAIN);
        write!(f, "{SCHEME}{}/{name}", self.store)
    }
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What stands where a command takes a NAME: a name in the selected store, or a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name in the store that `--store` and its like select.
    Name(Name),
    /// A reference, which overrides that store.
    Reference(Reference),
}

impl Target {
    /// The target that a configuration names, where an empty text is a slip.
    ///
    /// # Errors
    /// Those of parsing it: `usage` for what is a reference of another tool, or none that is
    /// well-formed; `invalid_data` for the empty name.
    pub fn configured(text: &str) -> Result<Self> {
        let target: Self = text.parse()?;
        if let Self::Name(name) = &target {
            name.check()?;
        }
        Ok(target)
    }
}

/// The beginning of `text`, where somebody means a reference by it that is none of keyfob's.
fn foreign_scheme(text: &str) -> Option<&str> {
    let schemes = ["keyfob:", "op://", "vault://", "secret://", "doppler://"];
    schemes.iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(start)
    })
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if Reference::looks_like(text) {
            return text.parse().map(Target::Reference);
        }
        if let Some(scheme) = foreign_scheme(text) {
            return Err(Error::usage(format!(
                "what begins with {scheme} is no reference of keyfob's"
            ))
            .hint("references are written keyfob://STORE/NAME, where NAME may be any text"));
        }
        Ok(Target::Name(Name::any(text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_says_nothing_of_itself() {
        let value = SecretValue::from("hunter2");
        assert_eq!(format!("{value:?}"), "SecretValue(…)");
    }

    #[test]
    fn a_type_counts_where_both_have_one() {
        let [plain, string, number] = [Form::Plain, Form::String, Form::Json]
            .map(|form| SecretValue::from("5").in_form(form));
        assert!(plain == string && plain == number);
        assert!(string != number && string.reads_as(&number));
        assert!(plain != SecretValue::from("6"));
        assert!(number != SecretValue::from("6").in_form(Form::Json));
    }

    #[test]
    fn references_keep_slashes_and_decode_escapes() {
        let reference: Reference = "keyfob://web/api-env//etc/app.conf".parse().unwrap();
        assert_eq!(reference.store.as_str(), "web");
        assert_eq!(reference.name.as_str(), "api-env//etc/app.conf");
        let reference: Reference = "keyfob://gpu/a%20b%25".parse().unwrap();
        assert_eq!(reference.name.as_str(), "a b%");
    }

    #[test]
    fn malformed_references_are_usage_errors() {
        for text in [
            "KEYFOB://web/x",
            "keyfob:/web/x",
            "keyfob:web/x",
            "op://vault/item/field",
            "keyfob://",
            "keyfob://web",
            "keyfob://web/",
            "keyfob:///x",
            "keyfob://Web/x",
            "keyfob://web/a%2",
            "keyfob://web/%ff",
            "keyfob://web/%zz",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::Usage, "{text}");
        }
    }

    proptest! {
        #[test]
        fn references_survive_writing_and_reading(name in "\\PC{1,40}|[\\x00-\\x7f]{1,20}", store in "[a-z0-9][a-z0-9_-]{0,20}") {
            let reference = Reference { store: StoreName::new(store).unwrap(), name: Name::new(name).unwrap() };
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }
}
