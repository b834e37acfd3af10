//! The names that selected secrets get: those of environment variables, some of which are
//! dangerous, of members of a file, or of secrets in another store.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::harmful::is_harmful;
use crate::formats::Format;
use crate::words::error::{Error, Result};
use crate::words::secret::Name;
use crate::words::shown::{self, Shown};
use crate::words::text::is_variable_name;
use crate::words::word::{listed, shell_word};

/// Where selected secrets go, which decides what they may be called there, and what they may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// The environment of a command.
    #[default]
    Environment,
    /// A file of this format.
    File(Format),
    /// The places of a template, which are called as variables are and hold any bytes.
    Template,
    /// Another store: names are any text.
    Store,
}

impl Destination {
    /// Whether something may be called `name` there.
    fn takes_name(self, name: &str) -> bool {
        match self {
            Self::Environment | Self::Template => is_variable_name(name),
            Self::File(format) => format.takes_name(name),
            Self::Store => !name.is_empty(),
        }
    }

    /// Whether what is there becomes variables that programs read.
    fn is_read_by_programs(self) -> bool {
        self != Self::Store
    }
}

/// How selected secrets are named.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// Where they go.
    pub destination: Destination,
    /// Of names that are not given one by one, only those that begin so, without that.
    pub strip_prefix: Option<String>,
    /// `db-password` becomes `DB_PASSWORD`.
    pub upper: bool,
    /// What names begin with there, but for those that `-e` gives.
    pub add_prefix: Option<String>,
    /// A name that is no variable name is an error instead of being skipped, or of being kept
    /// where names are any text; and so is a value that cannot be a variable.
    pub strict: bool,
}

impl Naming {
    /// What the secret called `name` is called there; `None` where it does not begin as it should.
    pub(super) fn of(&self, name: &str) -> Option<String> {
        let strip = self.strip_prefix.as_deref().unwrap_or_default();
        Some(self.with_prefix(self.turned(name.strip_prefix(strip)?)))
    }

    /// Whether something may be called `name` there.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.destination.takes_name(name) && (!self.strict || is_variable_name(name))
    }

    /// The name behind what is put before all names.
    pub(super) fn with_prefix(&self, name: Cow<'_, str>) -> String {
        match &self.add_prefix {
            Some(prefix) => format!("{prefix}{name}"),
            None => name.into_owned(),
        }
    }

    /// `name`, or the beginning of one, as `upper` has it.
    pub(super) fn turned<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match self.upper && !name.is_empty() {
            true => upper(name).into(),
            false => name.into(),
        }
    }

    /// Checks a name that was asked for.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        match self.destination {
            _ if self.takes(name) => Ok(()),
            Destination::Store if !self.strict => Name::new(name).map(drop),
            Destination::File(format) if !format.holds_variables() && !self.strict => {
                let rule = format.rule_of_names();
                Err(Error::usage(format!(
                    "{} is no name in a file of {format}: {rule}",
                    shown::quoted(name)
                )))
            }
            _ => check_variable(name),
        }
    }

    /// Whether a variable called `name` would change how programs run there.
    pub(super) fn is_harmful(&self, name: &str) -> bool {
        self.destination.is_read_by_programs() && is_harmful(name)
    }

    /// The error for secrets asked for by name that cannot be called there as they are.
    pub(super) fn refusal(&self, names: &[&str]) -> Error {
        // Somebody may have given a value with its name, or a key whose numbers commas part.
        let all = shown::names(names);
        let what = match self.destination {
            Destination::File(Format::K8s) if !self.strict => "key of a Kubernetes Secret",
            _ => "name of a variable",
        };
        let message = match names {
            [_] => format!("{all} is no valid {what}"),
            _ => format!("no valid {what}: {all}"),
        };
        Error::usage(message).hint(match all {
            Shown::Described(_) => ways_out(&["NAME"]),
            _ => ways_out(names),
        })
    }
}

/// What brings secrets along whose names will not do, or leaves them out.
fn ways_out(names: &[&str]) -> String {
    let first = names.first().copied().unwrap_or_default();
    let except = shell_word(&names.join(","));
    // `--only "A, B"`, or a variable of the shell's that holds nothing.
    let is_odd = |name: &&str| name.is_empty() || name.trim() != *name;
    let written = match names.iter().any(is_odd) {
        true => "names are written with a comma and no blank between them; ",
        false => "",
    };
    format!(
        "{written}--upper turns - and . into _; -e {} gives it another name; --except {except} leaves {} out",
        shell_word(&format!("VAR={first}")),
        if names.len() == 1 { "it" } else { "them" },
    )
}

/// One letter as `--upper` turns it.
pub(super) fn upper_letter(c: char) -> char {
    match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    }
}

fn upper(name: &str) -> String {
    let mut variable: String = name.chars().map(upper_letter).collect();
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
        "{} is no valid name of a variable: ASCII letters, digits and \"_\", not beginning with a digit",
        shown::quoted(variable)
    )))
}

/// The refusal of secrets called `names`, which would change how programs run.
pub(super) fn refused(names: &BTreeSet<String>) -> Error {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (all, first) = (
        listed(names.iter().copied()),
        names.first().copied().unwrap_or_default(),
    );
    let what = match names.len() {
        1 => format!("a secret named {all}"),
        _ => format!("secrets named {all}"),
    };
    Error::usage(format!("{what} would change how programs run")).hint(format!(
        "--except {} leaves {} out; -e {} brings {} on purpose",
        shell_word(&names.join(",")),
        if names.len() == 1 { "it" } else { "them" },
        shell_word(&format!("{first}={first}")),
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
            assert_eq!(naming.of(name).as_deref(), Some(variable));
            assert!(naming.takes(variable));
        }
    }

    #[test]
    fn a_prefix_comes_off_before_letters_turn_and_one_is_put_on_after() {
        let naming = Naming {
            strip_prefix: Some("api-env/".to_owned()),
            upper: true,
            add_prefix: Some("App_".to_owned()),
            ..Naming::default()
        };
        assert_eq!(naming.of("api-env/db-url").as_deref(), Some("App_DB_URL"));
        assert_eq!(naming.of("other/db-url"), None);
    }

    #[test]
    fn odd_names_are_taken_where_any_are() {
        use Destination::{Environment, File, Store, Template};

        for (destination, strict, name, takes) in [
            (Environment, false, "a-b", false),
            (Template, false, "a-b", false),
            (File(Format::Dotenv), false, "a-b", false),
            (File(Format::Json), false, "a b/ü", true),
            (File(Format::Yaml), false, "a-b", true),
            (File(Format::Toml), false, "a-b", true),
            (File(Format::K8s), false, "tls.crt", true),
            (File(Format::K8s), false, "a/b", false),
            (File(Format::Json), true, "a-b", false),
            (Store, false, "a-b", true),
            (Store, true, "a-b", false),
            (Store, false, "", false),
        ] {
            let naming = Naming {
                destination,
                strict,
                ..Naming::default()
            };
            assert_eq!(naming.takes(name), takes, "{naming:?} {name}");
            assert_eq!(naming.check(name).is_ok(), takes, "{naming:?} {name}");
            assert_eq!(naming.is_harmful("PATH"), destination != Store);
        }
    }
}
