//! A new value in place of an old one, on a backend that can only delete and create.
//!
//! The new value is in the journal before the old one is deleted, and goes from there when the
//! backend lists it; what is interrupted in between is finished by [`resume`](Replacements::resume),
//! from the stage that the journal tells.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::api::{New, Sent};
use super::tried::{Doubts, RESUME, Tried};
use super::wire::{Listed, Old};
use super::{Neo, Patience, bulk, text};
use crate::journal::Open;
use crate::providers::{Replacements, Steps};
use crate::words::batch::{Action, Outcome, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::Name;

/// What the journal says of a replacement beside its value.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// The description that is to be there in the end.
    description: Option<String>,
    /// What was there before; `None` where nothing was.
    old: Option<Old>,
    /// How far it is.
    stage: Stage,
}

/// How far a replacement is, for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// The old secret may be there or not; nothing was created.
    Begun,
    /// The old secret is gone; nothing was created.
    Deleted,
    /// The old secret is gone; the new one may have been created.
    Creating,
}

impl Neo {
    /// Replaces `old`, or, where nothing is listed, carries an interrupted replacement out with
    /// this value instead.
    pub(super) async fn replace(&self, write: &Write, old: Option<&Listed>) -> Result<Tried> {
        let described = || match old {
            Some(old) => old.description.clone(),
            None => {
                let earlier = self.journal.find(&write.name)?;
                let progress: Progress = self.journal.progress(&earlier).ok()?;
                progress.description
            }
        };
        let progress = Progress {
            description: write.metadata.description.clone().or_else(described),
            old: old.map(Listed::as_old),
            stage: match old {
                Some(_) => Stage::Begun,
                None => Stage::Deleted,
            },
        };
        let open = self.journal.begin(write, &progress).map_err(|error| {
            error.context(format!(
                "{} was not replaced: its new value could not be kept",
                write.name
            ))
        })?;
        match self.delete_old(&progress).await {
            Sent::Done(()) => self.create_new(open, progress).await,
            Sent::Refused(error) => {
                // Nothing was changed, so nothing is open.
                self.journal.all.close(&open)?;
                Err(error)
            }
            Sent::Unclear(error) => Err(may_be_deleted(error, &write.name)),
        }
    }

    async fn delete_old(&self, progress: &Progress) -> Sent<()> {
        match &progress.old {
            Some(old) if progress.stage == Stage::Begun => self.remove(old).await,
            _ => Sent::Done(()),
        }
    }

    /// Creates the new secret; the old one is gone.
    async fn create_new(&self, mut open: Open, mut progress: Progress) -> Result<Tried> {
        let sent = progress.stage == Stage::Creating;
        if progress.stage == Stage::Begun {
            // The old secret is gone: whatever time the command has is for the new one.
            self.services.http.deadline().progressed();
        }
        if !sent {
            self.note(&mut open, &mut progress, Stage::Creating);
        }
        let name = open.change.secret.name.clone();
        let new = New {
            name: name.as_str(),
            value: text(&open.change.first()?.new),
            description: progress.description.as_deref(),
        };
        let created = self
            .create(&new, progress.old.as_ref(), sent, Patience::All)
            .await;
        let error = match created {
            Sent::Done(made) => {
                return Ok(Tried {
                    action: Action::Updated,
                    made,
                    old: progress.old,
                    open: Some(open),
                });
            }
            Sent::Unclear(error) => return Err(is_deleted(error, &name).hint(RESUME)),
            Sent::Refused(error) => error,
        };
        self.note(&mut open, &mut progress, Stage::Deleted);
        Err(match error.kind() {
            Kind::Conflict => error
                .context(format!("somebody else has created {name} in the meantime"))
                .hint("theirs stands, and yours is kept, encrypted, until keyfob set stores a value in its place"),
            Kind::InvalidData => is_deleted(error, &name)
                .hint("its new value is kept, encrypted, until keyfob set stores one that the server takes"),
            _ => is_deleted(error, &name).hint(RESUME),
        })
    }

    /// Notes how far a replacement is. A disk that is full now must not keep the secret from being
    /// created: the stage before is still there, and only means a closer look later.
    fn note(&self, open: &mut Open, progress: &mut Progress, stage: Stage) {
        progress.stage = stage;
        let _ = self.journal.note(open, progress);
    }

    /// Finishes an interrupted replacement; `listed` is what the server has.
    async fn finish(&self, open: Open, listed: &[Listed]) -> Result<Tried> {
        let mut progress: Progress = self.journal.progress(&open)?;
        let old = progress.old.as_ref();
        let old_is_listed = old.is_some_and(|old| listed.iter().any(|secret| secret.is(old)));
        if !old_is_listed && progress.stage == Stage::Begun {
            progress.stage = Stage::Deleted;
        }
        match self.delete_old(&progress).await {
            Sent::Done(()) => self.create_new(open, progress).await,
            Sent::Refused(error) => Err(error),
            Sent::Unclear(error) => Err(may_be_deleted(error, &open.change.secret.name)),
        }
    }
}

#[async_trait(?Send)]
impl Replacements for Neo {
    async fn resume(&self, open: Vec<Open>) -> Result<Vec<Outcome>> {
        let listed = self.api.list().await?;
        let steps = Steps::start(&self.services, "finishing replacements", open.len());
        let mut names = Vec::with_capacity(open.len());
        let mut results = Vec::with_capacity(open.len());
        for open in open {
            names.push(open.change.secret.name.clone());
            let result = self.finish(open, &listed.secrets).await;
            steps.ended(&result);
            results.push(result);
        }
        let none = Doubts::default();
        let stored = self.look_for_stored(&names, results, &none).await;
        Ok(bulk::marked(names, stored))
    }
}

fn may_be_deleted(error: Error, name: &Name) -> Error {
    error.context(format!("{name} may be deleted")).hint(RESUME)
}

fn is_deleted(error: Error, name: &Name) -> Error {
    error.context(format!("{name} is deleted and not created again"))
}
