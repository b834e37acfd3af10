//! What keyfob last wrote into stores whose values cannot be read back: a record for each, by which
//! a later command tells what is as it should be.
//!
//! A record never says of a value that it is there when it may not be. So what it says of a secret
//! is taken back, for good, before that secret is written or deleted, and what was stored is noted
//! after; where two processes write into a store at the same time, nobody can tell whose value is
//! there in the end, and neither notes anything. And it holds only as long as the backend shows
//! the secret with the same [mark](Mark).
//!
//! Names, marks and values stand in it as digests under a key of this user's alone. Where a record
//! is missing or damaged, what is stored is unknown, which costs a needless write and no more.

use std::fs::{self, File as LockFile, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::state;
use crate::state::lock::Lock;
use crate::words::batch::{Outcome, Write};
use crate::words::env::Folders;
use crate::words::error::{Error, Kind, Result};
use crate::words::generate;
use crate::words::scope::Scope;
use crate::words::secret::{Mark, Name, SecretValue};

mod file;
mod key;
#[cfg(test)]
mod tests;

use file::{Digests, File};
use key::{Key, Tag};

/// The folder's lock is held while small files are read and written, never longer.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How a value compares with the one that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It is the same.
    Same,
    /// It is another.
    Other,
    /// Nobody can tell.
    Unknown,
}

/// The record of one store. Making one touches nothing.
pub struct Record {
    folder: PathBuf,
    key: PathBuf,
    scope: Scope,
}

/// The file with the key, which is nobody else's business.
pub fn key_file(folders: &Folders) -> PathBuf {
    folder(folders).join("key")
}

fn folder(folders: &Folders) -> PathBuf {
    folders.data.join("written")
}

impl Record {
    /// The record of the store whose names stand for what `scope` says.
    pub fn new(folders: &Folders, scope: Scope) -> Self {
        Self {
            folder: folder(folders),
            key: key_file(folders),
            scope,
        }
    }

    /// What it says now.
    ///
    /// # Errors
    /// `failed` or `invalid_data` where it cannot be read or is damaged.
    pub fn read(&self) -> Result<Known> {
        let Some(key) = Key::read(&self.key)? else {
            return Ok(Known::default());
        };
        let file = File::read(&self.path(), &key)?;
        Ok(Known(file.map(|file| (self.digester(key), file))))
    }

    /// Takes back what it says of those in `intents`, which are about to be written or deleted.
    /// `None` where nothing was said, and nothing is to be noted.
    ///
    /// # Errors
    /// Whatever keeps it from being changed; it may still say what it said.
    pub fn begin(&self, intents: &[Intent<'_>]) -> Result<Option<Writing>> {
        let notes = intents.iter().any(|intent| intent.value.is_some());
        if !notes && !self.path().try_exists().unwrap_or(true) {
            return Ok(None);
        }
        state::create_folder(&self.folder)?;
        let _lock = Lock::acquire(&[&self.folder], Some(LOCK_TIMEOUT))?;
        // What is damaged, or was made with a key that is lost, says nothing to anybody.
        let key = match readable(Key::read(&self.key))? {
            Some(key) => key,
            None => Key::make(&self.key)?,
        };
        let file = readable(File::read(&self.path(), &key))?;
        let mut file = file.unwrap_or_else(|| File::empty(&key));
        let digester = self.digester(key);
        let mut noted = Vec::with_capacity(intents.len());
        for intent in intents {
            let name = digester.name(intent.name);
            file.secrets.remove(&name);
            if let Some(value) = intent.value {
                noted.push((intent.name.clone(), digester.value(intent.name, value)));
            }
        }
        let mut nonce = [0; 16];
        generate::fill(&mut nonce)?;
        file.begun = base16ct::lower::encode_string(&nonce);
        let (under_way, alone) = self.announce()?;
        file.write(&self.path())?;
        Ok(Some(Writing {
            folder: self.folder.clone(),
            path: self.path(),
            digester,
            begun: file.begun,
            alone,
            noted,
            _under_way: under_way,
        }))
    }

    /// Takes back everything it says, whatever state it is in.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn forget(&self) -> Result<()> {
        let path = self.path();
        match fs::symlink_metadata(&path) {
            Err(error) if is_nowhere(&error) => Ok(()),
            _ => state::remove(&path),
        }
    }

