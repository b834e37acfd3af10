//! File formats of secrets: what `export` writes, `import` and `--env-file` read, and `inject`
//! filters through.
//!
//! One file a format. A writer's output, read by the program it is meant for, gives back the very
//! bytes of every value; what a format cannot hold is an `invalid_data` error that names the
//! secret, and never a changed value. Which secrets go where, and into which file, is the
//! commands' affair.

mod bytenite;
mod docker;
mod dotenv;
mod dotenv_reader;
mod encrypted;
mod filter;
mod fish;
mod format;
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

use std::collections::HashSet;
use std::path::Path;

use clap::ValueEnum;
use zeroize::Zeroizing;

pub use self::filter::Filter;
pub use self::format::{Format, Jobs, Options, Pair, ReadOptions};
pub use self::github::{SHORTEST_MASK, masks as github_masks};
pub use self::guess::read_any;
use crate::words::error::{Error, Result};
use crate::words::text::is_variable_name;
use crate::words::word::{listed, shell_word};

type Writer = fn(&[Pair], &Options) -> Result<Zeroizing<Vec<u8>>>;
type Reader = fn(&[u8], ReadOptions) -> Result<Vec<Pair>>;

/// What makes a format, beside its name and help in [`Format`].
struct FormatSpec {
    /// The endings that files of it have, without the dot.
    endings: &'static [&'static str],
    write: Writer,
    /// `None` where keyfob only writes it.
    read: Option<Reader>,
}

/// A format that is only written.
const fn written(endings: &'static [&'static str], write: Writer) -> FormatSpec {
    FormatSpec {
        endings,
        write,
        read: None,
    }
}

impl Format {
    fn spec(self) -> FormatSpec {
        match self {
            Self::Dotenv => FormatSpec {
                endings: &["env", "dotenv"],
                write: |pairs, _| dotenv::write(pairs),
                read: Some(dotenv_reader::read),
            },
            Self::Json => FormatSpec {
                endings: &["json"],
                write: |pairs, _| json::write(pairs),
                read: Some(|bytes, _| json::read(bytes)),
            },
            Self::Yaml => FormatSpec {
                endings: &["yaml", "yml"],
                write: |pairs, _| yaml::write(pairs),
                read: Some(|bytes, _| yaml::read(bytes)),
            },
            Self::Toml => FormatSpec {
                endings: &["toml"],
                write: |pairs, _| toml::write(pairs),
                read: Some(|bytes, _| toml::read(bytes)),
            },
            Self::Shell => written(&["sh"], |pairs, _| shell::write(pairs)),
            Self::Fish => written(&["fish"], |pairs, _| fish::write(pairs)),
            Self::Powershell => written(&["ps1"], |pairs, _| powershell::write(pairs)),
            Self::Docker => written(&[], |pairs, _| docker::write(pairs)),
            Self::Github => written(&[], |pairs, _| github::variables(pairs)),
            Self::K8s => FormatSpec {
                endings: &[],
                write: k8s::write,
                read: Some(|bytes, _| k8s::read(bytes)),
            },
            Self::Nosana => written(&[], nosana::write),
            Self::Bytenite => written(&[], bytenite::write),
        }
    }

    /// Whose jobs it names secrets to, where it holds no values.
    pub fn jobs(self) -> Option<Jobs> {
        match self {
            Self::Nosana => Some(nosana::JOBS),
            Self::Bytenite => Some(bytenite::JOBS),
            _ => None,
        }
    }

    /// Whether names in it are those of variables, and values such as variables can have.
    pub fn holds_variables(self) -> bool {
        match self {
            Self::Json | Self::Yaml | Self::Toml | Self::K8s | Self::Bytenite => false,
            Self::Dotenv
            | Self::Shell
            | Self::Fish
            | Self::Powershell
            | Self::Docker
            | Self::Github
            | Self::Nosana => true,
        }
    }

    /// Whether something can be called `name` in it.
    pub fn takes_name(self, name: &str) -> bool {
        match self {
            Self::K8s => k8s::is_key(name),
            _ if self.holds_variables() => is_variable_name(name),
            _ => !name.is_empty(),
        }
    }

