//! `export`, `import` and `inject`: secrets in and out of files.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{SelectionArgs, WaitArg};
use crate::error::{Error, Result};
use crate::formats::Format;

/// Write secrets in a file format
///
/// To stdout, or with -o to a file that only you can read and that is replaced whole. Names that
/// are no valid variable names are left out with a warning, in every format.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob export > .env
  keyfob export --format json -o secrets.json
  eval \"$(keyfob export --format shell --only DATABASE_URL,API_KEY)\"
  keyfob export --format fish | source
  keyfob export --format github               # in a step of GitHub Actions
  keyfob export --format k8s --name api-env | kubectl apply -f -
  keyfob export -s gpu --format nosana --upper

With nothing named: the [env] table of the configuration where there is one, else all of the store.

Formats:
  github   hides the values in the job's log, by commands on stdout, and then appends the variables
           to the file that GITHUB_ENV names, for the steps to come
  nosana   holds no values: the names for a job's definition (nosana/secrets), and the environment
           block of a .nosana-ci.yml
  json     writes a value that is not text as {\"base64\": \"…\"}; k8s holds any bytes, too

With --json the format is json; with --json and -o, stdout tells which names are in the file.")]
pub struct ExportArgs {
    /// The format [default: dotenv]
    #[arg(short, long, value_name = "FORMAT", hide_default_value = true)]
    pub format: Option<Format>,
    /// Write to this file, readable by you alone; - is stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The name of the Secret that k8s writes [default: keyfob]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// NAME=value lines
    #[value(alias = "env")]
    Dotenv,
    /// A JSON object
    Json,
    /// A YAML mapping
    #[value(alias = "yml")]
    Yaml,
    /// A TOML table
    Toml,
}

impl From<ImportFormat> for Format {
    fn from(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Dotenv => Self::Dotenv,
            ImportFormat::Json => Self::Json,
            ImportFormat::Yaml => Self::Yaml,
            ImportFormat::Toml => Self::Toml,
        }
    }
}

/// Store the secrets of a file
///
/// Shows first what will be created, updated, deleted and left alone, by name, and asks on a
/// terminal unless --yes is given. A file with an error in it changes nothing. What a store does
/// not give back (bytenite, neo) is told by what keyfob has stored there; see keyfob diff --help.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob import .env
  keyfob import --dry-run secrets.json
  keyfob import -s gpu --prune -y secrets.yaml
  sops -d secrets.enc.json | keyfob import -

The format is told by the file's name, else by its content. One file is one flat table of names and
strings; values are stored as they stand, and nothing in them is expanded.")]
pub struct ImportArgs {
    /// The file; - is stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Its format, where neither name nor content tells
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<ImportFormat>,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete what the store holds and the file does not, once all else is stored
    #[arg(long)]
    pub prune: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Fill the placeholders of a template with secrets
///
/// {{ keyfob://STORE/NAME }} stands for a secret. Nothing is written unless every placeholder was
/// filled. The template may be any bytes; what else stands in it, placeholders of other tools
/// too, stays as it is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob inject -i config.yaml.tpl -o config.yaml
  echo 'url = {{ keyfob://web/DATABASE_URL | json }}' | keyfob inject
  keyfob inject -i nginx.tpl -o nginx.conf --mode 0640
  keyfob inject -e TOKEN=keyfob://gpu/hf-token -i template    # fills {{ TOKEN }}

Placeholders:
  {{ keyfob://STORE/NAME }}          the value as it is; %XX for odd characters in NAME
  {{ keyfob://STORE/NAME | json }}   written for where it stands: json (with its quotes), yaml (with
                                     its quotes), shell (one word), url (any part of one), base64
  {{ VAR }}                          a variable that the selection below or the [env] table of the
                                     configuration brings; any other name is left as it is
  {{ keyfob:{{ }}                    the two braces themselves

With --json the filled template is the field text of the document; with -o too, the document tells
what was filled.")]
pub struct InjectArgs {
    /// The template; - is stdin [default: stdin]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Write to this file, replaced whole; - is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Who may read the file that is written, in octal [default: 0600]
    #[arg(long, value_name = "MODE", requires = "output")]
    pub mode: Option<FileMode>,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// A file's permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl std::str::FromStr for FileMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        u32::from_str_radix(digits, 8)
            .ok()
            .filter(|bits| *bits <= 0o777 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .map(Self)
            .ok_or_else(|| Error::usage(format!("{text:?} is no mode: write it like 0600 or 640")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("0600", 0o600), ("640", 0o640), ("0o444", 0o444)] {
            assert_eq!(text.parse::<FileMode>().unwrap().0, bits);
        }
        for text in ["", "u=rw", "0900", "1777", "-1", "+600"] {
            assert!(text.parse::<FileMode>().is_err(), "{text}");
        }
    }
}
