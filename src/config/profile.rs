//! The `[profiles.NAME]` tables: what lies over the rest of a configuration when it is chosen.

use std::collections::BTreeMap;

use super::reader::{Entry, Placed, Reader};
use super::variable::{self, Variable};
use crate::words::secret::StoreName;

const KEYS: [&str; 2] = ["default_store", "env"];

/// What one file says of a profile.
#[derive(Default)]
pub(super) struct Profile {
    pub default_store: Option<Placed<StoreName>>,
    pub env: BTreeMap<String, Placed<Variable>>,
}

/// Reads the table `[profiles.KEY]`; its mistakes are noted with `reader`.
pub(super) fn read(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Profile> {
    let path = format!("profiles.{}", entry.key);
    if entry.key.is_empty() {
        let message = "a profile's name cannot be empty";
        reader.problem(entry.at, message, None);
    }
    let mut profile = Profile::default();
    for entry in reader.table(&path, &entry.item)? {
        let (name, item) = (format!("{path}.{}", entry.key), &entry.item);
        match entry.key {
            "default_store" => {
                let store = reader.parsed_text(&name, item, str::parse);
                profile.default_store = store.map(|store| reader.placed(item.at, store));
            }
            "env" => profile.env = variable::read_table(reader, &name, item),
            _ => reader.unknown_key(entry, &path, &KEYS),
        }
    }
    Some(profile)
}
