//! What a command costs besides time: instructions, page faults, memory. The same on a busy machine.

use std::process::{Command, Stdio};

use crate::support::home::Home;

/// The instructions that `command` takes in its own process, in millions; `None` where valgrind
/// is missing or cannot run the program.
pub fn instructions(home: &Home, command: &str) -> Option<f64> {
    let wrapped = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let words = wrapped.into_iter().chain(command.split_whitespace());
    let run = output(home, "valgrind", words)?;
    let line = run.lines().find(|line| line.contains("Collected :"))?;
    let count: f64 = line.rsplit(' ').next()?.parse().ok()?;
    Some(count / 1e6)
}

/// The minor page faults of `command`, and its peak memory in KiB.
pub fn pages(home: &Home, command: &str) -> Option<(u64, u64)> {
    let words = ["-f", "%R %M"]
        .into_iter()
        .chain(command.split_whitespace());
    let run = output(home, "/usr/bin/time", words)?;
    let (faults, peak) = run.lines().last()?.split_once(' ')?;
    Some((faults.parse().ok()?, peak.parse().ok()?))
}

/// What the program says on stderr; `None` where it cannot be run or fails.
fn output<'a>(home: &Home, program: &str, words: impl Iterator<Item = &'a str>) -> Option<String> {
    let run = Command::new(program)
        .args(words)
        .env_clear()
        .envs(home.variables())
        .current_dir(home.work())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    run.status.success().then_some(said)
}
