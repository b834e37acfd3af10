//! A folder for what another program is to work on: for its owner alone, in memory where that can be
//! had, and gone with whoever made it. What a killed process leaves goes the way of all temporary
//! files.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::sweep::{SCRATCH, TEMPORARY_SUFFIX, sweep};
use crate::words::env::Environment;

/// The longest name that a file in it is given, in bytes.
const LONGEST: usize = 64;

/// A folder with one file in it, both removed when this is dropped.
pub struct Scratch {
    file: PathBuf,
    /// Before the lock: whoever gets that finds nothing.
    folder: TempDir,
    /// Tells others that somebody is at work there.
    _lock: Option<File>,
}

impl Scratch {
    /// A scratch folder in `place` with a file called as much like `name` as a path may be, that holds
    /// `bytes`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(place: &Path, name: &str, bytes: &[u8]) -> io::Result<Self> {
        sweep(place);
        let mut builder = tempfile::Builder::new();
        builder
            .prefix(SCRATCH)
            .suffix(TEMPORARY_SUFFIX)
            .rand_bytes(12);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let (folder, lock) = loop {
            let folder = builder.tempdir_in(place)?;
            // Windows opens no folders, and sweeps none.
            let lock = match cfg!(windows) {
                true => None,
                false => Some(File::open(folder.path())?),
            };
            match lock.as_ref().map(File::try_lock) {
                // Another sweeps it away in this very moment.
                Some(Err(TryLockError::WouldBlock)) => {}
                Some(Ok(())) if !folder.path().exists() => {}
                // Where there are no locks nobody sweeps.
                None | Some(Ok(()) | Err(TryLockError::Error(_))) => break (folder, lock),
            }
        };
        let file = folder.path().join(file_name(name));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&file)?.write_all(bytes)?;
        Ok(Self {
            file,
            folder,
            _lock: lock,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Leaves the file, which holds `bytes` then, to its owner: nothing removes it any more. Returns
    /// where it is.
    ///
    /// # Errors
    /// Those of the system; the folder is removed with its file then.
    pub fn keep(self, bytes: &[u8]) -> io::Result<PathBuf> {
        fs::write(&self.file, bytes)?;
        let folder = self.folder.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_start_matches(SCRATCH);
        let name = name.trim_end_matches(TEMPORARY_SUFFIX);
        let kept = folder.with_file_name(format!("keyfob-kept-{name}"));
        fs::rename(folder, &kept)?;
        // Gone from where it was, so there is nothing to remove.
        let _ = self.folder.keep();
        Ok(kept.join(self.file.file_name().unwrap_or_default()))
    }
}

/// The first folder of this user's or everybody's that is known to be in memory.
pub fn in_memory(env: &Environment) -> Option<PathBuf> {
    let own = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter();
    let own = own.filter_map(|variable| env.var_os(variable).map(PathBuf::from));
    own.chain(["/dev/shm".into(), "/tmp".into()])
        .find(|folder| is_in_memory(folder) && fs::read_dir(folder).is_ok())
}

#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    /// The numbers of tmpfs and ramfs, as Linux has them.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

    rustix::fs::statfs(folder).is_ok_and(|found| {
        IN_MEMORY
            .iter()
            .any(|kind| u64::try_from(found.f_type) == Ok(*kind))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}

/// `name` as a file may be called in any program's arguments.
fn file_name(name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "_.-".contains(c) {
        true => c,
        false => '_',
    };
    let name: String = name.chars().take(LONGEST).map(plain).collect();
    match name.starts_with(['-', '.']) || name.is_empty() {
        true => format!("_{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_its_owner_and_what_a_killed_one_left_with_the_next() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(format!(".edit.x{TEMPORARY_SUFFIX}"));
        let other = place.path().join(format!(".other.x{TEMPORARY_SUFFIX}"));
        for folder in [&left, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("A.swp"), "hunter2").unwrap();
        }
        let scratch = Scratch::new(place.path(), "a/b", b"v").unwrap();
        assert!(left.exists() == cfg!(windows) && other.exists());
        let _ = fs::remove_dir_all(left);
        assert_eq!(fs::read(scratch.file()).unwrap(), b"v");
        assert!(scratch.file().ends_with("a_b"));
        // One that is at work is left alone.
        let second = Scratch::new(place.path(), "-x", b"w").unwrap();
        assert!(scratch.file().exists() && second.file().ends_with("_-x"));
        drop((scratch, second));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_kept_is_not_swept_away() {
        let place = tempfile::tempdir().unwrap();
        let kept = Scratch::new(place.path(), "A", b"v").unwrap();
        let kept = kept.keep(b"w").unwrap();
        drop(Scratch::new(place.path(), "A", b"v").unwrap());
        assert_eq!(fs::read(kept).unwrap(), b"w");
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(place.path(), "A", b"v").unwrap();
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(bits(scratch.file()), 0o600);
        assert_eq!(bits(scratch.file().parent().unwrap()), 0o700);
    }
}
