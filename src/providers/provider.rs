//! The provider trait: what every backend can be asked, in terms of secrets and not of HTTP; and
//! what the registry says of a provider.
//!
//! What its line says that it cannot do is never asked of it: the store refuses that.

use std::collections::BTreeMap;
use std::rc::Rc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::groups::Groups;
use super::services::Services;
use super::support::CA_FILE;
use crate::config::StoreConfig;
use crate::config::schema::Schema;
use crate::journal;
use crate::words::batch::{
    Action, Batch, Filter, Metadata, Outcome, Past, Reading, Restored, Selection, Version, Write,
};
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name, SecretValue};

/// One thing that a provider may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Values can be read back.
    Read,
    /// Many secrets are written in one request.
    BulkWrite,
    /// A secret is replaced in one step, never absent in between.
    AtomicReplace,
    /// A description is kept with each secret.
    Describe,
    /// A secret can be given a time after which it is not served.
    Expiry,
    /// Further attributes are kept with each secret.
    Attributes,
    /// Values may be any bytes, not only text.
    Binary,
    /// Secrets have types that a list can be filtered by.
    Types,
    /// Entries say when they were last written.
    Times,
    /// Secrets live in groups that have fields of their own.
    Groups,
    /// Earlier versions can be listed and restored.
    History,
}

impl Capability {
    /// Every capability, in the order in which tables show them.
    pub const ALL: [Capability; 11] = [
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
        Capability::Describe,
        Capability::Expiry,
        Capability::Attributes,
        Capability::Binary,
        Capability::Types,
        Capability::Times,
        Capability::Groups,
        Capability::History,
    ];

    /// What a provider without it has not ("it has no …").
    pub fn noun(self) -> &'static str {
        match self {
            Capability::Read => "way to read values back",
            Capability::BulkWrite => "write of many at once",
            Capability::AtomicReplace => "replacement in place",
            Capability::Describe => "descriptions",
            Capability::Expiry => "expiry",
            Capability::Attributes => "attributes",
            Capability::Binary => "room for bytes that are not text",
            Capability::Types => "types",
            Capability::Times => "times",
            Capability::Groups => "groups",
            Capability::History => "history",
        }
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Capability::Read => "values can be read back",
            Capability::BulkWrite => "many in one write",
            Capability::AtomicReplace => "replaces in place",
            Capability::Describe => "descriptions",
            Capability::Expiry => "expiry",
            Capability::Attributes => "attributes",
            Capability::Binary => "any bytes",
            Capability::Types => "types",
            Capability::Times => "times",
            Capability::Groups => "groups",
            Capability::History => "history",
        }
    }
}

/// What a store can do, as data: what is not among it is refused before any request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// These.
    pub const fn of(list: &[Capability]) -> Self {
        let mut all = Self(0);
        let mut at = 0;
        while at < list.len() {
            all = all.with(list[at]);
            at += 1;
        }
        all
    }

    /// These and `capability`.
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u16)
    }

    /// Whether `capability` is among them.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u16) != 0
    }
}

/// A backend, opened with a store's configuration.
///
/// Implementations answer for each item: an `Err` of the whole call means that nothing was
/// changed, and once something was, failures are told item by item in the [`Outcome`]s.
#[async_trait(?Send)]
pub trait Provider {
    /// What this store can do; `None` is what its provider's line in the registry says.
    fn capabilities(&self) -> Option<Capabilities> {
        None
    }

    /// Checks that `name` can be held, before anything is sent.
    ///
    /// # Errors
    /// `invalid_data` that says which rule of the backend the name breaks.
    fn check_name(&self, _name: &Name) -> Result<()> {
        Ok(())
    }

    /// Checks that `write` can be held, name and value, before anything is sent.
    ///
    /// # Errors
    /// `invalid_data` that says which rule of the backend it breaks.
    fn check(&self, write: &Write) -> Result<()> {
        self.check_name(&write.name)
    }

    /// The entries that pass `filter`, sorted by name, without values.
    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>>;

    /// The same for somebody who looks: where a rate limit ends the work, what was read by then, and
    /// the error that says what was not.
    async fn list_what_can_be_read(&self, filter: &Filter) -> Result<(Vec<Entry>, Option<Error>)> {
        Ok((self.list(filter).await?, None))
    }

    /// The values of the selected secrets; a missing one is not in the answer. Never asked of what
    /// has no [`Capability::Read`].
    async fn read(&self, _selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        Err(Error::unsupported("no value can be read back"))
    }

