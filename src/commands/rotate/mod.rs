//! `keyfob rotate`: new values for secrets in several places, and what became of earlier ones.

mod due;
mod open;
mod order;
mod report;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::input::{self, MAX_VALUE};
use crate::app::App;
use crate::cli::RotateArgs;
use crate::duration::HumanDuration;
use crate::error::{Error, Result};
use crate::process::exec;
use crate::providers::Capability;
use crate::rotation::Stores;
use crate::rotation::engine::{Engine, Report};
use crate::rotation::hooks::Hooks;
use crate::rotation::ledger::Ledger;
use crate::rotation::plan::{Order, Plan, Source};
use crate::secret::{SecretValue, StoreName};

/// How long a command may take where nothing is said of it.
const HOOK_LIMIT: Duration = Duration::from_secs(5 * 60);

pub async fn run(args: RotateArgs, app: &App) -> Result<()> {
    if args.list {
        return open::list(app);
    }
    if args.resume {
        return open::resume(&args.names, app).await;
    }
    if args.undo {
        return open::undo(&args.names, args.accept_no_undo, app).await;
    }
    if args.check {
        return due::check(app).await;
    }
    let orders = match args.due {
        true => due::orders(app).await?,
        false => order::orders(&args, app)?,
    };
    if orders.is_empty() {
        app.ui.note("nothing is due");
    }
    // All of them are looked at before the first is begun.
    let mut planned = Vec::with_capacity(orders.len());
    for order in orders {
        let stores = open_stores(order.stores(), app)?;
        let plan = plan(order, &stores)?;
        planned.push((plan, stores));
    }
    if args.dry_run {
        show(&planned, app)?;
    }
    for (plan, _) in &planned {
        plan.check_undo(args.accept_no_undo)?;
    }
    if args.dry_run {
        return Ok(());
    }
    let hooks = hooks(app)?;
    let services = app.services()?;
    let ledger = Ledger::new(services);
    let mut reports = Vec::with_capacity(planned.len());
    for (plan, stores) in &planned {
        let engine = Engine {
            stores,
            ledger: &ledger,
            services,
            hooks: &hooks,
        };
        let given = given(&plan.source)?;
        // Bringing the value may have taken its time, which was nobody's network.
        services.http.deadline().progressed();
        let report = engine.rotate(plan, given).await;
        report::tell(&report, planned.len(), app);
        reports.push(report);
    }
    report::finish(reports, app)
}

fn plan(order: Order, stores: &Stores) -> Result<Plan> {
    Plan::new(order, |name| match stores.get(name) {
        Some(store) => Ok(store.provider().capabilities().has(Capability::Read)),
        None => Err(Error::failed(format!("the store {name} is not open"))),
    })
}

fn open_stores<'n>(names: impl IntoIterator<Item = &'n StoreName>, app: &App) -> Result<Stores> {
    let names: BTreeSet<&StoreName> = names.into_iter().collect();
    names
        .into_iter()
        .map(|name| Ok((name.clone(), app.open(name)?)))
        .collect()
}

/// What the rotations' commands run in.
fn hooks(app: &App) -> Result<Hooks<'_>> {
    let names = app.env.vars().map(|(name, _)| name);
    Ok(Hooks {
        env: &app.env,
        withheld: names
            .filter(|name| exec::is_own_credential(name))
            .filter_map(|name| name.to_str())
            .map(str::to_owned)
            .collect(),
        limit: app
            .timeout()?
            .map_or(Some(HOOK_LIMIT), HumanDuration::limit),
    })
}

/// The new value, where a file holds it.
fn given(source: &Source) -> Result<Option<SecretValue>> {
    let Source::File(path) = source else {
        return Ok(None);
    };
    let bytes = input::read(path, MAX_VALUE)?;
    if bytes.is_empty() {
        return Err(Error::usage(format!(
            "{} holds nothing that could be a new value",
            input::shown(path)
        )));
    }
    Ok(Some(bytes.into()))
}

/// Shows what would be done.
fn show(planned: &[(Plan, Stores)], app: &App) -> Result<()> {
    if app.ui.json {
        let plans: Vec<_> = planned
            .iter()
            .map(|(plan, _)| {
                let irrevocable: Vec<_> = plan.irrevocable().collect();
                json!({
                    "secret": plan.secret(),
                    "steps": plan.steps(),
                    "no_undo": irrevocable,
                })
            })
            .collect();
        return app.ui.document(&json!(plans));
    }
    for (plan, _) in planned {
        app.ui.line(&format!("{}:", plan.secret()))?;
        for (at, step) in plan.steps().iter().enumerate() {
            app.ui.line(&format!("{:>4}. {step}", at + 1))?;
        }
        let undo = match plan.irrevocable().next() {
            None => "if anything fails, all of them get their old value back",
            Some(_) => {
                "if anything fails, those that can be read get their old value back, and no others"
            }
        };
        app.ui.line(&format!("      {undo}"))?;
    }
    Ok(())
}

/// The reports' failures, as one.
fn failure(reports: &[Report]) -> Option<Error> {
    let failed: Vec<&Error> = reports
        .iter()
        .filter_map(|report| report.error.as_ref())
        .collect();
    match failed.as_slice() {
        [] => None,
        [error] if reports.len() == 1 => Some((*error).clone()),
        failed => {
            let message = format!("{} of {} rotations failed", failed.len(), reports.len());
            Some(match failed.len() == reports.len() {
                true => Error::new(failed[0].kind(), message),
                false => Error::partial(message),
            })
        }
    }
}
