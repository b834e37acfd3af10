//! A witness of the signals that go to keyfob's process group. Nothing that comes with a signal says
//! whether it went to keyfob alone, to be passed on to the command, or to the whole group, so that the
//! command has it already. A process that does nothing but catch signals in the same group tells.
//!
//! It is started after keyfob, and the kernel tells the newest of a group first; it is asked by a
//! byte, and has caught what it was sent before it can read that. So its answer does not depend on how
//! busy the machine is.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::Signal;

use super::again::{Request, Role};
use super::signals;

/// How long an answer is waited for: a witness that was stopped gives none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The witness, while keyfob stays beside a command in its own process group.
pub struct Witness {
    process: Child,
    ask: ChildStdin,
    answer: ChildStdout,
}

impl Witness {
    /// Starts one. It ends when this is dropped, or when keyfob does.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start() -> io::Result<Self> {
        let nothing: [OsString; 0] = [];
        let request = Request {
            json: false,
            color: "never",
            command: &nothing,
        };
        let mut process = request
            .process(Role::Witness)?
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(ask), Some(answer)) => Ok(Self {
                process,
                ask,
                answer,
            }),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether `signal`, which has just come here, went to the whole group.
    pub fn saw(&mut self, signal: Signal) -> bool {
        if let Ok(seen) = self.asked(signal) {
            return seen;
        }
        // It was not ready for it yet, or is of no use any more: a late answer would be to another
        // question.
        let _ = self.process.kill();
        let ended = self.process.wait().ok();
        ended.and_then(|status| status.signal()) == Some(signal.as_raw())
    }

    fn asked(&mut self, signal: Signal) -> io::Result<bool> {
        let number = u8::try_from(signal.as_raw()).map_err(io::Error::other)?;
        self.ask.write_all(&[number])?;
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        let answer = self.answer.as_fd();
        // Another signal may come meanwhile.
        let came =
            retry_on_intr(|| poll(&mut [PollFd::new(&answer, PollFlags::IN)], Some(&patience)))?;
        if came == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut seen = [0];
        self.answer.read_exact(&mut seen)?;
        Ok(seen != [0])
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The witness's own work: catches signals, and answers what it is asked until nobody asks.
///
/// # Errors
/// Those of the system.
pub fn stand_by() -> io::Result<()> {
    let mut seen = Vec::new();
    for signal in signals::of_the_command() {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal.as_raw(), Arc::clone(&flag))?;
        seen.push((signal, flag));
    }
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut asked = [0];
    loop {
        match stdin.read(&mut asked) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let flag = seen
            .iter()
            .find(|(signal, _)| signal.as_raw() == i32::from(asked[0]));
        let answer = flag.is_some_and(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        stdout.write_all(&[answer.into()])?;
        stdout.flush()?;
    }
}
