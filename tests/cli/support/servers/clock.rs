//! A server's own clock, which a test can set wrong.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

/// The system's clock plus an offset. It dates answers and decides what has expired.
#[derive(Debug, Default)]
pub struct Clock {
    offset: AtomicI64,
}

impl Clock {
    /// Puts the clock this many seconds ahead of the system's, or behind it.
    pub fn set_offset(&self, seconds: i64) {
        self.offset.store(seconds, Ordering::SeqCst);
    }

    /// Now, in seconds since 1970.
    pub fn now(&self) -> i64 {
        Timestamp::now().as_second() + self.offset.load(Ordering::SeqCst)
    }

    /// The time in `ahead` seconds, as the `Date` and `Retry-After` headers have it.
    pub fn http_date(&self, ahead: i64) -> String {
        let seconds = SignedDuration::from_secs(self.now() + ahead);
        let time = Timestamp::from_duration(seconds).expect("a time that HTTP can tell");
        DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&time)
            .expect("a time that HTTP can tell")
    }
}
