//! Staying beside a command to hide values in what it writes.
//!
//! On a terminal of keyfob's own, the command gets a new terminal and a session on it (see
//! [`leader`](super::leader)), and the keys pressed go there. Elsewhere it stays in keyfob's
//! process group and has keyfob's stdin, so that a terminal that is shared with others (in a pipeline,
//! say) goes on to reach it; each output that is a terminal is one for the command too, others are
//! pipes. What is sent to that group reaches the command without keyfob, and what is sent to keyfob
//! alone is passed on: a [`witness`](super::witness) tells which it was.

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
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_current_process_group, kill_process, waitpid,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;

use super::again::{Request, Role};
use super::copy::Copy;
use super::leader::exit_code;
use super::pty::{Pty, Terminal, resize};
use super::signals::{self, Arrived};
use super::start::KEYFOB_FAILED;
use super::witness::Witness;
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
    let (side, signals) = match Terminal::ours() {
        Some(terminal) => (Side::Session(Arc::new(terminal)), signals::catch()),
        None => {
            let witness = Witness::start().map_err(own)?;
            let group = Group {
                witness,
                asked: false,
                passed_on: false,
                stopped: false,
            };
            (Side::Group(group), signals::catch_stops_too())
        }
    };
    let signals = signals.map_err(own)?;
    let (session, role) = match side {
        Side::Session(_) => (true, Role::Leader),
        Side::Group(_) => (false, Role::Command),
    };
    let outlets = Outlets::new(session).map_err(own)?;
    let mut process = request.process(role).map_err(own)?;
    process.env_clear().envs(vars);
    let (pid, outlets) = outlets.start(process).map_err(own)?;
    let supervised = Supervised::new(pid, outlets, side, masker, signals).map_err(own)?;
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
    fn start(self, mut process: Command) -> io::Result<(Pid, Vec<Outlet>)> {
        process
            .stdin(self.stdin)
            .stdout(self.stdout)
            .stderr(self.stderr);
        let child = memory::starting(|| process.spawn())?;
        Ok((Pid::from_child(&child), self.outlets))
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

/// Where the command is.
enum Side {
    /// On a terminal of its own, in a session of its own, while keyfob has this one.
    Session(Arc<Terminal>),
    /// In keyfob's process group.
    Group(Group),
}

/// What has become of keyfob's process group.
struct Group {
    witness: Witness,
    /// Whether somebody has asked for a stop, and not for going on since.
    asked: bool,
    /// Whether it was keyfob that told the command so.
    passed_on: bool,
    /// Whether the command is stopped.
    stopped: bool,
}

/// A command that runs.
struct Supervised {
    /// The command, or the leader of its session.
    pid: Pid,
    side: Side,
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
        side: Side,
        masker: &Masker,
        mut signals: SignalsInfo<WithOrigin>,
    ) -> io::Result<Self> {
        let (send, events) = channel();
        let (ends, over) = pipe()?;
        let ends = Arc::new(OwnedFd::from(ends));
        let mut supervised = Self {
            pid,
            side,
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
        let (Side::Session(terminal), Some(stdout)) = (&self.side, outlets.first()) else {
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
        let mut code = self.look(true);
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
                        code = self.look(true);
                    }
                }
                Ok(Event::Signal(Arrived { signal, .. })) if signal == Signal::WINCH => {
                    self.resize();
                }
                Ok(Event::Signal(Arrived { signal, .. })) if signal == Signal::CONT => {
                    if code.is_none() {
                        code = self.look(false);
                    }
                    self.go_on();
                    self.resize();
                }
                // Only output that nobody takes is left, and whoever sent this has had enough of it.
                Ok(Event::Signal(_)) if code.is_some() => break,
                Ok(Event::Signal(arrived)) => self.pass_on(arrived),
                Err(RecvTimeoutError::Timeout) => self.go_on(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if code.is_some() {
                self.over = None;
            }
        }
        if let Side::Session(terminal) = &self.side {
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

    /// Passes a signal on, unless it reached the command as it reached keyfob.
    fn pass_on(&mut self, arrived: Arrived) {
        if let Side::Group(group) = &mut self.side {
            let stop = arrived.signal == Signal::TSTP;
            group.asked |= stop;
            if arrived.from_terminal || group.witness.saw(arrived.signal) {
                return;
            }
            group.passed_on |= stop;
        }
        self.tell(arrived.signal);
    }

    /// Looks what became of the command, and stops with it where it `may`; returns its exit code when
    /// it has ended.
    fn look(&mut self, may_stop: bool) -> Option<u8> {
        let mut options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        if let Side::Group(_) = self.side {
            options |= WaitOptions::CONTINUED;
        }
        loop {
            let status = match waitpid(Some(self.pid), options) {
                Ok(Some((_, status))) => status,
                Ok(None) => return None,
                Err(_) => return Some(KEYFOB_FAILED),
            };
            if let Some(code) = exit_code(status) {
                return Some(code);
            }
            match &mut self.side {
                Side::Session(_) => self.stop(),
                Side::Group(group) => group.stop_as(status, may_stop),
            }
        }
    }

    /// Stops with the command, as a job of the shell that keyfob was started from.
    fn stop(&mut self) {
        if let Side::Session(terminal) = &self.side {
            terminal.give_back();
        }
        self.state = State::Stopped;
        // Where there is no such shell, this does nothing, and the command is continued.
        let _ = kill_current_process_group(Signal::TSTP);
    }

    /// Continues the command if it was stopped, and takes the terminal back if it may.
    fn go_on(&mut self) {
        match &mut self.side {
            Side::Session(terminal) => {
                let stopped = self.state == State::Stopped;
                self.state = match terminal.take() {
                    Ok(true) => State::Running,
                    Ok(false) | Err(_) => State::Background,
                };
                if stopped {
                    self.tell(Signal::CONT);
                }
            }
            // What continued the whole group continued the command before keyfob could look.
            Side::Group(group) => {
                let on = group.stopped || group.passed_on;
                (group.asked, group.passed_on, group.stopped) = (false, false, false);
                if on {
                    self.tell(Signal::CONT);
                }
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
        if matches!(self.side, Side::Group(_)) && !self.ptys.is_empty() {
            self.tell(Signal::WINCH);
        }
    }

    fn tell(&self, signal: Signal) {
        // It may have ended just now.
        let _ = kill_process(self.pid, signal);
    }
}

impl Group {
    /// Stops as the command did, where it was asked to: then whoever asked waits for keyfob's stop.
    /// What stopped the command alone, as a debugger does, is none of keyfob's affairs.
    fn stop_as(&mut self, status: WaitStatus, may_stop: bool) {
        self.stopped = status.stopped();
        let by_job_control = [Signal::TSTP, Signal::TTIN, Signal::TTOU]
            .iter()
            .any(|signal| status.stopping_signal() == Some(signal.as_raw()));
        if self.stopped && may_stop && (by_job_control || self.asked) {
            let _ = kill_process(getpid(), Signal::STOP);
        }
    }
}
