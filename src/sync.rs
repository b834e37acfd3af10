//! Bringing a store to a wanted state: a plan first, made without asking anybody, then its
//! execution. Where the wanted state comes from, and whether the user agrees, is for commands.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Kind, Result};
use crate::providers::{Action, Batch, Capability, Filter, Metadata, Outcome, Selection, Write};
use crate::secret::{Name, SecretValue};
use crate::store::Store;

/// What a store holds, as far as it tells.
pub enum Held {
    /// Names and values.
    Values(BTreeMap<Name, SecretValue>),
    /// Names, of a store whose values cannot be read back.
    Names(BTreeSet<Name>),
}

impl Held {
    /// Asks `store` once: for these names, or for all it has.
    ///
    /// # Errors
    /// Whatever the store answers.
    pub async fn by(store: &Store, selection: &Selection) -> Result<Self> {
        let provider = store.provider();
        if provider.capabilities().has(Capability::Read) {
            return provider.read(selection).await.map(Self::Values);
        }
        let entries = provider.list(&Filter::default()).await?;
        Ok(Self::Names(
            entries.into_iter().map(|entry| entry.name).collect(),
        ))
    }

    /// What storing `value` under `name` would be.
    fn action(&self, name: &Name, value: &SecretValue) -> Action {
        match self {
            Self::Values(values) => match values.get(name) {
                Some(held) if held == value => Action::Unchanged,
                Some(_) => Action::Updated,
                None => Action::Created,
            },
            Self::Names(names) if names.contains(name) => Action::Updated,
            Self::Names(_) => Action::Created,
        }
    }

    fn names(&self) -> Box<dyn Iterator<Item = &Name> + '_> {
        match self {
            Self::Values(values) => Box::new(values.keys()),
            Self::Names(names) => Box::new(names.iter()),
        }
    }
}

/// What is to become of each secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The wanted secrets in their order, then those that go, sorted.
    pub steps: Vec<(Name, Action)>,
}

impl Plan {
    /// What makes `held` into `wanted`; with `prune` nothing else is left.
    pub fn new(wanted: &[(Name, SecretValue)], held: &Held, prune: bool) -> Self {
        let mut steps: Vec<(Name, Action)> = wanted
            .iter()
            .map(|(name, value)| (name.clone(), held.action(name, value)))
            .collect();
        if prune {
            let kept: BTreeSet<&Name> = wanted.iter().map(|(name, _)| name).collect();
            let gone = held.names().filter(|name| !kept.contains(name));
            steps.extend(gone.map(|name| (name.clone(), Action::Deleted)));
        }
        Self { steps }
    }

    /// How many secrets `action` is planned for.
    pub fn count(&self, action: Action) -> usize {
        self.steps
            .iter()
            .filter(|(_, step)| *step == action)
            .count()
    }

    /// Whether it leaves everything as it is.
    pub fn is_nothing(&self) -> bool {
        self.count(Action::Unchanged) == self.steps.len()
    }

    /// What it comes to when all goes well.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let steps = self.steps.iter();
        steps
            .map(|(name, action)| Outcome::new(name.clone(), Ok(*action)))
            .collect()
    }

    /// Carries the plan out: what is new or changed is stored in one batch, and only once all of
    /// it is stored, what is to go is deleted. The outcomes are in the plan's order.
    ///
    /// # Errors
    /// What the store answers, where nothing was changed.
    pub async fn carry_out(
        &self,
        wanted: Vec<(Name, SecretValue)>,
        store: &Store,
    ) -> Result<Vec<Outcome>> {
        let action: BTreeMap<&Name, Action> = self
            .steps
            .iter()
            .map(|(name, action)| (name, *action))
            .collect();
        let writes: Vec<Write> = wanted
            .into_iter()
            .filter(|(name, _)| matches!(action.get(name), Some(Action::Created | Action::Updated)))
            .map(|(name, value)| Write {
                name,
                value,
                metadata: Metadata::default(),
            })
            .collect();
        let gone: Vec<Name> = self
            .steps
            .iter()
            .filter(|(_, action)| *action == Action::Deleted)
            .map(|(name, _)| name.clone())
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
                Err(Error::failed(
                    "it was kept, as not everything else was stored",
                ))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(Name, SecretValue)> {
        let pairs = pairs.iter();
        pairs
            .map(|(text, value)| (name(text), SecretValue::from(*value)))
            .collect()
    }

    #[test]
    fn values_tell_what_is_unchanged() {
        let held = Held::Values(
            pairs(&[("A", "1"), ("B", "2"), ("Z", "9")])
                .into_iter()
                .collect(),
        );
        let wanted = pairs(&[("C", "3"), ("B", "new"), ("A", "1")]);
        let plan = Plan::new(&wanted, &held, false);
        assert_eq!(
            plan.steps,
            [
                (name("C"), Action::Created),
                (name("B"), Action::Updated),
                (name("A"), Action::Unchanged)
            ]
        );
        let pruned = Plan::new(&wanted, &held, true);
        assert_eq!(pruned.steps[3..], [(name("Z"), Action::Deleted)]);
        assert_eq!(pruned.count(Action::Deleted), 1);
        assert!(!pruned.is_nothing());
        assert!(Plan::new(&pairs(&[("A", "1")]), &held, false).is_nothing());
    }

    #[test]
    fn names_alone_tell_created_from_updated() {
        let held = Held::Names([name("A"), name("Z")].into());
        let plan = Plan::new(&pairs(&[("A", "1"), ("B", "2")]), &held, true);
        assert_eq!(
            plan.steps,
            [
                (name("A"), Action::Updated),
                (name("B"), Action::Created),
                (name("Z"), Action::Deleted)
            ]
        );
    }
}
