//! What Northflank's page says a group may hold: lengths, patterns and bounds, checked before a
//! request is sent. What the page does not know is let through; the server has the last word.
//!
//! An error names the field, the rule and, where it is no secret, what breaks it.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::words::error::{Error, Result};

/// Base64 as files are sent: written with padding, read with or without.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const NAME: &str = r"^[a-zA-Z0-9]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?$";
const DESCRIPTION: &str = r#"^[a-zA-Z0-9.,?\s\\/'"()[\];`%^&*\-_:!]+$"#;
const TAG: &str = r"^[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?$";
const ID: &str = r"^[A-Za-z0-9-]+$";
const KEY_NAME: &str = r"[a-zA-Z]+";
const ALIAS: &str = r"^[a-zA-Z0-9_./-]*$";

const REQUIRED: &[&str] = &["name", "secretType", "priority"];
const SECRET_TYPES: &[&str] = &["environment-arguments", "environment", "arguments"];
const RESTRICTABLE: &[&str] = &["service", "job"];

/// What a payload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new group: what the page requires must be there.
    Create,
    /// A change of a group: a secret that is `null` is taken away.
    Update,
}

/// Checks the fields of `group` that the page knows.
///
/// # Errors
/// `invalid_data` for the first that breaks a rule.
pub fn check(group: &Value, purpose: Purpose) -> Result<()> {
    let group = object("the payload", group)?;
    if purpose == Purpose::Create {
        for field in REQUIRED {
            if !group.contains_key(*field) {
                return Err(Error::invalid_data(format!("{field} is missing")));
            }
        }
    }
    for (field, value) in group {
        match field.as_str() {
            // The page in hand says 3 to 39 characters and a letter first; the current one is wider.
            "name" => name(field, text(field, value)?)?,
            "description" => {
                let text = text(field, value)?;
                length(field, text, 0..=200)?;
                pattern(field, text, is_description(text), DESCRIPTION)?;
            }
            "tags" => each(field, value, tag)?,
            "secretType" => one_of(field, value, SECRET_TYPES)?,
            "priority" => priority(field, value)?,
            "restrictions" => restrictions(field, value)?,
            "addonDependencies" => each(field, value, addon)?,
            "secrets" => secrets(value, purpose)?,
            _ => {}
        }
    }
    Ok(())
}

/// Checks that `text` can be a group's name.
pub fn name(at: &str, text: &str) -> Result<()> {
    length(at, text, 3..=100)?;
    let good = is_words(text, |c| c == '-' || c.is_whitespace())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    pattern(at, text, good, NAME)
}

/// Whether `text` can be the id of something.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Checks that `text` can be a variable's name.
pub fn variable(text: &str) -> Result<()> {
    if !text.is_empty() && is_key(text) {
        return Ok(());
    }
    Err(Error::invalid_data(format!(
        "{text:?} cannot be the name of a variable: it may hold letters, digits, '_', '-', '/' and '.' alone"
    )))
}

/// Checks that `text` can be a file's path.
pub fn path(text: &str) -> Result<()> {
    if text.starts_with('/') && !text.ends_with('/') && !text.contains('\0') {
        return Ok(());
    }
    Err(Error::invalid_data(format!(
        "{text:?} cannot be the path of a file: it must be absolute and name a file"
    )))
}

fn priority(at: &str, value: &Value) -> Result<()> {
    match value.as_u64() {
        Some(0..=100) => Ok(()),
        _ => Err(broken(at, "be an integer from 0 to 100", Some(value))),
    }
}

fn tag(at: &str, value: &Value) -> Result<()> {
    let text = text(at, value)?;
    length(at, text, 3..=39)?;
    let good = is_words(text, |c| c == '-') && text.starts_with(|c: char| c.is_ascii_alphabetic());
    pattern(at, text, good, TAG)
}

fn restrictions(at: &str, value: &Value) -> Result<()> {
    for (field, value) in object(at, value)? {
        let at = &format!("{at}.{field}");
        match field.as_str() {
            "restricted" if !value.is_boolean() => {
                return Err(broken(at, "be true or false", Some(value)));
            }
            "nfObjects" => each(at, value, |at, value| {
                let target = object(at, value)?;
                id(&format!("{at}.id"), required(at, target, "id")?)?;
                one_of(
                    &format!("{at}.type"),
                    required(at, target, "type")?,
                    RESTRICTABLE,
                )
            })?,
            "tags" => each(at, value, tag)?,
            _ => {}
        }
    }
    Ok(())
}

