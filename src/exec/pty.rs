//! Pseudoterminals for commands, and the terminal that keyfob itself runs on.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::getpgrp;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};

/// A new terminal for a command.
pub struct Pty {
    /// keyfob's end.
    pub ours: OwnedFd,
    /// The command's end.
    pub theirs: OwnedFd,
}

impl Pty {
    /// A terminal with the size and the settings of `model`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn like(model: impl AsFd) -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        fcntl_setfd(&ours, FdFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let path = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = open(path, flags, Mode::empty())?;
        tcsetattr(&theirs, OptionalActions::Now, &tcgetattr(&model)?)?;
        resize(&theirs, model)?;
        Ok(Self { ours, theirs })
    }

    /// Lets output through as it is, for the terminal it is copied to to make its line ends.
    ///
    /// # Errors
    /// Those of the system.
    pub fn pass_output(&self) -> io::Result<()> {
        let mut settings = tcgetattr(&self.theirs)?;
        settings.output_modes.remove(OutputModes::OPOST);
        Ok(tcsetattr(&self.theirs, OptionalActions::Now, &settings)?)
    }
}

/// Gives `pty` the size of `model`.
///
/// # Errors
/// Those of the system.
pub fn resize(pty: impl AsFd, model: impl AsFd) -> io::Result<()> {
    Ok(tcsetwinsize(pty, tcgetwinsize(model)?)?)
}

/// The terminal that keyfob runs on, and reads what is typed from. Dropped, it is as it was.
pub struct Terminal {
    before: Termios,
    raw: AtomicBool,
}

impl Terminal {
    /// The terminal, where stdin and stdout are it and keyfob has it to itself: as a background job,
    /// or at the end of a pipe, it has to leave it alone.
    pub fn ours() -> Option<Self> {
        let stdin = io::stdin();
        if !(stdin.is_terminal() && io::stdout().is_terminal() && in_foreground()) {
            return None;
        }
        Some(Self {
            before: tcgetattr(&stdin).ok()?,
            raw: AtomicBool::new(false),
        })
    }

    /// Takes every key as it comes: what they mean is decided on the command's terminal. As a
    /// background job it does nothing, and says so by `false`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn take(&self) -> io::Result<bool> {
        let may = in_foreground();
        if may {
            let mut raw = self.before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        }
        self.raw.store(may, Ordering::SeqCst);
        Ok(may)
    }

    /// Makes the terminal what it was before.
    pub fn give_back(&self) {
        if self.raw.swap(false, Ordering::SeqCst) && in_foreground() {
            // It may be gone; then there is nothing to restore.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        }
    }

    fn is_raw(&self) -> bool {
        self.raw.load(Ordering::SeqCst)
    }

    /// Copies what is typed to `pty` for as long as there is something to read.
    ///
    /// # Errors
    /// Those of the terminals, also when one is gone.
    pub fn feed(&self, pty: OwnedFd) -> io::Result<()> {
        let mut pty = File::from(pty);
        // Past the buffer of `io::stdin`, which would read ahead.
        let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let mut keys = [0; 4096];
        loop {
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if !self.is_raw() {
                // While another job has the terminal, what is typed is for that one.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            match stdin.read(&mut keys) {
                Ok(0) => return Ok(()),
                Ok(count) => pty.write_all(&keys[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Whether keyfob's process group is the one that the terminal's keys go to.
fn in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}
