//! How a command fails: with an error and an exit code.

use crate::exec::start::KEYFOB_FAILED;
use crate::words::error::Error;

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

impl Failure {
    /// A failure of `run` before its command started.
    pub fn before_start(error: Error) -> Self {
        Self {
            error,
            code: KEYFOB_FAILED,
        }
    }
}
