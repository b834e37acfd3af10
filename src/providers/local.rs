//! The local vault as a provider. What only it has (recipients, history, rekeying) is on its
//! [`Vault`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Account, Batch, Capabilities, Capability, Filter, Outcome, Provider, ProviderSpec, Selection,
    Services, unsupported,
};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::error::{Error, Result};
use crate::secret::{Entry, Name, SecretValue};
use crate::vault::identity::IdentitySource;
use crate::vault::recipients::Recipient;
use crate::vault::{Vault, VaultOptions};

const SCHEMA: Schema = Schema {
    provider: "local",
    fields: &[
        Field::new("path", Shape::Path, "the vault's file"),
        Field::new(
            "identity",
            Shape::Path,
            "a file with the age identity or SSH private key that opens the vault; in the environment also the AGE-SECRET-KEY-… itself",
        )
        .gated()
        .inline_env(),
        // They decide who can read what is written.
        Field::new(
            "recipients",
            Shape::List,
            "age or SSH public keys to encrypt the vault to beside your own",
        )
        .gated(),
    ],
};

/// The registry's line for the local vault.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "local vault",
    capabilities: Capabilities(&[
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
        Capability::Describe,
        Capability::Binary,
        Capability::Times,
        Capability::History,
    ]),
    credential: None,
    open: |config, services| Ok(Box::new(LocalVault::new(vault(config, services)?))),
};

/// The vault that `config` describes, for what only a vault can do.
///
/// # Errors
/// `unsupported` for a store of another provider, `untrusted` where a checkout's file decides what
/// it may not decide yet, `config` for a recipient that is no public key.
pub fn vault(config: &StoreConfig, services: &Services) -> Result<Vault> {
    if config.provider() != SCHEMA.provider {
        return Err(unsupported(
            config.provider(),
            "do what only a local vault can",
            "select a local store with -s; keyfob store list shows them",
        )
        .store(config.name().as_str()));
    }
    config.check_trust()?;
    let notice = Arc::clone(&services.notice);
    Ok(Vault::new(VaultOptions {
        path: config.path("path").map(Path::to_owned),
        identity: identity(config),
        recipients: recipients(config)?,
        folders: services.folders.clone(),
        keyring: Arc::new(services.keyring.clone()),
        lock_timeout: services.http.deadline().remaining(),
        trust_recorded: !config.is_from_untrusted("path"),
        on_created: Arc::new(move |created| notice(&created.to_string())),
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
}

impl LocalVault {
    /// The provider for `vault`.
    pub fn new(vault: Vault) -> Self {
        Self { vault }
    }
}

#[async_trait(?Send)]
impl Provider for LocalVault {
    fn capabilities(&self) -> Capabilities {
        SPEC.capabilities
    }

    fn check_name(&self, _name: &Name) -> Result<()> {
        Ok(())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        if filter.secret_type.is_some() {
            return Err(unsupported(
                "the local vault",
                "tell secrets by type",
                "leave out --type",
            ));
        }
        self.vault.list(|name| filter.admits(name))
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        self.vault.read(selection)
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        self.vault.write(batch)
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        self.vault.delete(names)
    }

    /// There is nothing to obtain; it is made sure that the vault, where there is one, opens.
    async fn login(&self, credential: Option<SecretValue>) -> Result<Account> {
        if credential.is_some() {
            return Err(unsupported(
                "the local vault",
                "log in with a credential: its identity opens it",
                "name the identity's file with the field identity",
            ));
        }
        self.vault.list(|_| false)?;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        let (account, credential) = match self.vault.identity_info() {
            Ok(Some((key, place))) => (Some(key.key().to_owned()), Some(place.to_string())),
            Ok(None) => (None, None),
            // Asked how things stand, that is an answer.
            Err(error) => (None, Some(format!("none: {}", error.message()))),
        };
        Ok(Account {
            url: self.vault.path().display().to_string(),
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
