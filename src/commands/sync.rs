//! `keyfob sync`: brings a store to another's state.

use std::collections::BTreeMap;

use futures_util::future::try_join;

use super::pair::{self, descriptions};
use super::plan::{self, Presented};
use super::selected;
use crate::app::App;
use crate::cli::SyncArgs;
use crate::error::{Error, Result};
use crate::providers::{Metadata, Selection, Write};
use crate::secret::{Name, Reference};
use crate::selection::{self, Chosen, Destination, Found, Naming, Source};
use crate::sync::{Held, Plan};

pub async fn run(args: SyncArgs, app: &App) -> Result<()> {
    pair::refuse_store_option(app, "sync")?;
    let wanted = selected::wanted(&args.selection)?;
    // Not the [env] table: what a command is to see of a store says nothing of what the other is
    // to hold.
    let selection = selection::Plan::new(args.from.clone(), wanted, || Ok(BTreeMap::new()))?;
    let naming = Naming {
        destination: Destination::Store,
        ..selected::naming(&args.selection)
    };
    let reach = selection.reach(naming);
    if args.prune && reach.is_none() {
        return Err(Error::usage(
            "--prune goes with all of the source or with --prefix: names chosen one by one say nothing of the rest",
        )
        .hint("to delete by name: keyfob delete NAME…"));
    }
    let foreseen = selection.foresee(naming)?;
    let wants = selection.wants();
    let sources = selected::open(&wants, app)?;
    let target = app.open(&args.to)?;
    pair::check(&sources, &target).await?;
    let asked = match &foreseen {
        Some(chosen) => Selection::Names(names(chosen)?),
        None => Selection::All,
    };
    let read = Found::read(&sources, &wants);
    let (found, mut held) = try_join(read, Held::by(&target, &asked)).await?;
    app.services()?.http.deadline().progressed();

    let chosen = selection.choose(&found, naming)?;
    let origins = origins(&chosen)?;
    let mut wanted = Vec::with_capacity(chosen.variables.len());
    for (name, value) in chosen.values(&found)? {
        wanted.push(Write {
            name: Name::new(name)?,
            value,
            metadata: Metadata::default(),
        });
    }
    if args.prune && wanted.is_empty() {
        return Err(Error::usage(format!(
            "nothing is selected of {}, and --prune would delete all of it in {}",
            args.from, args.to
        ))
        .hint("to empty a store on purpose, name what is to go: keyfob delete NAME…"));
    }
    plan::check(&wanted, &target)?;
    if foreseen.is_none() {
        plan::look_closer(&mut held, &wanted, &target, args.prune).await?;
    }
    let goes = |name: &Name| args.prune && reach.as_ref().is_some_and(|reach| reach.has(name));
    let plan = Plan::new(&wanted, &held, goes);
    descriptions(&mut wanted, &plan, &origins, &sources, &target).await?;
    let question = format!("Change {}?", args.to);
    let presented = Presented {
        source: args.from.as_str(),
        empty: &format!("nothing is selected of {}", args.from),
        question: (!args.yes).then_some(&question),
        dry_run: args.dry_run,
    };
    plan::settle(&presented, &plan, wanted, &target, app).await
}

/// What the chosen secrets are called in the target.
fn names(chosen: &Chosen) -> Result<Vec<Name>> {
    chosen.variables.keys().map(Name::new).collect()
}

/// Where each of them comes from.
fn origins(chosen: &Chosen) -> Result<BTreeMap<Name, Reference>> {
    let secrets = chosen
        .variables
        .iter()
        .filter_map(|(name, source)| Some((name, Source::secret(source)?)));
    secrets
        .map(|(name, reference)| Ok((Name::new(name)?, reference.clone())))
        .collect()
}
