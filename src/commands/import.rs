//! `keyfob import`: the secrets of a file, stored.

use super::input;
use super::outcomes::{Results, report};
use crate::app::App;
use crate::cli::ImportArgs;
use crate::error::{Error, Result};
use crate::formats::{Format, Pair};
use crate::prompt;
use crate::providers::{Action, Capability, Outcome, Selection};
use crate::secret::{Name, SecretValue};
use crate::store::Store;
use crate::sync::{Held, Plan};

pub async fn run(args: ImportArgs, app: &App) -> Result<()> {
    // Before anything that the deadline counts: a pipe may well wait for somebody's passphrase.
    let pairs = input::pairs(&args.file, args.format.map(Format::from))?;
    let store = app.open(&app.selected_store()?)?;
    let wanted = wanted(pairs, &store)?;
    if args.prune && wanted.is_empty() {
        return Err(Error::usage(format!(
            "{} names no secret, and --prune would delete all of {}",
            input::shown(&args.file),
            store.name()
        ))
        .hint("to empty a store on purpose, name what is to go: keyfob delete NAME…"));
    }
    let selection = match args.prune {
        true => Selection::All,
        false => Selection::Names(wanted.iter().map(|(name, _)| name.clone()).collect()),
    };
    let held = Held::by(&store, &selection).await;
    let plan = Plan::new(
        &wanted,
        &held.map_err(|error| store.named(error))?,
        args.prune,
    );
    let asks = !args.yes && !args.dry_run && app.ui.interactive && !plan.is_nothing();
    if asks || !app.ui.json {
        show(&plan, &args, &store, app);
    }
    if args.dry_run {
        return report(app, vec![results(&store, plan.outcomes())]);
    }
    if asks {
        let question = format!("Import into {}?", store.name());
        if !prompt::confirm(&app.ui, &question)? {
            return Err(Error::failed("nothing was imported"));
        }
        // The time it took to answer was nobody's network.
        app.services()?.http.deadline().progressed();
    }
    let outcomes = plan.carry_out(wanted, &store).await?;
    if !app.ui.json && !plan.is_nothing() {
        app.ui.note(&summary(&outcomes, &store));
    }
    report(app, vec![results(&store, outcomes)])
}

/// The names and values of the file, each of which the store can hold.
fn wanted(pairs: Vec<Pair>, store: &Store) -> Result<Vec<(Name, SecretValue)>> {
    let mut wanted = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = Name::new(name)?;
        store
            .provider()
            .check_name(&name)
            .map_err(|error| store.named(error))?;
        if value.expose_str().is_none() {
            let what = format!("the value of {name}, which is not text,");
            store.require(Capability::Binary, &what)?;
        }
        wanted.push((name, value));
    }
    Ok(wanted)
}

/// Shows the plan on stderr, names alone.
fn show(plan: &Plan, args: &ImportArgs, store: &Store, app: &App) {
    let file = input::shown(&args.file);
    if plan.steps.is_empty() {
        app.ui.note(&format!("{file} names no secret"));
        return;
    }
    let would = if args.dry_run { "would be" } else { "to be" };
    for (name, action) in &plan.steps {
        // A line each, whatever a name holds.
        let name = name.as_str().replace('\n', "\\n");
        match action {
            // As a rule these are many, and nothing happens to them.
            Action::Unchanged => app.ui.trace(1, &format!("{name} is unchanged")),
            action => app.ui.note(&format!(
                "{name} {would} {} in {}",
                action.as_str(),
                store.name()
            )),
        }
    }
    let counts = [
        Action::Created,
        Action::Updated,
        Action::Unchanged,
        Action::Deleted,
    ]
    .map(|action| (action, plan.count(action)));
    app.ui.note(&format!("{file}: {}", counted(&counts)));
}

/// What was done, in a line.
fn summary(outcomes: &[Outcome], store: &Store) -> String {
    let count = |wanted: Action| {
        let done = outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().ok());
        done.filter(|action| **action == wanted).count()
    };
    let counts = [
        Action::Created,
        Action::Updated,
        Action::Unchanged,
        Action::Deleted,
    ]
    .map(|action| (action, count(action)));
    format!("{}: {}", store.name(), counted(&counts))
}

/// "2 created, 1 unchanged"; what is none is left out.
fn counted(counts: &[(Action, usize)]) -> String {
    let some = counts.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> = some
        .map(|(action, count)| format!("{count} {}", action.as_str()))
        .collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}

fn results(store: &Store, outcomes: Vec<Outcome>) -> Results {
    Results {
        store: store.name().clone(),
        outcomes,
    }
}
