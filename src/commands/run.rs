//! `keyfob run`: a command with secrets in its environment.

use crate::app::App;
use crate::cli::RunArgs;
use crate::commands::{Failure, selected};
use crate::process::exec;

/// Replaces this process by the command; returns only when that fails.
pub async fn run(args: RunArgs, app: &App) -> Failure {
    app.waits(args.wait);
    let policy = exec::Policy {
        keep_existing: args.keep_existing,
        pristine: args.pristine,
    };
    let vars = match selected::values(&args.selection, app).await {
        Ok(values) => exec::child_environment(&app.env, &values, policy),
        Err(error) => Err(error),
    };
    match vars {
        Ok(vars) => {
            let (code, error) = exec::exec(&args.command, vars);
            Failure { error, code }
        }
        Err(error) => Failure::before_start(error),
    }
}
