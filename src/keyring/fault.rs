//! What can be wrong with a keyring, and with an entry in it.

use std::fmt;

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

/// Why a call failed, and whether another one can do better.
pub enum Fault {
    /// Nothing can be done with this keyring any more.
    Keyring(Unreachable),
    /// This entry alone is at fault, described without any secret.
    Entry(String),
}

/// What is known of an entry before the `keyring` crate is asked for it.
pub enum Outlook {
    /// There is none, for sure.
    Missing,
    /// There may be one, and reading it will not prompt.
    Possible,
}

/// What an error of the `keyring` crate means. Those of its messages that are passed on hold no
/// value: the variants that carry one are named without it.
impl From<&keyring::Error> for Fault {
    fn from(error: &keyring::Error) -> Self {
        use keyring::Error;
        match error {
            Error::NoStorageAccess(_) => Fault::Keyring(Unreachable::Locked),
            Error::PlatformFailure(why) => Fault::Keyring(Unreachable::Faulty(why.to_string())),
            Error::BadEncoding(_) | Error::BadDataFormat(..) => {
                Fault::Entry("an entry in it is damaged".to_owned())
            }
            Error::Ambiguous(_) => Fault::Entry("it holds two entries of the same name".to_owned()),
            Error::TooLong(..) => Fault::Entry("it does not take entries of that size".to_owned()),
            other => Fault::Keyring(Unreachable::Faulty(other.to_string())),
        }
    }
}
