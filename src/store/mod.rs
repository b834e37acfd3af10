//! The only door to a provider: a name and its configuration become an open store.
//!
//! What the store cannot do is refused here, before any request; what the provider fails with
//! comes to name the store; and what is written where it cannot be read back is remembered.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::config::{Config, StoreConfig};
use crate::journal::Open;
use crate::providers::groups::Groups;
use crate::providers::{
    Account, Capabilities, Capability, Given, Provider, ProviderSpec, Services, registry,
};
use crate::words::batch::{Action, Batch, Filter, Metadata, Outcome, Reading, Selection, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Entry, Name, SecretValue, StoreName};
use crate::written::Intent;

mod earlier;
mod remembered;

/// An open store.
pub struct Store {
    name: StoreName,
    spec: &'static ProviderSpec,
    provider: Box<dyn Provider>,
    capabilities: Capabilities,
    services: Rc<Services>,
    /// The fields that decide which secrets its names stand for, and what they are set to.
    located: Vec<(&'static str, String)>,
    /// Whether the user knows that nothing is remembered.
    told: Cell<bool>,
}

impl Store {
    /// Opens the store called `name`. Asks no server and no keyring.
    ///
    /// # Errors
    /// `not_found` for a name that is not configured.
    pub fn open(name: &StoreName, config: &Config, services: &Rc<Services>) -> Result<Self> {
        let config = config.store(name)?;
        Self::open_configured(config, services)
    }

    /// Opens the store that `config` describes.
    pub fn open_configured(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        Self::open_with(spec_of(config)?, config, services)
    }

    /// Opens the store that `config` describes, with the provider of this line.
    pub fn open_with(
        spec: &'static ProviderSpec,
        config: &StoreConfig,
        services: &Rc<Services>,
    ) -> Result<Self> {
        let name = config.name().clone();
        let named = |error: Error| error.store(name.as_str());
        let provider = (spec.open)(config, services).map_err(named)?;
        let located = config.fields().filter(|(field, _)| field.locates);
        let located = located
            .filter_map(|(field, _)| Some((field.name, config.text(field.name)?.to_owned())))
            .collect();
        Ok(Self {
            name,
            spec,
            capabilities: provider.capabilities().unwrap_or(spec.capabilities),
            provider,
            services: Rc::clone(services),
            located,
            told: Cell::new(false),
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

    /// Whether it can do this.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// `error`, said to concern this store.
    fn named(&self, error: Error) -> Error {
        error.store(self.name.as_str())
    }

    /// The same of a call that is about `name` alone: a secret that is missing is told in the same
    /// words by every store.
    fn about(&self, name: &Name, error: Error) -> Error {
        match error.cause() {
            Cause::NoSecret => self.missing(name),
            _ => self.named(error),
        }
    }

    /// Which secrets its names stand for. Asks no server.
    ///
    /// # Errors
    /// What finding out the account fails with: a keypair that is not there, as a rule.
    pub async fn scope(&self) -> Result<Scope> {
        let account = self.account().await?;
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
        Ok(Scope::of(&parts))
    }

    /// Checks that `name` can be held. Asks no server.
    ///
    /// # Errors
    /// `invalid_data` that says which rule of the backend the name breaks.
    pub fn check_name(&self, name: &Name) -> Result<()> {
        let checked = name.check().and_then(|()| self.provider.check_name(name));
        checked.map_err(|error| self.named(error))
    }

    /// Checks that `write` can be held, as [`write`](Self::write) does of each. Asks no server.
    ///
    /// # Errors
    /// `invalid_data` that names the secret, for a name or a value that the backend cannot hold.
    pub fn check(&self, write: &Write) -> Result<()> {
        self.check_name(&write.name)?;
        if !self.can(Capability::Binary) && write.value.expose_str().is_none() {
            return Err(self.named(
                Error::invalid_data(format!(
                    "the value of {} is not text, and {} holds text alone",
                    write.name, self.spec.title
                ))
                .hint("encode it, as with base64, or keep it in a store that takes any bytes"),
            ));
        }
        let checked = self.provider.check(write);
        checked.map_err(|error| self.named(error))
    }

    /// Checks that the store has room for what is named beside the values of `writes`.
    ///
    /// # Errors
    /// `unsupported` that names the option.
    pub fn check_metadata<'w>(&self, writes: impl IntoIterator<Item = &'w Write>) -> Result<()> {
        for Write { metadata, .. } in writes {
            for (named, capability, option) in [
                (
                    metadata.description.is_some(),
                    Capability::Describe,
                    "--description",
                ),
                (
                    metadata.expires_at.is_some(),
                    Capability::Expiry,
                    "--expires-at",
                ),
                (
                    !metadata.attributes.is_empty(),
                    Capability::Attributes,
                    "--attr",
                ),
            ] {
                if named {
                    self.require(capability, option)?;
                }
            }
        }
        Ok(())
    }

    /// The entries that pass `filter`, sorted by name, without values.
    ///
    /// # Errors
    /// `unsupported` for a type where secrets have none.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        self.check_filter(filter)?;
        let entries = self.provider.list(filter).await;
        entries.map_err(|error| self.named(error))
    }

    /// The same for somebody who looks: where a rate limit ends the work, what was read by then, and
    /// the error that says what was not.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn list_what_can_be_read(
        &self,
        filter: &Filter,
    ) -> Result<(Vec<Entry>, Option<Error>)> {
        self.check_filter(filter)?;
        let listed = self.provider.list_what_can_be_read(filter).await;
        let (entries, rest) = listed.map_err(|error| self.named(error))?;
        Ok((entries, rest.map(|error| self.named(error))))
    }

