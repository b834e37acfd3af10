//! Storing and deleting one secret in a document, history included.
//!
//! Of the nested results the inner one is the secret's own outcome; the outer one fails where the
//! vault is damaged.

use std::borrow::Cow;

use jiff::Timestamp;

use super::format::{Document, Slot};
use super::record::Record;
use crate::words::batch::{Action, Past, Write};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::{Name, SecretValue};

/// Stores one secret; with `if_absent` only where there is none of that name.
pub fn put(
    document: &mut Document<'_>,
    write: Write,
    if_absent: bool,
    now: Timestamp,
) -> Result<Result<Action>> {
    let shown = &write.name;
    let name = shown.as_str();
    let description = write.metadata.description;
    let past = write.past;
    let Some(slot) = document.secrets.get_mut(name) else {
        if let Some(expected) = write.expected.filter(|expected| *expected > 0) {
            return Ok(Err(Error::conflict(format!(
                "{shown} is gone, and was at version {expected}"
            ))));
        }
        let record = match document.deleted.remove(name) {
            // Its numbers go on, so that none of its versions is ever meant by two.
            Some(slot) => {
                let mut record = slot.record(name)?.into_owned();
                let created_at = past.first().map_or(now, |first| first.updated_at);
                go_before(&mut record, past);
                record.push(Some(write.value), now);
                record.created_at = created_at;
                record.description = description;
                record
            }
            None => begun(past, write.value, description, now),
        };
        let key = Cow::Owned(name.to_owned());
        document.secrets.insert(key, Slot::changed(record));
        return Ok(Ok(Action::Created));
    };
    if if_absent {
        return Ok(Err(Error::conflict(format!("{shown} exists already"))));
    }
    let mut record = slot.record(name)?.into_owned();
    if let Some(expected) = write.expected
        && expected != record.version()
    {
        return Ok(Err(Error::conflict(match expected {
            0 => format!("{shown} was made by somebody else in the meantime"),
            _ => format!(
                "{shown} is at version {} already, and was at version {expected}",
                record.version()
            ),
        })));
    }
    let new_value = record.value() != Some(&write.value);
    let new_description = description.is_some() && description != record.description;
    if !new_value && !new_description {
        return Ok(Ok(Action::Unchanged));
    }
    if new_value {
        go_before(&mut record, past);
        record.push(Some(write.value), now);
    }
    if new_description {
        record.description = description;
    }
    *slot = Slot::changed(record);
    Ok(Ok(Action::Updated))
}

/// A secret that did not exist before, with the versions that it had elsewhere.
fn begun(
    past: Vec<Past>,
    value: SecretValue,
    description: Option<String>,
    now: Timestamp,
) -> Record {
    let mut past = past.into_iter().skip_while(|past| past.value.is_none());
    let Some(Past {
        updated_at,
        value: Some(first),
    }) = past.next()
    else {
        return Record::new(value, description, now);
    };
    let mut record = Record::new(first, description, updated_at);
    go_before(&mut record, past);
    record.push(Some(value), now);
    record
}

/// Puts the versions that a secret had elsewhere before the one that comes.
fn go_before(record: &mut Record, past: impl IntoIterator<Item = Past>) {
    for Past { updated_at, value } in past {
        record.push(value, updated_at);
    }
}

/// Gives one secret another description.
pub fn describe(
    document: &mut Document<'_>,
    name: &Name,
    description: Option<String>,
) -> Result<Result<Action>> {
    let Some(slot) = document.secrets.get_mut(name.as_str()) else {
        return Ok(Err(missing(name)));
    };
    let mut record = slot.record(name.as_str())?.into_owned();
    if description.is_none() || description == record.description {
        return Ok(Ok(Action::Unchanged));
    }
    record.description = description;
    *slot = Slot::changed(record);
    Ok(Ok(Action::Updated))
}

/// Deletes one secret, which can be restored until it is forgotten.
pub fn delete(document: &mut Document<'_>, name: &Name, now: Timestamp) -> Result<Result<Action>> {
    let Some((key, slot)) = document.secrets.remove_entry(name.as_str()) else {
        return Ok(Err(missing(name)));
    };
    let mut record = slot.record(name.as_str())?.into_owned();
    record.push(None, now);
    document.deleted.insert(key, Slot::changed(record));
    Ok(Ok(Action::Deleted))
}

/// The error for a secret that the vault does not have.
pub fn missing(name: &Name) -> Error {
    Error::not_found(format!("there is no secret named {}", name.shown()))
        .caused_by(Cause::NoSecret)
}
