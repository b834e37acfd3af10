//! JSON: one object of names and strings.
//!
//! A value that is not UTF-8 text is written as `{"base64": "…"}` (standard alphabet, padded), and
//! read back from it. The reader also takes numbers and booleans, as they are spelt.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::format::Format::Json;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, duplicate_key, unfit_value, utf8_input};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::text::{Place, line_of};

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    out.push_str("{");
    for (at, (name, value)) in pairs.iter().enumerate() {
        out.push_str(if at == 0 { "\n  " } else { ",\n  " });
        push_string(&mut out, name, name)?;
        out.push_str(": ");
        match value.expose_str() {
            Some(text) => push_string(&mut out, name, text)?,
            None => {
                let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
                out.push_str("{\"base64\": \"");
                out.push_str(&encoded);
                out.push_str("\"}");
            }
        }
    }
    out.push_str(if pairs.is_empty() { "}\n" } else { "\n}\n" });
    Ok(out.into_bytes())
}

/// Appends `text`, which belongs to the secret `name`, as a JSON string.
pub(super) fn push_string(out: &mut SecretText, name: &str, text: &str) -> Result<()> {
    serde_json::to_writer(out, text).map_err(|_| cannot_hold(name, Json, "it does not encode"))
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pair>> {
    let text = utf8_input(Json, bytes)?;
    let text_of_all = text;
    let malformed = |line: usize, column: usize| {
        Error::invalid_data(format!(
            "the input is no valid JSON at line {line}, column {column}"
        ))
    };
    let Members(members) = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            Error::invalid_data("the JSON input is no object of names and values")
        } else {
            malformed(error.line(), error.column())
        }
    })?;
    // Lines are counted for errors alone: from the start of the text, each time.
    let line_at = |offset| line_of(text.as_bytes(), offset);
    let mut pairs = Vec::with_capacity(members.len());
    let mut places = HashMap::new();
    for (name, raw) in members {
        let raw = raw.get();
        // `raw` is a part of `text`, so the difference is its place there.
        let offset = (raw.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        if name.is_empty() {
            let line = line_at(offset);
            return Err(Error::invalid_data(format!(
                "the name on line {line} is empty"
            )));
        }
        if let Some(first) = places.insert(name.clone(), offset) {
            return Err(duplicate_key(&name, line_at(offset), line_at(first)));
        }
        let unfit = |what| unfit_value(&name, line_at(offset), what);
        let value = match raw.as_bytes().first() {
            Some(b'"') => {
                let text: Result<String, _> = serde_json::from_str(raw);
                SecretValue::from(text.map_err(|error| {
                    let at = (offset + error.column()).saturating_sub(1);
                    let place = Place::of(text_of_all.as_bytes(), at);
                    malformed(place.line, place.column)
                })?)
            }
            Some(b'n') => return Err(unfit("null")),
            Some(b'[') => return Err(unfit("a list")),
            Some(b'{') => encoded(raw).ok_or_else(|| unfit("an object"))?,
            _ => SecretValue::from(raw),
        };
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// The bytes of a `{"base64": "…"}`.
fn encoded(raw: &str) -> Option<SecretValue> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Encoded {
        base64: String,
    }
    let encoded: Encoded = serde_json::from_str(raw).ok()?;
    let text = Zeroizing::new(encoded.base64);
    STANDARD.decode(text.as_bytes()).ok().map(SecretValue::new)
}

/// The members of an object, in their order and with each one's own spelling.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_document_is_one_a_person_can_read() {
        let pairs = [
            ("A".to_owned(), SecretValue::from("b\n\"c\"")),
            ("k 1".to_owned(), SecretValue::new(vec![0xff, 0])),
        ];
        let text = String::from_utf8(write(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(
            text,
            "{\n  \"A\": \"b\\n\\\"c\\\"\",\n  \"k 1\": {\"base64\": \"/wA=\"}\n}\n"
        );
        assert_eq!(write(&[]).unwrap().as_slice(), b"{}\n");
        assert_eq!(read(b"{}").unwrap(), []);
    }

    #[test]
    fn numbers_and_booleans_keep_their_spelling() {
        let pairs =
            read(b"\xef\xbb\xbf{\"z\": 1.50e3, \"a\": true, \"m\": 12345678901234567890123}")
                .unwrap();
        let values: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_str().unwrap()))
            .collect();
        assert_eq!(
            values,
            [
                ("z", "1.50e3"),
                ("a", "true"),
                ("m", "12345678901234567890123")
            ]
        );
    }

    #[test]
    fn errors_give_the_line_and_no_value() {
        for (text, part) in [
            ("{\n\"A\": \"hunter2\n", "line 2"),
            ("{\n\"A\": \"hunter2\\ud800\"}", "line 2, column 20"),
            ("[\"hunter2\"]", "no object"),
            ("\"hunter2\"", "no object"),
            ("{\"A\": \"hunter2\"} x", "line 1, column 18"),
            (
                "{\"A\": 1,\n\"A\": \"hunter2\"}",
                "A on line 2 stands on line 1 already",
            ),
            ("{\"A\":\n[\"hunter2\"]}", "A on line 2 is a list"),
            ("{\"A\": {\"b\": \"hunter2\"}}", "A on line 1 is an object"),
            (
                "{\"A\": {\"base64\": \"hunter2!\"}}",
                "A on line 1 is an object",
            ),
            ("{\"A\": null}", "A on line 1 is null"),
            ("{\"\": \"hunter2\"}", "empty"),
            ("", "line 1"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(error.message().contains(part), "{text:?}: {error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back(values in prop::collection::btree_map(".{1,8}", any::<Vec<u8>>(), 0..5)) {
            let pairs: Vec<Pair> = values
                .into_iter()
                .map(|(name, value)| (name, SecretValue::new(value)))
                .collect();
            prop_assert_eq!(read(&write(&pairs).unwrap()).unwrap(), pairs);
        }
    }
}
