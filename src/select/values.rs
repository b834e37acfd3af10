//! Which values can be variables, and what becomes of those that cannot.

use std::collections::{BTreeMap, BTreeSet};

use super::variables::{Destination, Naming};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::word::{Word, shell_word};

/// So long may a variable be, in bytes, with its name, the `=` and the NUL behind it. Linux takes no
/// longer one.
pub const LONGEST_VARIABLE: usize = 128 * 1024;

impl Destination {
    /// Why the value of `name` cannot be a variable, where it is to be one and cannot.
    fn unfit(self, name: &str, value: &SecretValue) -> Option<&'static str> {
        let text_alone = match self {
            Self::Environment => cfg!(windows),
            Self::File(format) if format.holds_variables() => true,
            Self::File(_) | Self::Template | Self::Store => return None,
        };
        if value.expose().contains(&0) {
            return Some("it holds a NUL byte");
        }
        if name.len() + value.len() + "=\0".len() > LONGEST_VARIABLE {
            return Some("it is longer than the 128 KiB that a variable holds");
        }
        (text_alone && value.expose_str().is_none()).then_some("it is not text")
    }
}

/// Takes those out of `values` that cannot be variables, and returns them, each with the reason.
///
/// # Errors
/// `invalid_data` for one that was `asked` for by name, and for any where the naming is strict; it
/// names all of them.
pub fn leave_unfit_out(
    values: &mut BTreeMap<String, SecretValue>,
    asked: &BTreeSet<String>,
    naming: &Naming,
) -> Result<Vec<(String, &'static str)>> {
    let mut unfit = Vec::new();
    for (name, value) in &*values {
        if let Some(why) = naming.destination.unfit(name, value) {
            unfit.push((name.clone(), why));
        }
    }
    let refused = unfit.iter();
    let refused: Vec<_> = refused
        .filter(|(name, _)| naming.strict || asked.contains(name))
        .collect();
    if let [(name, why), rest @ ..] = refused.as_slice() {
        let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
        let message = match rest {
            [] => format!(
                "the value of {} cannot be an environment variable: {why}",
                Word(name)
            ),
            _ => format!(
                "these values cannot be environment variables: {}",
                with_reasons(refused.iter().copied())
            ),
        };
        return Err(Error::invalid_data(message).hint(format!(
            "--except {} leaves {} out; a command can be given {} as a file or on stdin",
            shell_word(&names.join(",")),
            if rest.is_empty() { "it" } else { "them" },
            if rest.is_empty() { "it" } else { "them" },
        )));
    }
    for (name, _) in &unfit {
        values.remove(name);
    }
    Ok(unfit)
}

/// "A (it is not text), B (it holds a NUL byte)".
pub fn with_reasons<'a>(unfit: impl Iterator<Item = &'a (String, &'static str)>) -> String {
    let texts: Vec<String> = unfit
        .map(|(name, why)| format!("{} ({why})", Word(name)))
        .collect();
    texts.join(", ")
}