    fn check_filter(&self, filter: &Filter) -> Result<()> {
        match filter.secret_type.is_some() && !self.can(Capability::Types) {
            true => Err(self.lack(Capability::Types)),
            false => Ok(()),
        }
    }

    /// What is known of `name` without its value; `None` where there is no such secret.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn entry(&self, name: &Name) -> Result<Option<Entry>> {
        let filter = Filter {
            prefix: Some(name.as_str().to_owned()),
            secret_type: None,
            named: Some(name.clone()),
        };
        let entries = self.list(&filter).await?;
        Ok(entries.into_iter().find(|entry| entry.name == *name))
    }

    /// The values of the selected secrets; a missing one is not in the answer.
    ///
    /// # Errors
    /// `unsupported` where no value can be read back, with a hint at what to do instead.
    pub async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        if !self.can(Capability::Read) {
            return Err(self.lack(Capability::Read));
        }
        let values = self.provider.read(selection).await;
        values.map_err(|error| self.named(error))
    }

    /// As [`read`](Self::read), with the numbers of the versions where the backend counts them: for
    /// what is decided by it and written after.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        if !self.can(Capability::Read) {
            return Err(self.lack(Capability::Read));
        }
        let reading = self.provider.read_counted(selection).await;
        reading.map_err(|error| self.named(error))
    }

    /// The value of one secret.
    ///
    /// # Errors
    /// `not_found` where there is none; as [`read`](Self::read).
    pub async fn value(&self, name: &Name) -> Result<SecretValue> {
        let mut values = self.read(&Selection::Names(vec![name.clone()])).await?;
        values.remove(name).ok_or_else(|| self.missing(name))
    }

    /// Stores `batch`; what was stored is [remembered](Self::known) where it cannot be read back.
    /// The outcomes are in its order; what does not pass [`check`](Self::check) fails in its own,
    /// and leaves the others alone.
    ///
    /// # Errors
    /// As [`check_metadata`](Self::check_metadata), and what the provider fails with; also where
    /// keyfob remembers what it stored before, and cannot take that back. Nothing was changed then.
    pub async fn write(&self, mut batch: Batch) -> Result<Vec<Outcome>> {
        self.check_metadata(&batch.writes)?;
        let mut refused = BTreeMap::new();
        let mut writes = Vec::with_capacity(batch.writes.len());
        for (at, write) in std::mem::take(&mut batch.writes).into_iter().enumerate() {
            match self.check(&write) {
                Ok(()) => writes.push(write),
                Err(error) => {
                    refused.insert(at, Outcome::new(write.name, Err(error)));
                }
            }
        }
        if writes.is_empty() {
            return Ok(refused.into_values().collect());
        }
        batch.writes = writes;
        let intents = batch.writes.iter().map(Intent::from).collect();
        let writing = self.begin(intents).await?;
        let outcomes = self.provider.write(batch).await;
        let mut outcomes = self.end(writing, outcomes)?;
        for (at, outcome) in refused {
            outcomes.insert(at, outcome);
        }
        Ok(outcomes)
    }

    /// Stores a secret where nothing of its name was found: what somebody else has made since is kept,
    /// with `conflict`. A store that cannot see to that is looked at once more, as near to the write as
    /// its provider can.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_new(&self, mut write: Write) -> Result<Vec<Outcome>> {
        let batch = |write: &Write, if_absent| Batch {
            writes: vec![write.clone()],
            if_absent,
        };
        let outcomes = self.write(batch(&write, true)).await?;
        let cannot = |outcome: &Outcome| {
            let error = outcome.result.as_ref().err();
            error.is_some_and(|error| error.kind() == Kind::Unsupported)
        };
        if !outcomes.iter().any(cannot) {
            return Ok(outcomes);
        }
        write.expected = Some(0);
        self.write(batch(&write, false)).await
    }

    /// Deletes `names`. The outcomes are in their order, and a missing one fails with `not_found`
    /// in its own.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        let _writing = self.begin(names.iter().map(Intent::from).collect()).await?;
        let outcomes = self.provider.delete(names).await;
        let mut outcomes = outcomes.map_err(|error| self.named(error))?;
        for outcome in &mut outcomes {
            if let Err(error) = &outcome.result {
                outcome.result = Err(self.about(&outcome.name, error.clone()));
            }
        }
        Ok(outcomes)
    }

    /// Changes what stands beside the value of `name`, and not the value.
    ///
    /// # Errors
    /// `not_found` where there is no such secret; `unsupported` where the store has no room for what
    /// is named, or wants the value with it.
    pub async fn annotate(&self, name: &Name, metadata: Metadata) -> Result<Action> {
        let mut write = Write::new(name.clone(), SecretValue::default());
        write.metadata = metadata;
        self.check_metadata([&write])?;
        self.check_name(name)?;
        let annotated = self.provider.annotate(name, write.metadata).await;
        annotated.map_err(|error| self.about(name, error))
    }

    /// Finishes `open`, steps that its provider has announced and that were interrupted. The
    /// outcomes are in their order.
    ///
    /// # Errors
    /// As [`write`](Self::write); `conflict` where it has another provider by now.
    pub async fn resume(&self, open: Vec<Open>) -> Result<Vec<Outcome>> {
        let Some(replacements) = self.provider.replacements() else {
            return Err(self.named(Error::conflict(format!(
                "the store {} is not where the replacement was begun: its provider is {} now",
                self.name,
                self.spec.name()
            ))));
        };
        let steps = open.iter().flat_map(|open| &open.change.steps);
        let writing = self.begin(steps.map(Intent::from).collect()).await?;
        let outcomes = replacements.resume(open).await;
        self.end(writing, outcomes)
    }

    /// Proves to the backend who keyfob is, and tells what is known of the account. With
    /// `credential`, that one is proved and then kept in the OS keyring.
    ///
    /// # Errors
    /// `unauthenticated` where the backend refuses; `unsupported` for a `credential` where the
    /// provider has another way to log in.
    pub async fn login(&self, given: &Given) -> Result<Account> {
        if !given.is_empty() && self.spec.credentials.is_empty() {
            return Err(self.named(Error::unsupported(format!(
                "{} is not logged in to with a credential",
                self.spec.title
            ))));
        }
        let account = self.provider.login(given).await;
        account.map_err(|error| self.named(error))
    }

    /// What is known of the account and session without asking the backend anything.
    ///
    /// # Errors
    /// What finding it out fails with: a keypair that is not there, as a rule.
    pub async fn account(&self) -> Result<Account> {
        let account = self.provider.account().await;
        account.map_err(|error| self.named(error))
    }

    /// Forgets cached tokens and stored credentials. Returns what was forgotten, in words.
    ///
    /// # Errors
    /// What forgetting fails with.
    pub async fn logout(&self) -> Result<Vec<String>> {
        let forgotten = self.provider.logout().await;
        forgotten.map_err(|error| self.named(error))
    }

    /// Its groups. Errors of theirs do not name the store.
    ///
    /// # Errors
    /// `unsupported` where it has none.
    pub fn groups(&self, asked_for: &str) -> Result<&dyn Groups> {
        let groups = self.provider.groups();
        groups.ok_or_else(|| self.cannot(Capability::Groups, asked_for))
    }

    /// Ends whatever still runs for it, before another program takes this one's place.
    pub async fn close(self) {
        self.provider.close().await;
    }

    /// The error for a secret that this store does not hold.
    pub fn missing(&self, name: &Name) -> Error {
        self.named(Error::not_found(format!(
            "there is no secret named {} in the store {}",
            name.shown(),
            self.name
        )))
        .hint(format!("keyfob list -s {} shows what there is", self.name))
    }

    /// Refuses what the store cannot do, before anything is asked of it.
    ///
    /// # Errors
    /// `unsupported` naming the provider and `option`.
    pub fn require(&self, capability: Capability, option: &str) -> Result<()> {
        match self.can(capability) {
            true => Ok(()),
            false => Err(self.cannot(capability, option)),
        }
    }

    fn cannot(&self, capability: Capability, option: &str) -> Error {
        self.named(Error::unsupported(format!(
            "{option} is not supported by {}: it has no {}",
            self.spec.name(),
            capability.noun()
        )))
    }

    /// The error for reading or filtering, in the words of the registry's line.
    fn lack(&self, capability: Capability) -> Error {
        let mut lacks = self.spec.lacks.iter();
        let (act, instead) = match lacks.find(|lack| lack.capability == capability) {
            Some(lack) => (lack.act, lack.instead),
            None if capability == Capability::Types => {
                ("list by type: it has none", "leave --type out")
            }
            None => (
                "read a value back",
                "keep a copy for yourself in another store",
            ),
        };
        let error = Error::unsupported(format!("{} cannot {act}", self.spec.name()));
        self.named(error.hint(instead))
    }
}

