//! Which files make up the configuration.

use std::path::{Path, PathBuf};

use crate::words::env::{Environment, Folders};

/// The name of the file that a project keeps.
pub const PROJECT_FILE: &str = "keyfob.toml";
/// The name of the user's own file in the configuration folder.
pub const USER_FILE: &str = "config.toml";

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
pub fn project_file(env: &Environment) -> Option<PathBuf> {
    let cwd = std::fs::canonicalize(env.cwd()).unwrap_or_else(|_| env.cwd().to_path_buf());
    let home = env
        .home()
        .map(|home| std::fs::canonicalize(&home).unwrap_or(home));
    for (steps, folder) in cwd.ancestors().enumerate() {
        if steps > 0 && is_shared(folder) {
            return None;
        }
        let file = folder.join(PROJECT_FILE);
        // Even a broken link counts: it is better complained about than skipped.
        if file.symlink_metadata().is_ok() {
            return Some(file);
        }
        let is_home = home.as_deref() == Some(folder);
        if is_home || folder.join(".git").symlink_metadata().is_ok() {
            return None;
        }
    }
    None
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
