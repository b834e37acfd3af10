//! When keyfob last rotated what: names hashed, values nowhere.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The secrets of which all targets were noted. keyfob 0.1 noted the secret alone, for all.
    #[serde(default)]
    with_targets: BTreeSet<String>,
}

/// Where a secret is: which one its name stands for, and the name.
pub type Place<'a> = (&'a Scope, &'a Name);

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

    /// When `target` last got the new value of a rotation of `secret`, or of its own; `None` where
    /// that is not known.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn last(&self, secret: Place<'_>, target: Place<'_>) -> Result<Option<Timestamp>> {
        let record = self.file.read()?.unwrap_or_default();
        let at = |place| record.rotated_at.get(&key(place)).copied();
        let of_all = || at(secret).filter(|_| !record.with_targets.contains(&key(secret)));
        Ok(at(target).or_else(of_all))
    }

    /// The latest time that it tells of; `None` where it tells nothing.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn latest(&self) -> Result<Option<Timestamp>> {
        let record = self.file.read()?.unwrap_or_default();
        Ok(record.rotated_at.into_values().max())
    }

    /// Notes that `places`, a secret and all that was written with it, were rotated at `at`.
    ///
    /// # Errors
    /// As [`File::update`].
    pub fn note<'p>(
        &self,
        places: impl IntoIterator<Item = Place<'p>>,
        at: Timestamp,
    ) -> Result<()> {
        let keys: Vec<String> = places.into_iter().map(key).collect();
        let note = |record: &mut Record| {
            record.with_targets.extend(keys.first().cloned());
            let times = keys.into_iter().map(|key| (key, at));
            record.rotated_at.extend(times);
        };
        self.file.update(self.patience, note)
    }
}

fn key((scope, name): Place<'_>) -> String {
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
        let secret = (&target.scope, &name);
        assert_eq!(history.last(secret, secret).unwrap(), None);
        assert_eq!(history.latest().unwrap(), None);
        let at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let [copy, other] = ["COPY", "OTHER"].map(|text| Name::new(text).unwrap());
        let [copy, other] = [&copy, &other].map(|name| (&target.scope, name));
        history.note([secret, copy], at).unwrap();
        assert_eq!(history.last(secret, secret).unwrap(), Some(at));
        assert_eq!(history.last(secret, copy).unwrap(), Some(at));
        assert_eq!(history.last(secret, other).unwrap(), None);
        assert_eq!(history.latest().unwrap(), Some(at));
        let text = fs::read_to_string(history.file.path()).unwrap();
        assert!(!text.contains("DB_PASSWORD"));
        // The first release noted the secret for all of them.
        let earlier = format!(r#"{{"rotated_at": {{"{}": "{at}"}}}}"#, key(secret));
        fs::write(history.file.path(), earlier).unwrap();
        assert_eq!(history.last(secret, other).unwrap(), Some(at));
        assert_eq!(history.last(other, copy).unwrap(), None);

        fs::write(history.file.path(), "{").unwrap();
        let error = history.last(secret, secret).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
    }
}
