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

/// Times that only ever move forward, one second a step, whatever the clocks do: every change
/// gets a time of its own, so that a client can see that there was one.
#[derive(Debug, Default)]
pub struct Ticks(i64);

impl Ticks {
    /// The next time, in RFC 3339. The first is 2023-03-15T10:30:46Z.
    pub fn next(&mut self) -> String {
        self.0 += 1;
        Timestamp::from_second(1_678_876_245 + self.0)
            .expect("a time within range")
            .to_string()
    }
}
