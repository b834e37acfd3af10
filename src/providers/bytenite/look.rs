//! Whether what was answered is so: the list is looked at once, after all requests of a command.
//! Only what it shows is said to be stored, and only what it shows no more to be deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;
use crate::providers::bulk::Stored;
use crate::words::batch::Action;
use crate::words::error::{Error, Result};
use crate::words::secret::Name;
use crate::words::word::shell_word;

/// What the list shows, or why it could not be had.
pub type Listed = Result<BTreeMap<Name, Record>>;

/// What became of storing `name` with this record beside it, by what is `listed` afterwards.
///
/// # Errors
/// `failed` where it is not listed, or otherwise than it was sent.
pub fn stored(name: &Name, tried: (Stored, Record), listed: &Listed) -> Result<Stored> {
    let (stored, record) = tried;
    let Ok(listed) = listed else {
        // By the server's word alone.
        return Ok(stored);
    };
    let Some(there) = listed.get(name) else {
        return Err(Error::failed(format!(
            "the server said that it stored {name}, and does not list it"
        )));
    };
    match record.deviates_from(there) {
        None => Ok(stored),
        Some(field) => Err(Error::failed(format!(
            "{name} was stored, and is listed with another {field} than was sent"
        ))
        .hint(format!(
            "somebody else may have stored it at the same time; look at it with keyfob show -s {{store}} {}",
            shell_word(name.as_str())
        ))),
    }
}

/// What became of deleting `name`, which was `tried`, by what is `listed` afterwards. Of those among
/// the `doubtful` the list alone tells.
///
/// # Errors
/// `failed` where it is listed; what was tried fails with.
pub fn deleted(
    name: &Name,
    tried: Result<Action>,
    doubtful: &BTreeSet<Name>,
    listed: &Listed,
) -> Result<Action> {
    match (tried, listed) {
        (Err(_), Ok(listed)) if doubtful.contains(name) && !listed.contains_key(name) => {
            Ok(Action::Deleted)
        }
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) => Err(error.clone().context(format!(
            "{name} was deleted, and whether it is gone could not be looked up"
        ))),
        (Ok(_), Ok(listed)) if listed.contains_key(name) => Err(Error::failed(format!(
            "the server said that it deleted {name}, and still lists it"
        ))),
        (Ok(action), Ok(_)) => Ok(action),
    }
}
