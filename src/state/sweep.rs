//! What killed writers leave, and its way out of the world.

use std::fs::{self, File};
use std::path::Path;

/// How temporary files end, in whatever folder: `.NAME.RANDOM.keyfob-tmp`. Whoever writes one
/// holds a lock on it, which goes with the process; what nobody has locked was left behind.
pub const TEMPORARY_SUFFIX: &str = ".keyfob-tmp";

/// How scratch folders begin; they end as all that is temporary does.
pub const SCRATCH: &str = ".edit.";

/// Removes the temporary files that killed writers left in `folder`, and their
/// [scratch folders](super::scratch); every write in it does that too. What cannot be removed stays, for the next one to try.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = name.as_encoded_bytes().starts_with(b".")
            && name
                .as_encoded_bytes()
                .ends_with(TEMPORARY_SUFFIX.as_bytes());
        let kind = entry.file_type();
        if !is_temporary
            || !kind
                .as_ref()
                .is_ok_and(|kind| kind.is_file() || kind.is_dir())
        {
            continue;
        }
        let path = entry.path();
        if kind.is_ok_and(|kind| kind.is_dir()) {
            sweep_scratch(&path);
            continue;
        }
        // Some network file systems lock only what is open for writing.
        let file = fs::File::options().read(true).write(true).open(&path);
        if let Ok(file) = file.or_else(|_| fs::File::open(&path))
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Removes a scratch folder that nobody is at work in, unless it is somebody else's.
fn sweep_scratch(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        let own = rustix::process::geteuid().as_raw();
        if !fs::symlink_metadata(path).is_ok_and(|found| found.uid() == own) {
            return;
        }
    }
    // Folders cannot be opened on every system; there they stay.
    if File::open(path).is_ok_and(|folder| folder.try_lock().is_ok() && is_scratch(path)) {
        let _ = fs::remove_dir_all(path);
    }
}

fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(SCRATCH.as_bytes())
}
