//! `keyfob key`: Solana keypairs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use super::input;
use super::trust::configured;
use crate::app::App;
use crate::config::environment::variable;
use crate::identity::keypair::Keypair;
use crate::identity::keypair::locate::Located;
use crate::providers::{self, ProviderSpec, registry};
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::shown::ShownPath as _;

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

/// No form of a keypair is longer.
const MAX_KEYPAIR: usize = 4096;

pub fn run(args: KeyArgs, app: &App) -> Result<()> {
    match args.command {
        KeyCommand::New { output } => new(output, app),
        KeyCommand::Address { file } => address(file, app),
        KeyCommand::Import { file, replace } => import(file.as_deref(), replace, app),
    }
}

fn new(output: Option<PathBuf>, app: &App) -> Result<()> {
    let path = match output {
        Some(path) => path,
        None => app
            .env
            .home()
            .map(|home| home.join(".config/solana/id.json"))
            .ok_or_else(|| Error::usage("there is no home folder; name a file with -o"))?,
    };
    let keypair = Keypair::generate()?;
    keypair.write_new(&app.env.cwd().join(&path))?;
    let address = keypair.address();
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "address": address, "path": path.shown().exact() }));
    }
    app.ui.note(&format!(
        "made {}; whoever has this file has the account: keep a copy in a safe place",
        path.shown()
    ));
    app.ui.line(&address)
}

fn address(file: Option<PathBuf>, app: &App) -> Result<()> {
    let (located, of) = match file {
        Some(path) => {
            let keypair = from_file(&path)?;
            let source = path.shown().exact();
            (Located { keypair, source }, "path")
        }
        None => (of_store(app)?, "source"),
    };
    let address = located.keypair.address();
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "address": address, of: located.source }));
    }
    app.ui.trace(1, &format!("keypair from {}", located.source));
    app.ui.line(&address)
}

/// The field of stores that sign in with a keypair.
const FIELD: &str = "keypair";

/// The keypair in the file that the user has named.
fn from_file(path: &Path) -> Result<Keypair> {
    // No credential is lacking where a file is.
    let there = input::check_there(path);
    there.map_err(|error| error.hint("make one with keyfob key new -o FILE"))?;
    Keypair::from_file(path)
}

/// The built-in store of the first provider that signs in with a keypair.
fn built_in() -> Result<StoreName> {
    let mut providers = registry::PROVIDERS.iter();
    let spec = providers.find(|spec| spec.schema.field(FIELD).is_some());
    StoreName::new(spec.map_or("", ProviderSpec::name))
}

/// The keypair of the selected store where that is one with a keypair, else of the built-in one.
fn of_store(app: &App) -> Result<Located> {
    let config = configured(app)?;
    let selected = config.store(&app.selected_store()?)?;
    let store = match selected.schema().field(FIELD) {
        Some(_) => selected,
        None => config.store(&built_in()?)?,
    };
    providers::keypair(store, app.services()?)
}

fn import(file: Option<&Path>, replace: bool, app: &App) -> Result<()> {
    let keypair = match file {
        Some(path) => from_file(path)?,
        None => from_stdin(app)?,
    };
    let keyring = &app.services()?.keyring;
    let instead = variable(&built_in()?, FIELD);
    let unreachable = |why| {
        Error::failed(format!("the keypair cannot be kept: {why}")).hint(format!(
            "keep it in a file that only you can read, and name that with {instead}"
        ))
    };
    if !replace && let Some(kept) = Keypair::from_keyring(keyring).map_err(unreachable)? {
        let other = kept.map(|kept| kept.address());
        match other {
            Ok(address) if address == keypair.address() => {}
            Ok(address) => {
                return Err(Error::conflict(format!(
                    "the OS keyring keeps another keypair already, {address}"
                ))
                .hint("--replace replaces it; without a copy elsewhere it is lost then"));
            }
            Err(error) => return Err(error.hint("--replace replaces it")),
        }
    }
    keypair.keep(keyring).map_err(unreachable)?;
    let address = keypair.address();
    if app.ui.json {
        return app.ui.document(&json!({ "address": address }));
    }
    app.ui.note("the keypair is kept in the OS keyring");
    app.ui.line(&address)
}

fn from_stdin(app: &App) -> Result<Keypair> {
    use std::io::IsTerminal as _;
    if std::io::stdin().is_terminal() {
        let text = crate::ui::prompt::credential(&app.ui, "Keypair (JSON array or base58)")?;
        return Keypair::parse(&text);
    }
    let text = input::stdin_text(MAX_KEYPAIR)?;
    if text.trim().is_empty() {
        return Err(
            Error::usage("no keypair came on stdin").hint("name a file, or pipe the keypair in")
        );
    }
    Keypair::parse(&text)
}
