//! What a secret group may look like: the patterns, lengths and bounds of Northflank's page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use regex::Regex;
use serde_json::{Map, Value};

/// Which names the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The page in hand: 3 to 39 characters, a letter first.
    Page,
    /// The current reference: up to 100, and a digit may come first.
    Current,
}

/// A broken rule: the field and what is wrong with it.
pub type Broken = (String, String);

type Checked = Result<(), Broken>;

const NAME: &str = r"^[a-zA-Z]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?$";
const NAME_CURRENT: &str = r"^[a-zA-Z0-9]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?$";
const DESCRIPTION: &str = r#"^[a-zA-Z0-9.,?\s\\/'"()\[\];`%^&*\-_:!]+$"#;
const TAG: &str = r"^[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?$";
const ID: &str = r"^[A-Za-z0-9-]+$";
const KEY_NAME: &str = r"[a-zA-Z]+";
const VARIABLE: &str = r"^[a-zA-Z0-9_./-]*$";

const SECRET_TYPES: [&str; 3] = ["environment-arguments", "environment", "arguments"];

/// Checks the body of a create or replace: everything that is required must be there.
pub fn check_whole(body: &Map<String, Value>, names: Names) -> Checked {
    for required in ["name", "secretType", "priority"] {
        if !body.contains_key(required) {
            return broken(required, "is required");
        }
    }
    check_fields(body, names)
}

/// Checks the fields that are there. What the page does not know is let through.
pub fn check_fields(body: &Map<String, Value>, names: Names) -> Checked {
    for (field, value) in body {
        match field.as_str() {
            "name" => match names {
                Names::Page => text(field, value, 3..=39, NAME)?,
                Names::Current => text(field, value, 3..=100, NAME_CURRENT)?,
            },
            "description" => text(field, value, 0..=200, DESCRIPTION)?,
            "tags" => each(field, value, |at, tag| text(at, tag, 3..=39, TAG))?,
            "secretType" => one_of(field, value, &SECRET_TYPES)?,
            "type" => one_of(field, value, &["secret", "config"])?,
            "priority" => match value.as_u64() {
                Some(0..=100) => {}
                _ => return broken(field, "must be an integer from 0 to 100"),
            },
            "restrictions" => restrictions(object(field, value)?)?,
            "addonDependencies" | "externalAddonDependencies" => each(field, value, addon)?,
            "stageId" if value.is_null() => {}
            "stageId" => text(field, value, 1..=100, "")?,
            "secrets" => secrets(object(field, value)?)?,
            _ => {}
        }
    }
    Ok(())
}

fn restrictions(restrictions: &Map<String, Value>) -> Checked {
    for (field, value) in restrictions {
        let at = &format!("restrictions.{field}");
        match field.as_str() {
            "restricted" if !value.is_boolean() => return broken(at, "must be a boolean"),
            "nfObjects" => each(at, value, |at, target| {
                let target = object(at, target)?;
                let empty = Value::Null;
                let of = |key: &str| target.get(key).unwrap_or(&empty);
                text(&format!("{at}.id"), of("id"), 1..=usize::MAX, ID)?;
                one_of(&format!("{at}.type"), of("type"), &["service", "job"])
            })?,
            "tags" => each(at, value, |at, tag| text(at, tag, 3..=39, TAG))?,
            "tagMatchCondition" => one_of(at, value, &["and", "or"])?,
            _ => {}
        }
    }
    Ok(())
}

fn addon(at: &str, value: &Value) -> Checked {
    let addon = object(at, value)?;
    let empty = Value::Null;
    let id = addon.get("addonId").unwrap_or(&empty);
    text(&format!("{at}.addonId"), id, 1..=usize::MAX, ID)?;
    let keys = addon.get("keys").unwrap_or(&empty);
    each(&format!("{at}.keys"), keys, |at, value| {
        let key = object(at, value)?;
        let name = key.get("keyName").unwrap_or(&empty);
        text(&format!("{at}.keyName"), name, 1..=usize::MAX, KEY_NAME)?;
        match key.get("aliases") {
            None => Ok(()),
            Some(aliases) => each(&format!("{at}.aliases"), aliases, |at, alias| {
                text(at, alias, 0..=usize::MAX, VARIABLE)
            }),
        }
    })
}

fn secrets(secrets: &Map<String, Value>) -> Checked {
    if let Some(variables) = secrets.get("variables") {
        for (name, value) in object("secrets.variables", variables)? {
            let at = &format!("secrets.variables.{name}");
            if name.is_empty() || !matches(VARIABLE, name) {
                return broken(at, "may hold letters, digits, _, -, / and . alone");
            }
            if !value.is_string() {
                return broken(at, "must be a string");
            }
        }
    }
    if let Some(files) = secrets.get("files") {
        for (path, file) in object("secrets.files", files)? {
            let at = &format!("secrets.files.{path}");
            if !path.starts_with('/') || path.ends_with('/') {
                return broken(at, "must be an absolute path");
            }
            let file = object(at, file)?;
            let data = file.get("data").and_then(Value::as_str);
            if data.is_none_or(|data| BASE64.decode(data).is_err()) {
                return broken(&format!("{at}.data"), "must be base64");
            }
            let encoding = file.get("encoding").unwrap_or(&Value::Null);
            one_of(&format!("{at}.encoding"), encoding, &["utf-8"])?;
        }
    }
    // "Must be a valid Docker secret mount identifier."
    if let Some(mounts) = secrets.get("dockerSecretMounts") {
        for (name, mount) in object("secrets.dockerSecretMounts", mounts)? {
            let at = &format!("secrets.dockerSecretMounts.{name}");
            if !matches(r"^[a-zA-Z0-9_.-]+$", name) {
                return broken(at, "is no identifier");
            }
            let data = object(at, mount)?.get("data").and_then(Value::as_str);
            if data.is_none_or(|data| BASE64.decode(data).is_err()) {
                return broken(&format!("{at}.data"), "must be base64");
            }
        }
    }
    Ok(())
}

fn object<'a>(at: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Broken> {
    let object = value.as_object();
    object.ok_or_else(|| (at.to_owned(), "must be an object".to_owned()))
}

fn each(at: &str, value: &Value, check: impl Fn(&str, &Value) -> Checked) -> Checked {
    let Some(items) = value.as_array() else {
        return broken(at, "must be an array");
    };
    for (index, item) in items.iter().enumerate() {
        check(&format!("{at}.{index}"), item)?;
    }
    Ok(())
}

fn text(
    at: &str,
    value: &Value,
    length: std::ops::RangeInclusive<usize>,
    pattern: &str,
) -> Checked {
    let Some(text) = value.as_str() else {
        return broken(at, "must be a string");
    };
    if !length.contains(&text.encode_utf16().count()) {
        return broken(at, "has a length out of bounds");
    }
    if !matches(pattern, text) {
        return broken(at, &format!("must match the pattern {pattern}"));
    }
    Ok(())
}

fn one_of(at: &str, value: &Value, choices: &[&str]) -> Checked {
    match value.as_str().is_some_and(|text| choices.contains(&text)) {
        true => Ok(()),
        false => broken(at, &format!("must be one of {}", choices.join(", "))),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).expect("a good pattern").is_match(text)
}

fn broken(at: &str, rule: &str) -> Checked {
    Err((at.to_owned(), rule.to_owned()))
}
