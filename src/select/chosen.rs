//! What a selection has come to: variables, and where each gets its value from.

use std::collections::{BTreeMap, BTreeSet};

use super::found::Found;
use super::wanted::IfMissing;
use crate::words::error::Result;
use crate::words::secret::{Reference, SecretValue};

/// What a variable gets its value from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A secret.
    Secret(Reference),
    /// A file, where it stands as it is.
    Literal(SecretValue),
}

impl Source {
    /// The secret, where it is one.
    pub fn secret(&self) -> Option<&Reference> {
        match self {
            Source::Secret(reference) => Some(reference),
            Source::Literal(_) => None,
        }
    }
}

/// The variables of a selection.
#[derive(Debug, Default)]
pub struct Chosen {
    /// What each variable gets its value from.
    pub variables: BTreeMap<String, Source>,
    /// Those whose names will not do there, which were left out.
    pub skipped: Vec<Reference>,
    /// The variables that were asked for by name.
    pub asked: BTreeSet<String>,
    /// The variables that have no secret, and can do without.
    pub missing: Vec<String>,
    /// What was left out as the user wished, and what it would have been called.
    pub(super) left_out: Vec<(Reference, String)>,
    /// What becomes of variables whose secret is not there.
    pub(super) optional: BTreeMap<String, IfMissing>,
}

impl Chosen {
    /// The secrets among what was chosen, each once.
    ///
    /// # Errors
    /// `not_found` for a secret that is not in `found`.
    pub fn secrets<'f>(
        &self,
        found: &'f Found<'_, SecretValue>,
    ) -> Result<BTreeMap<&Reference, &'f SecretValue>> {
        let mut find = found.one_after_another();
        let sources = self.variables.values();
        sources
            .filter_map(Source::secret)
            .map(|reference| Ok((reference, find(reference)?)))
            .collect()
    }

    /// The values by variable.
    ///
    /// # Errors
    /// `not_found` for a secret that is not in `found`.
    pub fn values(self, found: &Found<'_, SecretValue>) -> Result<BTreeMap<String, SecretValue>> {
        let mut find = found.one_after_another();
        let variables = self.variables.into_iter();
        variables
            .map(|(variable, source)| {
                let value = match source {
                    Source::Secret(reference) => find(&reference)?.clone(),
                    Source::Literal(value) => value,
                };
                Ok((variable, value))
            })
            .collect()
    }
}
