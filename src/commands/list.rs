//! `keyfob list`: names and metadata, never a value.

use clap::Args;
use jiff::Timestamp;

use crate::app::App;
use crate::commands::selected::WaitArg;
use crate::store::Store;
use crate::ui::Table;
use crate::words::batch::Filter;
use crate::words::error::Result;
use crate::words::glob::Glob;
use crate::words::secret::Entry;
use crate::words::shown;

/// The same of what was deleted.
pub const DELETED: &[&str] = &["NAME", "DELETED", "DESCRIPTION"];

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["NAME", "UPDATED", "EXPIRES", "DESCRIPTION", "ATTRIBUTES"];

/// List the secrets of a store, never their values
///
/// On a terminal a table; in a pipe one secret a line, with tabs between name, updated, expires,
/// description and attributes; of deleted ones between name, deleted and description.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob list
  keyfob list 'DB_*'
  keyfob ls --prefix DB_
  keyfob list --deleted
  keyfob list --json | jq -r '.[].name'")]
pub struct ListArgs {
    /// Only names that this stands for: * is any text, ? one character, [a-z] one of those
    #[arg(value_name = "GLOB")]
    pub glob: Option<String>,
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
    /// Only secrets of this type, where the backend has types (bytenite)
    #[arg(long = "type", value_name = "T")]
    pub secret_type: Option<String>,
    /// What was deleted and can be restored instead, with the time when it was deleted
    #[arg(long, conflicts_with_all = ["secret_type", "wait"])]
    pub deleted: bool,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: ListArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let store = app.open(&app.selected_store()?)?;
    let glob = args.glob.as_deref().map(Glob::new).transpose()?;
    let admits = |entry: &Entry| {
        let name = entry.name.as_str();
        glob.as_ref().is_none_or(|glob| glob.matches(name))
    };
    let asked = Filter {
        prefix: args.prefix,
        secret_type: args.secret_type,
        named: None,
    };
    // What a pattern begins with spares what cannot be like it.
    let beginning = glob.as_ref().map(Glob::beginning).unwrap_or_default();
    let filter = match asked.admits(&beginning) {
        true if !beginning.is_empty() => Filter {
            prefix: Some(beginning),
            ..asked.clone()
        },
        _ => asked.clone(),
    };
    if args.deleted {
        let mut entries = store.deleted().await?;
        entries.retain(|entry| filter.admits(entry.name.as_str()) && admits(entry));
        if entries.is_empty() && !app.ui.json {
            let narrowed = narrowed(args.glob.as_deref(), &asked);
            app.ui.note(&format!(
                "no deleted secret{narrowed} can be restored in the store {}",
                store.name()
            ));
            return Ok(());
        }
        return show_deleted(entries, app);
    }
    let (mut entries, rest) = store.list_what_can_be_read(&filter).await?;
    entries.retain(admits);
    if entries.is_empty() && rest.is_none() && !app.ui.json {
        tell_of_none(args.glob.as_deref(), &asked, &store, app);
        return Ok(());
    }
    show(entries, app)?;
    // What was read is shown, and what was not is said.
    rest.map_or(Ok(()), Err)
}

/// Says why there is nothing to show, and how to go on.
fn tell_of_none(glob: Option<&str>, filter: &Filter, store: &Store, app: &App) {
    let name = store.name();
    let narrowed = narrowed(glob, filter);
    if narrowed.is_empty() {
        app.ui
            .note(&format!("there are no secrets in the store {name}"));
        return app
            .ui
            .next(&format!("keyfob set -s {name} NAME stores one"));
    }
    app.ui
        .note(&format!("there is no secret{narrowed} in the store {name}"));
    app.ui.next(&format!("keyfob list -s {name} shows all"));
}

/// What the secrets that are asked for have in common, with a blank in front; nothing where all are.
fn narrowed(glob: Option<&str>, filter: &Filter) -> String {
    let narrowed: Vec<String> = [
        (glob, "whose name is like"),
        (filter.prefix.as_deref(), "whose name begins with"),
        (filter.secret_type.as_deref(), "of the type"),
    ]
    .into_iter()
    .filter_map(|(text, what)| Some(format!(" {what} {}", shown::quoted(text?))))
    .collect();
    narrowed.join(" and")
}

/// What a table says of attributes that are those of the row before.
const AS_ABOVE: &str = "as above";

/// Shows `entries`.
fn show(entries: Vec<Entry>, app: &App) -> Result<()> {
    if app.ui.json {
        return app.ui.documents(&entries);
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    let mut above = String::new();
    let is_terminal = app.ui.stdout_is_terminal();
    let time = |at: Option<Timestamp>| at.map(|at| app.ui.time(at)).unwrap_or_default();
    let mut updated: (Option<Timestamp>, String) = (None, String::new());
    for entry in entries {
        let attributes: Vec<String> = entry
            .attributes
            .iter()
            .map(|(key, value)| format!("{key}={}", plain(value)))
            .collect();
        let attributes = attributes.join(" ");
        // Secrets of a group have what their group has: a person need not read it again and again.
        let is_told = is_terminal && !attributes.is_empty() && attributes == above;
        // Secrets of one import have one time.
        if entry.updated_at != updated.0 {
            updated = (entry.updated_at, time(entry.updated_at));
        }
        table.row([
            entry.name.as_str(),
            &updated.1,
            &time(entry.expires_at),
            entry.description.as_deref().unwrap_or_default(),
            if is_told { AS_ABOVE } else { &attributes },
        ]);
        above = attributes;
    }
    table.print(&app.ui)
}

/// Shows `entries`, which are deleted.
fn show_deleted(entries: Vec<Entry>, app: &App) -> Result<()> {
    if app.ui.json {
        return app.ui.documents(&entries);
    }
    let mut table = Table::new(DELETED, &app.ui);
    for entry in entries {
        table.row([
            entry.name.as_str().to_owned(),
            entry
                .updated_at
                .map(|at| app.ui.time(at))
                .unwrap_or_default(),
            entry.description.unwrap_or_default(),
        ]);
    }
    table.print(&app.ui)
}

/// A JSON value as text, strings without their quotes.
pub fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
