//! What is wrong with a vault that can be read.

use super::Vault;
use super::meeting::canonical;
use crate::words::shown::ShownPath as _;

/// Something that the user should see to: what it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Its merge is unfinished.
    Unmerged { what: String, remedy: String },
    /// Nobody may have written it who could read it, and it is not written to.
    Unaccepted { what: String, remedy: String },
    /// Everybody on the machine can write to it.
    OpenToAll { what: String, remedy: String },
}

impl Vault {
    /// What is wrong with it, as far as it can be read.
    pub fn concerns(&self) -> Vec<Concern> {
        let path = self.path.shown();
        let mut concerns = Vec::new();
        if self.is_unmerged(&self.path) {
            concerns.push(Concern::Unmerged {
                what: format!("the vault {path} is in the middle of a merge"),
                remedy: self.way_out_of_merge(),
            });
        }
        if self.path.exists()
            && let Ok(Some(unaccepted)) = self.unaccepted()
        {
            concerns.push(Concern::Unaccepted {
                what: unaccepted.why,
                remedy: self.command("vault recipients accept"),
            });
        }
        let target = canonical(&self.path);
        if let Some(mode) = super::meeting::mode_open_to_all(&target) {
            concerns.push(Concern::OpenToAll {
                what: format!("everybody on this machine can write to {path} (mode {mode:04o})"),
                remedy: format!("chmod o-w {}", target.shown().typed()),
            });
        }
        concerns
    }
}
