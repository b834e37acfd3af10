//! What was tried and is yet to be looked at.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::wire::Old;
use crate::journal::Open;
use crate::words::batch::Action;
use crate::words::secret::{Mark, Name};

/// What to do with a replacement that is open.
pub const RESUME: &str =
    "its new value is kept, encrypted: keyfob rotate --resume finishes the replacement";

/// How it is known that a secret was created.
pub enum Creation {
    /// The server has said so, and perhaps what it made.
    Said(Option<Mark>),
    /// The answer was lost, and the list has one: it may be somebody else's.
    Seen,
}

/// What was stored, as the answer says.
pub struct Tried {
    /// What was done.
    pub action: Action,
    /// How that is known.
    pub made: Creation,
    /// What was there before, and may still be listed.
    pub old: Option<Old>,
    /// The replacement that is closed when the new one was seen.
    pub open: Option<Open>,
}

/// The secrets of which the answers make no sense, and what was there before of those that were to
/// go.
#[derive(Default)]
pub struct Doubts(RefCell<BTreeMap<Name, Option<Old>>>);

impl Doubts {
    /// Notes one.
    pub fn note(&self, name: &Name, old: Option<Old>) {
        self.0.borrow_mut().insert(name.clone(), old);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether `name` is among them.
    pub fn has(&self, name: &Name) -> bool {
        self.0.borrow().contains_key(name)
    }

    /// What was there before of `name`, which was to go.
    pub fn old(&self, name: &Name) -> Option<Old> {
        self.0.borrow().get(name).cloned().flatten()
    }
}
