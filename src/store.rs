//! A name and its configuration become a provider with a session.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::config::{Config, StoreConfig};
use crate::digest;
use crate::error::{Error, Result};
use crate::providers::{Capability, Provider, ProviderSpec, Selection, Services, registry};
use crate::secret::{Name, SecretValue, StoreName};

/// An open store. Its provider's errors name it.
pub struct Store {
    name: StoreName,
    spec: &'static ProviderSpec,
    provider: Box<dyn Provider>,
    /// The fields that decide which secrets its names stand for, and what they are set to.
    located: Vec<(&'static str, String)>,
}

/// Which secrets a store's names stand for, as a digest: another server, account, project, group,
/// job or file is another scope. What is remembered of a store holds as long as this is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    /// The digest in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
        let located = config.fields().filter(|(field, _)| field.locates);
        let located = located
            .filter_map(|(field, _)| Some((field.name, config.text(field.name)?.to_owned())))
            .collect();
        Ok(Self {
            name,
            spec,
            provider,
            located,
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

    /// Which secrets its names stand for. Asks no server.
    ///
    /// # Errors
    /// What finding out the account fails with: a keypair that is not there, as a rule.
    pub async fn scope(&self) -> Result<Scope> {
        let account = self.provider.account().await;
        let account = account.map_err(|error| self.named(error))?;
        let known = [
            ("provider", self.spec.name()),
            ("url", account.url.as_str()),
            ("account", account.account.as_deref().unwrap_or_default()),
        ];
        let located = self.located.iter();
        let located = located.map(|(field, text)| (*field, text.as_str()));
        let parts: Vec<&str> = known
            .into_iter()
            .chain(located)
            .flat_map(<[&str; 2]>::from)
            .collect();
        Ok(Scope(digest::of_parts(&parts)))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::cache::{Policy, TokenCache};
    use crate::auth::keyring::Keyring;
    use crate::auth::session::Sessions;
    use crate::config::LoadOptions;
    use crate::env::{Environment, Folders};
    use crate::http::{Deadline, Http};
    use crate::providers::NoProgress;

    async fn scope(vars: &[(&str, &str)]) -> Scope {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: folder.path().join("config"),
            data: "/data".into(),
            cache: folder.path().join("cache"),
        };
        let env = Environment::from_vars(vars.iter().copied(), folder.path());
        let config = Config::load(&LoadOptions {
            env: &env,
            folders: &folders,
            explicit: None,
            schemas: registry::SCHEMAS,
        });
        let keyring = Keyring::default();
        let services = Services {
            http: Http::new(Arc::new(Deadline::after(None)), Arc::new(|_| ())),
            sessions: Sessions::new(TokenCache::new(Policy::None, keyring.clone()), None),
            keyring,
            env: env.clone(),
            folders: folders.clone(),
            progress: Rc::new(NoProgress),
            notice: Arc::new(|_| ()),
            wait: None,
        };
        let name = StoreName::new("northflank").unwrap();
        let store = Store::open(&name, &config.unwrap(), &Rc::new(services)).unwrap();
        store.scope().await.unwrap()
    }

    #[tokio::test]
    async fn another_place_is_another_scope() {
        let base = ("KEYFOB_NORTHFLANK_PROJECT", "shop");
        let same = scope(&[base]).await;
        // A new token for the same place is the same place.
        let token = ("KEYFOB_NORTHFLANK_API_TOKEN", "hunter2");
        assert_eq!(scope(&[base, token]).await, same);
        for other in [
            ("KEYFOB_NORTHFLANK_PROJECT", "shop2"),
            ("KEYFOB_NORTHFLANK_TEAM", "acme"),
            ("KEYFOB_NORTHFLANK_GROUP", "shop"),
            ("KEYFOB_NORTHFLANK_BASE_URL", "http://127.0.0.1:1"),
        ] {
            assert_ne!(scope(&[base, other]).await, same, "{other:?}");
        }
    }
}
