//! Carrying a rotation out: to the new values, or back to the old ones; from the beginning, or from
//! wherever the journal says that it was interrupted.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::history::History;
use super::hooks::Hooks;
use super::ledger::{Ledger, Open};
use super::look::{Look, Stores};
use super::plan::Plan;
use super::record::{Direction, Forward, State, Target};
use crate::providers::{Capability, Services, open_replacements};
use crate::store::Store;
use crate::words::batch::{Batch, Metadata, Selection, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

/// What rotations are carried out with.
pub struct Engine<'a> {
    /// The stores of all targets, open.
    pub stores: &'a Stores,
    /// The rotations on the disk.
    pub ledger: &'a Ledger,
    /// What the stores work with.
    pub services: &'a Services,
    /// The rotations' commands.
    pub hooks: &'a Hooks<'a>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Outcome {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
            Self::Replaced => "replaced",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
        }
    }
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
    /// As [`Ledger::claim`].
    pub async fn resume(&self, open: &Open) -> Result<Option<Report>> {
        let Some((mut open, _claim)) = self.ledger.claim(open)? else {
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
        let turned = open.rotation.direction == Direction::Back || open.rotation.told_rollback;
        if turned {
            open.rotation.direction = Direction::Forward;
            open.rotation.told_rollback = false;
            self.ledger.keep(open).map_err(Stuck::Store)?;
        }
        for readable in [true, false] {
            self.bring(open, readable, fresh)
                .await
                .map_err(Stuck::Store)?;
            self.verify(open, readable).await.map_err(Stuck::Verify)?;
        }
        // A record that cannot be kept only makes the secret due earlier.
        if let Some(secret) = open.rotation.targets.first() {
            let history = History::new(&self.services.folders);
            let noted = history.note(&secret.scope, &secret.reference.name, Timestamp::now());
            if let Err(error) = noted {
                (self.services.notice)(&format!(
                    "when {} was rotated could not be noted: {error}",
                    secret.reference
                ));
            }
        }
        self.ledger.close(open).map_err(Stuck::Store)
    }

    /// Brings the targets that are `readable`, or those that are not, to their new values: all
    /// stores at once, each with all that is its.
    async fn bring(&self, open: &mut Open, readable: bool, fresh: bool) -> Result<()> {
        let concerned = |target: &&Target| target.readable == readable;
        let references = open.rotation.targets.iter().filter(concerned);
        let look = match fresh {
            true => None,
            false => Some(Look::at(self.stores, references.map(|target| &target.reference)).await),
        };
        let mut writes: BTreeMap<StoreName, Vec<usize>> = BTreeMap::new();
        let mut changed = false;
        for (at, target) in open.rotation.targets.iter_mut().enumerate() {
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
            self.ledger.keep(open)?;
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
        let store = self.store(store)?;
        let writes: Vec<Write> = {
            let open = open.borrow();
            let targets = targets.iter().map(|at| &open.rotation.targets[*at]);
            targets.map(write_of).collect()
        };
        let written = self.write_and_compare(store, writes).await;
        self.progressed();
        let mut open = open.borrow_mut();
        let mut first = Ok(());
        for (at, result) in targets.iter().zip(written) {
            let target = &mut open.rotation.targets[*at];
            match result {
                Ok(()) => target.state = State::Written,
                Err(error) => {
                    if !target.readable && self.is_untouched(store, &target.reference.name, &error)
                    {
                        target.state = State::Untouched;
                    }
                    if first.is_ok() {
                        first = Err(error.store(store.name().as_str()));
                    }
                }
            }
        }
        // What is on the disk says less than is known now, and nothing wrong: a disk that is full
        // must not keep the rotation from going on.
        let _ = self.ledger.keep(&mut open);
        first
    }

    /// Writes in one batch and, where values can be read, compares: a result for each.
    pub(super) async fn write_and_compare(
        &self,
        store: &Store,
        writes: Vec<Write>,
    ) -> Vec<Result<()>> {
        let expected: Vec<(Name, SecretValue)> = writes
            .iter()
            .map(|write| (write.name.clone(), write.value.clone()))
            .collect();
        let batch = Batch {
            writes,
            if_absent: false,
        };
        let outcomes = match store.write(batch).await {
            Ok(outcomes) => outcomes,
            Err(error) => return expected.iter().map(|_| Err(error.clone())).collect(),
        };
        let results = outcomes.into_iter().map(|outcome| outcome.result.map(drop));
        let mut results: Vec<Result<()>> = results.collect();
        if !store.can(Capability::Read) {
            return results;
        }
        let names = expected.iter().map(|(name, _)| name.clone()).collect();
        let read = store.read(&Selection::Names(names)).await;
        for ((name, value), result) in expected.iter().zip(&mut results) {
            if result.is_err() {
                continue;
            }
            *result = match &read {
                Ok(read) if read.get(name) == Some(value) => Ok(()),
                Ok(_) => Err(Error::conflict(format!(
                    "{name} was written, but holds another value than was sent"
                ))),
                Err(error) => Err(error
                    .clone()
                    .context(format!("{name} was written, but could not be read back"))),
            };
        }
        results
    }

    /// Whether the `error` of writing `name`, whose value cannot be read, says for sure that it is
    /// as it was.
    fn is_untouched(&self, store: &Store, name: &Name, error: &Error) -> bool {
        let refused = matches!(
            error.kind(),
            Kind::Usage
                | Kind::NotFound
                | Kind::Unauthenticated
                | Kind::Forbidden
                | Kind::Conflict
                | Kind::Unsupported
                | Kind::RateLimited
                | Kind::Config
                | Kind::Untrusted
        );
        refused && !self.is_replacing(store, name)
    }

    /// Whether `name` may be absent right now, in the middle of a replacement that was interrupted.
    pub(super) fn is_replacing(&self, store: &Store, name: &Name) -> bool {
        if store.replacements().is_none() {
            return false;
        }
        match open_replacements(self.services, Some(store.name())) {
            Ok(open) => open.iter().any(|open| match open {
                Ok(open) => open.name == *name,
                // One that cannot be read may well be this one.
                Err(_) => true,
            }),
            Err(_) => true,
        }
    }

    /// Has the verify command check the new value once for each target that is `readable`, or for
    /// each that is not. It gets the rotation's one value, also for targets that are made from it:
    /// so the same command serves all of them.
    async fn verify(&self, open: &Open, readable: bool) -> Result<()> {
        let rotation = &open.rotation;
        let (Some(command), Some(secret)) = (&rotation.verify, rotation.targets.first()) else {
            return Ok(());
        };
        for target in &open.rotation.targets {
            if target.readable == readable {
                let verified = self.hooks.verify(command, &target.reference, &secret.new);
                let verified = verified.await;
                // The time that took was nobody's network.
                self.progressed();
                verified?;
            }
        }
        Ok(())
    }

    /// Checks that the stores of an interrupted rotation still lead where they led.
    pub(super) async fn check_scopes(&self, open: &Open) -> Result<()> {
        let mut scopes = BTreeMap::new();
        for target in &open.rotation.targets {
            let name = &target.reference.store;
            if !scopes.contains_key(name) {
                scopes.insert(name, self.store(name)?.scope().await?);
            }
            if scopes.get(name) != Some(&target.scope) {
                return Err(Error::conflict(format!(
                    "the store {name} does not lead where it led when the rotation of {} was begun",
                    open.rotation.secret
                ))
                .hint("give it the settings and the account that it had then, and try again")
                .store(name.as_str()));
            }
        }
        Ok(())
    }

    pub(super) fn store(&self, name: &StoreName) -> Result<&Store> {
        self.stores
            .get(name)
            .ok_or_else(|| Error::failed(format!("the store {name} is not open")))
    }

    /// Moves the deadline on.
    pub(super) fn progressed(&self) {
        self.services.http.deadline().progressed();
    }
}

pub(super) fn write_of(target: &Target) -> Write {
    Write {
        name: target.reference.name.clone(),
        value: target.new.clone(),
        metadata: Metadata {
            attributes: target.attributes.clone(),
            ..Metadata::default()
        },
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
    let targets = open.rotation.targets.iter();
    Report {
        secret: open.rotation.secret.clone(),
        outcome,
        targets: targets
            .map(|target| (target.reference.clone(), target.state))
            .collect(),
        error,
    }
}
