//! Taking out for good what deletion leaves for a month.

use super::Vault;
use super::admin::no_vault;
use super::format::{Document, Slot, Table};
use crate::words::batch::{Action, Outcome};
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name};

impl Vault {
    /// The deleted secrets, which can be restored still: with the times at which they were deleted.
    /// None where no vault was ever made.
    ///
    /// # Errors
    /// As all reading: `not_found` for a vault that should be there.
    pub fn deleted(&self) -> Result<Vec<Entry>> {
        let deleted = self.look(
            |table, _| table == Table::Deleted,
            |document| {
                let mut entries = Vec::with_capacity(document.deleted.len());
                for (name, slot) in &document.deleted {
                    let record = slot.record(name)?;
                    entries.push(Entry {
                        created_at: Some(record.created_at),
                        updated_at: Some(record.updated_at()),
                        description: record.description.clone(),
                        ..Entry::new(Name::new(name.as_ref())?)
                    });
                }
                Ok(entries)
            },
        );
        deleted.map(Option::unwrap_or_default)
    }

    /// Takes `names` out of the vault for good, in one writing: a deleted secret with all its
    /// versions (`Deleted`), of one that is there the earlier versions (`Updated`, or `Unchanged`
    /// where there is none).
    ///
    /// # Errors
    /// `not_found` without a vault; as [`write`](Self::write). A name that the vault does not know
    /// fails in its own outcome.
    pub fn purge(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        self.change(|document, _| {
            let mut outcomes = Vec::with_capacity(names.len());
            let mut changed = false;
            for name in names {
                let result = purge(document, name)?;
                changed |= matches!(result, Ok(Action::Deleted | Action::Updated));
                outcomes.push(Outcome::new(name.clone(), result));
            }
            Ok((outcomes, changed))
        })?
        .ok_or_else(|| self.absence().unwrap_or_else(|| no_vault(self)))
    }
}

/// Takes one secret out. The outer result fails where the vault is damaged.
fn purge(document: &mut Document<'_>, name: &Name) -> Result<Result<Action>> {
    if document.deleted.remove(name.as_str()).is_some() {
        return Ok(Ok(Action::Deleted));
    }
    let Some(slot) = document.secrets.get_mut(name.as_str()) else {
        return Ok(Err(Error::not_found(format!(
            "there is no secret {} in the vault, nor a deleted one",
            name.shown()
        ))));
    };
    let mut record = slot.record(name.as_str())?.into_owned();
    if record.forget_earlier() == 0 {
        return Ok(Ok(Action::Unchanged));
    }
    *slot = Slot::changed(record);
    Ok(Ok(Action::Updated))
}
