//! A plan for a store: shown, agreed to, carried out and reported, for every command that has one.

use std::collections::BTreeMap;

use super::outcomes::{Results, TOLD, report};
use crate::app::App;
use crate::store::Store;
use crate::transfer::{Held, Plan, Step};
use crate::ui::prompt;
use crate::words::batch::{Action, Outcome, Write};
use crate::words::error::{Error, Result};

/// How a plan is presented.
pub struct Presented<'a> {
    /// What to say where nothing comes from there.
    pub empty: &'a str,
    /// What to ask before it is carried out, where anything is to be asked.
    pub question: Option<&'a str>,
    /// Do nothing.
    pub dry_run: bool,
}

/// Shows `plan`, asks where it may, carries it out and reports what was done.
///
/// # Errors
/// `failed` where the user says no, `partial` where some of it failed, what the store fails with.
pub async fn settle(
    presented: &Presented<'_>,
    plan: &Plan,
    wanted: Vec<Write>,
    store: &Store,
    app: &App,
) -> Result<()> {
    let asks = app.ui.interactive && !presented.dry_run && !plan.is_nothing();
    let question = presented.question.filter(|_| asks);
    if question.is_some() || !app.ui.json {
        show(plan, presented, store, app);
    }
    if presented.dry_run {
        return report(app, vec![Results::foreseen(store, plan.outcomes())]);
    }
    if let Some(question) = question {
        if !prompt::confirm(&app.ui, question)? {
            return Err(Error::failed("nothing was changed"));
        }
        // The time it took to answer was nobody's network.
        app.services()?.http.deadline().progressed();
    }
    let outcomes = plan.carry_out(wanted, store).await?;
    if !app.ui.json && !plan.is_nothing() {
        app.ui.note(&summary(&outcomes, store));
    }
    report(app, vec![Results::of(store, outcomes)])
}

/// Looks for those of `wanted` that `held`, all that `store` has, does not have by their names: the
/// backend may have them by others.
///
/// # Errors
/// `usage` where it does and is to `prune`: what is wanted would be deleted by its other name.
pub async fn look_closer(
    held: &mut Held,
    wanted: &[Write],
    store: &Store,
    prune: bool,
) -> Result<()> {
    let names = wanted.iter().map(|write| &write.name);
    let aliases = held.look_closer(store, names).await?;
    match aliases.first().filter(|_| prune) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!(
            "{} lists {name} by another name, by which --prune would delete it",
            store.name()
        ))
        .hint(format!(
            "call it what keyfob list -s {} calls it",
            store.name()
        ))
        .store(store.name().as_str())),
    }
}

/// Shows the plan on stderr, names alone.
fn show(plan: &Plan, presented: &Presented<'_>, store: &Store, app: &App) {
    if plan.steps.is_empty() {
        app.ui.note(presented.empty);
        return;
    }
    let would = if presented.dry_run {
        "would be"
    } else {
        "to be"
    };
    let store = store.name();
    // Of each kind the first ones: what goes must not be hidden behind what comes.
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for Step {
        name,
        action,
        unknown,
        refusal,
        ..
    } in &plan.steps
    {
        let what = match (refusal, action) {
            (Some(_), Action::Deleted) => format!("is kept in {store}"),
            (Some(_), _) => format!("cannot be stored in {store}"),
            (None, Action::Unchanged) => "is unchanged".to_owned(),
            (None, action) => format!("{would} {} in {store}", action.as_str()),
        };
        let why = match unknown {
            true => ", as its value there is unknown",
            false => "",
        };
        let line = format!("{name} {what}{why}");
        let count = told.entry(what).or_default();
        *count += 1;
        // As a rule those that are unchanged are many, and nothing happens to them.
        match action {
            Action::Unchanged => app.ui.trace(1, &line),
            _ if *count > TOLD => app.ui.trace(1, &line),
            _ => app.ui.note(&line),
        }
    }
    if app.ui.verbose == 0 {
        for (what, count) in told.iter().filter(|(what, _)| *what != "is unchanged") {
            if *count > TOLD {
                let more = count - TOLD;
                app.ui
                    .note(&format!("and {more} more: {what} (-v names all)"));
            }
        }
    }
    let refused = match plan.refused() {
        0 => String::new(),
        count => format!(", {count} not possible"),
    };
    let planned = planned(|action| plan.count(action));
    app.ui.note(&format!("{planned}{refused} in {store}"));
}

/// "2 to create, 1 unchanged"; what is none is left out.
fn planned(count: impl Fn(Action) -> usize) -> String {
    let words: Vec<String> = [
        (Action::Created, " to create"),
        (Action::Updated, " to update"),
        (Action::Deleted, " to delete"),
        (Action::Unchanged, " unchanged"),
    ]
    .into_iter()
    .map(|(action, what)| (count(action), what))
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count}{what}"))
    .collect();
    match words.is_empty() {
        true => "nothing to do".to_owned(),
        false => words.join(", "),
    }
}

/// What was done, in a line.
fn summary(outcomes: &[Outcome], store: &Store) -> String {
    let count = |wanted: Action| {
        let done = outcomes
            .iter()
            .filter_map(|outcome| outcome.result.as_ref().ok());
        done.filter(|action| **action == wanted).count()
    };
    format!("{}: {}", store.name(), counted(count))
}

/// "2 created, 1 unchanged"; what is none is left out.
fn counted(count: impl Fn(Action) -> usize) -> String {
    let words: Vec<String> = [
        Action::Created,
        Action::Updated,
        Action::Unchanged,
        Action::Deleted,
    ]
    .into_iter()
    .map(|action| (action, count(action)))
    .filter(|(_, count)| *count > 0)
    .map(|(action, count)| format!("{count} {}", action.as_str()))
    .collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}
