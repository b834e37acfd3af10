//! The signals that keyfob passes on while it stays beside a command, and those that end long work.

use std::io;

use futures_util::future::select_all;
use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use tokio::signal::unix::{SignalKind, signal};

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

/// Begins to catch signals: those that are passed on, and what tells of children, continuing and
/// sizes. What is ignored, as under `nohup`, stays so, and then is by the command too.
///
/// Call it before the command is started, so that none is lost.
///
/// # Errors
/// Those of the system.
pub fn catch() -> io::Result<SignalsInfo<WithOrigin>> {
    caught(FORWARDED.into())
}

/// The same for where the command is in keyfob's own process group: the signal by which somebody asks
/// for a stop is passed on as well.
///
/// # Errors
/// Those of the system.
pub fn catch_stops_too() -> io::Result<SignalsInfo<WithOrigin>> {
    caught(of_the_command())
}

/// What may be meant for a command in keyfob's own process group.
pub(super) fn of_the_command() -> Vec<Signal> {
    [&FORWARDED[..], &[Signal::TSTP]].concat()
}

fn caught(mut signals: Vec<Signal>) -> io::Result<SignalsInfo<WithOrigin>> {
    let ignored = ignored();
    signals.retain(|signal| ignored >> (signal.as_raw() - 1) & 1 == 0);
    signals.extend([Signal::CHILD, Signal::CONT, Signal::WINCH]);
    SignalsInfo::<WithOrigin>::new(signals.iter().map(|signal| signal.as_raw()))
}

/// Waits for a signal by which somebody wants this process to end; for ever where all of these are
/// ignored, or cannot be waited for. From the first call on they end nothing by themselves.
pub async fn asked_to_end() -> Signal {
    let ignored = ignored();
    let asked = [Signal::INT, Signal::TERM, Signal::HUP].into_iter();
    let asked = asked.filter(|signal| ignored >> (signal.as_raw() - 1) & 1 == 0);
    let arrivals = asked.filter_map(|asked| {
        let mut arriving = signal(SignalKind::from_raw(asked.as_raw())).ok()?;
        Some(Box::pin(async move {
            arriving.recv().await;
            asked
        }))
    });
    let arrivals: Vec<_> = arrivals.collect();
    if arrivals.is_empty() {
        return std::future::pending().await;
    }
    select_all(arrivals).await.0
}

/// Ends this process as `signal` does by itself, so that whoever waits for it sees why it ended.
pub fn end_by(signal: Signal) {
    // What cannot be ended so ends by its exit code.
    let _ = signal_hook::low_level::emulate_default_handler(signal.as_raw());
}

/// The signals that are ignored, the first in the lowest bit. None where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
        .unwrap_or(0)
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
