//! How a vault's file is reached: the identity that opens it, the lock a writer holds, and the one
//! place where it is written.

use std::fs::File;
use std::path::Path;
use std::rc::Rc;

use jiff::Timestamp;

use super::admin::no_vault;
use super::file::{self, VaultFile};
use super::format::{Document, Table};
use super::meeting::Met;
use super::parts::{self, Wanted};
use super::record::Part;
use super::{Created, Vault};
use crate::identity::keeping::{Keeping, now};
use crate::identity::keys::Identity;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;
use crate::words::wiped::Wiped;

/// A vault's content before it is parsed, and how its file is written.
pub(super) struct Opened {
    pub(super) plaintext: Wiped,
    /// Whether it is text.
    pub(super) armored: bool,
    /// Whether there is no file yet.
    is_new: bool,
}

impl Opened {
    fn of(plaintext: Wiped, armored: bool) -> Self {
        Self {
            plaintext,
            armored,
            is_new: false,
        }
    }
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
            .hint("put a copy of the identity there, or name one in the store's identity setting; keyfob run keeps one that stands in a variable from its command")
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
            return Ok(Some(Opened::of(plaintext, armored)));
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
            Some(plaintext) => Ok(Some(Opened::of(plaintext, armored))),
            None => Err(file::not_for(path, &newer)),
        }
    }

    /// Reads what `keep` says yes to and hands it to `look`; `None` where there is no vault yet.
    /// Who reads it is told and remembered, where that is news.
    ///
    /// # Errors
    /// `not_found` for a vault that should be there; what opening fails with.
    pub(super) fn look<T>(
        &self,
        keep: impl Fn(Table, &str) -> bool,
        look: impl FnOnce(&Document<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(opened) = self.open_to_read()? else {
            return Ok(None);
        };
        let document =
            Document::parse_some(&opened.plaintext, keep).map_err(|error| self.in_file(error))?;
        self.meet_reading(&document)?;
        look(&document)
            .map(Some)
            .map_err(|error| self.in_file(error))
    }

    /// Reads a part of each secret that is wanted, sorted by name; none where there is no vault yet.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub(super) fn read_parts<P: Part>(&self, wanted: &Wanted<'_>) -> Result<Vec<P::Is>> {
        let Some(opened) = self.open_to_read()? else {
            return Ok(Vec::new());
        };
        if let Some((document, found)) = parts::read::<P>(&opened.plaintext, wanted) {
            self.meet_reading(&document)?;
            return Ok(found);
        }
        // Something is amiss with it, or unusual: what, is told by whoever reads the whole.
        let keep = |table, name: &str| table == Table::Secrets && wanted.has(name);
        let document =
            Document::parse_some(&opened.plaintext, keep).map_err(|error| self.in_file(error))?;
        self.meet_reading(&document)?;
        parts::of_document::<P>(&document).map_err(|error| self.in_file(error))
    }

    /// The vault, opened for somebody who only reads; `None` where there is none yet.
    fn open_to_read(&self) -> Result<Option<Opened>> {
        let Some(opened) = self.open(&self.path)? else {
            return self.absence().map_or(Ok(None), Err);
        };
        if self.is_unmerged(&self.path) {
            self.tell(format!(
                "the vault {} is in the middle of a merge, and this is one side of it: {}",
                self.path.shown(),
                self.way_out_of_merge()
            ));
        }
        Ok(Some(opened))
    }

    /// Changes the vault under its lock: `change` tells whether it did. `None` where there is no
    /// vault.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<Option<T>> {
        let target = state::follow_links(&self.path)?;
        if VaultFile::open(&target)?.is_none() {
            return self.dangling().map_or(Ok(None), Err);
        }
        // Before the lock, as a keyring may take its time.
        self.needed_identity()?;
        let lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
        let Some(opened) = self.open(&target)? else {
            return Ok(None);
        };
        let (answer, met) = self.apply(&target, &opened, change)?;
        drop(lock);
        self.remember_met(&met);
        Ok(Some(answer))
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
            if let Some(error) = self.dangling() {
                return Err(error);
            }
            // Before an identity is made: with one the vault looks deleted.
            let absence = self.absence();
            let had_identity = self.identity()?.is_some();
            self.identity_for_new()?;
            state::create_folder(state::folder_of(&target))?;
            // With an identity made for it the vault was told of already.
            if let Some(absence) = absence
                && had_identity
            {
                self.tell_of_new(&absence);
            }
        }
        let lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
        let opened = match self.open(&target)? {
            Some(opened) => opened,
            None => Opened {
                is_new: true,
                ..Opened::of(b"{\"keyfob\":1}".to_vec().into(), false)
            },
        };
        let (answer, met) = self.apply(&target, &opened, change)?;
        drop(lock);
        self.remember_met(&met);
        Ok(answer)
    }

    /// Carries `change` out on what was opened, and writes it to `target`. The caller holds the
    /// lock, and remembers what was met when it has dropped it.
    pub(super) fn apply<T>(
        &self,
        target: &Path,
        opened: &Opened,
        change: impl FnOnce(&mut Document<'_>, Timestamp) -> Result<(T, bool)>,
    ) -> Result<(T, Met)> {
        let mut document = self.parse(opened)?;
        let identity = self.needed_identity()?;
        let mut met = self.meet(target, &document, &identity)?;
        if !opened.is_new {
            self.refuse_unmerged(target)?;
            self.refuse_unknown(&met, &document)?;
            self.tell_of_readers(&met, &document, &identity);
        }
        let now = now();
        let (answer, changed) = change(&mut document, now).map_err(|error| self.in_file(error))?;
        if changed {
            document
                .forget_long_deleted(now)
                .map_err(|error| self.in_file(error))?;
            let asked = document.recipients.clone();
            self.settle_recipients(&mut document, &identity);
            if !opened.is_new {
                self.tell_of_differences(&asked, &document.recipients, &identity);
            }
            met.settle(&mut document)?;
            self.write_to(target, &document, opened.armored)?;
        }
        Ok((answer, met))
    }

    /// Makes the vault's file text, as `age --armor` does; it stays so. Tells whether it was not.
    ///
    /// # Errors
    /// `not_found` without a vault; otherwise as [`write`](Self::write).
    pub fn armor(&self) -> Result<bool> {
        let target = state::follow_links(&self.path)?;
        let lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
        let Some(mut opened) = self.open(&target)? else {
            return Err(self.absence().unwrap_or_else(|| no_vault(self)));
        };
        if std::mem::replace(&mut opened.armored, true) {
            return Ok(false);
        }
        let ((), met) = self.apply(&target, &opened, |_, _| Ok(((), true)))?;
        drop(lock);
        self.remember_met(&met);
        Ok(true)
    }

    /// Writes `document` to `target`. The caller holds the lock.
    pub(super) fn write_to(
        &self,
        target: &Path,
        document: &Document<'_>,
        armored: bool,
    ) -> Result<()> {
        let sealing = file::Sealing::of(document)?;
        let write = |file: &mut File| sealing.write(document, armored, file);
        state::stream_atomically(target, write, Mode::KeepOr(0o600))?;
        self.tell_if_open_to_all(target);
        // A killed rekey leaves a private key there, and nothing else may be written for long.
        state::sweep(&self.data);
        Ok(())
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
