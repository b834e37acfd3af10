//! The leader of a terminal session: keyfob once more, between itself and a command on a terminal
//! of its own.
//!
//! A command that led its session itself could not be stopped by Ctrl-Z: the kernel lets nobody be
//! stopped whose parent, in the same session, could not continue it. So the leader makes the terminal
//! its own, starts the command in front of it, and does as the command does: it stops when the
//! command stops and ends when it ends.

use std::io;
use std::os::unix::process::CommandExt;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, ioctl_tiocsctty, kill_process,
    kill_process_group, setsid, waitpid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::again::{Request, Role, end_with_parent};
use super::signals;
use super::start::KEYFOB_FAILED;
use crate::words::error::Error;
use crate::words::memory;

/// Carries out `request` as the leader of a new session on the terminal that is stdin, and returns
/// the command's exit code, or 128+n. What keeps the command from being executed, it tells itself.
///
/// # Errors
/// The exit code and why, where no process could be started for the command.
pub fn lead(request: &Request<'_>) -> Result<u8, (u8, Error)> {
    end_with_parent();
    let own = |error: io::Error| {
        let error = Error::io("could not set up the command's terminal", error);
        (KEYFOB_FAILED, error)
    };
    setsid().map_err(|error| own(error.into()))?;
    ioctl_tiocsctty(io::stdin()).map_err(|error| own(error.into()))?;
    let mut signals = signals::catch().map_err(own)?;
    let pid = start(request).map_err(own)?;
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

fn start(request: &Request<'_>) -> io::Result<Pid> {
    let mut process = request.process(Role::Command)?;
    process.process_group(0);
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
