//! `diff`, `sync` and `copy`: two stores at a time.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::SelectionArgs;
use crate::complete;
use crate::secret::{StoreName, Target};

/// Compare two stores, never printing a value
///
/// Both are read at the same time, and their values compared in memory. A line for each difference:
/// the name, and in which store alone it is, that its value differs, or that this is unknown.
///
/// Of a store whose values cannot be read back (bytenite, neo), keyfob knows what it has stored
/// itself, as keyed digests in your data folder; everything else there is unknown, and counts as a
/// difference. So does what somebody else has replaced since: neo shows that by ids and times,
/// bytenite only by another access key.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob diff dev web
  keyfob diff dev web --prefix api-env/
  keyfob diff --json dev fn | jq -r '.differences[].name'

Exit codes: 0 there is no difference, 1 there is one.")]
pub struct DiffArgs {
    /// A store
    #[arg(value_name = "A", add = ArgValueCandidates::new(complete::stores))]
    pub a: StoreName,
    /// Another store
    #[arg(value_name = "B", add = ArgValueCandidates::new(complete::stores))]
    pub b: StoreName,
    /// Only these names; separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All but these names; separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
}

/// Bring a store to another's state
///
/// Stores in B what A has and B has not, or has with another value. Shows first what will be
/// created, updated and deleted, by name, and asks on a terminal unless --yes is given. What fails
/// is told item by item, and a second run does the rest: nothing is written that is right already.
///
/// Of a store whose values cannot be read back (bytenite, neo), keyfob knows what it has stored
/// itself, unless somebody else has replaced it since: what is unknown is stored again. See keyfob
/// diff --help.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob sync dev web --dry-run
  keyfob sync dev gpu --prefix hf- --upper
  keyfob sync web fn --only DATABASE_URL,API_KEY -y
  keyfob sync dev web -e api-env/TOKEN=keyfob://gpu/hf-token
  keyfob sync dev backup --prune

With nothing named: all of A. The [env] table of the configuration has no part in it: it says what
commands see, not what a store is to hold. Names are kept, whatever they are; -e gives another
name, --upper turns all into variable names, --strict fails on one that is none. Descriptions go
along with what is written, where both stores keep them.

--prune deletes what B has and A has not, once all else is stored: of all names, with --prefix of
those that begin so (as --upper turns it), and never those that --except names. It does not go with
names chosen one by one, nor where nothing is selected of A.")]
pub struct SyncArgs {
    /// The store that is read
    #[arg(value_name = "A", add = ArgValueCandidates::new(complete::stores))]
    pub from: StoreName,
    /// The store that is changed
    #[arg(value_name = "B", add = ArgValueCandidates::new(complete::stores))]
    pub to: StoreName,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete what B holds and A does not
    #[arg(long)]
    pub prune: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Copy secrets into another store
///
/// Under the names that they have, with their descriptions where both stores keep them. A secret
/// of that name is overwritten; one that has the same value already is left alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob copy DATABASE_URL API_KEY gpu
  keyfob copy -s web api-env/STRIPE_KEY dev
  keyfob copy keyfob://gpu/hf-token keyfob://dev/API_KEY fn --dry-run

keyfob sync A B -e NEW=NAME copies one under another name.")]
pub struct CopyArgs {
    /// The secrets' names, or references keyfob://STORE/NAME
    #[arg(value_name = "REF", required = true, add = ArgValueCandidates::new(complete::secrets))]
    pub secrets: Vec<Target>,
    /// The store that they are copied into
    #[arg(value_name = "STORE", required = true, add = ArgValueCandidates::new(complete::stores))]
    pub to: StoreName,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
