//! Changing the keys of one path: decided on what was read, carried out only on top of that, and
//! looked at afterwards.
//!
//! A write names the version that it stands on. Where another is the current one by now, all is
//! decided anew, a few times; where no answer came, the version that the write would have made tells
//! whether it was carried out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::edit::{Done, Edit, chunks, description_of, same, unversioned};
use super::name::Path;
use super::requests::Requests;
use super::storing::Changed;
use super::wire::Secret;
use crate::http;
use crate::providers::{exists_already, missing};
use crate::words::batch::Action;
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::Name;

/// How often all is decided anew, as somebody else was faster.
const ROUNDS: usize = 30;

/// What of an edit is to be done, over what was read.
struct Decided {
    action: Action,
    stores: bool,
    describes: bool,
}

impl Requests {
    /// Carries `edits` of the keys of `path` out: a result for each, in their order.
    pub async fn change(&self, path: &Path, edits: &[Edit]) -> Vec<Result<Done>> {
        let mut results: Vec<Option<Result<Done>>> = edits.iter().map(|_| None).collect();
        let rest = match self.keeps_versions().await {
            Ok(true) => self.change_versions(path, edits, &mut results).await,
            Ok(false) => self.change_bare(path, edits, &mut results).await,
            Err(error) => Err(error),
        };
        let error = rest.err().unwrap_or_else(|| {
            Error::conflict("others have changed the same path again and again")
                .hint("nothing of this was stored; try again")
        });
        let results = results.into_iter();
        results
            .map(|result| result.unwrap_or_else(|| Err(error.clone())))
            .collect()
    }

