//! What is wrong with a command line, in keyfob's words: what stood there, as far as it may be
//! repeated, and what could stand there instead.

use std::ffi::OsString;
use std::num::ParseIntError;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::commands;
use crate::config::check::suggest;
use crate::words::duration::HumanDuration;
use crate::words::error::Error;
use crate::words::shown::{self, Shown};

/// What people try who come from elsewhere, and what it is called here.
const GUESSES: &[(&[&str], &str)] = &[
    (
        &["add", "create", "put", "new", "write", "save", "update"],
        "set",
    ),
    (
        &["read", "cat", "reveal", "view", "print", "fetch", "decrypt"],
        "get",
    ),
    (&["exec", "env", "with", "start"], "run"),
    (&["rename", "ren"], "move"),
    (&["open", "modify", "change"], "edit"),
    (&["remove", "del", "unset", "erase", "destroy"], "delete"),
    (&["secrets", "names", "find", "search", "dir"], "list"),
    (&["describe", "info", "metadata", "stat"], "show"),
    (&["which", "origin"], "where"),
    (&["versions", "log"], "history"),
    (
        &["undo", "undelete", "recover", "rollback", "trash"],
        "restore",
    ),
    (&["dump", "download", "pull"], "export"),
    (&["load", "upload", "push"], "import"),
    (&["template", "render", "fill"], "inject"),
    (&["cp", "duplicate"], "copy"),
    (&["compare"], "diff"),
    (&["mirror", "migrate"], "sync"),
    (&["auth", "signin"], "login"),
    (&["signout"], "logout"),
    (&["whoami", "account"], "status"),
    (
        &["config", "configure", "stores", "profile", "profiles"],
        "store",
    ),
    (&["setup"], "init"),
    (&["gen", "random", "password", "passgen"], "generate"),
    (&["groups"], "group"),
    (&["keypair", "address"], "key"),
    (&["recipients"], "vault recipients"),
    (&["rekey"], "vault rekey"),
    (&["purge", "gc"], "vault purge"),
    (&["backup"], "identity export"),
    (&["completion"], "completions"),
    (&["hook", "activate", "direnv"], "man shells"),
    (&["version"], "--version"),
];

/// What others have their commands below, as in `secrets set` or `kv get`.
const NOUNS: &[&str] = &[
    "secret",
    "secrets",
    "kv",
    "item",
    "items",
    "variables",
    "vars",
];

/// What options of others are for here: the options, the commands that have none of the name (all,
/// where none is named), and what to do instead.
const OPTIONS: &[(&[&str], &[&str], &str)] = &[
    (
        &["--watch"],
        &["run"],
        "run brings the secrets once, when the command starts: to bring new ones, end it and run it again",
    ),
    (
        &["--command"],
        &["run"],
        "the command stands behind --: keyfob run -- CMD, or for a shell: keyfob run -- sh -c 'LINE'",
    ),
    (
        &["--project", "--environment"],
        &[],
        "-P NAME chooses a profile of the configuration, -s NAME a store",
    ),
    (
        &["-c"],
        &["run", "export", "inject", ""],
        "-P NAME chooses a profile of the configuration, -s NAME a store",
    ),
    (
        &["--copy", "--clip", "--clipboard", "-c"],
        &["get"],
        "in a pipe it goes to the clipboard: keyfob get NAME | wl-copy, or xclip -selection clipboard, or pbcopy",
    ),
    (
        &["--plain", "--raw", "--reveal", "--value", "--decrypt"],
        &["get"],
        "get prints the value as it is, and nothing else",
    ),
    (
        &["--output", "--out-file", "-o"],
        &["get"],
        "get prints to stdout: (umask 077; keyfob get NAME > FILE)",
    ),
    (
        &["--force", "-f"],
        &["delete", "vault purge", "vault rekey", "group delete"],
        "-y does not ask",
    ),
    (
        &["--format", "--output", "-o"],
        &["list", "show", "status", "history"],
        "--json prints JSON; in a pipe there are tabs between the columns",
    ),
    (&["--all", "-a"], &["list"], "keyfob list lists all"),
];

/// What is taken for a value behind `set NAME`, although it looks like an option.
const OF_VALUES: &[&str] = &["--value", "--secret", "--password", "--data", "--body"];

