//! Whether what was answered is so: the list is looked at once, after all requests of a command.
//! Only what it shows is said to be stored, and only what it shows no more to be deleted.

use super::api::List;
use super::tried::{Creation, Doubts, RESUME, Tried};
use super::wire::Old;
use super::{Neo, by_name, of};
use crate::providers::bulk::{self, Stored};
use crate::words::batch::Action;
use crate::words::error::{Error, Result};
use crate::words::secret::Name;

impl Neo {
    /// What became of writing `names`, of which that was tried, in their order.
    pub(super) async fn look_for_stored(
        &self,
        names: &[Name],
        tried: Vec<Result<Tried>>,
        doubts: &Doubts,
    ) -> Vec<Result<Stored>> {
        if doubts.is_empty() && tried.iter().all(Result::is_err) {
            return tried.into_iter().map(|tried| tried.map(unseen)).collect();
        }
        let list = self.api.list().await;
        if let Err(error) = &list {
            let is_new =
                |tried: &&Result<Tried>| tried.as_ref().is_ok_and(|tried| tried.open.is_none());
            let count = tried.iter().filter(is_new).count();
            bulk::tell_of_unseen(&self.services, count, error);
        }
        let listed = list.as_ref().map(|list| by_name(&list.secrets));
        let stored = names.iter().zip(tried).map(|(name, tried)| {
            let there = match &listed {
                Ok(listed) => Ok(of(listed, name)),
                Err(error) => Err(*error),
            };
            match (tried, there) {
                // What replaced another is kept until it was seen; of what is new, the server's
                // word has to do.
                (Ok(tried), Err(error)) => match tried.open {
                    Some(_) => Err(error
                        .clone()
                        .context(format!("{name} was stored, and could not be looked up"))
                        .hint(RESUME)),
                    None => Ok(unseen(tried)),
                },
                (Ok(tried), Ok(there)) => {
                    let is_old = |old: &Old| there.iter().any(|secret| secret.is(old));
                    let others = there.len() - usize::from(tried.old.as_ref().is_some_and(is_old));
                    if others == 0 && list.as_ref().is_ok_and(|list| list.whole) {
                        return Err(not_listed(name, &tried));
                    }
                    if let Some(open) = &tried.open {
                        self.journal.all.close(open)?;
                    }
                    let mark = match (tried.made, there) {
                        // What was created a moment ago, and is listed once, is what is listed.
                        (Creation::Said(None), [one]) if others == 1 => Some(one.mark()),
                        (Creation::Said(mark), _) => mark,
                        (Creation::Seen, _) => None,
                    };
                    Ok((tried.action, mark))
                }
                // Nothing of this name was there before.
                (Err(_), Ok([_])) if doubts.has(name) => Ok((Action::Created, None)),
                (Err(error), _) => Err(error),
            }
        });
        stored.collect()
    }

    /// What became of deleting `names`, of which that was tried, in their order.
    pub(super) async fn look_for_deleted(
        &self,
        names: &[Name],
        tried: Vec<Result<Option<Old>>>,
        doubts: &Doubts,
    ) -> Vec<Result<Action>> {
        let is_looked_for = |tried: &Result<Option<Old>>| matches!(tried, Ok(Some(_)));
        if doubts.is_empty() && !tried.iter().any(is_looked_for) {
            let done = tried
                .into_iter()
                .map(|tried| tried.map(|_| Action::Deleted));
            return done.collect();
        }
        let list = self.api.list().await;
        let is_listed = |list: &List, old: &Old| list.secrets.iter().any(|secret| secret.is(old));
        let done = names.iter().zip(tried).map(|(name, tried)| {
            match (tried, &list) {
                (Ok(None), _) => return Ok(Action::Deleted),
                (Ok(Some(_)), Err(error)) => {
                    return Err(error.clone().context(format!(
                        "{name} was deleted, and whether it is gone could not be looked up"
                    )));
                }
                (Ok(Some(old)), Ok(list)) if is_listed(list, &old) => {
                    return Err(Error::failed(format!(
                        "the server said that it deleted {name}, and still lists it"
                    )));
                }
                (Ok(Some(_)), Ok(_)) => {}
                (Err(error), list) => match (doubts.old(name), list) {
                    (Some(old), Ok(list)) if !is_listed(list, &old) => {}
                    _ => return Err(error),
                },
            }
            self.journal.discard(name).map(|_| Action::Deleted)
        });
        done.collect()
    }
}

/// What the answer says alone.
fn unseen(tried: Tried) -> Stored {
    let mark = match tried.made {
        Creation::Said(mark) => mark,
        Creation::Seen => None,
    };
    (tried.action, mark)
}

fn not_listed(name: &Name, tried: &Tried) -> Error {
    let error = Error::failed(format!(
        "the server said that it stored {name}, and does not list it"
    ));
    match tried.open {
        Some(_) => error.hint(RESUME),
        None => error,
    }
}
