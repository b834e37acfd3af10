//! What rotations are carried out with.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::hooks::Hooks;
use crate::config::Config;
use crate::journal::Journal;
use crate::providers::Services;
use crate::store::Store;
use crate::words::error::Result;
use crate::words::secret::StoreName;

/// The stores of a rotation, by name.
pub type Stores = BTreeMap<StoreName, Store>;

/// What rotations are carried out with.
pub struct Tools<'a> {
    /// What stores are opened from.
    pub config: &'a Config,
    /// What they work with.
    pub services: &'a Rc<Services>,
    /// What is open.
    pub journal: Journal,
    /// The rotations' commands.
    pub hooks: Hooks<'a>,
}

impl Tools<'_> {
    /// The stores that `names` names, open. Asks no server.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn stores<'n>(&self, names: impl IntoIterator<Item = &'n StoreName>) -> Result<Stores> {
        let names: BTreeSet<&StoreName> = names.into_iter().collect();
        let open = |name: &StoreName| Store::open(name, self.config, self.services);
        let stores = names
            .into_iter()
            .map(|name| Ok((name.clone(), open(name)?)));
        stores.collect()
    }
}
