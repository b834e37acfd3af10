//! `keyfob store`: the configured stores.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::trust::configured;
use crate::app::App;
use crate::config::check::did_you_mean;
use crate::config::{Files, edit, lookup};
use crate::providers::{ProviderSpec, registry};
use crate::ui::Table;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::shown::{self, ShownPath as _};

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["", "STORE", "PROVIDER", "CONFIGURED IN", "FIELDS"];

/// List, add and remove configured stores
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// List the stores and where each is configured
    ///
    /// In a pipe a store a line, with tabs between a * for the default store, store, provider, what it
    /// is configured in, and fields.
    #[command(
        visible_alias = "ls",
        after_long_help = "Examples:\n  keyfob store list --json"
    )]
    List,
    /// Add a store to your own configuration, or to the project's
    #[command(after_long_help = "\
Examples:
  keyfob store add gpu nosana network=devnet
  keyfob store add web northflank project=shop group=api-env --project --default")]
    Add(StoreAddArgs),
    /// Remove a store from the configuration; its secrets stay where they are
    #[command(
        visible_alias = "rm",
        after_long_help = "Examples:\n  keyfob store remove gpu"
    )]
    Remove(StoreRemoveArgs),
}

#[derive(Debug, Args)]
pub struct StoreAddArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub name: StoreName,
    #[arg(value_name = "PROVIDER", help = providers())]
    pub provider: String,
    /// Its fields, such as network=devnet or path=secrets.age
    #[arg(value_name = "FIELD=VALUE")]
    pub fields: Vec<String>,
    /// Write to the project's keyfob.toml instead of your own configuration
    #[arg(long)]
    pub project: bool,
    /// Make it the default store
    #[arg(long)]
    pub default: bool,
}

#[derive(Debug, Args)]
pub struct StoreRemoveArgs {
    /// The store to remove
    #[arg(value_name = "NAME")]
    pub name: StoreName,
    /// Remove it from the project's keyfob.toml instead of your own configuration
    #[arg(long)]
    pub project: bool,
}

/// The help of the argument that names one of them.
fn providers() -> String {
    let names: Vec<&str> = registry::PROVIDERS.iter().map(ProviderSpec::name).collect();
    let text = format!("Its provider: {}", names.join(", "));
    match text.rsplit_once(", ") {
        Some((all, last)) => format!("{all} or {last}"),
        None => text,
    }
}

pub fn run(args: StoreArgs, app: &App) -> Result<()> {
    match args.command {
        StoreCommand::List => list(app),
        StoreCommand::Add(args) => add(&args, app),
        StoreCommand::Remove(args) => remove(&args, app),
    }
}

fn list(app: &App) -> Result<()> {
    let config = configured(app)?;
    let default = app.default_store()?;
    let mut table = Table::new(COLUMNS, &app.ui);
    let mut documents = Vec::new();
    for store in config.stores() {
        let origin = store.provider_origin().map(ToString::to_string);
        let fields: Vec<(&str, String)> = store
            .fields()
            .filter_map(|(field, _)| Some((field.name, store.display(field.name)?)))
            .collect();
        let mut document = json!({
            "store": store.name(),
            "provider": store.provider(),
            "default": *store.name() == default,
            "fields": fields.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        });
        if let Some(origin) = &origin {
            document["origin"] = origin.as_str().into();
        }
        documents.push(document);
        let shown: Vec<String> = fields
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        let mark = if *store.name() == default { "*" } else { "" };
        table.row([
            mark.to_owned(),
            store.name().to_string(),
            store.provider().to_owned(),
            origin.unwrap_or_else(|| "built in".to_owned()),
            shown.join(" "),
        ]);
    }
    if app.ui.json {
        return app.ui.document(&json!(documents));
    }
    table.print(&app.ui)
}

fn add(args: &StoreAddArgs, app: &App) -> Result<()> {
    let mut fields = Vec::new();
    for field in &args.fields {
        let Some((key, value)) = field.split_once('=') else {
            let error = Error::usage(format!("{} is not FIELD=VALUE", shown::quoted(field)));
            let Some(spec) = registry::find(&args.provider) else {
                return Err(error);
            };
            let fields = spec.schema.fields.iter().filter(|it| !it.credential);
            let known: Vec<&str> = fields.map(|it| it.name).collect();
            return Err(error.hint(match known.contains(&field.as_str()) {
                true => format!("write {field}=VALUE"),
                false => did_you_mean(field, "fields", &known),
            }));
        };
        fields.push((key.to_owned(), value.to_owned()));
    }
    let file = file(args.project, app)?;
    app.edit(|options| {
        edit::add_store(options, &file, &args.name, &args.provider, &fields)?;
        if args.default {
            edit::set_default_store(options, &file, &args.name)?;
        }
        Ok(())
    })?;
    done(app, "added to", args.name.as_str(), &file)
}

fn remove(args: &StoreRemoveArgs, app: &App) -> Result<()> {
    let file = file(args.project, app)?;
    app.edit(|options| edit::remove_store(options, &file, &args.name))?;
    done(app, "removed from", args.name.as_str(), &file)
}

fn done(app: &App, what: &str, name: &str, file: &std::path::Path) -> Result<()> {
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "store": name, "path": file.shown().exact() }));
    }
    app.ui.note(&format!("{name} {what} {}", file.shown()));
    Ok(())
}

/// The file to change: the one the user named, the project's, or the user's own.
fn file(project: bool, app: &App) -> Result<PathBuf> {
    match app.files() {
        Files::Named(file) => Ok(file),
        Files::Found if project => lookup::project_file(&app.env)?.ok_or_else(|| {
            Error::not_found("there is no keyfob.toml from here upwards")
                .hint("make one with: keyfob init")
        }),
        Files::Own if project => Err(Error::usage(
            "-C none does without any project's file, and --project means one",
        )),
        Files::Found | Files::Own => Ok(lookup::user_file(app.folders()?)),
    }
}
