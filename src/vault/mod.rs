//! The local vault: an age file that any age tool opens, with its last versions inside.
//!
//! Reading takes no lock. Whoever writes holds the lock of the vault's folder, reads the file
//! again under it, and replaces it whole, so that nobody's change is lost and a kill at any
//! moment leaves the old vault or the new one. A file that cannot be opened is never written.
//!
//! What stands in the file is the work of [`format`], age that of [`file`], the private keys that
//! of [`identity`] and [`keeping`]. Configuration and printing are the callers'.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::env::Folders;
use crate::error::{Error, Result};
use crate::fsio::lock::FolderLock;
use crate::fsio::{self, Mode};
use crate::providers::{Action, Batch, Outcome, Selection, Write};
use crate::secret::{Entry, Name, SecretValue};

use file::VaultFile;
use format::{Document, Slot, Table};
use identity::{Identity, IdentitySource, Location};
use keeping::{IdentityKeyring, Keeping, now};
use recipients::Recipient;
use record::Record;

pub mod admin;
pub mod file;
pub mod format;
pub mod history;
pub mod identity;
pub mod keeping;
pub mod recipients;
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
    pub keyring: Arc<dyn IdentityKeyring>,
    /// How long a writer waits for another; `None`: for ever.
    pub lock_timeout: Option<Duration>,
    /// Whether the recipients recorded inside the file are to be believed. Not when a checkout
    /// that nobody trusted names the file: whoever made it could have put themselves among them.
    /// Writing is then refused where there are [foreign](Vault::foreign_recipients) ones.
    pub trust_recorded: bool,
    /// Called when keyfob has made an identity, so that the user can be told.
    pub on_created: Arc<dyn Fn(&Created) + Send + Sync>,
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
            Location::Kept(path) => format!("copy {} to a safe place, or add", path.display()),
            _ => "add".to_owned(),
        };
        write!(
            f,
            "made an identity for the vault {} and put it into the {}\n\
             public key: {}\n\
             without it the vault cannot be opened by anybody: {backup} a second key as a recipient \
             (keyfob vault recipients add KEY)",
            self.vault.display(),
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
    keyring: Arc<dyn IdentityKeyring>,
    lock_timeout: Option<Duration>,
    trust_recorded: bool,
    on_created: Arc<dyn Fn(&Created) + Send + Sync>,
    identity: Mutex<Option<Arc<Identity>>>,
}

