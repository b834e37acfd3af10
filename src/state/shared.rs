//! Files that all share who may write in the folder: whom they are for, and whether they are still
//! there.

#[cfg(unix)]
use std::fs;
use std::fs::File;
use std::path::Path;

/// Gives all who may write in the folder that `path` is in the rights to `file`, which stands there,
/// that `bits` give its owner, and nobody else any, as far as that is to be had. Whoever cannot open
/// a lock file takes the lock for one that is held.
#[cfg(unix)]
pub(super) fn open_to_writers(file: &File, path: &Path, bits: u32) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok()) else {
        return;
    };
    // Root's is the owner's; anybody else can give it to a group of his at most.
    let group = fchown(file, Some(folder.uid()), Some(folder.gid()))
        .or_else(|_| fchown(file, None, Some(folder.gid())));
    let mut all = bits;
    if group.is_ok() && folder.mode() & 0o020 != 0 {
        all |= bits >> 3;
    }
    if folder.mode() & 0o002 != 0 {
        all |= bits >> 6;
    }
    let _ = file.set_permissions(fs::Permissions::from_mode(all));
}

/// Whether `file` is what stands at `path`.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(at)) => (file.dev(), file.ino()) == (at.dev(), at.ino()),
        _ => false,
    }
}

/// Nobody can remove a file that is open.
#[cfg(not(unix))]
pub(super) fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
