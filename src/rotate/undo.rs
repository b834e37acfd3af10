//! Back to the old values: after a failure, or after a crash when the user wants that.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::engine::{Engine, Outcome, Report, changed_underneath, report};
use super::look::Look;
use super::next::Back;
use crate::journal::{Direction, Old, Open, State, Step};
use crate::words::batch::Write;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

/// Why a target, or the rotation itself, could not be taken back.
enum Left {
    /// It may be another time.
    ForNow(Error),
    /// Nothing can change that.
    ForGood(Error),
}

impl Left {
    fn is_final(&self) -> bool {
        matches!(self, Self::ForGood(_))
    }

    fn error(&self) -> &Error {
        match self {
            Self::ForNow(error) | Self::ForGood(error) => error,
        }
    }
}

/// What is to be done in one store.
#[derive(Default)]
struct Work {
    /// Values to be written.
    writes: Vec<(usize, Write)>,
    deletes: Vec<(usize, Name)>,
}

impl Engine<'_> {
    /// Undoes an interrupted rotation; `None` where another process has closed it. With
    /// `accept` what cannot be undone is left as it is, and the rotation closed.
    ///
    /// # Errors
    /// As [`Journal::claim`](crate::journal::Journal::claim).
    pub async fn undo(&self, open: &Open, accept: bool) -> Result<Option<Report>> {
        let Some((mut open, _claim)) = self.tools.journal.claim(open)? else {
            return Ok(None);
        };
        if let Err(error) = self.check_scopes(&open).await {
            return Ok(Some(report(&open, Outcome::Open, Some(error))));
        }
        Ok(Some(match self.back(&mut open, &BTreeSet::new()).await {
            Ok(()) => report(&open, Outcome::RolledBack, None),
            // Only what nobody can change is left alone: a store that cannot be reached can be
            // undone later.
            Err(left) if accept && left.iter().all(Left::is_final) => {
                match self.tools.journal.close(&open) {
                    Ok(()) => report(&open, Outcome::Abandoned, None),
                    Err(error) => report(&open, Outcome::Open, Some(error)),
                }
            }
            Err(left) => report(&open, Outcome::Open, Some(summary(&left))),
        }))
    }

    /// Rolls back after `cause`. What is `theirs` was changed by somebody else before anything was
    /// written there, and is left as it is.
    pub(super) async fn roll_back(
        &self,
        open: &mut Open,
        cause: Error,
        theirs: &BTreeSet<Reference>,
    ) -> Report {
        // Whatever time the command has is for getting back.
        self.progressed();
        match self.back(open, theirs).await {
            Ok(()) => {
                let rest = match theirs.is_empty() {
                    true => "everything",
                    false => "everything else",
                };
                let mut error = cause.context(format!(
                    "{} was not rotated, and {rest} is as it was",
                    open.change.secret
                ));
                if !theirs.is_empty() {
                    error = error.hint("nothing is open; the same command tries it again");
                }
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

    /// Back to the old values, read back, and closes the rotation. What is left, and why, where that
    /// is not possible everywhere.
    async fn back(&self, open: &mut Open, theirs: &BTreeSet<Reference>) -> Result<(), Vec<Left>> {
        if open.change.direction != Direction::Back {
            open.change.direction = Direction::Back;
            // What is on the disk leads back as well, only without saying so.
            let _ = self.tools.journal.keep(open);
        }
        let is_touched =
            |target: &Step| target.state != State::Untouched && !theirs.contains(&target.reference);
        let touched = open.change.steps.iter();
        let touched = touched.filter(|target| is_touched(target));
        let look = Look::at(self.stores, touched.map(|target| &target.reference)).await;
        let mut left = Vec::new();
        // Those that get the new value again, as there is no other.
        let mut again = BTreeSet::new();
        let mut work: BTreeMap<StoreName, Work> = BTreeMap::new();
        for (at, target) in open.change.steps.iter_mut().enumerate() {
            if !is_touched(target) {
                continue;
            }
            let reference = &target.reference;
            let back = match look.of(reference) {
                Ok(seen) => target.back(&seen),
                Err(error) => {
                    left.push(Left::ForNow(error));
                    continue;
                }
            };
            let todo = work.entry(reference.store.clone()).or_default();
            let name = &reference.name;
            match (back, &target.old) {
                (Back::Done, _) => target.state = State::Untouched,
                (Back::Write, Old::Value(old)) => {
                    let expected = look.expected(reference);
                    let write = Write {
                        expected,
                        ..write_of(name, old)
                    };
                    todo.writes.push((at, write));
                }
                (Back::Delete, _) => todo.deletes.push((at, name.clone())),
                (Back::Changed, _) => {
                    left.push(Left::ForGood(changed_underneath(reference)));
                    target.state = State::Changed;
                }
                // The new value must at least be there, as nothing is.
                (Back::Write | Back::Impossible, _) if self.is_replacing(reference) => {
                    todo.writes.push((at, write_of(name, &target.new)));
                    again.insert(at);
                }
                (Back::Write | Back::Impossible, _) => {
                    left.push(Left::ForGood(irrevocable(reference, target.state)));
                }
            }
        }
        let undone = work
            .iter()
            .map(|(store, work)| async move { (store, self.undo_in(store, work).await) });
        let mut results: BTreeMap<usize, Result<()>> = BTreeMap::new();
        for (store, done) in join_all(undone).await {
            let done = done.into_iter();
            results.extend(
                done.map(|(at, result)| (at, result.map_err(|error| error.store(store.as_str())))),
            );
        }
        self.settle(open, results, &again, &mut left).await;
        let _ = self.tools.journal.keep(open);
        if left.iter().all(Left::is_final)
            && let Err(error) = self.tell(open).await
        {
            // Its text is in the journal: a command that never works must not keep it open.
            left.push(Left::ForGood(error));
        }
        if left.is_empty() {
            match self.tools.journal.close(open) {
                Ok(()) => return Ok(()),
                Err(error) => left.push(Left::ForNow(error)),
            }
        }
        Err(left)
    }

    /// Says how far the targets are to which something was done, with these `results`: by what is
    /// read of them then, and where nothing can be read by what the store said. Those in `again` got
    /// the new value. What is left is added to `left`.
    async fn settle(
        &self,
        open: &mut Open,
        results: BTreeMap<usize, Result<()>>,
        again: &BTreeSet<usize>,
        left: &mut Vec<Left>,
    ) {
        let deleted = |target: &Step| matches!(target.old, Old::Absent);
        let steps = open.change.steps.iter().enumerate();
        let seen = steps.filter(|(at, target)| {
            results.contains_key(at) && (target.readable || deleted(target))
        });
        let look = Look::at(self.stores, seen.map(|(_, target)| &target.reference)).await;
        self.progressed();
        for (at, result) in results {
            let target = &mut open.change.steps[at];
            if !target.readable && !deleted(target) {
                match result {
                    Ok(()) if again.contains(&at) => {
                        target.state = State::Written;
                        let error = irrevocable(&target.reference, State::Written);
                        left.push(Left::ForGood(error));
                    }
                    Ok(()) => target.state = State::Untouched,
                    Err(error) => left.push(Left::ForNow(error)),
                }
                continue;
            }
            let reference = &target.reference;
            match (look.of(reference), result) {
                (Ok(seen), _) if target.back(&seen) == Back::Done => {
                    target.state = State::Untouched;
                }
                (Ok(seen), _) if target.shown_by(&seen) == Some(State::Changed) => {
                    left.push(Left::ForGood(changed_underneath(reference)));
                    target.state = State::Changed;
                }
                (_, Err(error)) => left.push(Left::ForNow(error)),
                (Ok(_), Ok(())) => left.push(Left::ForNow(Error::conflict(format!(
                    "{reference} was put back, and is not as it was"
                )))),
                (Err(error), Ok(())) => left.push(Left::ForNow(error.context(format!(
                    "{reference} was put back, but could not be read at the end"
                )))),
            }
        }
    }

    /// Does one store's part of going back: what it said of each.
    async fn undo_in(&self, store: &StoreName, work: &Work) -> Vec<(usize, Result<()>)> {
        let mut results = Vec::new();
        if !work.writes.is_empty() {
            let batch = work.writes.iter().map(|(_, write)| write.clone());
            let written = self.write(store, batch.collect()).await;
            results.extend(work.writes.iter().map(|(at, _)| *at).zip(written));
        }
        if !work.deletes.is_empty() {
            let names: Vec<Name> = work.deletes.iter().map(|(_, name)| name.clone()).collect();
            let deleted = async { self.store(store)?.delete(&names).await };
            let deleted: Vec<Result<()>> = match deleted.await {
                Ok(outcomes) => outcomes
                    .into_iter()
                    .map(|outcome| match outcome.result {
                        Err(error) if error.kind() != Kind::NotFound => Err(error),
                        _ => Ok(()),
                    })
                    .collect(),
                Err(error) => vec![Err(error); names.len()],
            };
            self.progressed();
            results.extend(work.deletes.iter().map(|(at, _)| *at).zip(deleted));
        }
        results
    }

    /// Runs the command that is told of a rollback, once.
    async fn tell(&self, open: &mut Open) -> Result<()> {
        let change = &mut open.change;
        let Some(command) = change.on_rollback.clone().filter(|_| !change.told_rollback) else {
            return Ok(());
        };
        let old = change.steps.first().and_then(|secret| secret.old.value());
        let told = self
            .tools
            .hooks
            .rolled_back(&command, &change.secret, old)
            .await;
        self.progressed();
        told?;
        change.told_rollback = true;
        let _ = self.tools.journal.keep(open);
        Ok(())
    }
}

fn write_of(name: &Name, value: &SecretValue) -> Write {
    Write::new(name.clone(), value.clone())
}

fn irrevocable(target: &Reference, state: State) -> Error {
    let holds = match state {
        State::Written => "has",
        State::Untouched | State::Unclear | State::Changed => "may have",
    };
    Error::unsupported(format!(
        "{target} {holds} the new value, and the old one is not known"
    ))
    .hint("keyfob rotate --resume brings the others to the new value too; keyfob rotate --undo --accept-no-undo leaves it so")
}

/// What is left, in one error.
fn summary(left: &[Left]) -> Error {
    let messages: Vec<&str> = left.iter().map(|left| left.error().message()).collect();
    let error = Error::partial(messages.join("; "));
    match left.iter().find_map(|left| left.error().hint_text()) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