/// A vault's content before it is parsed, and how its file is written.
struct Opened {
    plaintext: Zeroizing<Vec<u8>>,
    armored: bool,
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
            identity: Mutex::new(None),
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
        let wanted: Option<BTreeSet<&str>> = match selection {
            Selection::All => None,
            Selection::Names(names) => Some(names.iter().map(Name::as_str).collect()),
        };
        let keep = |table, name: &str| {
            table == Table::Secrets && wanted.as_ref().is_none_or(|names| names.contains(name))
        };
        self.look(keep, |document| {
            let mut values = BTreeMap::new();
            for (name, slot) in &document.secrets {
                if let Slot::Kept(raw) = slot {
                    values.insert(Name::new(name.as_ref())?, record::parse_value(name, raw)?);
                }
            }
            Ok(values)
        })
        .map(Option::unwrap_or_default)
    }

    /// Stores `batch` in one writing of the file, or in none where nothing changes. Makes the
    /// vault, and an identity for it, where there is none.
    ///
    /// # Errors
    /// `unsupported` for an expiry or attributes; `unavailable` where another process holds the
    /// lock for too long; `untrusted` for [foreign recipients](Self::foreign_recipients) in a
    /// vault that is not trusted; what reading fails with. Nothing was changed then.
    pub fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        for write in &batch.writes {
            if write.metadata.expires_at.is_some() || !write.metadata.attributes.is_empty() {
                return Err(Error::unsupported(
                    "the local vault keeps neither expiry times nor attributes",
                )
                .hint("leave out --expires-at and --attr; a description is kept"));
            }
        }
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        self.change_or_make(|document, now| {
            let mut outcomes = Vec::with_capacity(batch.writes.len());
            let mut changed = false;
            for write in batch.writes {
                let name = write.name.clone();
                let result = put(document, write, batch.if_absent, now)?;
                changed |= matches!(result, Ok(Action::Created | Action::Updated));
                outcomes.push(Outcome { name, result });
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
                let result = remove(document, name, now)?;
                changed |= result.is_ok();
                let name = name.clone();
                outcomes.push(Outcome { name, result });
            }
            Ok((outcomes, changed))
        };
        match self.change(delete)? {
            Some(outcomes) => Ok(outcomes),
            // Without a vault nothing can be found, and none is made for it.
            None => delete(&mut Document::default(), now()).map(|(outcomes, _)| outcomes),
        }
    }

    /// The identity, read once for all calls; `None` where none was named or made.
    fn identity(&self) -> Result<Option<Arc<Identity>>> {
        let mut cached = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.is_none() {
            *cached = self.load_identity()?.map(Arc::new);
        }
        Ok(cached.clone())
    }

    fn load_identity(&self) -> Result<Option<Identity>> {
        match &self.source {
            Some(source) => Identity::from_source(source).map(Some),
            None => self.keeping().load(),
        }
    }

    fn remember(&self, identity: Identity) -> Arc<Identity> {
        let identity = Arc::new(identity);
        let mut cached = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        *cached = Some(Arc::clone(&identity));
        identity
    }

    fn keeping(&self) -> Keeping<'_> {
        Keeping::new(&self.data, &*self.keyring)
    }

    fn needed_identity(&self) -> Result<Arc<Identity>> {
        self.identity()?.ok_or_else(|| {
            Error::unauthenticated(format!(
                "there is no identity to open the vault {} with: neither {} nor a note of one in the OS keyring exists",
                self.path.display(),
                self.keeping().file().display()
            ))
            .hint("put a copy of the identity there, or name one in the store's identity setting")
        })
    }

    /// The identity, made now where there is none and no vault either.
    fn identity_for_new(&self) -> Result<Arc<Identity>> {
        if let Some(identity) = self.identity()? {
            return Ok(identity);
        }
        let (identity, made) = self.keeping().load_or_make(self.lock_timeout)?;
        if made {
            (self.on_created)(&Created {
                location: identity.location().clone(),
                public_key: identity.public_key().clone(),
                vault: self.path.clone(),
            });
        }
        Ok(self.remember(identity))
    }

    /// The vault's plaintext, or `None` where there is no vault.
    fn open(&self, path: &Path) -> Result<Option<Opened>> {
        let Some(file) = VaultFile::open(path)? else {
            return Ok(None);
        };
        let identity = self.needed_identity()?;
        let armored = file.armored;
        if let Some(plaintext) = file.decrypt(path, &identity)? {
            return Ok(Some(Opened { plaintext, armored }));
        }
        // Another process may have replaced the identity since it was read here.
        let newer = match identity.location().is_ours() {
            true => self.load_identity()?,
            false => None,
        };
        let (Some(newer), Some(file)) = (newer, VaultFile::open(path)?) else {
            return Err(file::not_for(path, &identity));
        };
        let newer = self.remember(newer);
        let armored = file.armored;
        match file.decrypt(path, &newer)? {
            Some(plaintext) => Ok(Some(Opened { plaintext, armored })),
            None => Err(file::not_for(path, &newer)),
        }
    }

    /// Reads what `keep` says yes to and hands it to `look`; `None` where there is no vault.
    fn look<T>(
        &self,
        keep: impl Fn(Table, &str) -> bool,
        look: impl FnOnce(&Document<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(opened) = self.open(&self.path)? else {
            return Ok(None);
        };
        let document =
            Document::parse_some(&opened.plaintext, keep).map_err(|error| self.in_file(error))?;
        look(&document)
            .map(Some)
            .map_err(|error| self.in_file(error))
    }

    /// Changes the vault under its lock: `change` tells whether it did. `None` where there is no
    /// vault.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<Option<T>> {
        let target = fsio::follow_links(&self.path)?;
        if VaultFile::open(&target)?.is_none() {
            return Ok(None);
        }
        // Before the lock, as a keyring may take its time.
        self.needed_identity()?;
        let _lock = FolderLock::acquire(&[fsio::folder_of(&target)], self.lock_timeout)?;
        match self.open(&target)? {
            Some(opened) => self.apply(&target, &opened, change).map(Some),
            None => Ok(None),
        }
    }

    /// As [`change`](Self::change), making the vault where there is none.
    fn change_or_make<T>(
        &self,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<T> {
        let target = fsio::follow_links(&self.path)?;
        // Before the lock: a keyring may take its time, and making an identity takes the lock of
        // the data folder, which may be the same.
        if VaultFile::open(&target)?.is_some() {
            self.needed_identity()?;
        } else {
            self.identity_for_new()?;
            fsio::create_folder(fsio::folder_of(&target))?;
        }
        let _lock = FolderLock::acquire(&[fsio::folder_of(&target)], self.lock_timeout)?;
        let opened = match self.open(&target)? {
            Some(opened) => opened,
            None => Opened {
                plaintext: Zeroizing::new(b"{\"keyfob\":1}".to_vec()),
                armored: false,
            },
        };
        self.apply(&target, &opened, change)
    }

    /// Carries `change` out on what was opened, and writes it to `target`. The caller holds the
    /// lock.
    fn apply<T>(
        &self,
        target: &Path,
        opened: &Opened,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<T> {
        let mut document =
            Document::parse(&opened.plaintext).map_err(|error| self.in_file(error))?;
        let identity = self.needed_identity()?;
        self.refuse_foreign(&document, &identity)?;
        let now = now();
        let (answer, changed) = change(&mut document, now).map_err(|error| self.in_file(error))?;
        if changed {
            document
                .forget_long_deleted(now)
                .map_err(|error| self.in_file(error))?;
            self.settle_recipients(&mut document, &identity);
            let bytes = file::encrypt(&document, opened.armored)?;
            fsio::remove_stale_temporaries(target);
            fsio::write_atomically(target, &bytes, Mode::KeepOr(0o600))?;
        }
        Ok(answer)
    }

    /// Names the vault in an error about what stands in it.
    fn in_file(&self, error: Error) -> Error {
        match error.kind() {
            crate::error::Kind::InvalidData => error.context(self.path.display()),
            _ => error,
        }
    }

    /// Size and time of the file, following links; `None` where there is none.
    fn metadata(&self) -> Option<fs::Metadata> {
        fs::metadata(&self.path).ok()
    }
}

/// Stores one secret. The inner result is its outcome, the outer one that of a damaged vault.
fn put(
    document: &mut Document<'_>,
    write: Write,
    if_absent: bool,
    now: Timestamp,
) -> Result<Result<Action>> {
    let name = write.name.as_str();
    let description = write.metadata.description;
    let Some(slot) = document.secrets.get_mut(name) else {
        let record = match document.deleted.remove(name) {
            // Its numbers go on, so that none of its versions is ever meant by two.
            Some(slot) => {
                let mut record = slot.record(name)?.into_owned();
                record.push(Some(write.value), now);
                record.created_at = now;
                record.description = description;
                record
            }
            None => Record::new(write.value, description, now),
        };
        let key = Cow::Owned(name.to_owned());
        document.secrets.insert(key, Slot::Changed(record));
        return Ok(Ok(Action::Created));
    };
    if if_absent {
        return Ok(Err(Error::conflict(format!("{name} exists already"))));
    }
    let mut record = slot.record(name)?.into_owned();
    let new_value = record.value() != Some(&write.value);
    let new_description = description.is_some() && description != record.description;
    if !new_value && !new_description {
        return Ok(Ok(Action::Unchanged));
    }
    if new_value {
        record.push(Some(write.value), now);
    }
    if new_description {
        record.description = description;
    }
    *slot = Slot::Changed(record);
    Ok(Ok(Action::Updated))
}

/// Deletes one secret; results as of [`put`].
fn remove(document: &mut Document<'_>, name: &Name, now: Timestamp) -> Result<Result<Action>> {
    let Some((key, slot)) = document.secrets.remove_entry(name.as_str()) else {
        return Ok(Err(Error::not_found(format!(
            "there is no secret {name} in the vault"
        ))));
    };
    let mut record = slot.record(name.as_str())?.into_owned();
    record.push(None, now);
    document.deleted.insert(key, Slot::Changed(record));
    Ok(Ok(Action::Deleted))
}
