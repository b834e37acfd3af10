//! Which secrets a command brings along, and under which variable names.
//!
//! First a [`Plan`] made of the options and the configuration alone; then [`fetch`] asks each store
//! once, all of them at the same time, and names what came.

mod variables;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

pub use variables::{Naming, is_variable_name};

use crate::error::{Error, Result};
use crate::providers;
use crate::secret::{Name, Reference, SecretValue, StoreName, Target};
use crate::store::Store;

/// What the user asked for, free of how it was written on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names in the selected store, or references.
    pub only: Vec<String>,
    /// Names or variables to leave out.
    pub except: Vec<String>,
    /// The beginning of names in the selected store.
    pub prefix: Option<String>,
    /// Variables and what they stand for, from `-e`.
    pub mapped: Vec<(String, Target)>,
    /// Variables from files: references, or values as they stand.
    pub files: Vec<(String, FileValue)>,
    /// All of the selected store.
    pub all: bool,
}

/// What a dotenv file says of a variable.
#[derive(Clone, Debug)]
pub enum FileValue {
    /// It stands for a secret.
    Reference(Reference),
    /// It is a value as it stands.
    Literal(SecretValue),
}

/// Which names of one store are read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whole {
    /// None but those asked for by name.
    No,
    /// All that begin so.
    Prefix(String),
    /// All.
    Yes,
}

/// What to read from where, and what to call it. Decided without asking anybody.
#[derive(Debug)]
pub struct Plan {
    store: StoreName,
    whole: Whole,
    /// Names of stores that become variables after their own name.
    named: BTreeSet<Reference>,
    /// Variables that were given a secret: from `-e` and files, or from the configuration.
    mapped: Vec<(String, Reference, Mapped)>,
    literals: Vec<(String, SecretValue)>,
    except: Vec<String>,
}

/// By whom a variable was given its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mapped {
    /// `-e`: the user's own word, for whatever variable.
    Option,
    /// A file.
    File,
}

impl Plan {
    /// Decides what is read. `table` is the configuration's `[env]`, asked for only when nothing
    /// is named.
    ///
    /// # Errors
    /// What `table` returns, and `usage` for references that are malformed.
    pub fn new(
        store: StoreName,
        wanted: Wanted,
        table: impl FnOnce() -> Result<BTreeMap<String, Target>>,
    ) -> Result<Self> {
        let reference = |target: Target| match target {
            Target::Reference(reference) => reference,
            Target::Name(name) => Reference {
                store: store.clone(),
                name,
            },
        };
        let mut plan = Self {
            store: store.clone(),
            whole: Whole::No,
            named: BTreeSet::new(),
            mapped: Vec::new(),
            literals: Vec::new(),
            except: wanted.except,
        };
        let brings_names = wanted.all || wanted.prefix.is_some() || !wanted.only.is_empty();
        let maps = !wanted.mapped.is_empty() || !wanted.files.is_empty();
        if !brings_names && !maps {
            let table = table()?;
            if table.is_empty() {
                plan.whole = Whole::Yes;
            }
            for (variable, target) in table {
                plan.mapped
                    .push((variable, reference(target), Mapped::File));
            }
            return Ok(plan);
        }
        if wanted.all {
            plan.whole = Whole::Yes;
        } else if let Some(prefix) = wanted.prefix {
            plan.whole = Whole::Prefix(prefix);
        }
        for name in wanted.only {
            plan.named.insert(reference(name.parse()?));
        }
        for (variable, value) in wanted.files {
            match value {
                FileValue::Reference(reference) => {
                    plan.mapped.push((variable, reference, Mapped::File));
                }
                FileValue::Literal(value) => plan.literals.push((variable, value)),
            }
        }
        for (variable, target) in wanted.mapped {
            plan.mapped
                .push((variable, reference(target), Mapped::Option));
        }
        Ok(plan)
    }

    /// The stores that are read, each once.
    pub fn stores(&self) -> BTreeSet<&StoreName> {
        let mut stores: BTreeSet<&StoreName> = self
            .named
            .iter()
            .chain(self.mapped.iter().map(|(_, reference, _)| reference))
            .map(|reference| &reference.store)
            .collect();
        if self.whole != Whole::No {
            stores.insert(&self.store);
        }
        stores
    }

