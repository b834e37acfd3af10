//! What the formats have in common: their names, and what they are given to write.

use std::collections::BTreeMap;
use std::fmt;

use clap::ValueEnum;

use crate::words::secret::SecretValue;

/// A name and its value, as formats write and read them.
pub type Pair = (String, SecretValue);

/// A file format of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// NAME=value lines, as dotenv libraries read them
    #[value(alias = "env")]
    Dotenv,
    /// A JSON object
    Json,
    /// A YAML mapping
    #[value(alias = "yml")]
    Yaml,
    /// A TOML table
    Toml,
    /// Commands for sh, bash, zsh and their like
    #[value(alias = "sh")]
    Shell,
    /// Commands for fish
    Fish,
    /// Commands for PowerShell
    #[value(alias = "pwsh")]
    Powershell,
    /// A file for docker run --env-file
    Docker,
    /// Variables for the later steps of a GitHub Actions job
    Github,
    /// A Kubernetes Secret
    #[value(alias = "kubernetes")]
    K8s,
    /// The names, for a Nosana job
    Nosana,
    /// The ids, for a ByteNite app's manifest
    Bytenite,
}

impl fmt::Display for Format {
    /// The name, as `--format` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Whose jobs are given secrets by name.
#[derive(Clone, Copy, Debug)]
pub struct Jobs {
    /// The provider whose stores the names are looked up in.
    pub provider: &'static str,
    /// What people call the vendor.
    pub vendor: &'static str,
    /// Where jobs find their secrets.
    pub place: &'static str,
    /// After what of a secret's name the vendor names the variables that jobs get it as; `None`
    /// where the file says which they are.
    pub named_after: Option<fn(&str) -> &str>,
}

/// How the files of some formats are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Of a name that stands twice in a dotenv file the last one counts.
    pub last_wins: bool,
    /// `$NAME` in a dotenv file stands for itself.
    pub literal: bool,
    /// Whether the user can ask for these, so that hints may name the options of `import`.
    pub offered: bool,
}

/// What some formats want to know beyond names and values.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the written object is called, where the format gives it a name.
    pub name: Option<String>,
    /// The base URL of the service that holds the secrets, where the format tells it.
    pub endpoint: Option<String>,
    /// The secret's name at that service, by variable, where it differs.
    pub source_names: BTreeMap<String, String>,
}
