//! One file a command: arguments in, calls, something printed. No HTTP, no cryptography, no file
//! formats.

mod check;
mod completions;
mod copy;
mod delete;
mod diff;
mod doctor;
mod edit;
mod export;
mod failure;
mod fallback;
mod generate;
mod get;
mod group;
mod help;
mod identity;
mod import;
mod init;
mod inject;
mod input;
mod key;
mod list;
mod login;
mod logout;
mod man;
mod moving;
mod outcomes;
mod output;
mod pair;
mod plan;
mod rotate;
mod run;
mod scan;
mod selected;
mod set;
mod show;
mod status;
mod store;
mod sync;
mod trust;
mod vault;
mod versions;
mod where_from;

pub use failure::Failure;
pub use man::{Page as ManualPage, pages as manual_pages};

pub use set::{point_in_time, value_as_argument};

use clap::builder::StyledStr;
use clap::{Args as _, CommandFactory, Parser, Subcommand};

use crate::app::{App, Global};
use crate::ui::{self, wrapped};

/// Store, read and inject secrets, in hosted secret managers and in a local encrypted vault.
#[derive(Debug, Parser)]
#[command(
    name = "keyfob",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    max_term_width = WIDEST,
    after_help = "\
Examples:
  printf 'hello' | keyfob set GREETING
  keyfob get GREETING
  keyfob run -- printenv GREETING

Exit codes:
  0 done            4 unauthenticated   8 unavailable    12 untrusted
  1 failed          5 forbidden         9 rate_limited   13 invalid_data
  2 usage           6 conflict         10 partial
  3 not_found       7 unsupported      11 config
  run: 125 keyfob failed, 126 not executable, 127 not found, else the command's own"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Makes [`Command`] of all commands, each with its arguments and perhaps a second name, and what puts
/// one of them together without the others.
macro_rules! commands {
    ($($variant:ident($args:ty) $(as $alias:literal)?,)+) => {
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[command(visible_alias = $alias)])? $variant($args),)+
        }

        /// The command that is called so.
        fn one(called: &str) -> Option<clap::Command> {
            $(
                if called.eq_ignore_ascii_case(stringify!($variant)) $(|| called == $alias)? {
                    let name = stringify!($variant).to_ascii_lowercase();
                    let command = clap::Command::new(name) $(.visible_alias($alias))?;
                    return Some(<$args>::augment_args(command));
                }
            )+
            None
        }
    };
}

commands! {
    Run(run::RunArgs),
    Get(get::GetArgs),
    Set(set::SetArgs),
    Edit(edit::EditArgs),
    Delete(delete::DeleteArgs) as "rm",
    List(list::ListArgs) as "ls",
    Show(show::ShowArgs),
    Move(moving::MoveArgs) as "mv",
    History(versions::HistoryArgs),
    Restore(versions::RestoreArgs),
    Check(check::CheckArgs),
    Where(where_from::WhereArgs),
    Rotate(rotate::RotateArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Inject(inject::InjectArgs),
    Diff(diff::DiffArgs),
    Sync(sync::SyncArgs),
    Copy(copy::CopyArgs),
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Status(status::StatusArgs),
    Init(init::InitArgs),
    Store(store::StoreArgs),
    Group(group::GroupArgs),
    Trust(trust::TrustArgs),
    Doctor(doctor::DoctorArgs),
    Key(key::KeyArgs),
    Vault(vault::VaultArgs),
    Identity(identity::IdentityArgs),
    Generate(generate::GenerateArgs),
    Scan(scan::ScanArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Help(help::HelpArgs),
}

/// The commands as `keyfob --help` lists them: what is typed every day first.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Every day",
        &[
            "run", "get", "set", "edit", "list", "show", "delete", "move", "generate",
        ],
    ),
    (
        "Files and templates",
        &["export", "import", "inject", "scan"],
    ),
    ("Between stores", &["diff", "sync", "copy"]),
    ("Versions and rotation", &["history", "restore", "rotate"]),
    (
        "Stores and accounts",
        &[
            "status", "check", "where", "login", "logout", "store", "group", "init", "trust",
            "doctor",
        ],
    ),
    ("Keys and the local vault", &["vault", "identity", "key"]),
    ("About keyfob", &["help", "completions", "man"]),
];

