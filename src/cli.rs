//! The command line's clap types and nothing else: completions and manual pages are made from them.
//!
//! Environment variables that stand for options are read by [`crate::app`], not by clap, so that an
//! empty variable counts as unset.

mod exchange;
mod group;
mod pair;
mod rotate;
mod scan;
mod vault;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;

pub use self::exchange::*;
pub use self::group::*;
pub use self::pair::*;
pub use self::rotate::RotateArgs;
pub use self::scan::ScanArgs;
pub use self::vault::*;
use crate::complete;
use crate::duration::HumanDuration;
use crate::secret::{StoreName, Target};

/// Store, read and inject secrets, in hosted secret managers and in a local encrypted vault.
#[derive(Debug, Parser)]
#[command(
    name = "keyfob",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_long_help = "\
Examples:
  printf 'hello' | keyfob set GREETING
  keyfob get GREETING
  keyfob run -- printenv GREETING

Exit codes:
  0 done            4 unauthenticated   8 unavailable    12 untrusted
  1 failed          5 forbidden         9 rate_limited   13 invalid_data
  2 usage           6 conflict         10 partial
  3 not_found       7 unsupported      11 config
  run: 125 keyfob failed, 126 not executable, 127 not found, else the command's own"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The store to use [env: KEYFOB_STORE] [default: the configuration's default_store, else local]
    #[arg(short, long, global = true, value_name = "NAME", add = ArgValueCandidates::new(complete::stores))]
    pub store: Option<StoreName>,
    /// Use this configuration file and look for no other [env: KEYFOB_CONFIG]
    #[arg(short = 'C', long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print one JSON document on stdout, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Tell what is asked of whom; repeat for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours [env: NO_COLOR]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Never ask for anything [env: KEYFOB_NO_INPUT; implied by CI and without a terminal]
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Deadline of all network work, such as 500ms, 30s or 5m; 0 is none [env: KEYFOB_TIMEOUT] [default: 30s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<HumanDuration>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Get(GetArgs),
    Set(SetArgs),
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
    #[command(visible_alias = "ls")]
    List(ListArgs),
    Show(ShowArgs),
    Run(RunArgs),
    Rotate(RotateArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Inject(InjectArgs),
    Diff(DiffArgs),
    Sync(SyncArgs),
    Copy(CopyArgs),
    Login(LoginArgs),
    Logout(LogoutArgs),
    Status(StatusArgs),
    Init(InitArgs),
    Store(StoreArgs),
    Group(GroupArgs),
    Trust(TrustArgs),
    Doctor(DoctorArgs),
    Key(KeyArgs),
    Vault(VaultArgs),
    Generate(GenerateArgs),
    Scan(ScanArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Print one secret's value
///
/// Prints the exact bytes of the value, and a newline after them only on a terminal.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob get DATABASE_URL
  keyfob get -s gpu hf-token
  keyfob get keyfob://web/api-env/STRIPE_KEY | wc -c")]
pub struct GetArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::secrets))]
    pub name: Target,
    /// Print no newline after the value, on a terminal either
    #[arg(short = 'n', long)]
    pub no_newline: bool,
    #[command(flatten)]
    pub wait: WaitArg,
}

/// Waiting for what a backend will have in a moment.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct WaitArg {
    /// Wait for the secrets of a Nosana job that was claimed just now [default: 60s]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "60s")]
    pub wait: Option<HumanDuration>,
}

/// Store a secret
///
/// The value comes from a pipe (one trailing newline is dropped), from a hidden prompt that asks
/// twice, or from --file, --from-env or --generate. It is never taken as an argument: arguments
/// stand in the shell's history and in the list of processes, for everybody on the machine.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  printf 'hello' | keyfob set GREETING
  keyfob set API_KEY                          # asks, hidden, twice
  keyfob set TLS_KEY --file server.key        # every byte kept
  keyfob set DB_PASSWORD --generate=alnum:40
  keyfob set -s gpu hf-token --from-env HF_TOKEN")]
pub struct SetArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::secrets))]
    pub name: Target,
    /// A value given as an argument, only to be refused
    #[arg(hide = true, value_name = "VALUE", num_args = 0.., allow_hyphen_values = false)]
    pub refused: Vec<OsString>,
    /// Read the value from this file, every byte of it; - is stdin
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, group = "source")]
    pub file: Option<PathBuf>,
    /// Take the value from this environment variable
    #[arg(long, value_name = "VAR", group = "source")]
    pub from_env: Option<String>,
    /// Make a fresh value: password:N, alnum:N, hex:N, base64:N, uuid, words:N [default: password:32]
    #[arg(long, value_name = "SPEC", group = "source", num_args = 0..=1, require_equals = true, default_missing_value = "password:32")]
    pub generate: Option<String>,
    /// What the secret is for, where the provider keeps descriptions
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// When it expires, where the provider has expiry: a time (RFC 3339) or a duration from now
    #[arg(long, value_name = "WHEN")]
    pub expires_at: Option<String>,
    /// A further attribute, where the provider has them; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub attr: Vec<String>,
    /// Fail with conflict where the secret exists already
    #[arg(long)]
    pub if_absent: bool,
}

