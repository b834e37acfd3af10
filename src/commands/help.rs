//! `keyfob help`: what `--help` says, asked for in words.

use clap::{Args, Command};
use serde_json::json;

use crate::app::App;
use crate::words::error::{Error, Result};
use crate::words::shown;

/// Show what a command does
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob help
  keyfob help run
  keyfob help vault recipients add")]
pub struct HelpArgs {
    /// The command [default: keyfob itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Prints the help of the command that `args` name of `keyfob`, the whole command.
///
/// # Errors
/// `usage` for a command that there is not.
pub fn run(args: HelpArgs, mut keyfob: Command, app: &App) -> Result<()> {
    // Global options reach the subcommands only once the whole command is built.
    keyfob.build();
    let mut at = &mut keyfob;
    for word in &args.command {
        at = at.find_subcommand_mut(word).ok_or_else(|| {
            Error::usage(format!("there is no command {}", shown::quoted(word)))
                .hint("keyfob --help lists the commands")
        })?;
    }
    if app.ui.json {
        let text = at.render_long_help().to_string();
        return app
            .ui
            .document(&json!({ "command": args.command.join(" "), "help": text }));
    }
    let help = at.render_long_help();
    app.ui.styled(&help.ansi().to_string())
}
