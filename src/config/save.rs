//! Writing keyfob's own configuration and record of trust: one writer at a time, and never half a
//! file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::state::{self, Mode};
use crate::words::env::Folders;
use crate::words::error::{Error, Result};

/// Held while configuration is read, changed and written. Released when dropped.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process changes configuration.
    ///
    /// # Errors
    /// `failed` where the lock's file cannot be made.
    pub fn acquire(folders: &Folders) -> Result<Self> {
        let path = folders.cache.join("config.lock");
        let failed = |error| Error::io(format!("cannot lock {}", path.display()), error);
        std::fs::create_dir_all(&folders.cache).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Replaces the file at `path` by `bytes` in one step, with the permissions `mode`. Its folder is
/// made where it is missing.
///
/// # Errors
/// `failed` that names the file.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    state::create_folder(state::folder_of(path))?;
    state::write_atomically(path, bytes, Mode::Exactly(mode))
}

/// The bytes at `path`, or `None` where there is no file.
///
/// # Errors
/// `failed` that names the file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("cannot read {}", path.display()), error)),
    }
}