/// The registry's line for the provider of `config`.
fn spec_of(config: &StoreConfig) -> Result<&'static ProviderSpec> {
    registry::find(config.provider()).ok_or_else(|| {
        Error::config(format!("there is no provider named {}", config.provider()))
            .store(config.name().as_str())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use super::*;
    use crate::config::LoadOptions;
    use crate::http::{Deadline, Http};
    use crate::keyring::Keyring;
    use crate::session::Sessions;
    use crate::session::cache::TokenCache;
    use crate::words::env::{Environment, Folders};
    use crate::words::progress::NoProgress;

    async fn scope(vars: &[(&str, &str)]) -> Scope {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            data: "/data".into(),
            ..Folders::below(folder.path())
        };
        let env = Environment::from_vars(vars.iter().copied(), folder.path());
        let config = Config::load(&LoadOptions {
            env: &env,
            folders: &folders,
            files: Default::default(),
            schemas: registry::SCHEMAS,
        });
        let keyring = Keyring::default();
        let services = Services {
            http: Http::new(Rc::new(Deadline::after(None)), Rc::new(|_| ())),
            withheld: BTreeSet::new(),
            sessions: Sessions::new(TokenCache::default(), None),
            keyring,
            references: Rc::new(crate::credential::NoReferences),
            env: env.clone(),
            folders: folders.clone(),
            progress: Rc::new(NoProgress),
            notice: Rc::new(|_| ()),
            is_heard: true,
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
