//! Which secrets a command brings along, and under which names of variables or other secrets.
//!
//! First a [`Plan`] made of the options and the configuration alone; then the stores are asked for
//! what it [wants](Plan::wants); then it [names](Plan::choose) what was found.

mod chosen;
mod except;
mod found;
mod harmful;
mod listed;
#[cfg(test)]
mod tests;
mod values;
mod variables;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

pub use chosen::{Chosen, Source};
use except::Except;
pub use found::{Answers, Found, Wants};
pub use listed::Listed;
pub use values::{leave_unfit_out, with_reasons};
pub use variables::{Destination, Naming};
pub use wanted::{FileValue, IfMissing, TableValue, Wanted};

use crate::words::digest;
use crate::words::error::{Error, Result};
use crate::words::glob::{self, Glob};
use crate::words::secret::{Name, Reference, SecretValue, StoreName, Target};

/// Which names of the selected store are read.
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
    /// Whether the variables are those of the configuration's `[env]`.
    by_table: bool,
    /// Names of stores that become variables after their own name.
    named: BTreeSet<Reference>,
    /// Patterns of such names.
    globs: Vec<(StoreName, Glob)>,
    /// Variables that were given a secret: from `-e` and files, or from the configuration.
    mapped: Vec<Mapping>,
    literals: Vec<(String, SecretValue)>,
    except: Vec<Except>,
}

/// A variable that was given a secret.
#[derive(Debug)]
struct Mapping {
    variable: String,
    reference: Reference,
    by: Mapped,
    if_missing: IfMissing,
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
    /// What `table` returns, and `usage` for references and patterns that are malformed.
    pub fn new(
        store: StoreName,
        wanted: Wanted,
        table: impl FnOnce() -> Result<BTreeMap<String, TableValue>>,
    ) -> Result<Self> {
        let reference = |target: Target| match target {
            Target::Reference(reference) => reference,
            Target::Name(name) => Reference {
                store: store.clone(),
                name,
            },
        };
        let except = wanted.except.iter().map(|text| Except::new(text));
        let mut plan = Self {
            store: store.clone(),
            whole: Whole::No,
            by_table: false,
            named: BTreeSet::new(),
            globs: Vec::new(),
            mapped: Vec::new(),
            literals: Vec::new(),
            except: except.collect::<Result<_>>()?,
        };
        let brings_names = wanted.all || wanted.prefix.is_some() || !wanted.only.is_empty();
        let maps = !wanted.mapped.is_empty() || !wanted.files.is_empty();
        if !brings_names && !maps {
            let table = table()?;
            plan.by_table = !table.is_empty();
            if table.is_empty() {
                plan.whole = Whole::Yes;
            }
            for (variable, value) in table {
                match value {
                    TableValue::Literal(value) => plan.literals.push((variable, value)),
                    TableValue::Secret(target, if_missing) => plan.mapped.push(Mapping {
                        variable,
                        reference: reference(target),
                        by: Mapped::File,
                        if_missing,
                    }),
                }
            }
            return Ok(plan);
        }
        if wanted.all {
            plan.whole = Whole::Yes;
        } else if let Some(prefix) = wanted.prefix {
            plan.whole = Whole::Prefix(prefix);
        }
        for text in wanted.only {
            if Reference::looks_like(&text) {
                match reference_glob(&text)? {
                    Some(glob) => plan.globs.push(glob),
                    None => drop(plan.named.insert(text.parse()?)),
                }
                continue;
            }
            match Glob::of(&text)? {
                Some(glob) => plan.globs.push((store.clone(), glob)),
                None => {
                    let name = Name::any(glob::plain(&text));
                    plan.named.insert(reference(Target::Name(name)));
                }
            }
        }
        let mut map = |variable, reference, by| {
            plan.mapped.push(Mapping {
                variable,
                reference,
                by,
                if_missing: IfMissing::Fail,
            });
        };
        for (variable, value) in wanted.files {
            match value {
                FileValue::Reference(reference) => map(variable, reference, Mapped::File),
                FileValue::Literal(value) => plan.literals.push((variable, value)),
            }
        }
        for (variable, target) in wanted.mapped {
            map(variable, reference(target), Mapped::Option);
        }
        Ok(plan)
    }

