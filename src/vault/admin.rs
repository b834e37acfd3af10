//! What `keyfob vault …` does beyond storing secrets: recipients, history, rekeying, information.

use std::fs;

use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Vault;
use super::file::VaultFile;
use super::format::Document;
use super::history;
use crate::identity::keys::{Identity, IdentitySource, Location};
use crate::identity::recipients::Recipient;
use crate::state;
use crate::state::lock::Lock;
use crate::words::batch::{Action, Past, Restored, Version};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::Name;
use crate::words::shown::ShownPath as _;

/// A recipient, and why it is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipientInfo {
    /// The key, with its comment.
    pub recipient: Recipient,
    /// Whether it belongs to the user's own identity.
    pub own: bool,
    /// Whether the configuration names it.
    pub configured: bool,
    /// Whether the vault is encrypted to it; otherwise it will be with the next write.
    pub recorded: bool,
    /// Whether the next write shuts it out, as the configuration names others and not it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
}

/// What is known of a vault.
#[derive(Clone, Debug)]
pub struct VaultInfo {
    /// The size of its file in bytes.
    pub size: u64,
    /// When it was written last.
    pub modified_at: Option<Timestamp>,
    /// The version of its format.
    pub format: u64,
    /// How many secrets it holds.
    pub secrets: usize,
    /// How many deleted ones can still be restored.
    pub deleted: usize,
    /// Who can open it.
    pub recipients: Vec<RecipientInfo>,
}

/// What a rekeying did.
#[derive(Clone, Debug)]
pub struct Rekeyed {
    /// The public key of the new identity.
    pub new: Recipient,
    /// That of the one it replaced, which is kept to open older copies and other vaults.
    pub old: Recipient,
    /// Where the identity is kept.
    pub location: Location,
}

impl Vault {
    /// The vault's recipients and those that the next write will add. Without a vault, those it
    /// would be made with, as far as they are known.
    ///
    /// # Errors
    /// As all reading.
    pub fn recipients(&self) -> Result<Vec<RecipientInfo>> {
        let recorded = self
            .look(|_, _| false, |document| Ok(document.recipients.clone()))?
            .unwrap_or_default();
        let identity = self.identity()?;
        Ok(self.recipient_infos(&recorded, identity.as_deref()))
    }

    /// Encrypts the vault to `added` as well; makes it where there is none. The actions are in
    /// the order of `added`: `Created` or `Unchanged`.
    ///
    /// # Errors
    /// `conflict` for one that the configuration, where it says who reads, does not name; as
    /// [`write`](Self::write).
    pub fn add_recipients(&self, added: &[Recipient]) -> Result<Vec<Action>> {
        let identity = self.identity()?;
        let owned = |recipient| identity.as_ref().is_some_and(|own| own.owns(recipient));
        for recipient in added {
            if !self.recipients.is_empty()
                && !self.recipients.contains(recipient)
                && !owned(recipient)
            {
                return Err(Error::conflict(format!(
                    "the store's recipients setting is the whole list, and {} is not in it",
                    recipient.key()
                ))
                .hint("add it there: the next write lets it read"));
            }
        }
        self.change_or_make(|document, _| {
            let mut actions = Vec::with_capacity(added.len());
            for recipient in added {
                if document.recipients.contains(recipient) {
                    actions.push(Action::Unchanged);
                } else {
                    document.recipients.push(recipient.clone());
                    actions.push(Action::Created);
                }
            }
            let changed = actions.contains(&Action::Created);
            Ok((actions, changed))
        })
    }