fn addon(at: &str, value: &Value) -> Result<()> {
    let addon = object(at, value)?;
    id(&format!("{at}.addonId"), required(at, addon, "addonId")?)?;
    each(
        &format!("{at}.keys"),
        required(at, addon, "keys")?,
        |at, value| {
            let key = object(at, value)?;
            let name = text(&format!("{at}.keyName"), required(at, key, "keyName")?)?;
            let good = name.contains(|c: char| c.is_ascii_alphabetic());
            pattern(&format!("{at}.keyName"), name, good, KEY_NAME)?;
            match key.get("aliases") {
                None => Ok(()),
                Some(aliases) => each(&format!("{at}.aliases"), aliases, |at, alias| {
                    let alias = text(at, alias)?;
                    pattern(at, alias, is_key(alias), ALIAS)
                }),
            }
        },
    )
}

fn secrets(value: &Value, purpose: Purpose) -> Result<()> {
    let secrets = object("secrets", value)?;
    let goes = |value: &Value| purpose == Purpose::Update && value.is_null();
    if let Some(variables) = secrets.get("variables") {
        for (name, value) in object("secrets.variables", variables)? {
            variable(name)?;
            if !value.is_string() && !goes(value) {
                return Err(
                    broken(&format!("secrets.variables.{name}"), "be text", None)
                        .hint("put the value in quotes"),
                );
            }
        }
    }
    if let Some(files) = secrets.get("files") {
        for (name, value) in object("secrets.files", files)? {
            path(name)?;
            if goes(value) {
                continue;
            }
            let at = format!("secrets.files.{name}");
            let data = required(&at, object(&at, value)?, "data")?;
            if data
                .as_str()
                .is_none_or(|data| BASE64.decode(data).is_err())
            {
                return Err(broken(&format!("{at}.data"), "be base64", None));
            }
        }
    }
    Ok(())
}

fn id(at: &str, value: &Value) -> Result<()> {
    let text = text(at, value)?;
    pattern(at, text, is_id(text), ID)
}

fn object<'a>(at: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    // What stands in the place of an object may be anything, secrets too.
    value
        .as_object()
        .ok_or_else(|| broken(at, "be an object", None))
}

fn required<'a>(at: &str, object: &'a Map<String, Value>, field: &str) -> Result<&'a Value> {
    object
        .get(field)
        .ok_or_else(|| Error::invalid_data(format!("{at}.{field} is missing")))
}

fn text<'a>(at: &str, value: &'a Value) -> Result<&'a str> {
    value
        .as_str()
        .ok_or_else(|| broken(at, "be text", Some(value)))
}

fn each(at: &str, value: &Value, check: impl Fn(&str, &Value) -> Result<()>) -> Result<()> {
    let items = value
        .as_array()
        .ok_or_else(|| broken(at, "be a list", Some(value)))?;
    for (index, item) in items.iter().enumerate() {
        check(&format!("{at}[{index}]"), item)?;
    }
    Ok(())
}

fn one_of(at: &str, value: &Value, choices: &[&str]) -> Result<()> {
    if value.as_str().is_some_and(|text| choices.contains(&text)) {
        return Ok(());
    }
    Err(broken(
        at,
        &format!("be one of {}", choices.join(", ")),
        Some(value),
    ))
}

/// Lengths are counted in UTF-16 units, as the page's patterns are JavaScript's.
fn length(at: &str, text: &str, bounds: RangeInclusive<usize>) -> Result<()> {
    let count = text.encode_utf16().count();
    if bounds.contains(&count) {
        return Ok(());
    }
    let rule = match (bounds.start(), bounds.end()) {
        (0, most) => format!("have at most {most} characters"),
        (least, most) => format!("have {least} to {most} characters"),
    };
    Err(broken(at, &rule, Some(&Value::from(text))))
}

fn pattern(at: &str, text: &str, good: bool, pattern: &str) -> Result<()> {
    if good {
        return Ok(());
    }
    Err(broken(
        at,
        &format!("match the pattern {pattern}"),
        Some(&Value::from(text)),
    ))
}

/// Words of ASCII letters and digits with exactly one separator between two of them.
fn is_words(text: &str, separator: impl Fn(char) -> bool) -> bool {
    text.split(separator)
        .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn is_description(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || c.is_whitespace() || r#".,?\/'"()[];`%^&*-_:!"#.contains(c)
        })
}

fn is_key(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'))
}

/// The error for a field that breaks `rule`; `value` is shown where it can be no secret.
fn broken(at: &str, rule: &str, value: Option<&Value>) -> Error {
    let shown = value.map(|value| format!(": {value}")).unwrap_or_default();
    Error::invalid_data(format!("{at} must {rule}{shown}"))
}

#[cfg(test)]
mod tests;
