//! The page of a command, made from the command's own definition.

use clap::{Arg, Command};

use super::roff::{Roff, bold, escaped, italic};

/// Variables that count for every command, with what they are for.
const VARIABLES: &[(&str, &str)] = &[
    ("KEYFOB_STORE", "the store to use, as `--store` says it"),
    (
        "KEYFOB_PROFILE",
        "the profile to use, as `--profile` says it",
    ),
    (
        "KEYFOB_CONFIG",
        "the configuration file, as `--config` says it; `none` does without any project's file",
    ),
    ("KEYFOB_TIMEOUT", "the deadline, as `--timeout` says it"),
    (
        "KEYFOB_NO_INPUT",
        "if set, nothing is ever asked; `CI` does the same",
    ),
    (
        "KEYFOB_TRUST",
        "`1` takes the project's file as trusted, for a CI job that checked it out itself",
    ),
    (
        "KEYFOB_<STORE>_<FIELD>",
        "a field of a store, which wins over the files; keyfob.toml(5) lists the fields",
    ),
    (
        "KEYFOB_FALLBACK_KEY",
        "an age identity for snapshots and for the journal of rotations, in the place of keyfob's own",
    ),
    (
        "KEYFOB_TOKEN_CACHE",
        "`none` keeps tokens of logins in memory alone",
    ),
    (
        "KEYFOB_KEYRING_TIMEOUT",
        "how long the OS keyring is waited for; unless set `2s`, and `30s` on macOS where you can be asked",
    ),
    (
        "KEYFOB_CONCURRENCY",
        "how many requests run side by side where each secret takes one, 16 unless set",
    ),
    (
        "NO_COLOR",
        "if set, nothing is coloured unless `--color always` says so",
    ),
    ("VISUAL, EDITOR", "the editor of `keyfob edit`"),
];

/// Files that keyfob keeps, on Linux; elsewhere they are in the platform's own folders.
const FILES: &[(&str, &str)] = &[
    (
        "keyfob.toml",
        "the project's configuration, looked for from the working directory upwards; see keyfob.toml(5)",
    ),
    ("~/.config/keyfob/config.toml", "your own configuration"),
    (
        "~/.config/keyfob/trusted.json",
        "which projects' files you trust; see keyfob-trust(1)",
    ),
    (
        "~/.local/share/keyfob/vault.age",
        "the vault of the store `local`",
    ),
    (
        "~/.local/share/keyfob/identity.txt",
        "the age identity, where there is no OS keyring to keep it in",
    ),
];

/// The exit codes of all commands.
const EXIT_CODES: &str = "\
 0                   done
 1  failed           anything without its own line; a file that was named is missing; scan
                     found something; doctor found a fault; diff found a difference;
                     rotate --check found one due
 2  usage            wrong arguments; input needed and nothing may be asked
 3  not_found        no such secret, group or store
 4  unauthenticated  no credential, a refused one, an expired one that was not renewed
 5  forbidden        the credential is good, the act is not allowed
 6  conflict         it exists already, or changed underneath
 7  unsupported      this provider cannot do that
 8  unavailable      network, TLS, timeout, 5xx, after the retries
 9  rate_limited     429 beyond the deadline
10  partial          some items done, some not; the results say which
11  config           a configuration is wrong, with file, line and column
12  untrusted        the project's configuration, or a vault, is not trusted
13  invalid_data     a name or value that the backend cannot hold, an answer that makes
                     no sense, a damaged vault";

