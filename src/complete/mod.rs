//! What can be completed from what is on this disk: stores, profiles, policies, groups and the names
//! in local stores.
//!
//! A shell asks while somebody types, so nothing here asks a server, prints, or fails: what cannot
//! be had is simply not offered.

mod candidates;
mod line;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, complete};

use crate::words::env::Environment;
#[cfg(test)]
pub use candidates::TOPICS;
use line::Line;

/// The variable by which a shell's script asks for completions; it holds the shell's name.
pub const VARIABLE: &str = "KEYFOB_COMPLETE";

/// What scripts of keyfob 0.1 say besides: the index of the word to complete, and what is written
/// between candidates.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
const SEPARATOR: &str = "_CLAP_IFS";

/// What may stand where `line`, of which `current` is being typed, goes on.
type Candidates = fn(line: &Line, current: &str) -> Vec<CompletionCandidate>;

/// What completes the arguments of each command: the command's words, the argument, its candidates.
/// A command without words stands for options that every command has.
const COMPLETERS: &[(&str, &str, Candidates)] = &[
    ("", "store", candidates::stores),
    ("", "profile", candidates::profiles),
    ("", "only", candidates::secrets),
    ("", "except", candidates::secrets),
    ("", "env", candidates::mappings),
    ("get", "name", candidates::secrets),
    ("set", "name", candidates::secrets),
    ("set", "generate", candidates::generators),
    ("edit", "name", candidates::secrets),
    ("move", "name", candidates::secrets),
    ("move", "new", candidates::references),
    ("history", "name", candidates::secrets),
    ("restore", "name", candidates::restorable),
    ("restore", "version", candidates::versions),
    ("delete", "names", candidates::other_secrets),
    ("show", "name", candidates::secrets),
    ("where", "name", candidates::variables_and_secrets),
    ("run", "command", candidates::programs),
    ("rotate", "names", candidates::rotated),
    ("rotate", "to", candidates::secrets),
    ("rotate", "generate", candidates::generators),
    ("copy", "secrets", candidates::copied),
    ("copy", "to", candidates::stores),
    ("diff", "a", candidates::stores),
    ("diff", "b", candidates::other_stores),
    ("sync", "from", candidates::stores),
    ("sync", "to", candidates::other_stores),
    ("login", "named", candidates::stores),
    ("logout", "named", candidates::stores),
    ("init", "default", candidates::stores),
    ("store add", "provider", candidates::providers),
    ("store add", "fields", candidates::fields),
    ("store remove", "name", candidates::stores),
    ("group show", "group", candidates::groups),
    ("group update", "group", candidates::groups),
    ("group delete", "groups", candidates::groups),
    ("group create", "secret_type", candidates::secret_types),
    ("group update", "secret_type", candidates::secret_types),
    ("vault history", "name", candidates::secrets),
    ("vault restore", "name", candidates::restorable),
    ("vault restore", "version", candidates::versions),
    ("vault purge", "names", candidates::deleted),
    ("generate", "spec", candidates::generators),
    ("man", "command", candidates::pages),
    ("help", "command", candidates::commands),
];

/// What the `shell` is to be told that asks with `args`, the arguments of this process, where
/// `command` is the whole command line. The line being typed stands behind the first `--`, up to the
/// cursor. `None` where there is no such line.
pub fn answer(
    shell: &OsStr,
    command: Command,
    args: &[OsString],
    env: &Environment,
) -> Option<String> {
    let behind = args.iter().position(|arg| arg == "--")? + 1;
    let mut words = args[behind..].to_vec();
    let text = |variable| env.var_os(variable)?.to_str();
    let index = text(INDEX).and_then(|index| index.parse::<usize>().ok());
    let index = index.unwrap_or(words.len().checked_sub(1)?);
    words.resize(index + 1, OsString::new());
    let current = words.last()?.to_string_lossy().into_owned();

    let line = Line::new(command.clone(), &words[..index], env.clone());
    let mut command = hang(command, "", &line);
    let cwd = Some(env.cwd());
    let mut found = complete(&mut command, words, index, cwd).unwrap_or_default();
    if !current.starts_with('-') {
        found.retain(|it| !it.get_value().to_string_lossy().starts_with('-'));
    }
    let separator = text(SEPARATOR).filter(|text| !text.is_empty());
    let separator = separator.unwrap_or("\n");
    let mut told = String::new();
    for (at, candidate) in found.iter().enumerate() {
        if at > 0 {
            told.push_str(separator);
        }
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next());
        match (shell.to_str(), help) {
            (Some("zsh"), help) => {
                told.push_str(&value.replace('\\', r"\\").replace(':', r"\:"));
                if let Some(help) = help {
                    let _ = write!(told, ":{}", help.replace('\\', r"\\"));
                }
            }
            (Some("fish" | "powershell"), Some(help)) => {
                let _ = write!(told, "{value}\t{help}");
            }
            _ => told.push_str(&value),
        }
    }
    if !told.is_empty() {
        told.push_str(separator);
    }
    Some(told)
}

/// `command`, whose words are `path`, with its completers.
fn hang(command: Command, path: &str, line: &Line) -> Command {
    let command = command.mut_args(|arg| {
        let of_all = |of: &str| of.is_empty() && !arg.is_positional();
        let mut completers = COMPLETERS.iter();
        match completers.find(|(of, name, _)| (*of == path || of_all(of)) && arg.get_id() == name) {
            Some((_, _, candidates)) => {
                let line = line.clone();
                arg.add(ArgValueCompleter::new(move |current: &OsStr| {
                    let Some(current) = current.to_str() else {
                        return Vec::new();
                    };
                    let mut found = candidates(&line, current);
                    found.retain(|it| it.get_value().to_string_lossy().starts_with(current));
                    found
                }))
            }
            None => arg,
        }
    });
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        hang(sub, path.trim_start(), line)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn every_completer_has_its_argument() {
        fn all<'c>(command: &'c Command, path: &str, found: &mut Vec<(String, &'c str, bool)>) {
            for arg in command.get_arguments() {
                found.push((path.to_owned(), arg.get_id().as_str(), arg.is_positional()));
            }
            for sub in command.get_subcommands() {
                all(
                    sub,
                    format!("{path} {}", sub.get_name()).trim_start(),
                    found,
                );
            }
        }
        let command = Cli::command();
        let mut arguments = Vec::new();
        all(&command, "", &mut arguments);
        for (path, argument, _) in COMPLETERS {
            let is_there = arguments.iter().any(|(of, name, positional)| {
                name == argument && (of == path || path.is_empty() && !positional)
            });
            assert!(is_there, "{path} {argument}");
        }
    }
}
