//! A store's API credential, found when it is first needed and once a command.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::OnceCell;

use super::{Services, registry};
use crate::config::environment::{is_credential_variable, variable};
use crate::config::{Origin, StoreConfig};
use crate::credential::{self, Credential, Wanted};
use crate::identity::sealed;
use crate::words::error::{Error, Result};

/// The credential that a store has in one field: from the environment, from the command in the
/// field's `_command`, or from the OS keyring, where it is bound to the base URL.
pub struct ApiCredential {
    config: StoreConfig,
    services: Rc<Services>,
    base_url: String,
    field: &'static str,
    command_field: String,
    /// The variables that may hold it, and which of them does.
    variables: Vec<(String, Option<String>)>,
    found: OnceCell<Credential>,
}

impl ApiCredential {
    /// The credential in `field` of the store at `base_url`. Looks for nothing yet.
    pub fn new(
        config: &StoreConfig,
        services: &Rc<Services>,
        base_url: String,
        field: &'static str,
    ) -> Self {
        let own = variable(config.name(), field);
        let vendors = config
            .schema()
            .field(field)
            .and_then(|field| field.vendor_env);
        let held = |name: &str| match config.origin(field) {
            Some(Origin::Environment { variable }) if variable == name => config.text(field),
            _ => None,
        };
        let names = [Some(own), vendors.map(str::to_owned)]
            .into_iter()
            .flatten();
        Self {
            variables: names
                .map(|name| {
                    let value = held(&name).map(str::to_owned);
                    (name, value)
                })
                .collect(),
            config: config.clone(),
            services: Rc::clone(services),
            base_url,
            field,
            command_field: format!("{field}_command"),
            found: OnceCell::new(),
        }
    }

    /// The credential.
    ///
    /// # Errors
    /// `unauthenticated` where there is none, its command fails, or no header can carry it;
    /// `unavailable` where its command does not finish in time.
    pub async fn get(&self) -> Result<&str> {
        let find = || async {
            let started = Instant::now();
            let found = credential::resolve(
                &self.wanted(),
                &self.services.env,
                &self.withheld(),
                &self.services.keyring,
                self.services.http.deadline().end(),
            )
            .await?;
            (self.services.http.log())(&format!(
                "credential of {} from {} in {} ms",
                self.config.name(),
                found.source,
                started.elapsed().as_millis()
            ));
            Ok::<_, Error>(found)
        };
        Ok(&self.found.get_or_try_init(find).await?.secret)
    }

    /// The credential, as far as it can be had without running a command.
    pub async fn peek(&self) -> Option<&str> {
        let runs_command = self.config.text(self.field).is_none()
            && self.config.text(&self.command_field).is_some();
        match self.found.get() {
            Some(found) => Some(&found.secret),
            None if runs_command => None,
            None => self.get().await.ok(),
        }
    }

    /// Where it comes from, in words. Runs no command.
    pub fn source(&self) -> Option<String> {
        let source = credential::source(&self.wanted(), &self.services.keyring);
        source.map(|source| source.to_string())
    }

    /// Keeps `secret` in the OS keyring.
    ///
    /// # Errors
    /// `failed` where the keyring cannot be used.
    pub fn keep(&self, secret: &str) -> Result<()> {
        let provider = self.config.provider();
        credential::store_credential(&self.services.keyring, provider, &self.base_url, secret)
    }

    /// Forgets what is kept in the OS keyring; says in words what that was.
    ///
    /// # Errors
    /// `failed` where there is a keyring and it cannot be used.
    pub fn forget(&self) -> Result<Option<String>> {
        let provider = self.config.provider();
        let there_was =
            credential::forget_credential(&self.services.keyring, provider, &self.base_url)?;
        Ok(there_was.then(|| "the credential in the OS keyring".to_owned()))
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            provider: self.config.provider(),
            store: self.config.name().as_str(),
            base_url: &self.base_url,
            variables: &self.variables,
            command: (&self.command_field, self.config.text(&self.command_field)),
        }
    }

    /// The variables that a command must not see: keyfob's own credentials.
    fn withheld(&self) -> BTreeSet<String> {
        let names = self
            .services
            .env
            .vars()
            .filter_map(|(name, _)| name.to_str());
        names
            .filter(|name| {
                *name == sealed::VARIABLE || is_credential_variable(registry::SCHEMAS, name)
            })
            .map(str::to_owned)
            .collect()
    }
}