/// The page of `command`, which is called by `words` (`keyfob`, `vault`, …). `topics` are the pages
/// that are of no command, as they are referred to.
pub fn of_command(command: &Command, words: &[&str], topics: &[String]) -> String {
    let name = words.join("-");
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let mut page = Roff::new(&name, 1);
    page.section("NAME");
    page.raw_paragraph(&format!(
        "{} \\- {}",
        escaped(&name),
        escaped(about.trim_end_matches('.'))
    ));
    page.section("SYNOPSIS");
    for synopsis in synopses(command, words) {
        page.raw_paragraph(&synopsis);
    }
    page.section("DESCRIPTION");
    let long = command.get_long_about().map(ToString::to_string);
    for paragraph in long.as_deref().unwrap_or(&about).split("\n\n") {
        page.paragraph(paragraph);
    }
    if words.len() == 1 {
        commands(&mut page, command, words);
        options(&mut page, command, |_| true);
        page.section("EXIT STATUS");
        page.literal(EXIT_CODES.lines());
        page.paragraph(
            "`keyfob run` ends with the command's own code; 125 is keyfob's own failure before the \
             command started, 126 a command that cannot be executed, 127 one that was not found.",
        );
        page.section("ENVIRONMENT");
        for (variable, text) in VARIABLES {
            page.item(&bold(variable), [*text]);
        }
        page.section("FILES");
        for (file, text) in FILES {
            page.item(&italic(file), [*text]);
        }
    } else {
        commands(&mut page, command, words);
        options(&mut page, command, |arg| !arg.is_global_set());
        page.paragraph(
            "`--store`, `--profile`, `--config`, `--json`, `--quiet`, `--verbose`, `--color`, \
             `--no-input` and `--timeout` are the same for every command: see keyfob(1).",
        );
    }
    let told = command.get_after_long_help().map(ToString::to_string);
    let blocks = blocks(told.as_deref().unwrap_or_default());
    let is_status = |title: &str| title == "Exit codes";
    for (title, lines) in blocks.iter().filter(|(title, _)| !is_status(title)) {
        if title.is_empty() {
            // What stands there without a title belongs to the examples before it.
            text(&mut page, lines);
            continue;
        }
        page.section(title);
        text(&mut page, lines);
    }
    if words.len() > 1 {
        page.section("EXIT STATUS");
        match blocks.iter().find(|(title, _)| is_status(title)) {
            Some((_, lines)) => text(&mut page, lines),
            None => page.paragraph("0 when all was done; keyfob(1) lists the others."),
        }
        page.section("ENVIRONMENT");
        page.paragraph("keyfob(1) and keyfob.toml(5) list the variables.");
    }
    page.section("SEE ALSO");
    page.paragraph(&see_also(command, words, topics).join(", "));
    page.finish()
}

/// How the command is written, under each of its names.
fn synopses(command: &Command, words: &[&str]) -> Vec<String> {
    let (own, before) = words.split_last().unwrap_or((&"", &[]));
    let names = std::iter::once(*own).chain(command.get_visible_aliases());
    let mut rest = String::new();
    for arg in command.get_arguments() {
        if !arg.is_positional() && arg.is_required_set() {
            rest.push_str(&format!(" {}", option(arg)));
        }
    }
    let opts = command.get_arguments();
    if opts.into_iter().any(|arg| !arg.is_positional()) || words.len() == 1 {
        rest.push_str(&format!(" [{}]", italic("OPTIONS")));
    }
    if command.has_subcommands() {
        rest.push_str(&format!(" {}", italic("COMMAND")));
    }
    for arg in command.get_positionals() {
        let value = italic(&value(arg));
        let many = arg
            .get_num_args()
            .is_some_and(|range| range.max_values() > 1);
        let written = match (arg.is_trailing_var_arg_set(), many) {
            (true, _) => format!("{} {value} [{}]…", bold("--"), italic("ARG")),
            (false, true) => format!("{value}…"),
            (false, false) => value,
        };
        if arg.is_required_set() {
            rest.push_str(&format!(" {written}"));
        } else {
            rest.push_str(&format!(" [{written}]"));
        }
    }
    names
        .map(|name| {
            let called = [before, &[name]].concat().join(" ");
            format!("{}{rest}", bold(&called))
        })
        .collect()
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names
        .first()
        .map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string)
}

/// An option as it is written.
fn option(arg: &Arg) -> String {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(bold(&format!("-{short}")));
    }
    for long in arg.get_long_and_visible_aliases().unwrap_or_default() {
        names.push(bold(&format!("--{long}")));
    }
    let names = names.join(", ");
    if !arg.get_action().takes_values() {
        return names;
    }
    let value = italic(&value(arg));
    let optional = arg
        .get_num_args()
        .is_some_and(|range| range.min_values() == 0);
    match (optional, arg.is_require_equals_set()) {
        (true, true) => format!("{names}[={value}]"),
        (true, false) => format!("{names} [{value}]"),
        (false, true) => format!("{names}={value}"),
        (false, false) => format!("{names} {value}"),
    }
}