/// Delete secrets
///
/// Asks on a terminal unless --yes is given.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob delete OLD_TOKEN
  keyfob rm -y A B C
  keyfob rm -y --ignore-missing keyfob://gpu/hf-token")]
pub struct DeleteArgs {
    /// The secrets' names, or references keyfob://STORE/NAME
    #[arg(value_name = "NAME", required = true, add = ArgValueCandidates::new(complete::secrets))]
    pub names: Vec<Target>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// A secret that is missing is no error
    #[arg(long)]
    pub ignore_missing: bool,
}

/// List the secrets of a store, never their values
///
/// On a terminal a table; in a pipe one secret a line, its fields separated by tabs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob list
  keyfob ls --prefix DB_
  keyfob list --json | jq -r '.[].name'")]
pub struct ListArgs {
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
    /// Only secrets of this type, where the backend has types (bytenite)
    #[arg(long = "type", value_name = "T")]
    pub secret_type: Option<String>,
    #[command(flatten)]
    pub wait: WaitArg,
}

/// Show what is known of one secret, never its value
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob show DATABASE_URL
  keyfob show --json keyfob://data/s3/backup")]
pub struct ShowArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::secrets))]
    pub name: Target,
    #[command(flatten)]
    pub wait: WaitArg,
}

/// Which secrets a command works on, and what they are called there.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    /// Only these names; separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All but these names; separate several by commas, or repeat
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    pub prefix: Option<String>,
    /// Bring one secret under the name of a variable; repeatable
    #[arg(short = 'e', long = "env", value_name = "VAR=NAME-or-REF")]
    pub env: Vec<String>,
    /// Bring what a dotenv file names; its values may be references
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Vec<PathBuf>,
    /// Bring all of the store, whatever else is named
    #[arg(long)]
    pub all: bool,
    /// Turn names into variable names: db-password becomes DB_PASSWORD
    #[arg(long)]
    pub upper: bool,
    /// Fail on a name that is no valid variable name, instead of skipping it with a warning
    #[arg(long)]
    pub strict: bool,
}

impl SelectionArgs {
    /// Whether the options themselves name what is to be brought along.
    pub fn names_something(&self) -> bool {
        self.all
            || self.prefix.is_some()
            || [&self.only, &self.env]
                .iter()
                .any(|names| !names.is_empty())
            || !self.env_file.is_empty()
    }
}

/// Run a command with secrets in its environment
///
/// On Unix keyfob replaces itself by the command, so that signals, job control and exit codes are
/// the command's own. keyfob's own credentials are removed from the command's environment. With
/// --mask it stays beside the command, and passes on signals, keys and the terminal's size.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob run -- npm start
  keyfob run --only DATABASE_URL,API_KEY -- ./migrate
  keyfob run -e PGPASSWORD=keyfob://web/DB_PASSWORD -- psql
  keyfob run --pristine -e TOKEN=ci-token -- /usr/bin/env
  keyfob run --mask -- ./deploy --verbose
  keyfob run --fallback --max-stale 2h --timeout 5s -- make test

With nothing named: the [env] table of the configuration where there is one, else all of the store.

Exit codes: 125 keyfob itself failed, 126 the command cannot be executed, 127 it was not found,
otherwise the command's own; with --mask 128+n when signal n ended it.")]
pub struct RunArgs {
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Let a variable that is already set win over a secret
    #[arg(long)]
    pub keep_existing: bool,
    /// Start from an empty environment
    #[arg(long)]
    pub pristine: bool,
    /// Hide the secrets in what the command writes to stdout and stderr
    ///
    /// Each value is replaced by ***, and so are its lines and its forms in base64, hex, URLs, JSON
    /// and shell quotes. Values of fewer than five bytes are left alone, with a warning.
    #[arg(long)]
    pub mask: bool,
    #[command(flatten)]
    pub fallback: FallbackArgs,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Going on when a backend cannot be reached.
#[derive(Clone, Debug, Args)]
pub struct FallbackArgs {
    /// Keep an encrypted snapshot of the secrets, and run with it when a backend cannot be reached
    ///
    /// That is after the retries, or at the deadline that --timeout sets, on network errors and 5xx
    /// alone; its age is always said. A backend that refuses the credential fails the run, and the
    /// snapshot is removed, as it is by logout. Without FILE it is kept in the data folder; a FILE
    /// may be carried to another machine. It is encrypted to the age identity in KEYFOB_FALLBACK_KEY,
    /// else to keyfob's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, num_args = 0..=1, require_equals = true)]
    pub fallback: Option<Option<PathBuf>>,
    /// How old a snapshot may be to be used
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        requires = "fallback"
    )]
    pub max_stale: HumanDuration,
}

