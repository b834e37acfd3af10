//! `keyfob init`: a commented keyfob.toml to begin with.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::config::{edit, lookup};
use crate::words::error::Result;
use crate::words::secret::StoreName;
use crate::words::shown::ShownPath as _;

/// Write a keyfob.toml with comments into this folder
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob init
  keyfob init --default nosana")]
pub struct InitArgs {
    /// The store that commands use when none is named
    #[arg(long, value_name = "STORE")]
    pub default: Option<StoreName>,
}

pub fn run(args: InitArgs, app: &App) -> Result<()> {
    let file = app.env.cwd().join(lookup::PROJECT_FILE);
    app.edit(|options| edit::create(options, &file, args.default.as_ref()))?;
    if app.ui.json {
        return app.ui.document(&json!({ "path": file.shown().exact() }));
    }
    app.ui.note(&format!("made {}", file.shown()));
    app.ui.note("add a store with: keyfob store add --project NAME PROVIDER; or store a secret in your local vault with: keyfob set NAME");
    Ok(())
}