    /// Encrypts the vault to `removed` no longer. It keeps what it could read until now: values
    /// it must not know from now on have to be rotated.
    ///
    /// # Errors
    /// `not_found` where it is no recipient; `conflict` where the configuration names it, as the
    /// next write would add it again; `usage` for a key of the user's own without `force`, and
    /// for the last such key always, as nobody here could open the vault again.
    pub fn remove_recipient(&self, removed: &Recipient, force: bool) -> Result<()> {
        let missing = || {
            Error::not_found(format!("{} is no recipient of the vault", removed.key())).hint(
                format!("{} shows who is", self.command("vault recipients list")),
            )
        };
        if self.recipients.contains(removed) {
            return Err(Error::conflict(format!(
                "{} stands in the store's recipients setting",
                removed.key()
            ))
            .hint("take it out there first; otherwise the next write adds it again"));
        }
        self.change(|document, _| {
            if !document.recipients.contains(removed) {
                return Err(missing());
            }
            let identity = self.needed_identity()?;
            document.recipients.retain(|recipient| recipient != removed);
            if identity.owns(removed) {
                let mut others = document.recipients.iter();
                if !others.any(|other| identity.owns(other)) {
                    return Err(Error::usage(format!(
                        "{} is your own key, and the vault could not be opened with your identity any more",
                        removed.key()
                    ))
                    .hint("name another identity that can open the vault, and remove this one with it"));
                }
                if !force {
                    return Err(Error::usage(format!("{} is your own key", removed.key()))
                        .hint("another key of your identity can still open the vault; --force removes it"));
                }
            }
            Ok(((), true))
        })?
        .ok_or_else(missing)
    }

    /// The versions of `name`, newest first, deleted secrets included.
    ///
    /// # Errors
    /// `not_found` where there is none; otherwise as all reading.
    pub fn history(&self, name: &Name) -> Result<Vec<Version>> {
        self.look(
            |_, kept| kept == name.as_str(),
            |document| history::versions(document, name),
        )?
        .ok_or_else(|| no_vault(self))
    }

