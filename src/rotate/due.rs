//! Whether a secret is due: decided from when it was last rotated and how often it must be.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::words::duration::HumanDuration;

/// By how much the clocks of a server and of this machine may differ without anybody's fault.
const SLACK: SignedDuration = SignedDuration::from_mins(5);

/// Whether a rotation of `at` cannot have been: the clock was wrong then, or is now.
pub fn is_to_come(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > SLACK
}

/// How a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// When the secret was last rotated; `None` where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Timestamp>,
    /// When it is due; `None` where it is not known when it was rotated: it is due then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Whether it is due now.
    pub due: bool,
}

impl Standing {
    /// How a policy stands at `now`, by which a secret that was last rotated at `rotated_at` is to
    /// be rotated `every` so often. A time that is to come says nothing.
    pub fn new(rotated_at: Option<Timestamp>, every: HumanDuration, now: Timestamp) -> Self {
        let rotated_at = rotated_at.filter(|at| !is_to_come(*at, now));
        let due_at = rotated_at.map(|rotated_at| {
            rotated_at
                .checked_add(every.get())
                .unwrap_or(Timestamp::MAX)
        });
        Self {
            rotated_at,
            due_at,
            due: due_at.is_none_or(|due_at| due_at <= now),
        }
    }
}

/// How a policy stands whose targets stand like this: as the oldest of them does.
pub fn oldest(targets: impl IntoIterator<Item = Standing>) -> Option<Standing> {
    // Not known is older than any time.
    targets
        .into_iter()
        .min_by_key(|standing| standing.rotated_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_long_ago_is_due() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let every = "30d".parse().unwrap();
        let rotated = at("2030-01-01T00:00:00Z");
        let standing = |now| Standing::new(Some(rotated), every, at(now));
        assert!(!standing("2030-01-30T23:59:59Z").due);
        assert!(standing("2030-01-31T00:00:00Z").due);
        assert_eq!(
            standing("2030-01-02T00:00:00Z").due_at,
            Some(at("2030-01-31T00:00:00Z"))
        );
        assert!(Standing::new(None, every, rotated).due);
        // Clocks differ a little.
        assert!(!standing("2029-12-31T23:58:00Z").due);
        // A rotation that is to come does not keep the secret from being rotated until then.
        let wrong = standing("2029-12-01T00:00:00Z");
        assert!(wrong.due && wrong.rotated_at.is_none());
    }

    #[test]
    fn the_oldest_target_decides() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let every = "30d".parse().unwrap();
        let now = at("2030-02-01T00:00:00Z");
        let [old, new] = ["2030-01-01T00:00:00Z", "2030-01-31T00:00:00Z"]
            .map(|text| Standing::new(Some(at(text)), every, now));
        let unknown = Standing::new(None, every, now);
        assert_eq!(oldest([new, old]), Some(old));
        assert_eq!(oldest([new, unknown, old]), Some(unknown));
        assert_eq!(oldest([]), None);
    }
}
