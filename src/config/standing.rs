//! Where an open file really is, and whose word it may be beside the user's: its path by its handle,
//! its owner, and whether everybody can put another in its place.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// Why a file may be somebody else's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It belongs to this user, who is neither the one who runs this nor root.
    Owner(u32),
    /// Everybody can write to the folder that it is in.
    Folder(PathBuf),
    /// Everybody can write to the file itself.
    File,
}

impl Foreign {
    /// What is so of the file at `path`, as a message says it.
    pub fn words(&self, path: &Path) -> String {
        let path = path.shown();
        match self {
            Self::Owner(uid) => format!("{path} belongs to the user {uid}"),
            Self::Folder(folder) => {
                let folder = folder.shown();
                format!("everybody can write to {folder}, the folder of {path}")
            }
            Self::File => format!("everybody can write to {path}"),
        }
    }

    /// The command that mends it for the file at `path`.
    pub fn remedy(&self, path: &Path) -> String {
        let word = |path: &Path| path.shown().typed();
        match self {
            Self::Owner(_) => format!("chown {} {}", own_id(), word(path)),
            Self::Folder(folder) => format!("chmod o-w {}", word(folder)),
            Self::File => format!("chmod o-w {}", word(path)),
        }
    }
}

/// Where `file`, opened at `path`, is with symbolic links followed.
///
/// # Errors
/// That of the system, or `NotFound` where the file is not at that place any more.
pub(super) fn place(file: &File, path: &Path) -> io::Result<PathBuf> {
    let place = match of_handle(file) {
        Some(place) => place,
        None => dunce::canonicalize(path)?,
    };
    match is_at(file, &place)? {
        true => Ok(place),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Where the system says that the handle leads.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn of_handle(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd as _;

    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

#[cfg(target_vendor = "apple")]
fn of_handle(file: &File) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;

    let path = rustix::fs::getpath(file).ok()?;
    Some(std::ffi::OsString::from_vec(path.into_bytes()).into())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn of_handle(_file: &File) -> Option<PathBuf> {
    None
}

/// Whether `file` is what is at `place`, and not by a link.
#[cfg(unix)]
fn is_at(file: &File, place: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let (open, there) = (file.metadata()?, place.symlink_metadata()?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_at(_file: &File, _place: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Why the regular file with this `metadata`, which is at `place`, may be somebody else's word. That
/// everybody can write to the file itself is told by [`is_open`]: what is remembered by its content
/// need not care.
///
/// # Errors
/// That of looking at its folder.
#[cfg(unix)]
pub(super) fn foreign(metadata: &Metadata, place: &Path) -> io::Result<Option<Foreign>> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = metadata.uid();
    if ![own_id(), 0].contains(&owner) {
        return Ok(Some(Foreign::Owner(owner)));
    }
    let folder = place.parent().unwrap_or(place);
    Ok(is_open(&folder.metadata()?).then(|| Foreign::Folder(folder.to_owned())))
}

#[cfg(not(unix))]
pub(super) fn foreign(_metadata: &Metadata, _place: &Path) -> io::Result<Option<Foreign>> {
    Ok(None)
}

/// Whether the owner of keyfob's own `folder` is root's stand-in: under sudo keyfob may well work in
/// the home folder of whoever called it, and what is theirs there is right.
#[cfg(unix)]
fn is_home_of(folder: &Path, owner: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    own_id() == 0 && folder.metadata().is_ok_and(|folder| folder.uid() == owner)
}

#[cfg(not(unix))]
fn is_home_of(_folder: &Path, _owner: u32) -> bool {
    false
}

/// Whether everybody can write to it.
#[cfg(unix)]
pub(super) fn is_open(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    metadata.mode() & 0o002 != 0
}

#[cfg(not(unix))]
pub(super) fn is_open(_metadata: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn own_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn own_id() -> u32 {
    0
}

/// Refuses a file of keyfob's own at `path`, which belongs into its own `folder`, where it may be
/// somebody else's word, as ssh refuses its own.
///
/// # Errors
/// `config` with the command that mends it.
pub(super) fn check_own(foreign: Option<&Foreign>, path: &Path, folder: &Path) -> Result<()> {
    match foreign {
        None => Ok(()),
        Some(Foreign::Owner(owner)) if is_home_of(folder, *owner) => Ok(()),
        Some(foreign) => {
            let what = foreign.words(path);
            let message = format!("{what}, so that it may be somebody else's word");
            Err(Error::config(message).hint(foreign.remedy(path)))
        }
    }
}
