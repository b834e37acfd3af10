//! One writer at a time in a folder: an exclusive lock that the operating system drops with the
//! process, however it ends. Readers need none, as files are replaced whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::words::error::{Error, Result};

/// The first and the longest pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// What is locked where a folder itself cannot be: on Windows, and on network file systems whose
/// locks want a file that is open for writing. It stays, as removing a lock file is a race.
const LOCK_FILE: &str = ".keyfob-lock";

/// Exclusive locks on one or more folders, held until dropped. They bind keyfob's processes and
/// threads alike: a thread that asks for a folder it has locked already waits for itself.
#[derive(Debug)]
pub struct FolderLock {
    _files: Vec<File>,
}

impl FolderLock {
    /// Waits up to `timeout` (`None`: for ever) until every one of `folders` is locked. They must
    /// exist; one named twice is locked once.
    ///
    /// # Errors
    /// `unavailable` after the timeout, naming the process that holds the lock where that can be
    /// found out; `failed` where a folder cannot be opened.
    pub fn acquire(folders: &[&Path], timeout: Option<Duration>) -> Result<Self> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut paths = folders
            .iter()
            .map(|folder| fs::canonicalize(folder).map_err(|error| cannot_lock(folder, &error)))
            .collect::<Result<Vec<PathBuf>>>()?;
        // In one order everywhere, so that no two processes wait for each other.
        paths.sort();
        paths.dedup();
        let files = paths
            .iter()
            .map(|path| lock(path, deadline))
            .collect::<Result<_>>()?;
        Ok(Self { _files: files })
    }
}

fn lock(folder: &Path, deadline: Option<Instant>) -> Result<File> {
    #[cfg(unix)]
    {
        let file = File::open(folder).map_err(|error| cannot_lock(folder, &error))?;
        match wait_for(&file, folder, deadline) {
            Waited::Locked => return Ok(file),
            Waited::Failed(error) => return Err(error),
            Waited::Impossible => {}
        }
    }
    let path = folder.join(LOCK_FILE);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| cannot_lock(folder, &error))?;
    match wait_for(&file, folder, deadline) {
        Waited::Locked => Ok(file),
        Waited::Failed(error) => Err(error),
        Waited::Impossible => Err(Error::failed(format!(
            "cannot lock {}: its file system has no locks",
            folder.display()
        ))),
    }
}

enum Waited {
    Locked,
    Failed(Error),
    Impossible,
}

fn wait_for(file: &File, folder: &Path, deadline: Option<Instant>) -> Waited {
    let mut pause = FIRST_PAUSE;
    loop {
        match file.try_lock() {
            Ok(()) => return Waited::Locked,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {
                continue;
            }
            Err(TryLockError::Error(_)) => return Waited::Impossible,
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Waited::Failed(held(file, folder));
        }
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn held(file: &File, folder: &Path) -> Error {
    let holder = holder(file).unwrap_or_else(|| "another process".to_owned());
    Error::unavailable(format!("{} is locked by {holder}", folder.display()))
        .hint("wait until it is done, or allow more time with --timeout")
}

/// Who holds the lock on `file`, by the kernel's own list.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().ok()?;
    let id = format!(
        "{:02x}:{:02x}:{}",
        rustix::fs::major(metadata.dev()),
        rustix::fs::minor(metadata.dev()),
        metadata.ino()
    );
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid: u32 = locks.lines().find_map(|line| {
        // "7: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF"; waiting ones have "->" second.
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, _, pid, file, ..] if file == id => pid.parse().ok(),
            _ => None,
        }
    })?;
    if pid == std::process::id() {
        return Some("another task of this process".to_owned());
    }
    Some(match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(command) => format!("process {pid} ({})", command.trim_end()),
        Err(_) => format!("process {pid}"),
    })
}

#[cfg(not(target_os = "linux"))]
fn holder(_file: &File) -> Option<String> {
    None
}

fn cannot_lock(folder: &Path, error: &io::Error) -> Error {
    Error::io(format!("cannot lock {}", folder.display()), error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::words::error::Kind;

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(&[folder.path()], None).unwrap();
        let timeout = Some(Duration::from_millis(5));
        let error = FolderLock::acquire(&[folder.path()], timeout).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().contains("is locked by"), "{error:?}");
        drop(first);
        FolderLock::acquire(&[folder.path()], timeout).unwrap();
    }

    #[test]
    fn a_folder_named_twice_does_not_wait_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let again = folder.path().join(".");
        let timeout = Some(Duration::from_millis(5));
        FolderLock::acquire(&[folder.path(), &again], timeout).unwrap();
    }

    #[test]
    fn no_lock_file_is_left_where_the_folder_can_be_locked() {
        let folder = tempfile::tempdir().unwrap();
        drop(FolderLock::acquire(&[folder.path()], None).unwrap());
        if cfg!(unix) {
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = FolderLock::acquire(&[&folder.path().join("none")], None).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
    }

    #[test]
    fn at_most_one_thread_is_inside() {
        let folder = tempfile::tempdir().unwrap();
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _lock = FolderLock::acquire(&[folder.path()], None).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
