//! The way in: parse, run, turn a failure into an exit code.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, ValueEnum};

use crate::app::{self, App, ColorChoice, Global};
use crate::commands::{self, Cli, Failure};
use crate::complete::{self, VARIABLE};
#[cfg(unix)]
use crate::exec::again::{Request, Role};
use crate::exec::start::KEYFOB_FAILED;
#[cfg(unix)]
use crate::exec::{leader, start, witness};
use crate::ui;
use crate::words::env::Environment;
use crate::words::error::{Error, Kind};
use crate::words::memory;
use crate::words::random;
use crate::words::withheld;

mod mistakes;
mod version;

/// Runs keyfob with the arguments and the environment of this process.
pub fn start() -> ExitCode {
    memory::close();
    silence_panics();
    let env = Environment::from_process();
    let args: Vec<OsString> = std::env::args_os().collect();
    #[cfg(unix)]
    if let Some((role, request)) = Request::read(&args) {
        return beside(role, &request, env);
    }
    if let Some(shell) = env.var_os(VARIABLE)
        && let Some(answer) = complete::answer(shell, Cli::command(), &args, &env)
    {
        // A shell that went away needs no answer.
        let _ = std::io::stdout().write_all(answer.as_bytes());
        return ExitCode::SUCCESS;
    }
    ui::is_wide(env.var("COLUMNS"));
    let settings = env.vars().filter(|(name, _)| is_setting(name));
    for text in args
        .iter()
        .map(OsString::as_os_str)
        .chain(settings.map(|(_, value)| value))
    {
        withheld::withhold(&text.to_string_lossy(), env.cwd());
    }
    let given = Given::new(&args);
    if let Some(error) = mistakes::detached(&args, given.command.as_deref()) {
        app::ui(&given.global(), &env).error(&error);
        return ExitCode::from(given.refused());
    }
    let cli = match parse(&args, &given) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &given, &env),
    };
    let app = App::new(cli.global, env);
    let runtime = room_to_start().and_then(|()| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(could_not_start)
    });
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(cli.command, &app));
            // A name still being resolved, or a keyring that hangs, must not hold the exit up.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::from(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match failure.is_answer {
                true => app.ui.answer(&failure.error),
                false => app.ui.error(&failure.error),
            }
            ExitCode::from(failure.code)
        }
    }
}

/// How many file descriptors the runtime and its first work take.
#[cfg(unix)]
const DESCRIPTORS: usize = 10;

/// Checks that there is what some libraries cannot do without, and abort where they miss it: file
/// descriptors and random numbers.
///
/// # Errors
/// `failed` with the reason.
fn room_to_start() -> crate::words::error::Result<()> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        let stderr = std::io::stderr();
        let taken: std::io::Result<Vec<_>> = (0..DESCRIPTORS)
            .map(|_| stderr.as_fd().try_clone_to_owned())
            .collect();
        taken.map_err(|error| {
            could_not_start(error).hint("ulimit -n says how many files may be open, and sets it")
        })?;
    }
    random::fill(&mut [0])
}

fn could_not_start(error: std::io::Error) -> Error {
    Error::io("could not start", error)
}

/// Whether the variable `name` is one of keyfob's own, but for the address of a job, which is no
/// secret and looks like one.
fn is_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("KEYFOB_") && !name.ends_with("_JOB")
}

/// Is what another keyfob needs beside itself to stay with a command.
#[cfg(unix)]
fn beside(role: Role, request: &Request<'_>, env: Environment) -> ExitCode {
    let (code, error) = match role {
        Role::Witness => match witness::stand_by() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        },
        Role::Leader => match leader::lead(request) {
            Ok(code) => return ExitCode::from(code),
            Err(failed) => failed,
        },
        Role::Command => start::exec_beside(request.command, &env),
    };
    let global = Global {
        json: request.json,
        color: ColorChoice::from_str(request.color, false).unwrap_or_default(),
        ..Global::default()
    };
    app::ui(&global, &env).error(&error);
    ExitCode::from(code)
}

