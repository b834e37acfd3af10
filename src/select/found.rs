//! Asking stores for what is wanted of them: each once, and all at the same time.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::Bound;

use futures_util::future::join_all;

use crate::providers::Capability;
use crate::store::Store;
use crate::words::batch::{Filter, Selection};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

/// Which secrets are wanted of which stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants(BTreeMap<StoreName, Wanted>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    all: bool,
    /// All that begin so are wanted.
    beginning: Option<String>,
    names: BTreeSet<Name>,
    /// Whether anything of it must be there.
    required: bool,
}

impl Wants {
    /// Wants the secret behind `reference` too.
    pub fn add(&mut self, reference: &Reference) {
        self.add_optional(reference);
        self.of(&reference.store).required = true;
    }

    /// Wants the secret behind `reference` too, which need not be there.
    pub fn add_optional(&mut self, reference: &Reference) {
        let wanted = self.of(&reference.store);
        wanted.names.insert(reference.name.clone());
    }

    /// Wants all of `store`.
    pub fn add_all(&mut self, store: &StoreName) {
        let wanted = self.of(store);
        (wanted.all, wanted.required) = (true, true);
    }

    /// Wants all of `store` that begins with `prefix`.
    pub fn add_beginning(&mut self, store: &StoreName, prefix: &str) {
        let wanted = self.of(store);
        (wanted.beginning, wanted.required) = (Some(prefix.to_owned()), true);
    }

    fn of(&mut self, store: &StoreName) -> &mut Wanted {
        self.0.entry(store.clone()).or_default()
    }

    /// The stores that something is wanted of.
    pub fn stores(&self) -> impl Iterator<Item = &StoreName> {
        self.0.keys()
    }

    /// What is to be read of `store`. Where a name's beginning tells its group, that group is asked for
    /// its names first, and no other is read.
    async fn selection(&self, store: &Store) -> Result<Selection> {
        let Some(wanted) = self.0.get(store.name()) else {
            return Ok(Selection::Names(Vec::new()));
        };
        let mut names = wanted.names.clone();
        match &wanted.beginning {
            _ if wanted.all => return Ok(Selection::All),
            Some(prefix) if store.can(Capability::Groups) && prefix.contains('/') => {
                let filter = Filter {
                    prefix: Some(prefix.clone()),
                    ..Filter::default()
                };
                let listed = store.list(&filter).await?;
                names.extend(listed.into_iter().map(|entry| entry.name));
            }
            Some(_) => return Ok(Selection::All),
            None => {}
        }
        Ok(Selection::Names(names.into_iter().collect()))
    }

    /// Whether `store` may answer with this `error`: nobody has made it yet, so that it holds
    /// nothing, and nothing that is wanted of it must be there.
    fn allows(&self, store: &Store, error: &Error) -> bool {
        let required = self
            .0
            .get(store.name())
            .is_some_and(|wanted| wanted.required);
        error.cause() == Cause::NotMade && !required
    }
}

/// What each of the stores that were asked answered.
pub struct Answers<'s> {
    stores: &'s [Store],
    answers: Vec<Result<BTreeMap<Name, SecretValue>>>,
}

impl<'s> Answers<'s> {
    /// Asks `stores` for what is wanted of them. Where one of them cannot be read, none but that
    /// one is asked: it says what to do instead.
    pub async fn ask(stores: &'s [Store], wants: &Wants) -> Self {
        let unreadable = stores.iter().find(|store| !store.can(Capability::Read));
        let stores = unreadable.map_or(stores, std::slice::from_ref);
        let answers = stores.iter().map(|store| async {
            let answer = match wants.selection(store).await {
                Ok(selection) => store.read(&selection).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if wants.allows(store, &error) => Ok(BTreeMap::new()),
                answer => answer,
            }
        });
        Self {
            stores,
            answers: join_all(answers).await,
        }
    }

    /// The stores that failed, and with what.
    pub fn failures(&self) -> impl Iterator<Item = (&'s Store, &Error)> {
        let answers = self.stores.iter().zip(&self.answers);
        answers.filter_map(|(store, answer)| Some((store, answer.as_ref().err()?)))
    }

    /// What was found.
    ///
    /// # Errors
    /// That of the first store that failed.
    pub fn found(self) -> Result<Found<'s, SecretValue>> {
        Found::collect(self.stores, self.answers)
    }
}

/// What the stores answered: a value for each name, or nothing where names alone were asked for.
pub struct Found<'s, V> {
    stores: &'s [Store],
    by_store: BTreeMap<&'s StoreName, BTreeMap<Name, V>>,
}