    async fn change_versions(
        &self,
        path: &Path,
        edits: &[Edit],
        results: &mut [Option<Result<Done>>],
    ) -> Result<()> {
        let mut pauses = http::pauses(ROUNDS);
        loop {
            let (base, is_blind) = match self.read(path).await {
                Ok(base) => (base, false),
                // Who may only create can do so where nothing is.
                Err(error) if may_be_created(&error, edits) => (Secret::default(), true),
                Err(error) => return Err(error),
            };
            let mut decided = BTreeMap::new();
            for (at, edit) in edits.iter().enumerate() {
                if results[at].is_some() {
                    continue;
                }
                match self.decide(path, &base, edit).await {
                    Ok(Some(todo)) => drop(decided.insert(at, todo)),
                    Ok(None) => results[at] = Some(Ok((Action::Unchanged, base.version))),
                    Err(error) => results[at] = Some(Err(error)),
                }
            }
            if decided.is_empty() {
                return Ok(());
            }
            let stored: Vec<usize> = decided
                .iter()
                .filter(|(_, todo)| todo.stores)
                .map(|(at, _)| *at)
                .collect();
            let mut current = base;
            let mut outdated = false;
            for chunk in chunks(edits, &stored) {
                match self.store(path, &current, edits, &chunk, is_blind).await {
                    Ok(Changed::Done(now)) => {
                        if now.version > current.version {
                            let keys = chunk.iter().map(|at| edits[*at].key.clone());
                            self.note_own(path, now.version, keys.collect());
                        }
                        for at in &chunk {
                            let action = decided[at].action;
                            results[*at] = Some(Ok((action, now.version)));
                        }
                        current = now;
                    }
                    Ok(Changed::Outdated) if is_blind => {
                        return Err(Error::forbidden(format!(
                            "{} is there already, and may not be read",
                            path.text()
                        ))
                        .hint("what the token may not read it can only make, and this is there: it stays as it is"));
                    }
                    Ok(Changed::Outdated) => {
                        outdated = true;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            let said: Vec<usize> = decided
                .iter()
                .filter(|(at, todo)| todo.describes && (!todo.stores || results[**at].is_some()))
                .map(|(at, _)| *at)
                .collect();
            if !said.is_empty() {
                self.say(path, &current, edits, &said, &decided, results)
                    .await;
            }
            if !outdated {
                return Ok(());
            }
            let pause = pauses
                .next()
                .filter(|pause| self.access.deadline().allows(*pause / 4));
            match pause {
                Some(pause) => tokio::time::sleep(pause / 4).await,
                None => return Ok(()),
            }
        }
    }

    /// What is to be done of `edit` over what was read; `None` where all is as wanted.
    async fn decide(&self, path: &Path, base: &Secret, edit: &Edit) -> Result<Option<Decided>> {
        let there = base.data.as_ref().and_then(|data| data.get(&edit.key));
        if there.is_some() && edit.if_absent {
            return Err(exists_already(&edit.name));
        }
        if let Some(expected) = edit.expected
            && !self.is_as_expected(path, base, edit, expected).await?
        {
            return Err(Error::conflict(match (expected, there) {
                (0, _) => format!("{} was made by somebody else in the meantime", edit.name),
                (_, None) => format!("{} is gone, and was there in version {expected}", edit.name),
                _ => format!(
                    "{} has another value than in version {expected}: its path is at version {} already",
                    edit.name, base.version
                ),
            }));
        }
        let Some(value) = &edit.value else {
            return match there {
                Some(_) => Ok(Some(Decided {
                    action: Action::Deleted,
                    stores: true,
                    describes: base.beside.custom.contains_key(&description_of(&edit.key)),
                })),
                None => Err(missing(&edit.name)),
            };
        };
        let stores = !there.is_some_and(|there| same(there, value));
        let said = base.beside.custom.get(&description_of(&edit.key));
        let describes = match &edit.description {
            Some(text) => said.map(String::as_str).unwrap_or_default() != text,
            None => false,
        };
        let action = match there {
            Some(_) => Action::Updated,
            None => Action::Created,
        };
        Ok((stores || describes).then_some(Decided {
            action,
            stores,
            describes,
        }))
    }

    /// Whether the key is as it was in the version `expected`: what happened to other keys of the
    /// path is no conflict.
    async fn is_as_expected(
        &self,
        path: &Path,
        base: &Secret,
        edit: &Edit,
        expected: u32,
    ) -> Result<bool> {
        let of = |secret: &Secret| {
            let data = secret.data.as_ref();
            data.and_then(|data| data.get(&edit.key)).cloned()
        };
        let there = of(base);
        if expected == 0 {
            return Ok(there.is_none());
        }
        if expected == base.version {
            return Ok(true);
        }
        let before = self.read_version(path, Some(expected)).await?;
        // One that is kept no more cannot be compared with.
        Ok(match (before.data.is_some(), of(&before), there) {
            (true, Some(before), Some(there)) => same(&before, &there),
            (true, None, None) => true,
            _ => false,
        })
    }

    /// Says of the key of `path` what is to be said of it, and leaves its value alone.
    ///
    /// # Errors
    /// `not_found` where there is no such key; `unsupported` where nothing can be said.
    pub async fn annotate(
        &self,
        path: &Path,
        key: &str,
        name: &Name,
        description: &str,
    ) -> Result<Action> {
        if !self.keeps_versions().await? {
            return Err(unversioned(name, "--description"));
        }
        let now = self.keys(path).await?;
        if !now.keys.is_some_and(|keys| keys.iter().any(|it| it == key)) {
            return Err(missing(name));
        }
        let field = description_of(key);
        let said = now.beside.custom.get(&field).map(String::as_str);
        if said.unwrap_or_default() == description {
            return Ok(Action::Unchanged);
        }
        let text = Some(description).filter(|text| !text.is_empty());
        let custom = BTreeMap::from([(field, text.map(str::to_owned))]);
        self.describe(path, &custom).await?;
        self.is_said(path, &custom).await?;
        Ok(Action::Updated)
    }

    /// Says of the edits `said` what is to be said of them.
    async fn say(
        &self,
        path: &Path,
        current: &Secret,
        edits: &[Edit],
        said: &[usize],
        decided: &BTreeMap<usize, Decided>,
        results: &mut [Option<Result<Done>>],
    ) {
        let mut custom = BTreeMap::new();
        for edit in said.iter().map(|at| &edits[*at]) {
            let text = edit.description.clone().filter(|text| !text.is_empty());
            custom.insert(description_of(&edit.key), text);
        }
        let mut described = self.describe(path, &custom).await;
        if described.is_ok() {
            described = self.is_said(path, &custom).await;
        }
        for at in said {
            let todo = &decided[at];
            results[*at] = Some(match (&described, edits[*at].value.is_some()) {
                (Ok(()), _) => Ok((todo.action, current.version)),
                // What is left of it says nothing of any secret.
                (Err(_), false) => Ok((todo.action, current.version)),
                (Err(error), true) => Err(error.clone().context(match todo.stores {
                    true => format!("{} is stored, and its description is not", edits[*at].name),
                    false => format!("{} is not described", edits[*at].name),
                })),
            });
        }
    }

    /// Looks whether it is said.
    async fn is_said(&self, path: &Path, custom: &BTreeMap<String, Option<String>>) -> Result<()> {
        let started = Instant::now();
        loop {
            let now = self.read(path).await?;
            let is_so = custom
                .iter()
                .all(|(key, text)| now.beside.custom.get(key) == text.as_ref());
            if is_so || now.version == 0 {
                return Ok(());
            }
            if self.access.has_index() || !self.waits(started).await {
                return Err(Error::invalid_data(
                    "the server said that it was described, and it was not",
                ));
            }
        }
    }
}

/// Whether what may not be read may still be created.
fn may_be_created(error: &Error, edits: &[Edit]) -> bool {
    let creates = |edit: &Edit| edit.value.is_some() && edit.expected.is_none_or(|it| it == 0);
    error.kind() == Kind::Forbidden && error.cause() == Cause::Refused && edits.iter().all(creates)
}
