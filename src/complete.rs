//! What can be completed from what is on this disk: stores, providers and the names in local stores.
//!
//! A shell asks while somebody types, so nothing here asks a server, prints, or fails: what cannot
//! be had is simply not offered.

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::ArgValueCandidates;
use futures_util::FutureExt as _;

use crate::app::{App, Global};
use crate::providers::registry;
use crate::words::batch::Filter;
use crate::words::env::Environment;
use crate::words::error::Result;
use crate::words::secret::{Entry, StoreName};

/// The variable by which a shell's script asks for completions.
pub const VARIABLE: &str = "KEYFOB_COMPLETE";

type Candidates = fn() -> Vec<CompletionCandidate>;

/// What completes the arguments of each command: the command's words, the argument, its candidates.
const COMPLETERS: &[(&str, &str, Candidates)] = &[
    ("", "store", stores),
    ("get", "name", secrets),
    ("set", "name", secrets),
    ("delete", "names", secrets),
    ("show", "name", secrets),
    ("rotate", "names", secrets),
    ("rotate", "to", secrets),
    ("copy", "secrets", secrets),
    ("copy", "to", stores),
    ("diff", "a", stores),
    ("diff", "b", stores),
    ("sync", "from", stores),
    ("sync", "to", stores),
    ("login", "store", stores),
    ("logout", "store", stores),
    ("init", "default", stores),
    ("store add", "provider", providers),
    ("store remove", "name", stores),
    ("vault history", "name", secrets),
    ("vault restore", "name", secrets),
];

/// `command` with its completers. Only a shell that asks for completions needs them.
pub fn hang_onto(command: Command) -> Command {
    hang(command, "")
}

fn hang(command: Command, path: &str) -> Command {
    let command = command.mut_args(|arg| {
        let mut completers = COMPLETERS.iter();
        match completers.find(|(of, name, _)| *of == path && arg.get_id() == name) {
            Some((_, _, candidates)) => arg.add(ArgValueCandidates::new(*candidates)),
            None => arg,
        }
    });
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        hang(sub, path.trim_start())
    })
}

/// The configured stores.
fn stores() -> Vec<CompletionCandidate> {
    let app = app();
    let Ok(config) = app.config() else {
        return Vec::new();
    };
    config
        .stores()
        .map(|store| {
            CompletionCandidate::new(store.name().as_str()).help(Some(store.provider().into()))
        })
        .collect()
}

/// The providers.
fn providers() -> Vec<CompletionCandidate> {
    registry::PROVIDERS
        .iter()
        .map(|spec| CompletionCandidate::new(spec.name()).help(Some(spec.title.into())))
        .collect()
}

/// The names in the selected store, where that is on this disk.
///
/// A shell puts what it is offered on the line as it is, unquoted, and a store may come from
/// somebody else: only names that mean nothing to any shell are offered.
fn secrets() -> Vec<CompletionCandidate> {
    let plain = |name: &str| {
        !name.starts_with('-')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-./:@+,".contains(c))
    };
    entries(&app())
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| plain(entry.name.as_str()))
        .map(|entry| {
            CompletionCandidate::new(entry.name.as_str()).help(entry.description.map(Into::into))
        })
        .collect()
}

fn entries(app: &App) -> Result<Vec<Entry>> {
    let store = app.open(&app.selected_store()?)?;
    if store.spec().is_remote() {
        return Ok(Vec::new());
    }
    // What asks no server has nothing to wait for.
    let listed = store.list(&Filter::default()).now_or_never();
    listed.unwrap_or_else(|| Ok(Vec::new()))
}

fn app() -> App {
    let words: Vec<String> = std::env::args_os()
        .filter_map(|word| word.into_string().ok())
        .collect();
    let global = Global {
        store: typed(&words, "-s", "--store").and_then(|name| StoreName::new(name).ok()),
        config: typed(&words, "-C", "--config").map(Into::into),
        quiet: true,
        ..Global::default()
    };
    App::new(global, Environment::from_process())
}

/// The value of an option on the line being typed, in whatever way it is attached.
fn typed<'a>(words: &'a [String], short: &str, long: &str) -> Option<&'a str> {
    let own = words.iter().skip_while(|word| *word != "--").skip(1);
    let mut own = own.take_while(|word| *word != "--").map(String::as_str);
    while let Some(word) = own.next() {
        if word == short || word == long {
            return own.next();
        }
        let attached = word
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
            .or_else(|| word.strip_prefix(short).filter(|_| !word.starts_with("--")));
        if let Some(value) = attached.filter(|value| !value.is_empty()) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn every_completer_has_its_argument() {
        let command = Cli::command();
        for (path, argument, _) in COMPLETERS {
            let found = path.split_whitespace().try_fold(&command, |at, word| {
                at.get_subcommands().find(|sub| sub.get_name() == word)
            });
            let mut arguments = found.unwrap().get_arguments();
            assert!(
                arguments.any(|it| it.get_id() == argument),
                "{path} {argument}"
            );
        }
    }

    #[test]
    fn an_option_is_found_in_every_way_it_is_typed() {
        for (line, store) in [
            ("keyfob -- keyfob get -s dev", Some("dev")),
            ("keyfob -- keyfob -sdev get", Some("dev")),
            ("keyfob -- keyfob get --store dev", Some("dev")),
            ("keyfob -- keyfob get --store=dev", Some("dev")),
            ("keyfob -- keyfob get -s", None),
            ("keyfob -- keyfob get --store=", None),
            ("keyfob -- keyfob get", None),
            ("keyfob -- keyfob run -- make -s dev", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(typed(&words, "-s", "--store"), store, "{line}");
        }
    }
}
