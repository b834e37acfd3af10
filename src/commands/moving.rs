//! `keyfob move`: a secret under another name, or in another store.

use clap::Args;

use super::outcomes::{Results, report};
use super::set::value_as_argument;
use crate::app::App;
use crate::transfer::{Moving, Way};
use crate::words::batch::{Action, Outcome};
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, Target};

/// Rename a secret, in its store or into another one
///
/// Its description, attributes and earlier versions go along where both stores have them. The old one
/// is deleted only when the new one was read back, or is listed where values cannot be read: whatever
/// happens in between, at least one is there. What cannot be read cannot be moved.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob move DB_PASS DB_PASSWORD
  keyfob mv keyfob://local/API_KEY keyfob://web/api-env/API_KEY
  keyfob mv -s dev TOKEN keyfob://gpu/hf-token --dry-run

A NEW that is no reference is in the store of NAME.")]
pub struct MoveArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// What to call it, or a reference to where it is to be
    #[arg(value_name = "NEW")]
    pub new: Target,
    /// Put it in the place of a secret that is called NEW already
    #[arg(short, long)]
    pub force: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

pub async fn run(args: MoveArgs, app: &App) -> Result<()> {
    let from = app.reference(&args.name)?;
    if matches!(&args.new, Target::Name(new) if new.as_str().contains('=')) {
        return Err(value_as_argument());
    }
    let to = match args.new {
        Target::Reference(reference) => reference,
        Target::Name(name) => Reference {
            store: from.store.clone(),
            name,
        },
    };
    // As a rule a variable of the shell that is not set.
    for name in [&from.name, &to.name] {
        name.check()
            .map_err(|error| Error::usage(error.message()))?;
    }
    let source = app.open(&from.store)?;
    let target = app.open(&to.store)?;
    let way = Way {
        from: &source,
        name: &from.name,
        to: &target,
        new: &to.name,
    };
    let moving = Moving::plan(way, args.force).await?;
    let line = match from.store == to.store {
        true => format!("{} to {} in {}", from.name, to.name, from.store),
        false => format!("{} from {} to {to}", from.name, from.store),
    };
    let (would, left_behind) = (args.dry_run, moving.left_behind.join(", "));
    let moved = |result| Outcome::new(from.name.clone(), result);
    let results = if would {
        app.ui.note(&format!("would move {line}"));
        Results::foreseen(&source, vec![moved(Ok(Action::Moved))])
    } else {
        let result = moving.carry_out().await;
        if result.is_ok() {
            app.ui.note(&format!("moved {line}"));
        }
        Results::of(&source, vec![moved(result.map(|()| Action::Moved))])
    };
    let is_moved = results
        .outcomes
        .iter()
        .all(|outcome| outcome.result.is_ok());
    if is_moved && !left_behind.is_empty() {
        let (do_not, store) = (if would { "would not" } else { "did not" }, &to.store);
        app.ui.note(&format!(
            "{do_not} take along what {store} has no room for: {left_behind}"
        ));
    }
    report(app, vec![results])
}
