//! `keyfob init`: a commented keyfob.toml to begin with.

use serde_json::json;

use crate::app::App;
use crate::cli::InitArgs;
use crate::config::{edit, lookup};
use crate::error::Result;

pub fn run(args: InitArgs, app: &App) -> Result<()> {
    let file = app.env.cwd().join(lookup::PROJECT_FILE);
    app.edit(|options| edit::create(options, &file, args.default.as_ref()))?;
    if app.ui.json {
        return app.ui.document(&json!({ "path": file }));
    }
    app.ui.note(&format!("made {}", file.display()));
    app.ui.note("add a store with `keyfob store add --project NAME PROVIDER`, or store a secret in your local vault with `keyfob set NAME`");
    Ok(())
}
