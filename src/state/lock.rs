//! One writer at a time: an exclusive lock that the operating system drops with the process,
//! however it ends. Readers need none, as files are replaced whole.
//!
//! What is locked is a file beside what it guards, so that all who can write there meet, wherever
//! their other folders are. Whoever may write in the folder may open it, and nobody else: a folder
//! itself, or a file that others can read, could be locked and held by any user of the machine.
//! It holds the process id of its holder, who removes it again, so that nothing is left in a
//! team's repository; what a killed holder leaves is the next one's lock. Those who wait take turns
//! in the order of their coming, which is the work of [`queue`](super::queue). Where the file system
//! has no locks nothing is written: two writers that do not know of each other lose one's work.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::queue::{Queue, Ticket};
use super::shared::is_at;
#[cfg(unix)]
use super::shared::open_to_writers;
use crate::words::error::{Error, Result};
use crate::words::progress::waiting_for;
use crate::words::shown::ShownPath as _;

/// The first and the longest pause between two attempts of whoever is next.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

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
    let queue = Queue::beside(&path);
    let try_once = || try_once(&path).map_err(|error| cannot_lock(folder, error));
    // Whoever comes while others wait comes behind them.
    if !queue.is_there()
        && let Some(held) = try_once()?
    {
        return Ok(held);
    }
    let mut ticket = queue.join();
    let mut pause = FIRST_PAUSE;
    let mut waiting = None;
    loop {
        let ahead = ticket.as_mut().map_or(0, Ticket::ahead);
        if ahead == 0
            && let Some(held) = try_once()?
        {
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
        let now = match &mut ticket {
            Some(ticket) if ahead > 0 => ticket.pause(),
            _ => pause,
        };
        thread::sleep(left.map_or(now, |left| left.min(now)));
        if ahead == 0 {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
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
                open_to_writers(&file, path, 0o600);
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
    use std::sync::Mutex;
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

    /// Each comes only once the one before stands in line, so that their order is known.
    #[test]
    fn who_waits_gets_the_lock_in_the_order_of_coming() {
        const WAITERS: usize = 40;
        let folder = tempfile::tempdir().unwrap();
        let queue = folder.path().join(format!("{LOCK_FILE}-queue"));
        // A ticket counts once it is held: until then whoever comes next takes it for a dead one's.
        let is_held = |ticket: &fs::DirEntry| {
            File::open(ticket.path()).is_ok_and(|ticket| ticket.try_lock_shared().is_err())
        };
        let in_line = || {
            let tickets = fs::read_dir(&queue).into_iter().flatten().flatten();
            tickets.filter(is_held).count()
        };
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = Lock::acquire(&[folder.path()], None).unwrap();
            for waiter in 0..WAITERS {
                let (folder, order) = (folder.path(), &order);
                scope.spawn(move || {
                    let _lock = Lock::acquire(&[folder], None).unwrap();
                    order.lock().unwrap().push(waiter);
                });
                while in_line() <= waiter {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        let order = order.into_inner().unwrap();
        assert_eq!(order, (0..WAITERS).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn whoever_gives_up_leaves_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(&[folder.path()], None).unwrap();
        Lock::acquire(&[folder.path()], SOON).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(first);
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
