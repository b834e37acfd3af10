//! When a request is sent again, and how long to wait before.
//!
//! What may pass is waited out for as long as the deadline allows: a server that starts anew takes
//! its time. Two budgets bound it where there is no deadline, or many requests meet one trouble:
//! how often one request is sent again, and how often all of a command are together.

use std::cell::Cell;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;

use super::deadline::Deadline;
use super::request::Request;
use super::response::Response;
use super::trouble::Trouble;
use crate::words::random;

/// How often one request is sent again at most.
const OF_REQUEST: usize = 20;

/// How often one request is sent again where it is not likely that waiting helps.
const OF_UNLIKELY: usize = 4;

/// How often all requests of a command are sent again at most, less those that are answered.
const OF_COMMAND: usize = 400;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(200);

/// How far pauses grow where there is no deadline.
const LONGEST: Duration = Duration::from_secs(5);

/// The shortest wait that a server asks for and that takes nothing from the budgets while there is
/// a deadline. Shorter ones count as the growing pauses do.
const PATIENT: Duration = Duration::from_secs(1);

/// What to wait for before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The next of the growing, jittered pauses.
    Backoff,
    /// The same, a few times: another try is not likely to help.
    Unlikely,
    /// What the server asked for.
    Told(Duration),
}

/// How often a command may still send something again.
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(OF_COMMAND))
    }
}

impl Budget {
    /// Takes one; `false` where none is left.
    fn take(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }

    /// Gives one back: a request was answered, so the command is getting on.
    pub fn give_back(&self) {
        self.0.set((self.0.get() + 1).min(OF_COMMAND));
    }
}

/// The pauses of one request.
pub struct Pauses<'b> {
    growing: Box<dyn Iterator<Item = Duration>>,
    budget: &'b Budget,
    taken: usize,
    is_bounded: bool,
}

impl<'b> Pauses<'b> {
    /// Those of a request that is to be through by `deadline`.
    pub fn new(deadline: &Deadline, budget: &'b Budget) -> Self {
        // So that a tenth of a long time, at the most, is lost where the server is back.
        let longest = deadline.timeout().map_or(LONGEST, |timeout| timeout / 20);
        Self {
            growing: Box::new(growing(OF_REQUEST, longest.max(PATIENT))),
            budget,
            taken: 0,
            is_bounded: deadline.end().is_some(),
        }
    }

    /// How long to wait before the next try; `None` where there is to be none.
    pub fn next(&mut self, decided: Pause) -> Option<Duration> {
        if let Pause::Told(told) = decided
            && told >= PATIENT
            && self.is_bounded
        {
            return Some(spread(told));
        }
        if decided == Pause::Unlikely && self.taken >= OF_UNLIKELY {
            return None;
        }
        let pause = self.growing.next().filter(|_| self.budget.take())?;
        self.taken += 1;
        Some(match decided {
            Pause::Told(told) => pause.max(told),
            Pause::Backoff | Pause::Unlikely => pause,
        })
    }
}

/// The pauses before `times` further tries: 200 ms, doubled up to 5 s, each with jitter that is
/// another in every process, so that those who met one outage do not come back together.
pub fn pauses(times: usize) -> impl Iterator<Item = Duration> {
    growing(times, LONGEST)
}

fn growing(times: usize, longest: Duration) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_jitter_seed(u64::from_ne_bytes(seed()))
        .with_min_delay(SHORTEST)
        .with_max_delay(longest)
        .with_max_times(times)
        .with_jitter()
        .build()
}

/// `told` and up to a tenth of it, at most a second: all whom a server has told the same would come
/// back together.
fn spread(told: Duration) -> Duration {
    let most = (told / 10).min(PATIENT);
    let [part, ..] = seed();
    told.saturating_add(most * u32::from(part) / 255)
}

/// Random, or nothing: without random numbers they come back together, and still come back.
fn seed() -> [u8; 8] {
    let mut seed = [0; 8];
    let _ = random::fill(&mut seed);
    seed
}

