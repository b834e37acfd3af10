//! Which secrets a command brings along, and under which names of variables or other secrets.
//!
//! First a [`Plan`] made of the options and the configuration alone; then the stores are asked for
//! what it [wants](Plan::wants); then it [names](Plan::choose) what was found.

mod found;
mod harmful;
mod listed;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

pub use found::{Answers, Found, Wants};
pub use listed::Listed;
pub use variables::{Destination, Naming};

use crate::words::digest;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName, Target};

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

    /// What is to be asked of which store.
    pub fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        let mapped = self.mapped.iter().map(|(_, reference, _)| reference);
        for reference in self.named.iter().chain(mapped) {
            wants.add(reference);
        }
        if self.whole != Whole::No {
            wants.add_all(&self.store);
        }
        wants
    }

    /// A digest of all that decides which secrets are brought and under which variables. Values
    /// that stand in files are no part of it: they are no secrets of a store, and may be guessed.
    pub fn digest(&self, naming: Naming) -> String {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let (whole, prefix) = match &self.whole {
            Whole::No => ("no", ""),
            Whole::Prefix(prefix) => ("prefix", prefix.as_str()),
            Whole::Yes => ("yes", ""),
        };
        // Each begins with a word that says how many parts follow.
        let mut parts = vec!["whole", self.store.as_str(), whole, prefix];
        parts.extend(["naming", yes(naming.upper), yes(naming.strict)]);
        for reference in &self.named {
            parts.extend(["named", reference.store.as_str(), reference.name.as_str()]);
        }
        for (variable, reference, by) in &self.mapped {
            let by = yes(*by == Mapped::Option);
            let (store, name) = (reference.store.as_str(), reference.name.as_str());
            parts.extend(["mapped", variable, store, name, by]);
        }
        for (variable, _) in &self.literals {
            parts.extend(["literal", variable]);
        }
        for name in &self.except {
            parts.extend(["except", name]);
        }
        digest::of_parts(&parts)
    }

    /// Decides which variable stands for which of the secrets that were found, whatever was found
    /// of them: values, or their names alone. Where they go to another store, for variables read
    /// names.
    ///
    /// # Errors
    /// `not_found` for a name asked for that is missing; `usage` for variables that change how
    /// programs run and stand in no `-e`, all of which it names, or, when strict, for a name that is no variable name; `conflict` when two
    /// names become one variable.
    pub fn choose<V>(&self, found: &Found<'_, V>, naming: Naming) -> Result<Chosen> {
        let chosen = self.name(found.names(&self.store), naming)?;
        let named = chosen.variables.values().filter_map(Source::secret);
        for reference in named.chain(&chosen.skipped) {
            found.get(reference)?;
        }
        Ok(chosen)
    }

    /// The same without asking anybody: should all be found that is asked for. `None` where that
    /// depends on what there is.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn foresee(&self, naming: Naming) -> Result<Option<Chosen>> {
        match self.whole {
            Whole::No => self.name([].into_iter(), naming).map(Some),
            Whole::Prefix(_) | Whole::Yes => Ok(None),
        }
    }

    /// Which names of the destination it speaks for, whether or not it brings them; `None` where
    /// it speaks for nothing but what it names.
    pub fn reach(&self, naming: Naming) -> Option<Reach> {
        let prefix = match &self.whole {
            Whole::No => return None,
            Whole::Prefix(prefix) if prefix.is_empty() => String::new(),
            Whole::Prefix(prefix) => naming.turned(prefix),
            Whole::Yes => String::new(),
        };
        let turned = self.except.iter().map(|name| naming.turned(name));
        let except = self.except.iter().cloned().chain(turned).collect();
        Some(Reach { prefix, except })
    }

    /// Names what is asked for, where `all` is what the store has.
    fn name<'n>(&self, all: impl Iterator<Item = &'n Name>, naming: Naming) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        // Which name a variable came from, to tell of two that become one.
        let mut origins: BTreeMap<String, Reference> = BTreeMap::new();
        // What nobody but the user may bring, and by its name alone.
        let mut harmful: BTreeSet<String> = BTreeSet::new();
        let mut named = self.named.clone();
        let whole = all.filter(|name| match &self.whole {
            Whole::No => false,
            Whole::Prefix(prefix) => name.as_str().starts_with(prefix.as_str()),
            Whole::Yes => true,
        });
        named.extend(whole.map(|name| Reference {
            store: self.store.clone(),
            name: name.clone(),
        }));
        let is_excepted = |name: &str| self.except.iter().any(|excepted| excepted == name);
        for reference in named {
            if is_excepted(reference.name.as_str()) {
                continue;
            }
            let Some(variable) = naming.of(reference.name.as_str())? else {
                chosen.skipped.push(reference);
                continue;
            };
            if is_excepted(&variable) {
                continue;
            }
            if naming.is_harmful(&variable) {
                harmful.insert(variable.clone());
            }
            if let Some(other) = origins.insert(variable.clone(), reference.clone()) {
                return Err(Error::conflict(format!(
                    "{} and {} both become {variable}",
                    other.name, reference.name
                ))
                .hint("leave one out with --except, or map it with -e"));
            }
            let source = Source::Secret(reference);
            chosen.variables.insert(variable, source);
        }
        for (variable, value) in &self.literals {
            if is_excepted(variable) {
                continue;
            }
            naming.check(variable)?;
            if naming.is_harmful(variable) {
                harmful.insert(variable.clone());
            }
            let source = Source::Literal(value.clone());
            chosen.variables.insert(variable.clone(), source);
        }
        for (variable, reference, by) in &self.mapped {
            if is_excepted(variable) {
                continue;
            }
            naming.check(variable)?;
            match by {
                // It takes the place of whatever else would have that name.
                Mapped::Option => harmful.remove(variable),
                Mapped::File => naming.is_harmful(variable) && harmful.insert(variable.clone()),
            };
            let source = Source::Secret(reference.clone());
            chosen.variables.insert(variable.clone(), source);
        }
        match harmful.is_empty() {
            true => Ok(chosen),
            false => Err(variables::refused(&harmful)),
        }
    }
}

