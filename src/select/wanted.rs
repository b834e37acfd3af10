//! What a selection is asked for: by options, by files, and by the configuration's `[env]`.

use crate::words::secret::{Reference, SecretValue, Target};

/// What the user asked for, free of how it was written on the command line.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names or patterns of names in the selected store, or references.
    pub only: Vec<String>,
    /// Names, variables, references or patterns to leave out.
    pub except: Vec<String>,
    /// The beginning of names in the selected store.
    pub prefix: Option<String>,
    /// Variables and what they stand for, from `-e`.
    pub mapped: Vec<(String, Target)>,
    /// Variables from files: references, or values as they stand.
    pub files: Vec<(String, FileValue)>,
    /// All of the selected store.
    pub all: bool,
}

/// What a dotenv file says of a variable.
#[derive(Clone, Debug)]
pub enum FileValue {
    /// It stands for a secret.
    Reference(Reference),
    /// It is a value as it stands.
    Literal(SecretValue),
}

/// What the configuration's `[env]` says of a variable.
#[derive(Clone, Debug)]
pub enum TableValue {
    /// It stands for a secret.
    Secret(Target, IfMissing),
    /// It is a value as it stands.
    Literal(SecretValue),
}

/// What becomes of a variable whose secret is not there.
#[derive(Clone, Debug)]
pub enum IfMissing {
    /// That is an error.
    Fail,
    /// There is no such variable then.
    LeaveOut,
    /// It has this value.
    Take(SecretValue),
}
