//! Back to the old values: after a failure, or after a crash when the user wants that.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::engine::{Engine, Outcome, Report, changed_underneath, report};
use super::ledger::Open;
use super::look::Look;
use super::record::{Back, Direction, Old, State};
use crate::words::batch::Write;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

/// A target, or the rotation itself, that could not be taken back.
struct Left {
    error: Error,
    /// Whether trying again would not help.
    is_final: bool,
}

impl Left {
    /// What may work another time.
    fn for_now(error: Error) -> Self {
        Self {
            error,
            is_final: false,
        }
    }

    /// What nothing can change.
    fn for_good(error: Error) -> Self {
        Self {
            error,
            is_final: true,
        }
    }
}

/// What is to be done in one store.
#[derive(Default)]
struct Work {
    writes: Vec<(usize, Write)>,
    deletes: Vec<(usize, Name)>,
    /// Those whose new value must at least be there, as nothing is.
    finishes: Vec<(usize, Write)>,
}

impl Engine<'_> {
    /// Undoes an interrupted rotation; `None` where another process has closed it. With
    /// `accept` what cannot be undone is left as it is, and the rotation closed.
    ///
    /// # Errors
    /// As [`Ledger::claim`](super::ledger::Ledger::claim).
    pub async fn undo(&self, open: &Open, accept: bool) -> Result<Option<Report>> {
        let Some((mut open, _claim)) = self.ledger.claim(open)? else {
            return Ok(None);
        };
        if let Err(error) = self.check_scopes(&open).await {
            return Ok(Some(report(&open, Outcome::Open, Some(error))));
        }
        Ok(Some(match self.back(&mut open).await {
            Ok(()) => report(&open, Outcome::RolledBack, None),
            // Only what nobody can change is left alone: a store that cannot be reached can be
            // undone later.
            Err(left) if accept && left.iter().all(|left| left.is_final) => {
                match self.ledger.close(&open) {
                    Ok(()) => report(&open, Outcome::Abandoned, None),
                    Err(error) => report(&open, Outcome::Open, Some(error)),
                }
            }
            Err(left) => report(&open, Outcome::Open, Some(summary(&left))),
        }))
    }

    /// Rolls back after `cause`.
    pub(super) async fn roll_back(&self, open: &mut Open, cause: Error) -> Report {
        // Whatever time the command has is for getting back.
        self.progressed();
        match self.back(open).await {
            Ok(()) => {
                let error = cause.context(format!(
                    "{} was not rotated, and everything is as it was",
                    open.rotation.secret
                ));
                report(open, Outcome::RolledBack, Some(error))
            }
            Err(left) => {
                let left = summary(&left);
                let mut error = Error::partial(format!(
                    "the rotation failed ({cause}), and could not be rolled back everywhere: {left}"
                ));
                if let Some(store) = cause.store_name() {
                    error = error.store(store);
                }
                let error = error
                    .hint("keyfob rotate --list shows it; --resume tries again, --undo goes back");
                report(open, Outcome::Open, Some(error))
            }
        }
    }

    /// Back to the old values, and closes the rotation. What is left, and why, where that is not
    /// possible everywhere.
    async fn back(&self, open: &mut Open) -> Result<(), Vec<Left>> {
        if open.rotation.direction != Direction::Back {
            open.rotation.direction = Direction::Back;
            // What is on the disk leads back as well, only without saying so.
            let _ = self.ledger.keep(open);
        }
        let touched = open.rotation.targets.iter();
        let touched = touched.filter(|target| target.state != State::Untouched);
        let look = Look::at(self.stores, touched.map(|target| &target.reference)).await;
        let mut left = Vec::new();
        let mut work: BTreeMap<StoreName, Work> = BTreeMap::new();
        for (at, target) in open.rotation.targets.iter_mut().enumerate() {
            if target.state == State::Untouched {
                continue;
            }
            let reference = &target.reference;
            let back = match look.of(reference) {
                Ok(seen) => target.back(&seen),
                Err(error) => {
                    left.push(Left::for_now(error));
                    continue;
                }
            };
            let in_store = || reference.store.clone();
            match (back, &target.old) {
                (Back::Done, _) => target.state = State::Untouched,
                (Back::Write, Old::Value(old)) => {
                    let write = (at, write_of(&reference.name, old));
                    work.entry(in_store()).or_default().writes.push(write);
                }
                (Back::Delete, _) => {
                    let delete = (at, reference.name.clone());
                    work.entry(in_store()).or_default().deletes.push(delete);
                }
                (Back::Changed, _) => {
                    left.push(Left::for_good(changed_underneath(reference)));
                }
                (Back::Write | Back::Impossible, _) => {
                    let replacing = self
                        .store(&reference.store)
                        .is_ok_and(|store| self.is_replacing(store, &reference.name));
                    if replacing {
                        let write = (at, write_of(&reference.name, &target.new));
                        work.entry(in_store()).or_default().finishes.push(write);
                    } else {
                        left.push(Left::for_good(irrevocable(reference, target.state)));
                    }
                }
            }
        }
        let undone = work
            .iter()
            .map(|(store, work)| async move { (store, self.undo_in(store, work).await) });
        for (store, results) in join_all(undone).await {
            for (at, result) in results {
                let target = &mut open.rotation.targets[at];
                match result {
                    Ok(state) => {
                        target.state = state;
                        if state == State::Written {
                            let error = irrevocable(&target.reference, state);
                            left.push(Left::for_good(error));
                        }
                    }
                    Err(error) => left.push(Left::for_now(error.store(store.as_str()))),
                }
            }
        }
        let _ = self.ledger.keep(open);
        if left.iter().all(|left| left.is_final)
            && let Err(error) = self.tell(open).await
        {
            // Its text is in the journal: a command that never works must not keep it open.
            left.push(Left::for_good(error));
        }
        if left.is_empty() {
            match self.ledger.close(open) {
                Ok(()) => return Ok(()),
                Err(error) => left.push(Left::for_now(error)),
            }
        }
        Err(left)
    }

    /// Does one store's part of going back: what state each target is in then.
    async fn undo_in(&self, store: &StoreName, work: &Work) -> Vec<(usize, Result<State>)> {
        let store = match self.store(store) {
            Ok(store) => store,
            Err(error) => {
                let all = work.writes.iter().chain(&work.finishes).map(|(at, _)| *at);
                let all = all.chain(work.deletes.iter().map(|(at, _)| *at));
                return all.map(|at| (at, Err(error.clone()))).collect();
            }
        };
        let mut results = Vec::new();
        for (writes, state) in [
            (&work.writes, State::Untouched),
            (&work.finishes, State::Written),
        ] {
            if writes.is_empty() {
                continue;
            }
            let batch = writes.iter().map(|(_, write)| write.clone()).collect();
            let written = self.write_and_compare(store, batch).await;
            self.progressed();
            let written = written.into_iter().map(|result| result.map(|()| state));
            results.extend(writes.iter().map(|(at, _)| *at).zip(written));
        }
        if !work.deletes.is_empty() {
            let names: Vec<Name> = work.deletes.iter().map(|(_, name)| name.clone()).collect();
            let deleted: Vec<Result<State>> = match store.delete(&names).await {
                Ok(outcomes) => outcomes
                    .into_iter()
                    .map(|outcome| match outcome.result {
                        Err(error) if error.kind() != Kind::NotFound => Err(error),
                        _ => Ok(State::Untouched),
                    })
                    .collect(),
                Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
            };
            self.progressed();
            results.extend(work.deletes.iter().map(|(at, _)| *at).zip(deleted));
        }
        results
    }

    /// Runs the command that is told of a rollback, once.
    async fn tell(&self, open: &mut Open) -> Result<()> {
        let rotation = &mut open.rotation;
        let Some(command) = rotation
            .on_rollback
            .clone()
            .filter(|_| !rotation.told_rollback)
        else {
            return Ok(());
        };
        let old = rotation
            .targets
            .first()
            .and_then(|secret| match &secret.old {
                Old::Value(old) => Some(old),
                _ => None,
            });
        let told = self
            .hooks
            .rolled_back(&command, &rotation.secret, old)
            .await;
        self.progressed();
        told?;
        rotation.told_rollback = true;
        let _ = self.ledger.keep(open);
        Ok(())
    }
}

fn write_of(name: &Name, value: &SecretValue) -> Write {
    Write::new(name.clone(), value.clone())
}

fn irrevocable(target: &Reference, state: State) -> Error {
    let holds = match state {
        State::Written => "has",
        _ => "may have",
    };
    Error::unsupported(format!(
        "{target} {holds} the new value, and the old one is not known"
    ))
    .hint("keyfob rotate --resume brings the others to the new value too; keyfob rotate --undo --accept-no-undo leaves it so")
}

/// What is left, in one error.
fn summary(left: &[Left]) -> Error {
    let messages: Vec<&str> = left.iter().map(|left| left.error.message()).collect();
    let error = Error::partial(messages.join("; "));
    match left.iter().find_map(|left| left.error.hint_text()) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