    /// The versions of `name` before the current one, oldest first, with their values.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub fn past(&self, name: &Name) -> Result<Vec<Past>> {
        self.look(
            |_, kept| kept == name.as_str(),
            |document| history::past(document, name),
        )?
        .ok_or_else(|| no_vault(self))
    }

    /// Makes the value of version `number` of `name` the current one again; without a number,
    /// that of the version before the current one. Deleted secrets come back so.
    ///
    /// # Errors
    /// `not_found` where there is no such secret or version; otherwise as
    /// [`write`](Self::write).
    pub fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored> {
        self.change(|document, now| {
            let restored = history::restore(document, name, number, now)?;
            Ok((restored, restored.action != Action::Unchanged))
        })?
        .ok_or_else(|| no_vault(self))
    }

    /// Replaces the identity that keyfob made by a fresh one, and encrypts the vault to it
    /// instead. The old one stays beside the new to open what was encrypted before: backups,
    /// earlier commits, and other vaults, which go over to the new one when they are written.
    ///
    /// The new identity is in place, with the old one, before the vault is written, so that a
    /// crash at any moment leaves a vault that opens.
    ///
    /// # Errors
    /// `unsupported` for an identity that the user named, which is not keyfob's to replace;
    /// `not_found` without a vault; otherwise as [`write`](Self::write).
    pub fn rekey(&self) -> Result<Rekeyed> {
        if let Some(location) = self.named_location() {
            return Err(Error::unsupported(format!(
                "the identity ({location}) is yours, and keyfob does not replace it"
            ))
            .hint(format!(
                "make another (age-keygen -o FILE), add its public key ({}), name it as the store's identity, then remove the old key",
                self.command("vault recipients add KEY")
            )));
        }
        let target = state::follow_links(&self.path)?;
        if VaultFile::open(&target)?.is_none() {
            return Err(self.dangling().unwrap_or_else(|| no_vault(self)));
        }
        self.needed_identity()?;
        let folders = [state::folder_of(&target), self.data.as_path()];
        let lock = Lock::acquire(&folders, self.lock_timeout)?;
        // Read again: the lock may have been waited for while another process replaced it.
        self.forget_identity();
        let Some(opened) = self.open(&target)? else {
            return Err(no_vault(self));
        };
        let old = self.needed_identity()?;
        let document = self.parse(&opened)?;
        self.refuse_unmerged(&target)?;
        let met = self.meet(&target, &document, &old)?;
        self.refuse_unknown(&met, &document)?;
        let before = state::read(&target)?;
        let replaced = self.keeping().replace(&old);
        let new = self.remember(replaced.map_err(|error| error.context("the vault is as it was"))?);
        let ((), met) = self
            .apply(&target, &opened, |_, _| Ok(((), true)))
            .map_err(|error| {
                // It may have failed when the vault was written.
                let is_as_before = state::read(&target).is_ok_and(|now| now == before);
                error.context(match is_as_before {
                    true => "the new identity is in place, but the vault still opens with the old one only",
                    false => "the vault is rekeyed",
                })
            })?;
        drop(lock);
        self.remember_met(&met);
        self.keeping().forget_replaced(&old);
        Ok(Rekeyed {
            new: new.public_key().clone(),
            old: old.public_key().clone(),
            location: new.location().clone(),
        })
    }

    /// What is known of the vault; `None` where there is none yet.
    ///
    /// # Errors
    /// As all reading.
    pub fn info(&self) -> Result<Option<VaultInfo>> {
        self.look(
            |_, _| true,
            |document| {
                let identity = self.needed_identity()?;
                let metadata = fs::metadata(&self.path).ok();
                let modified = metadata
                    .as_ref()
                    .and_then(|metadata| metadata.modified().ok());
                Ok(VaultInfo {
                    size: metadata.map_or(0, |metadata| metadata.len()),
                    modified_at: modified.and_then(|time| Timestamp::try_from(time).ok()),
                    format: document.format(),
                    secrets: document.secrets.len(),
                    deleted: document.deleted.len(),
                    recipients: self.recipient_infos(&document.recipients, Some(&identity)),
                })
            },
        )
    }

    /// The public key and the place of the identity, as far as they are known without reading
    /// the OS keyring; `None` where none was named or made yet.
    ///
    /// # Errors
    /// `unauthenticated` or `unsupported` for an identity that cannot be used.
    pub fn identity_info(&self) -> Result<Option<(Recipient, Location)>> {
        match &self.source {
            None => self.keeping().peek(),
            Some(source) => {
                let identity = Identity::from_source(source)?;
                let location = identity.location().clone();
                Ok(Some((identity.public_key().clone(), location)))
            }
        }
    }

    /// The identity itself, as an identity file has it; `None` where none was made yet.
    ///
    /// # Errors
    /// As all reading.
    pub fn identity_content(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match &self.source {
            None => self.keeping().content(),
            Some(source) => source.content().map(Some),
        }
    }

    fn named_location(&self) -> Option<Location> {
        self.source.as_ref().map(|source| match source {
            IdentitySource::File(path) => Location::Named(path.clone()),
            IdentitySource::Text { origin, .. } => Location::Given(origin.clone()),
        })
    }

    pub(super) fn recipient_infos(
        &self,
        recorded: &[Recipient],
        identity: Option<&Identity>,
    ) -> Vec<RecipientInfo> {
        let mut all = recorded.to_vec();
        let own = identity.map_or(&[][..], Identity::recipients);
        if !own.iter().any(|recipient| all.contains(recipient)) {
            all.extend_from_slice(own);
        }
        for recipient in &self.recipients {
            if !all.contains(recipient) {
                all.push(recipient.clone());
            }
        }
        all.into_iter()
            .map(|recipient| RecipientInfo {
                own: identity.is_some_and(|identity| identity.owns(&recipient)),
                configured: self.recipients.contains(&recipient),
                recorded: recorded.contains(&recipient),
                dropped: !self.stays(&recipient, identity),
                recipient,
            })
            .collect()
    }

    /// Whether `recipient`, which the vault is encrypted to, can read it after the next write.
    fn stays(&self, recipient: &Recipient, identity: Option<&Identity>) -> bool {
        let own = identity.is_some_and(|identity| identity.owns(recipient));
        let retired = identity.is_some_and(|identity| identity.retired().contains(recipient));
        let configured = self.recipients.is_empty() || self.recipients.contains(recipient);
        !retired && (own || configured)
    }

    /// What the vault is to be encrypted to: the user's own, and those configured; where none are
    /// configured, those recorded. No retired key of the user's own.
    pub(super) fn settle_recipients(&self, document: &mut Document<'_>, identity: &Identity) {
        let retired = |recipient: &Recipient| identity.retired().contains(recipient);
        let recipients = &mut document.recipients;
        recipients.retain(|recipient| self.stays(recipient, Some(identity)));
        if !recipients.iter().any(|recipient| identity.owns(recipient)) {
            recipients.splice(0..0, identity.recipients().iter().cloned());
        }
        for recipient in &self.recipients {
            if !recipients.contains(recipient) && !retired(recipient) {
                recipients.push(recipient.clone());
            }
        }
    }
}

pub(super) fn no_vault(vault: &Vault) -> Error {
    Error::not_found(format!("there is no vault {} yet", vault.path.shown()))
        .hint(format!("{} makes it", vault.command("set NAME")))
        .caused_by(Cause::NotMade)
}
