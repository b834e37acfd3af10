//! `keyfob import`: the secrets of a file, stored.

use super::input;
use super::plan::{self, Presented};
use crate::app::App;
use crate::cli::ImportArgs;
use crate::error::{Error, Result};
use crate::formats::{Format, Pair};
use crate::providers::{Metadata, Selection, Write};
use crate::secret::Name;
use crate::sync::{Held, Plan};

pub async fn run(args: ImportArgs, app: &App) -> Result<()> {
    // Before anything that the deadline counts: a pipe may well wait for somebody's passphrase.
    let pairs = input::pairs(&args.file, args.format.map(Format::from))?;
    let file = input::shown(&args.file);
    let store = app.open(&app.selected_store()?)?;
    let wanted = wanted(pairs)?;
    plan::check(&wanted, &store)?;
    if args.prune && wanted.is_empty() {
        return Err(Error::usage(format!(
            "{file} names no secret, and --prune would delete all of {}",
            store.name()
        ))
        .hint("to empty a store on purpose, name what is to go: keyfob delete NAME…"));
    }
    let selection = match args.prune {
        true => Selection::All,
        false => Selection::Names(wanted.iter().map(|write| write.name.clone()).collect()),
    };
    let mut held = Held::by(&store, &selection).await?;
    if args.prune {
        plan::look_closer(&mut held, &wanted, &store, true).await?;
    }
    let question = format!("Import into {}?", store.name());
    let presented = Presented {
        source: &file,
        empty: &format!("{file} names no secret"),
        question: (!args.yes).then_some(&question),
        dry_run: args.dry_run,
    };
    let plan = Plan::new(&wanted, &held, |_| args.prune);
    plan::settle(&presented, &plan, wanted, &store, app).await
}

/// The names and values of the file.
fn wanted(pairs: Vec<Pair>) -> Result<Vec<Write>> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| {
            Ok(Write {
                name: Name::new(name)?,
                value,
                metadata: Metadata::default(),
            })
        })
        .collect()
}
