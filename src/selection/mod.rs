//! Which secrets a command brings along, and under which variable names.
//!
//! First a [`Plan`] made of the options and the configuration alone; then the stores are asked for
//! what it [wants](Plan::wants); then it [names](Plan::choose) what was found.

mod found;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

pub use found::{Answers, Found, Wants};
pub use variables::{Naming, is_variable_name};

use crate::digest;
use crate::error::{Error, Result};
use crate::secret::{Name, Reference, SecretValue, StoreName, Target};

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
    /// of them: values, or their names alone.
    ///
    /// # Errors
    /// `not_found` for a name asked for that is missing; `usage` for a variable that changes how
    /// programs run, or, when strict, for a name that is no variable name; `conflict` when two
    /// names become one variable.
    pub fn choose<V>(self, found: &Found<'_, V>, naming: Naming) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        // Which name a variable came from, to tell of two that become one.
        let mut origins: BTreeMap<String, Reference> = BTreeMap::new();
        let mut named = self.named;
        if self.whole != Whole::No {
            let names = found.names(&self.store).filter(|name| match &self.whole {
                Whole::Prefix(prefix) => name.as_str().starts_with(prefix.as_str()),
                _ => true,
            });
            named.extend(names.map(|name| Reference {
                store: self.store.clone(),
                name: name.clone(),
            }));
        }
        let is_excepted = |name: &str| self.except.iter().any(|excepted| excepted == name);
        for reference in named {
            if is_excepted(reference.name.as_str()) {
                continue;
            }
            found.get(&reference)?;
            let Some(variable) = naming.variable(reference.name.as_str())? else {
                chosen.skipped.push(reference.name);
                continue;
            };
            if is_excepted(&variable) {
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
            let source = Source::Secret(reference);
            chosen.variables.insert(variable, source);
        }
        for (variable, value) in self.literals {
            if is_excepted(&variable) {
                continue;
            }
            variables::check_variable(&variable)?;
            variables::check_harmless(&variable)?;
            chosen.variables.insert(variable, Source::Literal(value));
        }
        for (variable, reference, by) in self.mapped {
            if is_excepted(&variable) {
                continue;
            }
            variables::check_variable(&variable)?;
            if by == Mapped::File {
                variables::check_harmless(&variable)?;
            }
            found.get(&reference)?;
            let source = Source::Secret(reference);
            chosen.variables.insert(variable, source);
        }
        Ok(chosen)
    }
}

/// What a variable gets its value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A secret.
    Secret(Reference),
    /// A file, where it stands as it is.
    Literal(SecretValue),
}

/// The variables of a selection.
#[derive(Debug, Default)]
pub struct Chosen {
    /// What each variable gets its value from.
    pub variables: BTreeMap<String, Source>,
    /// The names that are no variable names and were left out.
    pub skipped: Vec<Name>,
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
            .filter_map(|source| match source {
                Source::Secret(reference) => Some(reference),
                Source::Literal(_) => None,
            })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(change: impl FnOnce(&mut Wanted), naming: Naming) -> String {
        let mut wanted = Wanted {
            only: vec!["A".to_owned(), "B".to_owned()],
            except: vec!["C".to_owned()],
            mapped: vec![("V".to_owned(), "keyfob://gpu/x".parse().unwrap())],
            files: vec![("L".to_owned(), FileValue::Literal("one".into()))],
            ..Wanted::default()
        };
        change(&mut wanted);
        let store = StoreName::new("web").unwrap();
        let plan = Plan::new(store, wanted, || Ok(BTreeMap::new()));
        plan.unwrap().digest(naming)
    }

    #[test]
    fn another_selection_has_another_digest() {
        let base = digest(|_| (), Naming::default());
        assert_eq!(digest(|_| (), Naming::default()), base);
        let changes: [fn(&mut Wanted); 8] = [
            |wanted| wanted.only = vec!["AB".to_owned()],
            |wanted| wanted.only.push("keyfob://gpu/C".to_owned()),
            |wanted| wanted.except.clear(),
            |wanted| wanted.prefix = Some("A".to_owned()),
            |wanted| wanted.all = true,
            |wanted| wanted.mapped[0].0 = "W".to_owned(),
            |wanted| wanted.mapped[0].1 = "keyfob://web/x".parse().unwrap(),
            |wanted| wanted.files.clear(),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert_ne!(digest(change, Naming::default()), base, "{at}");
        }
        for (upper, strict) in [(true, false), (false, true)] {
            assert_ne!(digest(|_| (), Naming { upper, strict }), base);
        }
    }

    #[test]
    fn the_digest_tells_nothing_of_values_in_files() {
        let other = |wanted: &mut Wanted| {
            wanted.files[0].1 = FileValue::Literal("two".into());
        };
        let naming = Naming::default();
        assert_eq!(digest(other, naming), digest(|_| (), naming));
    }
}
