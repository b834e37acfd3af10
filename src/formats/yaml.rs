//! YAML: one mapping of names and strings.
//!
//! Names and values are written in double quotes with every character escaped that a parser could
//! take for something else, so that YAML 1.1 and 1.2 parsers see the same strings. The reader
//! takes plain scalars as they are spelt (`no`, `0123`, `1e3`), and refuses nulls, nesting, merge
//! keys, tags of its own kind (`!vault`) and more than one document.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Options, Spanned};
use zeroize::Zeroizing;

use super::format::Format::Yaml;
use super::format::Pair;
use super::text::{SecretText, duplicate_key, unfit_value, utf8_input, utf8_value};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    if pairs.is_empty() {
        out.push_str("{}\n");
    }
    for (name, value) in pairs {
        push_string(&mut out, name);
        out.push_str(": ");
        push_string(&mut out, utf8_value(name, Yaml, value.expose())?);
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

/// Appends `text` as a double-quoted scalar on one line.
pub(super) fn push_string(out: &mut SecretText, text: &str) {
    out.push_str("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line breaks to YAML 1.1, and the byte order mark.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_fmt(format_args!("\\u{:04x}", c as u32));
            }
            // Control characters, NEL among them.
            c if c.is_control() => out.push_fmt(format_args!("\\x{:02x}", c as u32)),
            c => out.push_char(c),
        }
    }
    out.push_str("\"");
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pair>> {
    let text = utf8_input(Yaml, bytes)?;
    // Once for the kinds, once for the texts: no one reading tells `1e3` from `1000.0` and `~`
    // from `"~"` alike.
    let kinds: Entries<Kind> = parse(text)?;
    let mut lines = HashMap::new();
    for (name, kind) in &kinds.0 {
        let line = name.referenced.line() as usize;
        if let Some(what) = kind.unfit() {
            return Err(unfit_value(&name.value, line, what));
        }
        if let Some(first) = lines.insert(&name.value, line) {
            return Err(duplicate_key(&name.value, line, first));
        }
        if name.value.is_empty() {
            return Err(Error::invalid_data(format!(
                "the name on line {line} is empty"
            )));
        }
    }
    let texts: Entries<String> = parse(text)?;
    Ok(texts
        .0
        .into_iter()
        .map(|(name, value)| (name.value, SecretValue::from(value)))
        .collect())
}

fn parse<'t, V: Deserialize<'t>>(text: &'t str) -> Result<Entries<V>> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        // The parser's own words can hold a piece of the input.
        let place = match error.location() {
            Some(at) => format!(" at line {}, column {}", at.line(), at.column()),
            None => String::new(),
        };
        Error::invalid_data(format!(
            "the input is no YAML mapping of names and values{place}"
        ))
        .hint("one document with one flat mapping, without merge keys and tags")
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
    }
}

/// A mapping's entries, in their order and with the places of their names.
struct Entries<V>(Vec<(Spanned<String>, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Collect<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect(PhantomData))
    }
}

/// What a value is, without what it says.
enum Kind {
    Scalar,
    Null,
    Sequence,
    Mapping,
}

impl Kind {
    /// What keeps it from being a secret's value.
    fn unfit(&self) -> Option<&'static str> {
        match self {
            Self::Scalar => None,
            Self::Null => Some("null"),
            Self::Sequence => Some("a list"),
            Self::Mapping => Some("a mapping"),
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tell;

        impl<'de> Visitor<'de> for Tell {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_i128<E>(self, _: i128) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_u128<E>(self, _: u128) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_bytes<E>(self, _: &[u8]) -> Result<Kind, E> {
                Ok(Kind::Scalar)
            }

            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_none<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Kind, D::Error> {
                Kind::deserialize(inner)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Kind::Sequence)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Kind::Mapping)
            }
        }

        deserializer.deserialize_any(Tell)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_scalars_keep_their_spelling() {
        let text = "a: no\nb: 1e3\nc: 0123\nd: 2024-01-01\ne: 'x'' y'\nf: |\n  x\n  y\n\
                    g: .nan\nh: 0x1F\ni: 1_000\nj: 1:30\nk: \"\"\nl: -1.50\nno: Yes\n1: &x z\nm: *x\n\
                    n: 123456789012345678901234567890123456789012345\no: !!str 12\np: \"~\"\nq: .inf\n";
        let values: Vec<_> = read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()))
            .collect();
        assert_eq!(
            values,
            [
                "a=no",
                "b=1e3",
                "c=0123",
                "d=2024-01-01",
                "e=x' y",
                "f=x\ny\n",
                "g=.nan",
                "h=0x1F",
                "i=1_000",
                "j=1:30",
                "k=",
                "l=-1.50",
                "no=Yes",
                "1=z",
                "m=z",
                "n=123456789012345678901234567890123456789012345",
                "o=12",
                "p=~",
                "q=.inf",
            ]
        );
        assert_eq!(read(b"# nothing\n").unwrap(), []);
        assert_eq!(read(b"{}\n").unwrap(), []);
    }

    #[test]
    fn errors_give_the_line_and_no_value() {
        for (text, part) in [
            ("a: 1\nb: 'hunter2\n", "line 2"),
            ("a: hunter2: x\n", "line 1"),
            ("a: 1\nb: ~\n", "b on line 2 is null"),
            ("a:\n", "a on line 1 is null"),
            ("a: [hunter2]\n", "a on line 1 is a list"),
            ("a: {b: hunter2}\n", "a on line 1 is a mapping"),
            (
                "a: hunter2\nb: 2\na: hunter2\n",
                "a on line 3 stands on line 1 already",
            ),
            ("<<: {a: hunter2}\n", "line 1"),
            ("- hunter2\n", "no YAML mapping"),
            ("hunter2\n", "no YAML mapping"),
            ("a: !vault hunter2\n", "line 1"),
            ("a: !!int hunter2\n", "line 1"),
            ("a: *hunter2\n", "line 1"),
            ("a: 1\n---\na: hunter2\n", "no YAML mapping"),
            ("\"\": hunter2\n", "empty"),
        ] {
            let error = match read(text.as_bytes()) {
                Ok(pairs) => panic!("{text:?} was read as {} pairs", pairs.len()),
                Err(error) => error,
            };
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(error.message().contains(part), "{text:?}: {error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(values in prop::collection::btree_map(".{1,8}", any::<String>(), 0..5)) {
            let pairs: Vec<Pair> = values
                .into_iter()
                .map(|(name, value)| (name, SecretValue::from(value)))
                .collect();
            prop_assert_eq!(read(&write(&pairs).unwrap()).unwrap(), pairs);
        }
    }
}
