//! Whether the keyring has answered in this login session: one that hangs costs its time once, and
//! not with every command.

use std::path::PathBuf;

use crate::state::{self, Mode};
use crate::words::env::Environment;

/// The variable of the folder that goes when the user's last session ends.
const FOLDER: &str = "XDG_RUNTIME_DIR";

/// A file that is there while the keyring does not answer.
pub(super) struct Memory {
    path: PathBuf,
    /// Where the keyring is, by which it is told from another.
    address: String,
    is_silent: bool,
}

impl Memory {
    /// What is remembered of the keyring at `address`; `None` where the session has no folder.
    pub(super) fn new(env: &Environment, address: &str) -> Option<Self> {
        let path = PathBuf::from(env.var_os(FOLDER)?).join("keyfob-keyring-silent");
        let is_silent = std::fs::read(&path).is_ok_and(|kept| kept == address.as_bytes());
        Some(Self {
            path,
            address: address.to_owned(),
            is_silent,
        })
    }

    /// Whether it did not answer when it was asked last.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// It does not answer. Where that cannot be kept, the next process finds out by itself.
    pub(super) fn note_silence(&mut self) {
        if !self.is_silent {
            let _ = state::write_atomically(&self.path, self.address.as_bytes(), Mode::PRIVATE);
        }
        self.is_silent = true;
    }

    /// It answers again.
    pub(super) fn forget(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.is_silent = false;
    }
}