    /// As [`read`](Self::read), with the numbers of the versions where the backend counts them.
    async fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        Ok(Reading {
            values: self.read(selection).await?,
            versions: None,
        })
    }

    /// Stores `batch`, all of which has passed [`check`](Self::check), in the backend's cheapest way. The outcomes are in the batch's order.
    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>>;

    /// Changes what stands beside the value of `name`, and not the value.
    ///
    /// # Errors
    /// `not_found` where there is no such secret; `unsupported` where the backend wants the value
    /// with it.
    async fn annotate(&self, name: &Name, _metadata: Metadata) -> Result<Action> {
        Err(Error::unsupported(format!(
            "what stands beside the value of {name} is stored together with the value alone"
        )))
    }

    /// Deletes `names`; a missing one fails with `not_found` in its own outcome. The outcomes
    /// are in the order of the names.
    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>>;

    /// Proves to the backend who keyfob is, dropping whatever token is cached, and tells what is
    /// known of the account. What is `given` is proved in place of what there is, and then kept in
    /// the OS keyring.
    ///
    /// # Errors
    /// `unauthenticated` where the backend refuses.
    async fn login(&self, given: &Given) -> Result<Account>;

    /// What is known of the account and session without asking the backend anything.
    async fn account(&self) -> Result<Account>;

    /// Forgets cached tokens and stored credentials. Returns what was forgotten, in words.
    async fn logout(&self) -> Result<Vec<String>>;

    /// Its earlier versions, where it has [`Capability::History`].
    fn versions(&self) -> Option<&dyn Versions> {
        None
    }

    /// Its groups, where it has [`Capability::Groups`].
    fn groups(&self) -> Option<&dyn Groups> {
        None
    }

    /// How it finishes steps that it has announced, where it cannot replace in place.
    fn replacements(&self) -> Option<&dyn Replacements> {
        None
    }

    /// Ends whatever still runs for it, before another program takes this one's place.
    async fn close(&self) {}
}

/// What is offered by a provider that keeps earlier versions.
#[async_trait(?Send)]
pub trait Versions {
    /// The versions of `name`, newest first.
    ///
    /// # Errors
    /// `not_found` where there never was such a secret, or not for long.
    async fn history(&self, name: &Name) -> Result<Vec<Version>>;

    /// Makes the value of an earlier version the current one again, as a new version: that of
    /// `number`, else the newest earlier one that has a value. Deleted secrets come back so.
    ///
    /// # Errors
    /// `not_found` where there is no such secret or version; `usage` for a version in which the
    /// secret was deleted.
    async fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored>;

    /// The secrets that are deleted and can be restored, sorted by name; `updated_at` is when they
    /// were deleted.
    ///
    /// # Errors
    /// `unsupported` where the backend does not list them.
    async fn deleted(&self) -> Result<Vec<Entry>> {
        Err(Error::unsupported("deleted secrets are not listed"))
    }

    /// The versions of `name` before the current one, oldest first, with their values; `None` where
    /// the backend does not give them along.
    async fn past(&self, _name: &Name) -> Result<Option<Vec<Past>>> {
        Ok(None)
    }

    /// Whether a write takes the versions along that [go before it](Write::past).
    fn takes_past(&self) -> bool {
        false
    }
}

/// What a provider that announces steps in the journal offers beside the provider trait.
#[async_trait(?Send)]
pub trait Replacements {
    /// Finishes `open`, all of them steps of this store that were interrupted: an outcome each, in
    /// their order.
    ///
    /// # Errors
    /// What keeps all of them from being finished; nothing was changed then.
    async fn resume(&self, open: Vec<journal::Open>) -> Result<Vec<Outcome>>;
}

/// Who a store acts as, and by what right.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Account {
    /// Where the secrets are: a base URL, or a path.
    pub url: String,
    /// The account: a Solana address, a public key, a project; `None` where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where the credential comes from, in words ("environment KEYFOB_WEB_API_TOKEN").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// When the cached token expires; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// Where the token is cached, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_cache: Option<String>,
}

/// Makes a provider of a store's configuration.
pub type Open = fn(&StoreConfig, &Rc<Services>) -> Result<Box<dyn Provider>>;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The word of the store's field `auth` that asks for it; `None` where nothing must be set.
    pub auth: Option<&'static str>,
    /// The credential fields that it takes, all of them together.
    pub fields: &'static [&'static str],
}

/// What a person gives to log in with, by field.
pub type Given = BTreeMap<&'static str, SecretValue>;

/// A JSON object that holds a value and attributes that change with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composite {
    /// The key of the value.
    pub value: &'static str,
    /// The keys of the attributes, which are their names too.
    pub attributes: &'static [&'static str],
}

/// What a provider cannot do, in more words than there are for all providers.
pub struct Lack {
    /// What it does not have.
    pub capability: Capability,
    /// What it cannot do without, and why ("list by type: types belong to groups").
    pub act: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

/// A provider as the registry knows it: all that can be said without opening a store.
pub struct ProviderSpec {
    /// Its name and the fields of its stores.
    pub schema: &'static Schema,
    /// What people call it.
    pub title: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What more is to be said of what it cannot do.
    pub lacks: &'static [Lack],
    /// How a command prints a new value together with what is beside it, where the two change
    /// together.
    pub composite: Option<Composite>,
    /// The ways to sign in with what `login` can keep; it asks for the first that the store's `auth`
    /// does not rule out.
    pub credentials: &'static [Method],
    /// What its stores forgo where nothing is kept from one command to the next, for `doctor`.
    pub without_cache: Option<&'static str>,
    /// Opens a store of this provider. Touches neither network nor keyring.
    pub open: Open,
}

impl ProviderSpec {
    /// Whether it is asked over the network, and so may be out of reach: all that are let their
    /// stores name authorities to trust.
    pub fn is_remote(&self) -> bool {
        self.schema.field(CA_FILE.name).is_some()
    }

    /// The provider's name.
    pub fn name(&self) -> &'static str {
        self.schema.provider
    }
}
