//! The signals that keyfob passes on while it stays beside a command.

use std::io;

use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;

/// What somebody may send keyfob and mean the command.
const FORWARDED: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
];

/// A signal that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// Which.
    pub signal: Signal,
    /// Whether the kernel sent it, as it does for keys pressed on a terminal: then it went to all of
    /// the terminal's foreground processes.
    pub from_terminal: bool,
}

/// Begins to catch signals: those that are passed on, and what tells of children, stops and sizes.
///
/// Call it after the command was started: what was ignored before (as under `nohup`) is then ignored
/// by the command too.
///
/// # Errors
/// Those of the system.
pub fn catch() -> io::Result<SignalsInfo<WithOrigin>> {
    let own = [Signal::CHILD, Signal::CONT, Signal::WINCH];
    SignalsInfo::<WithOrigin>::new(FORWARDED.iter().chain(&own).map(|signal| signal.as_raw()))
}

/// The signals as they arrive, without end.
pub fn arriving(signals: &mut SignalsInfo<WithOrigin>) -> impl Iterator<Item = Arrived> {
    signals.forever().filter_map(|origin| {
        Some(Arrived {
            signal: Signal::from_named_raw(origin.signal)?,
            // Some systems name a process even then: number 0.
            from_terminal: origin.process.is_none_or(|process| process.pid == 0),
        })
    })
}
