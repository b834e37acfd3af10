//! Carrying a rotation out: to the new values, or back to the old ones; from the beginning, or from
//! wherever the journal says that it was interrupted.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::history::History;
use super::look::Look;
use super::next::Forward;
use super::plan::Plan;
use super::tools::{Stores, Tools};
use crate::journal::{Direction, Open, State, Step};
use crate::providers::Capability;
use crate::store::Store;
use crate::words::batch::{Batch, Selection, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

/// Carries one rotation out.
pub struct Engine<'a> {
    /// What with.
    pub tools: &'a Tools<'a>,
    /// The stores of all targets, open.
    pub stores: &'a Stores,
}

/// How a rotation ended, for now.
#[derive(Debug)]
pub struct Report {
    /// The secret.
    pub secret: Reference,
    /// How things stand.
    pub outcome: Outcome,
    /// What each target holds.
    pub targets: Vec<(Reference, State)>,
    /// What went wrong.
    pub error: Option<Error>,
}

/// How things stand after a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All targets have the new value.
    Rotated,
    /// Nothing was begun.
    Refused,
    /// All targets have the old value again.
    RolledBack,
    /// A replacement in one store, which was interrupted, is finished.
    Replaced,
    /// The user leaves it as it is.
    Abandoned,
    /// It is neither; the journal has it.
    Open,
}

/// Why a rotation did not get on.
pub(super) enum Stuck {
    /// A store did not do what it was asked to, or a target is not what it was.
    Store(Error),
    /// A verify command says that the new value does not work.
    Verify(Error),
}

impl Stuck {
    fn into_error(self) -> Error {
        match self {
            Self::Store(error) | Self::Verify(error) => error,
        }
    }
}

