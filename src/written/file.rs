//! What stands in the file of one store's record.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::key::{Key, Tag};
use crate::state::{self, Mode};
use crate::words::error::{Error, Result};

/// The version that this code writes, and the only one it reads.
const FORMAT: u32 = 1;

/// One store's record. Nothing in it says what it is about to anybody without the key.
#[derive(Debug, Serialize, Deserialize)]
pub struct File {
    keyfob: u32,
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

impl File {
    /// A record of nothing, made with `key`.
    pub fn empty(key: &Key) -> Self {
        Self {
            keyfob: FORMAT,
            key: id(key),
            begun: String::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// The record at `path` as it was made with `key`; `None` where there is none.
    ///
    /// # Errors
    /// `failed` where it cannot be read; `invalid_data` where it is damaged, of a newer keyfob, or
    /// made with another key.
    pub fn read(path: &Path, key: &Key) -> Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::io(format!("cannot read {}", path.display()), error));
            }
        };
        let file = serde_json::from_slice(&bytes)
            .ok()
            .filter(|file: &Self| file.keyfob == FORMAT);
        match file {
            Some(file) if file.key == id(key) => Ok(Some(file)),
            Some(_) => Err(Error::invalid_data(format!(
                "{} was made with another key",
                path.display()
            ))),
            None => Err(Error::invalid_data(format!(
                "{} is damaged, or of a newer keyfob",
                path.display()
            ))),
        }
    }

    /// Replaces the file at `path` by this record, so that it survives a power cut.
    ///
    /// # Errors
    /// `failed`; what was there before is then intact.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))?;
        state::write_atomically(path, &json, Mode::PRIVATE)
    }
}

fn id(key: &Key) -> Tag {
    key.tag(&[b"key"])
}
