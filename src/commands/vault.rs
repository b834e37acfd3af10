//! `keyfob vault`: what only the local vault can do.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::App;
use crate::identity::recipients::Recipient;
use crate::providers::local;
use crate::ui::{Table, prompt, time};
use crate::vault::Vault;
use crate::words::batch::Action;
use crate::words::error::{Error, Result};
use crate::words::secret::Target;
use crate::words::shown::ShownPath as _;

/// Look after the local vault
#[derive(Debug, Args)]
pub struct VaultArgs {
    #[command(subcommand)]
    pub command: VaultCommand,
}

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Show where the vault and its identity are, and who can read it
    #[command(after_long_help = "Examples:\n  keyfob vault info")]
    Info,
    /// List, add and remove those who can read the vault
    Recipients {
        #[command(subcommand)]
        command: RecipientsCommand,
    },
    /// List the versions of a secret
    #[command(after_long_help = "Examples:\n  keyfob vault history DB_PASSWORD")]
    History {
        /// The secret's name
        #[arg(value_name = "NAME")]
        name: Target,
    },
    /// Bring an earlier version of a secret back, also of a deleted one
    #[command(after_long_help = "\
Examples:
  keyfob vault restore DB_PASSWORD
  keyfob vault restore DB_PASSWORD 3")]
    Restore {
        /// The secret's name
        #[arg(value_name = "NAME")]
        name: Target,
        /// The version [default: the one before the current]
        #[arg(value_name = "VERSION")]
        version: Option<u32>,
    },
    /// Make a new identity and encrypt the vault to it
    #[command(after_long_help = "Examples:\n  keyfob vault rekey")]
    Rekey {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum RecipientsCommand {
    /// List the public keys that the vault is encrypted to
    #[command(
        visible_alias = "ls",
        after_long_help = "Examples:\n  keyfob vault recipients list"
    )]
    List,
    /// Let more keys read the vault
    #[command(after_long_help = "\
Examples:
  keyfob vault recipients add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  keyfob vault recipients add \"$(cat ~/.ssh/id_ed25519.pub)\"")]
    Add {
        /// age or SSH public keys
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Stop encrypting to keys; rotate what they have read already
    #[command(
        visible_alias = "rm",
        after_long_help = "Examples:\n  keyfob vault recipients remove age1ql3z…"
    )]
    Remove {
        /// age or SSH public keys
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
        /// Remove your own key too, if another one of yours still opens the vault
        #[arg(long)]
        force: bool,
    },
}

pub async fn run(args: VaultArgs, app: &App) -> Result<()> {
    match args.command {
        VaultCommand::Info => info(app),
        VaultCommand::Recipients { command } => match command {
            RecipientsCommand::List => list_recipients(app),
            RecipientsCommand::Add { keys } => add_recipients(&keys, app),
            RecipientsCommand::Remove { keys, force } => remove_recipients(&keys, force, app),
        },
        VaultCommand::History { name } => history(&name, app).await,
        VaultCommand::Restore { name, version } => restore(&name, version, app).await,
        VaultCommand::Rekey { yes } => rekey(yes, app),
    }
}

/// The vault of the selected store.
fn selected(app: &App) -> Result<Vault> {
    let store = app.config()?.store(&app.selected_store()?)?;
    local::vault(store, app.services()?).map_err(|error| error.store(store.name().as_str()))
}

fn info(app: &App) -> Result<()> {
    let vault = selected(app)?;
    let identity = vault.identity_info()?;
    let info = vault.info()?;
    if app.ui.json {
        let mut document =
            json!({ "path": vault.path().shown().to_string(), "exists": info.is_some() });
        if let Some((key, location)) = &identity {
            document["identity"] =
                json!({ "public_key": key.key(), "location": location.to_string() });
        }
        if let Some(info) = &info {
            document["size"] = info.size.into();
            document["format"] = info.format.into();
            document["secrets"] = info.secrets.into();
            document["deleted"] = info.deleted.into();
            document["recipients"] = json!(info.recipients);
            if let Some(at) = info.modified_at {
                document["modified_at"] = json!(at);
            }
        }
        return app.ui.document(&document);
    }
    let mut lines = vec![("vault", vault.path().shown().to_string())];
    match &info {
        None => lines.push((
            "state",
            "not made yet: the first keyfob set makes it".to_owned(),
        )),
        Some(info) => {
            lines.push(("secrets", info.secrets.to_string()));
            lines.push(("deleted", format!("{} can be restored", info.deleted)));
            lines.push(("size", format!("{} bytes", info.size)));
            if let Some(at) = info.modified_at {
                lines.push(("modified", time(at)));
            }
        }
    }
    if let Some((key, location)) = &identity {
        lines.push(("identity", location.to_string()));
        lines.push(("public key", key.to_string()));
    }
    for recipient in info.iter().flat_map(|info| &info.recipients) {
        lines.push((
            "recipient",
            format!("{}{}", recipient.recipient, marks(recipient)),
        ));
    }
    for (label, text) in lines {
        app.ui.line(&format!("{label}: {text}"))?;
    }
    Ok(())
}

