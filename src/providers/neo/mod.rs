//! Neo Service Layer: secrets for functions that run in its enclaves, created and deleted, never
//! read and never updated.
//!
//! The requests are in [`api`], what their answers hold in [`wire`]; [`look`] looks once, after all
//! requests of a command, whether what was [`tried`] is so; [`replace`] gets a new value in place of an old one without ever
//! losing it.

use std::collections::HashMap;
use std::rc::Rc;

use async_trait::async_trait;

use super::{
    Account, Capabilities, Capability, Given, Lack, Method, Provider, ProviderSpec, Replacements,
    Services, bulk,
};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::http;
use crate::journal::StoreJournal;
use crate::words::batch::{Action, Batch, Filter, Outcome, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Entry, Name, SecretValue};

mod api;
mod look;
mod replace;
mod tried;
mod wire;

use api::{Api, New, Sent};
use tried::{Creation, Doubts, Tried};
use wire::{Listed, Old};

const SCHEMA: Schema = Schema {
    provider: "neo",
    fields: &[
        Field::new(
            "base_url",
            Shape::Url,
            "the address of the API, where it is not Neo's own",
        ),
        Field::new("api_key", Shape::Text, "the API key")
            .credential()
            .vendor_env(&["NEO_API_KEY"]),
        Field::new(
            "api_key_command",
            Shape::Text,
            "a command that prints the API key",
        ),
        super::CA_FILE,
    ],
};

/// The registry's line for Neo Service Layer.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "Neo Service Layer",
    capabilities: Capabilities::of(&[Capability::Describe, Capability::Times]),
    lacks: &[Lack {
        capability: Capability::Read,
        act: "read a value back: Neo documents neither retrieving nor updating a secret",
        instead: "functions read theirs with context.secrets.get('NAME'); keep a copy for yourself in another store",
    }],
    composite: None,
    credentials: &[Method {
        auth: None,
        fields: &["api_key"],
    }],
    without_cache: None,
    open: |config, services| Ok(Box::new(Neo::open(config, services)?)),
};

/// A Neo Service Layer account.
struct Neo {
    api: Api,
    journal: StoreJournal,
    services: Rc<Services>,
}

/// How long a create is repeated while it is unclear whether it was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// A few times: nothing is lost by giving up.
    Some,
    /// Until the deadline: the secret does not exist until it succeeds.
    All,
}

impl Patience {
    /// How often it is repeated.
    fn times(self) -> usize {
        match self {
            Patience::Some => 4,
            Patience::All => 1_000,
        }
    }
}

impl Neo {
    fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let api = Api::new(config, services)?;
        let url = api.keyed.endpoint.shown();
        Ok(Self {
            journal: StoreJournal::new(services.journal(), config, url),
            services: Rc::clone(services),
            api,
        })
    }

    /// Stores one secret, of whose name the list has shown `listed`. Where the answer makes no
    /// sense, that is noted among the `doubts`, and the error returned.
    async fn put(
        &self,
        write: &Write,
        listed: &[&Listed],
        if_absent: bool,
        doubts: &Doubts,
    ) -> Result<Tried> {
        let open = self.journal.is_open(&write.name);
        match listed {
            [] if !open => {
                let new = New {
                    name: write.name.as_str(),
                    value: text(&write.value),
                    description: write.metadata.description.as_deref(),
                };
                match self.create(&new, None, false, Patience::Some).await {
                    Sent::Done(made) => Ok(Tried {
                        action: Action::Created,
                        made,
                        old: None,
                        open: None,
                    }),
                    Sent::Refused(error) => Err(error),
                    Sent::Unclear(error) => {
                        if error.kind() != Kind::Unavailable {
                            doubts.note(&write.name, None);
                        }
                        Err(error.hint(
                            "it may be stored nevertheless: keyfob list -s {store} shows it then",
                        ))
                    }
                }
            }
            [] if if_absent => Err(Error::conflict(format!(
                "the replacement of {} was interrupted and is open",
                write.name
            ))
            .hint("keyfob rotate --resume finishes it")),
            _ if if_absent => Err(super::exists_already(&write.name)),
            [] => self.replace(write, None).await,
            [old] => self.replace(write, Some(old)).await,
            several => Err(ambiguous(&write.name, several)),
        }
    }

    /// Creates `new`, again where that may help: an answer that makes no sense would come again, and
    /// is only looked into, at the end of the command where it can wait until then. A create whose
    /// answer was lost may have been carried out, and repeating it would then be refused, so the
    /// list is asked before. `old` may still be listed and is not what was created; `sent` tells that
    /// one may be on its way.
    async fn create(
        &self,
        new: &New<'_>,
        old: Option<&Old>,
        mut sent: bool,
        patience: Patience,
    ) -> Sent<Creation> {
        let mut pauses = http::pauses(patience.times());
        loop {
            let error = match self.try_to_create(new, old, sent).await {
                Sent::Unclear(error) => error,
                clear => return clear,
            };
            sent = true;
            if error.kind() != Kind::Unavailable {
                return match patience {
                    Patience::All if matches!(self.is_created(new.name, old).await, Ok(true)) => {
                        Sent::Done(Creation::Seen)
                    }
                    _ => Sent::Unclear(error),
                };
            }
            let pause = pauses
                .next()
                .filter(|pause| self.services.http.deadline().allows(*pause));
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Sent::Unclear(error),
            }
        }
    }

    async fn try_to_create(&self, new: &New<'_>, old: Option<&Old>, sent: bool) -> Sent<Creation> {
        if sent {
            match self.is_created(new.name, old).await {
                Ok(true) => return Sent::Done(Creation::Seen),
                Ok(false) => {}
                Err(error) => return Sent::Unclear(error),
            }
        }
        match self.api.create(new).await {
            // The earlier one was carried out in the meantime, if the list has it.
            Sent::Refused(error) if sent && error.kind() == Kind::Conflict => {
                match self.is_created(new.name, old).await {
                    Ok(true) => Sent::Done(Creation::Seen),
                    Ok(false) => Sent::Refused(error),
                    Err(error) => Sent::Unclear(error),
                }
            }
            Sent::Done(mark) => Sent::Done(Creation::Said(mark)),
            Sent::Refused(error) => Sent::Refused(error),
            Sent::Unclear(error) => Sent::Unclear(error),
        }
    }

    /// Whether the list has a secret called `name` other than `old`.
    async fn is_created(&self, name: &str, old: Option<&Old>) -> Result<bool> {
        let listed = self.api.list_again().await?;
        Ok(listed
            .secrets
            .iter()
            .any(|secret| secret.name == name && !old.is_some_and(|old| secret.is(old))))
    }

    /// Deletes `old`, and asks the list where the answer leaves that unclear.
    async fn remove(&self, old: &Old) -> Sent<()> {
        match self.api.delete(&old.id).await {
            Sent::Unclear(error) => match self.api.list_again().await {
                Ok(listed) if !listed.secrets.iter().any(|secret| secret.is(old)) => Sent::Done(()),
                // The server itself has said no.
                Ok(_) if error.kind() == Kind::Failed => Sent::Refused(error),
                _ => Sent::Unclear(error),
            },
            clear => clear,
        }
    }

    /// Deletes the secret called `name`, of which the list has shown `listed`, and returns which one
    /// that was. An interrupted replacement of it is then not wanted any more: where there is nothing
    /// else, that is dropped.
    async fn delete_one(
        &self,
        name: &Name,
        listed: &[&Listed],
        doubts: &Doubts,
    ) -> Result<Option<Old>> {
        match listed {
            [] => match self.journal.discard(name)? {
                true => Ok(None),
                false => Err(super::missing(name)),
            },
            [old] => {
                let old = old.as_old();
                match self.api.delete(&old.id).await {
                    Sent::Done(()) => Ok(Some(old)),
                    Sent::Refused(error) => Err(error),
                    Sent::Unclear(error) => {
                        doubts.note(name, Some(old));
                        Err(error)
                    }
                }
            }
            several => Err(ambiguous(name, several)),
        }
    }
}

