//! A keyring for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::keyring::{Ring, Unreachable};

/// A keyring in memory, which can be told to be out of reach or to forget.
#[derive(Default)]
pub struct FakeKeyring {
    pub kept: Mutex<BTreeMap<String, Vec<u8>>>,
    pub absent: Mutex<bool>,
    pub forgetful: bool,
}

impl FakeKeyring {
    pub fn absent() -> Self {
        Self {
            absent: true.into(),
            ..Self::default()
        }
    }

    fn reached(&self) -> Result<(), Unreachable> {
        match *self.absent.lock().unwrap() {
            true => Err(Unreachable::Absent),
            false => Ok(()),
        }
    }
}

impl Ring for FakeKeyring {
    fn name(&self) -> &'static str {
        "a test's keyring"
    }

    fn is_reachable(&self) -> bool {
        self.reached().is_ok()
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
        self.reached()?;
        let kept = self.kept.lock().unwrap();
        Ok(kept.get(account).cloned().map(Zeroizing::new))
    }

    fn set(&self, account: &str, text: &[u8], _for: Option<Duration>) -> Result<(), Unreachable> {
        self.reached()?;
        if !self.forgetful {
            let mut kept = self.kept.lock().unwrap();
            kept.insert(account.to_owned(), text.to_vec());
        }
        Ok(())
    }

    fn delete(&self, account: &str) -> Result<bool, Unreachable> {
        self.reached()?;
        Ok(self.kept.lock().unwrap().remove(account).is_some())
    }
}
