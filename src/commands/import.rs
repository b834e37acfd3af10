//! `keyfob import`: the secrets of a file, stored.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};

use super::input;
use super::plan::{self, Presented};
use crate::app::App;
use crate::formats::{Format, Pair, ReadOptions};
use crate::transfer::{Held, Plan};
use crate::ui::prompt;
use crate::words::batch::{Selection, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::Name;

/// The names of the formats that are read, and the formats.
fn readable() -> impl TypedValueParser<Value = Format> {
    let values = Format::readable().filter_map(|format| {
        let value = format.to_possible_value()?;
        Some(match format {
            Format::Dotenv => value.help("NAME=value lines"),
            _ => value,
        })
    });
    PossibleValuesParser::new(values).try_map(|name| Format::from_str(&name, false))
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
  kubectl get secret api -o yaml | keyfob import -
  keyfob import --last-wins --literal .env.example

The format is told by the file's name, else by its content. One file is one flat table of names and
strings, or a manifest of Kubernetes Secrets (data and stringData; several documents and lists, too).
Nothing in a value is expanded: $NAME and ${NAME} in a dotenv file are an error outside single quotes,
and --literal stores them as they stand. A name that stands twice is an error, too; of a dotenv file
--last-wins takes the last.")]
pub struct ImportArgs {
    /// The file; - is stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Its format, where neither name nor content tells
    #[arg(short, long, value_name = "FORMAT", value_parser = readable())]
    pub format: Option<Format>,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete what the store holds and the file does not, once all else is stored
    #[arg(long)]
    pub prune: bool,
    /// Store $NAME and ${NAME} of a dotenv file as they stand
    #[arg(long)]
    pub literal: bool,
    /// Of a name that stands twice in a dotenv file take the last
    #[arg(long)]
    pub last_wins: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

pub async fn run(args: ImportArgs, app: &App) -> Result<()> {
    if args.prune && !args.dry_run {
        prompt::may_be_asked(&app.ui, args.yes, "--prune")?;
    }
    // Before anything that the deadline counts: a pipe may well wait for somebody's passphrase.
    let reading = ReadOptions {
        last_wins: args.last_wins,
        literal: args.literal,
        offered: true,
    };
    let pairs = input::pairs(&args.file, args.format, reading)?;
    let file = input::shown(&args.file);
    let store = app.open(&app.selected_store()?)?;
    let wanted = wanted(pairs)?;
    if args.prune && wanted.is_empty() {
        return Err(Error::usage(format!(
            "{file} names no secret, and --prune would delete all of {}",
            store.name()
        ))
        .hint("to empty a store on purpose, name what is to go: keyfob delete NAME…"));
    }
    let selection = match args.prune {
        true => Selection::All,
        false => Selection::Listed(wanted.iter().map(|write| write.name.clone()).collect()),
    };
    let mut held = Held::by_target(&store, &selection).await?;
    if args.prune {
        plan::look_closer(&mut held, &wanted, &store, true).await?;
    }
    let question = format!("Import into {}?", store.name());
    let presented = Presented {
        empty: &format!("{file} names no secret"),
        question: (!args.yes).then_some(&question),
        dry_run: args.dry_run,
    };
    let plan = Plan::new(&wanted, &held, |write| store.check(write), |_| args.prune);
    plan::settle(&presented, &plan, wanted, &store, app).await
}

/// The names and values of the file.
fn wanted(pairs: Vec<Pair>) -> Result<Vec<Write>> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| Ok(Write::new(Name::new(name)?, value)))
        .collect()
}
