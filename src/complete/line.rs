//! What the line being typed says so far, as far as it can be understood.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::app::{App, Global};
use crate::words::env::Environment;
use crate::words::secret::StoreName;

/// The words before the one that is being typed.
#[derive(Clone)]
pub struct Line {
    /// The whole command line that there could be.
    pub command: Command,
    global: Global,
    matches: Option<ArgMatches>,
    words: Vec<String>,
    /// The environment of the shell that asks.
    pub env: Environment,
}

impl Line {
    /// Reads `words`, the command itself first.
    pub fn new(command: Command, words: &[OsString], env: Environment) -> Self {
        let parser = command.clone().ignore_errors(true);
        let matches = parser.try_get_matches_from(words).ok();
        let global = matches.as_ref();
        let global = Global {
            store: global.and_then(|it| it.get_one::<StoreName>("store").cloned()),
            profile: global.and_then(|it| it.get_one::<String>("profile").cloned()),
            config: global.and_then(|it| it.get_one::<PathBuf>("config").cloned()),
            quiet: true,
            ..Global::default()
        };
        let mut innermost = matches;
        while let Some((_, sub)) = innermost.as_ref().and_then(ArgMatches::subcommand) {
            innermost = Some(sub.clone());
        }
        Self {
            command,
            global,
            matches: innermost,
            words: words
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            env,
        }
    }

    /// What the command would work with.
    pub fn app(&self) -> App {
        let app = App::new(self.global.clone(), self.env.clone());
        // What somebody else wrote is not offered, nor asked about.
        app.leave_out_untrusted();
        app
    }

    /// The words behind the command `called` that are neither options nor their values: for arguments
    /// that are understood only when the last of them is there.
    pub fn behind(&self, called: &str) -> Vec<String> {
        let mut at = &self.command;
        let mut behind = Vec::new();
        let mut words = self.words.iter().skip(1);
        while let Some(word) = words.next() {
            if word == "--" {
                behind.extend(words.by_ref().cloned());
            } else if word.starts_with('-') && word.len() > 1 {
                if self.takes_the_next(at, word) {
                    words.next();
                }
            } else if at.get_name() == called {
                behind.push(word.clone());
            } else if let Some(sub) = at.find_subcommand(word) {
                at = sub;
            }
        }
        behind
    }

    /// Whether the value of `option` of `command` is the word behind it.
    fn takes_the_next(&self, command: &Command, option: &str) -> bool {
        let mut all = command.get_arguments().chain(self.command.get_arguments());
        let takes_value =
            |arg: &Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
        if let Some(long) = option.strip_prefix("--") {
            return all.any(|arg| arg.get_long() == Some(long) && takes_value(arg));
        }
        // Of letters together the first that takes a value has the rest of them.
        let letters = option.trim_start_matches('-');
        let all: Vec<&Arg> = all.collect();
        let of_letter = |letter| all.iter().find(|arg| arg.get_short() == Some(letter));
        let first = letters
            .char_indices()
            .find(|(_, letter)| of_letter(*letter).is_some_and(|arg| takes_value(arg)));
        first.is_some_and(|(at, letter)| at + letter.len_utf8() == letters.len())
    }

    /// What the argument `id` of the command has been given already.
    pub fn given(&self, id: &str) -> Vec<String> {
        let matches = self.matches.as_ref();
        let raw = matches.and_then(|matches| matches.try_get_raw(id).ok()?);
        raw.into_iter()
            .flatten()
            .map(|value| value.to_string_lossy().into_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn an_option_is_found_in_every_way_it_is_typed() {
        for (line, store) in [
            ("keyfob get -s dev", Some("dev")),
            ("keyfob -sdev get", Some("dev")),
            ("keyfob -qs dev get A", Some("dev")),
            ("keyfob get --store dev", Some("dev")),
            ("keyfob get --store=dev", Some("dev")),
            ("keyfob get --store=dev --no-in", Some("dev")),
            ("keyfob get -s", None),
            ("keyfob get --store=", None),
            ("keyfob get", None),
            ("keyfob run -- make -s dev", None),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let line_read = Line::new(Cli::command(), &words, Environment::default());
            let read = line_read.global.store.as_ref().map(StoreName::as_str);
            assert_eq!(read, store, "{line}");
        }
    }

    #[test]
    fn values_of_options_are_no_operands() {
        for (line, operands) in [
            ("keyfob copy A B", &["A", "B"][..]),
            ("keyfob copy -s dev A", &["A"]),
            ("keyfob copy -sdev A", &["A"]),
            ("keyfob copy -qs dev A", &["A"]),
            ("keyfob copy --store dev A", &["A"]),
            ("keyfob copy --store=dev A", &["A"]),
            ("keyfob copy -n A --timeout 5s B", &["A", "B"]),
            ("keyfob -s copy copy A", &["A"]),
            ("keyfob copy -s dev", &[]),
            ("keyfob copy -- -odd", &["-odd"]),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let read = Line::new(Cli::command(), &words, Environment::default());
            assert_eq!(read.behind("copy"), operands, "{line}");
        }
    }
}
