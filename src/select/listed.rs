//! Names as somebody lists them: some by name, some by patterns.

use std::collections::BTreeSet;

use crate::words::error::Result;
use crate::words::glob::{self, Glob};
use crate::words::secret::Name;

/// Names, and patterns of names.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Those listed by name.
    pub names: BTreeSet<Name>,
    globs: Vec<Glob>,
}

impl Listed {
    /// What `texts` list.
    ///
    /// # Errors
    /// `invalid_data` for the empty name, `usage` for a pattern that is none.
    pub fn new(texts: &[String]) -> Result<Self> {
        let mut listed = Self::default();
        for text in texts {
            match Glob::of(text)? {
                Some(glob) => listed.globs.push(glob),
                None => {
                    listed.names.insert(Name::new(glob::plain(text))?);
                }
            }
        }
        Ok(listed)
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty()
    }

    /// Whether some are listed by patterns, so that which they are depends on what there is.
    pub fn has_globs(&self) -> bool {
        !self.globs.is_empty()
    }

    /// Whether `name` is among them.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.globs.iter().any(|glob| glob.matches(name))
    }
}
