//! The local vault: an age file that any age tool opens, with its last versions inside.
//!
//! Reading takes no lock. Whoever writes holds the lock of the vault's folder, reads the file
//! again under it, and replaces it whole, so that nobody's change is lost and a kill at any
//! moment leaves the old vault or the new one. A file that cannot be opened is never written.
//!
//! What stands in the file is the work of [`format`], reading parts of it that of `parts`, age that of [`file`], the private keys that
//! of [`identity`](crate::identity), and how these come together that of `access`. Whose work a
//! file is, `meeting` judges by what [`readers`] remembers. Configuration and printing are the
//! callers'.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use format::Document;
use parts::Wanted;
use readers::Memory;

use crate::identity::keeping::now;
use crate::identity::keys::{Identity, IdentitySource, Location};
use crate::identity::recipients::Recipient;
use crate::identity::sealed::Notice;
use crate::keyring::Ring;
use crate::words::batch::{Action, Batch, Outcome, Reading, Selection};
use crate::words::env::Folders;
use crate::words::error::Result;
use crate::words::secret::{Entry, Name, SecretValue, StoreName};
use crate::words::shown::ShownPath as _;

mod absence;
mod access;
pub mod admin;
pub mod concerns;
mod edit;
pub mod file;
pub mod format;
pub mod git;
pub mod history;
pub mod lineage;
pub mod meeting;
pub mod merge;
pub mod outline;
mod parts;
pub mod purge;
pub mod readers;
pub mod record;
#[cfg(test)]
mod tests;

/// What a vault is opened with.
#[derive(Clone)]
pub struct VaultOptions {
    /// The store that the vault is, for hints.
    pub store: StoreName,
    /// The file; without one it is `vault.age` in the data folder.
    pub path: Option<PathBuf>,
    /// The identity the user named; without one it is keyfob's own.
    pub identity: Option<IdentitySource>,
    /// Public keys that the vault is to be encrypted to beside the user's own and no others, from
    /// configuration that the user trusts; empty where it names none, and the vault says itself
    /// who reads it.
    pub recipients: Vec<Recipient>,
    /// Where the default vault and keyfob's own identity are.
    pub folders: Folders,
    /// Where keyfob's own identity is kept, if it can be.
    pub keyring: Arc<dyn Ring>,
    /// How long a writer waits for another; `None`: for ever.
    pub lock_timeout: Option<Duration>,
    /// Called when keyfob has made an identity, so that the user can be told.
    pub on_created: Rc<dyn Fn(&Created)>,
    /// Tells the user something on stderr: who reads a vault, as a rule. `None` where nobody
    /// listens; nothing is remembered as told then.
    pub notice: Option<Notice>,
    /// The variables that no other program may inherit.
    pub withheld: BTreeSet<String>,
}

/// An identity was made on the first write. `Display` gives the text to show.
#[derive(Clone, Debug)]
pub struct Created {
    /// Where it is kept.
    pub location: Location,
    /// Its public key.
    pub public_key: Recipient,
    /// The vault it was made for.
    pub vault: PathBuf,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backup = match &self.location {
            Location::Kept(path) => format!("copy {} to a safe place, or add", path.shown()),
            _ => "add".to_owned(),
        };
        write!(
            f,
            "made an identity for the vault {} and put it into the {}\n\
             public key: {}\n\
             without it the vault cannot be opened by anybody: {backup} a second key as a recipient \
             (keyfob vault recipients add KEY)",
            self.vault.shown(),
            self.location,
            self.public_key
        )
    }
}

/// A vault. Making one touches nothing; each call reads the file as it is then.
pub struct Vault {
    store: StoreName,
    path: PathBuf,
    /// Whether the configuration says where it is.
    placed: bool,
    source: Option<IdentitySource>,
    recipients: Vec<Recipient>,
    data: PathBuf,
    memory: Memory,
    keyring: Arc<dyn Ring>,
    lock_timeout: Option<Duration>,
    on_created: Rc<dyn Fn(&Created)>,
    notice: Option<Notice>,
    withheld: BTreeSet<String>,
    /// What was told already, so that a command that reads twice says it once.
    told: RefCell<BTreeSet<String>>,
    identity: RefCell<Option<Rc<Identity>>>,
}

