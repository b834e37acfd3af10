//! The rotations that were begun and are not closed, each in a sealed file of its own.

use std::path::PathBuf;
use std::sync::Arc;

use super::claim::Claim;
use super::record::{Rotation, Target};
use crate::journal::{Journal, Seal, Tag};
use crate::providers::Services;
use crate::words::error::{Error, Result};

/// The kind of sealed file.
const KIND: &str = "rotation";

/// All rotations of this user.
pub struct Ledger {
    journal: Journal,
    folder: PathBuf,
}

/// A rotation that is on the disk, and in what state it is there.
pub struct Open {
    /// The rotation.
    pub rotation: Rotation,
    seal: Seal,
}

impl Ledger {
    /// The user's. Touches nothing.
    pub fn new(services: &Services) -> Self {
        Self {
            journal: Journal::new(
                &services.env,
                &services.folders,
                &services.keyring,
                Arc::clone(&services.notice),
            ),
            folder: super::folder(&services.folders),
        }
    }

    /// The open rotations, the oldest first; one that cannot be read is an error of its own, at the
    /// end.
    ///
    /// # Errors
    /// `failed` where the journal's folder cannot be read.
    pub fn all(&self) -> Result<Vec<Result<Open>>> {
        let mut all = Vec::new();
        for tag in self.journal.tags(KIND)? {
            match self.journal.open(&tag) {
                Ok(Some((rotation, seal))) => all.push(Ok(Open { rotation, seal })),
                // Another process has closed it just now.
                Ok(None) => {}
                Err(error) => all.push(Err(error)),
            }
        }
        all.sort_by_key(|open| match open {
            Ok(open) => (false, open.rotation.begun_at),
            Err(_) => (true, jiff::Timestamp::MAX),
        });
        Ok(all)
    }

    /// Makes the secrets that `targets` names this process's own to rotate.
    ///
    /// # Errors
    /// `conflict` where a rotation of one of them is running or open; whatever keeps an open one
    /// from being read, as it may be of the same secret.
    pub fn claim_new<'t>(
        &self,
        targets: &[(
            &'t crate::words::secret::Reference,
            &'t crate::words::scope::Scope,
        )],
    ) -> Result<Claim> {
        let claim = Claim::take(&self.folder, targets.iter().copied())?;
        for open in self.all()? {
            let open = open.map_err(|error| {
                error.context("a rotation is open, and may be of the same secret")
            })?;
            let shared = targets.iter().find(|(reference, scope)| {
                open.rotation.targets.iter().any(|target| {
                    target.reference.name == reference.name && target.scope == **scope
                })
            });
            if let Some((reference, _)) = shared {
                return Err(Error::conflict(format!(
                    "a rotation of {} is open, and writes {reference} too",
                    open.rotation.secret,
                ))
                .hint("keyfob rotate --resume finishes it, keyfob rotate --undo reverts it"));
            }
        }
        Ok(claim)
    }

    /// Makes the secrets of `open` this process's own, and reads it again, as whoever had them may
    /// have come further; `None` where it was closed meanwhile.
    ///
    /// # Errors
    /// `conflict` where it is running right now.
    pub fn claim(&self, open: &Open) -> Result<Option<(Open, Claim)>> {
        let claim = self.lock(&open.rotation)?;
        let fresh = self.journal.open(&tag(&open.rotation))?;
        Ok(fresh.map(|(rotation, seal)| (Open { rotation, seal }, claim)))
    }

    /// Whether a process is at work on `open` right now.
    pub fn is_running(&self, open: &Open) -> bool {
        self.lock(&open.rotation).is_err()
    }

    /// Puts a rotation that begins now on the disk.
    ///
    /// # Errors
    /// As [`Journal::seal`].
    pub fn begin(&self, rotation: Rotation) -> Result<Open> {
        let seal = self.journal.seal(&tag(&rotation), &rotation)?;
        Ok(Open { rotation, seal })
    }

    /// Puts what has changed of `open` on the disk.
    ///
    /// # Errors
    /// As [`Journal::seal`]; what was there before is then intact.
    pub fn keep(&self, open: &mut Open) -> Result<()> {
        open.seal = self.journal.seal(&tag(&open.rotation), &open.rotation)?;
        Ok(())
    }

    /// Removes a rotation that is through.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn close(&self, open: &Open) -> Result<()> {
        self.journal.remove(&open.seal)
    }

    fn lock(&self, rotation: &Rotation) -> Result<Claim> {
        let targets = rotation.targets.iter();
        Claim::take(
            &self.folder,
            targets.map(|target: &Target| (&target.reference, &target.scope)),
        )
    }
}

fn tag(rotation: &Rotation) -> Tag {
    let scopes = rotation.targets.iter().map(|target| target.scope.as_str());
    let mut subject = vec![rotation.secret.name.as_str()];
    subject.extend(scopes.take(1));
    Tag::new(KIND, rotation.secret.store.as_str(), &subject)
}
