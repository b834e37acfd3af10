//! The files of snapshots, and the notes beside them.
//!
//! A snapshot is in `fallback` in the data folder, named by the digest of what it is bound to, or
//! in a file that the user named. The note of each, always in that folder, says in digests which
//! stores the snapshot draws on, so that those of one store can be removed without opening any.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::sealed;
use crate::state::file;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::digest;
use crate::words::env::Folders;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::StoreName;
use crate::words::shown::ShownPath as _;

/// More than any environment holds.
const MAX_SIZE: u64 = 64 << 20;

/// How much of a file is read to tell what it is.
const HEADER: u64 = 64 << 10;

/// A store that a snapshot draws on, in digests.
#[derive(Clone, Debug)]
pub struct Origin {
    store: String,
    scope: Option<Scope>,
}

impl Origin {
    /// The store of this name with its scope, where that is known.
    pub fn new(name: &StoreName, scope: Option<Scope>) -> Self {
        Self {
            store: digest::of_parts(&["store", name.as_str()]),
            scope,
        }
    }
}

/// What is noted of a snapshot. No secret, and no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    stores: BTreeSet<String>,
    scopes: BTreeSet<Scope>,
    max_stale_seconds: u64,
    /// Where it is, if not beside the note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Note {
    /// The note of a snapshot of `origins` that is of no use when it is older than `max_stale`.
    pub fn new(origins: &[Origin], file: Option<PathBuf>, max_stale: Duration) -> Self {
        Self {
            stores: origins.iter().map(|origin| origin.store.clone()).collect(),
            scopes: origins
                .iter()
                .filter_map(|origin| origin.scope.clone())
                .collect(),
            max_stale_seconds: max_stale.as_secs(),
            file,
        }
    }

    /// Whether it draws on `origin`, be it by name or, under another name, on the same secrets.
    fn draws_on(&self, origin: &Origin) -> bool {
        let scope = origin.scope.as_ref();
        self.stores.contains(&origin.store) || scope.is_some_and(|it| self.scopes.contains(it))
    }
}

/// What became of snapshots that were to be removed.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// Those that were there and are gone.
    pub removed: Vec<PathBuf>,
    /// What kept the others from being removed.
    pub failures: Vec<Error>,
}

impl Forgotten {
    /// Adds what became of the one at `path`: whether there was anything.
    pub(super) fn add(&mut self, path: &Path, removed: Result<bool>) {
        match removed {
            Ok(true) => self.removed.push(path.to_owned()),
            Ok(false) => {}
            Err(error) => self.failures.push(error),
        }
    }
}

/// The folder of snapshots and notes.
pub struct Shelf {
    folder: PathBuf,
    patience: Duration,
}

impl Shelf {
    /// `fallback` in the data folder.
    pub fn new(folders: &Folders) -> Self {
        Self {
            folder: folders.data.join("fallback"),
            patience: folders.patience,
        }
    }

