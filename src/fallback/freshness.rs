//! Whether a snapshot is fresh enough. Pure: the time is handed in.

use std::time::Duration;

use jiff::Timestamp;

/// How far clocks may be apart before a time in the future makes no sense.
const TOLERANCE: Duration = Duration::from_secs(60);

/// What a snapshot's time says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It may be used, and is so old.
    Fresh(Duration),
    /// It is so old, and may not be used.
    Stale(Duration),
    /// It claims to be from so far in the future: a clock is or was wrong, so its age is not known.
    Ahead(Duration),
}

/// Judges a snapshot that was taken at `taken_at`, where none older than `max_stale` is wanted.
pub fn judge(taken_at: Timestamp, now: Timestamp, max_stale: Duration) -> Freshness {
    let age = now.duration_since(taken_at);
    let distance = age.unsigned_abs();
    if age.is_negative() {
        return match distance > TOLERANCE {
            true => Freshness::Ahead(distance),
            false => Freshness::Fresh(Duration::ZERO),
        };
    }
    match distance > max_stale {
        true => Freshness::Stale(distance),
        false => Freshness::Fresh(distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_at(age_in_seconds: i64, max_stale: u64) -> Freshness {
        let taken_at = Timestamp::from_second(1_700_000_000).unwrap();
        let now = Timestamp::from_second(1_700_000_000 + age_in_seconds).unwrap();
        judge(taken_at, now, Duration::from_secs(max_stale))
    }

    #[test]
    fn what_is_no_older_than_allowed_is_fresh() {
        let seconds = Duration::from_secs;
        for (age, max_stale, judged) in [
            (0, 10, Freshness::Fresh(seconds(0))),
            (10, 10, Freshness::Fresh(seconds(10))),
            (11, 10, Freshness::Stale(seconds(11))),
            (-60, 10, Freshness::Fresh(seconds(0))),
            (-61, 10, Freshness::Ahead(seconds(61))),
            (-1_000_000, 10, Freshness::Ahead(seconds(1_000_000))),
            (
                i64::MAX / 1_000_000_000,
                10,
                Freshness::Stale(seconds(9_223_372_036)),
            ),
        ] {
            assert_eq!(judge_at(age, max_stale), judged, "{age}");
        }
    }
}
