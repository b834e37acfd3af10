//! What every keyring can do, and what can be wrong with one.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// What keeps secrets under names: the OS keyring, the kernel's, or a test's.
pub trait Ring: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;
    /// Whether it can be used, found out without reading or writing anything in it.
    fn is_reachable(&self) -> bool;
    /// The secret kept under `account`, or `None` where there is none.
    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable>;
    /// All secrets kept under `account`: other programs and restored backups may have made a second
    /// entry of a name, and whoever knows what the right one must be can tell them apart.
    fn get_all(&self, account: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, Unreachable> {
        Ok(self.get(account)?.into_iter().collect())
    }
    /// Keeps `secret` under `account`, replacing what was there. A ring that can forget by itself
    /// does so after `lifetime`, where there is one.
    fn set(
        &self,
        account: &str,
        secret: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), Unreachable>;
    /// Forgets what is kept under `account`; tells whether there was something.
    fn delete(&self, account: &str) -> Result<bool, Unreachable>;
}

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
            Unreachable::Slow => f.write_str("the OS keyring did not answer in time"),
            Unreachable::Faulty(what) => write!(f, "the OS keyring is faulty: {what}"),
        }
    }
}

/// Why a call failed, and whether another one can do better.
pub enum Fault {
    /// Nothing can be done with this keyring any more.
    Keyring(Unreachable),
    /// This entry alone is at fault, described without any secret.
    Entry(String),
}
