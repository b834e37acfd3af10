//! What stands in a snapshot under the encryption.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::encoded;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, SecretValue, StoreName};
use crate::words::shown::ShownPath as _;

/// The version that this code writes, and the only one it reads.
const FORMAT: u32 = 1;

/// What stores answered at some time.
#[derive(Debug)]
pub struct Snapshot {
    /// When they did.
    pub taken_at: Timestamp,
    /// The values.
    pub values: BTreeMap<StoreName, BTreeMap<Name, SecretValue>>,
}

/// The content, with `V` for what holds the values.
#[derive(Serialize, Deserialize)]
pub struct Content<V> {
    keyfob: u32,
    binding: String,
    taken_at: Timestamp,
    /// By store and name.
    values: BTreeMap<String, BTreeMap<String, V>>,
}

impl<'a> Content<Written<'a>> {
    /// The content of the snapshot of `secrets` for the binding with this digest.
    pub fn new(
        binding: &str,
        taken_at: Timestamp,
        secrets: &BTreeMap<&Reference, &'a SecretValue>,
    ) -> Self {
        let mut values: BTreeMap<String, BTreeMap<String, Written<'a>>> = BTreeMap::new();
        for (reference, value) in secrets {
            values
                .entry(reference.store.to_string())
                .or_default()
                .insert(reference.name.as_str().to_owned(), Written(value));
        }
        Self {
            keyfob: FORMAT,
            binding: binding.to_owned(),
            taken_at,
            values,
        }
    }
}

/// Reads the content `plaintext` of the snapshot at `path`.
///
/// # Errors
/// `conflict` where it was taken for something else than `binding`, `invalid_data` where it makes
/// no sense.
pub fn read(plaintext: &[u8], binding: &str, path: &Path) -> Result<Snapshot> {
    #[derive(Deserialize)]
    struct Version {
        keyfob: u32,
    }
    let unknown = || {
        Error::invalid_data(format!(
            "the fallback snapshot {} holds something unknown",
            path.shown()
        ))
    };
    // serde_json's own text may quote the content.
    let version: Version = serde_json::from_slice(plaintext).map_err(|_| unknown())?;
    if version.keyfob != FORMAT {
        return Err(unknown().hint("it was written by another version of keyfob"));
    }
    let content: Content<Read> = serde_json::from_slice(plaintext).map_err(|_| unknown())?;
    if content.binding != binding {
        return Err(Error::conflict(format!(
            "the fallback snapshot {} was kept for another selection, or for stores set up in another way",
            path.shown()
        )));
    }
    let mut values = BTreeMap::new();
    for (store, of_store) in content.values {
        let of_store: Result<BTreeMap<Name, SecretValue>> = of_store
            .into_iter()
            .map(|(name, value)| Ok((Name::any(name), value.0)))
            .collect();
        values.insert(StoreName::new(store)?, of_store?);
    }
    Ok(Snapshot {
        taken_at: content.taken_at,
        values,
    })
}

/// A value as it is written.
#[derive(Serialize)]
pub struct Written<'a>(#[serde(serialize_with = "encoded::serialize")] &'a SecretValue);

/// A value as it is read.
#[derive(Deserialize)]
struct Read(#[serde(deserialize_with = "encoded::deserialize")] SecretValue);
