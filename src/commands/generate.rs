//! `keyfob generate`: prints a fresh value.

use serde_json::json;

use super::get::print;
use crate::app::App;
use crate::cli::GenerateArgs;
use crate::error::Result;
use crate::generate::Spec;

pub fn run(args: GenerateArgs, app: &App) -> Result<()> {
    let value = args.spec.parse::<Spec>()?.generate()?;
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "spec": args.spec, "value": value.expose_str() }));
    }
    print(app, &value, args.no_newline)
}
