//! The keyrings of macOS and Windows, which are always there; the system's own rules decide whether
//! a person is asked.

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::ring::{Fault, Unreachable};
use crate::words::env::Environment;

/// What this platform's keyring is called.
pub(super) const NAME: &str = if cfg!(windows) {
    "Credential Manager"
} else {
    "Keychain"
};

/// Whether it may ask a person whether this program is to be let in: macOS does after each update, as
/// it knows programs by their code.
pub(super) const ASKS: bool = cfg!(target_os = "macos");

/// The way to it.
pub(super) struct Gate;

impl Gate {
    pub(super) fn new(_env: &Environment) -> Option<Self> {
        Some(Self)
    }

    /// Where it is: there is but one.
    pub(super) fn address(&self) -> &str {
        NAME
    }

    /// Whether entries can be kept.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        Entry::store_status().as_ref().map(|_| ()).map_err(fault)
    }

    /// What is kept under `account`: one secret at most, as there is one entry of a name.
    pub(super) fn read(
        &mut self,
        service: &str,
        account: &str,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Fault> {
        match self.entry(service, account)?.get_secret() {
            Ok(secret) => Ok(vec![Zeroizing::new(secret)]),
            Err(Error::NoEntry) => Ok(Vec::new()),
            Err(error) => Err(fault(&error)),
        }
    }

    /// Keeps `secret` under `account`, in place of what is there.
    pub(super) fn write(
        &mut self,
        service: &str,
        account: &str,
        secret: &[u8],
    ) -> Result<(), Fault> {
        let entry = self.entry(service, account)?;
        entry.set_secret(secret).map_err(|error| fault(&error))
    }

    /// Forgets what is kept under `account`; tells whether there was anything.
    pub(super) fn delete(&mut self, service: &str, account: &str) -> Result<bool, Fault> {
        match self.entry(service, account)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(fault(&error)),
        }
    }

    /// The entry of `account`; the first one connects the crate to its store.
    fn entry(&mut self, service: &str, account: &str) -> Result<Entry, Fault> {
        self.check()?;
        Entry::new(service, account).map_err(|error| fault(&error))
    }
}

/// What an error of the crate means. Those of its messages that are passed on hold no value: the
/// variants that carry one are named without it.
fn fault(error: &Error) -> Fault {
    match error {
        Error::NoStorageAccess(_) => Fault::Keyring(Unreachable::Locked),
        Error::PlatformFailure(why) => Fault::Keyring(Unreachable::Faulty(why.to_string())),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            Fault::Entry("an entry in it is damaged".to_owned())
        }
        Error::TooLong(..) => Fault::Entry("it does not take entries of that size".to_owned()),
        other => Fault::Keyring(Unreachable::Faulty(other.to_string())),
    }
}
