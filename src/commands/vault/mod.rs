//! `keyfob vault`: what only the local vault can do.

mod git;
mod purge;
mod recipients;
mod selected;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use self::recipients::{RecipientsCommand, marks};
use self::selected::selected;
use crate::app::App;
use crate::ui::{Table, prompt, time};
use crate::words::batch::Action;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Target};
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
    match args.command {
        VaultCommand::Info => info(app),
        VaultCommand::Recipients { command } => recipients::run(command, app),
        VaultCommand::History { name } => history(&name, app).await,
        VaultCommand::Restore { name, version } => restore(&name, version, app).await,
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
    }
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