    /// What names in it must be, in words.
    pub fn rule_of_names(self) -> &'static str {
        match self {
            Self::K8s => k8s::RULE_OF_KEYS,
            _ if self.holds_variables() => {
                "ASCII letters, digits and \"_\", not beginning with a digit"
            }
            _ => "not the empty one",
        }
    }

    /// The formats that [`read`] knows.
    pub fn readable() -> impl DoubleEndedIterator<Item = Self> {
        let formats = Self::value_variants().iter().copied();
        formats.filter(|format| format.spec().read.is_some())
    }

    /// The readable format that a file's name speaks of: by its ending, or `.env` with anything
    /// behind it (`.env.local`). `None` where the name says nothing.
    pub fn from_file_name(path: &Path) -> Option<Self> {
        Self::told_by(path).filter(|format| format.spec().read.is_some())
    }

    /// The same of any format, for a file that is to be written.
    pub fn told_by(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if name == "env" || name.starts_with(".env.") {
            return Some(Self::Dotenv);
        }
        let ending = name.rsplit_once('.')?.1;
        let mut formats = Self::value_variants().iter().copied();
        formats.find(|format| format.spec().endings.contains(&ending))
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
    let are_sorted = pairs.is_sorted_by(|(one, _), (other, _)| one < other);
    let mut seen = HashSet::new();
    if !are_sorted && let Some((name, _)) = pairs.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(text::cannot_hold(name, format, "the name stands twice"));
    }
    let write = format.spec().write;
    write(pairs, options).map_err(|error| all_refusals(format, pairs, options, error))
}

/// The refusal of all of `pairs` that `format` cannot hold, of which `first` tells one.
fn all_refusals(format: Format, pairs: &[Pair], options: &Options, first: Error) -> Error {
    let write = format.spec().write;
    let mut by_reason: Vec<(String, Vec<&str>)> = Vec::new();
    for pair in pairs {
        let Err(error) = write(std::slice::from_ref(pair), options) else {
            continue;
        };
        let Some(why) = text::why_it_cannot_hold(&error, &pair.0, format) else {
            continue;
        };
        match by_reason.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(&pair.0),
            None => by_reason.push((why, vec![&pair.0])),
        }
    }
    let names: Vec<&str> = by_reason
        .iter()
        .flat_map(|(_, names)| names.clone())
        .collect();
    if names.is_empty() {
        return first;
    }
    let except = format!(
        "--except {} leaves {} out",
        shell_word(&names.join(",")),
        if names.len() == 1 { "it" } else { "them" }
    );
    if names.len() == 1 {
        return first.also_hint(except);
    }
    let reasons: Vec<String> = by_reason
        .iter()
        .map(|(why, names)| format!("{} ({why})", listed(names.iter().copied())))
        .collect();
    let error = Error::invalid_data(format!(
        "{} secrets cannot be written as {format}: {}",
        names.len(),
        reasons.join("; ")
    ));
    match first.hint_text() {
        Some(hint) => error.hint(hint).also_hint(except),
        None => error.hint(except),
    }
}

/// Reads the names and values of a file, in its order. A file of JSON or YAML may be a manifest of
/// Kubernetes Secrets.
///
/// # Errors
/// `invalid_data`, with the line and never a value, for what is malformed, nested, null, stands
/// twice, or is encrypted by another tool; `usage` for a format that keyfob only writes.
pub fn read(format: Format, bytes: &[u8], reading: ReadOptions) -> Result<Vec<Pair>> {
    let Some(read) = format.spec().read else {
        return Err(Error::usage(format!("{format} can be written, not read"))
            .hint("readable formats are dotenv, json, yaml, toml and k8s"));
    };
    let pairs = match format {
        Format::Json | Format::Yaml if k8s::is_manifest(format, bytes) => k8s::read(bytes)?,
        _ => read(bytes, reading)?,
    };
    match reading.literal {
        true => Ok(pairs),
        false => encrypted::refuse(pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

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
