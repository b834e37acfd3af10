//! What the stores show of a rotation's targets: each store asked once, all at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::next::Seen;
use super::tools::Stores;
use crate::providers::Capability;
use crate::store::Store;
use crate::words::batch::{Filter, Reading, Selection};
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, StoreName};

/// What each store answered.
pub struct Look(BTreeMap<StoreName, Result<Shown>>);

/// What a store shows.
struct Shown {
    seen: BTreeMap<Name, Seen>,
    versions: Option<BTreeMap<Name, u32>>,
}

impl Look {
    /// Looks at `targets`.
    pub async fn at<'t>(stores: &Stores, targets: impl IntoIterator<Item = &'t Reference>) -> Self {
        let mut by_store: BTreeMap<&StoreName, BTreeSet<&Name>> = BTreeMap::new();
        for target in targets {
            by_store
                .entry(&target.store)
                .or_default()
                .insert(&target.name);
        }
        let asked = by_store.into_iter().filter_map(|(store, names)| {
            let store = stores.get(store)?;
            Some(async move { (store.name().clone(), look_in(store, &names).await) })
        });
        Self(join_all(asked).await.into_iter().collect())
    }

    /// What was seen of `target`.
    ///
    /// # Errors
    /// What its store answered instead.
    pub fn of(&self, target: &Reference) -> Result<Seen> {
        match self.0.get(&target.store) {
            Some(Ok(Shown { seen, .. })) => {
                Ok(seen.get(&target.name).cloned().unwrap_or(Seen::Absent))
            }
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::failed(format!("{target} was not looked at"))),
        }
    }

    /// What a write over what was seen of `target` is to [expect](crate::words::batch::Write::expected).
    pub fn expected(&self, target: &Reference) -> Option<u32> {
        let shown = self.0.get(&target.store)?.as_ref().ok()?;
        let versions = shown.versions.as_ref()?;
        Some(versions.get(&target.name).copied().unwrap_or_default())
    }
}

async fn look_in(store: &Store, names: &BTreeSet<&Name>) -> Result<Shown> {
    if store.can(Capability::Read) {
        let selection = Selection::Names(names.iter().map(|name| (*name).clone()).collect());
        let reading = match store.read_counted(&selection).await {
            // A vault that is to be made.
            Err(error) if error.is_absence() => Reading::default(),
            reading => reading?,
        };
        let values = reading.values.into_iter();
        return Ok(Shown {
            seen: values
                .map(|(name, value)| (name, Seen::Value(value)))
                .collect(),
            versions: reading.versions,
        });
    }
    let entries = store.list(&Filter::default()).await?;
    let entries = entries.into_iter();
    Ok(Shown {
        seen: entries
            .filter(|entry| names.contains(&entry.name))
            .map(|entry| (entry.name, Seen::Hidden))
            .collect(),
        versions: None,
    })
}
