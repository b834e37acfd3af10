//! One writer at a time: an exclusive lock that the operating system drops with the process,
//! however it ends. Readers need none, as files are replaced whole.
//!
//! What is locked is a file beside what it guards, so that all who can write there meet, wherever
//! their other folders are. Whoever may write in the folder may open it, and nobody else: a folder
//! itself, or a file that others can read, could be locked and held by any user of the machine.
//! It holds the process id of its holder, who removes it again, so that nothing is left in a
//! team's repository; what a killed holder leaves is the next one's lock. Where the file system
//! has no locks nothing is written: two writers that do not know of each other lose one's work.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::words::error::{Error, Result};
use crate::words::progress::waiting_for;
use crate::words::shown::ShownPath as _;

/// The first and the longest pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// What is locked in a folder.
const LOCK_FILE: &str = ".keyfob-lock";

/// Exclusive locks, held until dropped. They bind keyfob's processes and threads alike: a thread
/// that asks for what it has locked already waits for itself.
#[derive(Debug)]
pub struct Lock {
    _held: Vec<Held>,
}

impl Lock {
    /// Waits up to `limit` (`None`: for ever) until every one of `folders` is locked. They must
    /// exist; one named twice is locked once.
    ///
    /// # Errors
    /// `unavailable` after `limit`, naming the process that holds the lock where that is known;
    /// `failed` where a lock cannot be made, or the file system has none.
    pub fn acquire(folders: &[&Path], limit: Option<Duration>) -> Result<Self> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut paths = folders
            .iter()
            .map(|folder| dunce::canonicalize(folder).map_err(|error| cannot_lock(folder, error)))
            .collect::<Result<Vec<_>>>()?;
        // In one order everywhere, so that no two processes wait for each other.
        paths.sort();
        paths.dedup();
        let held = paths.iter().map(|folder| wait_for(folder, deadline));
        Ok(Self {
            _held: held.collect::<Result<_>>()?,
        })
    }

    /// Locks the file `path`, which is made for that and removed with the lock; `None` where
    /// another process, or this one, has locked it. Its folder must exist.
    ///
    /// # Errors
    /// `failed` where it cannot be made or locked.
    pub fn try_file(path: &Path) -> Result<Option<Self>> {
        let held = try_once(path).map_err(|error| cannot_lock(path, error))?;
        Ok(held.map(|held| Self { _held: vec![held] }))
    }
}

/// Shares the lock file `path`, which stays, for as long as what is returned lives; and tells
/// whether nobody else has it then. Only for callers that keep each other from coming here at the
/// same time.
///
/// # Errors
/// `failed` where it cannot be made or locked.
pub fn share(path: &Path) -> Result<(File, bool)> {
    let shared = || {
        let opened = || io::Result::Ok(open(path)?.ok_or(io::ErrorKind::PermissionDenied)?);
        let file = opened()?;
        let alone = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // Closed, it is nobody's: on Windows the exclusive lock would stay beside the shared one.
        drop(file);
        let file = opened()?;
        file.try_lock_shared()?;
        Ok((file, alone))
    };
    shared().map_err(|error| cannot_lock(path, error))
}

