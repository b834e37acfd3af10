//! Those who wait for a lock, in the order in which they came.
//!
//! The operating system lets whoever asks at the right moment have a lock, so of many writers one
//! could wait for ever. Beside a lock that is waited for stands a folder of tickets, named by
//! numbers that go up. Whoever waits holds a lock on his ticket, which goes with the process: the
//! ticket of a killed one is in nobody's way, and the next to look takes it away. The folder goes
//! with its last ticket. It only tells whose turn it is; the lock alone tells who has it, so that
//! an older keyfob, which knows of no tickets, is kept out and let in as ever.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::shared::is_at;
#[cfg(unix)]
use super::shared::open_to_writers;

/// What the folder's name ends with, behind that of the lock.
const ENDING: &str = "-queue";

/// How often a ticket is drawn anew, where what was drawn is taken away or taken by others.
const ATTEMPTS: usize = 1_000;

/// The pause between two looks, for each of those ahead: nobody is done sooner.
const TURN: Duration = Duration::from_millis(2);

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_millis(100);

/// How long a lock that nobody holds is left to each of those ahead, in pauses: a waiter that was
/// stopped, by Ctrl-Z for one, must not keep the others out.
const COURTESY: Duration = Duration::from_secs(1);

/// The tickets beside a lock file.
pub(super) struct Queue {
    lock: PathBuf,
    folder: PathBuf,
}

impl Queue {
    /// The tickets for the lock file at `lock`.
    pub(super) fn beside(lock: &Path) -> Self {
        let mut folder = lock.as_os_str().to_owned();
        folder.push(ENDING);
        Self {
            lock: lock.to_owned(),
            folder: folder.into(),
        }
    }

    /// Whether somebody waits, or was killed while he did.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.folder).is_ok_and(|found| found.is_dir())
    }

    /// Draws a ticket; `None` where none can be made, and whoever asks waits without one.
    pub(super) fn join(&self) -> Option<Ticket<'_>> {
        (0..ATTEMPTS).find_map(|_| self.draw().transpose())?.ok()
    }

    /// Draws a ticket, unless what it takes was taken away meanwhile.
    fn draw(&self) -> io::Result<Option<Ticket<'_>>> {
        self.make()?;
        let last = self.tickets()?.into_iter().max().unwrap_or_default();
        let numbers = last.checked_add(1).map(|next| next..=u64::MAX);
        for number in numbers.into_iter().flatten().take(ATTEMPTS) {
            let path = self.path(number);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = match options.open(&path) {
                Ok(file) => file,
                // Somebody else has drawn it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // The folder went with the last ticket.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            // Whoever looks at it in this moment takes it for a dead one's.
            file.lock()?;
            #[cfg(unix)]
            open_to_writers(&file, &path, 0o600);
            return Ok(is_at(&file, &path).then(|| Ticket {
                queue: self,
                file: Some(file),
                path,
                number,
                ahead: usize::MAX,
                left: Duration::ZERO,
            }));
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Makes the folder, for all who may write beside it.
    fn make(&self) -> io::Result<()> {
        match made(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.is_there() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                #[cfg(unix)]
                if let Ok(folder) = File::open(&self.folder) {
                    open_to_writers(&folder, &self.folder, 0o700);
                }
                Ok(())
            }
        }
    }

    /// The numbers that were drawn.
    fn tickets(&self) -> io::Result<Vec<u64>> {
        let entries = fs::read_dir(&self.folder)?.flatten();
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Ok(entries.filter_map(number).collect())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// Whether whoever drew `number` still waits. One that does not gives it up, and one that nobody
    /// may look at counts for nothing.
    fn waits(&self, number: u64) -> bool {
        let path = self.path(number);
        // Some network file systems lock only what is open for writing.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else {
            return false;
        };
        let is_dead = file.try_lock().is_ok();
        if is_dead {
            // While it is locked: whoever draws it in this moment finds that it is gone.
            let _ = fs::remove_file(&path);
        }
        !is_dead
    }

    /// Whether nobody holds the lock in this moment.
    fn is_free(&self) -> bool {
        match File::open(&self.lock) {
            // For a moment only, in which whoever tries in earnest finds it held and tries again.
            Ok(file) => file.try_lock_shared().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// A place in the queue, until it is dropped.
pub(super) struct Ticket<'q> {
    queue: &'q Queue,
    /// Until it is dropped.
    file: Option<File>,
    path: PathBuf,
    number: u64,
    /// How many were ahead at the last look.
    ahead: usize,
    /// For how long, in pauses, the lock was left to those ahead and nobody took it.
    left: Duration,
}

impl Ticket<'_> {
    /// How many came before and still wait; 0: whoever holds this may try for the lock. Whoever took
    /// the ticket away has given its holder up, and he draws another.
    pub(super) fn ahead(&mut self) -> usize {
        if !self.is_there()
            && let Some(ticket) = self.queue.join()
        {
            *self = ticket;
        }
        let mut before = self.queue.tickets().unwrap_or_default();
        before.retain(|number| *number < self.number);
        before.sort_unstable();
        while let Some(next) = before.last()
            && !self.queue.waits(*next)
        {
            before.pop();
        }
        if before.len() != self.ahead || !self.queue.is_free() {
            self.left = Duration::ZERO;
        }
        self.ahead = before.len();
        if self.ahead > 0 && self.left >= COURTESY * u32::try_from(self.ahead).unwrap_or(u32::MAX) {
            for number in before {
                let _ = fs::remove_file(self.queue.path(number));
            }
            self.ahead = 0;
        }
        self.ahead
    }

    /// Whether nobody took it away.
    fn is_there(&self) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|file| is_at(file, &self.path))
    }

    /// How long to wait before the next look, with somebody ahead. It counts as waited.
    pub(super) fn pause(&mut self) -> Duration {
        let ahead = u32::try_from(self.ahead).unwrap_or(u32::MAX);
        let pause = TURN.saturating_mul(ahead).min(LONGEST);
        self.left += pause;
        pause
    }
}

