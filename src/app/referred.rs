//! Credentials that other stores hold: fetched through the same door as everything else.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use async_trait::async_trait;

use crate::config::{Config, StoreConfig};
use crate::credential::References;
use crate::providers::Services;
use crate::store::Store;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Reference, SecretValue, StoreName};

/// The configuration, once it is loaded: shared with whoever looks for stores in it later.
pub type Loaded = Rc<OnceCell<Config>>;

/// The stores of the configuration, as sources of credentials.
pub struct Referred {
    /// Where they are found.
    pub config: Loaded,
    /// What they work with: that which has this one.
    pub services: Weak<Services>,
}

#[async_trait(?Send)]
impl References for Referred {
    async fn value(&self, wanted_by: &StoreName, reference: &Reference) -> Result<SecretValue> {
        let (Some(config), Some(services)) = (self.config.get(), self.services.upgrade()) else {
            return Err(Error::failed(format!("{reference} cannot be fetched now")));
        };
        check(config, wanted_by, reference)?;
        let store = Store::open(&reference.store, config, &services)?;
        store.check_name(&reference.name)?;
        store.value(&reference.name).await.map_err(|error| {
            match error.kind() {
                // The secret that was asked for may well be there.
                Kind::NotFound => Error::unauthenticated(error.message()).hint(format!(
                    "store it with: keyfob set {}",
                    crate::words::word::shell_word(&reference.to_string())
                )),
                _ => error,
            }
        })
    }
}

/// Refuses a circle: a store whose credentials wait for those of `wanted_by`.
fn check(config: &Config, wanted_by: &StoreName, reference: &Reference) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut ahead = vec![reference.store.clone()];
    while let Some(name) = ahead.pop() {
        if name == *wanted_by {
            return Err(Error::config(format!(
                "the credentials of the stores {wanted_by} and {} wait for each other",
                reference.store
            ))
            .hint("keep one of them elsewhere")
            .store(wanted_by.as_str()));
        }
        if seen.insert(name.clone())
            && let Ok(store) = config.store(&name)
        {
            ahead.extend(named_by(store));
        }
    }
    Ok(())
}

/// The stores that hold credentials of this one.
fn named_by(store: &StoreConfig) -> impl Iterator<Item = StoreName> {
    let fields = store.fields();
    fields.filter_map(|(field, _)| Some(store.reference(field.name)?.store))
}
