//! What may be seen of a vault in any file, such as one of git's: everything but the values.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::Vault;
use super::file::VaultFile;
use crate::identity::recipients::Recipient;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// What may be seen of a vault without its values, for whoever compares two states of it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Who reads it.
    pub recipients: Vec<Recipient>,
    /// Each secret, sorted by name.
    pub secrets: BTreeMap<String, OutlinedSecret>,
}

/// What may be seen of one secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutlinedSecret {
    /// What its owner says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When its value was stored, or it was deleted.
    pub updated_at: Timestamp,
    /// The number of its version.
    pub version: u32,
    /// Whether it is deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Vault {
    /// Whether the file at `path` is a vault that this identity opens.
    ///
    /// # Errors
    /// As all reading, but for an identity that it is not for.
    pub fn opens(&self, path: &Path) -> Result<bool> {
        if self.identity()?.is_none() || VaultFile::open(path)?.is_none() {
            return Ok(false);
        }
        match self.open(path) {
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(false),
            opened => opened.map(|opened| opened.is_some()),
        }
    }

    /// What may be seen of the vault in the file at `path`, without its values.
    ///
    /// # Errors
    /// `failed` where there is no such file; as all reading.
    pub fn outline(&self, path: &Path) -> Result<Outline> {
        let opened = self
            .open(path)?
            .ok_or_else(|| Error::failed(format!("there is no file {}", path.shown())))?;
        let document = self.parse(&opened)?;
        let recipients = document.recipients.clone();
        let mut secrets = BTreeMap::new();
        for (name, slot) in document.secrets.into_iter().chain(document.deleted) {
            let record = slot.record(&name).map_err(|error| self.in_file(error))?;
            let seen = OutlinedSecret {
                description: record.description.clone(),
                created_at: record.created_at,
                updated_at: record.updated_at(),
                version: record.version(),
                deleted: record.value().is_none(),
            };
            secrets.insert(name.into_owned(), seen);
        }
        Ok(Outline {
            recipients,
            secrets,
        })
    }
}