/// clap's words as an error of ours. After `set` they are replaced: an argument that is too much
/// there may well be a value. `words` are those before `--`, and `first` the command's.
pub fn usage(error: &clap::Error, words: &[String], first: Option<&str>) -> Error {
    let surplus = matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::TooManyValues
    );
    if surplus && let Some(error) = behind_equals(error, words) {
        return error;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let surplus_word = text(ContextKind::InvalidArg).filter(|_| surplus);
    let keyfob = commands::whole();
    if first == Some("set") && surplus && !surplus_word.is_some_and(|it| is_option(it, &keyfob)) {
        let error = commands::value_as_argument();
        // The option is told, and not the word that is like it.
        return match text(ContextKind::SuggestedArg) {
            Some(option) => error.also_hint(format!("if an option was meant: {option}")),
            None => error,
        };
    }
    // What stands behind a word that is no command belongs to no command of ours.
    let unknown = text(ContextKind::InvalidSubcommand);
    let unknown = unknown.and_then(|unknown| words.iter().position(|word| word == unknown));
    let (before, behind) = words.split_at(unknown.unwrap_or(words.len()));
    let (path, command) = reached(&keyfob, before);
    let here = surplus_word.and_then(|word| of_others(word, &path));
    let hint = match error.kind() {
        ErrorKind::InvalidSubcommand => instead(behind, &path, command),
        ErrorKind::UnknownArgument if here.is_some() => here.map(str::to_owned),
        ErrorKind::UnknownArgument
            if first == Some("get")
                && !text(ContextKind::InvalidArg).is_some_and(|arg| arg.starts_with('-')) =>
        {
            Some("get prints one value; keyfob export --only NAME,NAME writes several".to_owned())
        }
        ErrorKind::InvalidValue => choices(error, text(ContextKind::InvalidValue)),
        ErrorKind::ValueValidation => of_source(error),
        _ => suggested(error).map(|near| format!("did you mean {near}?")),
    };
    let hint = hint.unwrap_or_else(|| match path.is_empty() {
        true => "keyfob --help lists the commands".to_owned(),
        false => format!("keyfob {} --help tells more", path.join(" ")),
    });
    Error::usage(message(error)).hint(hint)
}

/// Whether `word` can only be meant as an option, as another command has it: whatever else begins with
/// dashes may be a value, and is not repeated.
fn is_option(word: &str, keyfob: &Command) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    let of_others = OPTIONS.iter().flat_map(|(options, ..)| options.iter());
    let is_known = of_others.copied().any(|option| option == name) || has_option(keyfob, name);
    is_known && name.starts_with("--") && !OF_VALUES.contains(&name)
}

/// Whether `command`, or one below it, has the option `name`.
fn has_option(command: &Command, name: &str) -> bool {
    let longs = command.get_arguments().filter_map(|arg| arg.get_long());
    let mut longs = longs.map(|long| name.strip_prefix("--") == Some(long));
    longs.any(|is_it| is_it) || command.get_subcommands().any(|sub| has_option(sub, name))
}

/// What to do here in place of the option `word`, that the command at `path` has elsewhere.
fn of_others(word: &str, path: &[String]) -> Option<&'static str> {
    let option = word.split('=').next()?;
    let command = path.join(" ");
    let mut options = OPTIONS.iter();
    options
        .find(|(options, commands, _)| {
            let is_of = commands.is_empty() || commands.contains(&command.as_str());
            is_of && options.contains(&option)
        })
        .map(|(_, _, here)| *here)
}

/// The message alone, without what may be a secret.
fn message(error: &clap::Error) -> String {
    let users = match error.kind() {
        ErrorKind::UnknownArgument => Some(ContextKind::InvalidArg),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::TooManyValues => {
            Some(ContextKind::InvalidValue)
        }
        ErrorKind::InvalidSubcommand => Some(ContextKind::InvalidSubcommand),
        _ => None,
    };
    let users = match users.and_then(|kind| error.get(kind)) {
        Some(ContextValue::String(users)) => Some(users.as_str()),
        _ => None,
    };
    let shown = users.map(|users| match error.kind() {
        ErrorKind::UnknownArgument => shown::surplus(users),
        _ => shown::quoted(users),
    });
    let shown = shown.map(|shown| match shown {
        Shown::Named(text) => Shown::Quoted(text).to_string(),
        shown => shown.to_string(),
    });
    // Why a value is refused names it.
    if let (Some(shown), Some(source)) = (&shown, std::error::Error::source(error))
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
    {
        let argument = bare(argument);
        return match source.is::<ParseIntError>() {
            true => format!("{argument}: {shown} is no whole number"),
            false => format!("{argument}: {source}"),
        };
    }
    // What the user wrote may have quotes and line ends of its own: it is put in at the end. Where it
    // does not stand as clap quotes it, nothing of clap's text is told, as it may be a secret.
    const USERS: &str = "\0";
    let mut text = error.render().to_string();
    if let Some(users) = users.filter(|users| !users.is_empty()) {
        let quoted = format!("'{users}'");
        if !text.contains(&quoted) {
            return error.kind().to_string();
        }
        text = text.replacen(&quoted, USERS, 1);
    }
    // clap quotes options, commands and values, and never shortens a word with an apostrophe.
    let text = text.replace('\'', "\"");
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    let message = message.replace(USERS, shown.as_deref().unwrap_or_default());
    // The arguments that are missing stand on lines of their own.
    if message.ends_with(':') {
        let names: Vec<&str> = lines
            .take_while(|line| line.starts_with("  "))
            .map(str::trim)
            .collect();
        return format!("{message} {}", names.join(", "));
    }
    message
}

