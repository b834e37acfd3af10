//! What is asked of a store, and what it answers: filters, selections, writes and their outcomes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::words::error::Result;
use crate::words::secret::{Mark, Name, SecretValue};

/// Which entries `list` is to return.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only secrets of this type, where the backend has types.
    pub secret_type: Option<String>,
    /// The one that the user has named: to be asked for where a backend's list may lack it.
    pub named: Option<Name>,
}

impl Filter {
    /// Whether `name` passes the filter's prefix.
    pub fn admits(&self, name: &str) -> bool {
        self.prefix
            .as_deref()
            .is_none_or(|prefix| name.starts_with(prefix))
    }
}

/// Which secrets `read` is to return.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All that the store holds.
    All,
    /// These. One that is missing is simply not in the answer.
    Names(Vec<Name>),
    /// Those of these that the backend lists: they are about to be stored, and of many none is worth a
    /// request of its own.
    Listed(Vec<Name>),
}

impl Selection {
    /// Whether `name` is selected.
    pub fn admits(&self, name: &str) -> bool {
        match self {
            Selection::All => true,
            Selection::Names(names) | Selection::Listed(names) => {
                names.iter().any(|wanted| wanted.as_str() == name)
            }
        }
    }
}

/// Values as they were read, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The values; a missing secret is not among them.
    pub values: BTreeMap<Name, SecretValue>,
    /// The numbers of their versions; `None` where the backend counts none.
    pub versions: Option<BTreeMap<Name, u32>>,
}

impl Reading {
    /// What a write over what was read of `name` is to [expect](Write::expected).
    pub fn expected(&self, name: &Name) -> Option<u32> {
        let versions = self.versions.as_ref()?;
        Some(versions.get(name).copied().unwrap_or_default())
    }
}

/// One secret to be stored.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its name.
    pub name: Name,
    /// Its new value.
    pub value: SecretValue,
    /// Its metadata, as far as the caller names it. What is `None` or absent stays as it is.
    pub metadata: Metadata,
    /// The version that must be the current one, or 0 where there must be none, else nothing is
    /// stored and its outcome is a `conflict`; where the backend counts no versions, a number is not
    /// looked at.
    pub expected: Option<u32>,
    /// The versions that it had elsewhere before this value, oldest first: they go before it where
    /// the backend can take them, and are not looked at elsewhere.
    pub past: Vec<Past>,
}

/// An earlier version of a secret, with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// When it became the current one.
    pub updated_at: Timestamp,
    /// `None`: with it the secret was deleted.
    pub value: Option<SecretValue>,
}

impl Write {
    /// A write of `value` alone, over whatever is there.
    pub fn new(name: Name, value: SecretValue) -> Self {
        Self {
            name,
            value,
            metadata: Metadata::default(),
            expected: None,
            past: Vec::new(),
        }
    }
}

/// What may be stored beside a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What its owner says of it.
    pub description: Option<String>,
    /// When the backend is to stop serving it.
    pub expires_at: Option<Timestamp>,
    /// Further attributes by key; `params.region` names a key inside an object.
    pub attributes: BTreeMap<String, String>,
}

impl Metadata {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// Secrets to be stored together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The secrets, no name twice.
    pub writes: Vec<Write>,
    /// Fail with `conflict` on each name that exists already, and leave it as it is.
    pub if_absent: bool,
}

/// What was done with one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It did not exist before.
    Created,
    /// It existed and has a new value.
    Updated,
    /// It was as wanted already; nothing was written.
    Unchanged,
    /// It is gone.
    Deleted,
    /// It has another name now, or is in another store.
    Moved,
}

impl Action {
    /// The word used for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Updated => "updated",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
            Action::Moved => "moved",
        }
    }
}

/// The result for one secret of a batch.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The secret.
    pub name: Name,
    /// What was done, or why nothing was.
    pub result: Result<Action>,
    /// By what the secret that was stored can be told from another of its name, as the backend's
    /// own answer says: the same as in its [`Entry`](super::secret::Entry). `None` where values can be read back, or
    /// where the answer was lost.
    pub mark: Option<Mark>,
}

impl Outcome {
    /// What became of `name`.
    pub fn new(name: Name, result: Result<Action>) -> Self {
        Self {
            name,
            result,
            mark: None,
        }
    }
}

/// What is known of one version of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Counts from one.
    pub number: u32,
    /// When it became the current one.
    pub updated_at: Timestamp,
    /// Whether it still is.
    pub current: bool,
    /// Whether with it the secret was deleted.
    pub deleted: bool,
}

/// What a restoring did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The version that was brought back.
    pub from: u32,
    /// The version that has its value now.
    pub number: u32,
    /// `Created` where the secret was deleted, `Unchanged` where it had that value already.
    pub action: Action,
}
