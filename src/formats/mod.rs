//! File formats of secrets: what `export` writes, `import` and `--env-file` read, and `inject`
//! filters through.
//!
//! One file a format. A writer's output, read by the program it is meant for, gives back the very
//! bytes of every value; what a format cannot hold is an `invalid_data` error that names the
//! secret, and never a changed value. Which secrets go where, and into which file, is the
//! commands' affair.

mod docker;
mod dotenv;
mod dotenv_reader;
mod filter;
mod fish;
mod github;
mod guess;
mod json;
mod k8s;
mod nosana;
mod powershell;
mod shell;
mod text;
mod toml;
pub mod tree;
mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use clap::ValueEnum;
use zeroize::Zeroizing;

pub use self::filter::Filter;
pub use self::github::masks as github_masks;
pub use self::guess::read_any;
use crate::words::error::{Error, Result};
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
}

impl Format {
    /// The name, as `--format` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Toml => "toml",
            Self::Shell => "shell",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Docker => "docker",
            Self::Github => "github",
            Self::K8s => "k8s",
            Self::Nosana => "nosana",
        }
    }

    /// Whether [`read`] knows it.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::Dotenv | Self::Json | Self::Yaml | Self::Toml)
    }

    /// The readable format that a file's name speaks of: by its extension, or `.env` with anything
    /// behind it (`.env.local`). `None` where the name says nothing.
    pub fn from_file_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if name == ".env" || name == "env" || name.starts_with(".env.") {
            return Some(Self::Dotenv);
        }
        match name.rsplit_once('.')?.1 {
            "env" | "dotenv" => Some(Self::Dotenv),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| {
            let names: Vec<&str> = Self::value_variants().iter().map(|f| f.as_str()).collect();
            Error::usage(format!("{text:?} is no format"))
                .hint(format!("formats are {}", names.join(", ")))
        })
    }
}

/// What some formats want to know beyond names and values.
#[derive(Clone, Debug)]
pub struct Options {
    /// `metadata.name` of the Secret that `k8s` writes.
    pub k8s_name: String,
    /// The base URL of the secret manager that `nosana` names.
    pub nosana_endpoint: String,
    /// For `nosana`: the secret's name in that manager, by variable, where it differs.
    pub nosana_names: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            k8s_name: "keyfob".to_owned(),
            nosana_endpoint: "https://secrets.nosana.ci".to_owned(),
            nosana_names: BTreeMap::new(),
        }
    }
}

/// Writes `pairs` as `format`, in their order, ending in a newline.
///
/// For [`Format::Github`] this is what is appended to the file that `GITHUB_ENV` names; print
/// [`github_masks`] on stdout before.
///
/// # Errors
/// `invalid_data`, naming the secret, for a name or value that the format cannot hold, and for a
/// name that stands twice.
pub fn write(format: Format, pairs: &[Pair], options: &Options) -> Result<Zeroizing<Vec<u8>>> {
    let mut seen = HashSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(text::cannot_hold(name, format, "the name stands twice"));
    }
    match format {
        Format::Dotenv => dotenv::write(pairs),
        Format::Json => json::write(pairs),
        Format::Yaml => yaml::write(pairs),
        Format::Toml => toml::write(pairs),
        Format::Shell => shell::write(pairs),
        Format::Fish => fish::write(pairs),
        Format::Powershell => powershell::write(pairs),
        Format::Docker => docker::write(pairs),
        Format::Github => github::variables(pairs),
        Format::K8s => k8s::write(pairs, &options.k8s_name),
        Format::Nosana => nosana::write(pairs, &options.nosana_endpoint, &options.nosana_names),
    }
}

/// Reads the names and values of a file, in its order.
///
/// # Errors
/// `invalid_data`, with the line and never a value, for what is malformed, nested, null or stands
/// twice; `usage` for a format that keyfob only writes.
pub fn read(format: Format, bytes: &[u8]) -> Result<Vec<Pair>> {
    match format {
        Format::Dotenv => dotenv_reader::read(bytes),
        Format::Json => json::read(bytes),
        Format::Yaml => yaml::read(bytes),
        Format::Toml => toml::read(bytes),
        _ => Err(Error::usage(format!("{format} can be written, not read"))
            .hint("readable formats are dotenv, json, yaml and toml")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_formats_read_back() {
        for format in Format::value_variants() {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), *format);
        }
        assert_eq!("yml".parse::<Format>().unwrap(), Format::Yaml);
        let error = "xml".parse::<Format>().unwrap_err();
        assert_eq!(error.kind(), crate::words::error::Kind::Usage);
    }

    #[test]
    fn file_names_tell_the_format() {
        let told = |name: &str| Format::from_file_name(Path::new(name));
        assert_eq!(told("app/.env"), Some(Format::Dotenv));
        assert_eq!(told(".env.production"), Some(Format::Dotenv));
        assert_eq!(told("prod.env"), Some(Format::Dotenv));
        assert_eq!(told("a.JSON"), Some(Format::Json));
        assert_eq!(told("a.b.yml"), Some(Format::Yaml));
        assert_eq!(told("Secrets.toml"), Some(Format::Toml));
        assert_eq!(told("secrets.txt"), None);
        assert_eq!(told("-"), None);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let pairs = [
            ("A".to_owned(), SecretValue::from("1")),
            ("A".to_owned(), SecretValue::from("2")),
        ];
        for format in Format::value_variants() {
            let error = write(*format, &pairs, &Options::default()).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
        }
    }
}
