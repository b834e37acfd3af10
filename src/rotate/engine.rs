//! Carrying a rotation out: to the new values, or back to the old ones; from the beginning, or from
//! wherever the journal says that it was interrupted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::history::History;
use super::look::Look;
use super::next::Forward;
use super::plan::Plan;
use super::tools::{Stores, Tools};
use crate::journal::{Claim, Direction, Open, State, Step};
use crate::store::Store;
use crate::words::batch::{Batch, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Reference, SecretValue, StoreName};

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

/// A rotation that is on the disk, and of which nothing is written yet.
pub(super) struct Prepared {
    /// It.
    pub open: Open,
    /// What keeps others from rotating its secrets.
    pub claim: Claim,
    /// What was seen of its targets.
    pub look: Look,
}

/// Why a rotation did not get on.
pub(super) struct Stuck {
    error: Error,
    /// Whether a verify command says that the new value does not work; otherwise a store did not do
    /// what it was asked to, or a target is not what it was.
    verify: bool,
    /// The targets that somebody else changed before anything was written there.
    theirs: BTreeSet<Reference>,
}

impl Stuck {
    fn verify(error: Error) -> Self {
        Self {
            verify: true,
            ..Self::from(error)
        }
    }
}

impl From<Error> for Stuck {
    fn from(error: Error) -> Self {
        Self {
            error,
            verify: false,
            theirs: BTreeSet::new(),
        }
    }
}

/// What is to be written to a target.
struct Todo {
    /// Which of the steps it is.
    at: usize,
    /// What it is to [expect](Write::expected).
    expected: Option<u32>,
}