/// A lock file that this process has locked.
#[derive(Debug)]
struct Held {
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // While it is still locked: whoever has it open by now finds that it is gone.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn wait_for(folder: &Path, deadline: Option<Instant>) -> Result<Held> {
    let path = folder.join(LOCK_FILE);
    let mut pause = FIRST_PAUSE;
    let mut waiting = None;
    loop {
        if let Some(held) = try_once(&path).map_err(|error| cannot_lock(folder, error))? {
            return Ok(held);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(Error::unavailable(format!(
                "{} is locked by {}",
                folder.shown(),
                holder(&path)
            ))
            .hint("wait until it is done, or end it if it hangs"));
        }
        waiting.get_or_insert_with(|| waiting_for(&holder(&path)));
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Locks the file at `path`; `None` where somebody else has locked it.
fn try_once(path: &Path) -> io::Result<Option<Held>> {
    loop {
        let Some(mut file) = open(path)? else {
            return Ok(None);
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => {
                #[cfg(unix)]
                open_to_writers(&file, path);
                // For others to read, and of no consequence.
                let _ = file.set_len(0);
                let _ = writeln!(file, "{}", std::process::id());
                let path = path.to_owned();
                return Ok(Some(Held { file, path }));
            }
            // Its last holder has removed it.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Opens the file at `path`, making it where there is none; `None` where another user keeps it to
/// himself.
fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        // What a link leads to is not to be written.
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        options.mode(0o600).custom_flags(flags.cast_signed());
    }
    match options.open(path) {
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                && fs::symlink_metadata(path).is_ok() =>
        {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Has all who may write in the folder of a lock file open it, and nobody else, as far as that is
/// to be had. Whoever cannot takes the lock for one that is held.
#[cfg(unix)]
fn open_to_writers(file: &File, path: &Path) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok()) else {
        return;
    };
    // Root's is the owner's; anybody else can give it to a group of his at most.
    let group = fchown(file, Some(folder.uid()), Some(folder.gid()))
        .or_else(|_| fchown(file, None, Some(folder.gid())));
    let mut bits = 0o600;
    if group.is_ok() && folder.mode() & 0o020 != 0 {
        bits |= 0o060;
    }
    if folder.mode() & 0o002 != 0 {
        bits |= 0o006;
    }
    let _ = file.set_permissions(fs::Permissions::from_mode(bits));
}

/// Whether `file` is what stands at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(at)) => (file.dev(), file.ino()) == (at.dev(), at.ino()),
        _ => false,
    }
}

/// Nobody can remove a file that is open.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Who has locked the file at `path`, as far as it says.
fn holder(path: &Path) -> String {
    match fs::read_to_string(path).map(|text| text.trim().parse::<u32>()) {
        Ok(Ok(id)) if id == std::process::id() => "another task of this process".to_owned(),
        Ok(Ok(id)) => format!("process {id}"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "a process of another user".to_owned()
        }
        _ => "another process".to_owned(),
    }
}

fn cannot_lock(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Unsupported => Error::failed(format!(
            "cannot lock {}: its file system has no locks",
            path.shown()
        )),
        _ => super::cannot_change("lock", path, path, error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::words::error::Kind;

    const SOON: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(&[folder.path()], None).unwrap();
        let error = Lock::acquire(&[folder.path()], SOON).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        let message = error.message();
        assert!(
            message.ends_with("by another task of this process"),
            "{message}"
        );
        drop(first);
        Lock::acquire(&[folder.path()], SOON).unwrap();
    }

    #[test]
    fn a_folder_named_twice_does_not_wait_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let again = folder.path().join(".");
        Lock::acquire(&[folder.path(), &again], SOON).unwrap();
    }

    #[test]
    fn nothing_is_left_and_what_a_killed_holder_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK_FILE), "4711 and more\n").unwrap();
        drop(Lock::acquire(&[folder.path()], SOON).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::acquire(&[&folder.path().join("none")], None).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.message().contains("no such file"), "{error:?}");
    }

    #[test]
    fn a_file_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = Lock::try_file(&path).unwrap();
        assert!(first.is_some());
        assert!(Lock::try_file(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::try_file(&path).unwrap().is_some());
    }

    #[test]
    fn those_who_share_are_told_whether_they_are_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let (first, alone) = share(&path).unwrap();
        assert!(alone);
        let (second, alone) = share(&path).unwrap();
        assert!(!alone);
        drop((first, second));
        assert!(share(&path).unwrap().1);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        use super::*;

        #[test]
        fn those_who_may_write_in_the_folder_can_open_its_lock_and_nobody_else() {
            for (folder_bits, bits) in [(0o700, 0o600), (0o755, 0o600), (0o775, 0o660)] {
                let folder = tempfile::tempdir().unwrap();
                let mode = fs::Permissions::from_mode(folder_bits);
                fs::set_permissions(folder.path(), mode).unwrap();
                let _lock = Lock::acquire(&[folder.path()], SOON).unwrap();
                let lock = fs::metadata(folder.path().join(LOCK_FILE)).unwrap();
                let found = lock.permissions().mode() & 0o777;
                assert_eq!(found, bits, "{folder_bits:o}: {found:o}");
            }
        }

        #[test]
        fn a_link_is_not_followed() {
            let folder = tempfile::tempdir().unwrap();
            let other = folder.path().join("other");
            fs::write(&other, "kept").unwrap();
            symlink(&other, folder.path().join(LOCK_FILE)).unwrap();
            Lock::acquire(&[folder.path()], SOON).unwrap_err();
            assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        }
    }

    #[test]
    fn threads_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::acquire(&[folder.path()], None).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(turns.load(Ordering::SeqCst), 400);
    }
}
