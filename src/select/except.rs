//! What is left out: names of secrets or variables, references, and patterns.

use super::variables::{Naming, upper_letter};
use crate::words::error::Result;
use crate::words::glob::{self, Glob};
use crate::words::secret::{Name, Reference, Target};

/// One thing that is left out.
#[derive(Clone, Debug)]
pub struct Except {
    text: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A secret or a variable of this name.
    Name(Name),
    Reference(Reference),
    /// Whatever is called so.
    Glob(Glob),
}

impl Except {
    /// What `text` says is left out.
    ///
    /// # Errors
    /// `usage` for a pattern or a reference that is none, `invalid_data` for the empty name.
    pub fn new(text: &str) -> Result<Self> {
        let what = match Glob::of(text)? {
            Some(glob) if !Reference::looks_like(text) => What::Glob(glob),
            _ => match text.parse()? {
                Target::Reference(reference) => What::Reference(reference),
                Target::Name(_) => What::Name(Name::new(glob::plain(text))?),
            },
        };
        let text = text.to_owned();
        Ok(Self { text, what })
    }

    /// It as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the secret `reference`, where there is one, under the variable `variable`.
    pub fn is(&self, reference: Option<&Reference>, variable: &str) -> bool {
        let name = reference.map(|reference| reference.name.as_str());
        match &self.what {
            What::Name(except) => Some(except.as_str()) == name || except.as_str() == variable,
            What::Reference(except) => Some(except) == reference,
            What::Glob(glob) => {
                name.is_some_and(|name| glob.matches(name)) || glob.matches(variable)
            }
        }
    }

    /// What must exist: the name of a secret in the selected store, or another store's secret.
    /// `None` for a pattern, which may match nothing.
    pub fn asked(&self) -> Option<Target> {
        match &self.what {
            What::Name(name) => Some(Target::Name(name.clone())),
            What::Reference(reference) => Some(Target::Reference(reference.clone())),
            What::Glob(_) => None,
        }
    }

    /// The names at the destination that it stands for: as it is written, and turned as names are.
    ///
    /// # Errors
    /// `usage` for a pattern that is none once it is turned.
    pub fn at_destination(&self, naming: &Naming) -> Result<Vec<Glob>> {
        let text = match &self.what {
            What::Name(name) => glob::escape(name.as_str()),
            What::Reference(reference) => glob::escape(reference.name.as_str()),
            What::Glob(glob) => glob.as_str().to_owned(),
        };
        let strip = glob::escape(naming.strip_prefix.as_deref().unwrap_or_default());
        let stripped = Glob::new(text.strip_prefix(&strip).unwrap_or(&text))?;
        let turned = match naming.upper {
            true => stripped.turned(upper_letter)?,
            false => stripped,
        };
        let add = glob::escape(naming.add_prefix.as_deref().unwrap_or_default());
        let turned = Glob::new(&format!("{add}{}", turned.as_str()))?;
        Ok(vec![Glob::new(&text)?, turned])
    }
}
