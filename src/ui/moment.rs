//! Times as people tell them.

use jiff::Timestamp;

/// The units, in seconds.
const UNITS: [(&str, i64); 5] = [
    ("minute", 60),
    ("hour", 3_600),
    ("day", 86_400),
    ("month", 2_629_800),
    ("year", 31_557_600),
];

/// How far `at` is from `now`: "3 days ago", "in 2 hours".
pub fn told(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second().saturating_sub(now.as_second());
    let far = seconds.saturating_abs();
    let unit = UNITS.iter().rev().find(|(_, size)| far >= *size);
    let Some((name, size)) = unit else {
        return if seconds > 0 {
            "in a moment"
        } else {
            "just now"
        }
        .to_owned();
    };
    let count = far / size;
    let many = if count == 1 { "" } else { "s" };
    match seconds > 0 {
        true => format!("in {count} {name}{many}"),
        false => format!("{count} {name}{many} ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit() {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        for (seconds, words) in [
            (0, "just now"),
            (-59, "just now"),
            (30, "in a moment"),
            (-60, "1 minute ago"),
            (-3 * 86_400, "3 days ago"),
            (2 * 3_600 + 59, "in 2 hours"),
            (-40 * 86_400, "1 month ago"),
            (800 * 86_400, "in 2 years"),
        ] {
            let at = Timestamp::from_second(now.as_second() + seconds).unwrap();
            assert_eq!(told(at, now), words);
        }
    }
}