/// The arguments that are to be shown, under their headings.
fn options(page: &mut Roff, command: &Command, shown: impl Fn(&Arg) -> bool) {
    let shown = |arg: &&Arg| !arg.is_hide_set() && shown(arg);
    let positionals = command.get_positionals().filter(shown);
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in command.get_arguments().filter(shown) {
        if !arg.is_positional() && !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    let mut arguments = positionals.peekable();
    if arguments.peek().is_some() {
        page.section("ARGUMENTS");
        arguments.for_each(|arg| argument(page, &italic(&value(arg)), arg));
    }
    // Those without a heading first.
    headings.sort_by_key(Option::is_some);
    for heading in headings {
        page.section(heading.unwrap_or("OPTIONS"));
        let arguments = command.get_arguments().filter(shown);
        for arg in arguments {
            if !arg.is_positional() && arg.get_help_heading() == heading {
                argument(page, &option(arg), arg);
            }
        }
    }
}

fn argument(page: &mut Roff, tag: &str, arg: &Arg) {
    let is_help = arg.get_id() == "help";
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let help = if is_help { "Print help" } else { &help };
    let mut paragraphs: Vec<String> = help.split("\n\n").map(str::to_owned).collect();
    let defaults = arg.get_default_values();
    if !defaults.is_empty() && arg.get_action().takes_values() && !help.contains("[default") {
        let defaults: Vec<_> = defaults.iter().map(|it| it.to_string_lossy()).collect();
        paragraphs.push(format!("The default is `{}`.", defaults.join(", ")));
    }
    let choices = arg.get_possible_values();
    if !choices.is_empty() && arg.get_action().takes_values() {
        let choices = choices.iter().filter(|it| !it.is_hide_set());
        let choices: Vec<String> = choices.map(|it| format!("`{}`", it.get_name())).collect();
        paragraphs.push(format!("One of {}.", choices.join(", ")));
    }
    page.item(tag, paragraphs.iter().map(String::as_str));
}

/// The commands below this one.
fn commands(page: &mut Roff, command: &Command, words: &[&str]) {
    let below: Vec<&Command> = below(command).collect();
    if below.is_empty() {
        return;
    }
    page.section("COMMANDS");
    for sub in below {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let name = format!("{}-{}", words.join("-"), sub.get_name());
        page.item(&format!("{}(1)", bold(&name)), [about.as_str()]);
    }
}

/// The commands that `command` leads on to and that are shown.
pub fn below(command: &Command) -> impl Iterator<Item = &Command> {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.filter(|sub| sub.get_name() != "help" || sub.get_about().is_some())
}

/// What stands behind the options of a help text: titles, which end in a colon, and their lines.
fn blocks(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let titled = line.split_once(':').filter(|(title, rest)| {
            !title.starts_with(' ') && (rest.is_empty() || *title == "Exit codes")
        });
        match (titled, blocks.last_mut()) {
            (Some((title, rest)), _) => {
                let rest = rest.trim_start();
                let rest = (!rest.is_empty()).then_some(rest);
                blocks.push((title.to_owned(), rest.into_iter().collect()));
            }
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => blocks.push((String::new(), vec![line])),
        }
    }
    blocks
}

/// Indented lines as they are, others as text.
fn text(page: &mut Roff, lines: &[&str]) {
    let is_literal = |line: &&&str| line.starts_with(' ');
    let mut rest = lines;
    while let Some(first) = rest.first() {
        if first.is_empty() {
            rest = &rest[1..];
            continue;
        }
        let literal = is_literal(&first);
        let count = rest
            .iter()
            .take_while(|line| !line.is_empty() && is_literal(line) == literal)
            .count();
        let (these, more) = rest.split_at(count);
        if literal {
            page.literal(
                these
                    .iter()
                    .map(|line| line.strip_prefix("  ").unwrap_or(line)),
            );
        } else {
            page.paragraph(&these.join(" "));
        }
        rest = more;
    }
}

fn see_also(command: &Command, words: &[&str], topics: &[String]) -> Vec<String> {
    let mut see: Vec<String> = Vec::new();
    if let Some((_, above)) = words.split_last() {
        if above.len() > 1 {
            see.push("keyfob(1)".to_owned());
        }
        if !above.is_empty() {
            see.push(format!("{}(1)", above.join("-")));
        }
    }
    if words.len() > 1 {
        see.extend(below(command).map(|sub| format!("{}-{}(1)", words.join("-"), sub.get_name())));
    }
    see.extend_from_slice(topics);
    see
}