    /// What `store` is asked for.
    fn selection(&self, store: &StoreName) -> providers::Selection {
        if *store == self.store && self.whole != Whole::No {
            return providers::Selection::All;
        }
        let names: BTreeSet<Name> = self
            .named
            .iter()
            .chain(self.mapped.iter().map(|(_, reference, _)| reference))
            .filter(|reference| reference.store == *store)
            .map(|reference| reference.name.clone())
            .collect();
        providers::Selection::Names(names.into_iter().collect())
    }
}

/// What was read, by variable.
#[derive(Debug, Default)]
pub struct Selected {
    /// The values by variable name.
    pub values: BTreeMap<String, SecretValue>,
    /// The names that are no variable names and were left out.
    pub skipped: Vec<Name>,
}

/// Carries the plan out over `stores`, which holds each of [`Plan::stores`].
///
/// # Errors
/// `not_found` for a name asked for that is missing; `usage` for a variable that changes how
/// programs run, or, when strict, for a name that is no variable name; `conflict` when two names
/// become one variable; whatever a store answers.
pub async fn fetch(plan: Plan, stores: &[Store], naming: Naming) -> Result<Selected> {
    let reads = stores.iter().map(|store| {
        let selection = plan.selection(store.name());
        async move {
            let values = store.provider().read(&selection).await;
            values.map_err(|error| store.named(error))
        }
    });
    let mut read: BTreeMap<&StoreName, BTreeMap<Name, SecretValue>> = BTreeMap::new();
    for (store, values) in stores.iter().zip(join_all(reads).await) {
        read.insert(store.name(), values?);
    }
    let value = |reference: &Reference| -> Result<SecretValue> {
        read.get(&reference.store)
            .and_then(|values| values.get(&reference.name))
            .cloned()
            .ok_or_else(|| missing(reference, stores))
    };

    let mut selected = Selected::default();
    // Which name a variable came from, to tell of two that become one.
    let mut origins: BTreeMap<String, Reference> = BTreeMap::new();
    let mut named = plan.named.clone();
    if plan.whole != Whole::No {
        let names = read.get(&plan.store).into_iter().flat_map(BTreeMap::keys);
        named.extend(
            names
                .filter(|name| match &plan.whole {
                    Whole::Prefix(prefix) => name.as_str().starts_with(prefix.as_str()),
                    _ => true,
                })
                .map(|name| Reference {
                    store: plan.store.clone(),
                    name: name.clone(),
                }),
        );
    }
    for reference in named {
        if is_excepted(&plan.except, reference.name.as_str()) {
            continue;
        }
        let value = value(&reference)?;
        let Some(variable) = naming.variable(reference.name.as_str())? else {
            selected.skipped.push(reference.name);
            continue;
        };
        if is_excepted(&plan.except, &variable) {
            continue;
        }
        variables::check_harmless(&variable)?;
        if let Some(other) = origins.insert(variable.clone(), reference.clone()) {
            return Err(Error::conflict(format!(
                "{} and {} both become the variable {variable}",
                other.name, reference.name
            ))
            .hint("leave one out with --except, or map it with -e"));
        }
        selected.values.insert(variable, value);
    }
    for (variable, value) in plan.literals {
        if is_excepted(&plan.except, &variable) {
            continue;
        }
        variables::check_variable(&variable)?;
        variables::check_harmless(&variable)?;
        selected.values.insert(variable, value);
    }
    for (variable, reference, by) in &plan.mapped {
        if is_excepted(&plan.except, variable) {
            continue;
        }
        variables::check_variable(variable)?;
        if *by == Mapped::File {
            variables::check_harmless(variable)?;
        }
        selected.values.insert(variable.clone(), value(reference)?);
    }
    Ok(selected)
}

fn is_excepted(except: &[String], name: &str) -> bool {
    except.iter().any(|excepted| excepted == name)
}

fn missing(reference: &Reference, stores: &[Store]) -> Error {
    match stores.iter().find(|store| *store.name() == reference.store) {
        Some(store) => store.missing(&reference.name),
        None => Error::not_found(format!("there is no secret {reference}")),
    }
}
