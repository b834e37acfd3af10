//! Whose a file is that was written anew, and whose links are followed. Root writes in folders of
//! others, under `sudo` say: what keyfob keeps there is theirs, and what it is told to write
//! somewhere is nobody's but root's.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown, fchown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Everybody may put files there.
const WORLD_WRITABLE: u32 = 0o002;

/// Gives `file`, which takes the place of `old` in `folder`, to whose that was, as far as it can be
/// given: nobody but root may give files away, and a team's stays its group's. A new one of root's is
/// its folder's owner's. In a folder of somebody else's than `old`'s owner, or one that everybody
/// can write, whoever made a file first does not get what is written into it.
pub(super) fn hand_over(file: &File, folder: &Path, old: Option<&Metadata>) -> io::Result<()> {
    let new = file.metadata()?;
    let folder = fs::metadata(folder)?;
    let open = folder.mode() & WORLD_WRITABLE != 0;
    let wanted = match old {
        Some(old) if !open && old.uid() == folder.uid() => (old.uid(), old.gid()),
        Some(old) if !open => (new.uid(), old.gid()),
        None if !open && geteuid().is_root() => (folder.uid(), folder.gid()),
        _ => return Ok(()),
    };
    if wanted != (new.uid(), new.gid()) {
        let (uid, gid) = wanted;
        let _ = fchown(file, Some(uid), Some(gid)).or_else(|_| fchown(file, None, Some(gid)));
    }
    Ok(())
}

/// Gives the folders from `made` up to, and without, `above` to the owner of that, where root has
/// just made them.
pub(super) fn hand_over_folders(made: &Path, above: &Path) {
    let Ok(owner) = fs::metadata(above) else {
        return;
    };
    if !geteuid().is_root() || owner.uid() == 0 || owner.mode() & WORLD_WRITABLE != 0 {
        return;
    }
    for folder in made.ancestors().take_while(|folder| *folder != above) {
        let _ = chown(folder, Some(owner.uid()), Some(owner.gid()));
    }
}

/// The first symbolic link on the way to `path` that somebody else has put into a folder that
/// everybody can write. Linux does not follow these where `fs.protected_symlinks` is set.
pub(super) fn planted_link(path: &Path) -> Option<PathBuf> {
    let mut links = path.ancestors().filter(|part| {
        let Ok(link) = fs::symlink_metadata(part) else {
            return false;
        };
        link.is_symlink() && is_planted(part, &link)
    });
    links.next().map(Path::to_path_buf)
}

/// Whether what is at `path` lies in a folder that everybody can write, and is neither the user's
/// nor that of the folder's owner.
pub(super) fn is_planted(path: &Path, file: &Metadata) -> bool {
    let folder = path.parent().filter(|it| *it != Path::new(""));
    fs::metadata(folder.unwrap_or(Path::new("."))).is_ok_and(|folder| {
        folder.mode() & WORLD_WRITABLE != 0
            && file.uid() != geteuid().as_raw()
            && file.uid() != folder.uid()
    })
}