#[async_trait(?Send)]
impl Provider for Neo {
    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        self.journal.tell_of_open(&[]);
        let listed = self.api.list().await?;
        let mut entries: Vec<Entry> = listed
            .secrets
            .into_iter()
            .filter(|secret| filter.admits(&secret.name))
            .filter_map(entry)
            .collect();
        // The sort is stable: several of one name stay in the server's order.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        let names: Vec<Name> = batch
            .writes
            .iter()
            .map(|write| write.name.clone())
            .collect();
        self.journal.tell_of_open(&names);
        let listed = self.api.list().await?;
        let listed = by_name(&listed.secrets);
        let doubts = Doubts::default();
        let tried = bulk::each(&self.services, "storing secrets", &batch.writes, |write| {
            let there = of(&listed, &write.name);
            self.put(write, there, batch.if_absent, &doubts)
        });
        let stored = self.look_for_stored(&names, tried.await?, &doubts).await;
        Ok(bulk::marked(names, stored))
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        self.journal.tell_of_open(names);
        let listed = self.api.list().await?;
        let listed = by_name(&listed.secrets);
        let doubts = Doubts::default();
        let tried = bulk::each(&self.services, "deleting secrets", names, |name| {
            self.delete_one(name, of(&listed, name), &doubts)
        });
        let results = self.look_for_deleted(names, tried.await?, &doubts).await;
        Ok(bulk::outcomes(names.to_vec(), results))
    }

    async fn login(&self, given: &Given) -> Result<Account> {
        let prove = async |key: &str| self.api.prove(key).await;
        self.api.keyed.login(given, prove).await?;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        Ok(self.api.keyed.account(None))
    }

    async fn logout(&self) -> Result<Vec<String>> {
        self.api.keyed.forget()
    }

    fn replacements(&self) -> Option<&dyn Replacements> {
        Some(self)
    }
}

/// A value, which is text where bytes are not among the capabilities.
fn text(value: &SecretValue) -> &str {
    value.expose_str().unwrap_or_default()
}

fn entry(secret: Listed) -> Option<Entry> {
    let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
    // The API lets no name be empty.
    let mark = secret.mark();
    let mut entry = Entry::new(Name::new(secret.name).ok()?);
    entry.mark = Some(mark);
    entry.created_at = time(secret.created_at);
    entry.updated_at = time(secret.updated_at);
    entry.description = secret.description.filter(|text| !text.is_empty());
    entry.attributes.insert("id".to_owned(), secret.id.into());
    Some(entry)
}

type ByName<'a> = HashMap<&'a str, Vec<&'a Listed>>;

fn by_name(listed: &[Listed]) -> ByName<'_> {
    let mut by_name = ByName::new();
    for secret in listed {
        by_name.entry(&secret.name).or_default().push(secret);
    }
    by_name
}

fn of<'m, 'a>(listed: &'m ByName<'a>, name: &Name) -> &'m [&'a Listed] {
    listed
        .get(name.as_str())
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn ambiguous(name: &Name, several: &[&Listed]) -> Error {
    let ids: Vec<&str> = several.iter().map(|secret| secret.id.as_str()).collect();
    Error::conflict(format!(
        "{} secrets are named {name}: {}",
        several.len(),
        ids.join(", ")
    ))
    .hint("delete all but one of them where you manage your account, then try again")
}