/// What stands before what a command does, where that goes on in another line.
const INDENT: &str = "               ";

/// As many columns the help has at most, as clap's has.
const WIDEST: usize = 100;

/// The command line without any command but `called`, which takes a fraction of the time to put
/// together. Where it reads a line without an error, the whole reads it alike; `None` where there is
/// no such command.
pub fn only(called: Option<&str>) -> Option<clap::Command> {
    let keyfob = clap::Command::new("keyfob").version(env!("CARGO_PKG_VERSION"));
    let keyfob = Global::augment_args(keyfob).disable_help_subcommand(true);
    match called {
        Some(called) => Some(keyfob.subcommand_required(true).subcommand(one(called)?)),
        None => Some(keyfob),
    }
}

/// The whole command line, with its help.
pub fn whole() -> clap::Command {
    let keyfob = Cli::command().mut_subcommands(with_examples);
    let template = template(&keyfob);
    keyfob.help_template(template)
}

/// `command` with its examples in the short help, too.
fn with_examples(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(with_examples);
    let long = command.get_after_long_help().map(ToString::to_string);
    let examples = long.as_deref().and_then(|text| {
        let (first, _) = text.split_once("\n\n").unwrap_or((text, ""));
        first.starts_with("Examples:").then(|| first.to_owned())
    });
    match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    }
}

/// The template of keyfob's own help.
fn template(keyfob: &clap::Command) -> StyledStr {
    use std::fmt::Write as _;

    // As clap wraps the rest of it.
    let columns = ui::columns_of_any().map(usize::from);
    let columns = columns.or_else(ui::told_columns);
    let columns = columns.unwrap_or(WIDEST);
    let columns = columns.clamp(2 * INDENT.len(), WIDEST);
    let styles = keyfob.get_styles();
    let (head, word) = (styles.get_header(), styles.get_literal());
    let mut text = String::from("{before-help}{about-with-newline}\n{usage-heading} {usage}\n");
    let mut list = |title: &str, names: &[&str]| {
        let _ = write!(text, "\n{head}{title}:{head:#}\n");
        for name in names {
            let Some(sub) = keyfob.find_subcommand(name) else {
                continue;
            };
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let aliases: Vec<&str> = sub.get_visible_aliases().collect();
            let aliases = match aliases.is_empty() {
                true => String::new(),
                false => format!(" [alias: {}]", aliases.join(", ")),
            };
            let about = wrapped(&format!("{about}{aliases}"), columns - INDENT.len());
            let about = about.join(&format!("\n{INDENT}"));
            let _ = writeln!(text, "  {word}{name:<11}{word:#}  {about}");
        }
    };
    for (title, names) in GROUPS {
        list(title, names);
    }
    let names = keyfob.get_subcommands().map(clap::Command::get_name);
    let rest: Vec<&str> = names
        .filter(|name| !GROUPS.iter().any(|(_, names)| names.contains(name)))
        .collect();
    if !rest.is_empty() {
        list("More", &rest);
    }
    text.push_str("\n{options}{after-help}");
    text.into()
}

