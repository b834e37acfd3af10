//! `keyfob rotate`: new values for secrets in several places, and what became of earlier ones.

mod due;
mod open;
mod order;
mod report;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::input;
use crate::app::App;
#[cfg(unix)]
use crate::exec::signals;
use crate::providers::Capability;
use crate::rotate::Stores;
use crate::rotate::engine::{Engine, Report};
use crate::rotate::hooks::Hooks;
use crate::rotate::ledger::Ledger;
use crate::rotate::plan::{Order, Plan, Source};
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::{MAX_VALUE, SecretValue, StoreName, Target};
use clap::{ArgGroup, Args, ValueHint};
use std::path::PathBuf;

/// Give secrets new values, in every place that holds them
///
/// Makes one new value, writes it to NAME and to every --to, reads it back where that can be done,
/// and has --verify check it. When anything fails, all of them get their old value back. Where an
/// old value cannot be read (bytenite, neo), that is said before anything happens, and
/// --accept-no-undo is asked for; such secrets are written last, when all others are verified.
///
/// Both values of every secret are kept in an encrypted journal until all is done: after a crash
/// --resume finishes the rotation, and --undo reverts it. A policy [rotation.NAME] in the
/// configuration says the same as the options do; options win over it, and --to and --derive add
/// to it.
///
/// Commands run in `sh -c`, with the reference of the secret they are about in KEYFOB_TARGET and
/// without keyfob's own credentials. A command may run again after a crash. Each may take 5 minutes
/// unless --timeout says otherwise.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob rotate API_KEY
  keyfob rotate DB_PASSWORD --to keyfob://web/api/DB_PASSWORD \\
      --derive 'DATABASE_URL=postgres://app:{value|url}@db/app' \\
      --verify 'PGPASSWORD=$(cat) psql -h db -U app -c \"select 1\"'
  keyfob rotate -s data s3/backup --from-command ./new-key.sh --accept-no-undo
  keyfob rotate --due
  keyfob rotate --check                  # in CI: exit code 1 when something is due
  keyfob rotate --list
  keyfob rotate --resume

For bytenite a command may print {\"accessKey\": \"…\", \"secretKey\": \"…\"}: both change together.")]
#[command(group = ArgGroup::new("mode").args(["list", "resume", "undo", "due", "check"]).multiple(false))]
pub struct RotateArgs {
    /// The secrets: names in the selected store, or references
    #[arg(
        value_name = "NAME",
        required_unless_present = "mode",
        conflicts_with_all = ["list", "due", "check"]
    )]
    pub names: Vec<Target>,
    /// Write the new value there too (repeatable); what is missing is created
    #[arg(long, value_name = "REF", conflicts_with = "mode")]
    pub to: Vec<Target>,
    /// Write a text with the new value in it there too (repeatable): {value} as it is,
    /// {value|url} percent-encoded; also json, yaml, shell, base64
    #[arg(long, value_name = "NAME=TEXT", conflicts_with = "mode")]
    pub derive: Vec<String>,
    /// Make the new value: password:N, alnum:N, hex:N, base64:N, uuid, words:N [default: password:32]
    #[arg(long, value_name = "SPEC", group = "source", conflicts_with = "mode")]
    pub generate: Option<String>,
    /// Take the new value from what a command prints, without one newline at the end
    #[arg(long, value_name = "CMD", group = "source", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub from_command: Option<String>,
    /// Take the new value from a file, every byte; - is stdin
    #[arg(long, value_name = "FILE", group = "source", conflicts_with = "mode", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Have a command check the new value, which it finds on its stdin: once for each secret that has
    /// it or is made from it
    #[arg(long, value_name = "CMD", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub verify: Option<String>,
    /// Run a command after a rollback, with the old value on its stdin
    #[arg(long, value_name = "CMD", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub on_rollback: Option<String>,
    /// Rotate although an old value cannot be read, and so not be put back; with --undo leave as it
    /// is what cannot be undone
    #[arg(long, conflicts_with_all = ["list", "resume", "check"])]
    pub accept_no_undo: bool,
    /// Show what would be done; asks no server
    #[arg(long, conflicts_with_all = ["list", "resume", "undo", "check"])]
    pub dry_run: bool,
    /// Show what is open; asks no server
    #[arg(long)]
    pub list: bool,
    /// Finish what is open: of the secrets named, else of the store that --store names, else all
    #[arg(long)]
    pub resume: bool,
    /// Revert what is open, of the same
    #[arg(long)]
    pub undo: bool,
    /// Rotate what is due by the policies of the configuration
    #[arg(long)]
    pub due: bool,
    /// Show how the policies stand, and fail when a secret is due
    #[arg(long)]
    pub check: bool,
}

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
        if args.resume {
            return open::resume(&args.names, app).await;
        }
        if args.undo {
            return open::undo(&args.names, args.accept_no_undo, app).await;
        }
        rotate(&args, app).await
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
    let left = match open::is_any(app) {
        Ok(false) => Error::failed("interrupted, and nothing is open"),
        _ => Error::failed("interrupted").hint(
            "keyfob rotate --list shows what is open; --resume finishes it, --undo reverts it",
        ),
    };
    app.ui.error(&left);
    signals::end_by(signal);
    Err(left)
}

#[cfg(not(unix))]
async fn interruptible(work: impl Future<Output = Result<()>>, _: &App) -> Result<()> {
    work.await
}

async fn rotate(args: &RotateArgs, app: &App) -> Result<()> {
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
        Some(store) => Ok(store.can(Capability::Read)),
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
    Ok(Hooks {
        env: &app.env,
        withheld: app.services()?.withheld.clone(),
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
