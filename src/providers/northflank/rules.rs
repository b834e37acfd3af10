//! What Northflank's page says a group may hold: lengths, patterns and bounds, checked before a
//! request is sent. What the page does not know is let through; the server has the last word.
//!
//! An error names the field, the rule and, where it is no secret, what breaks it.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;
use serde_json::{Map, Value};

use crate::words::error::{Error, Result};
use crate::words::shown;

/// Base64 as files are sent: written with padding, read with or without.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A pattern of the page, compiled when it is first needed.
type Pattern = LazyLock<Option<Regex>>;

static NAME: Pattern =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?$").ok());
/// The page has its bracket unescaped, which would begin a class within the class here.
static DESCRIPTION: Pattern =
    LazyLock::new(|| Regex::new(r#"^[a-zA-Z0-9.,?\s\\/'"()\[\];`%^&*\-_:!]+$"#).ok());
static TAG: Pattern =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?$").ok());
static ID: Pattern = LazyLock::new(|| Regex::new(r"^[A-Za-z0-9-]+$").ok());
static KEY_NAME: Pattern = LazyLock::new(|| Regex::new(r"[a-zA-Z]+").ok());
static MOUNT: Pattern = LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9_.-]+$").ok());
static ALIAS: Pattern = LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9_./-]*$").ok());

const REQUIRED: &[&str] = &["name", "secretType", "priority"];
const SECRET_TYPES: &[&str] = &["environment-arguments", "environment", "arguments"];
const VISIBILITIES: &[&str] = &["secret", "config"];
const TAG_MATCHES: &[&str] = &["and", "or"];
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
                length(field, text(field, value)?, 0..=200)?;
                pattern(field, value, &DESCRIPTION)?;
            }
            "tags" => each(field, value, tag)?,
            "secretType" => one_of(field, value, SECRET_TYPES)?,
            "priority" => priority(field, value)?,
            "restrictions" => restrictions(field, value)?,
            "addonDependencies" | "externalAddonDependencies" => each(field, value, addon)?,
            "type" => one_of(field, value, VISIBILITIES)?,
            "stageId" if value.is_null() && purpose == Purpose::Update => {}
            // The page has no pattern for it.
            "stageId" => length(field, text(field, value)?, 1..=100)?,
            "secrets" => secrets(value, purpose)?,
            _ => {}
        }
    }
    Ok(())
}

/// Checks that `text` can be a group's name.
pub fn name(at: &str, text: &str) -> Result<()> {
    length(at, text, 3..=100)?;
    pattern(at, &Value::from(text), &NAME)
}

/// Whether `text` can be the id of something.
pub fn is_id(text: &str) -> bool {
    matches(text, &ID)
}

/// Checks that `text` can be a variable's name.
pub fn variable(text: &str) -> Result<()> {
    if !text.is_empty() && matches(text, &ALIAS) {
        return Ok(());
    }
    Err(Error::invalid_data(format!(
        "{text:?} cannot be the name of a variable: it may hold letters, digits, \"_\", \"-\", \"/\" and \".\" alone"
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

/// Checks that `text` can be the name of what is mounted into builds.
pub fn mount(text: &str) -> Result<()> {
    if matches(text, &MOUNT) {
        return Ok(());
    }
    Err(Error::invalid_data(format!(
        "{text:?} cannot be the name of a docker secret: it may hold letters, digits, \"_\", \"-\" and \".\" alone"
    )))
}

fn priority(at: &str, value: &Value) -> Result<()> {
    match value.as_u64() {
        Some(0..=100) => Ok(()),
        _ => Err(broken(at, "be an integer from 0 to 100", Some(value))),
    }
}

fn tag(at: &str, value: &Value) -> Result<()> {
    length(at, text(at, value)?, 3..=39)?;
    pattern(at, value, &TAG)
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
                pattern(&format!("{at}.id"), required(at, target, "id")?, &ID)?;
                one_of(
                    &format!("{at}.type"),
                    required(at, target, "type")?,
                    RESTRICTABLE,
                )
            })?,
            "tags" => each(at, value, tag)?,
            "tagMatchCondition" => one_of(at, value, TAG_MATCHES)?,
            _ => {}
        }
    }
    Ok(())
}

fn addon(at: &str, value: &Value) -> Result<()> {
    let addon = object(at, value)?;
    let id = required(at, addon, "addonId")?;
    pattern(&format!("{at}.addonId"), id, &ID)?;
    each(
        &format!("{at}.keys"),
        required(at, addon, "keys")?,
        |at, value| {
            let key = object(at, value)?;
            let name = required(at, key, "keyName")?;
            pattern(&format!("{at}.keyName"), name, &KEY_NAME)?;
            key.get("aliases").map_or(Ok(()), |aliases| {
                let at = format!("{at}.aliases");
                each(&at, aliases, |at, alias| pattern(at, alias, &ALIAS))
            })
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
    for (part, check) in [
        ("files", path as fn(&str) -> Result<()>),
        ("dockerSecretMounts", mount),
    ] {
        let Some(files) = secrets.get(part) else {
            continue;
        };
        for (name, value) in object(&format!("secrets.{part}"), files)? {
            check(name)?;
            if goes(value) {
                continue;
            }
            let at = format!("secrets.{part}.{name}");
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

fn pattern(at: &str, value: &Value, pattern: &Pattern) -> Result<()> {
    if matches(text(at, value)?, pattern) {
        return Ok(());
    }
    let pattern = pattern.as_ref().map_or("", Regex::as_str);
    let rule = format!("match the pattern {pattern}");
    Err(broken(at, &rule, Some(value)))
}

fn matches(text: &str, pattern: &Pattern) -> bool {
    pattern.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// The error for a field that breaks `rule`; `value` is shown where it can be no secret.
fn broken(at: &str, rule: &str, value: Option<&Value>) -> Error {
    let shown = value.map(|value| match value.as_str() {
        Some(text) => format!(": {}", shown::quoted(text)),
        None => format!(": {value}"),
    });
    let shown = shown.unwrap_or_default();
    Error::invalid_data(format!("{at} must {rule}{shown}"))
}

#[cfg(test)]
mod tests;
