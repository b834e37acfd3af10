//! The leader of a terminal session: keyfob once more, between itself and a command on a terminal
//! of its own.
//!
//! A command that led its session itself could not be stopped by Ctrl-Z: the kernel lets nobody be
//! stopped whose parent, in the same session, could not continue it. So the leader makes the terminal
//! its own, starts the command in front of it, and does as the command does: it stops when the
//! command stops and ends when it ends.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, ioctl_tiocsctty, kill_process,
    kill_process_group, setsid, waitpid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::signals;
use super::start::{KEYFOB_FAILED, failure};
use crate::words::error::Error;
use crate::words::memory;

/// The first argument of a keyfob that is a leader. What it says of its own failures, and the
/// command, follow; see [`Request`].
const ARGUMENT: &str = "__session";

/// What a leader is asked for.
pub struct Request<'a> {
    /// Whether failures are told in JSON.
    pub json: bool,
    /// When failures are coloured: as `--color` has it.
    pub color: &'a str,
    /// The command and its arguments.
    pub command: &'a [OsString],
}

impl<'a> Request<'a> {
    /// The request that a whole command line makes, if it does.
    pub fn read(args: &'a [OsString]) -> Option<Self> {
        match args {
            [_, argument, format, color, command @ ..] if argument == ARGUMENT => Some(Self {
                json: format == "json",
                color: color.to_str()?,
                command,
            }),
            _ => None,
        }
    }

    /// The process that carries it out, once its stdin is the session's terminal.
    ///
    /// # Errors
    /// Those of finding keyfob's own binary.
    pub(super) fn process(&self) -> io::Result<Command> {
        // The very binary that runs, even if another was installed over it meanwhile.
        let binary = if cfg!(target_os = "linux") {
            "/proc/self/exe".into()
        } else {
            std::env::current_exe()?
        };
        let mut process = Command::new(binary);
        process
            .arg0("keyfob")
            .arg(ARGUMENT)
            .arg(if self.json { "json" } else { "text" })
            .arg(self.color)
            .args(self.command);
        Ok(process)
    }
}

/// Runs `command` as the leader of a new session on the terminal that is stdin, and returns its exit
/// code, or 128+n.
///
/// # Errors
/// The exit code and why, where the command could not be started.
pub fn lead(command: &[OsString]) -> Result<u8, (u8, Error)> {
    let Some((program, args)) = command.split_first() else {
        return Err((KEYFOB_FAILED, Error::usage("there is no command to run")));
    };
    let own = |error: io::Error| {
        let error = Error::io("could not set up the command's terminal", error);
        (KEYFOB_FAILED, error)
    };
    setsid().map_err(|error| own(error.into()))?;
    ioctl_tiocsctty(io::stdin()).map_err(|error| own(error.into()))?;
    let mut signals = signals::catch().map_err(own)?;
    let pid = start(program, args).map_err(|error| failure(program, error))?;
    // A command that is over already needs no terminal.
    let _ = tcsetpgrp(io::stdin(), pid);
    let mut code = follow(pid);
    let mut arriving = signals::arriving(&mut signals);
    while code.is_none() {
        match arriving.next() {
            Some(arrived) if arrived.signal == Signal::CHILD => code = follow(pid),
            Some(arrived) if arrived.from_terminal => {}
            Some(arrived) if [Signal::CONT, Signal::WINCH].contains(&arrived.signal) => {}
            Some(arrived) => {
                // It may have ended just now.
                let _ = kill_process(pid, arrived.signal);
            }
            None => break,
        }
    }
    Ok(code.unwrap_or(KEYFOB_FAILED))
}

fn start(program: &OsStr, args: &[OsString]) -> io::Result<Pid> {
    let mut process = Command::new(program);
    process.args(args).process_group(0);
    let child = memory::starting(|| process.spawn())?;
    Ok(Pid::from_child(&child))
}

/// Does as the process `pid` did; returns its exit code when it has ended.
fn follow(pid: Pid) -> Option<u8> {
    loop {
        let status = match waitpid(Some(pid), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((_, status))) => status,
            Ok(None) => return None,
            Err(_) => return Some(KEYFOB_FAILED),
        };
        if let Some(code) = exit_code(status) {
            return Some(code);
        }
        let asked = [Signal::TTIN, Signal::TTOU]
            .iter()
            .any(|signal| status.stopping_signal() == Some(signal.as_raw()));
        let in_front = tcgetpgrp(io::stdin()).is_ok_and(|group| group == pid);
        // It asked for the terminal in the moment before that was given to it; else it is meant.
        if !(asked && in_front) {
            // keyfob sees this, stops too, and wakes us when it is continued.
            let _ = kill_process(getpid(), Signal::STOP);
        }
        let _ = kill_process_group(pid, Signal::CONT);
    }
}

/// The exit code that stands for how a process ended; `None` when it has only been stopped.
pub(super) fn exit_code(status: WaitStatus) -> Option<u8> {
    let code = match status.terminating_signal() {
        Some(signal) => 128 + signal,
        None => status.exit_status()?,
    };
    Some(u8::try_from(code).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let command: Vec<OsString> = ["sh", "-c", "__session"].map(OsString::from).into();
        let request = Request {
            json: true,
            color: "never",
            command: &command,
        };
        let process = request.process().unwrap();
        let mut args = vec![OsString::from("keyfob")];
        args.extend(process.get_args().map(OsStr::to_owned));
        let read = Request::read(&args).unwrap();
        assert!(read.json);
        assert_eq!(read.color, "never");
        assert_eq!(read.command, command);
        assert!(Request::read(&command).is_none());
    }
}
