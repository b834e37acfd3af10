//! Changing a group so that nothing is lost, on a server that does not say whether an update merges
//! the variables or replaces them, and that other people write to.
//!
//! The group has been read; the whole of what it shall hold is sent, which is right under both; it
//! is read back and compared. What was to go and is still there is put away by the vendor's other
//! update, and the group is replaced only where nothing can be lost by that; what differs otherwise
//! is somebody else's work, which is reported and left alone.

use jiff::Timestamp;

use super::api::{Api, Updated};
use super::compare::Deviation;
use super::links;
use super::name::derived_id;
use super::wire::{ADDONS, HIDDEN, RawGroup};
use crate::http;
use crate::words::error::{Error, Kind, Result};
use crate::words::word::shell_word;

/// How often a change is sent again that is known not to have been carried out.
pub const AGAIN: usize = 3;

/// How many differences an error names.
const NAMED: usize = 5;

/// One change of a group.
pub struct Change<'a> {
    /// The group as it was read.
    pub before: &'a RawGroup,
    /// The group as it shall be.
    pub wanted: &'a RawGroup,
}

/// How a change is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The fields that differ, each whole.
    Patch,
    /// The secrets alone, by the other update.
    Post,
}

/// The group as it was found after the change was sent.
struct Found {
    group: RawGroup,
    /// When the server says that it carried the change out, where it says so.
    answered: Option<Timestamp>,
}

impl Found {
    /// The group as it was `read`, and what the answer to the change has `said` of it, which knows
    /// fields that no read shows.
    fn new(read: RawGroup, said: &RawGroup) -> Self {
        let mut group = read;
        group.complete(said, HIDDEN);
        Self {
            group,
            answered: said.time("updatedAt"),
        }
    }

    /// Whether it was changed once more after that.
    fn has_moved(&self) -> bool {
        self.answered.is_some() && self.answered != self.group.time("updatedAt")
    }
}

