//! Why keys of an identity were not used, kept until it is known whether another one did.

use std::sync::{Arc, Mutex, PoisonError};

/// What its clones note, too. None of it secret.
#[derive(Clone, Default)]
pub struct Trouble(Arc<Mutex<Vec<String>>>);

impl Trouble {
    /// Keeps `why`, once.
    pub fn note(&self, why: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !noted.contains(&why) {
            noted.push(why);
        }
    }

    /// All that was noted, in one sentence; `None` where that is nothing.
    pub fn words(&self) -> Option<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!noted.is_empty()).then(|| noted.join("; "))
    }
}
