//! Sealed files: what must not be lost while something is being changed is on disk, encrypted with
//! age, before the change begins, and goes when it is through.
//!
//! A file's name says nothing but of which kind it is and, hashed, of which store and secret; the
//! content repeats that, so that a file under another's name is refused. Whoever writes one puts
//! into the entry what it may be used for. What an interrupted change needs next is its own
//! business.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use crate::identity::sealed::Notice;
use crate::identity::sealed::{Keys, Purpose};
use crate::keyring::Keyring;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::digest;
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};

/// The version of the envelope that this code writes, and the only one it reads.
const FORMAT: u32 = 1;

/// The lock is held while one small file is written or removed, never longer.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Which sealed file: its kind, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The file of `kind` about what `subject` names in the store `store`.
    pub fn new(kind: &str, store: &str, subject: &[&str]) -> Self {
        let digest = digest::of_parts(&[&[kind, store], subject].concat());
        Self(format!("{}{}", Self::prefix(kind, store), &digest[..32]))
    }

    /// Whether it is of `kind` and about something in the store `store`.
    pub fn concerns(&self, kind: &str, store: &str) -> bool {
        self.0.starts_with(&Self::prefix(kind, store))
    }

    fn prefix(kind: &str, store: &str) -> String {
        format!("{kind}-{}-", &digest::of_parts(&[kind, store])[..16])
    }

    fn file_name(&self) -> String {
        format!("{}.age", self.0)
    }
}

/// One content of a sealed file: what is removed when a change is through, and not what another
/// process has put in its place since.
#[derive(Clone, Debug)]
pub struct Seal {
    tag: Tag,
    digest: [u8; 32],
}

/// What stands under the encryption.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    keyfob: u32,
    tag: String,
    entry: T,
}

/// The folder of sealed files. Making one touches nothing.
pub struct Journal {
    folder: PathBuf,
    keys: Keys,
}

impl Journal {
    /// The journal of this user: `journal` in the data folder.
    ///
    /// It is encrypted to the identity in `KEYFOB_FALLBACK_KEY` where there is one, else to the
    /// one that keyfob makes and keeps by itself.
    ///
    /// `notice` tells the user when that one is made.
    pub fn new(env: &Environment, folders: &Folders, keyring: &Keyring, notice: Notice) -> Self {
        Self {
            folder: folders.data.join("journal"),
            keys: Keys::new(Purpose::Journal, env, folders, keyring, notice),
        }
    }

    /// The files of `kind`, sorted; decrypts none.
    ///
    /// # Errors
    /// `failed` where the folder cannot be read.
    pub fn tags(&self, kind: &str) -> Result<Vec<Tag>> {
        let cannot = |error: &io::Error| {
            Error::io(
                format!("cannot read the journal {}", self.folder.display()),
                error,
            )
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(&error)),
        };
        let mut tags = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| cannot(&error))?.file_name();
            let tag = name.to_str().and_then(|name| name.strip_suffix(".age"));
            if let Some(tag) = tag
                && tag
                    .strip_prefix(kind)
                    .is_some_and(|rest| rest.starts_with('-'))
            {
                tags.push(Tag(tag.to_owned()));
            }
        }
        tags.sort();
        Ok(tags)
    }

    /// Whether there is a file for `tag`.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.path(tag).exists()
    }

    /// Puts `entry` on the disk under `tag`, in place of what was there: when this returns, it
    /// survives a power cut.
    ///
    /// # Errors
    /// Whatever keeps it from being encrypted or written; what was there before is then intact.
    pub fn seal(&self, tag: &Tag, entry: &impl Serialize) -> Result<Seal> {
        let envelope = Envelope {
            keyfob: FORMAT,
            tag: tag.0.clone(),
            entry,
        };
        let sealed = self.keys.encrypt(&envelope)?;
        state::create_folder(&self.folder)?;
        let _lock = self.lock()?;
        let path = self.path(tag);
        state::write_atomically(&path, &sealed, Mode::PRIVATE)?;
        Ok(Seal {
            tag: tag.clone(),
            digest: Sha256::digest(&sealed).into(),
        })
    }

    /// What stands under `tag`; `None` where there is nothing.
    ///
    /// # Errors
    /// `unauthenticated` where none of the identities at hand opens it; `invalid_data` where it is
    /// damaged or another's.
    pub fn open<T: DeserializeOwned>(&self, tag: &Tag) -> Result<Option<(T, Seal)>> {
        let path = self.path(tag);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::io(format!("cannot read {}", path.display()), &error));
            }
        };
        let plaintext = self.keys.decrypt(&sealed, &path)?;
        // serde_json's own text may quote the content.
        let envelope: Envelope<T> = serde_json::from_slice(&plaintext).map_err(|error| {
            Error::invalid_data(format!(
                "the journal {} holds something unknown at column {}",
                path.display(),
                error.column()
            ))
            .hint("it may have been written by a newer keyfob")
        })?;
        if envelope.keyfob != FORMAT || envelope.tag != tag.0 {
            return Err(Error::invalid_data(format!(
                "the journal {} was written for something else",
                path.display()
            )));
        }
        let seal = Seal {
            tag: tag.clone(),
            digest: Sha256::digest(&sealed).into(),
        };
        Ok(Some((envelope.entry, seal)))
    }

    /// Removes the file that `seal` stands for, for good. One that has another content by now is
    /// another change's, and stays.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn remove(&self, seal: &Seal) -> Result<()> {
        let _lock = self.lock()?;
        let path = self.path(&seal.tag);
        match fs::read(&path) {
            Ok(sealed) if <[u8; 32]>::from(Sha256::digest(&sealed)) == seal.digest => {
                state::remove(&path)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format!("cannot read {}", path.display()), &error)),
        }
    }

    /// Removes whatever stands under `tag`, for good; tells whether there was anything.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn discard(&self, tag: &Tag) -> Result<bool> {
        if !self.contains(tag) {
            return Ok(false);
        }
        let _lock = self.lock()?;
        state::remove(&self.path(tag)).map(|()| true)
    }

    fn path(&self, tag: &Tag) -> PathBuf {
        self.folder.join(tag.file_name())
    }

    fn lock(&self) -> Result<Lock> {
        Lock::acquire(&[&self.folder], Some(LOCK_TIMEOUT))
    }
}

#[cfg(test)]
mod tests;
