//! The journal: what is written in several steps is on the disk, encrypted with age, before the
//! first of them, and goes when it is through.
//!
//! A rotation writes a [`Change`] with a step for each of its targets; a provider that needs several
//! requests for one secret announces that as a step of its own ([`StoreJournal`]). Each change is
//! a file, whose name says nothing but of which kind it is and, hashed, of which store and secret;
//! the content repeats that, so that a file under another's name is refused. How an interrupted
//! change goes on is for those who began it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::identity::sealed::{Keys, Notice, Purpose};
use crate::keyring::Keyring;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::digest;
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Reference, StoreName};
use crate::words::shown::ShownPath as _;

mod announced;
mod change;
mod claim;
#[cfg(test)]
pub(crate) mod tests;

pub use announced::StoreJournal;
pub use change::{Announced, Change, Direction, Old, State, Step};
pub use claim::Claim;

/// The version of the files that this code writes. It reads the first one, keyfob 0.1's, too.
const FORMAT: u32 = 2;

/// The kinds of changes, as the names of their files begin.
const ROTATION: &str = "rotation";
const REPLACEMENT: &str = "replacement";

/// How the names begin of the files of `kind` about something in the store `store`.
fn prefix(kind: &str, store: &StoreName) -> String {
    format!(
        "{kind}-{}-",
        &digest::of_parts(&[kind, store.as_str()])[..16]
    )
}

/// The name of the file of `kind` about what `subject` names in the store `store`.
fn tag(kind: &str, store: &StoreName, subject: &[&str]) -> String {
    let digest = digest::of_parts(&[&[kind, store.as_str()], subject].concat());
    format!("{}{}", prefix(kind, store), &digest[..32])
}

/// The name of the file of `change`.
fn tag_of(change: &Change) -> String {
    let Reference { store, name } = &change.secret;
    if let Some(Announced { provider, url, .. }) = &change.announced {
        return tag(REPLACEMENT, store, &[provider, url, name.as_str()]);
    }
    let scope = change.steps.iter().take(1).map(|step| step.scope.as_str());
    let subject: Vec<&str> = [name.as_str()].into_iter().chain(scope).collect();
    tag(ROTATION, store, &subject)
}

/// A change that is on the disk.
#[derive(Clone, Debug)]
pub struct Open {
    /// The change.
    pub change: Change,
    /// Of the file, so that another process's is not taken for it.
    digest: [u8; 32],
}

/// What stands under the encryption.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    keyfob: u32,
    tag: String,
    entry: T,
}

/// All open changes of this user.
pub struct Journal {
    folder: PathBuf,
    /// Where the locks of those are that are being worked on.
    claims: PathBuf,
    keys: Keys,
    notice: Notice,
    /// How long the lock may take, which is held while one small file is written or removed.
    patience: Duration,
}

impl Journal {
    /// The user's: `journal` in the data folder. Touches nothing.
    ///
    /// It is encrypted to the identity in `KEYFOB_FALLBACK_KEY` where there is one, else to the
    /// one that keyfob makes and keeps by itself. `notice` tells the user when that one is made.
    pub fn new(env: &Environment, folders: &Folders, keyring: &Keyring, notice: &Notice) -> Self {
        Self {
            folder: folders.data.join("journal"),
            claims: folders.data.join("rotations"),
            keys: Keys::new(Purpose::Journal, env, folders, keyring, notice.clone()),
            notice: notice.clone(),
            patience: folders.patience,
        }
    }

    /// All that is open of `store`, or of all stores: the rotations, then the replacements, each
    /// the oldest first; one that cannot be read is an error of its own. Asks no server.
    ///
    /// # Errors
    /// `failed` where the folder cannot be read.
    pub fn all(&self, store: Option<&StoreName>) -> Result<Vec<Result<Open>>> {
        let mut all = self.of(ROTATION, store)?;
        all.extend(self.replacements(store)?);
        Ok(all)
    }

