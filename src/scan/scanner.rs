//! What a search looks for, and where not.

use crate::redact::find::Finder;

/// What is looked for, and where not.
pub struct Scanner {
    pub(super) finder: Finder,
    pub(super) binary: bool,
}

impl Scanner {
    /// Looks for what `finder` finds; in binary files only where `binary` says so.
    pub fn new(finder: Finder, binary: bool) -> Self {
        Self { finder, binary }
    }

    /// `text` with stars in the place of values: names of files may hold some.
    pub fn masked(&self, text: &str) -> String {
        let mut masked = String::new();
        let mut at = 0;
        for found in self.finder.find(text.as_bytes()) {
            // Forms are text or cut out of it between characters, except for values that are not.
            let Some(before) = text.get(at.min(found.start)..found.start) else {
                return "***".to_owned();
            };
            if found.start >= at {
                masked.push_str(before);
                masked.push_str("***");
            }
            at = at.max(found.end);
        }
        match text.get(at..) {
            Some(rest) => masked + rest,
            None => "***".to_owned(),
        }
    }
}
