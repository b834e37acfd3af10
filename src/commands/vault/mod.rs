//! `keyfob vault`: what only the local vault can do.

mod git;
mod purge;
mod recipients;
mod selected;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

#[cfg(test)]
pub use self::recipients::COLUMNS as RECIPIENTS;
use self::recipients::{RecipientsCommand, marks};
use self::selected::selected;
use crate::app::App;
use crate::commands::versions;
use crate::ui::prompt;
use crate::words::error::Result;
use crate::words::secret::Name;
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
    #[command(after_long_help = "Examples:\n  keyfob vault history DB_PASSWORD")]
    History(versions::HistoryArgs),
    #[command(after_long_help = "\
Examples:
  keyfob vault restore DB_PASSWORD
  keyfob vault restore DB_PASSWORD 3")]
    Restore(versions::RestoreArgs),
    /// Make a new identity and encrypt the vault to it
    #[command(after_long_help = "Examples:\n  keyfob vault rekey\n  keyfob vault rekey -y")]
    Rekey {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Take deleted secrets out of the vault for good
    ///
    /// A deleted secret can be restored for 30 days; this is the end of it, and of all its versions.
    /// Of a NAME that is not deleted the earlier versions go, and its value stays. Copies of the file
    /// elsewhere, in backups or in git's history, keep what they hold.
    #[command(after_long_help = "\
Examples:
  keyfob vault purge
  keyfob vault purge -y OLD_TOKEN")]
    Purge {
        /// The secrets' names [default: all deleted ones]
        #[arg(value_name = "NAME")]
        names: Vec<Name>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Merge two copies of a vault, as git's merge driver
    ///
    /// Secret by secret: what one side changed is taken, and where both changed a secret the newer
    /// change counts, the other goes into its history and is named. The result is written to OURS.
    /// `keyfob vault git-setup` has git call this.
    #[command(after_long_help = "\
Examples:
  keyfob vault merge base.age ours.age theirs.age")]
    Merge {
        /// What both were made of; an empty file is nothing
        #[arg(value_name = "BASE", value_hint = ValueHint::FilePath)]
        base: PathBuf,
        /// Our side, which becomes the result
        #[arg(value_name = "OURS", value_hint = ValueHint::FilePath)]
        ours: PathBuf,
        /// The other side
        #[arg(value_name = "THEIRS", value_hint = ValueHint::FilePath)]
        theirs: PathBuf,
        /// Where the vault has its place, when OURS is a temporary file
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        path: Option<PathBuf>,
    },
    /// Print what of a vault may be seen, for git diff
    ///
    /// Its readers, and each secret's name, version and times; never a value. `keyfob vault git-setup`
    /// has git call this.
    #[command(after_long_help = "Examples:\n  keyfob vault diff secrets.age")]
    Diff {
        /// The vault's file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Have git merge the vault and show what changed in it
    ///
    /// Adds a line to the repository's .gitattributes, which is to be committed, and sets up this
    /// clone: everybody who works with it runs this once.
    #[command(after_long_help = "\
Examples:
  keyfob vault git-setup
  keyfob -s team vault git-setup --armor")]
    GitSetup {
        /// Make the vault text, as age --armor does; it stays so
        #[arg(long)]
        armor: bool,
    },
}

pub async fn run(args: VaultArgs, app: &App) -> Result<()> {
    let store = match &args.command {
        // What they are about is a file.
        VaultCommand::Merge { .. } | VaultCommand::Diff { .. } => None,
        _ => Some(app.selected_store()?),
    };
    let done = match args.command {
        VaultCommand::Info => info(app),
        VaultCommand::Recipients { command } => recipients::run(command, app),
        VaultCommand::History(args) => versions::history(args, app).await,
        VaultCommand::Restore(args) => versions::restore(args, app).await,
        VaultCommand::Rekey { yes } => rekey(yes, app),
        VaultCommand::Purge { names, yes } => purge::run(names, yes, app),
        VaultCommand::Merge {
            base,
            ours,
            theirs,
            path,
        } => git::merge(&base, &ours, &theirs, path.as_deref(), app),
        VaultCommand::Diff { file } => git::diff(&file, app),
        VaultCommand::GitSetup { armor } => git::set_up(armor, app),
    };
    done.map_err(|error| match store {
        Some(store) => error.store(store.as_str()),
        None => error,
    })
}

fn info(app: &App) -> Result<()> {
    let vault = selected(app)?;
    let identity = vault.identity_info()?;
    let info = vault.info()?;
    if app.ui.json {
        let mut document =
            json!({ "path": vault.path().shown().exact(), "exists": info.is_some() });
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
    let mut lines = vec![("vault", vault.path().shown().exact())];
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
                lines.push(("modified", app.ui.time(at)));
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
        app.ui.fact(label, &text)?;
    }
    Ok(())
}

fn rekey(yes: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    prompt::agree(
        &app.ui,
        yes,
        "Make a new identity and encrypt the vault to it?",
        "making a new identity, which must be backed up again,",
    )?;
    let rekeyed = vault.rekey()?;
    if app.ui.json {
        return app.ui.document(&json!({
            "path": vault.path().shown().exact(),
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
