//! `keyfob doctor`: examines the set-up, and says what to do about what it finds.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::doctor::{self, Finding, Patient, Status};
use crate::ui::{self, Table, colored, escape, shortened, wrapped};
use crate::words::error::{Error, Result};

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["STATUS", "CHECK", "SUBJECT", "FOUND"];

/// Examine configuration, keys, keyring, network and stores, and say what to do about faults
///
/// Asks the server of each store that is configured or has a credential, all at once and each with
/// 10 seconds of its own, or what --timeout says. A built-in store that was never set up is no
/// fault. Fails where a fault was found; a warning is none. With --store only that store. Tells of
/// rotations that were interrupted, too.
///
/// In a pipe a line each, with tabs between status, check, subject and what was found.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob doctor
  keyfob doctor -s gpu -v
  keyfob doctor --json | jq '.checks[] | select(.status == \"fault\")'")]
pub struct DoctorArgs {}

/// What each store may take where the user says nothing: whoever asks what is wrong wants to know
/// it soon.
const LIMIT: Duration = Duration::from_secs(10);

pub async fn run(_args: DoctorArgs, app: &App) -> Result<()> {
    // It is told of as what it is.
    app.leave_out_untrusted();
    let patient = Patient {
        options: app.load_options()?,
        config: app.config(),
        selected: app.selected_store(),
        only: app.named_store(),
        services: app.services()?,
        limit: match app.timeout()? {
            Some(timeout) => timeout.limit(),
            None => Some(LIMIT),
        },
    };
    let report = doctor::examine(&patient).await;
    let count = |status| report.iter().filter(|found| found.status == status).count();
    let faults = count(Status::Fault);
    if app.ui.json {
        app.ui.document(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "faults": faults,
            "warnings": count(Status::Warning),
            "checks": report,
        }))?;
    } else {
        print(&report, app)?;
    }
    match faults {
        0 => Ok(()),
        1 => Err(Error::failed("one fault was found")),
        faults => Err(Error::failed(format!("{faults} faults were found"))),
    }
}

fn print(report: &[Finding], app: &App) -> Result<()> {
    if app.ui.stdout_is_terminal() {
        return show(report, app);
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    for finding in report {
        table.row([
            finding.status.as_str().to_owned(),
            finding.check.to_owned(),
            finding.subject.clone(),
            finding.detail.clone(),
        ]);
    }
    table.print(&app.ui)?;
    // One remedy may help against several.
    let mut told: Vec<&str> = Vec::new();
    for finding in report {
        if let Some(hint) = finding.hint.as_deref().filter(|hint| !told.contains(hint)) {
            told.push(hint);
            let subject = match finding.subject.as_str() {
                "" => finding.check,
                subject => subject,
            };
            app.ui.hint(&format!("{subject}: {hint}"));
        }
    }
    Ok(())
}

/// Shows `report` to a person: check by check and store by store, each with what to do about it, and
/// without what was never set up.
fn show(report: &[Finding], app: &App) -> Result<()> {
    let skipped = report
        .iter()
        .filter(|found| found.status == Status::Skipped);
    let unused: Vec<&str> = skipped
        .filter(|found| found.check == "store" && !found.subject.is_empty())
        .map(|found| found.subject.as_str())
        .collect();
    let is_unused = |found: &&Finding| {
        found.status == Status::Skipped && unused.contains(&found.subject.as_str())
    };
    let width = report
        .iter()
        .map(|found| found.status.as_str().len())
        .max()
        .unwrap_or_default();
    let indent = " ".repeat(width + 4);
    let columns = ui::columns().map_or(usize::MAX, usize::from);
    let room = columns.saturating_sub(indent.len()).max(20);
    let mut text = String::new();
    let mut under = String::new();
    for found in report.iter().filter(|found| !is_unused(found)) {
        let (title, said) = match (found.check, found.subject.as_str()) {
            (check, "") => (check.to_owned(), found.detail.clone()),
            ("store", store) => (format!("store {store}"), found.detail.clone()),
            (check, subject) => (check.to_owned(), format!("{subject}: {}", found.detail)),
        };
        if title != under {
            text.push_str(&format!("{}\n", escape(&title)));
            under = title;
        }
        let status = found.status.as_str();
        let pad = " ".repeat(width - status.len() + 2);
        let gap = format!("\n{indent}");
        let said = wrapped(&shortened(&escape(&said)), room).join(&gap);
        text.push_str(&format!("  {}{pad}{said}\n", colored(status)));
        if let Some(hint) = &found.hint {
            let hint = wrapped(&format!("hint: {}", escape(hint)), room).join(&gap);
            text.push_str(&format!("{indent}{hint}\n"));
        }
    }
    app.ui.styled(&text)?;
    if !unused.is_empty() {
        app.ui.note(&format!("not set up: {}", unused.join(", ")));
    }
    Ok(())
}
