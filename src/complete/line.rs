//! What the line being typed says so far, as far as it can be understood.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Command};

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
}

impl Line {
    /// Reads `words`, the command itself first.
    pub fn new(command: Command, words: &[OsString]) -> Self {
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
        }
    }

    /// What the command would work with.
    pub fn app(&self) -> App {
        let app = App::new(self.global.clone(), Environment::from_process());
        // What somebody else wrote is not offered, nor asked about.
        app.leave_out_untrusted();
        app
    }

    /// The words behind the command `word` that are no options: for arguments that are understood only
    /// when the last of them is there.
    pub fn behind(&self, word: &str) -> Vec<String> {
        let behind = self.words.iter().skip_while(|it| *it != word).skip(1);
        behind.filter(|it| !it.starts_with('-')).cloned().collect()
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
            let line_read = Line::new(Cli::command(), &words);
            let read = line_read.global.store.as_ref().map(StoreName::as_str);
            assert_eq!(read, store, "{line}");
        }
    }
}
