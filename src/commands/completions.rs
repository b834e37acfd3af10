//! `keyfob completions`: the script that completes keyfob in a shell.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use clap_complete::env::{Elvish, EnvCompleter, Powershell};
use serde_json::json;

use crate::app::App;
use crate::complete::VARIABLE;
use crate::words::error::{Error, Result};

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

pub fn run(args: CompletionsArgs, app: &App) -> Result<()> {
    let script = script(args.shell)?;
    if app.ui.json {
        let shell = args.shell.to_possible_value();
        let shell = shell.as_ref().map(PossibleValue::get_name);
        return app
            .ui
            .document(&json!({ "shell": shell, "script": script }));
    }
    app.ui.data(script.as_bytes())
}

/// The script for `shell`. It asks keyfob itself what can stand where, so it rarely changes.
///
/// # Errors
/// `failed` when it cannot be written.
pub fn script(shell: Shell) -> Result<String> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => return Ok(include_str!("../../completions/keyfob.bash").to_owned()),
        Shell::Zsh => return Ok(include_str!("../../completions/_keyfob").to_owned()),
        Shell::Fish => return Ok(include_str!("../../completions/keyfob.fish").to_owned()),
        Shell::Elvish => &Elvish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "keyfob", "keyfob", "keyfob", &mut script)
        .map_err(|error| Error::io("could not write the script", error))?;
    String::from_utf8(script).map_err(|_| Error::failed("the script is not text"))
}