/// Whether to try again after `result`. A 429 was refused before anything was done, and a
/// connection that was never made carried nothing: both are safe to repeat for every request.
pub fn decide(request: &Request, result: &Result<Response, Trouble>) -> Option<Pause> {
    match result {
        Ok(response) => {
            let transient = (request.transient)(response.status, &response.body);
            let limited = response.status == StatusCode::TOO_MANY_REQUESTS;
            (transient && (request.repeatable || limited)).then(|| match response.retry_after() {
                Some(pause) if limited || response.status == StatusCode::SERVICE_UNAVAILABLE => {
                    Pause::Told(pause)
                }
                _ => Pause::Backoff,
            })
        }
        Err(trouble) if !trouble.passing() => None,
        Err(trouble) if trouble.unlikely() => Some(Pause::Unlikely),
        Err(trouble) => (trouble.unsent() || request.repeatable).then_some(Pause::Backoff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn all(pauses: &mut Pauses<'_>, decided: Pause) -> Vec<Duration> {
        std::iter::from_fn(|| pauses.next(decided)).collect()
    }

    #[test]
    fn pauses_grow_differ_and_end() {
        let some: Vec<Duration> = pauses(4).collect();
        assert_eq!(some.len(), 4);
        assert!(some.iter().all(|pause| *pause >= SHORTEST));
        assert!(some.iter().sum::<Duration>() < 10 * SECOND);
        assert_ne!(some, Vec::from_iter(pauses(4)));
    }

    #[test]
    fn a_request_outlasts_a_restart_within_its_deadline() {
        let budget = Budget::default();
        for _ in 0..50 {
            let deadline = Deadline::after(Some(30 * SECOND));
            let pauses = all(&mut Pauses::new(&deadline, &budget), Pause::Backoff);
            let mut at = Duration::ZERO;
            let tries = pauses.iter().map(|pause| {
                at += *pause;
                at
            });
            let tries: Vec<Duration> = tries.collect();
            let late = tries
                .iter()
                .any(|at| (20 * SECOND..28 * SECOND).contains(at));
            assert!(late, "{tries:?}");
            let early = tries.iter().filter(|at| **at < 28 * SECOND).count();
            assert!((8..=OF_REQUEST).contains(&early), "{tries:?}");
            (0..OF_REQUEST).for_each(|_| budget.give_back());
        }
    }

    #[test]
    fn without_a_deadline_the_budgets_end_it() {
        let budget = Budget::default();
        let deadline = Deadline::after(None);
        for decided in [
            Pause::Backoff,
            Pause::Told(Duration::ZERO),
            Pause::Told(SECOND),
        ] {
            let pauses = all(&mut Pauses::new(&deadline, &budget), decided);
            assert_eq!(pauses.len(), OF_REQUEST, "{decided:?}");
            assert!(pauses.iter().sum::<Duration>() < 300 * SECOND);
        }
        let tries = |decided| all(&mut Pauses::new(&deadline, &budget), decided).len();
        assert_eq!(tries(Pause::Unlikely), OF_UNLIKELY);
        let all: usize = (0..OF_COMMAND).map(|_| tries(Pause::Backoff)).sum();
        assert_eq!(all, OF_COMMAND - 3 * OF_REQUEST - OF_UNLIKELY);
        budget.give_back();
        assert_eq!(tries(Pause::Backoff), 1);
    }

    #[test]
    fn what_a_server_asks_for_is_kept_to_and_spread() {
        let budget = Budget::default();
        let deadline = Deadline::after(Some(SECOND));
        let mut pauses = Pauses::new(&deadline, &budget);
        for told in [10 * SECOND, Duration::MAX, 3600 * SECOND] {
            let pause = pauses.next(Pause::Told(told)).unwrap();
            assert!(pause >= told && pause <= told.saturating_add(SECOND));
        }
    }
}