impl Engine<'_> {
    /// Carries `plan` out, with the value `given` where the command line brought it. When anything
    /// fails, everything is rolled back that can be.
    pub async fn rotate(&self, plan: &Plan, given: Option<SecretValue>) -> Report {
        let Prepared {
            mut open,
            claim: _claim,
            look,
        } = match self.prepare(plan, given).await {
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
        match self.forward(&mut open, Some(&look)).await {
            Ok(()) => report(&open, Outcome::Rotated, None),
            Err(Stuck { error, theirs, .. }) => self.roll_back(&mut open, error, &theirs).await,
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
        Ok(Some(match self.forward(&mut open, None).await {
            Ok(()) => report(&open, Outcome::Rotated, None),
            Err(Stuck {
                error,
                verify: true,
                theirs,
            }) => self.roll_back(&mut open, error, &theirs).await,
            Err(Stuck { error, .. }) => {
                let _ = self.tools.journal.keep(&mut open);
                report(&open, Outcome::Open, Some(error))
            }
        }))
    }

    /// To the new values. `fresh` is what was seen of the targets of a rotation that was prepared a
    /// moment ago.
    async fn forward(&self, open: &mut Open, fresh: Option<&Look>) -> Result<(), Stuck> {
        let turned = open.change.direction == Direction::Back || open.change.told_rollback;
        if turned {
            open.change.direction = Direction::Forward;
            open.change.told_rollback = false;
            self.tools.journal.keep(open)?;
        }
        for readable in [true, false] {
            if !open
                .change
                .steps
                .iter()
                .any(|step| step.readable == readable)
            {
                continue;
            }
            self.bring(open, readable, fresh).await?;
            let verified = self.verify(open, readable).await;
            let took_time = verified.map_err(Stuck::verify)? || !readable;
            // What is said in the end, and what cannot be taken back, stands on what is there then.
            if took_time {
                self.confirm(open).await?;
            }
        }
        // A record that cannot be kept only makes the secret due earlier.
        let history = History::new(&self.tools.services.folders);
        let steps = open.change.steps.iter();
        let places = steps.map(|step| (&step.scope, &step.reference.name));
        if let Err(error) = history.note(places, Timestamp::now()) {
            (self.tools.services.notice)(&format!(
                "when {} was rotated could not be noted: {error}",
                open.change.secret
            ));
        }
        Ok(self.tools.journal.close(open)?)
    }

    /// Reads all targets that can be read once more, and says how far each is.
    ///
    /// # Errors
    /// `conflict` where one has not its new value any more.
    async fn confirm(&self, open: &mut Open) -> Result<()> {
        let readable = open.change.steps.iter().filter(|step| step.readable);
        let look = Look::at(self.stores, readable.map(|step| &step.reference)).await;
        self.progressed();
        let mut first = Ok(());
        let readable = open.change.steps.iter_mut().filter(|step| step.readable);
        for step in readable {
            let seen = look.of(&step.reference);
            let result = match seen.map(|seen| step.shown_by(&seen)) {
                Ok(Some(State::Written)) => Ok(()),
                Ok(shown) => {
                    step.state = shown.unwrap_or(step.state);
                    Err(changed_underneath(&step.reference))
                }
                Err(error) => Err(error.context(format!(
                    "{} was written, but could not be read at the end",
                    step.reference
                ))),
            };
            first = first.and(result);
        }
        first
    }

    /// Brings the targets that are `readable`, or those that are not, to their new values: all
    /// stores at once, each with all that is its. What can be read is read back.
    async fn bring(
        &self,
        open: &mut Open,
        readable: bool,
        fresh: Option<&Look>,
    ) -> Result<(), Stuck> {
        let concerned = |step: &&Step| step.readable == readable;
        let references = open.change.steps.iter().filter(concerned);
        let references: Vec<Reference> = references.map(|step| step.reference.clone()).collect();
        let now = match fresh {
            Some(_) => None,
            None => Some(Look::at(self.stores, &references).await),
        };
        let mut writes: BTreeMap<StoreName, Vec<Todo>> = BTreeMap::new();
        let mut changed = false;
        for (at, target) in open.change.steps.iter_mut().enumerate() {
            if target.readable != readable {
                continue;
            }
            let reference = &target.reference;
            let todo = match &now {
                Some(look) => target.forward(&look.of(reference)?),
                None => Forward::Write,
            };
            let state = match todo {
                Forward::Done => State::Written,
                Forward::Write => State::Unclear,
                Forward::Changed => {
                    let error = changed_underneath(reference);
                    target.state = State::Changed;
                    return Err(error.into());
                }
            };
            if todo == Forward::Write {
                let look = now.as_ref().or(fresh);
                let expected = look.and_then(|look| look.expected(reference));
                let todo = Todo { at, expected };
                writes
                    .entry(reference.store.clone())
                    .or_default()
                    .push(todo);
            }
            changed |= target.state != state;
            target.state = state;
        }
        if changed {
            self.tools.journal.keep(open)?;
        }
        let cell = RefCell::new(&mut *open);
        let written = writes
            .iter()
            .map(|(store, todo)| self.write_in(store, todo, &cell));
        let results: Vec<Result<(), Stuck>> = join_all(written).await;
        let mut stuck: Option<Stuck> = None;
        for other in results.into_iter().filter_map(Result::err) {
            match &mut stuck {
                Some(stuck) => stuck.theirs.extend(other.theirs),
                None => stuck = Some(other),
            }
        }
        let compared = match stuck {
            Some(stuck) => Err(stuck),
            None if readable && !writes.is_empty() => {
                Ok(self.compare(open, &Look::at(self.stores, &references).await)?)
            }
            None => Ok(()),
        };
        self.progressed();
        // What is on the disk says less than is known now, and nothing wrong: a disk that is full
        // must not keep the rotation from going on.
        let _ = self.tools.journal.keep(open);
        compared
    }

    /// Writes the new values of `targets`, all in `store`, in one batch, and says how far they are.
    async fn write_in(
        &self,
        store: &StoreName,
        targets: &[Todo],
        open: &RefCell<&mut Open>,
    ) -> Result<(), Stuck> {
        let writes: Vec<Write> = {
            let open = open.borrow();
            let write = |todo: &Todo| Write {
                expected: todo.expected,
                ..open.change.steps[todo.at].write()
            };
            targets.iter().map(write).collect()
        };
        let written = self.write(store, writes).await;
        let mut open = open.borrow_mut();
        let mut stuck: Option<Stuck> = None;
        for (todo, result) in targets.iter().zip(written) {
            let target = &mut open.change.steps[todo.at];
            match result {
                Ok(()) if !target.readable => target.state = State::Written,
                // It is read back.
                Ok(()) => {}
                Err(error) => {
                    let theirs = error.kind() == Kind::Conflict && todo.expected.is_some();
                    if theirs {
                        target.state = State::Changed;
                    } else if !target.readable && self.is_untouched(&target.reference, &error) {
                        target.state = State::Untouched;
                    }
                    let error = match theirs {
                        true => changed_underneath(&target.reference),
                        false => error.store(store.as_str()),
                    };
                    let stuck = stuck.get_or_insert_with(|| error.into());
                    if theirs {
                        stuck.theirs.insert(target.reference.clone());
                    }
                }
            }
        }
        stuck.map_or(Ok(()), Err)
    }

    /// Writes in one batch: a result for each.
    pub(super) async fn write(&self, store: &StoreName, writes: Vec<Write>) -> Vec<Result<()>> {
        let count = writes.len();
        let if_absent = false;
        let written = async { self.store(store)?.write(Batch { writes, if_absent }).await };
        let written = written.await;
        self.progressed();
        match written {
            Ok(outcomes) => {
                let outcomes = outcomes.into_iter();
                outcomes.map(|outcome| outcome.result.map(drop)).collect()
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// Says how far the targets are that were written, by what was read of them after.
    ///
    /// # Errors
    /// `conflict` for one that has another value than was sent; what a store answered instead.
    fn compare(&self, open: &mut Open, look: &Look) -> Result<()> {
        let mut first = Ok(());
        for step in open.change.steps.iter_mut().filter(|step| step.readable) {
            let name = &step.reference.name;
            let result = match look.of(&step.reference) {
                Ok(seen) => {
                    step.state = step.shown_by(&seen).unwrap_or(step.state);
                    match step.state {
                        State::Written => Ok(()),
                        _ => Err(Error::conflict(format!(
                            "{name} was written, but holds another value than was sent"
                        ))),
                    }
                }
                Err(error) => {
                    Err(error.context(format!("{name} was written, but could not be read back")))
                }
            };
            first = first.and(result.map_err(|error| error.store(step.reference.store.as_str())));
        }
        first
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
    /// each that is not; tells whether there is one. It gets the rotation's one value, also for
    /// targets that are made from it: so the same command serves all of them.
    async fn verify(&self, open: &Open, readable: bool) -> Result<bool> {
        let change = &open.change;
        let (Some(command), Some(secret)) = (&change.verify, change.steps.first()) else {
            return Ok(false);
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
        Ok(true)
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