    /// What is to be asked of which store.
    pub fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        for reference in &self.named {
            wants.add(reference);
        }
        for mapping in &self.mapped {
            match mapping.if_missing {
                IfMissing::Fail => wants.add(&mapping.reference),
                IfMissing::LeaveOut | IfMissing::Take(_) => wants.add_optional(&mapping.reference),
            }
        }
        for (store, _) in &self.globs {
            wants.add_all(store);
        }
        match &self.whole {
            Whole::No => {}
            Whole::Prefix(prefix) => wants.add_beginning(&self.store, prefix),
            Whole::Yes => wants.add_all(&self.store),
        }
        // What is left out of what was named is looked for, as a slip there brings too much.
        let left_out = self.except.iter().filter(|except| !self.is_known(except));
        for target in left_out.filter_map(Except::asked) {
            match target {
                Target::Reference(reference) => wants.add(&reference),
                Target::Name(name) if !self.by_table => wants.add(&self.reference(name)),
                Target::Name(_) => {}
            }
        }
        wants
    }

    /// The stores of which it takes whatever has a certain name, or all.
    fn stores_of_names(&self) -> impl Iterator<Item = &StoreName> {
        let globs = self.globs.iter().map(|(store, _)| store);
        globs.chain((self.whole != Whole::No).then_some(&self.store))
    }

    /// Whether `except` is among what was asked for by name.
    fn is_known(&self, except: &Except) -> bool {
        let named = self.named.iter();
        let mut named = named.map(|reference| (Some(reference), reference.name.as_str()));
        let mapped = self.mapped.iter();
        let mut mapped = mapped.map(|it| (Some(&it.reference), it.variable.as_str()));
        let mut literals = self.literals.iter().map(|(name, _)| (None, name.as_str()));
        let is = |(reference, name): (Option<&Reference>, &str)| except.is(reference, name);
        named.any(is) || mapped.any(is) || literals.any(is)
    }

    fn reference(&self, name: Name) -> Reference {
        Reference {
            store: self.store.clone(),
            name,
        }
    }

    /// The selected store.
    pub fn store(&self) -> &StoreName {
        &self.store
    }

    /// Whether it takes all of the selected store, whatever there is.
    pub fn takes_all(&self) -> bool {
        self.whole == Whole::Yes && self.except.is_empty()
    }

    /// A digest of all that decides which secrets are brought and under which variables. Values
    /// that stand in files are no part of it: they are no secrets of a store, and may be guessed.
    pub fn digest(&self, naming: &Naming) -> String {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let (whole, prefix) = match &self.whole {
            Whole::No => ("no", ""),
            Whole::Prefix(prefix) => ("prefix", prefix.as_str()),
            Whole::Yes => ("yes", ""),
        };
        // Each begins with a word that says how many parts follow.
        let mut parts = vec!["whole", self.store.as_str(), whole, prefix];
        parts.extend(["naming", yes(naming.upper), yes(naming.strict)]);
        let prefixes = [("strip", &naming.strip_prefix), ("add", &naming.add_prefix)];
        for (word, prefix) in prefixes {
            parts.extend(prefix.iter().flat_map(|prefix| [word, prefix.as_str()]));
        }
        for reference in &self.named {
            parts.extend(["named", reference.store.as_str(), reference.name.as_str()]);
        }
        for (store, glob) in &self.globs {
            parts.extend(["glob", store.as_str(), glob.as_str()]);
        }
        for mapping in &self.mapped {
            let by = yes(mapping.by == Mapped::Option);
            let Reference { store, name } = &mapping.reference;
            parts.extend([
                "mapped",
                &mapping.variable,
                store.as_str(),
                name.as_str(),
                by,
            ]);
        }
        for (variable, _) in &self.literals {
            parts.extend(["literal", variable]);
        }
        for except in &self.except {
            parts.extend(["except", except.as_str()]);
        }
        digest::of_parts(&parts)
    }

    /// Decides which variable stands for which of the secrets that were found, whatever was found
    /// of them: values, or their names alone. Where they go to another store, for variables read
    /// names.
    ///
    /// # Errors
    /// `not_found` for a name asked for that is missing, be it to leave it out; `usage` for
    /// variables that change how programs run and stand in no `-e`, and for names asked for, or
    /// any when strict, that the destination does not take, all of which it names; `conflict` when
    /// two names become one variable.
    pub fn choose<V>(&self, found: &Found<'_, V>, naming: &Naming) -> Result<Chosen> {
        self.choose_beside(found, naming, |_| false)
    }

    /// The same where what is left out may also be something that the destination `has`.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn choose_beside<V>(
        &self,
        found: &Found<'_, V>,
        naming: &Naming,
        has: impl Fn(&Glob) -> bool,
    ) -> Result<Chosen> {
        let mut chosen = self.name(|store| found.names(store).collect(), naming)?;
        for except in &self.except {
            let Some(target) = except.asked().filter(|_| !self.is_known(except)) else {
                continue;
            };
            let reference = match target {
                Target::Reference(reference) => reference,
                Target::Name(name) => self.reference(name),
            };
            let variables = chosen.left_out.iter();
            let mut variables = variables.map(|(reference, variable)| (Some(reference), variable));
            let is_left_out = variables.any(|(reference, variable)| except.is(reference, variable));
            if !is_left_out
                && let Err(error) = found.get(&reference)
                && !except.at_destination(naming)?.iter().any(&has)
            {
                return Err(match self.by_table {
                    true => Error::not_found(format!(
                        "the [env] table has no variable {}",
                        reference.name.shown()
                    )),
                    false => error,
                }
                .context("--except"));
            }
        }
        for (variable, if_missing) in std::mem::take(&mut chosen.optional) {
            let missing = chosen.variables.get(&variable).and_then(Source::secret);
            if missing.is_none_or(|reference| found.get(reference).is_ok()) {
                continue;
            }
            match if_missing {
                IfMissing::Take(value) => {
                    let source = Source::Literal(value);
                    chosen.variables.insert(variable, source);
                }
                IfMissing::LeaveOut | IfMissing::Fail => {
                    chosen.variables.remove(&variable);
                    chosen.missing.push(variable);
                }
            }
        }
        let mut find = found.one_after_another();
        let named = chosen.variables.values().filter_map(Source::secret);
        for reference in named.chain(&chosen.skipped) {
            find(reference)?;
        }
        Ok(chosen)
    }

    /// The same without asking anybody: should all be found that is asked for. `None` where that
    /// depends on what there is.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn foresee(&self, naming: &Naming) -> Result<Option<Chosen>> {
        match self.whole == Whole::No && self.globs.is_empty() {
            true => self.name(|_| Vec::new(), naming).map(Some),
            false => Ok(None),
        }
    }

    /// Which names of the destination it speaks for, whether or not it brings them; `None` where
    /// it speaks for nothing but what it names.
    ///
    /// # Errors
    /// `usage` for a pattern that is none once it is turned as names are.
    pub fn reach(&self, naming: &Naming) -> Result<Option<Reach>> {
        let prefix = match &self.whole {
            Whole::No => return Ok(None),
            Whole::Prefix(prefix) => prefix.as_str(),
            Whole::Yes => "",
        };
        let strip = naming.strip_prefix.as_deref().unwrap_or_default();
        let prefix = prefix.strip_prefix(strip).unwrap_or_default();
        let mut except = Vec::new();
        for it in &self.except {
            except.extend(it.at_destination(naming)?);
        }
        Ok(Some(Reach {
            prefix: naming.with_prefix(naming.turned(prefix)),
            except,
        }))
    }

    /// Names what is asked for, where `all` is what a store has.
    fn name<'n>(
        &self,
        all: impl Fn(&StoreName) -> Vec<&'n Name>,
        naming: &Naming,
    ) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        // What nobody but the user may bring, and by its name alone.
        let mut harmful: BTreeSet<String> = BTreeSet::new();
        // What was asked for by name, or strictly, and cannot be called there as it is.
        let mut refused: Vec<Reference> = Vec::new();
        let is_excepted = |reference: Option<&Reference>, variable: &str| {
            self.except
                .iter()
                .any(|except| except.is(reference, variable))
        };
        let references = self.references(&all);
        let mut named: Vec<(String, Reference)> = Vec::with_capacity(references.len());
        for reference in references {
            let asked = self.named.contains(&reference);
            let Some(variable) = naming.of(reference.name.as_str()) else {
                if asked && !is_excepted(Some(&reference), "") {
                    return Err(Error::usage(format!(
                        "{} does not begin with {:?}, which --strip-prefix takes off",
                        reference.name.shown(),
                        naming.strip_prefix.as_deref().unwrap_or_default()
                    )));
                }
                continue;
            };
            if is_excepted(Some(&reference), &variable) {
                chosen.left_out.push((reference, variable));
                continue;
            }
            if !naming.takes(&variable) {
                match asked || naming.strict {
                    true => refused.push(reference),
                    false => chosen.skipped.push(reference),
                }
                continue;
            }
            if naming.is_harmful(&variable) {
                harmful.insert(variable.clone());
            }
            if asked {
                chosen.asked.insert(variable.clone());
            }
            named.push((variable, reference));
        }
        // They are in this order already where names stay as they are.
        named.sort();
        let mut neighbours = named.iter().zip(named.iter().skip(1));
        if let Some(((variable, one), (_, other))) =
            neighbours.find(|((one, _), (other, _))| one == other)
        {
            return Err(Error::conflict(format!(
                "{} and {} both become {variable}",
                one.name, other.name
            ))
            .hint("leave one out with --except, or map it with -e"));
        }
        let named = named.into_iter();
        chosen.variables = named
            .map(|(variable, reference)| (variable, Source::Secret(reference)))
            .collect();
        if !refused.is_empty() {
            let names: Vec<&str> = refused.iter().map(|it| it.name.as_str()).collect();
            return Err(naming.refusal(&names));
        }
        for (variable, value) in &self.literals {
            if is_excepted(None, variable) {
                continue;
            }
            let variable = naming.with_prefix(variable.into());
            naming.check(&variable)?;
            if naming.is_harmful(&variable) {
                harmful.insert(variable.clone());
            }
            chosen.asked.insert(variable.clone());
            let source = Source::Literal(value.clone());
            chosen.variables.insert(variable, source);
        }
        for mapping in &self.mapped {
            let (reference, variable) = (&mapping.reference, &mapping.variable);
            let variable = match mapping.by {
                // It takes the place of whatever else would have that name, left out or not.
                Mapped::Option => {
                    harmful.remove(variable);
                    variable.clone()
                }
                Mapped::File if is_excepted(Some(reference), variable) => continue,
                Mapped::File => {
                    let variable = naming.with_prefix(variable.into());
                    if naming.is_harmful(&variable) {
                        harmful.insert(variable.clone());
                    }
                    variable
                }
            };
            naming.check(&variable)?;
            match &mapping.if_missing {
                IfMissing::Fail => chosen.optional.remove(&variable),
                other => chosen.optional.insert(variable.clone(), other.clone()),
            };
            chosen.asked.insert(variable.clone());
            let source = Source::Secret(reference.clone());
            chosen.variables.insert(variable, source);
        }
        match harmful.is_empty() {
            true => Ok(chosen),
            false => Err(variables::refused(&harmful)),
        }
    }

    /// The secrets that become variables after their own names, where `all` is what a store has.
    fn references<'n>(&self, all: &impl Fn(&StoreName) -> Vec<&'n Name>) -> Vec<Reference> {
        let mut references: Vec<Reference> = self.named.iter().cloned().collect();
        let whole = |name: &str| match &self.whole {
            Whole::No => false,
            Whole::Prefix(prefix) => name.starts_with(prefix.as_str()),
            Whole::Yes => true,
        };
        for store in self.stores_of_names() {
            let is_selected = *store == self.store;
            let wanted = |name: &&&Name| {
                let name = name.as_str();
                let mut globs = self.globs.iter().filter(|(of, _)| of == store);
                is_selected && whole(name) || globs.any(|(_, glob)| glob.matches(name))
            };
            let names = all(store);
            references.reserve(names.len());
            references.extend(names.iter().filter(wanted).map(|name| Reference {
                store: store.clone(),
                name: (*name).clone(),
            }));
        }
        // Those of one store come sorted, and so this takes a look at each as a rule.
        references.sort();
        references.dedup();
        references
    }
}

