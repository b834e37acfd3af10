//! What was: the earlier versions of secrets, and those that were deleted.

use super::Store;
use crate::providers::{Capability, Versions};
use crate::words::batch::{Past, Restored, Version};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::{Entry, Name};
use crate::written::Intent;

impl Store {
    /// The versions of `name`, newest first.
    ///
    /// # Errors
    /// `unsupported` where there is no history; `not_found` where there never was such a secret,
    /// or not for long.
    pub async fn history(&self, name: &Name) -> Result<Vec<Version>> {
        let versions = self.versions()?.history(name).await;
        versions.map_err(|error| self.never(name, error))
    }

    /// Makes the value of an earlier version the current one again, as a new version: that of
    /// `number`, else the newest earlier one that has a value. Deleted secrets come back so.
    ///
    /// # Errors
    /// `unsupported` where there is no history; `not_found` where there is no such secret or
    /// version; `usage` for a version in which the secret was deleted.
    pub async fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored> {
        let versions = self.versions()?;
        let _writing = self.begin(vec![Intent::from(name)]).await?;
        let restored = versions.restore(name, number).await;
        restored.map_err(|error| self.never(name, error))
    }

    /// As [`about`](Self::about), of a secret that may be a deleted one.
    fn never(&self, name: &Name, error: Error) -> Error {
        match error.cause() {
            Cause::NoSecret => {
                let deleted = format!("keyfob list -s {} --deleted", self.name);
                self.missing(name)
                    .also_hint(format!("{deleted} what can be restored"))
            }
            _ => self.named(error),
        }
    }

    /// The secrets that are deleted and can be restored, sorted by name; `updated_at` is when they
    /// were deleted.
    ///
    /// # Errors
    /// `unsupported` where there is no history, or the backend does not list them.
    pub async fn deleted(&self) -> Result<Vec<Entry>> {
        let versions = self.provider.versions();
        let versions = versions.ok_or_else(|| self.cannot(Capability::History, "--deleted"))?;
        let deleted = versions.deleted().await;
        deleted.map_err(|error| self.named(error))
    }

    /// The versions of `name` before the current one, oldest first, with their values; `None` where
    /// there is no history, or the backend does not give it along.
    ///
    /// # Errors
    /// Whatever the backend answers.
    pub async fn past(&self, name: &Name) -> Result<Option<Vec<Past>>> {
        match self.provider.versions() {
            Some(versions) => versions.past(name).await.map_err(|error| self.named(error)),
            None => Ok(None),
        }
    }

    /// Whether a write takes along the versions that [go before it](Write::past).
    pub fn takes_past(&self) -> bool {
        self.provider.versions().is_some_and(Versions::takes_past)
    }

    fn versions(&self) -> Result<&dyn Versions> {
        let versions = self.provider.versions();
        versions.ok_or_else(|| self.cannot(Capability::History, "an earlier version"))
    }
}
