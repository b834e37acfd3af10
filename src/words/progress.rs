//! How far long work is.

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
