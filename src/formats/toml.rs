//! TOML: one table of names and strings.
//!
//! Values are written as basic strings on one line. The reader takes numbers, booleans and dates
//! as they are spelt.

use toml_edit::{Document, Item, Value};
use toml_writer::{TomlKeyBuilder, TomlStringBuilder, TomlWrite};
use zeroize::Zeroizing;

use super::format::Format::Toml;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, unfit_value, utf8_input, utf8_value};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::text::line_of;
use crate::words::word::{Word, in_our_quotes};

/// What the parser calls a key that stands twice; it then points at the second one.
const DUPLICATE: &str = "duplicate key";

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        let value = utf8_value(name, Toml, value.expose())?;
        let key = TomlKeyBuilder::new(name);
        out.key(key.as_unquoted().unwrap_or_else(|| key.as_basic()))
            .and_then(|()| out.space())
            .and_then(|()| out.keyval_sep())
            .and_then(|()| out.space())
            .and_then(|()| out.value(TomlStringBuilder::new(value).as_basic()))
            .and_then(|()| out.newline())
            .map_err(|_| cannot_hold(name, Toml, "it does not encode"))?;
    }
    Ok(out.into_bytes())
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pair>> {
    let text = utf8_input(Toml, bytes)?;
    // Lines are counted for errors alone: from the start of the text, each time.
    let line_at = |offset| line_of(text.as_bytes(), offset);
    let document = Document::parse(text).map_err(|error| {
        // The error's own rendering would show the line; its message only says what was expected.
        let place = match error.span() {
            Some(span) => format!(" on line {}", line_at(span.start)),
            None => String::new(),
        };
        let reason = match error.span().and_then(|span| text.get(span)) {
            Some(key) if error.message() == DUPLICATE => format!("{DUPLICATE} {}", Word(key)),
            _ => in_our_quotes(error.message()),
        };
        Error::invalid_data(format!("the input is no valid TOML{place}: {reason}"))
    })?;
    let mut pairs = Vec::new();
    for (name, item) in document.iter() {
        let line = || {
            let span = document.key(name).and_then(|key| key.span());
            line_at(span.or_else(|| item.span()).map_or(0, |span| span.start))
        };
        if name.is_empty() {
            let line = line();
            return Err(Error::invalid_data(format!(
                "the name on line {line} is empty"
            )));
        }
        let value = match item {
            Item::Value(Value::String(value)) => SecretValue::from(value.value().as_str()),
            Item::Value(Value::Array(_)) | Item::ArrayOfTables(_) => {
                return Err(unfit_value(name, line(), "a list"));
            }
            Item::Value(Value::InlineTable(_)) | Item::Table(_) | Item::None => {
                return Err(unfit_value(name, line(), "a table"));
            }
            Item::Value(_) => {
                let spelling = item.span().and_then(|span| text.get(span));
                SecretValue::from(spelling.unwrap_or_default())
            }
        };
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_stay_on_one_line() {
        let pairs = [
            (
                "A-1".to_owned(),
                SecretValue::from("b\r\n\t\u{1b}\u{7f}\"\\"),
            ),
            ("k 1".to_owned(), SecretValue::from("")),
        ];
        let text = String::from_utf8(write(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(
            text,
            "A-1 = \"b\\r\\n\\t\\u001B\\u007F\\\"\\\\\"\n\"k 1\" = \"\"\n"
        );
    }

    #[test]
    fn other_scalars_keep_their_spelling() {
        let text = "z = 1_000\na = 1e3\nm = true # x\nd = 1979-05-27 07:32:00Z\nx = 0x1F\ns = '''\na\nb'''\ni = -inf\n";
        let values: Vec<_> = read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()))
            .collect();
        assert_eq!(
            values,
            [
                "z=1_000",
                "a=1e3",
                "m=true",
                "d=1979-05-27 07:32:00Z",
                "x=0x1F",
                "s=a\nb",
                "i=-inf"
            ]
        );
    }

    #[test]
    fn errors_give_the_line_and_no_value() {
        for (text, part) in [
            ("a = 1\nb = \"hunter2\n", "line 2"),
            ("a = hunter2\n", "line 1"),
            ("hunter2\n", "line 1"),
            ("a = 1\nb = ['hunter2']\n", "b on line 2 is a list"),
            ("a = {b = 'hunter2'}\n", "a on line 1 is a table"),
            ("a.b = 'hunter2'\n", "a on line 1 is a table"),
            ("\n[a]\nb = 'hunter2'\n", "a on line 2 is a table"),
            ("[[a]]\nb = 'hunter2'\n", "a on line 1 is a list"),
            ("a = 1\na = 'hunter2'\n", "on line 2: duplicate key a"),
            ("\"\" = 'hunter2'\n", "empty"),
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
