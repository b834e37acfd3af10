//! The filters of `inject`: one value, written so that it can stand in a text of some language.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::format::Format;
use super::text::{SecretText, utf8_value, variable_value};
use super::{json, shell, yaml};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// What a URL's component leaves as it stands: RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A filter of `inject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A JSON string, quotes included.
    Json,
    /// A double-quoted YAML scalar.
    Yaml,
    /// A single-quoted word for a POSIX shell.
    Shell,
    /// Percent-encoded, fit for any part of a URL.
    Url,
    /// Base64: standard alphabet, padded, on one line.
    Base64,
}

impl Filter {
    /// The `value` of the secret `name`, filtered.
    ///
    /// # Errors
    /// `invalid_data`, naming the secret, where the language has no way to write the value.
    pub fn apply(self, name: &str, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>> {
        let mut out = SecretText::with_capacity(value.len() + 2);
        match self {
            Self::Json => {
                let text = utf8_value(name, Format::Json, value.expose())?;
                json::push_string(&mut out, name, text)?;
            }
            Self::Yaml => {
                yaml::push_string(&mut out, utf8_value(name, Format::Yaml, value.expose())?)
            }
            Self::Shell => shell::push_quoted(
                &mut out,
                variable_value(name, Format::Shell, value.expose())?,
            ),
            Self::Url => {
                for part in percent_encode(value.expose(), UNRESERVED) {
                    out.push_str(part);
                }
            }
            Self::Base64 => {
                out.push_str(&Zeroizing::new(STANDARD.encode(value.expose())));
            }
        }
        Ok(out.into_bytes())
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "shell" => Self::Shell,
            "url" => Self::Url,
            "base64" => Self::Base64,
            _ => {
                return Err(Error::usage(format!("{text:?} is no filter"))
                    .hint("filters are json, yaml, shell, url and base64"));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_own_writing() {
        let value = SecretValue::from("it's \"é\"\n");
        let filtered = |name: &str| {
            let bytes = name.parse::<Filter>().unwrap().apply("A", &value).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        assert_eq!(filtered("json"), r#""it's \"é\"\n""#);
        assert_eq!(filtered("yaml"), r#""it's \"é\"\n""#);
        assert_eq!(filtered("shell"), "'it'\\''s \"é\"\n'");
        assert_eq!(filtered("url"), "it%27s%20%22%C3%A9%22%0A");
        assert_eq!(filtered("base64"), "aXQncyAiw6kiCg==");
        assert!("html".parse::<Filter>().is_err());
    }

    #[test]
    fn bytes_go_where_they_can() {
        let value = SecretValue::new(vec![0xff, 0]);
        assert_eq!(
            Filter::Url.apply("A", &value).unwrap().as_slice(),
            b"%FF%00"
        );
        assert_eq!(
            Filter::Base64.apply("A", &value).unwrap().as_slice(),
            b"/wA="
        );
        for filter in [Filter::Json, Filter::Yaml, Filter::Shell] {
            let error = filter.apply("A", &value).unwrap_err();
            assert!(error.message().starts_with("A cannot be written"));
        }
    }
}
