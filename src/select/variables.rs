//! The names that selected secrets get: those of environment variables, some of which are
//! dangerous, or those of secrets in another store.

use std::collections::BTreeSet;

use super::harmful::is_harmful;
use crate::words::error::{Error, Result};
use crate::words::secret::Name;
use crate::words::text::is_variable_name;

/// Where selected secrets go, which decides what they may be called there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// An environment, of whatever form: names are those of variables, and harmless ones.
    #[default]
    Environment,
    /// Another store: names are any text.
    Store,
}

/// How selected secrets are named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming {
    /// Where they go.
    pub destination: Destination,
    /// `db-password` becomes `DB_PASSWORD`.
    pub upper: bool,
    /// A name that is no variable name is an error instead of being skipped, or of being kept
    /// where names are any text.
    pub strict: bool,
}

impl Naming {
    /// What the secret called `name` is called there, or `None` where nothing can be made of it
    /// and that is no error.
    pub(super) fn of(self, name: &str) -> Result<Option<String>> {
        let named = self.turned(name);
        match (self.strict, self.destination) {
            _ if is_variable_name(&named) => Ok(Some(named)),
            (true, _) => Err(Error::usage(format!("{name} is no valid name of a variable")).hint(
                "--upper turns - and . into _; -e VAR=NAME gives it another name; --except leaves it out",
            )),
            (false, Destination::Environment) => Ok(None),
            // No store takes what another one has under the empty name.
            (false, Destination::Store) if named.is_empty() => Ok(None),
            (false, Destination::Store) => Ok(Some(named)),
        }
    }

    /// `name`, or the beginning of one, as `upper` has it.
    pub(super) fn turned(self, name: &str) -> String {
        match self.upper {
            true => upper(name),
            false => name.to_owned(),
        }
    }

    /// Checks a name that was asked for.
    pub(super) fn check(self, name: &str) -> Result<()> {
        match (self.strict, self.destination) {
            (false, Destination::Store) => Name::new(name).map(drop),
            _ => check_variable(name),
        }
    }

    /// Whether a variable called `name` would change how programs run there.
    pub(super) fn is_harmful(self, name: &str) -> bool {
        self.destination == Destination::Environment && is_harmful(name)
    }
}

fn upper(name: &str) -> String {
    let mut variable: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if variable.starts_with(|c: char| c.is_ascii_digit()) {
        variable.insert(0, '_');
    }
    variable
}

/// Refuses a variable that nobody could read.
fn check_variable(variable: &str) -> Result<()> {
    if is_variable_name(variable) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{variable:?} is no valid name of a variable: ASCII letters, digits and '_', not beginning with a digit"
    )))
}

/// The refusal of secrets called `names`, which would change how programs run.
pub(super) fn refused(names: &BTreeSet<String>) -> Error {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (all, first) = (names.join(", "), names.first().copied().unwrap_or_default());
    let what = match names.len() {
        1 => format!("a secret named {all}"),
        _ => format!("secrets named {all}"),
    };
    Error::usage(format!("{what} would change how programs run")).hint(format!(
        "--except {} leaves {} out; -e {first}={first} brings {} on purpose",
        names.join(","),
        if names.len() == 1 { "it" } else { "them" },
        if names.len() == 1 { "it" } else { "one" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_makes_variable_names() {
        let naming = Naming {
            upper: true,
            strict: true,
            ..Naming::default()
        };
        for (name, variable) in [
            ("db-password", "DB_PASSWORD"),
            ("a.b/c", "A_B_C"),
            ("2fa", "_2FA"),
            ("größe", "GR__E"),
        ] {
            assert_eq!(naming.of(name).unwrap().as_deref(), Some(variable));
        }
    }

    #[test]
    fn odd_names_are_skipped_refused_or_kept() {
        use Destination::{Environment, Store};

        let cases = [
            (Environment, false, Some(None)),
            (Environment, true, None),
            (Store, false, Some(Some("a-b".to_owned()))),
            (Store, true, None),
        ];
        for (destination, strict, expected) in cases {
            let naming = Naming {
                destination,
                strict,
                upper: false,
            };
            assert_eq!(naming.of("a-b").ok(), expected, "{naming:?}");
            let kept = (destination, strict) == (Store, false);
            assert_eq!(naming.check("a-b").is_ok(), kept, "{naming:?}");
            assert!(naming.check("").is_err(), "{naming:?}");
            assert_eq!(naming.is_harmful("PATH"), destination == Environment);
        }
    }
}
