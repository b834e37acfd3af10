//! How a vault's file is come by: the identity that opens it, the lock a writer holds, and the one
//! place where it is written.

use std::path::Path;
use std::rc::Rc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::file::{self, VaultFile};
use super::format::{Document, Table};
use super::{Created, Vault};
use crate::identity::keeping::{Keeping, now};
use crate::identity::keys::Identity;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// A vault's content before it is parsed, and how its file is written.
pub(super) struct Opened {
    plaintext: Zeroizing<Vec<u8>>,
    armored: bool,
}

impl Vault {
    /// The identity, read once for all calls; `None` where none was named or made.
    pub(super) fn identity(&self) -> Result<Option<Rc<Identity>>> {
        let mut cached = self.identity.borrow_mut();
        if cached.is_none() {
            *cached = self.load_identity()?.map(Rc::new);
        }
        Ok(cached.clone())
    }

    pub(super) fn load_identity(&self) -> Result<Option<Identity>> {
        match &self.source {
            Some(source) => Identity::from_source(source).map(Some),
            None => self.keeping().load(),
        }
    }

    pub(super) fn remember(&self, identity: Identity) -> Rc<Identity> {
        let identity = Rc::new(identity);
        self.identity.replace(Some(Rc::clone(&identity)));
        identity
    }

    /// Has the identity read again with the next call that needs it.
    pub(super) fn forget_identity(&self) {
        self.identity.replace(None);
    }

    pub(super) fn keeping(&self) -> Keeping<'_> {
        Keeping::new(&self.data, &*self.keyring)
    }

    pub(super) fn needed_identity(&self) -> Result<Rc<Identity>> {
        self.identity()?.ok_or_else(|| {
            Error::unauthenticated(format!(
                "there is no identity to open the vault {} with: neither {} nor a note of one in the OS keyring exists",
                self.path.shown(),
                self.keeping().file().shown()
            ))
            .hint("put a copy of the identity there, or name one in the store's identity setting")
        })
    }

    /// The identity, made now where there is none and no vault either.
    pub(super) fn identity_for_new(&self) -> Result<Rc<Identity>> {
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
    pub(super) fn open(&self, path: &Path) -> Result<Option<Opened>> {
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
    pub(super) fn look<T>(
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
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<Option<T>> {
        let target = state::follow_links(&self.path)?;
        if VaultFile::open(&target)?.is_none() {
            return Ok(None);
        }
        // Before the lock, as a keyring may take its time.
        self.needed_identity()?;
        let _lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
        match self.open(&target)? {
            Some(opened) => self.apply(&target, &opened, change).map(Some),
            None => Ok(None),
        }
    }

    /// As [`change`](Self::change), making the vault where there is none.
    pub(super) fn change_or_make<T>(
        &self,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<T> {
        let target = state::follow_links(&self.path)?;
        // Before the lock: a keyring may take its time, and making an identity takes the lock of
        // the data folder, which may be the same.
        if VaultFile::open(&target)?.is_some() {
            self.needed_identity()?;
        } else {
            self.identity_for_new()?;
            state::create_folder(state::folder_of(&target))?;
        }
        let _lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
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
    pub(super) fn apply<T>(
        &self,
        target: &Path,
        opened: &Opened,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<T> {
        let mut document = self.parse(opened)?;
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
            state::write_atomically(target, &bytes, Mode::KeepOr(0o600))?;
            // A killed rekey leaves a private key there, and nothing else may be written for long.
            state::sweep(&self.data);
        }
        Ok(answer)
    }

    /// The whole of what was opened.
    pub(super) fn parse<'o>(&self, opened: &'o Opened) -> Result<Document<'o>> {
        Document::parse(&opened.plaintext).map_err(|error| self.in_file(error))
    }

    /// Names the vault in an error about what stands in it.
    pub(super) fn in_file(&self, error: Error) -> Error {
        match error.kind() {
            Kind::InvalidData => error.context(self.path.shown()),
            _ => error,
        }
    }
}
