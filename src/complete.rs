//! What can be completed from what is on this disk: stores, providers and the names in local stores.
//!
//! A shell asks while somebody types, so nothing here asks a server, prints, or fails: what cannot
//! be had is simply not offered.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::ArgValueCandidates;
use futures_util::FutureExt as _;

use crate::app::{App, Global};
use crate::config::Config;
use crate::providers::registry;
use crate::words::batch::Filter;
use crate::words::env::Environment;
use crate::words::error::Result;
use crate::words::secret::{Entry, StoreName};

/// The variable by which a shell's script asks for completions.
pub const VARIABLE: &str = "KEYFOB_COMPLETE";

type Candidates = fn(&App) -> Vec<CompletionCandidate>;

/// What completes the arguments of each command: the command's words, the argument, its candidates.
const COMPLETERS: &[(&str, &str, Candidates)] = &[
    ("", "store", stores),
    ("", "profile", profiles),
    ("get", "name", secrets),
    ("set", "name", secrets),
    ("edit", "name", secrets),
    ("move", "name", secrets),
    ("history", "name", secrets),
    ("restore", "name", secrets),
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
    ("group create", "secret_type", secret_types),
    ("group update", "secret_type", secret_types),
    ("vault history", "name", secrets),
    ("vault restore", "name", secrets),
    ("vault purge", "names", secrets),
];

/// `command` with its completers. Only a shell that asks for completions needs them.
pub fn hang_onto(command: Command) -> Command {
    let global = typed(command.clone(), std::env::args_os());
    hang(command, "", &global)
}

fn hang(command: Command, path: &str, global: &Global) -> Command {
    let command = command.mut_args(|arg| {
        let mut completers = COMPLETERS.iter();
        match completers.find(|(of, name, _)| *of == path && arg.get_id() == name) {
            Some((_, name, candidates)) => {
                let mut global = global.clone();
                if *name == "profile" {
                    // What is being typed is none of them yet.
                    global.profile = None;
                }
                arg.add(ArgValueCandidates::new(move || {
                    let app = App::new(global.clone(), Environment::from_process());
                    // What somebody else wrote is not offered, nor asked about.
                    app.leave_out_untrusted();
                    candidates(&app)
                }))
            }
            None => arg,
        }
    });
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        hang(sub, path.trim_start(), global)
    })
}

/// The configured stores.
fn stores(app: &App) -> Vec<CompletionCandidate> {
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

/// The configuration's profiles.
fn profiles(app: &App) -> Vec<CompletionCandidate> {
    let config = app.config().ok();
    let names = config.into_iter().flat_map(Config::profiles);
    let plain = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    names.filter(plain).map(CompletionCandidate::new).collect()
}

/// The providers.
fn providers(_: &App) -> Vec<CompletionCandidate> {
    registry::PROVIDERS
        .iter()
        .map(|spec| CompletionCandidate::new(spec.name()).help(Some(spec.title.into())))
        .collect()
}

/// What a group's secrets may be given to.
fn secret_types(_: &App) -> Vec<CompletionCandidate> {
    let types = ["environment", "arguments", "environment-arguments"];
    types.map(CompletionCandidate::new).into()
}

/// The names in the selected store, where that is on this disk.
///
/// A shell puts what it is offered on the line as it is, unquoted, and a store may come from
/// somebody else: only names that mean nothing to any shell are offered.
fn secrets(app: &App) -> Vec<CompletionCandidate> {
    let plain = |name: &str| {
        !name.starts_with('-')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-./:@+,".contains(c))
    };
    entries(app)
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

/// What the line being typed says of store and configuration, as far as it can be understood. A
/// shell puts the line behind the first `--` of `words`.
fn typed(command: Command, words: impl Iterator<Item = OsString>) -> Global {
    let line = words.skip_while(|word| word != "--").skip(1);
    let matches = command.ignore_errors(true).try_get_matches_from(line).ok();
    let matches = matches.as_ref();
    Global {
        store: matches.and_then(|matches| matches.get_one::<StoreName>("store").cloned()),
        config: matches.and_then(|matches| matches.get_one::<PathBuf>("config").cloned()),
        profile: matches.and_then(|matches| matches.get_one::<String>("profile").cloned()),
        quiet: true,
        ..Global::default()
    }
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
            ("keyfob -- keyfob -qs dev get A", Some("dev")),
            ("keyfob -- keyfob get --store dev", Some("dev")),
            ("keyfob -- keyfob get --store=dev", Some("dev")),
            ("keyfob -- keyfob get --store=dev --no-in", Some("dev")),
            ("keyfob -- keyfob get -s", None),
            ("keyfob -- keyfob get --store=", None),
            ("keyfob -- keyfob get", None),
            ("keyfob -- keyfob run -- make -s dev", None),
        ] {
            let global = typed(Cli::command(), line.split(' ').map(OsString::from));
            assert_eq!(
                global.store.as_ref().map(StoreName::as_str),
                store,
                "{line}"
            );
        }
    }
}
