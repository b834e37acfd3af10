//! The local vault as a provider. What only it has (recipients, history, rekeying) is on its
//! [`Vault`].

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{
    Account, Capabilities, Capability, Given, Provider, ProviderSpec, Services, Versions,
    unsupported,
};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::http::Log;
use crate::identity::keys::IdentitySource;
use crate::identity::recipients::Recipient;
use crate::vault::{Vault, VaultOptions};
use crate::words::batch::{
    Action, Batch, Filter, Metadata, Outcome, Past, Reading, Restored, Selection, Version,
};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::{Entry, Name, SecretValue};
use crate::words::shown::ShownPath as _;

const SCHEMA: Schema = Schema {
    provider: "local",
    fields: &[
        Field::new("path", Shape::Path, "the vault's file").written(),
        Field::new(
            "identity",
            Shape::Path,
            "a file with the age identity or SSH private key that opens the vault; in the environment also the AGE-SECRET-KEY-… itself",
        )
        .inline_env(),
        // They decide who can read what is written.
        Field::new(
            "recipients",
            Shape::List,
            "age or SSH public keys that the vault is encrypted to beside your own, and no others",
        ),
    ],
};

/// The registry's line for the local vault.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "local vault",
    capabilities: Capabilities::of(&[
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
        Capability::Describe,
        Capability::Binary,
        Capability::Times,
        Capability::History,
    ]),
    lacks: &[],
    composite: None,
    credentials: &[],
    without_cache: None,
    open: |config, services| {
        let vault = vault(config, services)?;
        Ok(Box::new(LocalVault::new(vault, services.http.log())))
    },
};

/// The vault that `config` describes, for what only a vault can do.
///
/// # Errors
/// `unsupported` for a store of another provider, `config` for a recipient that is no public key.
pub fn vault(config: &StoreConfig, services: &Services) -> Result<Vault> {
    if config.provider() != SCHEMA.provider {
        return Err(unsupported(
            config.provider(),
            "do what only a local vault can",
            "select a local store with -s; keyfob store list shows them",
        )
        .store(config.name().as_str()));
    }
    let notice = Rc::clone(&services.notice);
    Ok(Vault::new(VaultOptions {
        store: config.name().clone(),
        path: config.path("path").map(Path::to_owned),
        identity: identity(config),
        recipients: recipients(config)?,
        folders: services.folders.clone(),
        keyring: Arc::new(services.keyring.clone()),
        lock_timeout: services.http.deadline().remaining(),
        on_created: Rc::new(move |created| {
            created.to_string().lines().for_each(|line| notice(line))
        }),
        notice: services.is_heard.then(|| Rc::clone(&services.notice)),
        withheld: services.withheld.clone(),
    }))
}

fn identity(config: &StoreConfig) -> Option<IdentitySource> {
    if let Some(path) = config.path("identity") {
        return Some(IdentitySource::File(path.to_owned()));
    }
    config.secret("identity").map(|text| IdentitySource::Text {
        text,
        origin: config
            .origin("identity")
            .map(ToString::to_string)
            .unwrap_or_default(),
    })
}

fn recipients(config: &StoreConfig) -> Result<Vec<Recipient>> {
    config
        .list("recipients")
        .iter()
        .map(|text| {
            text.parse::<Recipient>().map_err(|error| {
                Error::config(error.message())
                    .context(format!("recipients of {}", config.name()))
                    .store(config.name().as_str())
            })
        })
        .collect()
}

/// The secrets of one vault. Calls block for as long as the disk, another writer's lock and the
/// first look into the OS keyring take.
pub struct LocalVault {
    vault: Vault,
    log: Log,
}

impl LocalVault {
    /// The provider for `vault`; `log` is told of each look into it.
    pub fn new(vault: Vault, log: &Log) -> Self {
        let log = Rc::clone(log);
        Self { vault, log }
    }

    /// What `act` does with the vault, told with the time it took.
    fn told<T>(&self, what: &str, act: impl FnOnce(&Vault) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let result = act(&self.vault);
        (self.log)(&format!(
            "{what} {}: {} in {} ms",
            self.vault.path().shown(),
            result.as_ref().map_or("failed", |_| "done"),
            started.elapsed().as_millis()
        ));
        result
    }
}

