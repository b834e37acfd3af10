//! The ways in which a server fails on command, and for which request.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::message::{Answer, Request};

type Hook = Arc<dyn Fn() + Send + Sync>;
type Change = Arc<dyn Fn(&Request, Answer) -> Answer + Send + Sync>;
type Make = Arc<dyn Fn(&Answer) -> Vec<u8> + Send + Sync>;

/// What becomes of a connection after bytes that are no answer in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It stays open, and nothing more comes.
    Open,
    /// It is closed in good order.
    Close,
    /// It is reset.
    Reset,
}

/// One way to fail, or to do something at a chosen moment.
#[derive(Clone)]
pub enum Fault {
    /// Answers this instead; the request has no effect.
    Answer(Answer),
    /// 429 with a `Retry-After` that is a date, this many seconds from the server's now.
    RetryAtDate(i64),
    /// Waits before the request is looked at, then answers as ever.
    Delay(Duration),
    /// Never answers, and keeps the connection. The request has no effect.
    Hang,
    /// Closes the connection without an answer; with `applied`, the request had its effect.
    Close {
        /// Whether the request has its effect.
        applied: bool,
    },
    /// Applies the request and resets the connection in the middle of the answer's body.
    ResetMidBody,
    /// Applies the request and answers in good order, with the first half of the body alone.
    Truncated,
    /// Answers 200 with JSON that never ends, as fast as the client reads.
    EndlessBody,
    /// Answers 200 and a few bytes now and then, for ever: no read ever times out.
    Drip(Duration),
    /// Answers what this makes of the request, which has no effect.
    Instead(Arc<dyn Fn(&Request) -> Answer + Send + Sync>),
    /// Applies the request and answers something else than the answer there is.
    Changed(Change),
    /// Sends bytes as they are in place of an answer.
    Bytes {
        /// Whether the request has its effect.
        applied: bool,
        /// Makes the bytes of the answer there is; of an empty object where it is not applied.
        make: Make,
        /// What becomes of the connection then.
        ending: Ending,
    },
    /// Runs something before the request is looked at.
    Before(Hook),
    /// Runs something after the request had its effect and before it is answered.
    After(Hook),
}

impl Fault {
    /// A status with a short page of HTML, as gateways answer.
    pub fn status(status: u16) -> Self {
        let page =
            format!("<html><body><h1>{status}</h1><p>The gateway says no.</p></body></html>");
        Self::Answer(Answer::html(status, page))
    }

    /// 429 with `Retry-After` in seconds.
    pub fn rate_limited(seconds: u64) -> Self {
        let answer = Answer::text(429, "Too Many Requests");
        Self::Answer(answer.header("retry-after", seconds))
    }

    /// 429 that tells the seconds to the reset in `X-RateLimit-Reset` alone.
    pub fn rate_limited_reset(seconds: u64) -> Self {
        let answer = Answer::text(429, "Too Many Requests")
            .header("x-ratelimit-limit", 1000)
            .header("x-ratelimit-remaining", 0)
            .header("x-ratelimit-reset", seconds);
        Self::Answer(answer)
    }

    /// 200 with the login page of a captive portal.
    pub fn captive_portal() -> Self {
        let page = "<!DOCTYPE html><html><head><title>Welcome to Station WiFi</title></head>\
                    <body><form action=\"/login\"><input name=\"room\"></form></body></html>";
        Self::Answer(Answer::html(200, page))
    }

    /// A redirect with this status (302, 307, 308).
    pub fn redirect(status: u16, to: impl ToString) -> Self {
        Self::Answer(Answer::status(status).header("location", to))
    }

    /// Closes the connection instead of answering; the request had its effect.
    pub fn close_applied() -> Self {
        Self::Close { applied: true }
    }

    /// Closes the connection instead of answering; the request had no effect.
    pub fn close_unapplied() -> Self {
        Self::Close { applied: false }
    }

