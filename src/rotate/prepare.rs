//! From a plan to a rotation on the disk: what can fail without harm fails here, before the first
//! write.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::engine::{Engine, Prepared};
use super::look::Look;
use super::made::Made;
use super::next::Seen;
use super::plan::{self, Plan, Role, Source};
use crate::journal::{Change, Direction, Old, Open, State, Step};
use crate::providers::Composite;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Reference, SecretValue, StoreName};
use crate::words::shown::ShownPath as _;

impl Engine<'_> {
    /// Looks at the targets, makes the new values, and puts the rotation on the disk. Nothing was
    /// changed where it fails.
    ///
    /// # Errors
    /// `not_found` where the secret does not exist; `conflict` where a rotation of a target is
    /// under way; whatever the stores answer, and what keeps a value from being made or held.
    pub(super) async fn prepare(&self, plan: &Plan, given: Given) -> Result<Prepared> {
        let scopes = self.scopes().await?;
        let mut places: Vec<(&Reference, &Scope)> = Vec::new();
        for target in &plan.targets {
            let reference = &target.reference;
            let store = self.store(&reference.store)?;
            store.check_name(&reference.name)?;
            let place = scope_of(&scopes, reference)?;
            if let Some((other, _)) = places
                .iter()
                .find(|(other, scope)| *scope == place && other.name == reference.name)
            {
                return Err(Error::usage(format!(
                    "{reference} and {other} are the same secret"
                )));
            }
            places.push((reference, place));
        }
        let claim = self.tools.journal.claim_new(&places)?;
        let look = Look::at(
            self.stores,
            plan.targets.iter().map(|target| &target.reference),
        )
        .await;
        let mut old = Vec::with_capacity(plan.targets.len());
        for target in &plan.targets {
            let seen = look.of(&target.reference)?;
            if seen == Seen::Absent && target.role == Role::Secret {
                let store = self.store(&target.reference.store)?;
                return Err(store.missing(&target.reference.name).hint(format!(
                    "a rotation needs a secret to begin with: keyfob set {} --generate makes it",
                    target.reference.shown().typed()
                )));
            }
            old.push(match seen {
                Seen::Absent => Old::Absent,
                Seen::Value(value) => Old::Value(value),
                Seen::Hidden => Old::Hidden,
            });
        }
        // Only now, as a command may change something by making the value.
        let made = self.make(plan, given).await?;
        match self.begin(plan, &made, &old, &scopes) {
            Ok(open) => Ok(Prepared { open, claim, look }),
            Err(error) => Err(self.take_back(plan, &old, error).await),
        }
    }

    fn begin(
        &self,
        plan: &Plan,
        made: &Made,
        old: &[Old],
        scopes: &BTreeMap<StoreName, Scope>,
    ) -> Result<Open> {
        let targets = plan.targets.iter().zip(old);
        let steps = targets.map(|(target, old)| self.step(target, made, old.clone(), scopes));
        self.tools.journal.begin(Change {
            secret: plan.secret().clone(),
            begun_at: Timestamp::now(),
            steps: steps.collect::<Result<_>>()?,
            verify: plan.verify.clone(),
            on_rollback: plan.on_rollback.clone(),
            told_rollback: false,
            direction: Direction::Forward,
            announced: None,
        })
    }

    fn step(
        &self,
        target: &plan::Target,
        made: &Made,
        old: Old,
        scopes: &BTreeMap<StoreName, Scope>,
    ) -> Result<Step> {
        let reference = target.reference.clone();
        let new = match &target.role {
            Role::Secret | Role::Copy => made.value.clone(),
            Role::Derived(derivation) => derivation.apply(reference.name.as_str(), &made.value)?,
        };
        let store = self.store(&reference.store)?;
        let whole = !matches!(target.role, Role::Derived(_)) && store.spec().composite.is_some();
        let step = Step {
            scope: scope_of(scopes, &reference)?.clone(),
            reference,
            readable: target.readable,
            new,
            attributes: match whole {
                true => made.attributes.clone(),
                false => BTreeMap::new(),
            },
            old,
            // Those that can be taken back may be written as soon as this is on the disk.
            state: match target.readable {
                true => State::Unclear,
                false => State::Untouched,
            },
        };
        let write = step.write();
        store.check_metadata([&write])?;
        store.check(&write).map_err(|error| {
            error.context(format!("{} cannot hold the new value", step.reference))
        })?;
        Ok(step)
    }

    /// Tells the command that is told of rollbacks that the value which a command has made is not
    /// used, because of `error`.
    async fn take_back(&self, plan: &Plan, old: &[Old], error: Error) -> Error {
        let (Source::Command(_), Some(command)) = (&plan.source, &plan.on_rollback) else {
            return error;
        };
        let old = old.first().and_then(Old::value);
        match self
            .tools
            .hooks
            .rolled_back(command, plan.secret(), old)
            .await
        {
            Ok(()) => error,
            Err(untold) => error.context(untold),
        }
    }

    async fn make(&self, plan: &Plan, given: Given) -> Result<Made> {
        let alone = |value| Made {
            value,
            attributes: BTreeMap::new(),
        };
        match (&plan.source, given) {
            (_, Some(value)) => Ok(alone(value)),
            (Source::Generate(spec), None) => spec.generate().map(alone),
            (Source::Command(command), None) => {
                let printed = self.tools.hooks.make(command, plan.secret()).await?;
                // The time that took was nobody's network.
                self.progressed();
                let targets = plan.targets.iter();
                let composites: Vec<Composite> = targets
                    .filter_map(|target| self.stores.get(&target.reference.store))
                    .filter_map(|store| store.spec().composite)
                    .collect();
                Made::printed(printed, &composites)
            }
            (Source::File(path), None) => {
                Err(Error::failed(format!("{} was not read", path.shown())))
            }
        }
    }
}

fn scope_of<'s>(
    scopes: &'s BTreeMap<StoreName, Scope>,
    reference: &Reference,
) -> Result<&'s Scope> {
    scopes
        .get(&reference.store)
        .ok_or_else(|| Error::failed(format!("the store {} is not open", reference.store)))
}

/// The new value, where the command line brought it.
pub(super) type Given = Option<SecretValue>;
