//! Values that are made from a rotation's new value: `postgres://app:{value|url}@db/app`.

use std::str::FromStr;

use crate::inject::places::{Place, Places};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

const PLACE: &str = "value";

/// A text with places for the new value: `{value}` as it is, `{value|url}` and its like filtered.
/// Other braces are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation(String);

impl Derivation {
    /// The value of the secret `name` that is made from `value`.
    ///
    /// # Errors
    /// `invalid_data` where a filter has no way to write the value.
    pub fn apply(&self, name: &str, value: &SecretValue) -> Result<SecretValue> {
        let text = places(&self.0)?.fill(|(), place| place.filtered(name, value).map(Some))?;
        Ok(text.into())
    }
}

fn places(text: &str) -> Result<Places<'_, ()>> {
    Places::parse(text.as_bytes(), b"{", |at| {
        let Some(end) = text[at..].find('}') else {
            return Ok(None);
        };
        let length = end + 1;
        let text = &text[at..at + length];
        let mut words = text[1..end].split('|').map(str::trim);
        if words.next() != Some(PLACE) {
            return Ok(None);
        }
        let place = Place {
            at,
            text: text.as_bytes(),
            subject: Some(()),
            filters: words.map(str::parse).collect::<Result<_>>()?,
        };
        Ok(Some((place, length)))
    })
}

impl FromStr for Derivation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match places(text)?.iter().next() {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(
                Error::usage(format!("{text:?} has no place for the new value")).hint(
                    "write {value} where it goes, or {value|url} where it must be percent-encoded",
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    fn derived(template: &str, value: &str) -> String {
        let derivation: Derivation = template.parse().unwrap();
        let made = derivation.apply("X", &value.into()).unwrap();
        made.expose_str().unwrap().to_owned()
    }

    #[test]
    fn the_value_goes_where_it_is_asked_for() {
        assert_eq!(derived("{value}", "a b"), "a b");
        assert_eq!(
            derived("postgres://app:{value|url}@db/app", "p@ss/w:rd"),
            "postgres://app:p%40ss%2Fw%3Ard@db/app"
        );
        assert_eq!(derived("{value}-{ value | base64 }!", "ab"), "ab-YWI=!");
        assert_eq!(
            derived(r#"{"a": {value|json}, "b": {}}"#, "x\"y"),
            r#"{"a": "x\"y", "b": {}}"#
        );
        assert_eq!(derived("{{value}}", "x"), "{x}");
        assert_eq!(derived("{value} {", "x"), "x {");
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_left_alone() {
        assert_eq!(derived("<{value}>", "{value}"), "<{value}>");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for text in ["", "x", "{val}", "{value", "value"] {
            let error = text.parse::<Derivation>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
        }
        let error = "{value|rot13}".parse::<Derivation>().unwrap_err();
        assert!(error.message().contains("rot13"), "{error}");
    }
}
