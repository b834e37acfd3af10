//! Taking out for good what deletion leaves for a month.

use super::Vault;
use super::admin::no_vault;
use super::format::{Document, Slot};
use crate::words::batch::{Action, Outcome};
use crate::words::error::{Error, Result};
use crate::words::secret::Name;

impl Vault {
    /// The deleted secrets, which can be restored still.
    ///
    /// # Errors
    /// `not_found` without a vault; as all reading.
    pub fn deleted(&self) -> Result<Vec<Name>> {
        self.look(
            |_, _| true,
            |document| {
                let names = document.deleted.keys();
                names.map(|name| Name::new(name.as_ref())).collect()
            },
        )?
        .ok_or_else(|| no_vault(self))
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
    *slot = Slot::Changed(record);
    Ok(Ok(Action::Updated))
}
