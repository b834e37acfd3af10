//! Snapshots of what stores answered, to go on with when they cannot be reached.
//!
//! A snapshot is an age file, for the identities at hand alone. Under the encryption stand the
//! time when it was taken and what it is bound to: the selection, and which secrets the stores'
//! names stood for. Where snapshots are, and which stores each of them draws on, is the work of
//! [`shelf`]; how old one may be that of [`freshness`]. When to take one, and when to use it, its
//! callers decide.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::identity::sealed::{Keys, Notice, Purpose};
use crate::keyring::Keyring;
use crate::words::digest;
use crate::words::duration::HumanDuration;
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Reference, SecretValue, StoreName};
use crate::words::shown::ShownPath as _;

pub(crate) mod content;
pub mod freshness;
pub mod shelf;

use content::Content;
pub use content::Snapshot;
use shelf::{Note, Origin, Shelf};

/// What a snapshot is good for, and for nothing else.
#[derive(Clone, Debug)]
pub struct Binding {
    digest: String,
    origins: Vec<Origin>,
}

impl Binding {
    /// The selection with the digest `selection`, from these stores with these scopes.
    pub fn new<'a>(
        selection: &str,
        stores: impl IntoIterator<Item = (&'a StoreName, Scope)>,
    ) -> Self {
        let stores: Vec<(&StoreName, Scope)> = stores.into_iter().collect();
        let mut parts = vec!["fallback", selection];
        for (name, scope) in &stores {
            parts.extend([name.as_str(), scope.as_str()]);
        }
        Self {
            digest: digest::of_parts(&parts),
            origins: stores
                .iter()
                .map(|(name, scope)| Origin::new(name, Some(scope.clone())))
                .collect(),
        }
    }
}

/// The snapshots of one selection: one, at most.
pub struct Snapshots {
    shelf: Shelf,
    file: Option<PathBuf>,
    keys: Keys,
    notice: Notice,
}

impl Snapshots {
    /// Those in the data folder, or the one in `file`, an absolute path. Touches nothing yet.
    ///
    /// They are encrypted to the identity in `KEYFOB_FALLBACK_KEY` where there is one, else to the
    /// one that keyfob makes and keeps by itself. `notice` tells the user when that one is made.
    pub fn new(
        env: &Environment,
        folders: &Folders,
        keyring: &Keyring,
        notice: Notice,
        file: Option<PathBuf>,
    ) -> Self {
        let told = notice.clone();
        Self {
            shelf: Shelf::new(folders),
            file,
            keys: Keys::new(Purpose::Snapshot, env, folders, keyring, told),
            notice,
        }
    }

    /// Keeps `secrets` as the snapshot of `binding`, in place of the one before. It may be removed
    /// by itself once it is older than `max_stale`.
    ///
    /// # Errors
    /// Whatever keeps it from being encrypted or written; `conflict` where the file holds something
    /// else than a snapshot, which stays as it is.
    pub fn keep(
        &self,
        binding: &Binding,
        secrets: &BTreeMap<&Reference, &SecretValue>,
        now: Timestamp,
        max_stale: HumanDuration,
    ) -> Result<()> {
        let sealed = self
            .keys
            .encrypt(&Content::new(&binding.digest, now, secrets))?;
        let note = Note::new(&binding.origins, self.file.clone(), max_stale.get());
        if let Some(file) = &self.file {
            shelf::write_file(file, &sealed)?;
        }
        match (
            self.shelf.put(&binding.digest, &note, &sealed, now),
            &self.file,
        ) {
            (Err(error), Some(file)) => {
                // A machine where nothing can be noted is one where nobody logs out.
                (self.notice)(&format!(
                    "logout will not find the fallback snapshot {}: {error}",
                    file.shown()
                ));
                Ok(())
            }
            (kept, _) => kept,
        }
    }

    /// The snapshot of `binding`, however old.
    ///
    /// # Errors
    /// `not_found` where there is none, `unauthenticated` where no identity at hand opens it,
    /// `conflict` where it is another binding's, `invalid_data` where it is damaged.
    pub fn find(&self, binding: &Binding) -> Result<Snapshot> {
        let path = match &self.file {
            Some(file) => file.clone(),
            None => self.shelf.path(&binding.digest),
        };
        let Some(sealed) = shelf::read_file(&path)? else {
            return Err(Error::not_found(match &self.file {
                Some(file) => format!("there is no fallback snapshot {} yet", file.shown()),
                None => "there is no fallback snapshot of this selection yet".to_owned(),
            })
            .hint("each run with --fallback that reaches its stores keeps one"));
        };
        let plaintext = self.keys.decrypt(&sealed, &path)?;
        content::read(&plaintext, &binding.digest, &path)
    }

    /// Removes the snapshots that draw on any of `origins`, and that of this selection.
    pub fn forget(&self, origins: &[Origin]) -> shelf::Forgotten {
        let mut forgotten = self.shelf.forget(origins);
        if let Some(file) = &self.file {
            forgotten.add(file, shelf::remove_file(file));
        }
        forgotten
    }
}

#[cfg(test)]
mod tests;
