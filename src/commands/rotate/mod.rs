//! `keyfob rotate`: new values for secrets in several places, and what became of earlier ones.

mod args;
mod due;
mod open;
mod order;
mod report;

use std::time::Duration;

use serde_json::json;

use super::input;
use crate::app::App;
#[cfg(unix)]
use crate::exec::signals;
use crate::providers::Capability;
use crate::rotate::engine::Engine;
use crate::rotate::hooks::Hooks;
use crate::rotate::plan::{Order, Plan, Source};
use crate::rotate::tools::{Stores, Tools};
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::{MAX_VALUE, SecretValue};

pub use args::RotateArgs;
#[cfg(test)]
pub use due::COLUMNS as DUE;
#[cfg(test)]
pub use open::COLUMNS as OPEN;

/// How long a command may take where nothing is said of it.
const HOOK_LIMIT: Duration = Duration::from_secs(5 * 60);

pub async fn run(args: RotateArgs, app: &App) -> Result<()> {
    if args.list {
        return open::list(app);
    }
    if args.check {
        return due::check(app).await;
    }
    let work = async {
        let tools = tools(app)?;
        if args.resume {
            return open::resume(&args.names, &tools, app).await;
        }
        if args.undo {
            return open::undo(&args.names, args.accept_no_undo, &tools, app).await;
        }
        rotate(&args, &tools, app).await
    };
    interruptible(work, app).await
}

/// Does `work`, unless somebody wants it to end: then what it has begun is open, and that is said.
#[cfg(unix)]
async fn interruptible(work: impl Future<Output = Result<()>>, app: &App) -> Result<()> {
    let signal = tokio::select! {
        result = work => return result,
        signal = signals::asked_to_end() => signal,
    };
    let left = interrupted(app);
    app.ui.error(&left);
    signals::end_by(signal);
    Err(left)
}

/// The same where it is the console that asks.
#[cfg(not(unix))]
async fn interruptible(work: impl Future<Output = Result<()>>, app: &App) -> Result<()> {
    tokio::select! {
        result = work => result,
        Ok(()) = tokio::signal::ctrl_c() => Err(interrupted(app)),
    }
}

/// That work was ended, and what that has left.
fn interrupted(app: &App) -> Error {
    match open::is_any(app) {
        Ok(false) => Error::failed("interrupted, and nothing is open"),
        _ => Error::failed("interrupted").hint(
            "keyfob rotate --list shows what is open; --resume finishes it, --undo reverts it",
        ),
    }
}

async fn rotate(args: &RotateArgs, tools: &Tools<'_>, app: &App) -> Result<()> {
    let orders = match args.due {
        true => due::orders(app).await?,
        false => order::orders(args, app)?,
    };
    if orders.is_empty() {
        app.ui.note("nothing is due");
    }
    // All of them are looked at before the first is begun.
    let mut planned = Vec::with_capacity(orders.len());
    for order in orders {
        let stores = tools.stores(order.stores())?;
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
    let mut reports = Vec::with_capacity(planned.len());
    for (plan, stores) in &planned {
        let given = given(&plan.source)?;
        // Bringing the value may have taken its time, which was nobody's network.
        tools.services.http.deadline().progressed();
        let report = Engine { tools, stores }.rotate(plan, given).await;
        report::tell(&report, planned.len(), app);
        reports.push(report);
    }
    report::finish(reports, app)
}

fn plan(order: Order, stores: &Stores) -> Result<Plan> {
    Plan::new(order, |name| match stores.get(name) {
        Some(store) => Ok(store.can(Capability::Read)),
        None => Err(Error::failed(format!("the store {name} is not open"))),
    })
}

/// What the rotations are carried out with.
fn tools(app: &App) -> Result<Tools<'_>> {
    let services = app.services()?;
    Ok(Tools {
        config: app.config()?,
        services,
        journal: services.journal(),
        hooks: Hooks {
            env: &app.env,
            withheld: services.withheld.clone(),
            limit: app
                .timeout()?
                .map_or(Some(HOOK_LIMIT), HumanDuration::limit),
        },
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
                    "dry_run": true,
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
