//! What stands in the file of one store's record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::{Key, Tag};

/// One store's record. Nothing in it says what it is about to anybody without the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Tells the key that the digests were made with from any other.
    key: Tag,
    /// Which writing was begun last.
    pub begun: String,
    /// By the digest of each name.
    pub secrets: BTreeMap<Tag, Digests>,
}

/// What keyfob stored under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of the mark that the backend has given it.
    pub mark: Tag,
    /// Of the value.
    pub value: Tag,
}

impl Content {
    /// A record of nothing, made with `key`.
    pub fn empty(key: &Key) -> Self {
        Self {
            key: id(key),
            begun: String::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// Whether it was made with `key`.
    pub fn is_under(&self, key: &Key) -> bool {
        self.key == id(key)
    }
}

fn id(key: &Key) -> Tag {
    key.tag(&[b"key"])
}
