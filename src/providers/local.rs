//! The local vault as a provider. What only it has (recipients, history, rekeying) is on its
//! [`Vault`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    Account, Batch, Capabilities, Capability, Filter, Outcome, Provider, Selection, unsupported,
};
use crate::config::schema::{Field, Schema, Shape};
use crate::error::Result;
use crate::secret::{Entry, Name, SecretValue};
use crate::vault::Vault;

/// The fields of a local store's table.
pub const SCHEMA: Schema = Schema {
    provider: "local",
    fields: &[
        Field {
            name: "path",
            shape: Shape::Path,
            gated: false,
            credential: false,
            help: "the vault's file",
        },
        Field {
            name: "identity",
            shape: Shape::Path,
            gated: true,
            credential: false,
            help: "a file with the age identity or SSH private key that opens the vault; in the environment also the AGE-SECRET-KEY-… itself",
        },
        Field {
            name: "recipients",
            shape: Shape::List,
            // They decide who can read what is written.
            gated: true,
            credential: false,
            help: "age or SSH public keys to encrypt the vault to beside your own",
        },
    ],
};

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

    /// What only a local vault can do.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }
}

#[async_trait(?Send)]
impl Provider for LocalVault {
    fn capabilities(&self) -> Capabilities {
        Capabilities(&[
            Capability::Read,
            Capability::BulkWrite,
            Capability::AtomicReplace,
            Capability::Describe,
            Capability::Binary,
            Capability::Times,
            Capability::History,
        ])
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
    async fn login(&self, _fresh: bool) -> Result<Account> {
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
