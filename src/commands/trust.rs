//! `keyfob trust`: lets a checkout's keyfob.toml count.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use super::input;
use crate::app::{App, consent};
use crate::config::review::{self, Review, State};
use crate::config::trust::TrustRecord;
use crate::config::{Config, Files, lookup};
use crate::ui::Table;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["FILE", "STATE", "WHY"];

/// Trust a keyfob.toml that came with a checkout
///
/// Such a file counts whole or not at all. Shows all that it decides (stores, variables, policies,
/// commands), asks, and remembers it by path and content, with the content of the relative files
/// that it names: when one of them changes, it must be trusted again.
///
/// In a pipe --list prints a file a line, with tabs between file, state and why.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob trust
  keyfob trust --show
  keyfob trust -y
  keyfob trust --revoke
  KEYFOB_TRUST=1 keyfob run -- make deploy      # in CI")]
pub struct TrustArgs {
    /// The file [default: the keyfob.toml found from here upwards]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long, conflicts_with_all = ["show", "revoke", "list"])]
    pub yes: bool,
    /// Only show what the file decides
    #[arg(long, conflicts_with_all = ["revoke", "list"])]
    pub show: bool,
    /// Forget that the file was trusted
    #[arg(long, conflicts_with = "list")]
    pub revoke: bool,
    /// List the trusted files
    #[arg(long, conflicts_with = "file")]
    pub list: bool,
}

pub fn run(args: TrustArgs, app: &App) -> Result<()> {
    if args.list {
        return list(app);
    }
    let file = file(args.file.as_deref(), app)?;
    let record = TrustRecord::new(app.folders()?);
    if args.revoke {
        return revoke(&file, &record, app);
    }
    if args.file.is_some() {
        input::check_there(&app.env.cwd().join(&file))?;
    }
    let review = review::review(&app.load_options()?, &file)?;
    if !app.ui.json {
        consent::show(&review, &app.ui);
    }
    if args.show {
        tell(&review, app);
        return document(&review, review.untrusted.is_none(), app);
    }
    match &review.untrusted {
        None => {}
        Some(untrusted) if !untrusted.can_be_trusted() => return Err(untrusted.error()),
        Some(_) => {
            if !args.yes && !consents(&review, args.file.as_deref(), app)? {
                return Err(Error::failed("nothing was trusted"));
            }
            review.allow(&record)?;
        }
    }
    let path = review.path.shown();
    app.ui.note(&format!("{path} is trusted as it is now"));
    document(&review, true, app)
}

/// Whether the user, asked now, lets the file count.
fn consents(review: &Review, named: Option<&Path>, app: &App) -> Result<bool> {
    if app.ui.can_show_and_ask() && !app.ui.quiet {
        return consent::ask(review, &app.ui);
    }
    let file = named.map_or(String::new(), |file| format!(" {}", file.shown().typed()));
    Err(
        Error::usage("nobody can be asked here whether what the file decides is to count")
            .hint(format!("once you have read it: keyfob trust -y{file}")),
    )
}

/// Says why the file does not count, where it does not.
fn tell(review: &Review, app: &App) {
    if let Some(untrusted) = &review.untrusted {
        app.ui.note(&untrusted.words());
    }
}

fn document(review: &Review, trusted: bool, app: &App) -> Result<()> {
    if !app.ui.json {
        return Ok(());
    }
    let decides = review.decides.iter();
    let decides: Vec<_> = decides
        .map(|it| json!({ "field": it.key, "value": it.value, "line": it.line }))
        .collect();
    app.ui.document(&json!({
        "path": review.path.to_string_lossy(),
        "trusted": trusted,
        "allowed": decides,
        "files": review.files,
    }))
}

fn revoke(file: &Path, record: &TrustRecord, app: &App) -> Result<()> {
    if !record.revoke(&app.env.cwd().join(file))? {
        let path = file.shown();
        return Err(Error::not_found(format!("{path} was not trusted")));
    }
    if app.ui.json {
        let path = dunce::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        return app
            .ui
            .document(&json!({ "path": path.to_string_lossy(), "trusted": false }));
    }
    let path = file.shown();
    app.ui.note(&format!("{path} is trusted no longer"));
    Ok(())
}

fn list(app: &App) -> Result<()> {
    let files = review::list(&app.load_options()?)?;
    let mut documents = Vec::new();
    let mut table = Table::new(COLUMNS, &app.ui);
    for file in files {
        let (state, why) = match &file.state {
            State::Trusted => ("trusted", None),
            State::Missing => ("missing", None),
            State::Untrusted(untrusted) => (untrusted.state(), Some(untrusted.words())),
        };
        let mut document = json!({ "path": file.path.to_string_lossy(), "state": state });
        if let Some(why) = &why {
            document["why"] = why.as_str().into();
        }
        documents.push(document);
        table.row([
            file.path.shown().exact(),
            state.to_owned(),
            why.unwrap_or_default(),
        ]);
    }
    if app.ui.json {
        return app.ui.document(&json!(documents));
    }
    table.print(&app.ui)
}

fn file(named: Option<&Path>, app: &App) -> Result<PathBuf> {
    match (named, app.files()) {
        (Some(file), _) => Ok(file.to_owned()),
        (None, Files::Named(file)) => Ok(file),
        (None, Files::Found) => lookup::project_file(&app.env)?.ok_or_else(|| {
            Error::not_found("there is no keyfob.toml from here upwards")
                .hint("name the file: keyfob trust FILE")
        }),
        (None, Files::Own) => Err(Error::usage(
            "-C none does without any project's file, so that there is none to trust",
        )),
    }
}

/// The configuration without a checkout's file that is not trusted, which is told of.
///
/// # Errors
/// As [`App::config`], but for that.
pub fn configured(app: &App) -> Result<&Config> {
    app.leave_out_untrusted();
    let config = app.config()?;
    if let Some(untrusted) = config.left_out() {
        let words = untrusted.words();
        app.ui.warn(&format!("{words}, and nothing in it counts"));
        app.ui.hint(&untrusted.remedy());
    }
    Ok(config)
}
