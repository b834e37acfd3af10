//! Waiting for something to happen, however long a busy machine takes over it.

use std::thread;
use std::time::{Duration, Instant};

/// What takes longer has hung. No test waits so long for what comes.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Waits until `done` says yes; fails the test when that never comes.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
