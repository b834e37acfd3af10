//! The one deadline that bounds all network work of a command.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long one try may take where there is no deadline at all.
const UNBOUNDED_ATTEMPT: Duration = Duration::from_secs(60);

/// Time that was spent on waiting in vain for something that is no network work, and that no
/// deadline is to be shortened by. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lost(Arc<AtomicU64>);

impl Lost {
    /// Adds `time`, in whole milliseconds.
    pub fn add(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The end of the command's network work, moved on while bulk work makes progress.
#[derive(Debug)]
pub struct Deadline {
    timeout: Option<Duration>,
    end: Cell<Option<Instant>>,
    lost: Lost,
}

impl Deadline {
    /// A deadline `timeout` from now; `None` is no deadline.
    pub fn after(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            end: Cell::new(timeout.and_then(|timeout| Instant::now().checked_add(timeout))),
            lost: Lost::default(),
        }
    }

    /// The same, which moves by the time that is `lost`.
    pub fn less(self, lost: Lost) -> Self {
        Self { lost, ..self }
    }

    /// The moment itself; `None` where there is no deadline.
    pub fn end(&self) -> Option<Instant> {
        let end = self.end.get()?;
        Some(end.checked_add(self.lost.get()).unwrap_or(end))
    }

    /// How long the work was given when it began.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How much is left; `None` where there is no deadline, zero where it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.end()
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether something that takes `pause` still ends before the deadline.
    pub fn allows(&self, pause: Duration) -> bool {
        self.remaining().is_none_or(|remaining| pause < remaining)
    }

    /// Starts the deadline anew: a step of a bulk command is done, so the work is not stuck.
    pub fn progressed(&self) {
        self.extend_to(self.timeout);
    }

    /// Moves the deadline so that at least `wait` more fits: a wait the user asked for.
    pub fn make_room(&self, wait: Duration) {
        self.extend_to(self.timeout.map(|timeout| timeout.saturating_add(wait)));
    }

    fn extend_to(&self, from_now: Option<Duration>) {
        let new = from_now.and_then(|from_now| Instant::now().checked_add(from_now));
        self.end.set(self.end.get().max(new));
    }

    /// How long one try may take, so that a silent server leaves room for a second one: two
    /// thirds of the timeout, 60 s where there is none. `None` once the deadline has passed.
    pub fn attempt_limit(&self) -> Option<Duration> {
        let Some(remaining) = self.remaining() else {
            return Some(UNBOUNDED_ATTEMPT);
        };
        let share = self.timeout.unwrap_or(UNBOUNDED_ATTEMPT) * 2 / 3;
        (!remaining.is_zero()).then(|| remaining.min(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_is_no_deadline() {
        let deadline = Deadline::after(None);
        deadline.progressed();
        assert_eq!(deadline.remaining(), None);
        assert!(deadline.allows(Duration::from_secs(1 << 40)));
    }

    #[test]
    fn a_passed_deadline_allows_nothing() {
        let deadline = Deadline::after(Some(Duration::ZERO));
        assert_eq!(deadline.attempt_limit(), None);
        assert!(!deadline.allows(Duration::ZERO));
    }

    #[test]
    fn one_try_leaves_room_for_another() {
        let deadline = Deadline::after(Some(Duration::from_secs(30)));
        assert_eq!(deadline.attempt_limit(), Some(Duration::from_secs(20)));
    }

    #[test]
    fn what_is_lost_elsewhere_is_not_taken_off() {
        let lost = Lost::default();
        let deadline = Deadline::after(Some(Duration::from_secs(1))).less(lost.clone());
        assert!(!deadline.allows(Duration::from_secs(2)));
        lost.add(Duration::from_secs(2));
        assert!(deadline.allows(Duration::from_secs(2)));
    }

    #[test]
    fn a_wait_asked_for_moves_the_deadline() {
        let deadline = Deadline::after(Some(Duration::from_secs(1)));
        deadline.make_room(Duration::from_secs(100));
        assert!(deadline.allows(Duration::from_secs(100)));
    }
}
