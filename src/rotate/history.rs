//! When keyfob last rotated what: names hashed, values nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::digest;
use crate::words::env::Folders;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::Name;

/// The lock is held while one small file is written, never longer.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The record of past rotations, one file for all stores.
pub struct History {
    folder: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Record {
    rotated_at: BTreeMap<String, Timestamp>,
}

impl History {
    /// The user's. Touches nothing.
    pub fn new(folders: &Folders) -> Self {
        Self {
            folder: super::folder(folders),
        }
    }

    /// When `name` in the store of `scope` was last rotated; `None` where that is not known.
    ///
    /// # Errors
    /// `failed` where the record cannot be read, `invalid_data` where it is damaged.
    pub fn last(&self, scope: &Scope, name: &Name) -> Result<Option<Timestamp>> {
        Ok(self.read()?.rotated_at.get(&key(scope, name)).copied())
    }

    /// Notes that `name` was rotated at `at`.
    ///
    /// # Errors
    /// As [`last`](Self::last), and where it cannot be written.
    pub fn note(&self, scope: &Scope, name: &Name, at: Timestamp) -> Result<()> {
        state::create_folder(&self.folder)?;
        let _lock = Lock::acquire(&[&self.folder], Some(LOCK_TIMEOUT))?;
        let mut record = self.read()?;
        record.rotated_at.insert(key(scope, name), at);
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|error| Error::failed(format!("cannot note the rotation: {error}")))?;
        let path = self.path();
        state::write_atomically(&path, &text, Mode::PRIVATE)
    }

    fn read(&self) -> Result<Record> {
        let path = self.path();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                Error::invalid_data(format!("{} is damaged: {error}", path.display())).hint(
                    "remove it: what it told is then found out from the stores, or counts as due",
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(Error::io(format!("cannot read {}", path.display()), error)),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("rotated.json")
    }
}

fn key(scope: &Scope, name: &Name) -> String {
    digest::of_parts(&[scope.as_str(), name.as_str()])
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::target;
    use super::super::record::{Old, State};
    use super::*;
    use crate::words::error::Kind;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let history = History {
            folder: folder.path().join("made"),
        };
        let target = target(true, Old::Absent, State::Written);
        let name = Name::new("DB_PASSWORD").unwrap();
        assert_eq!(history.last(&target.scope, &name).unwrap(), None);
        let at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        history.note(&target.scope, &name, at).unwrap();
        assert_eq!(history.last(&target.scope, &name).unwrap(), Some(at));
        let other = Name::new("OTHER").unwrap();
        assert_eq!(history.last(&target.scope, &other).unwrap(), None);
        let text = fs::read_to_string(history.path()).unwrap();
        assert!(!text.contains("DB_PASSWORD"));

        fs::write(history.path(), "{").unwrap();
        let error = history.last(&target.scope, &name).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
    }
}
