//! Which vault a file is: an id inside it that only its readers can know, and the ids it had before.
//!
//! age tells who can read a file and not who wrote it: anybody with a reader's public key can make
//! one. Who knows a vault's id could read it, so a file that has it is the work of a reader.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::words::error::Result;
use crate::words::random;

/// How many random bytes an id has.
const LENGTH: usize = 16;

/// The random id of a vault. It is no credential, but whoever knows it is taken for a reader: it
/// is never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct VaultId(String);

impl VaultId {
    /// One that nobody has had before.
    ///
    /// # Errors
    /// `failed` where the operating system has no random numbers.
    pub fn fresh() -> Result<Self> {
        let mut bytes = [0; LENGTH];
        random::fill(&mut bytes)?;
        Ok(Self(base16ct::lower::encode_string(&bytes)))
    }
}

impl<'de> Deserialize<'de> for VaultId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.bytes();
        match text.len() == 2 * LENGTH && digits.into_iter().all(|digit| digit.is_ascii_hexdigit())
        {
            true => Ok(Self(text)),
            false => Err(serde::de::Error::custom("no id of a vault")),
        }
    }
}

impl fmt::Debug for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultId(…)")
    }
}

/// A vault's id and those it had before, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The id; `None` in what the first release wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<VaultId>,
    /// The ids before it. Who knows one of them alone may have been shut out since.
    #[serde(default, rename = "earlier_ids", skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<VaultId>,
}

impl Lineage {
    /// Whether `id` is its id.
    pub fn is(&self, id: &VaultId) -> bool {
        self.id.as_ref() == Some(id)
    }

    /// Whether it had `id` before.
    pub fn had(&self, id: &VaultId) -> bool {
        self.earlier.contains(id)
    }

    /// Gives it a fresh id: those who knew the one before are known by it no longer.
    ///
    /// # Errors
    /// As [`VaultId::fresh`].
    pub fn renew(&mut self) -> Result<()> {
        let before = self.id.replace(VaultId::fresh()?);
        if let Some(before) = before {
            self.earlier.insert(0, before);
        }
        Ok(())
    }

    /// Makes every id of `other` one that it had before, so that whoever knows `other` knows it.
    pub fn follow(&mut self, other: &Lineage) {
        for id in other.id.iter().chain(&other.earlier) {
            if !self.is(id) && !self.had(id) {
                self.earlier.push(id.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_lineage_is_known_to_who_knew_it_before() {
        let mut lineage = Lineage::default();
        lineage.renew().unwrap();
        let first = lineage.clone();
        lineage.renew().unwrap();
        assert!(lineage.had(first.id.as_ref().unwrap()) && !lineage.is(first.id.as_ref().unwrap()));
        assert_eq!(lineage.earlier.len(), 1);
        let mut other = Lineage::default();
        other.renew().unwrap();
        other.follow(&lineage);
        other.follow(&lineage);
        assert_eq!(other.earlier.len(), 2);
    }

    #[test]
    fn an_id_is_not_shown() {
        let id = VaultId::fresh().unwrap();
        assert_eq!(format!("{id:?}"), "VaultId(…)");
        assert_ne!(id, VaultId::fresh().unwrap());
    }
}