    /// Says to other processes, for as long as what is returned lives, that this one writes into
    /// the store; and tells whether it is the only one. Only under the folder's lock.
    fn announce(&self) -> Result<(LockFile, bool)> {
        let path = self.folder.join(format!("{}.lock", self.scope.as_str()));
        let cannot = |error: io::Error| Error::io(format!("cannot lock {}", path.display()), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(cannot)?;
        let alone = match file.try_lock() {
            Ok(()) => {
                file.unlock().map_err(cannot)?;
                true
            }
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        };
        // Those who write share it, and none of them keeps it to itself.
        file.try_lock_shared().map_err(|error| match error {
            TryLockError::WouldBlock => cannot(io::ErrorKind::WouldBlock.into()),
            TryLockError::Error(error) => cannot(error),
        })?;
        Ok((file, alone))
    }

    fn digester(&self, key: Key) -> Digester {
        Digester {
            key,
            scope: self.scope.clone(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.scope.as_str()))
    }
}

/// Whether there is no such file, nor a folder that it could be in.
fn is_nowhere(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What was `read`, where it was there and whole.
fn readable<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == Kind::InvalidData => Ok(None),
        read => read,
    }
}

/// What is about to be done to a secret.
pub struct Intent<'a> {
    name: &'a Name,
    value: Option<&'a SecretValue>,
}

impl<'a> From<&'a Write> for Intent<'a> {
    fn from(write: &'a Write) -> Self {
        Self {
            name: &write.name,
            value: Some(&write.value),
        }
    }
}

impl<'a> From<&'a Name> for Intent<'a> {
    fn from(name: &'a Name) -> Self {
        Self { name, value: None }
    }
}

/// What a record says, as it was when it was read. By default nothing.
#[derive(Default)]
pub struct Known(Option<(Digester, File)>);

impl Known {
    /// How `value` compares with what is stored under `name`, of which the backend shows `mark`.
    pub fn compare(&self, name: &Name, mark: Option<&Mark>, value: &SecretValue) -> Likeness {
        let (Some((digester, file)), Some(mark)) = (&self.0, mark) else {
            return Likeness::Unknown;
        };
        match file.secrets.get(&digester.name(name)) {
            Some(stored) if stored.mark == digester.mark(name, mark) => {
                match stored.value == digester.value(name, value) {
                    true => Likeness::Same,
                    false => Likeness::Other,
                }
            }
            _ => Likeness::Unknown,
        }
    }
}

/// A writing that is under way.
pub struct Writing {
    folder: PathBuf,
    path: PathBuf,
    digester: Digester,
    begun: String,
    alone: bool,
    /// What is to be stored, as digests of the values.
    noted: Vec<(Name, Tag)>,
    _under_way: LockFile,
}

impl Writing {
    /// Notes what was stored of what was to be.
    ///
    /// # Errors
    /// Whatever keeps it from being noted: what is stored is then unknown.
    pub fn end(self, outcomes: &[Outcome]) -> Result<()> {
        let stored: Vec<(Tag, Digests)> = outcomes
            .iter()
            .zip(&self.noted)
            .filter(|(outcome, (name, _))| outcome.result.is_ok() && outcome.name == *name)
            .filter_map(|(outcome, (name, value))| {
                let mark = outcome.mark.as_ref()?;
                let digests = Digests {
                    mark: self.digester.mark(name, mark),
                    value: value.clone(),
                };
                Some((self.digester.name(name), digests))
            })
            .collect();
        if stored.is_empty() || !self.alone {
            return Ok(());
        }
        let _lock = Lock::acquire(&[&self.folder], Some(LOCK_TIMEOUT))?;
        match File::read(&self.path, &self.digester.key)? {
            Some(mut file) if file.begun == self.begun => {
                file.secrets.extend(stored);
                file.write(&self.path)
            }
            // Another process has begun in the meantime.
            _ => Ok(()),
        }
    }
}

/// Makes the digests of one store's record. What one stands for is part of it, so that none can
/// take the place of another.
struct Digester {
    key: Key,
    scope: Scope,
}

impl Digester {
    fn name(&self, name: &Name) -> Tag {
        self.tag("name", name, b"")
    }

    fn mark(&self, name: &Name, mark: &Mark) -> Tag {
        self.tag("mark", name, mark.as_str().as_bytes())
    }

    fn value(&self, name: &Name, value: &SecretValue) -> Tag {
        self.tag("value", name, value.expose())
    }

    fn tag(&self, what: &str, name: &Name, of: &[u8]) -> Tag {
        let scope = self.scope.as_str().as_bytes();
        self.key
            .tag(&[what.as_bytes(), scope, name.as_str().as_bytes(), of])
    }
}
