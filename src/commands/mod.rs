//! One file a command: arguments in, calls, something printed. No HTTP, no cryptography, no file
//! formats.

mod completions;
mod delete;
mod doctor;
mod export;
mod fallback;
mod generate;
mod get;
mod group;
mod import;
mod init;
mod inject;
mod input;
mod key;
mod list;
mod login;
mod logout;
mod man;
mod outcomes;
mod output;
mod rotate;
mod run;
mod scan;
mod selected;
mod set;
mod show;
mod status;
mod store;
mod trust;
mod vault;

pub use completions::script as completion_script;
pub use man::pages as manual_pages;
pub use set::value_as_argument;

use crate::app::App;
use crate::cli::Command;
use crate::error::Error;
use crate::process::exec::KEYFOB_FAILED;

/// A failure and the exit code it ends the process with.
pub struct Failure {
    /// What to say.
    pub error: Error,
    /// The process's exit code.
    pub code: u8,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.kind().exit_code(),
            error,
        }
    }
}

/// Carries `command` out.
///
/// # Errors
/// The failure to report, with the exit code of its kind; `run` has codes of its own.
pub async fn run(command: Command, app: &App) -> Result<(), Failure> {
    match command {
        Command::Run(args) => return Err(run::run(args, app).await),
        Command::Export(args) => export::run(args, app).await,
        Command::Import(args) => import::run(args, app).await,
        Command::Inject(args) => inject::run(args, app).await,
        Command::Get(args) => get::run(args, app).await,
        Command::Set(args) => set::run(args, app).await,
        Command::Delete(args) => delete::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::Show(args) => show::run(args, app).await,
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
        Command::Vault(args) => vault::run(args, app),
        Command::Generate(args) => generate::run(args, app),
        Command::Scan(args) => scan::run(args, app).await,
        Command::Completions(args) => completions::run(args, app),
        Command::Man(args) => man::run(args, app),
    }?;
    Ok(())
}

impl Failure {
    /// A failure of `run` before its command started.
    pub fn before_start(error: Error) -> Self {
        Self {
            error,
            code: KEYFOB_FAILED,
        }
    }
}
