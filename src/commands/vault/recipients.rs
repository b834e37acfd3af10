//! `keyfob vault recipients`: who can read the vault.

use clap::Subcommand;
use serde_json::json;

use super::selected::selected;
use crate::app::App;
use crate::identity::recipients::Recipient;
use crate::ui::{Table, prompt};
use crate::vault::Vault;
use crate::vault::admin::RecipientInfo;
use crate::words::batch::Action;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["RECIPIENT", ""];

#[derive(Debug, Subcommand)]
pub enum RecipientsCommand {
    /// List the public keys that the vault is encrypted to
    ///
    /// In a pipe a key a line, with a tab between recipient and what there is to say of it.
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
    /// Take a vault that is not the one that was here before
    ///
    /// A vault's file may come from anybody who can write where it lies. One that nobody wrote who
    /// could read the vault before, or that is older, is read but not written to. This shows who
    /// would read what you write, and asks.
    #[command(after_long_help = "\
Examples:
  keyfob vault recipients accept
  keyfob -s team vault recipients accept -y")]
    Accept {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Carries `command` out.
///
/// # Errors
/// What the vault fails with.
pub fn run(command: RecipientsCommand, app: &App) -> Result<()> {
    match command {
        RecipientsCommand::List => list(app),
        RecipientsCommand::Add { keys } => add(&keys, app),
        RecipientsCommand::Remove { keys, force } => remove(&keys, force, app),
        RecipientsCommand::Accept { yes } => accept(yes, app),
    }
}

/// What there is to say of a recipient, in brackets.
pub fn marks(recipient: &RecipientInfo) -> String {
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
    if recipient.dropped {
        marks.push("until the next write");
    }
    if marks.is_empty() {
        String::new()
    } else {
        format!(" ({})", marks.join(", "))
    }
}

fn list(app: &App) -> Result<()> {
    let recipients = selected(app)?.recipients()?;
    if app.ui.json {
        return app.ui.document(&json!(recipients));
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    for recipient in &recipients {
        table.row([
            recipient.recipient.to_string(),
            marks(recipient).trim().to_owned(),
        ]);
    }
    table.print(&app.ui)
}

fn add(keys: &[String], app: &App) -> Result<()> {
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

fn remove(keys: &[String], force: bool, app: &App) -> Result<()> {
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

fn accept(yes: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    let Some(unaccepted) = vault.unaccepted()? else {
        app.ui
            .note("the vault is known, and is written to as it is");
        let readers = vault.recipients()?;
        return as_json(
            app,
            &vault,
            &json!({ "accepted": false, "recipients": readers }),
        );
    };
    app.ui.note(&unaccepted.why);
    app.ui.note("what you write would be read by");
    for reader in &unaccepted.readers {
        let new = match unaccepted.strangers.contains(&reader.recipient) {
            true => ", not seen before",
            false => "",
        };
        app.ui
            .note(&format!("  {}{}{new}", reader.recipient, marks(reader)));
    }
    if !yes {
        if !app.ui.interactive {
            return Err(Error::usage(
                "input is needed (Take the vault as it is?), and nothing may be asked here",
            )
            .hint("look who reads it, then give -y"));
        }
        if !prompt::confirm(&app.ui, "Take the vault as it is?")? {
            return Err(Error::failed("nothing was changed"));
        }
    }
    vault.accept(&unaccepted)?;
    app.ui.note("the vault is taken: it can be written to");
    let readers = vault.recipients()?;
    as_json(
        app,
        &vault,
        &json!({ "accepted": true, "recipients": readers }),
    )
}

fn as_json(app: &App, vault: &Vault, change: &serde_json::Value) -> Result<()> {
    if !app.ui.json {
        return Ok(());
    }
    let mut document = change.clone();
    document["path"] = json!(vault.path().shown().exact());
    app.ui.document(&document)
}
