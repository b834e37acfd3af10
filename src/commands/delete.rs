//! `keyfob delete`: deletes secrets, from one store or from several.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use super::outcomes::{Results, report};
use crate::app::App;
use crate::providers::{Capability, local};
use crate::store::Store;
use crate::ui::prompt;
use crate::vault::format::DELETED_KEPT_FOR;
use crate::words::batch::Filter;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, StoreName, Target};

/// Delete secrets
///
/// Asks on a terminal unless --yes is given. What is deleted from the local vault can be restored for
/// 30 days (keyfob vault restore); keyfob vault purge takes it out for good.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob delete OLD_TOKEN
  keyfob rm -y A B C
  keyfob rm -y --ignore-missing keyfob://gpu/hf-token")]
pub struct DeleteArgs {
    /// The secrets' names, or references keyfob://STORE/NAME
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Target>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// A secret that is missing is no error
    #[arg(long)]
    pub ignore_missing: bool,
}

pub async fn run(args: DeleteArgs, app: &App) -> Result<()> {
    let mut by_store: BTreeMap<StoreName, Vec<Name>> = BTreeMap::new();
    for target in &args.names {
        let reference = app.reference(target)?;
        let names = by_store.entry(reference.store).or_default();
        if !names.contains(&reference.name) {
            names.push(reference.name);
        }
    }
    // Every store is opened before the first is changed.
    let mut stores = Vec::new();
    for name in by_store.keys() {
        stores.push(app.open(name)?);
    }
    if !args.yes && app.ui.interactive {
        ask(&stores, &by_store, args.ignore_missing, app).await?;
    }
    let mut all = Vec::new();
    for (store, names) in stores.iter().zip(by_store.values()) {
        let mut outcomes = match store.delete(names).await {
            Ok(outcomes) => outcomes,
            // What was done in the stores before must still be told.
            Err(error) if !all.is_empty() => super::outcomes::failed(names, &error),
            Err(error) => return Err(error),
        };
        if args.ignore_missing {
            outcomes.retain(
                |outcome| !matches!(&outcome.result, Err(error) if error.kind() == Kind::NotFound),
            );
        }
        if !app.ui.json {
            for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
                app.ui
                    .note(&format!("{} deleted from {}", outcome.name, store.name()));
            }
        }
        let mut deleted = outcomes.iter().filter(|outcome| outcome.result.is_ok());
        if !app.ui.json
            && let Some(first) = deleted.next()
        {
            let back = match deleted.next() {
                None => format!("{} brings it back", first.name.shown().typed()),
                Some(_) => "NAME brings one back".to_owned(),
            };
            tell_of_history(store.name(), &back, app);
        }
        all.push(Results::of(store, outcomes));
    }
    report(app, all)
}

/// Tells that what was deleted from a vault is not gone yet; `back` ends what brings it back.
fn tell_of_history(store: &StoreName, back: &str, app: &App) {
    let config = app.config().and_then(|config| config.store(store));
    let services = app.services();
    if let (Ok(config), Ok(services)) = (config, services)
        && local::vault(config, services).is_ok()
    {
        app.ui.note(&format!(
            "it stays in the vault's history for {} days: keyfob restore -s {store} {back}, keyfob \
             vault purge -s {store} takes it out for good",
            DELETED_KEPT_FOR.as_hours() / 24
        ));
    }
}

/// Looks for what is named, and asks whether that is to go, all of it by name.
async fn ask(
    stores: &[Store],
    by_store: &BTreeMap<StoreName, Vec<Name>>,
    ignore_missing: bool,
    app: &App,
) -> Result<()> {
    let mut what = Vec::new();
    let mut missing = Vec::new();
    for (store, names) in stores.iter().zip(by_store.values()) {
        let listed = listed(store, names).await?;
        let mut there = Vec::new();
        for name in names {
            let is_there = listed.contains(name)
                || match store.entry(name).await {
                    Err(error) if error.is_absence() => false,
                    entry => entry?.is_some(),
                };
            match is_there {
                true => there.push(name.to_string()),
                false => missing.push(store.missing(name)),
            }
        }
        if !there.is_empty() {
            what.push(format!("{} from {}", in_words(&there), store.name()));
        }
    }
    if what.is_empty() {
        // Nothing is left to ask about.
        return match (missing.len(), missing.into_iter().next()) {
            (1, Some(error)) if !ignore_missing => Err(error),
            _ => Ok(()),
        };
    }
    for error in missing.iter().filter(|_| !ignore_missing) {
        app.ui.warn(error.message());
    }
    if !prompt::confirm(&app.ui, &format!("Delete {}?", in_words(&what)))? {
        return Err(Error::failed("nothing was deleted"));
    }
    // The time it took to answer was nobody's network.
    app.services()?.http.deadline().progressed();
    Ok(())
}

/// Those of several `names` that one list of `store` has; of one name, or where a list would read more
/// groups than those of the names, none. What is not among them may be there nevertheless.
async fn listed(store: &Store, names: &[Name]) -> Result<BTreeSet<Name>> {
    let prefix = common_beginning(names);
    let reads_more = store.can(Capability::Groups) && !prefix.contains('/');
    if names.len() < 2 || reads_more {
        return Ok(BTreeSet::new());
    }
    let filter = Filter {
        prefix: Some(prefix.to_owned()),
        ..Filter::default()
    };
    let entries = match store.list(&filter).await {
        Err(error) if error.is_absence() => Vec::new(),
        entries => entries?,
    };
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

/// What all of `names` begin with.
fn common_beginning(names: &[Name]) -> &str {
    let mut names = names.iter().map(Name::as_str);
    let first = names.next().unwrap_or_default();
    names.fold(first, |common, name| {
        let same = common.chars().zip(name.chars());
        let same = same.take_while(|(one, other)| one == other);
        let end = same.map(|(one, _)| one.len_utf8()).sum();
        common.get(..end).unwrap_or_default()
    })
}

/// "a, b and c".
fn in_words(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_begin_with_ends_between_characters() {
        for (names, common) in [
            (&["group/A", "group/B"][..], "group/"),
            (&["ä", "ö"], ""),
            (&["A", "AB", "AC"], "A"),
            (&["one"], "one"),
            (&[], ""),
        ] {
            let names: Vec<Name> = names.iter().map(|name| Name::any(*name)).collect();
            assert_eq!(common_beginning(&names), common);
        }
    }
}
