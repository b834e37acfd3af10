//! Which files make up the configuration.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result, io_reason};
use crate::words::shown::ShownPath as _;

/// The name of the file that a project keeps.
pub const PROJECT_FILE: &str = "keyfob.toml";
/// The name of the user's own file in the configuration folder.
pub const USER_FILE: &str = "config.toml";

/// Whether there is something at `path`. Even a broken link counts: it is better complained about
/// than skipped.
///
/// # Errors
/// `config` where that cannot be seen: what is configured there might decide where secrets go.
pub fn is_there(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => {
            let (path, reason) = (path.shown(), io_reason(&error));
            let message = format!("{path} cannot be looked at: {reason}");
            let hint = "make its folder one that you can enter, or name another file with --config";
            Err(Error::config(message).hint(hint).made_of(error))
        }
    }
}

/// The user's own file, whether it exists or not.
pub fn user_file(folders: &Folders) -> PathBuf {
    folders.config.join(USER_FILE)
}

/// The nearest `keyfob.toml` from the working directory upwards, where there is one.
///
/// The search ends with the repository's root (the folder that holds `.git`) or the home folder,
/// both included; outside of both it goes on to the root of the file system. It never enters a
/// folder that all users share, such as `/tmp`, where a stranger may have left one; only the
/// working directory itself is looked at whatever it is.
///
/// # Errors
/// As [`is_there`].
pub fn project_file(env: &Environment) -> Result<Option<PathBuf>> {
    let cwd = dunce::canonicalize(env.cwd()).unwrap_or_else(|_| env.cwd().to_path_buf());
    let home = env
        .home()
        .map(|home| dunce::canonicalize(&home).unwrap_or(home));
    for (steps, folder) in cwd.ancestors().enumerate() {
        if steps > 0 && is_shared(folder) {
            return Ok(None);
        }
        let file = folder.join(PROJECT_FILE);
        if is_there(&file)? {
            return Ok(Some(file));
        }
        let is_home = home.as_deref() == Some(folder);
        if is_home || is_there(&folder.join(".git"))? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether everybody may write to `folder`, but delete only what is theirs.
#[cfg(unix)]
fn is_shared(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o1002 == 0o1002)
}

#[cfg(not(unix))]
fn is_shared(_folder: &Path) -> bool {
    false
}
