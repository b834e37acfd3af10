//! The signals that keyfob passes on while it stays beside a command, and those that end long work.

use std::io;
use std::process::{Command, Stdio};

use futures_util::future::select_all;
use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use tokio::signal::unix::{SignalKind, signal};

use crate::words::memory;

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

/// The signals that are ignored, the first in the lowest bit. None where nothing tells.
fn ignored() -> u64 {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => status
            .lines()
            .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
            .unwrap_or(0),
        Err(_) => ignored_by_a_shell(),
    }
}

/// A shell cannot catch what was ignored when it was started: it sends itself each of the signals that
/// its arguments number, and prints those that it did not catch.
const TRIES: &str = "\
for signal; do
  caught=
  trap 'caught=1' \"$signal\"
  kill -\"$signal\" $$
  [ \"$caught\" ] || echo \"$signal\"
done";

/// The same where the kernel does not tell, as on macOS, of the signals that matter here: a shell that
/// this process starts ignores what it does.
fn ignored_by_a_shell() -> u64 {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", TRIES, "sh"])
        .args(of_the_command().iter().map(|it| it.as_raw().to_string()))
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let told = memory::starting(|| shell.output());
    let told = told.map(|output| output.stdout).unwrap_or_default();
    let numbers = std::str::from_utf8(&told).unwrap_or_default().lines();
    numbers
        .filter_map(|number| number.parse::<u32>().ok()?.checked_sub(1))
        .filter_map(|bit| 1_u64.checked_shl(bit))
        .fold(0, |all, one| all | one)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_tells_what_it_was_started_to_ignore() {
        let numbers = |signals: &[Signal]| -> Vec<String> {
            let numbers = signals.iter().map(|signal| signal.as_raw().to_string());
            numbers.collect()
        };
        // What this process ignores, those that it starts do too.
        let already = ignored();
        for shell in ["sh", "bash", "dash"] {
            for more in [
                &[][..],
                &[Signal::HUP],
                &[Signal::TERM, Signal::HUP],
                &of_the_command(),
            ] {
                let trap = match more {
                    [] => String::new(),
                    _ => format!("trap '' {}; ", numbers(more).join(" ")),
                };
                let output = Command::new("sh")
                    .args(["-c", &format!("{trap}exec \"$@\""), "sh"])
                    .args([shell, "-c", TRIES, "sh"])
                    .args(numbers(&of_the_command()))
                    .output();
                let output = output.expect("started");
                if output.status.code() == Some(127) {
                    continue;
                }
                let mut all = of_the_command();
                all.retain(|signal| {
                    more.contains(signal) || already >> (signal.as_raw() - 1) & 1 == 1
                });
                let told = String::from_utf8(output.stdout).expect("text");
                assert_eq!(told.lines().collect::<Vec<_>>(), numbers(&all), "{shell}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_shell_tells_as_the_kernel_does() {
        let forwarded = of_the_command();
        let bits = forwarded.iter().map(|signal| 1 << (signal.as_raw() - 1));
        let ours: u64 = bits.fold(0, |all, one: u64| all | one);
        assert_eq!(ignored_by_a_shell(), ignored() & ours);
    }
}
