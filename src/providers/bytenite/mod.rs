//! ByteNite's secrets: the keys of data sources, which jobs use and nobody reads back.
//!
//! A secret is named `TYPE/ID`; its value is the secret key, all else is its [`record`]. The
//! requests are in [`api`]; [`look`] looks once, after all of a command, whether they were carried
//! out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_trait::async_trait;

use super::{
    Account, Capabilities, Capability, Composite, Given, Lack, Method, Provider, ProviderSpec,
    Services, bulk,
};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::words::batch::{Action, Batch, Filter, Outcome, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Entry, Mark, Name, SecretValue, StoreName};
use crate::words::text::is_variable_name;
use crate::words::word::listed;

mod api;
mod look;
mod record;

use api::Api;
use bulk::Stored;
use record::{Record, parts};

/// How many secrets a note names.
const NAMED: usize = 5;

const SCHEMA: Schema = Schema {
    provider: "bytenite",
    fields: &[
        Field::new(
            "base_url",
            Shape::Url,
            "the address of the API, where it is not ByteNite's own",
        ),
        Field::new("api_key", Shape::Text, "the API key")
            .credential()
            .vendor_env(&["BYTENITE_API_KEY"]),
        Field::new(
            "api_key_command",
            Shape::Text,
            "a command that prints the API key",
        ),
        Field::new(
            "auth",
            Shape::Choice(&["auto", "direct"]),
            "exchange the API key for a token where that exists (auto), or send the key (direct)",
        ),
        super::CA_FILE,
    ],
};

/// The registry's line for ByteNite.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "ByteNite",
    capabilities: Capabilities::of(&[
        Capability::AtomicReplace,
        Capability::Expiry,
        Capability::Attributes,
        Capability::Types,
    ]),
    lacks: &[Lack {
        capability: Capability::Read,
        act: "read a value back: the API never returns a secret key",
        instead: "jobs use a secret by its type and id; keyfob list -s {store} shows what there is, and a copy for yourself belongs into another store",
    }],
    composite: Some(Composite {
        value: "secretKey",
        attributes: &["accessKey"],
    }),
    credentials: &[Method {
        auth: None,
        fields: &["api_key"],
    }],
    without_cache: None,
    open: |config, services| Ok(Box::new(ByteNite::open(config, services)?)),
};

/// A ByteNite account.
struct ByteNite {
    api: Api,
    store: StoreName,
    services: Rc<Services>,
}

impl ByteNite {
    fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        Ok(Self {
            api: Api::new(config, services)?,
            store: config.name().clone(),
            services: Rc::clone(services),
        })
    }

    /// The secrets by name. One that no name can stand for is left out, and said to be.
    async fn fetch_named(&self, secret_type: Option<&str>) -> Result<BTreeMap<Name, Record>> {
        let (named, odd) = self.fetch(secret_type).await?;
        if odd > 0 {
            (self.services.notice)(&format!(
                "left out of {}: {odd} whose type or id cannot stand in a name TYPE/ID",
                self.store
            ));
        }
        Ok(named)
    }

    /// The same after a change, without a word of what was said before.
    async fn fetch_again(&self) -> Result<BTreeMap<Name, Record>> {
        Ok(self.fetch(None).await?.0)
    }

    /// The secrets by name, and how many have none.
    async fn fetch(&self, secret_type: Option<&str>) -> Result<(BTreeMap<Name, Record>, usize)> {
        let mut named = BTreeMap::new();
        let mut odd = 0;
        for record in self.api.list(secret_type).await? {
            match record.name() {
                Some(name) => {
                    named.insert(name, record);
                }
                None => odd += 1,
            }
        }
        Ok((named, odd))
    }

    /// Stores one secret, of which the list has shown `before`; returns with what beside it.
    async fn put(
        &self,
        write: &Write,
        before: Option<&Record>,
        if_absent: bool,
    ) -> Result<(Stored, Record)> {
        if if_absent && before.is_some() {
            return Err(super::exists_already(&write.name));
        }
        let (secret_type, id) = parts(&write.name)?;
        let merged = Record::merged(before, secret_type, id, &write.metadata);
        let action = if before.is_some() {
            Action::Updated
        } else {
            Action::Created
        };
        match self.api.save(&merged, text(&write.value)).await {
            // Fields that the list shows and the page does not know are not the server's to take
            // back, perhaps.
            Err(error) if error.kind() == Kind::InvalidData && merged.has_unknown_fields() => {
                let documented = merged.documented();
                self.api.save(&documented, text(&write.value)).await?;
                (self.services.notice)(&format!(
                    "{}: the server does not take {} back, and may have dropped it",
                    write.name,
                    merged.unknown_fields().join(", ")
                ));
                Ok(((action, self.mark(&documented).await), documented))
            }
            Err(error) => Err(error),
            Ok(()) => Ok(((action, self.mark(&merged).await), merged)),
        }
    }

    /// The mark of what is stored with `record` beside it. The API tells neither ids nor times of
    /// writings; but a new secret key comes as a rule with a new access key, and under another
    /// API key every secret is another.
    async fn mark(&self, record: &Record) -> Option<Mark> {
        let api_key = self.api.keyed.credential().await.ok()?;
        let told = record.told();
        Some(Mark::of(&[&[api_key], told.as_slice()].concat()))
    }

    /// Says of which of the secrets that were created apps get no variables: each is named after the
    /// id.
    fn tell_of_odd_ids(&self, outcomes: &[Outcome]) {
        let created = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.result, Ok(Action::Created)));
        let odd: Vec<&str> = created
            .filter(|outcome| parts(&outcome.name).is_ok_and(|(_, id)| !is_variable_name(id)))
            .map(|outcome| outcome.name.as_str())
            .collect();
        if odd.is_empty() {
            return;
        }
        let shown = listed(odd.iter().take(NAMED).copied());
        let more = match odd.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (self.services.notice)(&format!(
            "apps get a secret as variables that are named after its id, and the id of {shown}{more} is no name of a variable"
        ));
    }

    /// Deletes a secret that the list has shown.
    async fn remove(&self, name: &Name) -> Result<Action> {
        let (secret_type, id) = parts(name)?;
        match self.api.delete(secret_type, id).await {
            // It was there a moment ago: an earlier try whose answer was lost has deleted it.
            Err(error) if error.kind() == Kind::NotFound => Ok(Action::Deleted),
            result => result.map(|()| Action::Deleted),
        }
    }
}

