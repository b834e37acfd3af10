//! `keyfob copy`: secrets of one or several stores, into another under the same names.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::future::try_join;

use super::pair::{self, descriptions};
use super::plan::{self, Presented};
use super::selected::{self, WaitArg};
use crate::app::App;
use crate::select::{Found, Wants};
use crate::transfer::{Held, Plan};
use crate::words::batch::{Selection, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, StoreName, Target};

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
    #[arg(value_name = "REF", required = true)]
    pub secrets: Vec<Target>,
    /// The store that they are copied into
    #[arg(value_name = "STORE", required = true)]
    pub to: StoreName,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: CopyArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let mut wants = Wants::default();
    let mut origins: BTreeMap<Name, Reference> = BTreeMap::new();
    let mut names = Vec::with_capacity(args.secrets.len());
    for target in &args.secrets {
        let reference = app.reference(target)?;
        wants.add(&reference);
        names.push(reference.name.clone());
        if let Some(other) = origins.insert(reference.name.clone(), reference.clone()) {
            return Err(Error::usage(format!(
                "{other} and {reference} would both be called {} in {}",
                reference.name, args.to
            ))
            .hint("copy one of them, or name it anew: keyfob sync FROM TO -e NEW=NAME"));
        }
    }
    let sources = selected::open(&wants, app)?;
    let target = app.open(&args.to)?;
    pair::check(&sources, &target).await?;
    let read = Found::read(&sources, &wants);
    let asked = Selection::Names(names.clone());
    let (found, held) = try_join(read, Held::by_target(&target, &asked)).await?;
    app.services()?.http.deadline().progressed();

    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        let value = match origins.get(&name) {
            Some(origin) => found.get(origin)?.clone(),
            None => continue,
        };
        wanted.push(Write::new(name, value));
    }
    let plan = Plan::new(&wanted, &held, |write| target.check(write), |_| false);
    descriptions(&mut wanted, &plan, &origins, &sources, &target).await?;
    let presented = Presented {
        empty: "nothing is named",
        question: None,
        dry_run: args.dry_run,
    };
    plan::settle(&presented, &plan, wanted, &target, app).await
}
