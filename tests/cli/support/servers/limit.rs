//! Rate limits of the kind that tell on every answer how much is left.

use super::message::Answer;

/// How `X-RateLimit-Reset` is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Seconds until the window ends.
    Seconds,
    /// The time at which it ends, in seconds since 1970.
    Epoch,
}

/// So many requests in a window that begins with the first of them.
#[derive(Clone, Debug)]
pub struct RateLimit {
    limit: u64,
    window: i64,
    reset: Reset,
    used: u64,
    ends: i64,
}

impl RateLimit {
    /// `limit` requests every `window` seconds.
    pub fn new(limit: u64, window: i64, reset: Reset) -> Self {
        Self {
            limit,
            window,
            reset,
            used: 0,
            ends: i64::MIN,
        }
    }

    /// Counts a request; false when it is one too many.
    pub fn admit(&mut self, now: i64) -> bool {
        if now >= self.ends {
            self.used = 0;
            self.ends = now + self.window;
        }
        self.used += 1;
        self.used <= self.limit
    }

    /// Adds the three headers to an answer.
    pub fn tell(&self, answer: Answer, now: i64) -> Answer {
        let reset = match self.reset {
            Reset::Seconds => (self.ends - now).max(0),
            Reset::Epoch => self.ends,
        };
        answer
            .header("x-ratelimit-limit", self.limit)
            .header(
                "x-ratelimit-remaining",
                self.limit.saturating_sub(self.used),
            )
            .header("x-ratelimit-reset", reset)
    }
}
