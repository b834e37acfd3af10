//! What a step of a rotation needs next, decided from what the journal says of it and what its store
//! shows now.

use crate::journal::{Old, State, Step};
use crate::words::secret::SecretValue;

/// What a store shows of a target now.
#[derive(Clone, Debug, PartialEq)]
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

/// Whether `seen` is what was there before.
fn is_old(old: &Old, seen: &Seen) -> bool {
    match (old, seen) {
        (Old::Absent, Seen::Absent) => true,
        (Old::Value(old), Seen::Value(seen)) => old == seen,
        _ => false,
    }
}

impl Step {
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
            seen if is_old(&self.old, seen) => Forward::Write,
            _ => Forward::Changed,
        }
    }

    /// What is to be done to have the old value where `seen` is now.
    pub fn back(&self, seen: &Seen) -> Back {
        match (&self.old, seen) {
            (old, seen) if is_old(old, seen) => Back::Done,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::step as target;

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
}
