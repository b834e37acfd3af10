//! A new value, as it was made: alone, or in JSON together with attributes that change with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::providers::Composite;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// A new value, and what is written beside it where a provider has a place for it.
#[derive(Debug)]
pub struct Made {
    /// The value.
    pub value: SecretValue,
    /// Attributes that change together with it.
    pub attributes: BTreeMap<String, String>,
}

impl Made {
    /// What a command has `printed`, of which the targets' providers can take apart `composites`.
    ///
    /// # Errors
    /// `invalid_data` for an object that has the value's key and is none the less not what the
    /// provider takes.
    pub fn printed(printed: SecretValue, composites: &[Composite]) -> Result<Self> {
        for composite in composites {
            if let Some(made) = take_apart(&printed, *composite)? {
                return Ok(made);
            }
        }
        Ok(Self {
            value: printed,
            attributes: BTreeMap::new(),
        })
    }
}

/// `None` for what is no JSON object with the value's key: then it is a value as it stands.
fn take_apart(printed: &SecretValue, composite: Composite) -> Result<Option<Made>> {
    let object: Option<BTreeMap<String, &RawValue>> = serde_json::from_slice(printed.expose()).ok();
    let Some(object) = object.filter(|object| object.contains_key(composite.value)) else {
        return Ok(None);
    };
    let mut value = None;
    let mut attributes = BTreeMap::new();
    for (key, raw) in object {
        let text = Zeroizing::new(
            String::deserialize(raw)
                .map_err(|_| Error::invalid_data(format!("{key} of the new value is no text")))?,
        );
        if key == composite.value {
            value = Some(SecretValue::from(text.as_str()));
        } else if composite.attributes.contains(&key.as_str()) {
            attributes.insert(key, text.to_string());
        } else {
            return Err(
                Error::invalid_data(format!("the new value has an unknown key {key:?}")).hint(
                    format!(
                        "the keys are {} and {}",
                        composite.value,
                        composite.attributes.join(", ")
                    ),
                ),
            );
        }
    }
    Ok(value.map(|value| Made { value, attributes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    const KEYS: Composite = Composite {
        value: "secretKey",
        attributes: &["accessKey"],
    };

    fn made(printed: &str) -> Result<Made> {
        Made::printed(printed.into(), &[KEYS])
    }

    #[test]
    fn a_pair_is_taken_apart() {
        let pair = made(r#" {"accessKey": "AK\u00e9", "secretKey": "s\"k"} "#).unwrap();
        assert_eq!(pair.value.expose_str(), Some("s\"k"));
        assert_eq!(pair.attributes["accessKey"], "AKé");
        assert_eq!(
            made(r#"{"secretKey": "x"}"#).unwrap().value.expose_str(),
            Some("x")
        );
    }

    #[test]
    fn anything_else_is_a_value_as_it_stands() {
        for text in [
            "x",
            "{",
            "[1]",
            r#"{"type": "service_account"}"#,
            "{}",
            "\"secretKey\"",
        ] {
            let whole = made(text).unwrap();
            assert_eq!(whole.value.expose_str(), Some(text));
            assert!(whole.attributes.is_empty());
        }
        let text = r#"{"secretKey": "x"}"#;
        let whole = Made::printed(text.into(), &[]).unwrap();
        assert_eq!(whole.value.expose_str(), Some(text));
    }

    #[test]
    fn half_a_pair_is_refused_without_a_word_of_it() {
        for text in [
            r#"{"secretKey": "hunter2", "region": "hunter2"}"#,
            r#"{"secretKey": 7}"#,
            r#"{"secretKey": "hunter2", "accessKey": {"a": "hunter2"}}"#,
        ] {
            let error = made(text).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
            assert!(!error.message().contains("hunter2"), "{error}");
        }
    }
}
