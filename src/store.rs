//! A name and its configuration become a provider with a session.

use std::rc::Rc;

use crate::config::{Config, StoreConfig};
use crate::error::{Error, Result};
use crate::providers::{Capability, Provider, ProviderSpec, Selection, Services, registry};
use crate::secret::{Name, SecretValue, StoreName};

/// An open store. Its provider's errors name it.
pub struct Store {
    name: StoreName,
    spec: &'static ProviderSpec,
    provider: Box<dyn Provider>,
}

impl Store {
    /// Opens the store called `name`. Asks no server and no keyring.
    ///
    /// # Errors
    /// `not_found` for a name that is not configured, `untrusted` where a checkout's file decides
    /// what it may not decide yet.
    pub fn open(name: &StoreName, config: &Config, services: &Rc<Services>) -> Result<Self> {
        let config = config.store(name)?;
        Self::open_configured(config, services)
    }

    /// Opens the store that `config` describes.
    pub fn open_configured(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let name = config.name().clone();
        let named = |error: Error| error.store(name.as_str());
        config.check_trust().map_err(named)?;
        let spec = spec_of(config)?;
        let provider = (spec.open)(config, services).map_err(named)?;
        Ok(Self {
            name,
            spec,
            provider,
        })
    }

    /// Its name.
    pub fn name(&self) -> &StoreName {
        &self.name
    }

    /// Its provider's line in the registry.
    pub fn spec(&self) -> &'static ProviderSpec {
        self.spec
    }

    /// Its provider.
    pub fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    /// `error`, said to concern this store.
    pub fn named(&self, error: Error) -> Error {
        error.store(self.name.as_str())
    }

    /// The value of one secret.
    ///
    /// # Errors
    /// `not_found` where there is none.
    pub async fn value(&self, name: &Name) -> Result<SecretValue> {
        let selection = Selection::Names(vec![name.clone()]);
        let mut values = self
            .provider
            .read(&selection)
            .await
            .map_err(|error| self.named(error))?;
        values.remove(name).ok_or_else(|| self.missing(name))
    }

    /// The error for a secret that this store does not hold.
    pub fn missing(&self, name: &Name) -> Error {
        self.named(Error::not_found(format!(
            "there is no secret named {name} in the store {}",
            self.name
        )))
        .hint(format!("keyfob list -s {} shows what there is", self.name))
    }

    /// Refuses what the provider cannot do, before anything is asked of it.
    ///
    /// # Errors
    /// `unsupported` naming the provider and `option`.
    pub fn require(&self, capability: Capability, option: &str) -> Result<()> {
        if self.provider.capabilities().has(capability) {
            return Ok(());
        }
        Err(self.named(Error::unsupported(format!(
            "{option} is not supported by {}: it has no {}",
            self.spec.name(),
            capability.noun()
        ))))
    }
}

/// The registry's line for the provider of `config`.
pub fn spec_of(config: &StoreConfig) -> Result<&'static ProviderSpec> {
    registry::find(config.provider()).ok_or_else(|| {
        Error::config(format!("there is no provider named {}", config.provider()))
            .store(config.name().as_str())
    })
}