/// Log in to a store: obtain and cache a token, or keep a credential in the OS keyring
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob login nosana
  keyfob login -s gpu")]
pub struct LoginArgs {
    /// The store [default: the selected one]
    #[arg(value_name = "STORE", add = ArgValueCandidates::new(complete::stores))]
    pub store: Option<StoreName>,
}

/// Forget a store's cached token and the credential kept for it
///
/// The snapshots that run --fallback has kept of its secrets on this machine are removed, too.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob logout nosana")]
pub struct LogoutArgs {
    /// The store [default: the selected one]
    #[arg(value_name = "STORE", add = ArgValueCandidates::new(complete::stores))]
    pub store: Option<StoreName>,
}

/// Show each store's provider, address, account, credential and token
///
/// Asks no server. With --store only that store.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob status
  keyfob status --json -s gpu")]
pub struct StatusArgs {}

/// Write a keyfob.toml with comments into this folder
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob init
  keyfob init --default nosana")]
pub struct InitArgs {
    /// The store that commands use when none is named
    #[arg(long, value_name = "STORE", add = ArgValueCandidates::new(complete::stores))]
    pub default: Option<StoreName>,
}

/// List, add and remove configured stores
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// List the stores and where each is configured
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
    /// Its provider: local, nosana, bytenite, northflank or neo
    #[arg(value_name = "PROVIDER", add = ArgValueCandidates::new(complete::providers))]
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
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::stores))]
    pub name: StoreName,
    /// Remove it from the project's keyfob.toml instead of your own configuration
    #[arg(long)]
    pub project: bool,
}

/// Trust a keyfob.toml that came with a checkout
///
/// Shows what the file would decide (addresses, keys, commands, variables) and remembers it by path
/// and content: when the content changes, it must be trusted again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob trust
  keyfob trust --show
  keyfob trust --revoke
  KEYFOB_TRUST=1 keyfob run -- make deploy      # in CI")]
pub struct TrustArgs {
    /// The file [default: the keyfob.toml found from here upwards]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Only show what the file would be allowed
    #[arg(long, conflicts_with_all = ["revoke", "list"])]
    pub show: bool,
    /// Forget that the file was trusted
    #[arg(long, conflicts_with = "list")]
    pub revoke: bool,
    /// List the trusted files
    #[arg(long)]
    pub list: bool,
}

/// Examine configuration, keys, keyring, network and stores, and say what to do about faults
///
/// Asks the server of each store that is configured or has a credential, all at once and each with
/// 10 seconds of its own, or what --timeout says. A built-in store that was never set up is no
/// fault. Fails where a fault was found; a warning is none. With --store only that store. Tells of
/// rotations that were interrupted, too.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob doctor
  keyfob doctor -s gpu -v
  keyfob doctor --json | jq '.checks[] | select(.status == \"fault\")'")]
pub struct DoctorArgs {}

/// Make, show and keep Solana keypairs
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a keypair in the Solana CLI's format, readable by you alone
    #[command(after_long_help = "Examples:\n  keyfob key new\n  keyfob key new -o deploy.json")]
    New {
        /// Where to write it; never over an existing file [default: ~/.config/solana/id.json]
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Print a keypair's base58 address
    #[command(
        after_long_help = "Examples:\n  keyfob key address\n  keyfob key address deploy.json"
    )]
    Address {
        /// The keypair file [default: the one that the nosana store uses]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Keep a keypair in the OS keyring
    #[command(
        after_long_help = "Examples:\n  keyfob key import deploy.json\n  pass show solana | keyfob key import"
    )]
    Import {
        /// The keypair file; stdin where none is named
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Replace a keypair that is kept already
        #[arg(long)]
        replace: bool,
    },
}

/// Print a fresh value
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob generate
  keyfob generate hex:64
  keyfob generate words:6")]
pub struct GenerateArgs {
    /// password:N, alnum:N, hex:N, base64:N, uuid or words:N
    #[arg(value_name = "SPEC", default_value = "password:32")]
    pub spec: String,
    /// Print no newline after the value, on a terminal either
    #[arg(short = 'n', long)]
    pub no_newline: bool,
}

/// Print the script that completes keyfob's commands in a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob completions bash > ~/.local/share/bash-completion/completions/keyfob
  keyfob completions zsh > ~/.zfunc/_keyfob
  keyfob completions fish > ~/.config/fish/completions/keyfob.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// The shells that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob man | man -l -
  keyfob man vault restore | man -l -
  keyfob man --dir ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The command that the page is of [default: keyfob itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}