impl Change<'_> {
    /// Sends the change and proves it; returns what of it the server does not show. Sends nothing
    /// where nothing changes.
    ///
    /// # Errors
    /// `conflict` where somebody else changed the group at the same time; `failed` where something
    /// that was removed is still there.
    pub async fn apply(&self, api: &Api) -> Result<Vec<String>> {
        let patch = RawGroup::of_payload(self.wanted.difference(self.before));
        if patch.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.send(api, self.before, Way::Patch, &patch).await?;
        if self.is_lingering(&found) {
            // The server merges what it is sent by PATCH.
            found = self.put_away(api, found).await?;
        }
        let deviations = self.wanted.deviations(&found.group);
        if self.is_lingering(&found) {
            return Err(self.lingering(&deviations));
        }
        if deviations.is_empty() && !found.has_moved() {
            return Ok(self.wanted.unshown(self.before, &found.group));
        }
        if !found.has_moved() && self.before.deviations(&found.group).is_empty() {
            return Err(self.ignored());
        }
        Err(self.conflict(&deviations))
    }

    /// Sends the update until it is known what became of it, and reads the group back, which was
    /// like `base` before.
    async fn send(&self, api: &Api, base: &RawGroup, way: Way, patch: &RawGroup) -> Result<Found> {
        let id = self.before.id();
        let mut pauses = http::pauses(AGAIN);
        loop {
            let updated = match way {
                Way::Patch => match api.update(id, patch).await {
                    Err(error) if error.kind() == Kind::NotFound => {
                        return Err(self.disowned(api, error).await);
                    }
                    updated => updated?,
                },
                Way::Post => api.update_by_post(id, patch).await?,
            };
            let group = match (&updated, self.read(api).await) {
                (_, Ok(group)) => group,
                (Updated::InDoubt(error), Err(_)) => return Err(error.clone()),
                (Updated::Said(_), Err(error)) => return Err(error.context("the change was sent")),
            };
            let error = match updated {
                Updated::Said(said) => return Ok(Found::new(group, &said)),
                Updated::InDoubt(error) => error,
            };
            let untouched = base.deviations(&group).is_empty()
                && base.time("updatedAt") == group.time("updatedAt");
            if !untouched {
                return Ok(Found::new(group, &RawGroup::default()));
            }
            match pauses.next() {
                // An answer that makes no sense would come again.
                Some(pause) if error.kind() == Kind::Unavailable && api.allows(pause) => {
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// The error where the server says that the group is not there: a caller that was to remove
    /// something takes that for done, so it is looked into.
    async fn disowned(&self, api: &Api, error: Error) -> Error {
        match self.read(api).await {
            Ok(_) => Error::invalid_data(format!(
                "the server shows the group {} and says of a change that there is none: {}",
                self.before.id(),
                error.message()
            )),
            Err(error) => error,
        }
    }

    /// Takes away what is still there of `found`: by the update that leaves all other fields alone,
    /// and else by replacing the group, where that loses nothing.
    async fn put_away(&self, api: &Api, found: Found) -> Result<Found> {
        let secrets = RawGroup::of_payload(self.wanted.secrets_alone());
        let keeps = |error: Error| {
            let id = self.before.id();
            error.context(format!("the server keeps what was removed from {id}"))
        };
        let found = match self.send(api, &found.group, Way::Post, &secrets).await {
            Ok(found) if !self.is_lingering(&found) => return Ok(found),
            Ok(found) => found,
            // This server has no such update.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Failed) => found,
            Err(error) => return Err(keeps(error)),
        };
        let whole = self.whole(api, &found.group).await.map_err(keeps)?;
        self.replace(api, &whole).await.map_err(keeps)
    }

    /// The group as it shall be, with every field that it may have.
    ///
    /// # Errors
    /// `failed` where it may have one that nothing shows: replacing would lose it.
    async fn whole(&self, api: &Api, found: &RawGroup) -> Result<RawGroup> {
        let id = self.before.id();
        let refuse = |why: String| {
            Err(Error::failed(format!(
                "it can only be removed by replacing the whole group {id}, and {why}"
            ))
            .hint("remove it on Northflank's own pages, or make another group of what is to stay and delete this one"))
        };
        // A replacement goes by name: under another one it would be a second group.
        let name = derived_id(self.wanted.name());
        if id != name && !id.starts_with(&format!("{name}-")) {
            return refuse(
                "a group whose id does not follow from its name cannot be replaced".to_owned(),
            );
        }
        let details = api.details(id).await?.ok_or_else(|| self.gone())?;
        let linked = details.linked_addons()?;
        if let Some([_, ..]) = linked.as_deref() {
            return refuse("that would lose its links to addons".to_owned());
        }
        let mut whole = self.wanted.clone();
        whole.complete(found, HIDDEN);
        whole.complete_all(&details);
        let is_known = |field: &str| whole.tells(field) || (field == ADDONS && linked.is_some());
        let unknown: Vec<&str> = HIDDEN
            .iter()
            .copied()
            .filter(|field| !is_known(field))
            .collect();
        match unknown.is_empty() {
            true => Ok(whole),
            false => refuse(format!(
                "that would lose {} should it have any, which the server does not tell",
                unknown.join(" and ")
            )),
        }
    }

    /// Replaces the group by `whole`, and reads it back.
    async fn replace(&self, api: &Api, whole: &RawGroup) -> Result<Found> {
        let id = self.before.id();
        let said = api.replace(&RawGroup::of_payload(whole.payload())).await?;
        if ![id, ""].contains(&said.id()) {
            return Err(Error::failed(format!(
                "it made a second group {} of its replacement",
                said.id()
            ))
            .hint(format!(
                "keyfob group delete -s {{store}} {} takes it away again",
                shell_word(said.id())
            )));
        }
        let found = Found::new(self.read(api).await?, &said);
        match whole.deviations(&found.group) {
            deviations if deviations.is_empty() || self.is_lingering(&found) => Ok(found),
            deviations => Err(self.conflict(&deviations)),
        }
    }

    /// The group as it is now, with what a get does not show where that is changed.
    async fn read(&self, api: &Api) -> Result<RawGroup> {
        let is_changed =
            |field: &&str| self.wanted.fields().get(*field) != self.before.fields().get(*field);
        let group = match HIDDEN.iter().any(is_changed) {
            true => links::read(api, self.before.id()).await?,
            false => api.get(self.before.id()).await?,
        };
        group.ok_or_else(|| self.gone())
    }

    /// Whether all that differs is that removed secrets are still there as they were, in a group
    /// that nobody has changed since.
    fn is_lingering(&self, found: &Found) -> bool {
        let deviations = self.wanted.deviations(&found.group);
        !found.has_moved()
            && !deviations.is_empty()
            && deviations.iter().all(|deviation| match deviation {
                Deviation::More(item) => self.before.has_same(&found.group, item),
                _ => false,
            })
    }

    fn ignored(&self) -> Error {
        Error::invalid_data(format!(
            "the server said that it changed the group {}, and did not",
            self.before.id()
        ))
    }

    fn lingering(&self, deviations: &[Deviation]) -> Error {
        let id = self.before.id();
        Error::failed(format!(
            "still in the group {id} after being removed: {}",
            named(self.before, deviations)
        ))
        .hint(format!(
            "look at it with keyfob group show -s {{store}} {}",
            shell_word(id)
        ))
    }

    fn conflict(&self, deviations: &[Deviation]) -> Error {
        let id = self.before.id();
        let what = if deviations.is_empty() {
            String::new()
        } else {
            format!(
                ", and it is not as it was written: {}",
                named(self.before, deviations)
            )
        };
        Error::conflict(format!(
            "somebody else changed the group {id} at the same time{what}"
        ))
        .hint(format!(
            "what it holds now was left alone; look at it with keyfob group show -s {{store}} {}, then try again",
            shell_word(id)
        ))
    }

    fn gone(&self) -> Error {
        Error::conflict(format!(
            "somebody else deleted the group {} at the same time",
            self.before.id()
        ))
    }
}

/// What differs, in words; what was there `before` and is still there is named alone.
pub fn named(before: &RawGroup, deviations: &[Deviation]) -> String {
    let mut names: Vec<String> = deviations
        .iter()
        .take(NAMED)
        .map(|deviation| match deviation {
            Deviation::Field(field) => format!("{field} is another"),
            Deviation::Gone(item) => format!("{item} is missing"),
            Deviation::Other(item) => format!("{item} has another value"),
            Deviation::More(item) if before.has(item) => item.to_string(),
            Deviation::More(item) => format!("{item} is new"),
        })
        .collect();
    if deviations.len() > NAMED {
        names.push(format!("and {} more", deviations.len() - NAMED));
    }
    names.join(", ")
}