    /// The replacements among them.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn replacements(&self, store: Option<&StoreName>) -> Result<Vec<Result<Open>>> {
        self.of(REPLACEMENT, store)
    }

    fn of(&self, kind: &str, store: Option<&StoreName>) -> Result<Vec<Result<Open>>> {
        let mut found = Vec::new();
        for tag in self.tags(kind)? {
            let concerned = store.is_none_or(|store| tag.starts_with(&prefix(kind, store)));
            match self.read(&tag) {
                Ok(Some(open)) if concerned => found.push(Ok(open)),
                // A rotation writes into other stores, too.
                Err(error) if concerned || kind == ROTATION => found.push(Err(error)),
                // Of another store, or closed by another process just now.
                _ => {}
            }
        }
        found.sort_by_key(|open| match open {
            Ok(open) => open.change.begun_at,
            Err(_) => Timestamp::MAX,
        });
        Ok(found)
    }

    /// The files of `kind`, sorted.
    fn tags(&self, kind: &str) -> Result<Vec<String>> {
        let cannot = |error: io::Error| {
            let what = format!("cannot read the journal {}", self.folder.shown());
            Error::io(what, error)
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(error)),
        };
        let prefix = format!("{kind}-");
        let mut tags = Vec::new();
        for entry in entries {
            let name = entry.map_err(cannot)?.file_name();
            let tag = name.to_str().and_then(|name| name.strip_suffix(".age"));
            tags.extend(
                tag.filter(|tag| tag.starts_with(&prefix))
                    .map(str::to_owned),
            );
        }
        tags.sort();
        Ok(tags)
    }

    /// Puts a change that begins now on the disk, in place of an earlier one of the same secret:
    /// when this returns, it survives a power cut.
    ///
    /// # Errors
    /// Whatever keeps it from being encrypted or written; what was there before is then intact.
    pub fn begin(&self, change: Change) -> Result<Open> {
        let (digest, written) = self.seal(&change)?;
        let open = Open { change, digest };
        if let Err(error) = written {
            // It may be there and not last: what is not begun must not be open.
            return Err(match self.close(&open) {
                Ok(()) => error,
                Err(left) => error.context(left),
            });
        }
        Ok(open)
    }

    /// Puts what has changed of `open` on the disk.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn keep(&self, open: &mut Open) -> Result<()> {
        let (digest, written) = self.seal(&open.change)?;
        if written.is_ok() || self.is_there(&open.change, digest) {
            open.digest = digest;
        }
        written
    }

    /// Writes `change`: the digest that its file has then, and whether all of that was done.
    fn seal(&self, change: &Change) -> Result<([u8; 32], Result<()>)> {
        let tag = tag_of(change);
        let path = self.path(&tag);
        let sealed = self.keys.encrypt(&Envelope {
            keyfob: FORMAT,
            tag,
            entry: change,
        })?;
        state::create_folder(&self.folder)?;
        let _lock = self.lock()?;
        let written = state::write_atomically(&path, &sealed, Mode::PRIVATE);
        Ok((Sha256::digest(&sealed).into(), written))
    }

    /// Whether the file of `change` has the content of this digest.
    fn is_there(&self, change: &Change, digest: [u8; 32]) -> bool {
        let sealed = fs::read(self.path(&tag_of(change)));
        sealed.is_ok_and(|sealed| <[u8; 32]>::from(Sha256::digest(&sealed)) == digest)
    }

    /// What stands under `tag`; `None` where there is nothing.
    ///
    /// # Errors
    /// `unauthenticated` where none of the identities at hand opens it; `invalid_data` where it is
    /// damaged or another's.
    fn read(&self, tag: &str) -> Result<Option<Open>> {
        let path = self.path(tag);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::io(format!("cannot read {}", path.shown()), error));
            }
        };
        let plaintext = self.keys.decrypt(&sealed, &path)?;
        Ok(Some(Open {
            change: parse(&plaintext, tag, &path)?,
            digest: Sha256::digest(&sealed).into(),
        }))
    }

    /// Removes a change that is through, for good. A file that has another content by now is
    /// another change's, and stays.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn close(&self, open: &Open) -> Result<()> {
        let _lock = self.lock()?;
        let path = self.path(&tag_of(&open.change));
        match fs::read(&path) {
            Ok(sealed) if <[u8; 32]>::from(Sha256::digest(&sealed)) == open.digest => {
                state::remove(&path)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format!("cannot read {}", path.shown()), error)),
        }
    }

    /// Makes the secrets of `open` this process's own, and reads it again, as whoever had them may
    /// have come further; `None` where it was closed meanwhile.
    ///
    /// # Errors
    /// `conflict` where it is being worked on right now.
    pub fn claim(&self, open: &Open) -> Result<Option<(Open, Claim)>> {
        let claim = self.claim_steps(&open.change)?;
        let fresh = self.read(&tag_of(&open.change))?;
        Ok(fresh.map(|open| (open, claim)))
    }

    /// Whether a process is at work on the rotation `open` right now.
    pub fn is_running(&self, open: &Open) -> bool {
        open.change.announced.is_none() && self.claim_steps(&open.change).is_err()
    }

    /// Makes the secrets that `places` names this process's own to rotate.
    ///
    /// # Errors
    /// `conflict` where a rotation of one of them is running or open; whatever keeps an open one
    /// from being read, as it may be of the same secret.
    pub fn claim_new(&self, places: &[(&Reference, &Scope)]) -> Result<Claim> {
        let claim = claim::take(&self.claims, places.iter().copied())?;
        for open in self.of(ROTATION, None)? {
            let open = open.map_err(|error| {
                error.context("a rotation is open, and may be of the same secret")
            })?;
            let shared = places.iter().find(|(reference, scope)| {
                let mut steps = open.change.steps.iter();
                steps.any(|step| step.reference.name == reference.name && step.scope == **scope)
            });
            if let Some((reference, _)) = shared {
                return Err(Error::conflict(format!(
                    "a rotation of {} is open, and writes {reference} too",
                    open.change.secret,
                ))
                .hint("keyfob rotate --resume finishes it, keyfob rotate --undo reverts it"));
            }
        }
        Ok(claim)
    }

    fn claim_steps(&self, change: &Change) -> Result<Claim> {
        let steps = change.steps.iter();
        claim::take(
            &self.claims,
            steps.map(|step| (&step.reference, &step.scope)),
        )
    }

    fn path(&self, tag: &str) -> PathBuf {
        self.folder.join(format!("{tag}.age"))
    }

    fn lock(&self) -> Result<Lock> {
        Lock::acquire(&[&self.folder], Some(self.patience))
    }
}

/// The change that `plaintext`, which stands in the file at `path`, is under `tag`.
///
/// # Errors
/// `invalid_data` where it is damaged, or stands for something else.
pub(crate) fn parse(plaintext: &[u8], tag: &str, path: &Path) -> Result<Change> {
    // serde_json's own text may quote the content.
    let unknown = |error: serde_json::Error| {
        Error::invalid_data(format!(
            "the journal {} holds something unknown at column {}",
            path.shown(),
            error.column()
        ))
        .hint("it may have been written by a newer keyfob")
    };
    let envelope: Envelope<&RawValue> = serde_json::from_slice(plaintext).map_err(unknown)?;
    let entry = envelope.entry.get();
    let change = match envelope.keyfob {
        _ if envelope.tag != tag => None,
        1 if tag.starts_with(REPLACEMENT) => {
            let earlier: change::Earlier = serde_json::from_str(entry).map_err(unknown)?;
            Some(earlier.try_into()?)
        }
        1 | FORMAT => Some(serde_json::from_str(entry).map_err(unknown)?),
        _ => None,
    };
    change.ok_or_else(|| {
        Error::invalid_data(format!(
            "the journal {} was written for something else",
            path.shown()
        ))
    })
}