impl<'s> Found<'s, SecretValue> {
    /// Reads what is wanted of `stores`.
    ///
    /// # Errors
    /// `unsupported` where one of the stores cannot be read, before any other is asked; whatever
    /// a store answers.
    pub async fn read(stores: &'s [Store], wants: &Wants) -> Result<Self> {
        Answers::ask(stores, wants).await.found()
    }
}

impl<'s> Found<'s, ()> {
    /// Asks `stores`, of which something is wanted, for their names alone, which works where values
    /// cannot be read, too.
    ///
    /// # Errors
    /// Whatever a store answers.
    pub async fn list(stores: &'s [Store], wants: &Wants) -> Result<Self> {
        let answers = stores.iter().map(|store| async {
            let entries = match store.list(&Filter::default()).await {
                Err(error) if wants.allows(store, &error) => Vec::new(),
                entries => entries?,
            };
            Ok(entries.into_iter().map(|entry| (entry.name, ())).collect())
        });
        Self::collect(stores, join_all(answers).await)
    }
}

impl<'s, V> Found<'s, V> {
    /// What `stores` would answer if they held `values` and nothing else.
    pub fn of(stores: &'s [Store], mut values: BTreeMap<StoreName, BTreeMap<Name, V>>) -> Self {
        let by_store = stores.iter().map(|store| {
            let values = values.remove(store.name());
            (store.name(), values.unwrap_or_default())
        });
        Self {
            by_store: by_store.collect(),
            stores,
        }
    }

    fn collect(stores: &'s [Store], answers: Vec<Result<BTreeMap<Name, V>>>) -> Result<Self> {
        let mut by_store = BTreeMap::new();
        for (store, answer) in stores.iter().zip(answers) {
            by_store.insert(store.name(), answer?);
        }
        Ok(Self { stores, by_store })
    }

    /// What was found for references that come in the order of their stores and names, as a rule:
    /// each costs one step then, and otherwise as much as [`get`](Self::get).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn one_after_another<'f>(&'f self) -> impl FnMut(&Reference) -> Result<&'f V> {
        let mut ahead: Option<(&StoreName, btree_map::Range<'f, Name, V>)> = None;
        move |reference| {
            let next = ahead
                .as_mut()
                .filter(|(store, _)| **store == reference.store);
            if let Some((name, value)) = next.and_then(|(_, rest)| rest.next())
                && *name == reference.name
            {
                return Ok(value);
            }
            let of_store = self.by_store.get_key_value(&reference.store);
            let from_here = of_store.and_then(|(store, found)| {
                let behind = (Bound::Included(&reference.name), Bound::Unbounded);
                let mut rest = found.range::<Name, _>(behind);
                let first = rest.next();
                ahead = Some((store, rest));
                first
            });
            match from_here {
                Some((name, value)) if *name == reference.name => Ok(value),
                _ => Err(self.missing(reference)),
            }
        }
    }

    /// What was found for `reference`.
    ///
    /// # Errors
    /// `not_found` where its store has no such secret.
    pub fn get(&self, reference: &Reference) -> Result<&V> {
        self.by_store
            .get(&reference.store)
            .and_then(|found| found.get(&reference.name))
            .ok_or_else(|| self.missing(reference))
    }

    /// The names found in `store`, sorted.
    pub fn names(&self, store: &StoreName) -> impl Iterator<Item = &Name> {
        self.by_store
            .get(store)
            .into_iter()
            .flat_map(BTreeMap::keys)
    }

    fn missing(&self, reference: &Reference) -> Error {
        let store = self
            .stores
            .iter()
            .find(|store| *store.name() == reference.store);
        match store {
            Some(store) => store.missing(&reference.name),
            None => Error::not_found(format!("there is no secret {}", reference.shown())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_whatever_order_they_are_asked_for() {
        let stores = ["a", "b"].map(|store| StoreName::new(store).unwrap());
        let names = ["A", "B", "C", "D"].map(|text| Name::new(text).unwrap());
        let found = Found {
            stores: &[],
            by_store: stores
                .iter()
                .map(|store| {
                    let values = names
                        .iter()
                        .map(|name| (name.clone(), format!("{store}/{name}")));
                    (store, values.collect())
                })
                .collect(),
        };
        // Two letters that follow each other in every way, that of no store and no secret among them.
        let asked = "aA aB aC bA bB aD aA aA aC aB bD bE aE aA aE bA cA aB aD bC aZ aZ aA";
        let mut find = found.one_after_another();
        for reference in asked.split(' ') {
            let (store, secret) = reference.split_at(1);
            let reference = Reference {
                store: StoreName::new(store).unwrap(),
                name: Name::new(secret).unwrap(),
            };
            let expected = found.get(&reference).ok();
            assert_eq!(find(&reference).ok(), expected, "{reference}");
            let is_there = "ab".contains(store) && "ABCD".contains(secret);
            assert_eq!(expected.is_some(), is_there, "{reference}");
        }
    }
}
