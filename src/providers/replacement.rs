//! Replacing where a backend cannot replace in place: the new value is in a sealed file before the
//! old one is deleted, and stays there until the backend has it.
//!
//! How a backend deletes and creates, and how it can tell what of that was done, is its provider's
//! work.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Services;
use crate::config::StoreConfig;
use crate::journal::{Journal, Seal, Tag};
use crate::words::batch::Outcome;
use crate::words::error::Result;
use crate::words::secret::{Name, SecretValue, StoreName};

/// The kind of sealed file.
const KIND: &str = "replacement";

/// What a provider that cannot replace in place offers beside the provider trait.
#[async_trait(?Send)]
pub trait Replacements {
    /// Finishes the replacements of this store that were interrupted: an outcome each.
    ///
    /// # Errors
    /// What keeps all of them from being finished; nothing was changed then.
    async fn resume(&self) -> Result<Vec<Outcome>>;
}

/// What may be told of a replacement that was begun and is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenReplacement {
    /// The store, as it was called then.
    pub store: StoreName,
    /// Its provider.
    pub provider: String,
    /// Where the secret is.
    pub url: String,
    /// The secret.
    pub name: Name,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// The open replacements of `store`, or of all stores; one that cannot be read is an error of its
/// own. Asks no server.
///
/// # Errors
/// `failed` where the journal's folder cannot be read.
pub fn open_replacements(
    services: &Services,
    store: Option<&StoreName>,
) -> Result<Vec<Result<OpenReplacement>>> {
    let journal = journal(services);
    let mut found = Vec::new();
    for tag in journal.tags(KIND)? {
        if store.is_some_and(|store| !tag.concerns(KIND, store.as_str())) {
            continue;
        }
        match journal.open::<Replacement>(&tag) {
            Ok(Some((replacement, _))) => found.push(replacement.shown()),
            // Another process has finished it just now.
            Ok(None) => {}
            Err(error) => found.push(Err(error)),
        }
    }
    Ok(found)
}

fn journal(services: &Services) -> Journal {
    Journal::new(
        &services.env,
        &services.folders,
        &services.keyring,
        Arc::clone(&services.notice),
    )
}

/// A replacement that was begun: all it takes to finish it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replacement {
    store: StoreName,
    provider: String,
    url: String,
    name: String,
    begun_at: Timestamp,
    /// The value that is to be there in the end.
    #[serde(serialize_with = "write_value", deserialize_with = "read_value")]
    pub value: SecretValue,
    /// The description that is to be there in the end.
    pub description: Option<String>,
    /// What was there before; `None` where nothing was.
    pub old: Option<Old>,
    /// How far it is.
    pub stage: Stage,
}

/// How far a replacement is, for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The old secret may be there or not; nothing was created.
    Begun,
    /// The old secret is gone; nothing was created.
    Deleted,
    /// The old secret is gone; the new one may have been created.
    Creating,
}

/// A secret on the server, so marked that a later one of its name is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Old {
    pub id: String,
    /// In the server's own words.
    pub created_at: Option<String>,
}

impl Replacement {
    /// The secret's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn shown(self) -> Result<OpenReplacement> {
        Ok(OpenReplacement {
            name: Name::new(self.name)?,
            store: self.store,
            provider: self.provider,
            url: self.url,
            begun_at: self.begun_at,
        })
    }
}

fn write_value<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
    let text = value
        .expose_str()
        .ok_or_else(|| serde::ser::Error::custom("a value is no text"))?;
    serializer.serialize_str(text)
}

fn read_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    String::deserialize(deserializer).map(SecretValue::from)
}

/// The sealed files of one store's replacements, for its provider.
pub(super) struct Ledger {
    services: Rc<Services>,
    journal: Journal,
    store: StoreName,
    provider: &'static str,
    url: String,
    noticed: Cell<bool>,
}

impl Ledger {
    /// Those of the store that `config` describes, as long as it is at `url`. Touches nothing.
    pub fn new(config: &StoreConfig, services: &Rc<Services>, url: String) -> Self {
        Self {
            services: Rc::clone(services),
            journal: journal(services),
            store: config.name().clone(),
            provider: config.provider(),
            url,
            noticed: Cell::new(false),
        }
    }

