//! The steps of one store that its provider has announced: a secret that it cannot write in one
//! request, and that must not be lost in between.

use std::cell::Cell;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Announced, Change, Journal, Open, REPLACEMENT, prefix, tag};
use crate::config::StoreConfig;
use crate::state;
use crate::words::batch::Write;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, StoreName};

/// The journal as one store's provider sees it.
pub struct StoreJournal {
    /// All that is open, of other stores too.
    pub all: Journal,
    pub(super) store: StoreName,
    pub(super) provider: &'static str,
    pub(super) url: String,
    pub(super) noticed: Cell<bool>,
}

impl StoreJournal {
    /// That of the store that `config` describes, as long as it is at `url`. Touches nothing.
    pub fn new(journal: Journal, config: &StoreConfig, url: String) -> Self {
        Self {
            all: journal,
            store: config.name().clone(),
            provider: config.provider(),
            url,
            noticed: Cell::new(false),
        }
    }

    /// Says, once, that steps of this store are open, those of `except` aside.
    pub fn tell_of_open(&self, except: &[Name]) {
        if self.noticed.replace(true) {
            return;
        }
        // A journal that cannot be read must not keep a store from being used.
        let mut tags = self.all.tags(REPLACEMENT).unwrap_or_default();
        let except: Vec<String> = except.iter().map(|name| self.tag(name)).collect();
        let own = prefix(REPLACEMENT, &self.store);
        tags.retain(|tag| tag.starts_with(&own) && !except.contains(tag));
        let open = tags.iter().map(|tag| self.all.read(tag).ok().flatten());
        let names: Option<Vec<String>> = open
            .map(|open| Some(open?.change.secret.name.to_string()))
            .collect();
        let what = match (tags.len(), names) {
            (0, _) => return,
            (_, Some(names)) => format!("the replacement of {}", names.join(", ")),
            (1, None) => "a replacement".to_owned(),
            (count, None) => format!("{count} replacements"),
        };
        (self.all.notice)(&format!(
            "{what} in the store {} was interrupted and is open: keyfob rotate --resume finishes it",
            self.store
        ));
    }

    /// Whether a step of `name` is open.
    pub fn is_open(&self, name: &Name) -> bool {
        self.all.path(&self.tag(name)).exists()
    }

    /// The open step of `name`, where there is one that can be read.
    pub fn find(&self, name: &Name) -> Option<Open> {
        self.all.read(&self.tag(name)).ok().flatten()
    }

    /// Announces a step: when this returns, the value of `write` and what `progress` says of it are
    /// on the disk, in place of an earlier step of the same secret.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn begin(&self, write: &Write, progress: &impl Serialize) -> Result<Open> {
        let announced = Announced {
            provider: self.provider.to_owned(),
            url: self.url.clone(),
            progress: as_json(progress)?,
        };
        let now = Timestamp::now();
        let change = Change::replacement(&self.store, write, now, announced);
        self.all.begin(change)
    }

    /// Notes how far `open` is.
    ///
    /// # Errors
    /// As [`Journal::begin`]; what was noted before is then intact.
    pub fn note(&self, open: &mut Open, progress: &impl Serialize) -> Result<()> {
        if let Some(announced) = &mut open.change.announced {
            announced.progress = as_json(progress)?;
        }
        self.all.keep(open)
    }

    /// What was noted last of `open`, which is to be finished here.
    ///
    /// # Errors
    /// `conflict` where it was begun at another place; `invalid_data` where it makes no sense.
    pub fn progress<T: DeserializeOwned>(&self, open: &Open) -> Result<T> {
        let Change {
            secret, announced, ..
        } = &open.change;
        let unknown = || Error::invalid_data(format!("what is open of {secret} makes no sense"));
        let announced = announced.as_ref().ok_or_else(unknown)?;
        if announced.url != self.url || announced.provider != self.provider {
            return Err(Error::conflict(format!(
                "the replacement of {} was begun at {}, where the store does not lead any more",
                secret.name, announced.url
            ))
            .hint("give the store the base_url that it had then, and try again"));
        }
        T::deserialize(&announced.progress).map_err(|_| unknown())
    }

    /// Drops the open step of `name`, whatever it says; tells whether there was one.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn discard(&self, name: &Name) -> Result<bool> {
        if !self.is_open(name) {
            return Ok(false);
        }
        let _lock = self.all.lock()?;
        state::remove(&self.all.path(&self.tag(name))).map(|()| true)
    }

    fn tag(&self, name: &Name) -> String {
        let subject = [self.provider, &self.url, name.as_str()];
        tag(REPLACEMENT, &self.store, &subject)
    }
}

fn as_json(progress: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(progress)
        .map_err(|error| Error::failed(format!("cannot note how far it is: {error}")))
}
