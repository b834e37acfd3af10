//! Whether a secret is due: decided from when it was last rotated and how often it must be.

use jiff::Timestamp;
use serde::Serialize;

use crate::words::duration::HumanDuration;

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
    /// be rotated `every` so often.
    pub fn new(rotated_at: Option<Timestamp>, every: HumanDuration, now: Timestamp) -> Self {
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
        // A clock that was set back makes nothing due.
        assert!(!standing("2029-12-01T00:00:00Z").due);
    }
}
