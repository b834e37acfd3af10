//! Deleting: many names in a request, and what is then said is what was looked at: the server answers
//! OK whatever it did.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;

use super::body::names_in_a_request;
use super::reading::{Asked, Seen};
use super::refusal::{is_internal_error, is_worth_another_try};
use super::{HOPELESS, Nosana};
use crate::providers::{Steps, missing};
use crate::words::batch::{Action, Outcome};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::Name;

/// The names that were to be deleted and are not gone for sure, with what went wrong where that is
/// known.
type Left = BTreeMap<Name, Option<Error>>;

impl Nosana {
    /// Deletes `names`: one look before, one request for many, one look after; then one by one what
    /// is still there, as not every server knows many in a request, and a last look.
    pub(super) async fn delete_all(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        // The server answers OK for a name it does not have, so look first.
        let before = self.see(names).await?;
        let there: BTreeSet<&Name> = names.iter().filter(|name| before.has(name)).collect();
        let there: Vec<Name> = there.into_iter().cloned().collect();
        let progress = Steps::start(&self.services, "deleting secrets", there.len());
        let mut left = self.delete_together(&there, &before).await;
        if there.len() > 1 && !left.is_empty() {
            left = self.delete_alone(left, &before).await;
        }
        let mut outcomes = Vec::with_capacity(names.len());
        for name in names {
            let result = match left.remove(name) {
                _ if !before.has(name) => Err(missing(name)),
                None => Ok(Action::Deleted),
                Some(Some(error)) => Err(error),
                Some(None) => Err(Error::failed(format!(
                    "the server answered that {name} was deleted, and still has it"
                ))),
            };
            progress.ended(&result);
            outcomes.push(Outcome::new(name.clone(), result));
        }
        Ok(outcomes)
    }

    /// Deletes `names` in as few requests as there can be.
    async fn delete_together(&self, names: &[Name], before: &Seen) -> Left {
        let mut faults: BTreeMap<Name, Error> = BTreeMap::new();
        let mut rest = names;
        while !rest.is_empty() {
            let (request, others) = rest.split_at(names_in_a_request(rest));
            rest = others;
            let body = match request {
                [name] => json!({ "key": name }),
                many => json!({ "key": many }),
            };
            let Err(error) = self.send_delete(&body).await else {
                self.services.http.deadline().progressed();
                continue;
            };
            let goes_on = !concerns_all(&error);
            faults.extend(request.iter().map(|name| (name.clone(), error.clone())));
            if !goes_on {
                faults.extend(rest.iter().map(|name| (name.clone(), error.clone())));
                break;
            }
        }
        self.what_is_left(names, faults, before).await
    }

    /// Deletes what is `left` one by one.
    async fn delete_alone(&self, left: Left, before: &Seen) -> Left {
        let names: Vec<Name> = left.keys().cloned().collect();
        // What nobody could look at, or no request can be sent for, stays as it is.
        if left.values().flatten().any(concerns_all) {
            return left;
        }
        let mut faults = BTreeMap::new();
        let mut stuck = None;
        let mut in_a_row = 0;
        for name in &names {
            let result = match &stuck {
                Some(error) => Err(Error::clone(error)),
                None => self.send_delete(&json!({ "key": name })).await,
            };
            match result {
                Ok(()) => {
                    in_a_row = 0;
                    self.services.http.deadline().progressed();
                }
                Err(error) => {
                    in_a_row += 1;
                    if concerns_all(&error) || in_a_row >= HOPELESS {
                        stuck = Some(error.clone());
                    }
                    faults.insert(name.clone(), error);
                }
            }
        }
        self.what_is_left(&names, faults, before).await
    }

    /// `DELETE /secrets`.
    async fn send_delete(&self, body: &serde_json::Value) -> Result<()> {
        let response = self
            .call(|| {
                let request = self.request("delete secrets", Method::DELETE)?;
                request.transient(is_worth_another_try).json(body)
            })
            .await?;
        match is_internal_error(response.status, &response.body) {
            // It has failed at what was sent, and may not at another request.
            true => Err(response.error(Kind::Failed)),
            false => super::expect_ok(&response),
        }
    }

    /// Looks which of `names` are still there. Where that cannot be seen, none counts as gone.
    async fn what_is_left(
        &self,
        names: &[Name],
        mut faults: BTreeMap<Name, Error>,
        before: &Seen,
    ) -> Left {
        let refused = |name| faults.get(name).is_some_and(was_refused);
        if names.iter().all(refused) {
            return faults
                .into_iter()
                .map(|(name, e)| (name, Some(e)))
                .collect();
        }
        let mut left = Left::new();
        match self.look_after(names, before).await {
            Ok(answers) => {
                for (name, still) in names.iter().zip(answers) {
                    match still {
                        Ok(false) => {}
                        Ok(true) => {
                            left.insert(name.clone(), faults.remove(name));
                        }
                        Err(error) => {
                            let error = faults.remove(name).unwrap_or(unseen(name, error));
                            left.insert(name.clone(), Some(error));
                        }
                    }
                }
            }
            Err(error) => left.extend(names.iter().map(|name| {
                let fault = faults.remove(name);
                let error = fault.unwrap_or_else(|| unseen(name, error.clone()));
                (name.clone(), Some(error))
            })),
        }
        left
    }

    /// Whether each of `names` is still there.
    async fn look_after(&self, names: &[Name], before: &Seen) -> Result<Vec<Result<bool>>> {
        // By its name a single one is seen for sure.
        if let [_] = names {
            match self.ask_all(names).await?.pop() {
                // Only the list can tell.
                Some(Ok(Asked::Unknown)) | None => {}
                // A list that lacks it is no answer to what was not understood.
                Some(asked) => return Ok(vec![asked.map(|asked| asked.stored().is_some())]),
            }
        }
        let after = self.fetch().await?;
        let deleted: BTreeSet<&Name> = names.iter().collect();
        let mut others = before.listed.keys().filter(|name| !deleted.contains(name));
        // Where others have gone too, it is the list that cannot be trusted.
        let is_short = others.any(|name| !after.contains_key(name));
        let doubtful = |name: &&Name| {
            let was_listed = before.listed.contains_key(*name);
            !after.contains_key(*name) && (is_short || !was_listed)
        };
        let doubtful: Vec<Name> = names.iter().filter(doubtful).cloned().collect();
        let asked = self.ask_all(&doubtful).await?;
        let mut asked: BTreeMap<Name, Result<Asked>> = doubtful.into_iter().zip(asked).collect();
        let answers = names.iter().map(|name| match asked.remove(name) {
            Some(asked) => Ok(asked?.stored().is_some()),
            None => Ok(after.contains_key(name)),
        });
        Ok(answers.collect())
    }
}

impl Seen {
    /// Whether `name` is there.
    fn has(&self, name: &Name) -> bool {
        self.listed.contains_key(name) || self.asked.contains_key(name)
    }
}

/// The error for a name of which nobody knows whether it is gone.
fn unseen(name: &Name, error: Error) -> Error {
    error.context(format!("it could not be seen whether {name} is deleted"))
}

/// Whether the server has refused to do anything.
fn was_refused(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Unauthenticated | Kind::RateLimited | Kind::Forbidden
    )
}

/// Whether every other request would fail in the same way.
fn concerns_all(error: &Error) -> bool {
    was_refused(error) || error.kind() == Kind::Unavailable
}
