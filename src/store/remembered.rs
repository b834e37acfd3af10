//! What keyfob remembers of what it stored where it cannot be read back.

use super::Store;
use crate::providers::Capability;
use crate::words::batch::Outcome;
use crate::words::error::{Error, Kind, Result};
use crate::written::{Intent, Known, Record, Writing};

impl Store {
    /// What keyfob remembers of what it stored here, where that cannot be read back; a record that
    /// is damaged is told of and says nothing. To be compared with a list that was made before.
    ///
    /// # Errors
    /// As [`scope`](Self::scope).
    pub async fn known(&self) -> Result<Known> {
        let record = self.record().await?;
        Ok(record.read().unwrap_or_else(|error| {
            (self.services.notice)(&format!(
                "what was stored in {} is not known any more: {}",
                self.name,
                error.message()
            ));
            Known::default()
        }))
    }

    async fn record(&self) -> Result<Record> {
        Ok(Record::new(&self.services.folders, self.scope().await?))
    }

    /// Takes back what is remembered of what is about to change.
    pub(super) async fn begin(&self, intents: Vec<Intent<'_>>) -> Result<Option<Writing>> {
        if self.can(Capability::Read) {
            return Ok(None);
        }
        let record = self.record().await?;
        let error = match record.begin(&intents) {
            Ok(writing) => return Ok(writing),
            Err(error) => error,
        };
        // While another process holds the lock, it may remember something yet.
        let stands = error.kind() == Kind::Unavailable || record.forget().is_err();
        if stands {
            return Err(self.named(error.context(format!(
                "nothing was changed in {}, as what keyfob remembers of it cannot be corrected",
                self.name
            ))));
        }
        self.tell_of_oblivion(&error);
        Ok(None)
    }

    /// Remembers what was stored.
    pub(super) fn end(
        &self,
        writing: Option<Writing>,
        outcomes: Result<Vec<Outcome>>,
    ) -> Result<Vec<Outcome>> {
        let outcomes = outcomes.map_err(|error| self.named(error))?;
        if let Some(Err(error)) = writing.map(|writing| writing.end(&outcomes)) {
            self.tell_of_oblivion(&error);
        }
        Ok(outcomes)
    }

    /// Says, once, that what is stored will not be known.
    fn tell_of_oblivion(&self, error: &Error) {
        if !self.told.replace(true) {
            (self.services.notice)(&format!(
                "what is stored in {} cannot be remembered, and a later sync will store it again: {}",
                self.name,
                error.message()
            ));
        }
    }
}
