//! What `keyfob rotate` is told.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

use crate::words::secret::Target;

/// Give secrets new values, in every place that holds them
///
/// Makes one new value, writes it to NAME and to every --to, reads it back where that can be done,
/// and has --verify check it. When anything fails, all of them get their old value back. Where an
/// old value cannot be read (bytenite, neo), that is said before anything happens, and
/// --accept-no-undo is asked for; such secrets are written last, when all others are verified.
///
/// Both values of every secret are kept in an encrypted journal until all is done: after a crash
/// --resume finishes the rotation, and --undo reverts it. A policy [rotation.NAME] in the
/// configuration says the same as the options do; options win over it, and --to and --derive add
/// to it.
///
/// Commands run in `sh -c`, with the reference of the secret they are about in KEYFOB_TARGET and
/// without keyfob's own credentials. A command may run again after a crash. Each may take 5 minutes
/// unless --timeout says otherwise.
///
/// In a pipe --list prints a line each, with tabs between rotation, state, target, what it holds, begun
/// and age; --check with tabs between secret, every, rotated and due.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob rotate API_KEY
  keyfob rotate DB_PASSWORD --to keyfob://web/api/DB_PASSWORD \\
      --derive 'DATABASE_URL=postgres://app:{value|url}@db/app' \\
      --verify 'PGPASSWORD=$(cat) psql -h db -U app -c \"select 1\"'
  keyfob rotate -s data s3/backup --from-command ./new-key.sh --accept-no-undo
  keyfob rotate --due
  keyfob rotate --check                  # in CI: exit code 1 when something is due
  keyfob rotate --list
  keyfob rotate --resume

For bytenite a command may print {\"accessKey\": \"…\", \"secretKey\": \"…\"}: both change together.")]
#[command(group = ArgGroup::new("mode").args(["list", "resume", "undo", "due", "check"]).multiple(false))]
pub struct RotateArgs {
    /// The secrets: names in the selected store, or references
    #[arg(
        value_name = "NAME",
        required_unless_present = "mode",
        conflicts_with_all = ["list", "due", "check"]
    )]
    pub names: Vec<Target>,
    /// Write the new value there too (repeatable); what is missing is created
    #[arg(long, value_name = "REF", conflicts_with = "mode")]
    pub to: Vec<Target>,
    /// Write a text with the new value in it there too (repeatable): {value} as it is,
    /// {value|url} percent-encoded; also json, yaml, shell, base64
    #[arg(long, value_name = "NAME=TEXT", conflicts_with = "mode")]
    pub derive: Vec<String>,
    /// Make the new value: password:N, alnum:N, hex:N, base64:N, uuid, words:N [default: password:32]
    #[arg(long, value_name = "SPEC", group = "source", conflicts_with = "mode")]
    pub generate: Option<String>,
    /// Take the new value from what a command prints, without one newline at the end
    #[arg(long, value_name = "CMD", group = "source", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub from_command: Option<String>,
    /// Take the new value from a file, every byte; - is stdin
    #[arg(long, value_name = "FILE", group = "source", conflicts_with = "mode", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Have a command check the new value, which it finds on its stdin: once for each secret that has
    /// it or is made from it
    #[arg(long, value_name = "CMD", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub verify: Option<String>,
    /// Run a command after a rollback, with the old value on its stdin
    #[arg(long, value_name = "CMD", conflicts_with = "mode", value_hint = ValueHint::CommandString)]
    pub on_rollback: Option<String>,
    /// Rotate although an old value cannot be read, and so not be put back; with --undo leave as it
    /// is what cannot be undone
    #[arg(long, conflicts_with_all = ["list", "resume", "check"])]
    pub accept_no_undo: bool,
    /// Show what would be done; asks no server
    #[arg(short = 'n', long, conflicts_with_all = ["list", "resume", "undo", "check"])]
    pub dry_run: bool,
    /// Show what is open; asks no server
    #[arg(long)]
    pub list: bool,
    /// Finish what is open: of the secrets named, else of the store that --store names, else all
    #[arg(long)]
    pub resume: bool,
    /// Revert what is open, of the same
    #[arg(long)]
    pub undo: bool,
    /// Rotate what is due by the policies of the configuration
    #[arg(long)]
    pub due: bool,
    /// Show how the policies stand, and fail when a secret is due
    #[arg(long)]
    pub check: bool,
}
