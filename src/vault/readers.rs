//! What keyfob remembers of each vault: the id and the readers that it saw last. A file that
//! somebody without that id has written is told by it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lineage::Lineage;
use crate::identity::recipients::Recipient;
use crate::state::file::File;
use crate::words::env::Folders;
use crate::words::error::{Kind, Result};

/// A vault as it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its ids.
    #[serde(flatten)]
    pub lineage: Lineage,
    /// Who could read it.
    pub readers: Vec<Recipient>,
}

/// Whose work a file is, by what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is remembered.
    FirstMeeting,
    /// Somebody who could read the vault wrote it.
    Known,
    /// Its id was left behind: it is older than what was seen last, or by somebody who was shut
    /// out since.
    LeftBehind,
    /// Anybody may have written it.
    Unknown,
}

impl Seen {
    /// Whose work a file with this `lineage` and these `readers` is. Where no id is remembered,
    /// as the first release gave none, it is known as long as it has no reader but those
    /// remembered and those whom `vouched` says yes to.
    pub fn standing(
        &self,
        lineage: &Lineage,
        readers: &[Recipient],
        vouched: impl Fn(&Recipient) -> bool,
    ) -> Standing {
        let Some(remembered) = &self.lineage.id else {
            let mut readers = readers.iter();
            return match readers.all(|reader| self.readers.contains(reader) || vouched(reader)) {
                true => Standing::Known,
                false => Standing::Unknown,
            };
        };
        match &lineage.id {
            Some(id) if id == remembered || lineage.had(remembered) => Standing::Known,
            Some(id) if self.lineage.had(id) => Standing::LeftBehind,
            _ => Standing::Unknown,
        }
    }

    /// This after a known file was seen: with the same id readers are only ever added, so that
    /// one who is missing on another branch is no news when that is left again.
    fn then(&self, mut newer: Seen) -> Seen {
        if self.lineage.id == newer.lineage.id {
            newer.lineage.follow(&self.lineage);
            for reader in &self.readers {
                if !newer.readers.contains(reader) {
                    newer.readers.push(reader.clone());
                }
            }
        }
        newer
    }
}

/// What is remembered of all vaults, in the data folder.
pub struct Memory {
    file: File<Vaults>,
    patience: Duration,
}

/// What stands in the file: by the vaults' paths.
#[derive(Default, Serialize, Deserialize)]
struct Vaults {
    vaults: BTreeMap<String, Seen>,
}

impl Memory {
    /// The memory in `folders`.
    pub fn new(folders: &Folders) -> Self {
        Self {
            file: File::new(
                folders.data.join("vaults.json"),
                "delete it: each vault's readers are then shown again when it is next used",
            ),
            patience: folders.patience,
        }
    }

    /// What is remembered of the vault at `canonical`.
    ///
    /// # Errors
    /// `invalid_data` where the memory is damaged.
    pub fn of(&self, canonical: &Path) -> Result<Option<Seen>> {
        Ok(self.read()?.vaults.remove(&key(canonical)))
    }

    /// Whether one of the vaults that are remembered is there.
    pub fn knows_one_that_is_there(&self) -> bool {
        self.read()
            .is_ok_and(|known| known.vaults.keys().any(|path| Path::new(path).is_file()))
    }

    /// What is remembered of the vault `lineage` at another path, from which it was copied or
    /// moved.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn elsewhere(&self, lineage: &Lineage) -> Result<Option<Seen>> {
        let Some(id) = &lineage.id else {
            return Ok(None);
        };
        let vaults = self.read()?.vaults.into_values();
        Ok(vaults.into_iter().find(|seen| seen.lineage.is(id)))
    }

    /// Remembers of the vault at `canonical` what was `seen` after `before` was remembered. What
    /// another process has remembered meanwhile stays where it is newer.
    ///
    /// # Errors
    /// `failed` where it cannot be written, `unavailable` where another keyfob keeps it locked;
    /// `at_once` waits for none.
    pub fn remember(
        &self,
        canonical: &Path,
        before: Option<&Seen>,
        seen: &Seen,
        at_once: bool,
    ) -> Result<()> {
        let newer = before.map_or_else(|| seen.clone(), |before| before.then(seen.clone()));
        if before == Some(&newer) {
            return Ok(());
        }
        let patience = match at_once {
            true => Duration::ZERO,
            false => self.patience,
        };
        self.file.update(patience, |known| {
            let key = key(canonical);
            let stays = known.vaults.get(&key).is_some_and(|now| {
                let id = now.lineage.id.as_ref();
                before != Some(now)
                    && id.is_some_and(|id| !newer.lineage.is(id) && !newer.lineage.had(id))
            });
            if !stays {
                known.vaults.insert(key, newer);
            }
        })
    }

    fn read(&self) -> Result<Vaults> {
        match self.file.read() {
            Ok(known) => Ok(known.unwrap_or_default()),
            // As under another user's home folder: nothing is remembered there.
            Err(error) if error.kind() == Kind::Failed => Ok(Vaults::default()),
            Err(error) => Err(error),
        }
    }
}

