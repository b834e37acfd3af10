//! `keyfob generate`: prints a fresh value.

use clap::Args;
use serde_json::json;

use super::get::print;
use crate::app::App;
use crate::words::error::Result;
use crate::words::generate::Spec;

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

pub fn run(args: GenerateArgs, app: &App) -> Result<()> {
    let value = args.spec.parse::<Spec>()?.generate()?;
    if app.ui.json {
        return app
            .ui
            .document(&json!({ "spec": args.spec, "value": value.expose_str() }));
    }
    print(app, &value, args.no_newline)
}