/// The names that a selection of a whole store, or of all with a prefix, speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    prefix: String,
    except: BTreeSet<String>,
}

impl Reach {
    /// Whether `name` is among them.
    pub fn has(&self, name: &Name) -> bool {
        name.as_str().starts_with(&self.prefix) && !self.except.contains(name.as_str())
    }
}

/// What a variable gets its value from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A secret.
    Secret(Reference),
    /// A file, where it stands as it is.
    Literal(SecretValue),
}

impl Source {
    /// The secret, where it is one.
    pub fn secret(&self) -> Option<&Reference> {
        match self {
            Source::Secret(reference) => Some(reference),
            Source::Literal(_) => None,
        }
    }
}

/// The variables of a selection.
#[derive(Debug, Default)]
pub struct Chosen {
    /// What each variable gets its value from.
    pub variables: BTreeMap<String, Source>,
    /// Those whose names are no variable names, which were left out.
    pub skipped: Vec<Reference>,
}

impl Chosen {
    /// The secrets among what was chosen, each once.
    ///
    /// # Errors
    /// `not_found` for a secret that is not in `found`.
    pub fn secrets<'f>(
        &self,
        found: &'f Found<'_, SecretValue>,
    ) -> Result<BTreeMap<&Reference, &'f SecretValue>> {
        let sources = self.variables.values();
        sources
            .filter_map(Source::secret)
            .map(|reference| Ok((reference, found.get(reference)?)))
            .collect()
    }

    /// The values by variable.
    ///
    /// # Errors
    /// `not_found` for a secret that is not in `found`.
    pub fn values(self, found: &Found<'_, SecretValue>) -> Result<BTreeMap<String, SecretValue>> {
        let variables = self.variables.into_iter();
        variables
            .map(|(variable, source)| {
                let value = match source {
                    Source::Secret(reference) => found.get(&reference)?.clone(),
                    Source::Literal(value) => value,
                };
                Ok((variable, value))
            })
            .collect()
    }
}
