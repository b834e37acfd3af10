//! How long a server asks to wait, and what its clock says.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// A server that asks for a longer wait is not waited for, deadline or none.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The forms of dates that HTTP knows, beside the one that `rfc2822` reads; that one, too, for its
/// last years, which are beyond what a time zone can be taken off from.
const FORMS: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// A larger `x-ratelimit-reset` is a Unix time, not a number of seconds to wait.
const UNIX_TIME: f64 = 1e9;

/// A larger one is a Unix time in milliseconds.
const MILLISECONDS: f64 = 1e11;

/// A larger one is neither.
const ABSURD: f64 = 1e14;

/// A date in any of the forms that HTTP has had.
pub fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let common = rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    common.or_else(|| {
        let parsed = FORMS
            .iter()
            .find_map(|form| strtime::parse(form, text).ok())?;
        let parsed: DateTime = parsed.to_datetime().ok()?;
        let zoned = parsed.to_zoned(TimeZone::UTC);
        // The end of time, for the last day of the year 9999.
        Some(zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
    })
}

/// The wait that `Retry-After` asks for at `now`, in seconds or as a date. None is the past, and
/// what makes no sense.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match seconds(text) {
        Some(seconds) => duration(seconds),
        None => until(date(text)?, now),
    };
    wait.filter(|wait| !wait.is_zero())
}

/// The wait that a vendor's header of resets asks for: seconds to wait, or a Unix time in seconds or
/// milliseconds.
pub fn reset(text: &str, now: Timestamp) -> Option<Duration> {
    let number = seconds(text).filter(|number| *number < ABSURD)?;
    let at = |seconds: f64| {
        let since = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
        Timestamp::UNIX_EPOCH.checked_add(since).ok()
    };
    let wait = match number {
        MILLISECONDS.. => until(at(number / 1000.0)?, now),
        UNIX_TIME.. => until(at(number)?, now),
        _ => duration(number),
    };
    wait.filter(|wait| !wait.is_zero())
}

/// Digits, and a fraction.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

/// As long as can be where that is not enough.
fn duration(seconds: f64) -> Option<Duration> {
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn until(at: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "1994-11-06T08:49:37Z".parse().unwrap()
    }

    #[test]
    fn the_three_dates_of_http_are_one() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 6 Nov 1994 08:49:37 +0000 ",
        ] {
            assert_eq!(date(text), Some(now()), "{text}");
        }
        for text in ["", "Sunday", "06 Nov", "Sun Nov 31 08:49:37 1994", "0"] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(date("Fri, 31 Dec 9999 23:59:59 GMT"), Some(Timestamp::MAX));
    }

    #[test]
    fn waits_are_seconds_or_dates_and_never_nothing() {
        let wait = |text| retry_after(text, now());
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait("7"), seconds(7));
        assert_eq!(wait(" 120.0 "), seconds(120));
        assert_eq!(wait("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), seconds(60));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT"), seconds(60));
        assert_eq!(wait("Sun Nov  6 08:50:37 1994"), seconds(60));
        assert!(wait("Fri, 31 Dec 9999 23:59:59 GMT") > seconds(1 << 37));
        for text in [
            "0",
            "0.0",
            "-1",
            "",
            ".",
            "1e9",
            "inf",
            "NaN",
            "soon",
            "1.2.3",
            "Sun, 06 Nov 1994 08:40:37 GMT",
        ] {
            assert_eq!(wait(text), None, "{text}");
        }
        for text in [
            "9223372036854775808",
            "18446744073709551615",
            "99999999999999999999999999",
        ] {
            assert!(wait(text) >= seconds(1 << 62), "{text}");
        }
    }

    #[test]
    fn resets_are_waits_or_times() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let wait = |text| reset(text, now);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait("12"), seconds(12));
        assert_eq!(wait("1800000060"), seconds(60));
        assert_eq!(wait("1800000060000"), seconds(60));
        for text in ["0", "1799999999", "1799999999000", "1800000060000000", "-5"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
