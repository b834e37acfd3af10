//! A rotation under way, as the journal keeps it: all it takes to finish or to undo it, and how far
//! it is for sure. Deciding what to do next about a target is done here, from what was seen of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::words::scope::Scope;
use crate::words::secret::{Reference, SecretValue};

/// A rotation that was begun and is not closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rotation {
    /// The secret that is rotated.
    pub secret: Reference,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What it writes, the secret first.
    pub targets: Vec<Target>,
    /// A command that checks each target's new value.
    pub verify: Option<String>,
    /// A command that runs after a rollback.
    pub on_rollback: Option<String>,
    /// Whether that command has run since the last step forward.
    pub told_rollback: bool,
    /// Where it was going last.
    pub direction: Direction,
}

/// Where a rotation is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the new values.
    Forward,
    /// To the old ones.
    Back,
}

/// One secret that a rotation writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Which one.
    pub reference: Reference,
    /// What its store's names stood for when the rotation was begun.
    pub scope: Scope,
    /// Whether its value can be read back.
    pub readable: bool,
    /// The value that is to be there in the end.
    #[serde(with = "value")]
    pub new: SecretValue,
    /// What is written beside it.
    pub attributes: BTreeMap<String, String>,
    /// What was there before.
    pub old: Old,
    /// How far it is.
    pub state: State,
}

/// What was there before a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Old {
    /// Nothing.
    Absent,
    /// This value.
    Value(#[serde(with = "value")] SecretValue),
    /// A value that cannot be read.
    Hidden,
}

/// How far a target is, for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What was there before is there.
    Untouched,
    /// The new value may have been written, or may be in the middle of it.
    Unclear,
    /// The new value is there.
    Written,
}

/// What a store shows of a target now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is there.
    Absent,
    /// This value is there.
    Value(SecretValue),
    /// Something is there whose value cannot be read.
    Hidden,
}

/// What brings a target to its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nothing: it is there.
    Done,
    /// Writing it.
    Write,
    /// Somebody else has written another value meanwhile, which is not keyfob's to replace.
    Changed,
}

/// What brings a target back to what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// Nothing: it is there.
    Done,
    /// Writing the old value.
    Write,
    /// Deleting what was not there before.
    Delete,
    /// Nothing does: the old value is not known.
    Impossible,
    /// Somebody else has written another value meanwhile, which is not keyfob's to replace.
    Changed,
}

impl Old {
    fn is(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Self::Absent, Seen::Absent) => true,
            (Self::Value(old), Seen::Value(seen)) => old == seen,
            _ => false,
        }
    }
}

impl Target {
    /// What is to be done to have the new value where `seen` is now.
    pub fn forward(&self, seen: &Seen) -> Forward {
        match seen {
            Seen::Value(value) if *value == self.new => Forward::Done,
            Seen::Hidden if self.state == State::Written => Forward::Done,
            Seen::Hidden if self.state == State::Untouched && matches!(self.old, Old::Absent) => {
                Forward::Changed
            }
            // What cannot be read is written again: that does no harm to a value that is there.
            Seen::Hidden => Forward::Write,
            Seen::Absent if !self.readable => Forward::Write,
            seen if self.old.is(seen) => Forward::Write,
            _ => Forward::Changed,
        }
    }

    /// What is to be done to have the old value where `seen` is now.
    pub fn back(&self, seen: &Seen) -> Back {
        match (&self.old, seen) {
            (old, seen) if old.is(seen) => Back::Done,
            _ if self.state == State::Untouched => match self.readable {
                // Nothing was sent, so what is there is somebody else's.
                true => Back::Changed,
                false => Back::Done,
            },
            (Old::Hidden, _) => Back::Impossible,
            (Old::Absent, Seen::Hidden) => Back::Delete,
            (Old::Absent, Seen::Value(value)) if *value == self.new => Back::Delete,
            (Old::Value(_), Seen::Value(value)) if *value == self.new => Back::Write,
            _ => Back::Changed,
        }
    }
}

/// Values in JSON: as base64, since they are any bytes.
mod value {
    use super::*;

