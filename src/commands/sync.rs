//! `keyfob sync`: brings a store to another's state.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures_util::future::try_join;

use super::pair::{self, descriptions};
use super::plan::{self, Presented};
use super::selected;
use crate::app::App;
use crate::commands::selected::{SelectionArgs, WaitArg};
use crate::select::{self, Chosen, Destination, Found, Source, Wants};
use crate::store::Store;
use crate::transfer::{Held, Plan};
use crate::ui::prompt;
use crate::words::batch::{Selection, Write};
use crate::words::error::{Error, Result};
use crate::words::glob::Glob;
use crate::words::secret::{Name, Reference, SecretValue, StoreName};

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
  keyfob sync dev web --add-prefix api-env/
  keyfob sync web dev --strip-prefix api-env/
  keyfob sync dev web -e api-env/TOKEN=keyfob://gpu/hf-token
  keyfob sync dev backup --prune -y

With nothing named: all of A. The [env] table of the configuration has no part in it: it says what
commands see, not what a store is to hold. Names are kept, whatever they are; -e gives another
name, --upper turns all into variable names, --strict fails on one that is none. Descriptions go
along with what is written, where both stores keep them.

--prune deletes what B has and A has not, once all else is stored: of all names, with --prefix,
--strip-prefix and --add-prefix of those that begin as they would there, and never those that
--except names. It does not go with names chosen one by one, nor where nothing is selected of A.")]
pub struct SyncArgs {
    /// The store that is read
    #[arg(value_name = "A")]
    pub from: StoreName,
    /// The store that is changed
    #[arg(value_name = "B")]
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
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: SyncArgs, app: &App) -> Result<()> {
    pair::refuse_store_option(app, "sync")?;
    app.waits(args.wait.wait);
    if args.prune && !args.dry_run {
        prompt::may_be_asked(&app.ui, args.yes, "--prune")?;
    }
    let wanted = selected::wanted(&args.selection)?;
    // Not the [env] table: what a command is to see of a store says nothing of what the other is
    // to hold.
    let selection = select::Plan::new(args.from.clone(), wanted, || Ok(BTreeMap::new()))?;
    let naming = selected::naming(&args.selection, Destination::Store);
    let reach = selection.reach(&naming)?;
    if args.prune && reach.is_none() {
        return Err(Error::usage(
            "--prune goes with all of the source or with --prefix: names chosen one by one say nothing of the rest",
        )
        .hint("to delete by name: keyfob delete NAME…"));
    }
    let foreseen = selection.foresee(&naming)?;
    let wants = selection.wants();
    let sources = selected::open(&wants, app)?;
    let target = app.open(&args.to)?;
    pair::check(&sources, &target).await?;
    let asked = match &foreseen {
        Some(chosen) => Selection::Names(names(chosen)?),
        None => Selection::All,
    };
    let read = Found::read(&sources, &wants);
    let (found, mut held) = try_join(read, Held::by_target(&target, &asked)).await?;
    app.services()?.http.deadline().progressed();

    let has = |name: &Glob| held.names().any(|held| name.matches(held.as_str()));
    let chosen = selection.choose_beside(&found, &naming, has)?;
    selected::warn_of_skipped(&chosen, &naming, app);
    // The target may have what was left out, too, and keeps it.
    let skipped = chosen.skipped.iter();
    let skipped: BTreeSet<Name> = skipped.map(|secret| secret.name.clone()).collect();
    let origins = origins(&chosen)?;
    let mut wanted = Vec::with_capacity(chosen.variables.len());
    for (name, value) in chosen.values(&found)? {
        wanted.push(Write::new(Name::new(name)?, value));
    }
    if args.prune && wanted.is_empty() {
        return Err(Error::usage(format!(
            "nothing is selected of {}, and --prune would delete all of it in {}",
            args.from, args.to
        ))
        .hint("to empty a store on purpose, name what is to go: keyfob delete NAME…"));
    }
    if args.prune {
        check_whole(&sources, &wants, &found, &args).await?;
    }
    if foreseen.is_none() {
        plan::look_closer(&mut held, &wanted, &target, args.prune).await?;
    }
    let goes = |name: &Name| {
        let reached = reach.as_ref().is_some_and(|reach| reach.has(name));
        args.prune && reached && !skipped.contains(name)
    };
    let plan = Plan::new(&wanted, &held, |write| target.check(write), goes);
    descriptions(&mut wanted, &plan, &origins, &sources, &target).await?;
    let question = format!("Change {}?", args.to);
    let presented = Presented {
        empty: &format!("nothing is selected of {}", args.from),
        question: (!args.yes).then_some(&question),
        dry_run: args.dry_run,
    };
    plan::settle(&presented, &plan, wanted, &target, app).await
}

/// Checks that the source gave every secret that it lists: one that it has and cannot give is left
/// out of what was read, and its copy must not be deleted for that.
async fn check_whole(
    sources: &[Store],
    wants: &Wants,
    found: &Found<'_, SecretValue>,
    args: &SyncArgs,
) -> Result<()> {
    let listed = Found::list(sources, wants).await?;
    let read: BTreeSet<&Name> = found.names(&args.from).collect();
    let mut listed = listed.names(&args.from);
    let prefix = args.selection.prefix().unwrap_or_default();
    let left_out = |name: &&Name| name.as_str().starts_with(prefix) && !read.contains(name);
    listed.find(left_out).map_or(Ok(()), |name| {
        let (from, to) = (&args.from, &args.to);
        Err(Error::invalid_data(format!(
            "{from} has {name} and does not give its value: --prune would delete it in {to}"
        ))
        .hint("without --prune all others are stored")
        .store(from.as_str()))
    })
}

/// What the chosen secrets are called in the target.
fn names(chosen: &Chosen) -> Result<Vec<Name>> {
    let names = chosen.variables.keys();
    names.map(|name| Name::new(name.as_str())).collect()
}

/// Where each of them comes from.
fn origins(chosen: &Chosen) -> Result<BTreeMap<Name, Reference>> {
    let secrets = chosen
        .variables
        .iter()
        .filter_map(|(name, source)| Some((name, Source::secret(source)?)));
    secrets
        .map(|(name, reference)| Ok((Name::new(name.as_str())?, reference.clone())))
        .collect()
}
