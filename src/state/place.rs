//! Where a file is: the links that lead to it, and the folder it is in.

use std::fs;
use std::path::{Path, PathBuf};

#[cfg(windows)]
use super::access;
#[cfg(unix)]
use super::owner;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// As many links as Linux follows before it speaks of a loop.
const MAX_LINKS: usize = 40;

/// Makes the folder `path`, and those above it that are missing, for their owner alone; what root
/// makes in somebody's folder is theirs. One that exists stays as it is.
///
/// # Errors
/// `failed` with the folder and the reason.
pub fn create_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let above = path.ancestors().find(|folder| folder.exists());
    builder
        .create(path)
        .map_err(|error| Error::io(format!("cannot make the folder {}", path.shown()), error))?;
    if let Some(above) = above {
        #[cfg(unix)]
        owner::hand_over_folders(path, above);
        #[cfg(windows)]
        keep_folders(path, above);
        #[cfg(not(any(unix, windows)))]
        let _ = above;
    }
    Ok(())
}

/// Keeps the folders from `made` up to, and without, `above` to the user, where that can be had:
/// what is written there and is nobody else's affair is kept to the user all the same.
#[cfg(windows)]
fn keep_folders(made: &Path, above: &Path) {
    let new = made.ancestors().take_while(|folder| *folder != above);
    // What is below it takes over its rights.
    if let Some(first) = new.last() {
        let _ = access::close(first, access::Kind::Folder);
    }
}

/// Whether the pipe or socket at `path` was put there by somebody else, in a folder that everybody
/// can write.
#[cfg(unix)]
pub fn is_planted(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| owner::is_planted(path, &file))
}

/// Where the symbolic links at `path` lead, whether or not there is anything; `path` itself where
/// it is no link.
///
/// # Errors
/// `failed` for a loop, or where a link cannot be read, or where somebody else has put one into a
/// folder that everybody can write.
pub fn follow_links(path: &Path) -> Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        #[cfg(unix)]
        if let Some(link) = owner::planted_link(&target) {
            return Err(Error::failed(format!(
                "the link {} is not followed: somebody else has put it there, and everybody can write in that folder",
                link.shown()
            )));
        }
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_symlink() => {
                let next = fs::read_link(&target)
                    .map_err(|error| Error::io(format!("cannot follow {}", path.shown()), error))?;
                target = folder_of(&target).join(next);
            }
            // What else is wrong with it shows when it is opened.
            _ => return Ok(target),
        }
    }
    Err(Error::failed(format!(
        "cannot follow {}: too many symbolic links",
        path.shown()
    )))
}

/// The folder that `path` is in; `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}
