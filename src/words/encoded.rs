//! Secret values in the JSON of files that are encrypted, for `#[serde(with)]`: as base64, since
//! they are any bytes, with a mark before it where they stand for other JSON than a string. Only
//! fields that say so can be written at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize as _, Deserializer, Serializer};
use zeroize::Zeroizing;

use crate::words::secret::{Form, SecretValue};

/// Stands before the base64 of [`Form::Json`]; no base64 begins so.
const JSON: &str = "json:";

/// Writes `value`.
pub fn serialize<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
    let text = Zeroizing::new(STANDARD.encode(value.expose()));
    match value.form() {
        Form::Plain | Form::String => serializer.serialize_str(&text),
        Form::Json => serializer.collect_str(&format_args!("{JSON}{}", *text)),
    }
}

/// Reads a value, quoting nothing of what is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let (text, form) = match text.strip_prefix(JSON) {
        Some(text) => (text, Form::Json),
        None => (text.as_str(), Form::Plain),
    };
    let bytes = STANDARD.decode(text.as_bytes());
    bytes
        .map(|bytes| SecretValue::new(bytes).in_form(form))
        .map_err(|_| serde::de::Error::custom("a value is no base64"))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct File {
        #[serde(with = "super")]
        value: SecretValue,
    }

    #[test]
    fn a_value_comes_back_in_its_form_and_what_was_written_before_is_read() {
        for (form, text) in [
            (Form::Plain, r#"{"value":"eyJiIjoxfQ=="}"#),
            (Form::Json, r#"{"value":"json:eyJiIjoxfQ=="}"#),
        ] {
            let value = SecretValue::from(r#"{"b":1}"#).in_form(form);
            let file = File { value };
            assert_eq!(serde_json::to_string(&file).unwrap(), text);
            let back: File = serde_json::from_str(text).unwrap();
            assert!(back.value.reads_as(&file.value));
            assert_eq!(back.value.form(), form);
        }
    }
}
