//! How far long work is, and who is waited for.

use std::sync::OnceLock;

/// Long work tells how far it is; `ui` shows it.
pub trait Progress {
    /// Work on `total` items begins, described by `what` ("storing secrets").
    fn start(&self, what: &str, total: u64);
    /// `done` more items are finished.
    fn advance(&self, done: u64);
    /// The work is over.
    fn finish(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _what: &str, _total: u64) {}
    fn advance(&self, _done: u64) {}
    fn finish(&self) {}
}

/// Shows who is waited for.
pub trait Waits: Send + Sync {
    /// From now on for `whom`; waits may lie within others.
    fn begin(&self, whom: &str);
    /// One that has begun is over.
    fn end(&self);
}

static WAITS: OnceLock<Box<dyn Waits>> = OnceLock::new();

/// Has `waits` show every wait of this process from here on. Said once, at the beginning: whoever
/// waits may stand on any floor.
pub fn introduce(waits: impl Waits + 'static) {
    let _ = WAITS.set(Box::new(waits));
}

/// A wait for somebody else, as long as this lives.
pub struct Waiting(());

/// Begins to wait for `whom`: a server, a process, the keyring.
pub fn waiting_for(whom: &str) -> Waiting {
    if let Some(waits) = WAITS.get() {
        waits.begin(whom);
    }
    Waiting(())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(waits) = WAITS.get() {
            waits.end();
        }
    }
}