#[async_trait(?Send)]
impl Provider for ByteNite {
    fn check_name(&self, name: &Name) -> Result<()> {
        parts(name).map(drop)
    }

    fn check(&self, write: &Write) -> Result<()> {
        self.check_name(&write.name)?;
        for key in write.metadata.attributes.keys() {
            record::check_attribute(key)?;
        }
        record::check_type(&write.name, &write.metadata)?;
        if write.value.is_empty() {
            return Err(Error::invalid_data(format!("the secret key of {} is missing", write.name))
                .hint("the API never returns it, so keyfob cannot keep the one that is stored: every change must bring it again"));
        }
        Ok(())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let wanted = filter.secret_type.as_deref();
        let named = self.fetch_named(wanted).await?;
        let listed = named
            .into_iter()
            .filter(|(name, _)| filter.admits(name.as_str()))
            // A server that ignores the parameter lists the other types too.
            .filter(|(_, record)| wanted.is_none_or(|wanted| record.secret_type() == Some(wanted)));
        let mut entries = Vec::new();
        for (name, record) in listed {
            let mut entry = record.entry(name);
            entry.mark = self.mark(&record).await;
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        let before = self.fetch_named(None).await?;
        let tried = bulk::each(&self.services, "storing secrets", &batch.writes, |write| {
            self.put(write, before.get(&write.name), batch.if_absent)
        });
        let tried = tried.await?;
        let names: Vec<Name> = batch
            .writes
            .iter()
            .map(|write| write.name.clone())
            .collect();
        let results = match tried.iter().any(Result::is_ok) {
            true => {
                let listed = self.fetch_again().await;
                if let Err(error) = &listed {
                    let count = tried.iter().filter(|tried| tried.is_ok()).count();
                    bulk::tell_of_unseen(&self.services, count, error);
                }
                let tried = names.iter().zip(tried);
                let results = tried.map(|(name, tried)| look::stored(name, tried?, &listed));
                results.collect()
            }
            false => tried
                .into_iter()
                .map(|tried| tried.map(|(stored, _)| stored))
                .collect(),
        };
        let outcomes = bulk::marked(names, results);
        self.tell_of_odd_ids(&outcomes);
        Ok(outcomes)
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        let before = self.fetch_named(None).await?;
        let doubtful = RefCell::new(BTreeSet::new());
        let doubts = &doubtful;
        let tried = bulk::each(&self.services, "deleting secrets", names, |name| {
            let known = before.contains_key(name);
            async move {
                if !known {
                    return Err(super::missing(name));
                }
                let result = self.remove(name).await;
                if matches!(&result, Err(error) if error.kind() == Kind::InvalidData) {
                    doubts.borrow_mut().insert(name.clone());
                }
                result
            }
        });
        let mut results = tried.await?;
        let doubtful = doubtful.take();
        if !doubtful.is_empty() || results.iter().any(Result::is_ok) {
            let listed = self.fetch_again().await;
            let tried = names.iter().zip(results);
            results = tried
                .map(|(name, tried)| look::deleted(name, tried, &doubtful, &listed))
                .collect();
        }
        Ok(bulk::outcomes(names.iter().cloned(), results))
    }

    async fn login(&self, given: &Given) -> Result<Account> {
        let prove = async |api_key: &str| {
            let key = self.api.session_key(api_key);
            // What cannot be forgotten cannot be read either, so a new one is obtained.
            let _ = self.services.sessions.forget(&key);
            self.api.list_as(api_key, None).await.map(drop)
        };
        self.api.keyed.login(given, prove).await?;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        let known = self.api.keyed.peek().await;
        let session = known.map(|api_key| self.api.session_key(api_key));
        Ok(self.api.keyed.account(session.as_ref()))
    }

    async fn logout(&self) -> Result<Vec<String>> {
        let keyed = &self.api.keyed;
        // What has used an API key that is gone by now is noted.
        let token = match keyed.credential().await {
            Ok(api_key) => keyed.endpoint.forget(&self.api.session_key(api_key)),
            Err(_) => keyed.endpoint.forget_used(),
        };
        let credential = keyed.forget();
        let mut forgotten = token?;
        forgotten.extend(credential?);
        Ok(forgotten)
    }
}

fn text(value: &SecretValue) -> &str {
    value.expose_str().unwrap_or_default()
}
