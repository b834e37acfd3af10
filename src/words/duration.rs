//! Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`, `30d`, and `0`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SpanRelativeTo, Timestamp};

use crate::words::error::{Error, Result};
use crate::words::shown;

/// The units, the longest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why most texts are no duration.
const UNREADABLE: &str = "write numbers with the units d, h, m, s and ms, longer ones first";

/// A hundred years: far beyond any use, and safe to add to any clock.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// A duration in whole milliseconds, of at most 36500 days when it was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// The duration itself.
    pub fn get(self) -> Duration {
        self.0
    }

    /// The duration, or `None` for `0`, which stands for "no limit" where an option allows it.
    pub fn limit(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }

    /// `duration` as people say it: in its two longest units at most, `2h5m`, rounded down to whole
    /// seconds.
    pub fn coarse(duration: Duration) -> String {
        const HOUR: u64 = 3600;
        let seconds = duration.as_secs();
        let unit = match seconds {
            0 => return "0s".to_owned(),
            1..HOUR => 1,
            HOUR..86_400 => 60,
            _ => HOUR,
        };
        Self::from(Duration::from_secs(seconds - seconds % unit)).to_string()
    }
}

/// How long ago `since` was at `now`, as [`HumanDuration::coarse`] says it; a time in the future is
/// now.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(since);
    HumanDuration::coarse(age.try_into().unwrap_or_default())
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for HumanDuration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let hint = "durations are written 500ms, 30s, 5m, 1h30m or 30d";
            Error::usage(format!("{} is no duration: {why}", shown::quoted(text))).hint(
                match bare {
                    true if text.len() < 6 => format!("write {text}s for seconds; {hint}"),
                    _ => hint.to_owned(),
                },
            )
        };
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        // jiff reads more: other units and their long names, signs, fractions and blanks.
        let known = text
            .split(|c: char| c.is_ascii_digit())
            .all(|unit| unit.is_empty() || UNITS.iter().any(|(name, _)| *name == unit));
        let span = SpanParser::new().parse_span(text).ok().filter(|_| known);
        let span = span.ok_or_else(|| bad(UNREADABLE))?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
        duration
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| *duration <= LONGEST)
            .map(Self)
            .ok_or_else(|| bad("it is longer than 36500d"))
    }
}

impl fmt::Display for HumanDuration {
    /// The shortest writing that reads back as the same whole milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0");
        }
        for (name, size) in UNITS {
            let count = millis / u128::from(size);
            if count > 0 {
                write!(f, "{count}{name}")?;
                millis %= u128::from(size);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn coarse_durations_have_two_units() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m1s"),
            (7_200 + 300 + 59, "2h5m"),
            (86_399, "23h59m"),
            (3 * 86_400 + 7_199, "3d1h"),
        ] {
            assert_eq!(HumanDuration::coarse(Duration::from_secs(seconds)), words);
        }
        assert_eq!(HumanDuration::coarse(Duration::from_millis(999)), "0s");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_older() {
        let now: Timestamp = "2030-01-10T00:00:00Z".parse().unwrap();
        let age = |since: &str| age(since.parse().unwrap(), now);
        assert_eq!(age("2030-01-09T21:54:55Z"), "2h5m");
        assert_eq!(age("2030-01-11T00:00:00Z"), "0s");
    }

    fn millis(text: &str) -> u128 {
        text.parse::<HumanDuration>().unwrap().get().as_millis()
    }

    #[test]
    fn the_writings_of_the_manual() {
        assert_eq!(millis("500ms"), 500);
        assert_eq!(millis("30s"), 30_000);
        assert_eq!(millis("5m"), 300_000);
        assert_eq!(millis("1h30m"), 5_400_000);
        assert_eq!(millis("30d"), 2_592_000_000);
        assert_eq!(millis("1m500ms"), 60_500);
        assert_eq!(millis("36500d"), LONGEST.as_millis());
    }

    #[test]
    fn nought_is_no_limit() {
        assert_eq!("0".parse::<HumanDuration>().unwrap().limit(), None);
        assert_eq!("0s".parse::<HumanDuration>().unwrap().limit(), None);
        assert_eq!(
            "1s".parse::<HumanDuration>().unwrap().limit(),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, why) in [
            ("", UNREADABLE),
            ("30", UNREADABLE),
            ("00", UNREADABLE),
            ("s", UNREADABLE),
            ("-5s", UNREADABLE),
            ("1.5h", UNREADABLE),
            ("5 m", UNREADABLE),
            ("5M", UNREADABLE),
            ("30m1h", UNREADABLE),
            ("1m1m", UNREADABLE),
            ("36501d", "it is longer than 36500d"),
            ("99999999999999999999s", UNREADABLE),
            ("213503982335d", UNREADABLE),
        ] {
            let error = text.parse::<HumanDuration>().unwrap_err();
            assert_eq!(
                error.message(),
                format!("{text:?} is no duration: {why}"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_longest_units_are_shown_first() {
        let shown = |millis| HumanDuration(Duration::from_millis(millis)).to_string();
        assert_eq!(shown(5_400_000), "1h30m");
        assert_eq!(shown(2_592_000_000), "30d");
        assert_eq!(shown(0), "0");
        assert_eq!(shown(86_461_001), "1d1m1s1ms");
    }

    proptest! {
        #[test]
        fn durations_survive_writing_and_reading(millis in 0..=LONGEST.as_millis() as u64) {
            let duration = HumanDuration(Duration::from_millis(millis));
            prop_assert_eq!(duration.to_string().parse::<HumanDuration>().unwrap(), duration);
        }

        #[test]
        fn no_text_panics(text in "[0-9dhms ]{0,12}|\\PC{0,8}") {
            if let Ok(duration) = text.parse::<HumanDuration>() {
                prop_assert!(duration.get() <= LONGEST);
            }
        }
    }
}
