//! Whether what was stored is there: a server may take two names for one, and its list may be short,
//! so what it says of a write is looked into before and after.

use std::collections::BTreeMap;

use super::Nosana;
use super::reading::Asked;
use super::stored::{Listed, Stored, alike, same_secret};
use crate::providers::exists_already;
use crate::words::batch::{Action, Batch, Outcome, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, SecretValue};

impl Nosana {
    /// What is to be done with each of the writes, by what the server has `before`.
    pub(super) async fn plan(&self, batch: &Batch, before: &Listed) -> Result<Vec<Outcome>> {
        // A list may be short: what must not be there must not be overwritten, and what replaces a
        // value is not told as new. Where names are alike, the server may take them for one.
        let all = batch.if_absent || batch.writes.len() <= super::NAMED;
        let doubtful: Vec<Name> = batch
            .writes
            .iter()
            .map(|write| &write.name)
            .filter(|name| !before.contains_key(*name))
            .filter(|name| all || before.keys().any(|other| alike(other, name)))
            .cloned()
            .collect();
        let asked = self.ask_all(&doubtful).await?;
        let mut asked: BTreeMap<Name, _> = doubtful.into_iter().zip(asked).collect();
        let outcomes = batch.writes.iter().map(|write| {
            let name = &write.name;
            let there = match before.get(name) {
                Some(stored) => Ok(Some(stored.clone())),
                None => asked.remove(name).map_or(Ok(None), stored),
            };
            let result = there.and_then(|there| match there {
                None => Ok(Action::Created),
                Some(_) if batch.if_absent => Err(exists_already(name)),
                Some(stored) => match same_secret(before, name, &stored) {
                    Some(other) => Err(one_secret(
                        format!("{name} was not stored, as it would overwrite {other}"),
                        other,
                    )),
                    None if stored.is(&write.value) => Ok(Action::Unchanged),
                    None => Ok(Action::Updated),
                },
            });
            Outcome::new(name.clone(), result)
        });
        Ok(outcomes.collect())
    }

    /// Looks whether what was `sent` is there and nothing else has changed through it; tells what
    /// is wrong, by name. `before` is what the server listed before.
    pub(super) async fn read_back(
        &self,
        sent: &[&Write],
        before: &Listed,
    ) -> BTreeMap<Name, Error> {
        let unread = |name: &Name, error: &Error| {
            let error = error.clone();
            error.context(format!("{name} was stored, and could not be read back"))
        };
        let looked = async {
            let after = self.fetch().await?;
            let unlisted = sent.iter().map(|write| &write.name);
            let unlisted = unlisted.filter(|name| !after.contains_key(*name)).cloned();
            let unlisted: Vec<Name> = unlisted.collect();
            let asked = self.ask_all(&unlisted).await?;
            Ok((after, unlisted.into_iter().zip(asked).collect()))
        };
        let (after, mut asked): (Listed, BTreeMap<Name, Result<Asked>>) = match looked.await {
            Ok(seen) => seen,
            Err(error) => {
                let unread = |write: &&Write| (write.name.clone(), unread(&write.name, &error));
                return sent.iter().map(unread).collect();
            }
        };
        let values: BTreeMap<&Name, &SecretValue> = sent
            .iter()
            .map(|write| (&write.name, &write.value))
            .collect();
        // Whether it was, or was to be, something else than `value`.
        let was_other =
            |name: &Name, value: &SecretValue| match (values.get(name), before.get(name)) {
                (Some(sent), _) => *sent != value,
                (None, Some(stored)) => !stored.is(value),
                (None, None) => false,
            };
        let mut faults = BTreeMap::new();
        for Write { name, value, .. } in sent.iter().copied() {
            let (there, is_listed) = match after.get(name) {
                Some(stored) => (Ok(Some(stored.clone())), true),
                None => (asked.remove(name).map_or(Ok(None), stored), false),
            };
            let fault = match there {
                Err(error) => unread(name, &error),
                Ok(None) => Error::failed(format!(
                    "the server took {name}, and does not have it afterwards"
                )),
                Ok(Some(stored)) if !stored.is(value) => Error::conflict(format!(
                    "{name} was stored, but holds another value than was sent"
                ))
                .hint(
                    "another name that was stored with it, or another client, has overwritten it",
                ),
                Ok(Some(_)) if is_listed => continue,
                // The list decides: it may show the value under another spelling of the name.
                Ok(Some(_)) => {
                    let mut listed = after.iter().filter(|(_, stored)| stored.is(value));
                    match listed.find(|(other, _)| alike(other, name) || was_other(other, value)) {
                        Some((other, _)) => overwritten(name, other),
                        None => continue,
                    }
                }
            };
            faults.insert(name.clone(), fault);
        }
        self.find_vanished(before, &after, &values, &mut faults)
            .await;
        faults
    }

    /// Finds the names that were listed `before` and have become others through what was sent.
    async fn find_vanished(
        &self,
        before: &Listed,
        after: &Listed,
        sent: &BTreeMap<&Name, &SecretValue>,
        faults: &mut BTreeMap<Name, Error>,
    ) {
        let created = |name: &Name| !before.contains_key(name) && after.contains_key(name);
        let vanished: Vec<Name> = before
            .keys()
            .filter(|name| !after.contains_key(*name) && !sent.contains_key(*name))
            .cloned()
            .collect();
        // Where more have gone than came, it is the list that cannot be trusted.
        if vanished.len() > sent.keys().filter(|name| created(name)).count() {
            return;
        }
        let Ok(answers) = self.ask_all(&vanished).await else {
            return;
        };
        for (gone, answer) in vanished.iter().zip(answers) {
            let Ok(Asked::Stored(answer)) = answer else {
                continue;
            };
            if before.get(gone) == Some(&answer) {
                continue;
            }
            let mut sent = sent.iter().filter(|(name, _)| created(name));
            if let Some((name, _)) = sent.find(|(_, value)| answer.is(value)) {
                faults.insert((*name).clone(), overwritten(name, gone));
            }
        }
    }
}

fn stored(asked: Result<Asked>) -> Result<Option<Stored>> {
    asked.map(Asked::stored)
}

fn overwritten(name: &Name, other: &Name) -> Error {
    one_secret(format!("storing {name} has overwritten {other}"), other)
}

fn one_secret(what: String, other: &Name) -> Error {
    Error::conflict(format!("{what}: to this server they are one name")).hint(format!(
        "on MySQL and MariaDB, case, accents and spaces at the end make no difference; choose another name, or use {other}"
    ))
}
