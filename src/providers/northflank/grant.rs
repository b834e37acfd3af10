//! Writing and deleting secrets: wishes sorted by group, and each group changed once.

use std::collections::BTreeMap;

use super::super::{bulk, exists_already, missing};
use super::change::Change;
use super::name::{Item, derived_id};
use super::project::Northflank;
use super::wire::RawGroup;
use crate::words::batch::{Action, Outcome};
use crate::words::error::Result;
use crate::words::secret::{Name, SecretValue};

/// What is to be done with one secret of a group.
pub struct Wish<'a> {
    /// Where its outcome belongs.
    pub at: usize,
    /// What the user calls it.
    pub name: &'a Name,
    /// What it is in its group.
    pub item: Item,
    /// Its new value; `None` takes it away.
    pub value: Option<&'a SecretValue>,
}

impl Northflank {
    /// Grants `wishes` to their groups, each group with one read and one write.
    pub(super) async fn grant(
        &self,
        what: &str,
        wishes: Vec<(String, Wish<'_>)>,
        if_absent: bool,
    ) -> Result<Vec<Outcome>> {
        // A group may be called by its name and by its id: both are one.
        let mut by_group: BTreeMap<String, (String, Vec<Wish<'_>>)> = BTreeMap::new();
        for (label, wish) in wishes {
            let (_, wishes) = by_group
                .entry(derived_id(&label))
                .or_insert((label, Vec::new()));
            wishes.push(wish);
        }
        let groups: Vec<(String, Vec<Wish<'_>>)> = by_group.into_values().collect();
        let granted = bulk::each(&self.services, what, &groups, |(label, wishes)| {
            self.grant_in(label, wishes, if_absent)
        });
        let mut outcomes = Vec::new();
        for ((_, wishes), granted) in groups.iter().zip(granted.await?) {
            let results = granted.unwrap_or_else(|error| vec![Err(error); wishes.len()]);
            let granted = wishes.iter().zip(results);
            outcomes.extend(
                granted.map(|(wish, result)| (wish.at, Outcome::new(wish.name.clone(), result))),
            );
        }
        outcomes.sort_by_key(|(at, _)| *at);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Grants `wishes` to the group called `label`.
    ///
    /// # Errors
    /// What concerns all of them: nothing is known to be done then.
    async fn grant_in(
        &self,
        label: &str,
        wishes: &[Wish<'_>],
        if_absent: bool,
    ) -> Result<Vec<Result<Action>>> {
        let Some(before) = self.resolve(label).await? else {
            let refuse = |wish: &Wish<'_>| match wish.value {
                Some(_) => self.no_group(label),
                None => missing(wish.name),
            };
            return Ok(wishes.iter().map(|wish| Err(refuse(wish))).collect());
        };
        let mut wanted = before.clone();
        let results = wishes
            .iter()
            .map(|wish| match wish.value {
                Some(_) if if_absent && before.has(&wish.item) => Err(exists_already(wish.name)),
                Some(value) => Ok(put(&before, &mut wanted, &wish.item, value)),
                None if before.has(&wish.item) => {
                    wanted.remove(&wish.item);
                    Ok(Action::Deleted)
                }
                None => Err(missing(wish.name)),
            })
            .collect();
        let change = Change {
            before: &before,
            wanted: &wanted,
        };
        // Variables and files are always shown.
        change.apply(&self.api).await?;
        Ok(results)
    }
}

/// Puts `value` into `wanted` unless `before` holds it already.
fn put(before: &RawGroup, wanted: &mut RawGroup, item: &Item, value: &SecretValue) -> Action {
    // What cannot be read is not what is wanted.
    if before.value(item).ok().flatten().as_ref() == Some(value) {
        return Action::Unchanged;
    }
    wanted.set(item, value);
    if before.has(item) {
        Action::Updated
    } else {
        Action::Created
    }
}
