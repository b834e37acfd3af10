//! Stores compared, and one brought to a wanted state: a plan first, made without asking anybody,
//! then its execution. Where the wanted state comes from, and whether the user agrees, is for
//! commands.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::Store;
use crate::words::batch::{Action, Batch, Outcome, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::Name;
use crate::written::Likeness;

mod difference;
mod held;
mod moving;
#[cfg(test)]
mod tests;

pub use difference::{Comparison, Difference};
pub use held::Held;
pub use moving::{Moving, Way};

/// What is to become of a secret.
#[derive(Clone, Debug)]
pub struct Step {
    /// The secret.
    pub name: Name,
    /// What is to be done.
    pub action: Action,
    /// Whether it is stored only because nobody can tell what is there.
    pub unknown: bool,
    /// Why it will not be done, where that is known already.
    pub refusal: Option<Error>,
    /// What its write is to [expect](Write::expected).
    expected: Option<u32>,
}

/// What is to become of each secret.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The wanted secrets in their order, then those that go, sorted.
    pub steps: Vec<Step>,
}

impl Plan {
    /// What makes `held` into `wanted`, in which no name comes twice; what does not pass `check`
    /// cannot be stored. Of what else is held, that goes of which `goes` says so, unless something
    /// cannot be stored.
    pub fn new(
        wanted: &[Write],
        held: &Held,
        check: impl Fn(&Write) -> Result<()>,
        goes: impl Fn(&Name) -> bool,
    ) -> Self {
        let step = |name: &Name, action, unknown| Step {
            name: name.clone(),
            action,
            unknown,
            refusal: None,
            expected: held.expected(name),
        };
        let mut steps: Vec<Step> = wanted
            .iter()
            .map(|write| {
                let (action, unknown) = match held.compare(&write.name, &write.value) {
                    None => (Action::Created, false),
                    Some(Likeness::Same) => (Action::Unchanged, false),
                    Some(Likeness::Other) => (Action::Updated, false),
                    Some(Likeness::Unknown) => (Action::Updated, true),
                };
                let refusal = match action {
                    Action::Unchanged => None,
                    _ => check(write).err(),
                };
                Step {
                    refusal,
                    ..step(&write.name, action, unknown)
                }
            })
            .collect();
        let refused = steps.iter().any(|step| step.refusal.is_some());
        let kept: BTreeSet<&Name> = wanted.iter().map(|write| &write.name).collect();
        let gone = held
            .names()
            .filter(|name| !kept.contains(name) && goes(name));
        steps.extend(gone.map(|name| Step {
            refusal: refused.then(kept_back),
            ..step(name, Action::Deleted, false)
        }));
        Self { steps }
    }

    /// The steps that are to be taken.
    fn taken(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.refusal.is_none())
    }

    /// How many secrets `action` is planned for.
    pub fn count(&self, action: Action) -> usize {
        self.taken().filter(|step| step.action == action).count()
    }

    /// How many it does nothing for, although that is wanted.
    pub fn refused(&self) -> usize {
        self.steps.len() - self.taken().count()
    }

    /// Whether it leaves everything as it is.
    pub fn is_nothing(&self) -> bool {
        self.taken().all(|step| step.action == Action::Unchanged)
    }

    /// The names of those that are stored.
    pub fn stored(&self) -> impl Iterator<Item = &Name> {
        self.writes().map(|step| &step.name)
    }

    fn writes(&self) -> impl Iterator<Item = &Step> {
        let writes = |action| matches!(action, Action::Created | Action::Updated);
        self.taken().filter(move |step| writes(step.action))
    }

    /// What it comes to when all else goes well.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let steps = self.steps.iter();
        let result = |step: &Step| step.refusal.clone().map_or(Ok(step.action), Err);
        steps
            .map(|step| Outcome::new(step.name.clone(), result(step)))
            .collect()
    }

    /// Carries the plan out: what is new or changed is stored in one batch, unless somebody has
    /// changed it since (where the store counts versions), and only once all of it is stored, what is
    /// to go is deleted. The outcomes are in the plan's order.
    ///
    /// # Errors
    /// What the store answers, where nothing was changed.
    pub async fn carry_out(&self, wanted: Vec<Write>, store: &Store) -> Result<Vec<Outcome>> {
        let stored: BTreeMap<&Name, Option<u32>> = self
            .writes()
            .map(|step| (&step.name, step.expected))
            .collect();
        let writes: Vec<Write> = wanted
            .into_iter()
            .filter_map(|write| {
                let expected = *stored.get(&write.name)?;
                Some(Write { expected, ..write })
            })
            .collect();
        let gone: Vec<Name> = self
            .taken()
            .filter(|step| step.action == Action::Deleted)
            .map(|step| step.name.clone())
            .collect();
        let mut done = Vec::new();
        if !writes.is_empty() {
            let batch = Batch {
                writes,
                if_absent: false,
            };
            done = store.write(batch).await?;
        }
        if !gone.is_empty() {
            let deleted = if done.iter().all(|outcome| outcome.result.is_ok()) {
                match store.delete(&gone).await {
                    Err(error) if done.is_empty() => return Err(error),
                    result => result,
                }
            } else {
                Err(kept_back())
            };
            done.extend(match deleted {
                Ok(outcomes) => outcomes.into_iter().map(gone_already).collect(),
                Err(error) => failed(&gone, &error),
            });
        }
        let mut done: BTreeMap<Name, Outcome> = done
            .into_iter()
            .map(|outcome| (outcome.name.clone(), outcome))
            .collect();
        let planned = self.outcomes().into_iter();
        Ok(planned
            .map(|planned| done.remove(&planned.name).unwrap_or(planned))
            .collect())
    }
}

/// Why nothing is deleted.
fn kept_back() -> Error {
    Error::failed("it is kept, as not everything else is stored")
}

/// A secret that somebody else deleted in the meantime is as gone as it was to be.
fn gone_already(outcome: Outcome) -> Outcome {
    match &outcome.result {
        Err(error) if error.kind() == Kind::NotFound => Outcome {
            result: Ok(Action::Deleted),
            ..outcome
        },
        _ => outcome,
    }
}

/// The outcomes of a call that failed as a whole.
pub fn failed(names: &[Name], error: &Error) -> Vec<Outcome> {
    names
        .iter()
        .map(|name| Outcome::new(name.clone(), Err(error.clone())))
        .collect()
}
