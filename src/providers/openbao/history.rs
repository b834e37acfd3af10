//! Earlier versions. The server counts those of a path; of one key they are those in which its value
//! changed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::OpenBao;
use super::edit::{Edit, unversioned};
use super::name::{Path, Place};
use crate::providers::{Versions, bulk, missing};
use crate::words::batch::{Action, Past, Restored, Version};
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name, SecretValue};
use crate::words::word::listed;

/// How many versions a path keeps where nobody has said otherwise.
const KEPT: u32 = 10;

/// What one version of a path says of one key.
struct At {
    number: u32,
    at: Timestamp,
    /// The key's value; `None` where it was not there.
    value: Option<SecretValue>,
    /// Whether the whole version was deleted, and can be brought back.
    is_deleted: bool,
}

/// Whether two versions have the same for one key.
fn same(one: Option<&SecretValue>, other: Option<&SecretValue>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        (None, None) => true,
        _ => false,
    }
}

impl OpenBao {
    /// What the versions of the path say of the key, the oldest first, as far as they can be read.
    async fn timeline(&self, name: &Name) -> Result<(Place, Vec<At>)> {
        let place = self.layout.place(name)?;
        if !self.requests.keeps_versions().await? {
            return Err(unversioned(name, "history"));
        }
        let numbers = self.numbers(&place.path).await?;
        let current = numbers.last().copied().unwrap_or_default();
        let read = bulk::each(&self.services, "reading versions", &numbers, |number| {
            self.requests.read_version(&place.path, Some(*number))
        });
        let mut all = Vec::new();
        for (number, read) in numbers.iter().zip(read.await?) {
            let secret = read?;
            // One that has gone in the meantime.
            if secret.version != *number {
                continue;
            }
            let is_deleted = secret.data.is_none();
            // What an earlier version that was deleted held is not known.
            if is_deleted && *number != current {
                continue;
            }
            let written = secret.beside.created_at;
            let time = match is_deleted {
                true => secret.beside.deleted_at.or(written),
                false => written,
            };
            let mut data = secret.data.unwrap_or_default();
            all.push(At {
                number: *number,
                at: time.unwrap_or_default(),
                value: data.remove(&place.key),
                is_deleted: is_deleted && !secret.beside.destroyed,
            });
        }
        Ok((place, all))
    }

    /// What of `path` was deleted, and can be restored.
    async fn gone(&self, path: &Path) -> Result<Gone> {
        let numbers = self.numbers(path).await?;
        let Some((current, earlier)) = numbers.split_last() else {
            return Ok(Gone::default());
        };
        let now = self.requests.read_version(path, Some(*current)).await?;
        let is_whole = now.version == *current && now.data.is_none() && !now.beside.destroyed;
        let mut gone = Gone::default();
        let mut since = now
            .beside
            .deleted_at
            .filter(|_| is_whole)
            .or(now.beside.created_at);
        let there = now.data.unwrap_or_default();
        for number in earlier.iter().rev() {
            let before = self.requests.read_version(path, Some(*number)).await?;
            let written = before.beside.created_at;
            for key in before.data.unwrap_or_default().into_keys() {
                if !there.contains_key(&key) {
                    gone.keys.entry(key).or_insert(since);
                }
            }
            since = written;
        }
        match self.layout.one_key().filter(|_| is_whole) {
            Some(key) => drop(
                gone.keys
                    .entry(key.to_owned())
                    .or_insert(now.beside.deleted_at),
            ),
            None => gone.is_untold = is_whole && gone.keys.is_empty(),
        }
        Ok(gone)
    }

    /// The numbers of the versions that are kept, the oldest first.
    async fn numbers(&self, path: &Path) -> Result<Vec<u32>> {
        if let Some((versions, current)) = self.requests.versions(path).await? {
            let kept = versions
                .iter()
                .filter(|version| version.number == current || !version.beside.destroyed);
            return Ok(kept.map(|version| version.number).collect());
        }
        // Who may not see the list may still read them one by one.
        let current = self.requests.read(path).await?.version;
        let first = current.saturating_sub(KEPT - 1).max(1);
        Ok((first..=current).filter(|_| current > 0).collect())
    }
}

/// What of a path was deleted.
#[derive(Default)]
struct Gone {
    /// The keys that an earlier version has and the current one has not, and when they went.
    keys: BTreeMap<String, Option<Timestamp>>,
    /// Whether there may be others: the path was deleted whole, and nothing tells what it held.
    is_untold: bool,
}

/// Those of the versions in which the key's value changed, the oldest first.
fn changes(all: &[At]) -> Vec<&At> {
    let mut changes: Vec<&At> = Vec::new();
    for at in all {
        let before = changes.last().and_then(|before| before.value.as_ref());
        // Whether a path that is deleted as a whole had the key is not known.
        if at.is_deleted || !same(before, at.value.as_ref()) {
            changes.push(at);
        }
    }
    changes
}