    pub fn serialize<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(BASE64.encode(value.expose()));
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretValue, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = BASE64.decode(text.as_bytes());
        // Its own error would quote what it could not decode.
        bytes
            .map(SecretValue::new)
            .map_err(|_| serde::de::Error::custom("a value is no base64"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::digest;

    /// A target that holds `new` and has held `old`.
    pub fn target(readable: bool, old: Old, state: State) -> Target {
        Target {
            reference: "keyfob://web/K".parse().unwrap(),
            scope: serde_json::from_value(digest::of_parts(&["web"]).into()).unwrap(),
            readable,
            new: "new".into(),
            attributes: BTreeMap::new(),
            old,
            state,
        }
    }

    fn old() -> Old {
        Old::Value("old".into())
    }

    fn value(text: &str) -> Seen {
        Seen::Value(text.into())
    }

    #[test]
    fn readable_targets_go_by_what_is_there() {
        use State::{Unclear, Untouched, Written};
        for state in [Untouched, Unclear, Written] {
            let target = target(true, old(), state);
            assert_eq!(target.forward(&value("new")), Forward::Done);
            assert_eq!(target.forward(&value("old")), Forward::Write);
            assert_eq!(target.forward(&value("theirs")), Forward::Changed);
            assert_eq!(target.forward(&Seen::Absent), Forward::Changed);
            assert_eq!(target.back(&value("old")), Back::Done);
        }
        for state in [Unclear, Written] {
            let there = target(true, old(), state);
            assert_eq!(there.back(&value("new")), Back::Write);
            assert_eq!(there.back(&value("theirs")), Back::Changed);
            assert_eq!(there.back(&Seen::Absent), Back::Changed);
            let made = target(true, Old::Absent, state);
            assert_eq!(made.forward(&Seen::Absent), Forward::Write);
            assert_eq!(made.forward(&value("theirs")), Forward::Changed);
            assert_eq!(made.back(&Seen::Absent), Back::Done);
            assert_eq!(made.back(&value("new")), Back::Delete);
            assert_eq!(made.back(&value("theirs")), Back::Changed);
        }
        assert_eq!(
            target(true, Old::Absent, Untouched).back(&value("new")),
            Back::Changed
        );
    }

    #[test]
    fn hidden_targets_go_by_the_journal() {
        use State::{Unclear, Untouched, Written};
        let hidden = |state| target(false, Old::Hidden, state);
        assert_eq!(hidden(Written).forward(&Seen::Hidden), Forward::Done);
        assert_eq!(hidden(Written).forward(&Seen::Absent), Forward::Write);
        assert_eq!(hidden(Unclear).forward(&Seen::Hidden), Forward::Write);
        assert_eq!(hidden(Unclear).forward(&Seen::Absent), Forward::Write);
        assert_eq!(hidden(Untouched).forward(&Seen::Hidden), Forward::Write);
        for seen in [Seen::Hidden, Seen::Absent] {
            assert_eq!(hidden(Written).back(&seen), Back::Impossible);
            assert_eq!(hidden(Unclear).back(&seen), Back::Impossible);
            assert_eq!(hidden(Untouched).back(&seen), Back::Done);
        }
        let made = |state| target(false, Old::Absent, state);
        assert_eq!(made(Written).back(&Seen::Hidden), Back::Delete);
        assert_eq!(made(Unclear).back(&Seen::Hidden), Back::Delete);
        assert_eq!(made(Unclear).back(&Seen::Absent), Back::Done);
        assert_eq!(made(Unclear).forward(&Seen::Hidden), Forward::Write);
        assert_eq!(made(Untouched).forward(&Seen::Absent), Forward::Write);
        assert_eq!(made(Untouched).forward(&Seen::Hidden), Forward::Changed);
        // Nothing was sent, so what is there is somebody else's.
        assert_eq!(made(Untouched).back(&Seen::Hidden), Back::Done);
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(new: Vec<u8>, old: Vec<u8>) {
            let mut kept = target(true, Old::Value(SecretValue::new(old.clone())), State::Unclear);
            kept.new = SecretValue::new(new.clone());
            let json = serde_json::to_vec(&kept).unwrap();
            let back: Target = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(back.new.expose(), &new[..]);
            prop_assert!(matches!(back.old, Old::Value(value) if value.expose() == &old[..]));
            prop_assert_eq!(back.state, State::Unclear);
            prop_assert_eq!(back.reference, kept.reference);
        }
    }

    #[test]
    fn it_says_nothing_of_its_values() {
        let text = format!(
            "{:?}",
            target(true, Old::Value("hunter2".into()), State::Written)
        );
        assert!(
            !text.contains("hunter2") && !text.contains("new\""),
            "{text}"
        );
    }
}