/// Makes the folder `path` for its owner alone.
fn made(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path);
    #[cfg(not(unix))]
    return fs::create_dir(path);
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
        // Some systems keep what is removed in its folder until nobody has it open.
        self.file = None;
        // Where others wait it is not empty, and stays.
        let _ = fs::remove_dir(&self.queue.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> (tempfile::TempDir, Queue) {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::beside(&folder.path().join("lock"));
        (folder, queue)
    }

    /// What a killed waiter leaves: a ticket that nobody holds.
    fn leave(queue: &Queue, number: u64) {
        queue.make().unwrap();
        fs::write(queue.path(number), "").unwrap();
    }

    #[test]
    fn whoever_comes_later_stands_behind_and_nothing_is_left() {
        let (folder, queue) = queue();
        let mut first = queue.join().unwrap();
        let mut second = queue.join().unwrap();
        let mut third = queue.join().unwrap();
        let ahead = [&mut first, &mut second, &mut third].map(Ticket::ahead);
        assert_eq!(ahead, [0, 1, 2]);
        drop(second);
        assert_eq!(third.ahead(), 1);
        drop(first);
        assert_eq!(third.ahead(), 0);
        assert!(queue.is_there());
        drop(third);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn killed_waiters_are_in_nobody_s_way() {
        let (folder, queue) = queue();
        for number in [3, 7, u64::MAX - 1] {
            leave(&queue, number);
        }
        let mut first = queue.join().unwrap();
        assert_eq!(first.ahead(), 0);
        drop(first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_ticket_counts_for_nothing() {
        let (_folder, queue) = queue();
        queue.make().unwrap();
        fs::write(queue.folder.join("README"), "").unwrap();
        assert_eq!(queue.join().unwrap().ahead(), 0);
        fs::remove_file(queue.folder.join("README")).unwrap();
        leave(&queue, u64::MAX);
        assert!(queue.join().is_none(), "there is no number left");
    }

    #[test]
    fn a_waiter_that_does_not_take_what_is_free_is_passed_and_comes_again_behind() {
        let (_folder, queue) = queue();
        let mut stopped = queue.join().unwrap();
        let mut next = queue.join().unwrap();
        let mut last = queue.join().unwrap();
        let mut waited = Duration::ZERO;
        while next.ahead() > 0 {
            waited += next.pause();
        }
        assert!(waited >= COURTESY);
        assert_eq!(last.ahead(), 1, "who passed it still has its place");
        assert_eq!(stopped.ahead(), 2);
    }

    #[test]
    fn nobody_is_passed_while_somebody_has_the_lock() {
        let (_folder, queue) = queue();
        let lock = File::create(&queue.lock).unwrap();
        lock.lock().unwrap();
        let mut first = queue.join().unwrap();
        let mut next = queue.join().unwrap();
        let mut waited = Duration::ZERO;
        while waited < COURTESY * 3 {
            assert_eq!(next.ahead(), 1);
            waited += next.pause();
        }
        assert_eq!(first.ahead(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn those_who_may_write_beside_the_lock_may_wait_for_it_and_nobody_else() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        for (bits, folder_bits, ticket_bits) in [
            (0o700, 0o700, 0o600),
            (0o755, 0o700, 0o600),
            (0o775, 0o770, 0o660),
        ] {
            let (folder, queue) = queue();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(bits)).unwrap();
            let ticket = queue.join().unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&queue.folder), folder_bits);
            assert_eq!(mode(&ticket.path), ticket_bits);
        }
        let (folder, queue) = queue();
        let other = tempfile::tempdir().unwrap();
        symlink(other.path(), &queue.folder).unwrap();
        assert!(!queue.is_there() && queue.join().is_none());
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        drop(folder);
    }
}
