//! When keyfob last rotated what: names hashed, values nowhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::file::File;
use crate::words::digest;
use crate::words::env::Folders;
use crate::words::error::Result;
use crate::words::scope::Scope;
use crate::words::secret::Name;

/// The record of past rotations, one file for all stores.
pub struct History {
    file: File<Record>,
    patience: Duration,
}

#[derive(Default, Serialize, Deserialize)]
struct Record {
    rotated_at: BTreeMap<String, Timestamp>,
}

impl History {
    /// The user's. Touches nothing.
    pub fn new(folders: &Folders) -> Self {
        Self {
            file: File::new(
                super::folder(folders).join("rotated.json"),
                "remove it: what it told is then found out from the stores, or counts as due",
            ),
            patience: folders.patience,
        }
    }

    /// When `name` in the store of `scope` was last rotated; `None` where that is not known.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn last(&self, scope: &Scope, name: &Name) -> Result<Option<Timestamp>> {
        let record = self.file.read()?.unwrap_or_default();
        Ok(record.rotated_at.get(&key(scope, name)).copied())
    }

    /// Notes that `name` was rotated at `at`.
    ///
    /// # Errors
    /// As [`File::update`].
    pub fn note(&self, scope: &Scope, name: &Name, at: Timestamp) -> Result<()> {
        let note = |record: &mut Record| record.rotated_at.insert(key(scope, name), at);
        self.file.update(self.patience, note).map(drop)
    }
}

fn key(scope: &Scope, name: &Name) -> String {
    digest::of_parts(&[scope.as_str(), name.as_str()])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::tests::step as target;
    use crate::journal::{Old, State};
    use crate::words::error::Kind;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::new(&Folders::below(folder.path()));
        let target = target(true, Old::Absent, State::Written);
        let name = Name::new("DB_PASSWORD").unwrap();
        assert_eq!(history.last(&target.scope, &name).unwrap(), None);
        let at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        history.note(&target.scope, &name, at).unwrap();
        assert_eq!(history.last(&target.scope, &name).unwrap(), Some(at));
        let other = Name::new("OTHER").unwrap();
        assert_eq!(history.last(&target.scope, &other).unwrap(), None);
        let text = fs::read_to_string(history.file.path()).unwrap();
        assert!(!text.contains("DB_PASSWORD"));

        fs::write(history.file.path(), "{").unwrap();
        let error = history.last(&target.scope, &name).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
    }
}