fn parse(args: &[OsString], given: &Given) -> Result<Cli, clap::Error> {
    let color = match given.color {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    };
    let only = commands::only(given.command.as_deref());
    match only.map(|only| only.try_get_matches_from(args)) {
        Some(Ok(matches)) if given.command.is_some() => return Cli::from_arg_matches(&matches),
        Some(Err(error)) if error.kind() == ErrorKind::DisplayVersion => return Err(error),
        _ => {}
    }
    // What is wrong is told with all commands in sight, and help with its texts.
    let matches = match Cli::command().color(color).try_get_matches_from(args) {
        Err(error) if is_help(&error) => commands::whole().color(color).try_get_matches_from(args),
        matches => matches,
    }?;
    Cli::from_arg_matches(&matches)
}

/// Whether it shows the help, because that or nothing was asked for.
fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// A panic says where, and nothing of what was being worked on: its message could hold a secret.
fn silence_panics() {
    let mut words = std::env::args_os().take_while(|word| word != "--");
    let json = words.any(|word| word == "--json");
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()))
            .unwrap_or_default();
        let message = format!("this is a bug in keyfob ({place})");
        let line = match json {
            true => Error::failed(message).to_json().to_string(),
            false => format!("error: {message}"),
        };
        // A stderr that is gone must not panic once more.
        let _ = writeln!(std::io::stderr(), "{line}");
    }));
}

/// Ends with what clap has to say: help and version on stdout, everything else as a usage error.
fn refuse(error: &clap::Error, given: &Given, env: &Environment) -> ExitCode {
    if !error.use_stderr() {
        let ui = app::ui(&given.global(), env);
        let mut text = error.render().ansi().to_string();
        if error.kind() == ErrorKind::DisplayVersion && given.verbose {
            text.push_str(&version::build());
        }
        return match ui.styled(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                ui.error(&error);
                ExitCode::from(error.kind().exit_code())
            }
        };
    }
    let code = given.refused();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !given.json {
        let _ = error.print();
        return ExitCode::from(code);
    }
    app::ui(&given.global(), env).error(&mistakes::usage(
        error,
        &given.words,
        given.command.as_deref(),
    ));
    ExitCode::from(code)
}

/// What can be said of a command line before it is parsed, or when it cannot be.
struct Given {
    /// Its words before `--`, without the program's name.
    words: Vec<String>,
    command: Option<String>,
    json: bool,
    verbose: bool,
    color: ColorChoice,
}

impl Given {
    /// The exit code where the command line is wrong.
    fn refused(&self) -> u8 {
        match self.command.as_deref() {
            Some("run") => KEYFOB_FAILED,
            _ => Kind::Usage.exit_code(),
        }
    }

    fn global(&self) -> Global {
        Global {
            json: self.json,
            color: self.color,
            ..Global::default()
        }
    }

    fn new(args: &[OsString]) -> Self {
        let words: Vec<&str> = args.iter().skip(1).filter_map(|arg| arg.to_str()).collect();
        let globals = Global::augment_args(clap::Command::new("keyfob"));
        let takes_value = |word: &str| {
            globals.get_arguments().any(|arg| {
                let long = arg.get_long().map(|long| format!("--{long}"));
                let short = arg.get_short().map(|short| format!("-{short}"));
                arg.get_action().takes_values()
                    && [long, short].iter().flatten().any(|it| it == word)
            })
        };
        let is_value = |at: usize| at > 0 && takes_value(words[at - 1]);
        let command = (0..words.len()).find(|at| !words[*at].starts_with('-') && !is_value(*at));
        let end = words.iter().position(|word| *word == "--");
        let own = &words[..end.unwrap_or(words.len())];
        let color = own.iter().enumerate().find_map(|(at, word)| {
            let text = match word.strip_prefix("--color")? {
                "" => own.get(at + 1)?,
                attached => attached.strip_prefix('=')?,
            };
            ColorChoice::from_str(text, false).ok()
        });
        Self {
            words: own.iter().map(|word| (*word).to_owned()).collect(),
            command: command.map(|at| words[at].to_owned()),
            json: own.contains(&"--json"),
            verbose: own.iter().any(|word| is_verbose(word)),
            color: color.unwrap_or_default(),
        }
    }
}

/// Whether `word` asks for more words: alone, or among other letters, as in `-vV`.
fn is_verbose(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    word == "--verbose"
        || letters.contains('v') && letters.chars().all(|letter| "vVq".contains(letter))
}
