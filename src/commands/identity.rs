//! `keyfob identity`: the private key that opens the vault.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use super::output;
use crate::app::App;
use crate::identity::keys::Location;
use crate::providers::local;
use crate::state;
use crate::ui::prompt;
use crate::vault::Vault;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::shown::ShownPath as _;

/// The private key that opens the vault
#[derive(Debug, Args)]
pub struct IdentityArgs {
    #[command(subcommand)]
    pub command: IdentityCommand,
}

#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Show the identity's public key, and where it lies
    #[command(after_long_help = "Examples:\n  keyfob identity show")]
    Show,
    /// Write the identity itself, for a backup
    ///
    /// Whoever has it can open every vault that is encrypted to it. Asks first; without a terminal it
    /// wants --yes.
    #[command(after_long_help = "\
Examples:
  keyfob identity export -o /media/stick/identity.txt
  keyfob identity export -y | age -p -o identity.age")]
    Export {
        /// Write to this file, readable by you alone, which must not exist; - is stdout
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub fn run(args: IdentityArgs, app: &App) -> Result<()> {
    match args.command {
        IdentityCommand::Show => show(app),
        IdentityCommand::Export { output, yes } => {
            export(output::file(output.as_deref()), yes, app)
        }
    }
}

/// The vault of the selected store, else of the built-in one where that has none.
fn vault(app: &App) -> Result<Vault> {
    let config = app.config()?;
    let selected = config.store(&app.selected_store()?)?;
    let services = app.services()?;
    if selected.provider() != local::SPEC.name() && app.named_store().is_none() {
        let built_in = StoreName::new(local::SPEC.name())?;
        return local::vault(config.store(&built_in)?, services);
    }
    local::vault(selected, services).map_err(|error| error.store(selected.name().as_str()))
}

fn none() -> Error {
    Error::not_found("there is no identity yet")
        .hint("the first keyfob set makes one, or the store's identity setting names one")
}

fn show(app: &App) -> Result<()> {
    let (key, location) = vault(app)?.identity_info()?.ok_or_else(none)?;
    if app.ui.json {
        let mut document = json!({
            "public_key": key.key(),
            "location": location.to_string(),
        });
        if let Location::Kept(path) | Location::Named(path) = &location {
            document["path"] = json!(path.shown().exact());
        }
        return app.ui.document(&document);
    }
    app.ui.fact("public key", &key.to_string())?;
    app.ui.fact("identity", &location.to_string())
}

fn export(file: Option<&Path>, yes: bool, app: &App) -> Result<()> {
    let vault = vault(app)?;
    let (key, location) = vault.identity_info()?.ok_or_else(none)?;
    let onto_terminal = file.is_none() && app.ui.stdout_is_terminal();
    // Nothing says beforehand that a terminal may show it.
    if !yes || onto_terminal {
        if !app.ui.interactive {
            return Err(Error::usage(
                "whoever has the identity can open the vault, and nobody can be asked here",
            )
            .hint("keyfob identity export -y -o FILE writes it to a file of yours alone"));
        }
        let question = match (file, onto_terminal) {
            (Some(file), _) => format!("Write the private key of {key} to {}?", file.shown()),
            (None, true) => format!("Show the private key of {key} on this terminal?"),
            (None, false) => format!("Write the private key of {key} to stdout?"),
        };
        if !prompt::confirm(&app.ui, &question)? {
            return Err(Error::failed("nothing was written"));
        }
    }
    let content = vault.identity_content()?.ok_or_else(none)?;
    if let Some(file) = file {
        state::write_new(&app.env.cwd().join(file), &content)?;
        if app.ui.json {
            return app.ui.document(&json!({
                "path": file.shown().exact(),
                "public_key": key.key(),
            }));
        }
        app.ui.note(&format!(
            "wrote the identity {key}, from the {location}, to {}",
            file.shown()
        ));
        return Ok(());
    }
    if app.ui.json {
        let text = String::from_utf8_lossy(&content);
        return app
            .ui
            .document(&json!({ "public_key": key.key(), "identity": text }));
    }
    app.ui.data(&content)
}