    /// Applies the request and answers what `change` makes of the answer there is.
    pub fn changed(change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Self {
        Self::Changed(Arc::new(change))
    }

    /// Answers what `make` makes of the request, which has no effect.
    pub fn instead(make: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::Instead(Arc::new(make))
    }

    /// Applies the request and answers this.
    pub fn answered(answer: Answer) -> Self {
        Self::changed(move |_, _| answer.clone())
    }

    /// Sends what `make` makes of the answer there is, as it is, in place of it.
    pub fn bytes(
        applied: bool,
        ending: Ending,
        make: impl Fn(&Answer) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        Self::Bytes {
            applied,
            make,
            ending,
        }
    }

    /// Runs `hook` before the request is looked at: what another client did just before. It may
    /// wait.
    pub fn before(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Before(Arc::new(hook))
    }

    /// Runs `hook` once the request had its effect: what another client did just after.
    pub fn after(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self::After(Arc::new(hook))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "Answer({})", answer.status),
            Self::RetryAtDate(seconds) => write!(f, "RetryAtDate({seconds})"),
            Self::Delay(duration) => write!(f, "Delay({duration:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Close { applied } => write!(f, "Close {{ applied: {applied} }}"),
            Self::ResetMidBody => f.write_str("ResetMidBody"),
            Self::Truncated => f.write_str("Truncated"),
            Self::EndlessBody => f.write_str("EndlessBody"),
            Self::Drip(pause) => write!(f, "Drip({pause:?})"),
            Self::Instead(_) => f.write_str("Instead"),
            Self::Changed(_) => f.write_str("Changed"),
            Self::Bytes {
                applied, ending, ..
            } => {
                write!(f, "Bytes {{ applied: {applied}, ending: {ending:?} }}")
            }
            Self::Before(_) => f.write_str("Before"),
            Self::After(_) => f.write_str("After"),
        }
    }
}

/// Which requests a rule is about.
type Matches = Box<dyn Fn(&Request) -> bool + Send>;

struct Rule {
    matches: Matches,
    /// How many matching requests pass before it acts.
    skip: usize,
    /// On how many it then acts.
    left: usize,
    fault: Fault,
}

/// The rules in force. The first that applies to a request decides; each counts the requests
/// that it is about, whether another one decided or not.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// The next request fails so; called again, the one after it.
    pub fn next(&self, fault: Fault) {
        self.times(1, fault);
    }

    /// The next `times` requests fail so.
    pub fn times(&self, times: usize, fault: Fault) {
        self.add(|_| true, 0, times, fault);
    }

    /// The `n`-th request from now fails so; the next one is the first.
    pub fn nth(&self, n: usize, fault: Fault) {
        self.add(|_| true, n.saturating_sub(1), 1, fault);
    }

    /// Every request but the next `n` fails so.
    pub fn after_first(&self, n: usize, fault: Fault) {
        self.add(|_| true, n, usize::MAX, fault);
    }

    /// Every request fails so.
    pub fn always(&self, fault: Fault) {
        self.times(usize::MAX, fault);
    }

    /// Every request with this method and path fails so. A path ending in `*` is a prefix.
    pub fn on(&self, method: &str, path: &str, fault: Fault) {
        self.add(on(method, path), 0, usize::MAX, fault);
    }

    /// The next request with this method and path fails so. A path ending in `*` is a prefix.
    pub fn once_on(&self, method: &str, path: &str, fault: Fault) {
        self.nth_on(1, method, path, fault);
    }

    /// The `n`-th request with this method and path fails so. A path ending in `*` is a prefix.
    pub fn nth_on(&self, n: usize, method: &str, path: &str, fault: Fault) {
        self.add(on(method, path), n.saturating_sub(1), 1, fault);
    }

    /// After `skip` requests for which `matches` is true, the next `times` of them fail so.
    pub fn add(
        &self,
        matches: impl Fn(&Request) -> bool + Send + 'static,
        skip: usize,
        times: usize,
        fault: Fault,
    ) {
        self.rules.lock().unwrap().push(Rule {
            matches: Box::new(matches),
            skip,
            left: times,
            fault,
        });
    }

    /// Everything works again.
    pub fn clear(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// What is to befall this request.
    pub(super) fn decide(&self, request: &Request) -> Option<Fault> {
        let mut decided = None;
        for rule in self.rules.lock().unwrap().iter_mut() {
            if rule.left == 0 || !(rule.matches)(request) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if decided.is_none() {
                rule.left -= 1;
                decided = Some(rule.fault.clone());
            }
        }
        decided
    }
}

fn on(method: &str, path: &str) -> impl Fn(&Request) -> bool + Send + 'static {
    let (method, path) = (method.to_owned(), path.to_owned());
    move |request| {
        request.method == method
            && match path.strip_suffix('*') {
                Some(prefix) => request.path.starts_with(prefix),
                None => request.path == path,
            }
    }
}
