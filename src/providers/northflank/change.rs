//! Changing a group so that nothing is lost, on a server that does not say whether an update merges
//! the variables or replaces them, and that other people write to.
//!
//! The group has been read; the whole of what it shall hold is sent, which is right under both; it
//! is read back and compared. What was to go and is still there is put away by replacing the group;
//! what differs otherwise is somebody else's work, which is reported and left alone.

use jiff::Timestamp;

use super::api::{Api, Updated};
use super::compare::Deviation;
use super::name::derived_id;
use super::wire::RawGroup;
use crate::http;
use crate::words::error::{Error, Result};

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

/// The group as it was found after the change was sent.
struct Found {
    group: RawGroup,
    /// When the server says that it carried the change out, where it says so.
    answered: Option<Timestamp>,
}

impl Found {
    /// Whether it was changed once more after that.
    fn has_moved(&self) -> bool {
        self.answered.is_some() && self.answered != self.group.time("updatedAt")
    }
}

impl Change<'_> {
    /// Sends the change and proves it. Sends nothing where nothing changes.
    ///
    /// # Errors
    /// `conflict` where somebody else changed the group at the same time; `failed` where something
    /// that was removed is still there.
    pub async fn apply(&self, api: &Api) -> Result<()> {
        let patch = RawGroup::of_payload(self.wanted.difference(self.before));
        if patch.is_empty() {
            return Ok(());
        }
        let mut found = self.send(api, &patch).await?;
        let mut deviations = self.wanted.deviations(&found.group);
        if self.are_lingering(&deviations, &found) && !found.has_moved() {
            // The server merges: only replacing the whole group takes something away from it.
            let mut whole = self.wanted.clone();
            found = self.replace(api, &mut whole).await?;
            deviations = whole.deviations(&found.group);
            if self.are_lingering(&deviations, &found) {
                return Err(self.lingering(&deviations));
            }
        }
        if deviations.is_empty() && !found.has_moved() {
            return Ok(());
        }
        if !found.has_moved() && self.before.deviations(&found.group).is_empty() {
            return Err(self.ignored());
        }
        Err(self.conflict(&deviations))
    }

    /// Sends the update until it is known what became of it, and reads the group back.
    async fn send(&self, api: &Api, patch: &RawGroup) -> Result<Found> {
        let id = self.before.id();
        let with_addons = self.wanted.has_addons();
        let mut pauses = http::pauses(AGAIN);
        loop {
            let updated = api.update(id, patch).await?;
            let group = match (&updated, read(api, id, with_addons).await) {
                (_, Ok(group)) => group.ok_or_else(|| self.gone())?,
                (Updated::InDoubt(error), Err(_)) => return Err(error.clone()),
                (Updated::At(_), Err(error)) => return Err(error.context("the change was sent")),
            };
            let untouched = self.before.deviations(&group).is_empty()
                && self.before.time("updatedAt") == group.time("updatedAt");
            match updated {
                Updated::At(answered) => return Ok(Found { group, answered }),
                Updated::InDoubt(_) if !untouched => {
                    return Ok(Found {
                        group,
                        answered: None,
                    });
                }
                Updated::InDoubt(error) => match pauses.next() {
                    Some(pause) if api.allows(pause) => tokio::time::sleep(pause).await,
                    _ => return Err(error),
                },
            }
        }
    }

    /// Replaces the group by `whole`, which is completed by what only the details show, and reads
    /// it back.
    async fn replace(&self, api: &Api, whole: &mut RawGroup) -> Result<Found> {
        let id = self.before.id();
        let name = derived_id(self.wanted.name());
        // A replacement goes by name: under another one it would be a second group.
        if id != name && !id.starts_with(&format!("{name}-")) {
            return Err(Error::failed(format!(
                "the server keeps what was removed from the group {id}, and a group whose id does not follow from its name cannot be replaced"
            )));
        }
        whole.complete(&api.details(id).await?.ok_or_else(|| self.gone())?);
        let answer = api
            .replace(&RawGroup::of_payload(whole.payload()))
            .await
            .map_err(|error| {
                error.context(format!("the server keeps what was removed from {id}"))
            })?;
        if ![id, ""].contains(&answer.id()) {
            return Err(Error::failed(format!(
                "the server keeps what was removed from the group {id}, and made a second group {} of its replacement",
                answer.id()
            ))
            .hint(format!("keyfob group delete {} takes it away again", answer.id())));
        }
        let group = read(api, id, whole.has_addons())
            .await?
            .ok_or_else(|| self.gone())?;
        Ok(Found {
            group,
            answered: answer.time("updatedAt"),
        })
    }

    /// Whether all that differs is that removed secrets are still there as they were.
    fn are_lingering(&self, deviations: &[Deviation], found: &Found) -> bool {
        !deviations.is_empty()
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
            self.name(deviations)
        ))
        .hint(format!("look at it with keyfob group show {id}"))
    }

    fn conflict(&self, deviations: &[Deviation]) -> Error {
        let id = self.before.id();
        let what = if deviations.is_empty() {
            String::new()
        } else {
            format!(
                ", and it is not as it was written: {}",
                self.name(deviations)
            )
        };
        Error::conflict(format!(
            "somebody else changed the group {id} at the same time{what}"
        ))
        .hint(format!(
            "what it holds now was left alone; look at it with keyfob group show {id}, then try again"
        ))
    }

    fn gone(&self) -> Error {
        Error::conflict(format!(
            "somebody else deleted the group {} at the same time",
            self.before.id()
        ))
    }

    fn name(&self, deviations: &[Deviation]) -> String {
        let mut names: Vec<String> = deviations
            .iter()
            .take(NAMED)
            .map(|deviation| match deviation {
                Deviation::Field(field) => format!("{field} is another"),
                Deviation::Gone(item) => format!("{item} is missing"),
                Deviation::Other(item) => format!("{item} has another value"),
                Deviation::More(item) if self.before.has(item) => item.to_string(),
                Deviation::More(item) => format!("{item} is new"),
            })
            .collect();
        if deviations.len() > NAMED {
            names.push(format!("and {} more", deviations.len() - NAMED));
        }
        names.join(", ")
    }
}

/// A group with its values, and with its addons where they are asked for.
pub async fn read(api: &Api, id: &str, with_addons: bool) -> Result<Option<RawGroup>> {
    let Some(mut group) = api.get(id).await? else {
        return Ok(None);
    };
    if with_addons && let Some(details) = api.details(id).await? {
        group.complete(&details);
    }
    Ok(Some(group))
}