    /// Says, once, that replacements of this store are open, those of `except` aside.
    pub fn tell_of_open(&self, except: &[Name]) {
        if self.noticed.replace(true) {
            return;
        }
        // A journal that cannot be read must not keep a store from being used.
        let mut tags = self.journal.tags(KIND).unwrap_or_default();
        let except: Vec<Tag> = except.iter().map(|name| self.tag(name.as_str())).collect();
        tags.retain(|tag| tag.concerns(KIND, self.store.as_str()) && !except.contains(tag));
        let names: Option<Vec<String>> = tags
            .iter()
            .map(|tag| Some(self.journal.open::<Replacement>(tag).ok()??.0.name))
            .collect();
        let what = match (tags.len(), names) {
            (0, _) => return,
            (_, Some(names)) => format!("the replacement of {}", names.join(", ")),
            (1, None) => "a replacement".to_owned(),
            (count, None) => format!("{count} replacements"),
        };
        (self.services.notice)(&format!(
            "{what} in the store {} was interrupted and is open: keyfob rotate --resume finishes it",
            self.store
        ));
    }

    /// Whether a replacement of `name` is open.
    pub fn is_open(&self, name: &Name) -> bool {
        self.journal.contains(&self.tag(name.as_str()))
    }

    /// The open replacement of `name`, where there is one that can be read.
    pub fn find(&self, name: &Name) -> Option<Replacement> {
        let found = self.journal.open(&self.tag(name.as_str())).ok().flatten();
        found.map(|(replacement, _)| replacement)
    }

    /// All open replacements that can be read.
    ///
    /// # Errors
    /// `failed` where the journal's folder cannot be read.
    pub fn all(&self) -> Result<Vec<(Replacement, Seal)>> {
        let tags = self.journal.tags(KIND)?;
        let own = tags
            .iter()
            .filter(|tag| tag.concerns(KIND, self.store.as_str()));
        Ok(own
            .filter_map(|tag| self.journal.open(tag).ok().flatten())
            .collect())
    }

    /// Where `replacement` is to be finished, where that is not here.
    pub fn elsewhere<'r>(&self, replacement: &'r Replacement) -> Option<&'r str> {
        let here = replacement.url == self.url && replacement.provider == self.provider;
        (!here).then_some(replacement.url.as_str())
    }

    /// A replacement of `name` that begins now.
    pub fn begin(
        &self,
        name: &Name,
        value: SecretValue,
        description: Option<String>,
        old: Option<Old>,
    ) -> Replacement {
        Replacement {
            store: self.store.clone(),
            provider: self.provider.to_owned(),
            url: self.url.clone(),
            name: name.as_str().to_owned(),
            begun_at: Timestamp::now(),
            value,
            description,
            stage: if old.is_some() {
                Stage::Begun
            } else {
                Stage::Deleted
            },
            old,
        }
    }

    /// Puts `replacement` on the disk, in place of an earlier one of the same secret.
    ///
    /// # Errors
    /// As [`Journal::seal`]; an earlier one is then intact.
    pub fn keep(&self, replacement: &Replacement) -> Result<Seal> {
        self.journal.seal(&self.tag(&replacement.name), replacement)
    }

    /// Removes what [`keep`](Self::keep) has put on the disk.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn close(&self, seal: &Seal) -> Result<()> {
        self.journal.remove(seal)
    }

    /// Drops the open replacement of `name`; tells whether there was one.
    ///
    /// # Errors
    /// `failed` where it cannot be removed.
    pub fn discard(&self, name: &Name) -> Result<bool> {
        self.journal.discard(&self.tag(name.as_str()))
    }

    fn tag(&self, name: &str) -> Tag {
        Tag::new(KIND, self.store.as_str(), &[self.provider, &self.url, name])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replacement(value: &str) -> Replacement {
        Replacement {
            store: StoreName::new("fn").unwrap(),
            provider: "neo".to_owned(),
            url: "https://api.example.com".to_owned(),
            name: "A".to_owned(),
            begun_at: Timestamp::UNIX_EPOCH,
            value: value.into(),
            description: Some("what for".to_owned()),
            old: Some(Old {
                id: "sec_1".to_owned(),
                created_at: None,
            }),
            stage: Stage::Creating,
        }
    }

    #[test]
    fn what_may_be_shown_holds_no_value() {
        let replacement = replacement("hunter2");
        assert!(!format!("{replacement:?}").contains("hunter2"));
        let shown = serde_json::to_string(&replacement.shown().unwrap()).unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(value in ".*") {
            let json = serde_json::to_vec(&replacement(&value)).unwrap();
            let back: Replacement = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(back.value.expose_str(), Some(value.as_str()));
            prop_assert_eq!((back.old, back.stage), (replacement("").old, Stage::Creating));
        }
    }
}