impl Command {
    /// Whether it does nothing where a checkout's file is not trusted: whatever works with stores.
    /// What only tells of them does without such a file, and says so; the rest needs no
    /// configuration.
    fn needs_trust(&self) -> bool {
        match self {
            Self::Doctor(_) | Self::Status(_) => false,
            Self::Store(args) => !matches!(args.command, store::StoreCommand::List),
            Self::Trust(_)
            | Self::Init(_)
            | Self::Generate(_)
            | Self::Key(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Help(_) => false,
            _ => true,
        }
    }
}

/// Carries `command` out.
///
/// # Errors
/// The failure to report, with the exit code of its kind; `run` has codes of its own.
pub async fn run(command: Command, app: &App) -> Result<(), Failure> {
    if command.needs_trust()
        && let Err(error) = app.check_trust()
    {
        return Err(match command {
            Command::Run(_) => Failure::before_start(error),
            _ => error.into(),
        });
    }
    match command {
        Command::Run(args) => return Err(run::run(args, app).await),
        Command::Export(args) => export::run(args, app).await,
        Command::Import(args) => import::run(args, app).await,
        Command::Inject(args) => inject::run(args, app).await,
        Command::Diff(args) => return diff::run(args, app).await,
        Command::Sync(args) => sync::run(args, app).await,
        Command::Copy(args) => copy::run(args, app).await,
        Command::Get(args) => get::run(args, app).await,
        Command::Set(args) => set::run(args, app).await,
        Command::Delete(args) => delete::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::Show(args) => show::run(args, app).await,
        Command::Check(args) => check::run(args, app).await,
        Command::Where(args) => where_from::run(args, app).await,
        Command::Rotate(args) => rotate::run(args, app).await,
        Command::Login(args) => login::run(args, app).await,
        Command::Logout(args) => logout::run(args, app).await,
        Command::Status(args) => status::run(args, app).await,
        Command::Init(args) => init::run(args, app),
        Command::Group(args) => group::run(args, app).await,
        Command::Store(args) => store::run(args, app),
        Command::Trust(args) => trust::run(args, app),
        Command::Doctor(args) => doctor::run(args, app).await,
        Command::Key(args) => key::run(args, app),
        Command::Vault(args) => vault::run(args, app).await,
        Command::Identity(args) => identity::run(args, app),
        Command::Generate(args) => generate::run(args, app),
        Command::Scan(args) => scan::run(args, app).await,
        Command::Completions(args) => completions::run(args, app),
        Command::Edit(args) => edit::run(args, app).await,
        Command::Move(args) => moving::run(args, app).await,
        Command::History(args) => versions::history(args, app).await,
        Command::Restore(args) => versions::restore(args, app).await,
        Command::Help(args) => help::run(args, whole(), app),
        Command::Man(args) => man::run(args, Cli::command(), app),
    }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// The tables that commands print, with their columns.
    const TABLES: &[(&str, &[&str])] = &[
        ("list", list::COLUMNS),
        ("list", list::DELETED),
        ("diff", diff::COLUMNS),
        ("check", check::COLUMNS),
        ("history", versions::COLUMNS),
        ("status", status::COLUMNS),
        ("doctor", doctor::COLUMNS),
        ("trust", trust::COLUMNS),
        ("rotate", rotate::OPEN),
        ("rotate", rotate::DUE),
        ("group list", group::COLUMNS),
        ("store list", store::COLUMNS),
        ("vault recipients list", vault::RECIPIENTS),
    ];

    #[test]
    fn help_tells_the_columns_of_every_table() {
        let keyfob = Cli::command();
        for (path, columns) in TABLES {
            let command = path.split(' ').fold(&keyfob, |at, word| {
                at.find_subcommand(word).unwrap_or_else(|| panic!("{path}"))
            });
            let help = command.get_long_about().map(ToString::to_string);
            let help = help.unwrap_or_default().replace('\n', " ");
            // In their order, in one sentence.
            let found = help.match_indices(" between ").any(|(at, _)| {
                let mut rest = &help[at..];
                columns.iter().all(|column| {
                    let place = rest.find(&column.to_lowercase());
                    rest = place.map_or("", |place| &rest[place + column.len()..]);
                    place.is_some()
                })
            });
            assert!(found, "{path}: {columns:?}: {help}");
        }
    }

    #[test]
    fn what_is_read_with_one_command_in_sight_is_read_alike_with_all() {
        for (called, line) in [
            ("get", "keyfob get A"),
            ("get", "keyfob -s get get -n A --or=x --json -vv"),
            ("rm", "keyfob --store=web rm -y A B"),
            ("ls", "keyfob ls --timeout 5s -P prod"),
            ("run", "keyfob run -qe A=B --only X -- get --version -s x"),
            ("vault", "keyfob vault -C x recipients ls --json"),
            ("login", "keyfob -s web login gpu"),
            ("login", "keyfob login -s gpu"),
            ("help", "keyfob help get"),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let read = |keyfob: clap::Command| {
                let matches = keyfob.try_get_matches_from(&words).unwrap();
                format!("{:?}", Cli::from_arg_matches(&matches).unwrap())
            };
            assert_eq!(
                read(only(Some(called)).unwrap()),
                read(Cli::command()),
                "{line}"
            );
        }
        assert!(only(Some("gte")).is_none());
    }
}
