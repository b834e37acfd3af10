//! `keyfob trust`: lets a checkout's keyfob.toml count.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;

use crate::app::App;
use crate::config::lookup;
use crate::config::review;
use crate::config::trust::TrustRecord;
use crate::ui::Table;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// Trust a keyfob.toml that came with a checkout
///
/// Shows what the file would decide (addresses, keys, commands, variables) and remembers it by path
/// and content: when the content changes, it must be trusted again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob trust
  keyfob trust --show
  keyfob trust --revoke
  KEYFOB_TRUST=1 keyfob run -- make deploy      # in CI")]
pub struct TrustArgs {
    /// The file [default: the keyfob.toml found from here upwards]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Only show what the file would be allowed
    #[arg(long, conflicts_with_all = ["revoke", "list"])]
    pub show: bool,
    /// Forget that the file was trusted
    #[arg(long, conflicts_with = "list")]
    pub revoke: bool,
    /// List the trusted files
    #[arg(long)]
    pub list: bool,
}

pub fn run(args: TrustArgs, app: &App) -> Result<()> {
    let record = TrustRecord::new(app.folders()?);
    if args.list {
        return list(&record, app);
    }
    let file = file(args.file, app)?;
    if args.revoke {
        if !record.revoke(&file)? {
            return Err(Error::not_found(format!(
                "{} was not trusted",
                file.shown()
            )));
        }
        if app.ui.json {
            let path = std::fs::canonicalize(&file).unwrap_or(file);
            return app
                .ui
                .document(&json!({ "path": path.shown().to_string(), "trusted": false }));
        }
        app.ui
            .note(&format!("{} is trusted no longer", file.shown()));
        return Ok(());
    }
    let review = review::review(&app.load_options()?, &file)?;
    if app.ui.json {
        let allowed: Vec<_> = review
            .allowed
            .iter()
            .map(|allowed| json!({ "field": allowed.key, "value": allowed.value, "line": allowed.line }))
            .collect();
        app.ui.document(&json!({
            "path": review.path.shown().to_string(),
            "trusted": review.trusted || !args.show,
            "allowed": allowed,
        }))?;
    } else if review.allowed.is_empty() {
        app.ui.note(&format!(
            "{} decides nothing that needs trust",
            review.path.shown()
        ));
    } else {
        app.ui.note(&format!("{} decides:", review.path.shown()));
        for allowed in &review.allowed {
            app.ui.note(&format!(
                "  {} = {}  (line {})",
                allowed.key, allowed.value, allowed.line
            ));
        }
    }
    if args.show {
        return Ok(());
    }
    review.allow(&record)?;
    app.ui
        .note(&format!("{} is trusted as it is now", review.path.shown()));
    Ok(())
}

fn list(record: &TrustRecord, app: &App) -> Result<()> {
    let files = record.list()?;
    if app.ui.json {
        let documents: Vec<_> = files
            .iter()
            .map(|file| json!({ "path": file.path.shown().to_string(), "state": file.state.as_str() }))
            .collect();
        return app.ui.document(&json!(documents));
    }
    let mut table = Table::new(&["FILE", "STATE"]);
    for file in files {
        table.row([
            file.path.shown().to_string(),
            file.state.as_str().to_owned(),
        ]);
    }
    table.print(&app.ui)
}

fn file(named: Option<PathBuf>, app: &App) -> Result<PathBuf> {
    if let Some(file) = named.or_else(|| app.explicit_config()) {
        return Ok(file);
    }
    lookup::project_file(&app.env)?.ok_or_else(|| {
        Error::not_found("there is no keyfob.toml from here upwards")
            .hint("name the file: keyfob trust FILE")
    })
}
