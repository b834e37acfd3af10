//! Copying one output of a command through the masker, until its end or until the command is over
//! and nothing more comes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::redact::mask::Stream;

/// The most that is read at once.
const CHUNK: usize = 256 << 10;

/// What is shown in one piece, of this size and more, goes out as it is; smaller pieces are gathered.
const PIECE: usize = 32 << 10;

/// After how long without output a finished line that is held back is shown, and on a terminal all
/// that is held back, where a tenth of a second would be noticed.
const QUIET: Duration = Duration::from_millis(80);

/// How long output is waited for once the command is over: something that it left behind may keep
/// the pipe open for ever.
const GRACE: Duration = Duration::from_secs(1);

/// One output of a command, and where it goes.
pub struct Copy {
    /// What the command writes.
    pub from: OwnedFd,
    /// Where it is shown.
    pub to: File,
    /// What hides values in it.
    pub stream: Stream,
    /// Whether somebody sits there and types.
    pub interactive: bool,
}

impl Copy {
    /// Copies until the end of the output; or, once the other end of `over` is closed, until nothing
    /// has come for a second. What comes without a pause is copied even then, as a pipe would.
    ///
    /// # Errors
    /// Those of reading and writing. The command's end of a pipe is closed then.
    pub fn run(mut self, over: &OwnedFd) -> io::Result<()> {
        let mut from = File::from(self.from);
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        let mut to = BufWriter::with_capacity(PIECE, self.to);
        let mut rested = true;
        let mut deadline: Option<Instant> = None;
        loop {
            let rest = (!rested).then_some(QUIET);
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = rest.into_iter().chain(left).min();
            let (ready, ended) = wait(&from, deadline.is_none().then_some(over), timeout)?;
            if ended {
                deadline = Some(Instant::now() + GRACE);
            }
            if ready {
                let count = match from.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    // Nobody has the other end of the terminal open any more.
                    Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => break,
                    Err(error) => return Err(error),
                };
                self.stream.push(&chunk[..count], &mut to)?;
                rested = self.stream.pending() == 0;
                deadline = deadline.map(|_| Instant::now() + GRACE);
            } else if !ended {
                if self.interactive {
                    self.stream.idle_at_prompt(&mut to)?;
                } else {
                    self.stream.idle(&mut to)?;
                }
                rested = true;
                if deadline.is_some_and(|at| Instant::now() >= at) {
                    break;
                }
            }
            to.flush()?;
        }
        self.stream.finish(&mut to)?;
        to.flush()
    }
}

/// Waits until `from` can be read or is at its end, or `over` is closed, or the time is up.
fn wait(
    from: &File,
    over: Option<&OwnedFd>,
    timeout: Option<Duration>,
) -> io::Result<(bool, bool)> {
    let timeout = timeout.map(Timespec::try_from).transpose();
    let timeout = timeout.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut fds = vec![PollFd::new(from, PollFlags::IN)];
    fds.extend(over.map(|over| PollFd::new(over, PollFlags::IN)));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let happened = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    Ok((happened(0), happened(1)))
}