impl Vault {
    /// A vault as `options` describe it.
    pub fn new(options: VaultOptions) -> Self {
        let memory = Memory::new(&options.folders);
        let data = options.folders.data;
        Self {
            store: options.store,
            placed: options.path.is_some(),
            path: options.path.unwrap_or_else(|| data.join("vault.age")),
            source: options.identity,
            recipients: options.recipients,
            data,
            memory,
            keyring: options.keyring,
            lock_timeout: options.lock_timeout,
            on_created: options.on_created,
            notice: options.notice,
            withheld: options.withheld,
            told: RefCell::default(),
            identity: RefCell::default(),
        }
    }

    /// The file, whether it exists or not.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the user `message`, once.
    fn tell(&self, message: String) {
        if let Some(notice) = &self.notice
            && self.told.borrow_mut().insert(message.clone())
        {
            notice(&message);
        }
    }

    /// `keyfob …` for this vault's store, as a hint says it.
    fn command(&self, words: &str) -> String {
        format!("keyfob -s {} {words}", self.store)
    }

    /// The secrets whose names `admits` says yes to, sorted by name. Empty where there is no
    /// vault yet.
    ///
    /// # Errors
    /// As all reading: `not_found` for a vault that should be there and is not, `invalid_data` for
    /// a file that is no vault or damaged, `unauthenticated` without an identity that opens it.
    pub fn list(&self, admits: impl Fn(&str) -> bool) -> Result<Vec<Entry>> {
        self.read_parts::<record::Known>(&Wanted::Admitted(&admits))
    }

    /// The values of the selected secrets; a missing one is not among them.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        let found = self.current(selection)?.into_iter();
        Ok(found.map(|(name, value, _)| (name, value)).collect())
    }

    /// As [`read`](Self::read), with the numbers of their current versions.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        let found = self.current(selection)?;
        let numbers = found.iter();
        let numbers = numbers.filter_map(|(name, _, number)| Some((name.clone(), (*number)?)));
        let versions = Some(numbers.collect());
        let values = found.into_iter().map(|(name, value, _)| (name, value));
        Ok(Reading {
            values: values.collect(),
            versions,
        })
    }

    /// The selected secrets that are there, sorted by name.
    fn current(&self, selection: &Selection) -> Result<Vec<(Name, SecretValue, Option<u32>)>> {
        match selection {
            Selection::All => self.read_parts::<record::Current>(&Wanted::Admitted(&|_| true)),
            Selection::Names(names) | Selection::Listed(names) => {
                let names = names.iter().map(Name::as_str).collect();
                self.read_parts::<record::Current>(&Wanted::Names(names))
            }
        }
    }

    /// Stores `batch` in one writing of the file, or in none where nothing changes. Makes the
    /// vault, and an identity for it, where there is none.
    ///
    /// # Errors
    /// `unavailable` where another process holds the
    /// lock for too long; `untrusted` for a file that nobody may have written who could read the
    /// vault; `conflict` in the middle of a merge; what reading fails with. Nothing was changed
    /// then.
    pub fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        self.change_or_make(|document, now| {
            let mut outcomes = Vec::with_capacity(batch.writes.len());
            let mut changed = false;
            for write in batch.writes {
                let name = write.name.clone();
                let result = edit::put(document, write, batch.if_absent, now)?;
                changed |= matches!(result, Ok(Action::Created | Action::Updated));
                outcomes.push(Outcome::new(name, result));
            }
            Ok((outcomes, changed))
        })
    }

    /// Gives `name` another description, and its value no new version. `None` leaves it as it is.
    ///
    /// # Errors
    /// `not_found` where there is no such secret; as [`write`](Self::write).
    pub fn describe(&self, name: &Name, description: Option<String>) -> Result<Action> {
        self.change(|document, _| {
            let described = edit::describe(document, name, description)?;
            let changed = matches!(described, Ok(Action::Updated));
            Ok((described, changed))
        })?
        .unwrap_or_else(|| Err(edit::missing(name)))
    }

    /// Deletes `names` in one writing of the file. They can be restored for a month.
    ///
    /// # Errors
    /// As [`write`](Self::write); a name that is missing fails in its own outcome.
    pub fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        let delete = |document: &mut Document<'_>, now| {
            let mut outcomes = Vec::with_capacity(names.len());
            let mut changed = false;
            for name in names {
                let result = edit::delete(document, name, now)?;
                changed |= result.is_ok();
                outcomes.push(Outcome::new(name.clone(), result));
            }
            Ok((outcomes, changed))
        };
        match self.change(delete)? {
            Some(outcomes) => Ok(outcomes),
            // Without a vault nothing can be found, and none is made for it.
            None => delete(&mut Document::default(), now()).map(|(outcomes, _)| outcomes),
        }
    }
}
