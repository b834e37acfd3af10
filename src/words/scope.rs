//! Which secrets a name stands for.

use serde::{Deserialize, Serialize};

use super::digest;

/// Which secrets a store's names stand for, as a digest: another server, account, project, group,
/// job or file is another scope. What is remembered of a store holds as long as this is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    /// The scope that `parts` tell from any other.
    pub fn of(parts: &[&str]) -> Self {
        Self(digest::of_parts(parts))
    }

    /// The digest in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