#[async_trait(?Send)]
impl Versions for OpenBao {
    async fn history(&self, name: &Name) -> Result<Vec<Version>> {
        let (_, all) = self.timeline(name).await?;
        self.requests.access.keep().await;
        let changes = changes(&all);
        let newest = changes.last().map(|at| at.number);
        let versions = changes.iter().rev().map(|at| Version {
            number: at.number,
            updated_at: at.at,
            current: Some(at.number) == newest,
            deleted: at.value.is_none(),
        });
        let versions: Vec<Version> = versions.collect();
        match versions.is_empty() {
            true => Err(missing(name)),
            false => Ok(versions),
        }
    }

    async fn deleted(&self) -> Result<Vec<Entry>> {
        bulk::concurrency(&self.services.env)?;
        if !self.requests.keeps_versions().await? {
            return Ok(Vec::new());
        }
        let paths = self.paths("").await?;
        let found = bulk::each(
            &self.services,
            "looking for what was deleted",
            &paths,
            |path| self.gone(path),
        );
        let mut entries = Vec::new();
        let mut untold = Vec::new();
        for (path, gone) in paths.iter().zip(found.await?) {
            let Gone { keys, is_untold } = gone?;
            if is_untold {
                untold.push(path.text());
            }
            entries.extend(keys.into_iter().filter_map(|(key, at)| {
                let mut entry = Entry::new(self.layout.name(path, &key)?);
                entry.updated_at = at;
                Some(entry)
            }));
        }
        self.requests.access.keep().await;
        if !untold.is_empty() {
            (self.services.notice)(&format!(
                "deleted whole, so that the server does not tell which keys of these paths can be restored: {}",
                listed(untold.iter().map(String::as_str))
            ));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn past(&self, name: &Name) -> Result<Option<Vec<Past>>> {
        if !self.requests.keeps_versions().await? {
            return Ok(None);
        }
        let (_, all) = self.timeline(name).await?;
        let changes = changes(&all);
        let earlier = changes.len().saturating_sub(1);
        let past = changes.into_iter().take(earlier).map(|at| Past {
            updated_at: at.at,
            value: at.value.clone(),
        });
        Ok(Some(past.collect()))
    }

    async fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored> {
        let (place, all) = self.timeline(name).await?;
        let changes = changes(&all);
        let (Some(now), Some(newest)) = (all.last(), changes.last()) else {
            return Err(missing(name));
        };
        if newest.is_deleted && number.is_none_or(|number| number == newest.number) {
            let restored = self.bring_back(name, &place, newest.number).await?;
            if let Some(restored) = restored {
                return Ok(restored);
            }
            if number.is_some() {
                return Err(missing(name));
            }
        }
        let hint = format!(
            "keyfob history -s {{store}} {} shows what there is",
            name.shown().typed()
        );
        let chosen = match number {
            Some(number) => all.iter().find(|at| at.number == number),
            None => changes
                .iter()
                .rev()
                .skip(1)
                .find(|at| at.value.is_some())
                .copied(),
        };
        let Some(chosen) = chosen else {
            return Err(match number {
                Some(number) => Error::not_found(format!("there is no version {number} of {name}")),
                None => Error::not_found(format!("there is no earlier version of {name}")),
            }
            .hint(hint));
        };
        let Some(value) = chosen.value.clone() else {
            let number = chosen.number;
            return Err(
                Error::usage(format!("in version {number} {name} was not there")).hint(hint),
            );
        };
        if now.value.as_ref() == Some(&value) {
            return Ok(Restored {
                from: chosen.number,
                number: now.number,
                action: Action::Unchanged,
            });
        }
        let edit = Edit {
            name: name.clone(),
            key: place.key,
            value: Some(value),
            description: None,
            expected: Some(match now.value {
                Some(_) => now.number,
                None => 0,
            }),
            if_absent: false,
        };
        let from = chosen.number;
        let mut done = self.requests.change(&place.path, &[edit]).await;
        self.requests.access.keep().await;
        let (action, number) = match done.pop() {
            Some(done) => done?,
            None => return Err(missing(name)),
        };
        Ok(Restored {
            from,
            number,
            action,
        })
    }
}

impl OpenBao {
    /// Undeletes the path's newest version, which was deleted as a whole; not where it does not have
    /// the key.
    async fn bring_back(
        &self,
        name: &Name,
        place: &Place,
        number: u32,
    ) -> Result<Option<Restored>> {
        self.requests.mark("undelete", &place.path, number).await?;
        let now = self
            .requests
            .read_version(&place.path, Some(number))
            .await?;
        self.requests.access.keep().await;
        let data = now.data.ok_or_else(|| {
            Error::invalid_data(format!(
                "the server said that {name} was brought back, and it was not"
            ))
        })?;
        if !data.contains_key(&place.key) {
            self.requests.mark("delete", &place.path, number).await?;
            return Ok(None);
        }
        let others: Vec<&str> = data
            .keys()
            .filter(|key| **key != place.key)
            .map(String::as_str)
            .collect();
        if !others.is_empty() {
            (self.services.notice)(&format!(
                "the whole path {} was deleted, and is back with its other keys: {}",
                place.path.text(),
                listed(others)
            ));
        }
        Ok(Some(Restored {
            from: number,
            number,
            action: Action::Created,
        }))
    }
}
