//! When a request is sent again, and how long to wait before.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;

use super::request::Request;
use super::response::Response;
use super::trouble::Trouble;
use crate::words::random;

/// How often a request is sent again.
pub const TIMES: usize = 4;

/// What to wait for before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The next of the growing, jittered pauses.
    Backoff,
    /// What the server asked for.
    Told(Duration),
}

/// The pauses before `times` further tries: 200 ms, doubled up to 5 s, each with jitter that is
/// another in every process, so that those who met one outage do not come back together.
pub fn pauses(times: usize) -> impl Iterator<Item = Duration> {
    let mut seed = [0; 8];
    // Without random numbers they come back together, and still come back.
    let _ = random::fill(&mut seed);
    ExponentialBuilder::default()
        .with_jitter_seed(u64::from_ne_bytes(seed))
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(times)
        .with_jitter()
        .build()
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
        Err(trouble) => (trouble.unsent() || (request.repeatable && trouble.passing()))
            .then_some(Pause::Backoff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<Duration> = pauses(TIMES).collect();
        assert_eq!(pauses.len(), 4);
        assert!(
            pauses
                .iter()
                .all(|pause| *pause >= Duration::from_millis(200))
        );
        assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(10));
        assert_ne!(pauses, Vec::from_iter(super::pauses(TIMES)));
    }
}
