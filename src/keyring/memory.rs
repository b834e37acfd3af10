//! Whether the keyring has answered in this login session: one that hangs costs its time once, and
//! not with every command.

use std::path::PathBuf;

use crate::state::{self, Mode};
use crate::words::env::Environment;

/// The variable of the folder that goes when the user's last session ends.
const FOLDER: &str = "XDG_RUNTIME_DIR";

/// What tells this start of the machine from all others, and this login from others, on Linux.
const SESSION: [&str; 2] = ["/proc/sys/kernel/random/boot_id", "/proc/self/sessionid"];

/// A file that is there while the keyring does not answer.
pub(super) struct Memory {
    path: PathBuf,
    /// Where the keyring is, and in which session, by which it is told from another.
    mark: String,
    is_silent: bool,
}

impl Memory {
    /// What is remembered of the keyring at `address`; `None` where nothing tells sessions apart.
    pub(super) fn new(env: &Environment, address: &str) -> Option<Self> {
        let (path, mark) = match env.var_os(FOLDER) {
            Some(folder) => {
                let path = PathBuf::from(folder).join("keyfob-keyring-silent");
                (path, address.to_owned())
            }
            // The user's own cache, which others cannot write in, outlives the session.
            None => {
                let read = |path| std::fs::read_to_string(path).ok();
                let session: Option<Vec<String>> = SESSION.into_iter().map(read).collect();
                let path = cache(env)?.join("keyfob").join("keyring-silent");
                (path, format!("{address}\n{}", session?.concat()))
            }
        };
        let is_silent = std::fs::read(&path).is_ok_and(|kept| kept == mark.as_bytes());
        Some(Self {
            path,
            mark,
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
            let _ = state::create_folder(state::folder_of(&self.path));
            let _ = state::write_atomically(&self.path, self.mark.as_bytes(), Mode::PRIVATE);
        }
        self.is_silent = true;
    }

    /// It answers again.
    pub(super) fn forget(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.is_silent = false;
    }
}

/// The user's folder of caches.
fn cache(env: &Environment) -> Option<PathBuf> {
    let named = env.var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let named = named.filter(|path| path.is_absolute());
    named.or_else(|| Some(env.home()?.join(".cache")))
}