/// A path as the memory has it; one that is not UTF-8 with its odd bytes escaped.
fn key(canonical: &Path) -> String {
    match canonical.to_str() {
        Some(path) => path.to_owned(),
        None => format!("{canonical:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::keys::generate;

    fn reader() -> Recipient {
        generate(jiff::Timestamp::UNIX_EPOCH).1
    }

    fn seen(lineage: &Lineage, readers: &[&Recipient]) -> Seen {
        Seen {
            lineage: lineage.clone(),
            readers: readers.iter().map(|reader| (*reader).clone()).collect(),
        }
    }

    fn fresh() -> Lineage {
        let mut lineage = Lineage::default();
        lineage.renew().unwrap();
        lineage
    }

    #[test]
    fn what_a_reader_wrote_is_known_and_nothing_else() {
        let (alice, bob) = (reader(), reader());
        let first = fresh();
        let mut second = first.clone();
        second.renew().unwrap();
        let none = Lineage::default();
        let mut guessed = fresh();
        guessed.follow(&first);
        let judge = |seen: &Seen, lineage: &Lineage, reader: &Recipient| {
            seen.standing(lineage, std::slice::from_ref(reader), |_| false)
        };
        for (remembered, file, standing) in [
            (&first, &first, Standing::Known),
            (&first, &second, Standing::Known),
            (&second, &first, Standing::LeftBehind),
            (&second, &guessed, Standing::Unknown),
            (&second, &fresh(), Standing::Unknown),
            (&second, &none, Standing::Unknown),
        ] {
            let seen = seen(remembered, &[&alice]);
            assert_eq!(
                judge(&seen, file, &bob),
                standing,
                "{remembered:?} {file:?}"
            );
        }
        // Without an id nobody proves anything, but nobody new reads either.
        let seen = seen(&none, &[&alice]);
        for file in [&none, &first] {
            assert_eq!(judge(&seen, file, &alice), Standing::Known);
            assert_eq!(judge(&seen, file, &bob), Standing::Unknown);
        }
    }

    #[test]
    fn what_is_older_does_not_replace_what_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(&Folders::below(folder.path()));
        let path = Path::new("/team/secrets.age");
        let alice = reader();
        let first = fresh();
        let mut second = first.clone();
        second.renew().unwrap();
        let (first, second) = (seen(&first, &[&alice]), seen(&second, &[&alice]));
        assert_eq!(memory.of(path).unwrap(), None);
        memory.remember(path, None, &first, false).unwrap();
        memory.remember(path, Some(&first), &second, false).unwrap();
        memory.remember(path, None, &first, false).unwrap();
        assert_eq!(memory.of(path).unwrap(), Some(second.clone()));
        assert_eq!(memory.elsewhere(&second.lineage).unwrap(), Some(second));
        assert_eq!(memory.elsewhere(&first.lineage).unwrap(), None);
    }

    #[test]
    fn readers_of_one_id_are_remembered_together() {
        let (alice, bob) = (reader(), reader());
        let lineage = fresh();
        let both = seen(&lineage, &[&alice, &bob]);
        let then = both.then(seen(&lineage, &[&alice]));
        assert_eq!(then.readers.len(), 2);
        let mut next = lineage.clone();
        next.renew().unwrap();
        assert_eq!(both.then(seen(&next, &[&alice])).readers, [alice]);
    }
}
