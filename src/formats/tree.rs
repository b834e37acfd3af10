//! Whole trees: a payload with all of its nesting, as JSON, YAML or TOML say it.

use serde_json::Value;
use toml_edit::InlineTable;

use super::format::Format;
use super::text::utf8_input;
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::text::line_of;

/// Reads one tree.
///
/// # Errors
/// `invalid_data`, with the place and never a value, for what is malformed; `usage` for a format
/// that holds no tree.
pub fn read(format: Format, bytes: &[u8]) -> Result<Document> {
    match format {
        Format::Json => json(bytes),
        Format::Yaml => yaml(bytes),
        Format::Toml => toml(bytes),
        _ => Err(Error::usage(format!("{format} holds no nested fields"))
            .hint("write the payload as JSON, YAML or TOML")),
    }
}

fn json(bytes: &[u8]) -> Result<Document> {
    serde_json::from_str(utf8_input(Format::Json, bytes)?).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed("JSON", &format!(" at line {line}, column {column}"))
    })
}

fn yaml(bytes: &[u8]) -> Result<Document> {
    let text = utf8_input(Format::Yaml, bytes)?;
    serde_saphyr::from_str(text).map_err(|error| malformed_yaml(&error))
}

/// Reads the trees of a YAML file of any number of documents.
///
/// # Errors
/// `invalid_data`, with the place and never a value, for what is malformed.
pub(super) fn documents(bytes: &[u8]) -> Result<Vec<Document>> {
    let text = utf8_input(Format::Yaml, bytes)?;
    serde_saphyr::from_multiple(text).map_err(|error| malformed_yaml(&error))
}

fn malformed_yaml(error: &serde_saphyr::Error) -> Error {
    // The parser's own words can hold a piece of the input.
    let place = match error.location() {
        Some(at) => format!(" at line {}, column {}", at.line(), at.column()),
        None => String::new(),
    };
    malformed("YAML", &place)
}

fn toml(bytes: &[u8]) -> Result<Document> {
    let text = utf8_input(Format::Toml, bytes)?;
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let place = match error.span() {
            Some(span) => format!(" on line {}", line_of(text.as_bytes(), span.start)),
            None => String::new(),
        };
        malformed("TOML", &place)
    })?;
    Ok(Document::new(of_table(
        document.into_table().into_inline_table(),
    )))
}

fn of_table(table: InlineTable) -> Value {
    let members = table.into_iter();
    let members = members.map(|(name, value)| (name.to_string(), of_toml(value)));
    Value::Object(members.collect())
}

/// The same tree as JSON; a date is its text.
fn of_toml(value: toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.into_value().into(),
        toml_edit::Value::Integer(number) => number.into_value().into(),
        toml_edit::Value::Float(number) => number.into_value().into(),
        toml_edit::Value::Boolean(truth) => truth.into_value().into(),
        toml_edit::Value::Datetime(time) => time.into_value().to_string().into(),
        toml_edit::Value::Array(items) => items.into_iter().map(of_toml).collect(),
        toml_edit::Value::InlineTable(table) => of_table(table),
    }
}

fn malformed(format: &str, place: &str) -> Error {
    Error::invalid_data(format!("the input is no valid {format}{place}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::words::error::Kind;

    #[test]
    fn the_three_formats_say_the_same() {
        let expected = json!({
            "name": "Example Secret", "priority": 10, "tags": ["my-tag"],
            "restrictions": {"restricted": true, "nfObjects": [{"id": "a", "type": "job"}]},
            "secrets": {"variables": {"PORT": "8080", "MULTI": "a\nb\n"}},
        });
        let yaml = "name: Example Secret\npriority: 10\ntags: [my-tag]\nrestrictions:\n  restricted: true\n  nfObjects:\n    - {id: a, type: job}\nsecrets:\n  variables:\n    PORT: '8080'\n    MULTI: |\n      a\n      b\n";
        let toml = "name = 'Example Secret'\npriority = 10\ntags = ['my-tag']\n[restrictions]\nrestricted = true\nnfObjects = [{id = 'a', type = 'job'}]\n[secrets.variables]\nPORT = '8080'\nMULTI = \"a\\nb\\n\"\n";
        for (format, text) in [
            (Format::Json, expected.to_string()),
            (Format::Yaml, yaml.to_owned()),
            (Format::Toml, toml.to_owned()),
        ] {
            assert_eq!(
                read(format, text.as_bytes()).unwrap().expose(),
                &expected,
                "{format}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_told_without_its_text() {
        for (format, text, place) in [
            (Format::Json, "{\n  \"a\": \"hunter2\" \"b\"}", "line 2"),
            (Format::Yaml, "a: 'hunter2\nb: [", "line"),
            (Format::Toml, "a = 'x'\nb = hunter2", "line 2"),
        ] {
            let error = read(format, text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
            assert!(error.message().contains(place), "{error}");
            assert!(!error.message().contains("hunter2"), "{error}");
        }
        assert_eq!(
            read(Format::Dotenv, b"A=1").unwrap_err().kind(),
            Kind::Usage
        );
    }
}