/// The store and the pattern of names in it, where `text`, which looks like a reference, has one.
fn reference_glob(text: &str) -> Result<Option<(StoreName, Glob)>> {
    // The scheme and the store hold no wildcard.
    let Some((head, name)) = text
        .find("://")
        .and_then(|at| Some(at + 3 + text[at + 3..].find('/')? + 1))
        .map(|at| text.split_at(at))
        .filter(|(_, name)| Glob::is_glob(name))
    else {
        return Ok(None);
    };
    // What is written %XX is itself and no wildcard.
    let store = format!("{head}x").parse::<Reference>()?.store;
    let mut pattern = String::new();
    for piece in name.split_inclusive(['*', '?', '[', ']', '!', '-']) {
        let (plain, wildcard) = match piece.char_indices().next_back() {
            Some((at, c)) if "*?[]!-".contains(c) => piece.split_at(at),
            _ => (piece, ""),
        };
        if !plain.is_empty() {
            let plain: Reference = format!("{head}{plain}").parse()?;
            pattern.push_str(&glob::escape(plain.name.as_str()));
        }
        pattern.push_str(wildcard);
    }
    Ok(Some((store, Glob::new(&pattern)?)))
}

/// The names that a selection of a whole store, or of all with a prefix, speaks for.
#[derive(Clone, Debug)]
pub struct Reach {
    prefix: String,
    except: Vec<Glob>,
}

impl Reach {
    /// Whether `name` is among them.
    pub fn has(&self, name: &Name) -> bool {
        let name = name.as_str();
        name.starts_with(&self.prefix) && !self.except.iter().any(|except| except.matches(name))
    }
}