fn marks(recipient: &crate::vault::admin::RecipientInfo) -> String {
    let mut marks = Vec::new();
    if recipient.own {
        marks.push("yours");
    }
    if recipient.configured {
        marks.push("configured");
    }
    if !recipient.recorded {
        marks.push("with the next write");
    }
    if marks.is_empty() {
        String::new()
    } else {
        format!(" ({})", marks.join(", "))
    }
}

fn list_recipients(app: &App) -> Result<()> {
    let recipients = selected(app)?.recipients()?;
    if app.ui.json {
        return app.ui.document(&json!(recipients));
    }
    let mut table = Table::new(&["RECIPIENT", ""]);
    for recipient in &recipients {
        table.row([
            recipient.recipient.to_string(),
            marks(recipient).trim().to_owned(),
        ]);
    }
    table.print(&app.ui)
}

fn add_recipients(keys: &[String], app: &App) -> Result<()> {
    let vault = selected(app)?;
    let recipients: Vec<Recipient> = keys.iter().map(|key| key.parse()).collect::<Result<_>>()?;
    let actions = vault.add_recipients(&recipients)?;
    for (recipient, action) in recipients.iter().zip(&actions) {
        app.ui.note(&match action {
            Action::Unchanged => format!("{recipient} can read the vault already"),
            _ => format!("{recipient} can read the vault from now on"),
        });
    }
    as_json(app, &vault, &json!({ "added": recipients }))
}

fn remove_recipients(keys: &[String], force: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    let recipients: Vec<Recipient> = keys.iter().map(|key| key.parse()).collect::<Result<_>>()?;
    for recipient in &recipients {
        vault.remove_recipient(recipient, force)?;
        app.ui.note(&format!(
            "{recipient} cannot read what is written from now on"
        ));
    }
    app.ui
        .note("what it has read already it still knows: rotate those secrets");
    as_json(app, &vault, &json!({ "removed": recipients }))
}

async fn history(target: &Target, app: &App) -> Result<()> {
    let reference = app.reference(target)?;
    let store = app.open(&reference.store)?;
    let versions = store.history(&reference.name).await?;
    if app.ui.json {
        let documents: Vec<_> = versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.number,
                    "updated_at": version.updated_at,
                    "current": version.current,
                    "deleted": version.deleted,
                })
            })
            .collect();
        return app.ui.document(&json!(documents));
    }
    let mut table = Table::new(&["VERSION", "UPDATED", ""]);
    for version in versions {
        let mark = match (version.current, version.deleted) {
            (true, true) => "current, deleted",
            (true, false) => "current",
            (false, true) => "deleted",
            (false, false) => "",
        };
        table.row([
            version.number.to_string(),
            time(version.updated_at),
            mark.to_owned(),
        ]);
    }
    table.print(&app.ui)
}

async fn restore(target: &Target, version: Option<u32>, app: &App) -> Result<()> {
    let reference = app.reference(target)?;
    let store = app.open(&reference.store)?;
    let restored = store.restore(&reference.name, version).await?;
    if app.ui.json {
        return app.ui.document(&json!({
            "store": reference.store,
            "name": reference.name,
            "action": restored.action.as_str(),
            "restored": restored.from,
            "version": restored.number,
        }));
    }
    app.ui.note(&match restored.action {
        Action::Unchanged => format!(
            "{} has the value of version {} already",
            reference.name, restored.from
        ),
        _ => format!(
            "{} has the value of version {} again, as version {}",
            reference.name, restored.from, restored.number
        ),
    });
    Ok(())
}

fn rekey(yes: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    if !yes
        && app.ui.interactive
        && !prompt::confirm(&app.ui, "Make a new identity and encrypt the vault to it?")?
    {
        return Err(Error::failed("nothing was changed"));
    }
    let rekeyed = vault.rekey()?;
    if app.ui.json {
        return app.ui.document(&json!({
            "path": vault.path().shown().to_string(),
            "public_key": rekeyed.new.key(),
            "replaced": rekeyed.old.key(),
            "location": rekeyed.location.to_string(),
        }));
    }
    app.ui
        .note(&format!("the vault is encrypted to {} now", rekeyed.new));
    app.ui.note(&format!(
        "the identity is in the {}: back it up again",
        rekeyed.location
    ));
    app.ui
        .note(&format!("{} is kept to open older copies", rekeyed.old));
    Ok(())
}

fn as_json(app: &App, vault: &Vault, change: &serde_json::Value) -> Result<()> {
    if !app.ui.json {
        return Ok(());
    }
    let mut document = change.clone();
    document["path"] = json!(vault.path().shown().to_string());
    app.ui.document(&document)
}