    /// The file of the snapshot whose binding has this digest.
    pub fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.age"))
    }

    fn note_file(&self, id: &str) -> file::File<Note> {
        let path = self.folder.join(format!("{id}.json"));
        file::File::new(path, "the next run with --fallback replaces it")
    }

    /// Puts the note of a snapshot into the folder, and the snapshot itself where it is not in a
    /// file of the user's, and takes out what is of no use any more.
    pub(super) fn put(
        &self,
        digest: &str,
        note: &Note,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        state::create_folder(&self.folder)?;
        let _lock = self.lock()?;
        let id = match &note.file {
            Some(file) => digest::of_parts(&["file", &file.to_string_lossy()]),
            None => digest.to_owned(),
        };
        // First, so that there is never a snapshot without a note.
        if self.note(&id).as_ref() != Some(note) {
            self.note_file(&id).write(note)?;
        }
        if note.file.is_none() {
            state::write_atomically(&self.path(&id), sealed, Mode::PRIVATE)?;
        }
        self.tidy(&id, now);
        Ok(())
    }

    /// Removes the snapshots that draw on any of `origins`, and those of which nobody knows what
    /// they draw on.
    pub fn forget(&self, origins: &[Origin]) -> Forgotten {
        let mut forgotten = Forgotten::default();
        if !self.folder.exists() {
            return forgotten;
        }
        let lock = self.lock();
        let ids = self.ids();
        let (_lock, ids) = match (lock, ids) {
            (Ok(lock), Ok(ids)) => (lock, ids),
            (Err(error), _) | (_, Err(error)) => {
                forgotten.failures.push(error);
                return forgotten;
            }
        };
        for id in ids {
            let note = self.note(&id);
            let concerned = |note: &Note| origins.iter().any(|origin| note.draws_on(origin));
            if note.as_ref().is_none_or(concerned) {
                let file = note.and_then(|note| note.file);
                let path = file.clone().unwrap_or_else(|| self.path(&id));
                forgotten.add(&path, self.remove(&id, file.as_deref()));
            }
        }
        forgotten
    }

    /// Removes a snapshot and its note; tells whether there was a snapshot.
    fn remove(&self, id: &str, file: Option<&Path>) -> Result<bool> {
        let there_was = match file {
            Some(file) => remove_file(file)?,
            None => {
                let path = self.path(id);
                let there_was = path.exists();
                state::remove(&path)?;
                there_was
            }
        };
        state::remove(self.note_file(id).path())?;
        Ok(there_was)
    }

    /// Removes, as far as that is possible, what can be of no use: snapshots older than whoever
    /// took them would have used them, and notes of files that are gone. Not `keep`.
    fn tidy(&self, keep: &str, now: Timestamp) {
        for id in self.ids().unwrap_or_default() {
            let Some(note) = self.note(&id).filter(|_| id != keep) else {
                continue;
            };
            let useless = match &note.file {
                Some(file) => !file.exists(),
                None => is_older(&self.path(&id), note.max_stale_seconds, now),
            };
            if useless {
                // The next one tries again.
                let _ = match note.file {
                    Some(_) => state::remove(self.note_file(&id).path()).map(|()| false),
                    None => self.remove(&id, None),
                };
            }
        }
    }

    /// The note, where there is one that makes sense.
    fn note(&self, id: &str) -> Option<Note> {
        self.note_file(id).read().ok().flatten()
    }

    /// What snapshots and notes are called, without their extension.
    fn ids(&self) -> Result<BTreeSet<String>> {
        let cannot = |error| Error::io(format!("cannot read {}", self.folder.shown()), error);
        let mut ids = BTreeSet::new();
        for entry in fs::read_dir(&self.folder).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name();
            let name = name.to_str().unwrap_or_default();
            if let Some((id, "age" | "json")) = name.rsplit_once('.') {
                ids.insert(id.to_owned());
            }
        }
        Ok(ids)
    }

    fn lock(&self) -> Result<Lock> {
        Lock::acquire(&[&self.folder], Some(self.patience))
    }
}

fn is_older(path: &Path, seconds: u64, now: Timestamp) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(written) = written.map(Timestamp::try_from) else {
        return false;
    };
    let age = written.map(|written| now.duration_since(written));
    age.is_ok_and(|age| age.as_secs() > i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Writes a snapshot into the file that the user named, making its folder.
///
/// # Errors
/// `conflict` where something else stands there.
pub(super) fn write_file(path: &Path, sealed: &[u8]) -> Result<()> {
    if let Some(header) = read(path, HEADER)?
        && !header.is_empty()
        && !sealed::is_snapshot(&header)
    {
        return Err(Error::conflict(format!(
            "{} holds something else than a fallback snapshot, and is left as it is",
            path.shown()
        ))
        .hint("remove it, or name another file with --fallback=FILE"));
    }
    state::create_folder(state::folder_of(path))?;
    state::write_atomically(path, sealed, Mode::PRIVATE)
}

/// Reads a snapshot; `None` where there is nothing.
pub(super) fn read_file(path: &Path) -> Result<Option<Vec<u8>>> {
    match read(path, MAX_SIZE + 1)? {
        Some(sealed) if sealed.len() as u64 > MAX_SIZE => Err(Error::invalid_data(format!(
            "{} is too large for a fallback snapshot",
            path.shown()
        ))),
        sealed => Ok(sealed),
    }
}

/// Removes the snapshot in a file that the user named, and nothing else that may stand there;
/// tells whether there was one.
pub(super) fn remove_file(path: &Path) -> Result<bool> {
    match read(path, HEADER)? {
        Some(header) if sealed::is_snapshot(&header) => {
            state::remove(&state::follow_links(path)?).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// The first `limit` bytes of the regular file at `path`; `None` where there is nothing.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let read = || {
        let Some(file) = state::open(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    read().map_err(|error: io::Error| Error::io(format!("cannot read {}", path.shown()), error))
}
