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

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::journal::Step;
use crate::state;
use crate::state::file::File;
use crate::state::lock::{self, Lock};
use crate::words::batch::{Outcome, Write};
use crate::words::env::Folders;
use crate::words::error::{Error, Kind, Result};
use crate::words::random;
use crate::words::scope::Scope;
use crate::words::secret::{Mark, Name, SecretValue};
use crate::words::shown::ShownPath as _;

mod content;
mod key;
#[cfg(test)]
mod tests;

use content::{Content, Digests};
use key::{Key, Tag};

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
    file: File<Content>,
    key: PathBuf,
    scope: Scope,
    patience: Duration,
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
            file: File::new(
                folder(folders).join(format!("{}.json", scope.as_str())),
                "remove it: what is stored is then unknown, and stored again when in doubt",
            ),
            key: key_file(folders),
            scope,
            patience: folders.patience,
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
        let content = self.content(&key)?;
        Ok(Known(content.map(|content| (self.digester(key), content))))
    }

    /// Takes back what it says of those in `intents`, which are about to be written or deleted.
    /// `None` where nothing was said, and nothing is to be noted.
    ///
    /// # Errors
    /// Whatever keeps it from being changed; it may still say what it said.
    pub fn begin(&self, intents: &[Intent<'_>]) -> Result<Option<Writing>> {
        let notes = intents.iter().any(|intent| intent.value.is_some());
        if !notes && !self.file.path().try_exists().unwrap_or(true) {
            return Ok(None);
        }
        let folder = state::folder_of(self.file.path());
        state::create_folder(folder)?;
        let _lock = Lock::acquire(&[folder], Some(self.patience))?;
        // What is damaged, or was made with a key that is lost, says nothing to anybody.
        let key = match readable(Key::read(&self.key))? {
            Some(key) => key,
            None => Key::make(&self.key)?,
        };
        let content = readable(self.content(&key))?;
        let mut content = content.unwrap_or_else(|| Content::empty(&key));
        let digester = self.digester(key);
        let mut noted = Vec::with_capacity(intents.len());
        for intent in intents {
            let name = digester.name(intent.name);
            content.secrets.remove(&name);
            if let Some(value) = intent.value {
                noted.push((intent.name.clone(), digester.value(intent.name, value)));
            }
        }
        let mut nonce = [0; 16];
        random::fill(&mut nonce)?;
        content.begun = base16ct::lower::encode_string(&nonce);
        // Says to other processes that this one writes into the store.
        let (under_way, alone) = lock::share(&self.file.path().with_extension("lock"))?;
        self.file.write(&content)?;
        Ok(Some(Writing {
            file: self.file.clone(),
            patience: self.patience,
            digester,
            begun: content.begun,
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
        state::remove(self.file.path())
    }

    /// What stands in it, where it was made with `key`.
    fn content(&self, key: &Key) -> Result<Option<Content>> {
        match self.file.read()? {
            Some(content) if !content.is_under(key) => Err(Error::invalid_data(format!(
                "{} was made with another key",
                self.file.path().shown()
            ))),
            content => Ok(content),
        }
    }

    fn digester(&self, key: Key) -> Digester {
        Digester {
            key,
            scope: self.scope.clone(),
        }
    }
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

impl<'a> From<&'a Step> for Intent<'a> {
    fn from(step: &'a Step) -> Self {
        Self {
            name: &step.reference.name,
            value: Some(&step.new),
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
pub struct Known(Option<(Digester, Content)>);

impl Known {
    /// How `value` compares with what is stored under `name`, of which the backend shows `mark`.
    pub fn compare(&self, name: &Name, mark: Option<&Mark>, value: &SecretValue) -> Likeness {
        let (Some((digester, content)), Some(mark)) = (&self.0, mark) else {
            return Likeness::Unknown;
        };
        match content.secrets.get(&digester.name(name)) {
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
    file: File<Content>,
    patience: Duration,
    digester: Digester,
    begun: String,
    alone: bool,
    /// What is to be stored, as digests of the values.
    noted: Vec<(Name, Tag)>,
    _under_way: fs::File,
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
        let folder = state::folder_of(self.file.path());
        let _lock = Lock::acquire(&[folder], Some(self.patience))?;
        match self.file.read()? {
            Some(mut content) if content.begun == self.begun => {
                content.secrets.extend(stored);
                self.file.write(&content)
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
