//! How a command ends otherwise than well: with an error and an exit code.

use crate::exec::start::KEYFOB_FAILED;
use crate::words::error::Error;

/// A failure and the exit code it ends the process with.
pub struct Failure {
    /// What to say.
    pub error: Error,
    /// The process's exit code.
    pub code: u8,
    /// Whether nothing has failed: the answer to what was asked is one that the exit code tells.
    pub is_answer: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.kind().exit_code(),
            error,
            is_answer: false,
        }
    }
}

impl Failure {
    /// A failure of `run` before its command started.
    pub fn before_start(error: Error) -> Self {
        Self {
            error,
            code: KEYFOB_FAILED,
            is_answer: false,
        }
    }

    /// The answer that `error` is: people are told it without the word, programs as an error.
    pub fn answer(error: Error) -> Self {
        Self {
            is_answer: true,
            ..error.into()
        }
    }
}
