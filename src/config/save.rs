//! Writing keyfob's own configuration and record of trust: one writer at a time, and never half a
//! file.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::env::Folders;
use crate::error::{Error, Result};

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
        let failed = |error| Error::io(format!("cannot lock {}", path.display()), &error);
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
    let failed = |error| Error::io(format!("cannot write {}", path.display()), &error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keyfob-");
    let mut file = builder.tempfile_in(&folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    set_mode(file.as_file(), mode).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_folder(&folder).map_err(failed)
}

/// The bytes at `path`, or `None` where there is no file.
///
/// # Errors
/// `failed` that names the file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("cannot read {}", path.display()), &error)),
    }
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> std::io::Result<()> {
    Ok(())
}

/// Makes the renaming itself last.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}
