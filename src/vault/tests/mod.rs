//! The vault as a whole: real files, real age, several writers.

mod damage;
mod interop;
mod storing;
mod team;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::identity::fake_keyring::FakeKeyring;
use crate::identity::keys::generate;
use crate::keyring::Ring;
use crate::state;
use crate::state::lock::Lock;
use crate::words::batch::Write;
use crate::words::error::Kind;

/// A home of its own for each test: a data folder, a keyring, and what was said.
struct Home {
    folder: TempDir,
    keyring: Arc<FakeKeyring>,
    said: Arc<Mutex<Vec<String>>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Home {
    fn new() -> Self {
        Self::with(FakeKeyring::absent())
    }

    fn with(keyring: FakeKeyring) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            keyring: Arc::new(keyring),
            said: Arc::default(),
            told: Arc::default(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn options(&self) -> VaultOptions {
        let said = Arc::clone(&self.said);
        let told = Arc::clone(&self.told);
        let keyring: Arc<dyn Ring> = self.keyring.clone();
        VaultOptions {
            store: StoreName::new("local").unwrap(),
            path: None,
            identity: None,
            recipients: Vec::new(),
            folders: Folders {
                data: self.data(),
                ..Folders::below(self.folder.path())
            },
            keyring,
            lock_timeout: Some(Duration::from_secs(60)),
            on_created: Rc::new(move |created| said.lock().unwrap().push(created.to_string())),
            notice: Some(Rc::new(move |message| {
                told.lock().unwrap().push(message.to_owned());
            })),
            withheld: BTreeSet::new(),
        }
    }

    fn vault(&self) -> Vault {
        Vault::new(self.options())
    }

    /// A vault at `path` that opens with the identity file `identity`.
    fn vault_at(&self, path: &Path, identity: &Path) -> Vault {
        Vault::new(VaultOptions {
            path: Some(path.to_owned()),
            identity: Some(IdentitySource::File(identity.to_owned())),
            ..self.options()
        })
    }

    /// A fresh identity file beside the data folder, and its public key.
    fn identity(&self, name: &str) -> (PathBuf, Recipient) {
        let path = self.folder.path().join(name);
        let (text, public) = generate(Timestamp::UNIX_EPOCH);
        state::write_new(&path, text.as_bytes()).unwrap();
        (path, public)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn batch(secrets: &[(&str, &[u8])]) -> Batch {
    let writes = secrets.iter().map(|(name, value)| {
        Write::new(Name::new(*name).unwrap(), SecretValue::new(value.to_vec()))
    });
    Batch {
        writes: writes.collect(),
        if_absent: false,
    }
}

fn actions(outcomes: Vec<Outcome>) -> Vec<Result<Action, Kind>> {
    let results = outcomes.into_iter().map(|outcome| outcome.result);
    results
        .map(|result| result.map_err(|error| error.kind()))
        .collect()
}

fn set(vault: &Vault, secrets: &[(&str, &[u8])]) -> Vec<Result<Action, Kind>> {
    actions(vault.write(batch(secrets)).unwrap())
}

fn all(vault: &Vault) -> BTreeMap<String, Vec<u8>> {
    let values = vault.read(&Selection::All).unwrap().into_iter();
    values
        .map(|(name, value)| (name.to_string(), value.expose().to_vec()))
        .collect()
}

fn get(vault: &Vault, name: &str) -> Option<Vec<u8>> {
    let names = vec![Name::new(name).unwrap()];
    let mut values = vault.read(&Selection::Names(names)).unwrap();
    assert!(values.len() <= 1);
    values.remove(name).map(|value| value.expose().to_vec())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
