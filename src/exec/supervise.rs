//! Staying beside a command to hide values in what it writes.
//!
//! On a terminal of keyfob's own, the command gets a new terminal and a session on it (see
//! [`leader`](super::leader)), and the keys pressed go there. Elsewhere it stays in keyfob's
//! process group and has keyfob's stdin, so that a terminal that is shared with others (in a pipeline,
//! say) goes on to reach it; each output that is a terminal is one for the command too, others are
//! pipes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, pipe};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::fstat;
#[cfg(target_os = "linux")]
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_current_process_group, kill_process, waitpid,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;

use super::copy::Copy;
use super::leader::{Request, exit_code};
use super::pty::{Pty, Terminal, resize};
use super::signals::{self, Arrived};
use super::start::{KEYFOB_FAILED, failure};
use crate::redact::mask::Masker;
use crate::words::error::Error;
use crate::words::memory;

/// How often a background job looks whether it was brought to the foreground, and how long a
/// stop takes at most to come about.
const LOOK: Duration = Duration::from_millis(200);

/// How many bytes a command may write ahead of keyfob: as many as Linux grants anybody.
#[cfg(target_os = "linux")]
const ROOM: usize = 1 << 20;

/// Runs a command with the environment `vars` and with the values of `masker` hidden in its output,
/// and returns its exit code, or 128+n when a signal ended it.
///
/// Output is copied to its end. Where something that the command left behind keeps it open, it is
/// left when the command is over and nothing has come for a second.
///
/// # Errors
/// The exit code and why, where the command could not be started or its output not be written.
pub fn run(
    request: &Request<'_>,
    vars: BTreeMap<OsString, OsString>,
    masker: &Masker,
) -> Result<u8, (u8, Error)> {
    let own = |error: io::Error| {
        let error = Error::io("could not stay beside the command", error);
        (KEYFOB_FAILED, error)
    };
    let Some((program, args)) = request.command.split_first() else {
        return Err((KEYFOB_FAILED, Error::usage("there is no command to run")));
    };
    let terminal = Terminal::ours().map(Arc::new);
    let outlets = Outlets::new(terminal.is_some()).map_err(own)?;
    let mut process = match &terminal {
        Some(_) => request.process().map_err(own)?,
        None => {
            let mut process = Command::new(program);
            process.args(args);
            process
        }
    };
    process.env_clear().envs(vars);
    let signals = signals::catch().map_err(own)?;
    let (pid, outlets) = outlets
        .start(process)
        .map_err(own)?
        .map_err(|error| failure(program, error))?;
    let supervised = Supervised::new(pid, outlets, terminal, masker, signals).map_err(own)?;
    supervised.follow()
}

/// An output of keyfob's, and what stands for it on the command's side.
struct Outlet {
    /// Where it is shown.
    to: File,
    /// keyfob's end of what the command writes to.
    from: OwnedFd,
    /// Whether that is a terminal.
    terminal: bool,
}

impl Outlet {
    /// With the command's end.
    fn new(to: BorrowedFd<'_>, session: bool) -> io::Result<(Self, OwnedFd)> {
        let terminal = to.is_terminal();
        let (from, theirs) = if terminal {
            let pty = Pty::like(to)?;
            if !session {
                pty.pass_output()?;
            }
            (pty.ours, pty.theirs)
        } else {
            let (from, theirs) = pipe()?;
            // Room for whoever writes much. What the system does not grant changes nothing else.
            #[cfg(target_os = "linux")]
            let _ = fcntl_setpipe_size(&from, ROOM);
            (from.into(), theirs.into())
        };
        let to = to.try_clone_to_owned()?.into();
        Ok((Self { to, from, terminal }, theirs))
    }
}

/// The outputs, before the command is started.
struct Outlets {
    outlets: Vec<Outlet>,
    stdin: Stdio,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Outlets {
    fn new(session: bool) -> io::Result<Self> {
        let (out, err) = (io::stdout(), io::stderr());
        let (outlet, stdout) = Outlet::new(out.as_fd(), session)?;
        let mut outlets = vec![outlet];
        // What goes to one place keeps its order on one way there.
        let stderr = if same_file(&out, &err)? {
            stdout.try_clone()?
        } else {
            let (outlet, stderr) = Outlet::new(err.as_fd(), false)?;
            outlets.push(outlet);
            stderr
        };
        let stdin = if session {
            stdout.try_clone()?.into()
        } else {
            Stdio::inherit()
        };
        Ok(Self {
            outlets,
            stdin,
            stdout,
            stderr,
        })
    }

    /// Starts `process`, and keeps none of its ends.
    fn start(self, mut process: Command) -> io::Result<io::Result<(Pid, Vec<Outlet>)>> {
        process
            .stdin(self.stdin)
            .stdout(self.stdout)
            .stderr(self.stderr);
        let child = memory::starting(|| process.spawn());
        Ok(child.map(|child| (Pid::from_child(&child), self.outlets)))
    }
}

fn same_file(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// What happens while a command runs.
enum Event {
    Signal(Arrived),
    /// An output is copied to its end.
    Copied(io::Result<()>),
}

/// A command that runs.
struct Supervised {
    /// The command, or the leader of its session.
    pid: Pid,
    /// The terminal, where the command has a session of its own.
    terminal: Option<Arc<Terminal>>,
    /// The command's terminals, and those of keyfob's that they stand for.
    ptys: Vec<(OwnedFd, File)>,
    events: Receiver<Event>,
    /// How many outputs are not copied to their end yet.
    open: usize,
    /// Closed to tell those that copy that the command is over.
    over: Option<OwnedFd>,
    state: State,
}

/// How keyfob stands to its terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has the terminal, or needs none.
    Running,
    /// It is about to be stopped, or just was.
    Stopped,
    /// It runs as a background job.
    Background,
}

impl Supervised {
    fn new(
        pid: Pid,
        outlets: Vec<Outlet>,
        terminal: Option<Arc<Terminal>>,
        masker: &Masker,
        mut signals: SignalsInfo<WithOrigin>,
    ) -> io::Result<Self> {
        let (send, events) = channel();
        let (ends, over) = pipe()?;
        let ends = Arc::new(OwnedFd::from(ends));
        let mut supervised = Self {
            pid,
            terminal,
            ptys: Vec::new(),
            events,
            open: outlets.len(),
            over: Some(over.into()),
            state: State::Running,
        };
        supervised.take_terminal(&outlets)?;
        for outlet in outlets {
            if outlet.terminal {
                let pair = (outlet.from.try_clone()?, outlet.to.try_clone()?);
                supervised.ptys.push(pair);
            }
            let copy = Copy {
                from: outlet.from,
                to: outlet.to,
                stream: masker.stream(),
                interactive: outlet.terminal,
            };
            let (send, ends) = (send.clone(), Arc::clone(&ends));
            // Nobody listens any more when keyfob is about to end.
            thread::spawn(move || send.send(Event::Copied(copy.run(&ends))));
        }
        thread::spawn(move || {
            signals::arriving(&mut signals)
                .map(Event::Signal)
                .try_for_each(|event| send.send(event))
        });
        Ok(supervised)
    }

