//! The types of `keyfob vault`.

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use crate::complete;
use crate::secret::Target;

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
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::secrets))]
        name: Target,
    },
    /// Bring an earlier version of a secret back, also of a deleted one
    #[command(after_long_help = "\
Examples:
  keyfob vault restore DB_PASSWORD
  keyfob vault restore DB_PASSWORD 3")]
    Restore {
        /// The secret's name
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::secrets))]
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