/// `--timeout` of `--timeout <DURATION>`, `NAME` of `<NAME>`.
fn bare(argument: &str) -> &str {
    let begin = argument.trim_start_matches(['<', '[']);
    let end = begin.find([' ', '=', '[', '<', '>', ']']);
    &begin[..end.unwrap_or(begin.len())]
}

/// The command that `words` lead to, by its names and itself.
fn reached<'c>(keyfob: &'c Command, words: &[String]) -> (Vec<String>, &'c Command) {
    let mut path = Vec::new();
    let mut at = keyfob;
    for word in words {
        if let Some(sub) = at.find_subcommand(word) {
            path.push(sub.get_name().to_owned());
            at = sub;
        }
        if !at.has_subcommands() {
            break;
        }
    }
    (path, at)
}

/// What could be meant by `words`, the first of which is no command below `path`.
fn instead(words: &[String], path: &[String], command: &Command) -> Option<String> {
    let mut words = words.iter().map(String::as_str);
    let word = words.next()?;
    if path.is_empty() {
        // As in `config:set`.
        let word = word.rsplit_once(':').map_or(word, |(_, verb)| verb);
        let verb = words.next().filter(|_| NOUNS.contains(&word));
        let meant = verb.and_then(|verb| match command.find_subcommand(verb) {
            Some(sub) => Some(sub.get_name()),
            None => guessed(verb),
        });
        let known = || Some(command.find_subcommand(word)?.get_name());
        if let Some(meant) = meant.or_else(known).or_else(|| guessed(word)) {
            return Some(format!("did you mean keyfob {meant}?"));
        }
    }
    let names: Vec<&str> = command
        .get_subcommands()
        .flat_map(|sub| std::iter::once(sub.get_name()).chain(sub.get_all_aliases()))
        .collect();
    let mut whole = vec!["keyfob"];
    whole.extend(path.iter().map(String::as_str));
    let whole = whole.join(" ");
    Some(match suggest(word, names) {
        Some(near) => format!("did you mean {whole} {near}?"),
        None => format!("{whole} --help lists the commands"),
    })
}

/// What is called `word` elsewhere.
fn guessed(word: &str) -> Option<&'static str> {
    let mut guesses = GUESSES.iter();
    guesses
        .find(|(guesses, _)| guesses.contains(&word))
        .map(|(_, meant)| *meant)
}

/// What could stand in the place of a value that is none of the choices.
fn choices(error: &clap::Error, word: Option<&str>) -> Option<String> {
    let Some(ContextValue::Strings(choices)) = error.get(ContextKind::ValidValue) else {
        return None;
    };
    let known = choices.iter().map(String::as_str);
    let near = word.and_then(|word| suggest(word.trim_start_matches('.'), known));
    let all = choices.join(", ");
    Some(match near {
        Some(near) => format!("did you mean {near}? the choices are {all}"),
        None => format!("the choices are {all}"),
    })
}

/// The hint of the error by which a value was refused.
fn of_source(error: &clap::Error) -> Option<String> {
    let source = std::error::Error::source(error)?.downcast_ref::<Error>()?;
    source.hint_text().map(str::to_owned)
}

