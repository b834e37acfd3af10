//! The local vault: an age file that any age tool opens, with its last versions inside.
//!
//! Reading takes no lock. Whoever writes holds the lock of the vault's folder, reads the file
//! again under it, and replaces it whole, so that nobody's change is lost and a kill at any
//! moment leaves the old vault or the new one. A file that cannot be opened is never written.
//!
//! What stands in the file is the work of [`format`], age that of [`file`], the private keys that
//! of [`identity`](crate::identity), and how these come together that of `access`. Configuration and printing are the callers'.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use format::{Document, Slot, Table};
use serde_json::value::RawValue;

use crate::identity::keeping::now;
use crate::identity::keys::{Identity, IdentitySource, Location};
use crate::identity::recipients::Recipient;
use crate::keyring::Ring;
use crate::words::batch::{Action, Batch, Outcome, Reading, Selection};
use crate::words::env::Folders;
use crate::words::error::Result;
use crate::words::secret::{Entry, Name, SecretValue};
use crate::words::shown::ShownPath as _;

mod access;
pub mod admin;
mod edit;
pub mod file;
pub mod format;
pub mod history;
pub mod record;
#[cfg(test)]
mod tests;

/// What a vault is opened with.
#[derive(Clone)]
pub struct VaultOptions {
    /// The file; without one it is `vault.age` in the data folder.
    pub path: Option<PathBuf>,
    /// The identity the user named; without one it is keyfob's own.
    pub identity: Option<IdentitySource>,
    /// Public keys that the vault is to be encrypted to beside the user's own, from
    /// configuration that the user trusts.
    pub recipients: Vec<Recipient>,
    /// Where the default vault and keyfob's own identity are.
    pub folders: Folders,
    /// Where keyfob's own identity is kept, if it can be.
    pub keyring: Arc<dyn Ring>,
    /// How long a writer waits for another; `None`: for ever.
    pub lock_timeout: Option<Duration>,
    /// Whether the recipients recorded inside the file are to be believed. Not when a checkout
    /// that nobody trusted names the file: whoever made it could have put themselves among them.
    /// Writing is then refused where there are some that are neither the user's own nor
    /// configured.
    pub trust_recorded: bool,
    /// Called when keyfob has made an identity, so that the user can be told.
    pub on_created: Rc<dyn Fn(&Created)>,
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
    path: PathBuf,
    source: Option<IdentitySource>,
    recipients: Vec<Recipient>,
    data: PathBuf,
    keyring: Arc<dyn Ring>,
    lock_timeout: Option<Duration>,
    trust_recorded: bool,
    on_created: Rc<dyn Fn(&Created)>,
    identity: RefCell<Option<Rc<Identity>>>,
}

impl Vault {
    /// A vault as `options` describe it.
    pub fn new(options: VaultOptions) -> Self {
        let data = options.folders.data;
        Self {
            path: options.path.unwrap_or_else(|| data.join("vault.age")),
            source: options.identity,
            recipients: options.recipients,
            data,
            keyring: options.keyring,
            lock_timeout: options.lock_timeout,
            trust_recorded: options.trust_recorded,
            on_created: options.on_created,
            identity: RefCell::default(),
        }
    }

    /// The file, whether it exists or not.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secrets whose names `admits` says yes to, sorted by name. Empty where there is no
    /// vault yet.
    ///
    /// # Errors
    /// As all reading: `invalid_data` for a file that is no vault or damaged, `unauthenticated`
    /// without an identity that opens it.
    pub fn list(&self, admits: impl Fn(&str) -> bool) -> Result<Vec<Entry>> {
        let keep = |table, name: &str| table == Table::Secrets && admits(name);
        self.look(keep, |document| {
            let mut entries = Vec::with_capacity(document.secrets.len());
            for (name, slot) in &document.secrets {
                if let Slot::Kept(raw) = slot {
                    entries.push(record::parse_entry(Name::new(name.as_ref())?, raw)?);
                }
            }
            Ok(entries)
        })
        .map(Option::unwrap_or_default)
    }

    /// The values of the selected secrets; a missing one is not among them.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        let mut values = BTreeMap::new();
        self.look_at(selection, |name, raw| {
            let value = record::parse_value(name.as_str(), raw)?;
            values.insert(name, value);
            Ok(())
        })?;
        Ok(values)
    }

    /// As [`read`](Self::read), with the numbers of their current versions.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        let (mut values, mut versions) = (BTreeMap::new(), BTreeMap::new());
        self.look_at(selection, |name, raw| {
            let value = record::parse_value(name.as_str(), raw)?;
            versions.extend(
                record::parse_entry(name.clone(), raw)?
                    .version
                    .map(|number| (name.clone(), number)),
            );
            values.insert(name, value);
            Ok(())
        })?;
        Ok(Reading {
            values,
            versions: Some(versions),
        })
    }

    /// Has `look` look at each secret of `selection` that is there.
    fn look_at(
        &self,
        selection: &Selection,
        mut look: impl FnMut(Name, &RawValue) -> Result<()>,
    ) -> Result<()> {
        let wanted: Option<BTreeSet<&str>> = match selection {
            Selection::All => None,
            Selection::Names(names) | Selection::Listed(names) => {
                Some(names.iter().map(Name::as_str).collect())
            }
        };
        let keep = |table, name: &str| {
            table == Table::Secrets && wanted.as_ref().is_none_or(|names| names.contains(name))
        };
        self.look(keep, |document| {
            for (name, slot) in &document.secrets {
                if let Slot::Kept(raw) = slot {
                    look(Name::new(name.as_ref())?, raw)?;
                }
            }
            Ok(())
        })
        .map(Option::unwrap_or_default)
    }

    /// Stores `batch` in one writing of the file, or in none where nothing changes. Makes the
    /// vault, and an identity for it, where there is none.
    ///
    /// # Errors
    /// `unavailable` where another process holds the
    /// lock for too long; `untrusted` for recipients that nobody vouches for in a
    /// vault that is not trusted; what reading fails with. Nothing was changed then.
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
