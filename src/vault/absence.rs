//! A vault that is not there: not made yet, gone, or behind a link that leads nowhere.

use std::fs;

use super::Vault;
use crate::state;
use crate::words::error::{Cause, Error, Result};
use crate::words::shown::ShownPath as _;

impl Vault {
    /// Why there is no vault, for somebody who reads one; `None` where keyfob was never used, and
    /// nobody can expect one.
    pub(super) fn absence(&self) -> Option<Error> {
        if let Some(error) = self.dangling() {
            return Some(error);
        }
        let path = self.path.shown();
        let begun = self.command("set NAME");
        let gone = if self.is_remembered() {
            Some(format!("the vault {path} is not there any more"))
        } else if !self.placed
            && self.keeping().peek().is_ok_and(|own| own.is_some())
            // An identity that another vault was begun with tells nothing of this one.
            && !self.memory.knows_one_that_is_there()
        {
            Some(format!(
                "there is no vault {path}, though there is an identity that may have opened one"
            ))
        } else {
            None
        };
        if let Some(message) = gone {
            return Some(
                Error::not_found(message)
                    .hint(format!(
                        "if there was one, restore it from a backup or from version control; {begun} \
                         begins it anew"
                    ))
                    .caused_by(Cause::Gone),
            );
        }
        self.placed.then(|| {
            Error::not_found(format!("there is no vault {path} yet"))
                .hint(format!("{begun} makes it"))
                .caused_by(Cause::NotMade)
        })
    }

    /// The error where the vault's path is a link to what is not there, as with a drive that is
    /// not mounted: nothing is made at its other end.
    pub(super) fn dangling(&self) -> Option<Error> {
        let is_link = fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_symlink());
        if !is_link || self.path.exists() {
            return None;
        }
        let leads_to = || -> Result<String> {
            let target = state::follow_links(&self.path)?;
            Ok(target.shown().exact())
        };
        Some(match leads_to() {
            Ok(target) => Error::not_found(format!(
                "the vault {} is a link to {target}, which is not there",
                self.path.shown()
            ))
            .hint("mount what it leads to, or remove the link"),
            Err(error) => error,
        })
    }

    /// Whether a vault was there once, as far as keyfob knows.
    fn is_remembered(&self) -> bool {
        let seen = self.memory.of(&super::meeting::canonical(&self.path));
        seen.is_ok_and(|seen| seen.is_some())
    }

    /// Tells that a vault is begun where `absence` says why there is none.
    pub(super) fn tell_of_new(&self, absence: &Error) {
        let path = self.path.shown();
        self.tell(match absence.cause() {
            Cause::Gone => format!("{}: a new one is begun", absence.message()),
            _ => format!("made the vault {path}"),
        });
    }
}