fn suggested(error: &clap::Error) -> Option<String> {
    [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .find_map(|kind| match error.get(kind)? {
            ContextValue::String(suggestion) => Some(suggestion.clone()),
            ContextValue::Strings(suggestions) if !suggestions.is_empty() => {
                Some(suggestions.join(" or "))
            }
            _ => None,
        })
}

/// The error for a word too much that stands behind an option which takes its value behind `=`.
fn behind_equals(error: &clap::Error, words: &[String]) -> Option<Error> {
    let Some(ContextValue::String(surplus)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let keyfob = commands::whole();
    let (_, command) = reached(&keyfob, words);
    let at = words.iter().position(|word| word == surplus)?;
    let option = words.get(at.checked_sub(1)?)?;
    takes_equals(command, option).then(|| detached_value(option, surplus))
}

fn detached_value(option: &str, value: &str) -> Error {
    let error = Error::usage(format!("{option} takes its value behind \"=\""));
    match shown::name(value) {
        Shown::Described(_) => error.hint(format!("write {option}=VALUE")),
        plain => error.hint(format!("write {option}={}", plain.typed())),
    }
}

/// Whether `option` of `command` has a value that may be left out, and is written behind `=`.
fn takes_equals(command: &Command, option: &str) -> bool {
    command.get_arguments().any(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        arg.is_require_equals_set() && long.as_deref() == Some(option)
    })
}

/// The options of `run` whose value may be left out, and is written behind `=`.
const BEHIND_EQUALS: [&str; 2] = ["--fallback", WAIT];

/// The option of all that read a job's secrets.
const WAIT: &str = "--wait";

/// The error for a value that stands behind a blank in place of `=`, and would be taken for something
/// else: for the command in `keyfob run --fallback FILE -- …` and `keyfob run --wait 5s …`, for a
/// pattern in `keyfob list --wait 5s`. `command` is the one that was given.
pub fn detached(args: &[OsString], command: Option<&str>) -> Option<Error> {
    let words: Vec<&str> = args.iter().skip(1).map_while(|arg| arg.to_str()).collect();
    let end = words.iter().position(|word| *word == "--");
    let own = &words[..end.unwrap_or(words.len())];
    if command == Some("run")
        && end.is_some()
        && let [.., option, value] = own
        && BEHIND_EQUALS.contains(option)
        && !value.starts_with('-')
        && is_of_keyfob(own)
    {
        return Some(detached_value(option, value));
    }
    let at = own.iter().position(|word| *word == WAIT)?;
    let value = own.get(at + 1)?;
    let is_duration = value.ends_with(|c: char| c.is_ascii_alphabetic())
        && value.parse::<HumanDuration>().is_ok();
    let would_be_taken = match command? {
        "list" | "ls" => true,
        "run" => is_of_keyfob(&own[..=at + 1]),
        _ => false,
    };
    (is_duration && would_be_taken).then(|| detached_value(WAIT, value))
}

/// Whether the last but one of `words`, which begin a `run`, is an option of keyfob's: not a word of
/// the command that is run.
fn is_of_keyfob(words: &[&str]) -> bool {
    // The command line is built only where it may be so: every `run` comes through here.
    let keyfob = commands::whole();
    let own: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let (path, _) = reached(&keyfob, &own);
    let before = std::iter::once("keyfob").chain(words[..words.len() - 2].iter().copied());
    // Without a command the line is not whole, and nothing else is wrong with it.
    path == ["run"]
        && keyfob
            .try_get_matches_from(before)
            .is_err_and(|error| error.kind() == ErrorKind::MissingRequiredArgument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::word::Quoted;

    #[test]
    fn what_the_user_wrote_is_told_where_it_stands_and_nowhere_else() {
        let told = |words: &[&str]| {
            let words = ["keyfob"].iter().chain(words);
            let keyfob = commands::whole();
            message(&keyfob.try_get_matches_from(words).unwrap_err())
        };
        for word in [
            "o", "e", "r", "a", "for", "error", "<", "it's", "'", "\"", "a\nb",
        ] {
            let quoted = Quoted(word);
            assert_eq!(
                told(&["export", "--format", word]),
                format!("invalid value {quoted} for \"--format <FORMAT>\"")
            );
            assert_eq!(told(&[word]), format!("unrecognized subcommand {quoted}"));
            let bytes = word.len();
            let described = match bytes {
                1 => "(not shown: 1 byte that may be a secret)".to_owned(),
                _ => format!("(not shown: {bytes} bytes that may be a secret)"),
            };
            assert_eq!(
                told(&["get", "A", word]),
                format!("unexpected argument {described} found")
            );
        }
        for option in ["--o", "-o", "--error"] {
            assert_eq!(
                told(&["get", option]),
                format!("unexpected argument \"{option}\" found")
            );
        }
    }

    #[test]
    fn the_options_of_run_that_take_their_value_behind_equals_are_these() {
        let keyfob = commands::whole();
        let run = keyfob.find_subcommand("run").unwrap();
        let options = run
            .get_arguments()
            .filter(|arg| arg.is_require_equals_set());
        let mut options: Vec<String> = options
            .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
            .collect();
        options.sort();
        assert_eq!(options, BEHIND_EQUALS);
    }
}