impl Engine<'_> {
    /// Carries `plan` out, with the value `given` where the command line brought it. When anything
    /// fails, everything is rolled back that can be.
    pub async fn rotate(&self, plan: &Plan, given: Option<SecretValue>) -> Report {
        let (mut open, _claim) = match self.prepare(plan, given).await {
            Ok(prepared) => prepared,
            Err(error) => {
                let targets = plan.targets.iter();
                return Report {
                    secret: plan.secret().clone(),
                    outcome: Outcome::Refused,
                    targets: targets
                        .map(|target| (target.reference.clone(), State::Untouched))
                        .collect(),
                    error: Some(error),
                };
            }
        };
        match self.forward(&mut open, true).await {
            Ok(()) => report(&open, Outcome::Rotated, None),
            Err(stuck) => self.roll_back(&mut open, stuck.into_error()).await,
        }
    }

    /// Finishes an interrupted rotation; `None` where another process has closed it. Only a verify
    /// command that fails rolls it back: whatever else fails leaves it open for another try.
    ///
    /// # Errors
    /// As [`Journal::claim`](crate::journal::Journal::claim).
    pub async fn resume(&self, open: &Open) -> Result<Option<Report>> {
        let Some((mut open, _claim)) = self.tools.journal.claim(open)? else {
            return Ok(None);
        };
        if let Err(error) = self.check_scopes(&open).await {
            return Ok(Some(report(&open, Outcome::Open, Some(error))));
        }
        Ok(Some(match self.forward(&mut open, false).await {
            Ok(()) => report(&open, Outcome::Rotated, None),
            Err(Stuck::Verify(error)) => self.roll_back(&mut open, error).await,
            Err(Stuck::Store(error)) => report(&open, Outcome::Open, Some(error)),
        }))
    }

    /// To the new values. `fresh` is a rotation that was prepared a moment ago, whose targets are
    /// what was seen of them then.
    async fn forward(&self, open: &mut Open, fresh: bool) -> Result<(), Stuck> {
        let turned = open.change.direction == Direction::Back || open.change.told_rollback;
        if turned {
            open.change.direction = Direction::Forward;
            open.change.told_rollback = false;
            self.tools.journal.keep(open).map_err(Stuck::Store)?;
        }
        for readable in [true, false] {
            self.bring(open, readable, fresh)
                .await
                .map_err(Stuck::Store)?;
            self.verify(open, readable).await.map_err(Stuck::Verify)?;
        }
        // A record that cannot be kept only makes the secret due earlier.
        if let Some(secret) = open.change.steps.first() {
            let history = History::new(&self.tools.services.folders);
            let noted = history.note(&secret.scope, &secret.reference.name, Timestamp::now());
            if let Err(error) = noted {
                (self.tools.services.notice)(&format!(
                    "when {} was rotated could not be noted: {error}",
                    secret.reference
                ));
            }
        }
        self.tools.journal.close(open).map_err(Stuck::Store)
    }

    /// Brings the targets that are `readable`, or those that are not, to their new values: all
    /// stores at once, each with all that is its.
    async fn bring(&self, open: &mut Open, readable: bool, fresh: bool) -> Result<()> {
        let concerned = |step: &&Step| step.readable == readable;
        let references = open.change.steps.iter().filter(concerned);
        let look = match fresh {
            true => None,
            false => Some(Look::at(self.stores, references.map(|target| &target.reference)).await),
        };
        let mut writes: BTreeMap<StoreName, Vec<usize>> = BTreeMap::new();
        let mut changed = false;
        for (at, target) in open.change.steps.iter_mut().enumerate() {
            if target.readable != readable {
                continue;
            }
            let todo = match &look {
                Some(look) => target.forward(&look.of(&target.reference)?),
                None => Forward::Write,
            };
            let state = match todo {
                Forward::Done => State::Written,
                Forward::Write => State::Unclear,
                Forward::Changed => return Err(changed_underneath(&target.reference)),
            };
            if todo == Forward::Write {
                let store = target.reference.store.clone();
                writes.entry(store).or_default().push(at);
            }
            changed |= target.state != state;
            target.state = state;
        }
        if changed {
            self.tools.journal.keep(open)?;
        }
        let open = RefCell::new(open);
        let written = writes
            .iter()
            .map(|(store, targets)| self.write_in(store, targets, &open));
        let results: Vec<Result<()>> = join_all(written).await;
        results.into_iter().collect()
    }

    /// Writes the new values of `targets`, all in `store`, in one batch, reads them back where that
    /// can be done, and records how far they are.
    async fn write_in(
        &self,
        store: &StoreName,
        targets: &[usize],
        open: &RefCell<&mut Open>,
    ) -> Result<()> {
        let writes: Vec<Write> = {
            let open = open.borrow();
            let targets = targets.iter().map(|at| open.change.steps[*at].write());
            targets.collect()
        };
        let written = self.write_and_compare(store, writes).await;
        let mut open = open.borrow_mut();
        let mut first = Ok(());
        for (at, result) in targets.iter().zip(written) {
            let target = &mut open.change.steps[*at];
            match result {
                Ok(()) => target.state = State::Written,
                Err(error) => {
                    if !target.readable && self.is_untouched(&target.reference, &error) {
                        target.state = State::Untouched;
                    }
                    if first.is_ok() {
                        first = Err(error.store(store.as_str()));
                    }
                }
            }
        }
        // What is on the disk says less than is known now, and nothing wrong: a disk that is full
        // must not keep the rotation from going on.
        let _ = self.tools.journal.keep(&mut open);
        first
    }

    /// Writes in one batch and, where values can be read, compares: a result for each.
    pub(super) async fn write_and_compare(
        &self,
        store: &StoreName,
        writes: Vec<Write>,
    ) -> Vec<Result<()>> {
        let sent = writes.iter();
        let sent = sent.map(|write| (write.name.clone(), write.value.clone()));
        let sent: Vec<(Name, SecretValue)> = sent.collect();
        let written = async {
            let store = self.store(store)?;
            let if_absent = false;
            let outcomes = store.write(Batch { writes, if_absent }).await?;
            let names = sent.iter().map(|(name, _)| name.clone()).collect();
            let read = match store.can(Capability::Read) {
                true => Some(store.read(&Selection::Names(names)).await),
                false => None,
            };
            Ok((outcomes, read))
        };
        let written = written.await;
        self.progressed();
        let (outcomes, read) = match written {
            Ok(written) => written,
            Err(error) => return vec![Err(error); sent.len()],
        };
        let results = outcomes.into_iter().zip(&sent);
        let results = results.map(|(outcome, (name, value))| {
            outcome.result?;
            match &read {
                None => Ok(()),
                Some(Ok(read)) if read.get(name) == Some(value) => Ok(()),
                Some(Ok(_)) => Err(Error::conflict(format!(
                    "{name} was written, but holds another value than was sent"
                ))),
                Some(Err(error)) => Err(error
                    .clone()
                    .context(format!("{name} was written, but could not be read back"))),
            }
        });
        results.collect()
    }

    /// Whether the `error` of writing `target`, whose value cannot be read, says for sure that it is
    /// as it was.
    fn is_untouched(&self, target: &Reference, error: &Error) -> bool {
        let refused = match error.kind() {
            Kind::Usage
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Unsupported
            | Kind::RateLimited
            | Kind::Config
            | Kind::Untrusted => true,
            // Something in between may say so of what it has let through.
            Kind::Unauthenticated | Kind::Forbidden => error.cause() == Cause::Refused,
            _ => false,
        };
        refused && !self.is_replacing(target)
    }

    /// Whether `target` may be absent right now, in the middle of a step of its provider's that was
    /// interrupted.
    pub(super) fn is_replacing(&self, target: &Reference) -> bool {
        let open = self.tools.journal.replacements(Some(&target.store));
        // One that cannot be read may well be this one.
        open.map_or(true, |open| {
            let mut open = open.iter();
            open.any(|open| {
                open.as_ref()
                    .map_or(true, |open| open.change.secret == *target)
            })
        })
    }

    /// Has the verify command check the new value once for each target that is `readable`, or for
    /// each that is not. It gets the rotation's one value, also for targets that are made from it:
    /// so the same command serves all of them.
    async fn verify(&self, open: &Open, readable: bool) -> Result<()> {
        let change = &open.change;
        let (Some(command), Some(secret)) = (&change.verify, change.steps.first()) else {
            return Ok(());
        };
        for target in &change.steps {
            if target.readable == readable {
                let verified = self
                    .tools
                    .hooks
                    .verify(command, &target.reference, &secret.new);
                let verified = verified.await;
                // The time that took was nobody's network.
                self.progressed();
                verified?;
            }
        }
        Ok(())
    }

    /// Which secrets the names of each store stand for.
    pub(super) async fn scopes(&self) -> Result<BTreeMap<StoreName, Scope>> {
        let mut scopes = BTreeMap::new();
        for (name, store) in self.stores {
            scopes.insert(name.clone(), store.scope().await?);
        }
        Ok(scopes)
    }

    /// Checks that the stores of an interrupted rotation still lead where they led.
    pub(super) async fn check_scopes(&self, open: &Open) -> Result<()> {
        let scopes = self.scopes().await?;
        let mut steps = open.change.steps.iter();
        match steps.find(|step| scopes.get(&step.reference.store) != Some(&step.scope)) {
            None => Ok(()),
            Some(Step { reference, .. }) => Err(Error::conflict(format!(
                "the store {} does not lead where it led when the rotation of {} was begun",
                reference.store, open.change.secret
            ))
            .hint("give it the settings and the account that it had then, and try again")
            .store(reference.store.as_str())),
        }
    }

    pub(super) fn store(&self, name: &StoreName) -> Result<&Store> {
        self.stores
            .get(name)
            .ok_or_else(|| Error::failed(format!("the store {name} is not open")))
    }

    /// Moves the deadline on.
    pub(super) fn progressed(&self) {
        self.tools.services.http.deadline().progressed();
    }
}

/// The error for a target that somebody else has changed meanwhile.
pub(super) fn changed_underneath(target: &Reference) -> Error {
    Error::conflict(format!(
        "{target} was changed by somebody else since the rotation was begun"
    ))
    .hint("keyfob rotate --undo --accept-no-undo reverts the others and leaves it as it is")
}

/// How `open` stands.
pub fn report(open: &Open, outcome: Outcome, error: Option<Error>) -> Report {
    let targets = open.change.steps.iter();
    Report {
        secret: open.change.secret.clone(),
        outcome,
        targets: targets
            .map(|target| (target.reference.clone(), target.state))
            .collect(),
        error,
    }
}
