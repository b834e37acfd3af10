//! What a store holds, as far as it tells.

use std::collections::BTreeMap;

use crate::providers::Capability;
use crate::store::Store;
use crate::words::batch::{Filter, Reading, Selection};
use crate::words::error::Result;
use crate::words::secret::{Mark, Name, SecretValue};
use crate::written::{Known, Likeness};

/// What a store holds.
pub enum Held {
    /// Names and values.
    Values(Reading),
    /// Names and marks, of a store whose values cannot be read back, and what keyfob remembers of
    /// what it stored there.
    Names {
        /// By name; no mark where there is none, or where several secrets have the name.
        marks: BTreeMap<Name, Option<Mark>>,
        /// What is remembered.
        known: Known,
    },
}

impl Held {
    /// Asks `store` once: for these names, or for all it has. What it cannot hold it does not.
    ///
    /// # Errors
    /// Whatever the store answers, naming it.
    pub async fn by(store: &Store, selection: &Selection) -> Result<Self> {
        if store.can(Capability::Read) {
            let selection = possible(store, selection);
            if matches!(&selection, Selection::Names(names) | Selection::Listed(names) if names.is_empty())
            {
                return Ok(Self::Values(Reading::default()));
            }
            return store.read_counted(&selection).await.map(Self::Values);
        }
        let mut marks = BTreeMap::new();
        for entry in store.list(&Filter::default()).await? {
            marks
                .entry(entry.name)
                .and_modify(|mark| *mark = None)
                .or_insert(entry.mark);
        }
        // Only now: what is remembered then is no older than the list.
        let known = store.known().await?;
        Ok(Self::Names { marks, known })
    }

    /// Looks for those of `names` that were not found among all that `store` has, as a backend may
    /// know a secret by more names than the one that it lists. Returns those that it does.
    ///
    /// # Errors
    /// Whatever the store answers, naming it.
    pub async fn look_closer<'n>(
        &mut self,
        store: &Store,
        names: impl Iterator<Item = &'n Name>,
    ) -> Result<Vec<Name>> {
        // Groups have ids beside their names.
        let Self::Values(Reading { values, .. }) = self else {
            return Ok(Vec::new());
        };
        let missing: Vec<Name> = names
            .filter(|name| !values.contains_key(*name) && store.check_name(name).is_ok())
            .cloned()
            .collect();
        if missing.is_empty() || !store.can(Capability::Groups) {
            return Ok(Vec::new());
        }
        let found = store.read(&Selection::Names(missing)).await?;
        let aliases = found.keys().cloned().collect();
        values.extend(found);
        Ok(aliases)
    }

    /// Its names, sorted.
    pub fn names(&self) -> Box<dyn Iterator<Item = &Name> + '_> {
        match self {
            Self::Values(Reading { values, .. }) => Box::new(values.keys()),
            Self::Names { marks, .. } => Box::new(marks.keys()),
        }
    }

    /// Whether it has something under `name`.
    pub fn has(&self, name: &Name) -> bool {
        match self {
            Self::Values(Reading { values, .. }) => values.contains_key(name),
            Self::Names { marks, .. } => marks.contains_key(name),
        }
    }

    /// What a write over what is held under `name` is to [expect](crate::words::batch::Write::expected).
    pub fn expected(&self, name: &Name) -> Option<u32> {
        match self {
            Self::Values(reading) => reading.expected(name),
            Self::Names { .. } => None,
        }
    }

    /// Its value under `name`, where it tells values.
    pub fn value(&self, name: &Name) -> Option<&SecretValue> {
        match self {
            Self::Values(reading) => reading.values.get(name),
            Self::Names { .. } => None,
        }
    }

    /// How what is held under `name` compares with `value`; `None` where nothing is.
    pub fn compare(&self, name: &Name, value: &SecretValue) -> Option<Likeness> {
        match self {
            Self::Values(Reading { values, .. }) => {
                values.get(name).map(|held| match held == value {
                    true => Likeness::Same,
                    false => Likeness::Other,
                })
            }
            Self::Names { marks, known } => marks
                .get(name)
                .map(|mark| known.compare(name, mark.as_ref(), value)),
        }
    }
}

/// Those of `selection` that `store` can hold by their names.
fn possible(store: &Store, selection: &Selection) -> Selection {
    let possible = |names: &[Name]| {
        let names = names.iter().filter(|name| store.check_name(name).is_ok());
        names.cloned().collect()
    };
    match selection {
        Selection::All => Selection::All,
        Selection::Names(names) => Selection::Names(possible(names)),
        Selection::Listed(names) => Selection::Listed(possible(names)),
    }
}