#[async_trait(?Send)]
impl Provider for LocalVault {
    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        self.told("list", |vault| vault.list(|name| filter.admits(name)))
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        self.told("read", |vault| vault.read(selection))
    }

    async fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        self.told("read", |vault| vault.read_counted(selection))
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        self.told("write", |vault| vault.write(batch))
    }

    async fn annotate(&self, name: &Name, metadata: Metadata) -> Result<Action> {
        let description = metadata.description;
        self.told("write", |vault| vault.describe(name, description))
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        self.told("write", |vault| vault.delete(names))
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }

    /// There is nothing to obtain; it is made sure that the vault, where there is one, opens.
    async fn login(&self, _given: &Given) -> Result<Account> {
        match self.told("open", |vault| vault.list(|_| false)) {
            Err(error) if error.cause() != Cause::NotMade => Err(error),
            _ => self.account().await,
        }
    }

    async fn account(&self) -> Result<Account> {
        let (account, credential) = match self.vault.identity_info() {
            Ok(Some((key, place))) => (Some(key.key().to_owned()), Some(place.to_string())),
            Ok(None) => (None, None),
            // Asked how things stand, that is an answer.
            Err(error) => (None, Some(format!("none: {}", error.message()))),
        };
        Ok(Account {
            url: self.vault.path().shown().exact(),
            account,
            credential,
            ..Account::default()
        })
    }

    /// Forgets nothing: without its identity the vault would be lost.
    async fn logout(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[async_trait(?Send)]
impl Versions for LocalVault {
    async fn history(&self, name: &Name) -> Result<Vec<Version>> {
        self.told("read", |vault| vault.history(name))
    }

    async fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored> {
        self.told("write", |vault| vault.restore(name, number))
    }

    async fn deleted(&self) -> Result<Vec<Entry>> {
        self.told("read", Vault::deleted)
    }

    async fn past(&self, name: &Name) -> Result<Option<Vec<Past>>> {
        self.told("read", |vault| vault.past(name)).map(Some)
    }

    fn takes_past(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::identity::keys::IdentitySource;
    use crate::keyring::Keyring;
    use crate::vault::VaultOptions;
    use crate::words::batch::{Action, Write};
    use crate::words::env::Folders;
    use crate::words::error::Kind;
    use crate::words::secret::StoreName;

    /// An age identity of no worth.
    const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn local(folder: &Path, identity: &str) -> LocalVault {
        let log: Log = Rc::new(|_| ());
        let vault = Vault::new(VaultOptions {
            store: StoreName::new("local").unwrap(),
            path: Some(folder.join("team.age")),
            identity: Some(IdentitySource::Text {
                text: identity.into(),
                origin: "environment KEYFOB_DEV_IDENTITY".into(),
            }),
            recipients: Vec::new(),
            folders: Folders {
                data: folder.to_owned(),
                ..Folders::below(folder)
            },
            keyring: Arc::new(Keyring::default()),
            lock_timeout: None,
            on_created: Rc::new(|_| {}),
            notice: None,
            withheld: BTreeSet::new(),
        });
        LocalVault::new(vault, &log)
    }

    fn batch(name: &str) -> Batch {
        Batch {
            writes: vec![Write::new(Name::new(name).unwrap(), "1".into())],
            if_absent: false,
        }
    }

    #[tokio::test]
    async fn it_is_a_provider() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), KEY);
        for name in ["a", "ab", "b"] {
            let outcomes = local.write(batch(name)).await.unwrap();
            assert!(matches!(outcomes[0].result, Ok(Action::Created)));
        }
        let filter = Filter {
            prefix: Some("a".into()),
            ..Filter::default()
        };
        let entries = local.list(&filter).await.unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "ab"]);
        assert!(entries[0].updated_at.is_some());
    }

    #[tokio::test]
    async fn the_account_is_the_public_key() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), KEY);
        let account = local.login(&Given::new()).await.unwrap();
        assert!(account.url.ends_with("team.age"));
        assert_eq!(account.account.as_deref(), Some(PUBLIC));
        assert_eq!(
            account.credential.as_deref(),
            Some("environment KEYFOB_DEV_IDENTITY")
        );
    }

    #[tokio::test]
    async fn an_identity_that_cannot_be_used_is_told_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), "hunter2");
        let credential = local.account().await.unwrap().credential.unwrap();
        assert!(credential.starts_with("none: "), "{credential}");
        assert!(!credential.contains("hunter2"));
    }

    #[tokio::test]
    async fn login_finds_a_damaged_vault_and_logout_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path(), KEY);
        local.write(batch("a")).await.unwrap();
        assert!(local.logout().await.unwrap().is_empty());
        assert_eq!(local.read(&Selection::All).await.unwrap().len(), 1);
        fs::write(local.vault.path(), "").unwrap();
        let error = local.login(&Given::new()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
    }
}