    /// Makes the terminal raw, and passes on what is typed there.
    fn take_terminal(&mut self, outlets: &[Outlet]) -> io::Result<()> {
        let (Some(terminal), Some(stdout)) = (&self.terminal, outlets.first()) else {
            return Ok(());
        };
        if !terminal.take()? {
            self.state = State::Background;
        }
        let (terminal, pty) = (Arc::clone(terminal), stdout.from.try_clone()?);
        // It ends when there is nothing to read or nobody to read it.
        thread::spawn(move || terminal.feed(pty));
        Ok(())
    }

    fn follow(mut self) -> Result<u8, (u8, Error)> {
        // It may have stopped or ended before anybody looked.
        let mut code = self.look();
        let mut trouble = None;
        while code.is_none() || self.open > 0 {
            let event = match self.state {
                State::Running => self
                    .events
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                State::Stopped | State::Background => self.events.recv_timeout(LOOK),
            };
            match event {
                Ok(Event::Copied(result)) => {
                    self.open -= 1;
                    trouble = trouble.or(result.err());
                }
                Ok(Event::Signal(Arrived { signal, .. })) if signal == Signal::CHILD => {
                    if code.is_none() {
                        code = self.look();
                    }
                }
                Ok(Event::Signal(Arrived { signal, .. })) if signal == Signal::WINCH => {
                    self.resize();
                }
                Ok(Event::Signal(Arrived { signal, .. })) if signal == Signal::CONT => {
                    self.go_on();
                    self.resize();
                }
                // Only output that nobody takes is left, and whoever sent this has had enough of it.
                Ok(Event::Signal(_)) if code.is_some() => break,
                // It reached the command as it reached us.
                Ok(Event::Signal(arrived)) if arrived.from_terminal && self.terminal.is_none() => {}
                Ok(Event::Signal(arrived)) => self.tell(arrived.signal),
                Err(RecvTimeoutError::Timeout) => self.go_on(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if code.is_some() {
                self.over = None;
            }
        }
        if let Some(terminal) = &self.terminal {
            terminal.give_back();
        }
        let code = code.unwrap_or(KEYFOB_FAILED);
        match trouble {
            // The reader went away, and the command was told so by its own pipe.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err((
                code.max(1),
                Error::io("could not write what the command wrote", error),
            )),
            _ => Ok(code),
        }
    }

    /// Looks what became of the command; returns its exit code when it has ended.
    fn look(&mut self) -> Option<u8> {
        let options = match self.terminal {
            Some(_) => WaitOptions::NOHANG | WaitOptions::UNTRACED,
            None => WaitOptions::NOHANG,
        };
        match waitpid(Some(self.pid), options) {
            Ok(Some((_, status))) => {
                let code = exit_code(status);
                if code.is_none() {
                    self.stop();
                }
                code
            }
            Ok(None) => None,
            Err(_) => Some(KEYFOB_FAILED),
        }
    }

    /// Stops with the command, as a job of the shell that keyfob was started from.
    fn stop(&mut self) {
        if let Some(terminal) = &self.terminal {
            terminal.give_back();
        }
        self.state = State::Stopped;
        // Where there is no such shell, this does nothing, and the command is continued.
        let _ = kill_current_process_group(Signal::TSTP);
    }

    /// Continues the command if it was stopped, and takes the terminal back if it may.
    fn go_on(&mut self) {
        if let Some(terminal) = &self.terminal {
            let stopped = self.state == State::Stopped;
            self.state = match terminal.take() {
                Ok(true) => State::Running,
                Ok(false) | Err(_) => State::Background,
            };
            if stopped {
                self.tell(Signal::CONT);
            }
        }
    }

    /// Gives the command's terminals the size of keyfob's.
    fn resize(&self) {
        for (pty, model) in &self.ptys {
            // A terminal that is gone has no size.
            let _ = resize(pty, model);
        }
        // On a terminal that isn't its own, nobody else tells the command.
        if self.terminal.is_none() && !self.ptys.is_empty() {
            self.tell(Signal::WINCH);
        }
    }

    fn tell(&self, signal: Signal) {
        // It may have ended just now.
        let _ = kill_process(self.pid, signal);
    }
}
