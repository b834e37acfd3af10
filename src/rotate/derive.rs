//! Values that are made from a rotation's new value: `postgres://app:{value|url}@db/app`.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::formats::Filter;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

const PLACE: &str = "value";

/// A text with places for the new value: `{value}` as it is, `{value|url}` and its like filtered.
/// Other braces are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Vec<Filter>),
}

impl Derivation {
    /// The value of the secret `name` that is made from `value`.
    ///
    /// # Errors
    /// `invalid_data` where a filter has no way to write the value.
    pub fn apply(&self, name: &str, value: &SecretValue) -> Result<SecretValue> {
        let filtered = self.parts.iter().map(|part| match part {
            Part::Text(text) => Ok(Zeroizing::new(text.clone().into_bytes())),
            Part::Value(filters) => {
                let mut bytes = Zeroizing::new(value.expose().to_vec());
                for filter in filters {
                    bytes = filter.apply(name, &SecretValue::from(bytes))?;
                }
                Ok(bytes)
            }
        });
        let parts = filtered.collect::<Result<Vec<_>>>()?;
        // Full size from the start, so that growing leaves no copies behind.
        let mut whole = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in &parts {
            whole.extend_from_slice(part);
        }
        Ok(SecretValue::new(whole))
    }
}

impl FromStr for Derivation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut done = 0;
        let mut from = 0;
        while let Some(found) = text[from..].find('{') {
            let open = from + found;
            let inside = &text[open + 1..];
            let Some(end) = inside.find('}') else { break };
            let mut words = inside[..end].split('|').map(str::trim);
            if words.next() != Some(PLACE) {
                from = open + 1;
                continue;
            }
            let filters = words.map(str::parse).collect::<Result<_>>()?;
            parts.push(Part::Text(text[done..open].to_owned()));
            parts.push(Part::Value(filters));
            done = open + 1 + end + 1;
            from = done;
        }
        if parts.is_empty() {
            return Err(
                Error::usage(format!("{text:?} has no place for the new value")).hint(
                    "write {value} where it goes, or {value|url} where it must be percent-encoded",
                ),
            );
        }
        parts.push(Part::Text(text[done..].to_owned()));
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
