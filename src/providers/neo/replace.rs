//! A new value in place of an old one, on a backend that can only delete and create.
//!
//! The new value is on this disk before the old one is deleted, and goes from there when the
//! backend has it; what is interrupted in between is finished by [`resume`](Replacements::resume),
//! from the stage that the disk tells.

use async_trait::async_trait;

use super::api::{Listed, New, Sent};
use super::{Neo, Patience, Stored, text};
use crate::journal::Seal;
use crate::providers::replacement::{Replacement, Stage};
use crate::providers::{Replacements, Steps};
use crate::words::batch::{Action, Outcome, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Mark, Name};

const RESUME: &str =
    "its new value is kept, encrypted: keyfob rotate --resume finishes the replacement";

impl Neo {
    /// Replaces `old`, or, where nothing is listed, carries an interrupted replacement out with
    /// this value instead.
    pub(super) async fn replace(&self, write: &Write, old: Option<&Listed>) -> Result<Stored> {
        let mut description = write.metadata.description.clone();
        if description.is_none() {
            description = match old {
                Some(old) => old.description.clone(),
                None => self
                    .ledger
                    .find(&write.name)
                    .and_then(|earlier| earlier.description),
            };
        }
        let replacement = self.ledger.begin(
            &write.name,
            write.value.clone(),
            description,
            old.map(Listed::as_old),
        );
        let seal = self.ledger.keep(&replacement).map_err(|error| {
            error.context(format!(
                "{} was not replaced: its new value could not be kept",
                write.name
            ))
        })?;
        match self.delete_old(&replacement).await {
            Sent::Done(()) => {
                let mark = self.create_new(replacement, seal).await?;
                Ok((Action::Updated, mark))
            }
            Sent::Refused(error) => {
                // Nothing was changed, so nothing is open.
                self.ledger.close(&seal)?;
                Err(error)
            }
            Sent::Unclear(error) => Err(may_be_deleted(error, &replacement)),
        }
    }

    async fn delete_old(&self, replacement: &Replacement) -> Sent<()> {
        match &replacement.old {
            Some(old) if replacement.stage == Stage::Begun => self.remove(old).await,
            _ => Sent::Done(()),
        }
    }

    /// Creates the new secret; the old one is gone.
    async fn create_new(
        &self,
        mut replacement: Replacement,
        mut seal: Seal,
    ) -> Result<Option<Mark>> {
        let sent = replacement.stage == Stage::Creating;
        if !sent {
            replacement.stage = Stage::Creating;
            self.note(&replacement, &mut seal);
        }
        // The old secret is gone: whatever time the command has is for the new one.
        self.services.http.deadline().progressed();
        let new = New {
            name: replacement.name(),
            value: text(&replacement.value),
            description: replacement.description.as_deref(),
        };
        let created = self
            .create(&new, replacement.old.as_ref(), sent, Patience::All)
            .await;
        let error = match created {
            Sent::Done(mark) => return self.ledger.close(&seal).map(|()| mark),
            Sent::Unclear(error) => return Err(is_deleted(error, &replacement).hint(RESUME)),
            Sent::Refused(error) => error,
        };
        replacement.stage = Stage::Deleted;
        self.note(&replacement, &mut seal);
        Err(match error.kind() {
            Kind::Conflict => made_by_another(error, &replacement),
            Kind::InvalidData => is_deleted(error, &replacement)
                .hint("its new value is kept, encrypted, until keyfob set stores one that the server takes"),
            _ => is_deleted(error, &replacement).hint(RESUME),
        })
    }

    /// Notes how far `replacement` is. A disk that is full now must not keep the secret from being
    /// created: the stage before is still there, and only means a closer look later.
    fn note(&self, replacement: &Replacement, seal: &mut Seal) {
        if let Ok(newer) = self.ledger.keep(replacement) {
            *seal = newer;
        }
    }

    /// Finishes an interrupted replacement, of whose name the list shows `listed`.
    async fn finish(
        &self,
        mut replacement: Replacement,
        seal: Seal,
        listed: &[Listed],
    ) -> Result<Action> {
        if let Some(url) = self.ledger.elsewhere(&replacement) {
            return Err(Error::conflict(format!(
                "the replacement of {} was begun at {url}, where the store does not lead any more",
                replacement.name()
            ))
            .hint("give the store the base_url that it had then, and try again"));
        }
        let old_is_listed = replacement
            .old
            .as_ref()
            .is_some_and(|old| listed.iter().any(|secret| secret.is(old)));
        if !old_is_listed && replacement.stage == Stage::Begun {
            replacement.stage = Stage::Deleted;
        }
        match self.delete_old(&replacement).await {
            Sent::Done(()) => self
                .create_new(replacement, seal)
                .await
                .map(|_| Action::Updated),
            Sent::Refused(error) => Err(error),
            Sent::Unclear(error) => Err(may_be_deleted(error, &replacement)),
        }
    }
}

#[async_trait(?Send)]
impl Replacements for Neo {
    async fn resume(&self) -> Result<Vec<Outcome>> {
        let open = self.ledger.all()?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.api.list().await?;
        let steps = Steps::start(&self.services, "finishing replacements", open.len());
        let mut outcomes = Vec::with_capacity(open.len());
        for (replacement, seal) in open {
            let name = Name::new(replacement.name())?;
            let result = self.finish(replacement, seal, &listed).await;
            steps.done(1);
            outcomes.push(Outcome::new(name, result));
        }
        Ok(outcomes)
    }
}

fn may_be_deleted(error: Error, replacement: &Replacement) -> Error {
    error
        .context(format!("{} may be deleted", replacement.name()))
        .hint(RESUME)
}

fn is_deleted(error: Error, replacement: &Replacement) -> Error {
    error.context(format!(
        "{} is deleted and not created again",
        replacement.name()
    ))
}

fn made_by_another(error: Error, replacement: &Replacement) -> Error {
    error
        .context(format!("somebody else has created {} in the meantime", replacement.name()))
        .hint("theirs stands, and yours is kept, encrypted, until keyfob set stores a value in its place")
}
