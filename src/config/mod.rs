//! Configuration: where stores are described, how files and the environment are merged, and whether a
//! checkout's file counts.
//!
//! Opening a store with what is configured here is left to the store layer and the providers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::shown;

pub mod check;
pub mod edit;
pub mod environment;
mod judge;
mod layer;
pub mod lookup;
mod merge;
mod profile;
mod reader;
mod related;
pub mod review;
mod rotation;
pub mod schema;
mod source;
mod splice;
mod standing;
mod store;
pub mod trust;
mod variable;

#[cfg(test)]
use rotation::Derived;
pub use rotation::{Rotation, ValueSource};
use schema::Schemas;
pub use source::Role;
pub use store::{Origin, StoreConfig};
use trust::Untrusted;
pub use variable::Variable;

/// What a configuration is loaded from.
#[derive(Clone)]
pub struct LoadOptions<'a> {
    /// The variables, and the working directory that the lookup starts at.
    pub env: &'a Environment,
    /// Where the user's own file and the record of trust are.
    pub folders: &'a Folders,
    /// The files that make it up.
    pub files: Files,
    /// Every provider's fields.
    pub schemas: Schemas,
}

/// Which files make up the configuration, as `--config` or `KEYFOB_CONFIG` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// The project's, found from the working directory upwards, over the user's own.
    #[default]
    Found,
    /// The user's own alone: `none`.
    Own,
    /// This one alone. As the user has named it, it is the user's own word.
    Named(PathBuf),
}

impl Files {
    /// What `named`, the text of the option or the variable, says.
    pub fn of(named: PathBuf) -> Self {
        match named.as_os_str() == "none" {
            true => Self::Own,
            false => Self::Named(named),
        }
    }
}

/// The whole configuration, merged and checked.
#[derive(Debug)]
pub struct Config {
    default_store: Option<(StoreName, Origin)>,
    stores: BTreeMap<StoreName, StoreConfig>,
    env: BTreeMap<String, Mapping>,
    profiles: BTreeMap<String, Profile>,
    rotations: BTreeMap<String, RotationEntry>,
    files: Vec<LoadedFile>,
    left_out: Option<Untrusted>,
}

/// What lies over the rest of the configuration when it is chosen.
#[derive(Debug, Default)]
struct Profile {
    default_store: Option<(StoreName, Origin)>,
    env: BTreeMap<String, Mapping>,
}

/// What one variable of `[env]` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What it says.
    pub variable: Variable,
    /// Where it is configured.
    pub origin: Origin,
}

/// One `[rotation.NAME]`, and where it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEntry {
    /// What it says.
    pub rotation: Rotation,
    /// Where it stands.
    pub origin: Origin,
}

/// A file that the configuration was loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// The file, symbolic links followed.
    pub path: Arc<Path>,
    /// Whose it is.
    pub role: Role,
}

impl Config {
    /// The store that the configuration selects where no flag and no variable does.
    ///
    /// # Errors
    /// `config` where `default_store` names a store that does not exist.
    pub fn default_store(&self) -> Result<Option<&StoreName>> {
        match &self.default_store {
            None => Ok(None),
            Some((name, _)) if self.stores.contains_key(name) => Ok(Some(name)),
            Some((name, origin)) => Err(Error::config(format!(
                "{origin}: default_store names the store {name}, which does not exist"
            ))
            .hint(self.suggestion(name))),
        }
    }

    /// Lays the profile called `name` over the rest.
    ///
    /// # Errors
    /// `config` with those there are, where it is none of them and no file was left out that may
    /// have it.
    pub fn choose_profile(&mut self, name: &str) -> Result<()> {
        let Some(profile) = self.profiles.remove(name) else {
            let names: Vec<&str> = self.profiles().collect();
            return match &self.left_out {
                Some(_) => Ok(()),
                None => Err(
                    Error::config(format!("there is no profile {}", shown::name(name))).hint(
                        match names.is_empty() {
                            true => "the configuration has no [profiles] table".to_owned(),
                            false => check::did_you_mean(name, "profiles", &names),
                        },
                    ),
                ),
            };
        };
        if profile.default_store.is_some() {
            self.default_store = profile.default_store;
        }
        self.env.extend(profile.env);
        Ok(())
    }

    /// The names of the profiles that could be chosen.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The store called `name`.
    ///
    /// # Errors
    /// `not_found` with a hint at the stores that there are.
    pub fn store(&self, name: &StoreName) -> Result<&StoreConfig> {
        self.stores.get(name).ok_or_else(|| {
            Error::not_found(format!("there is no store {name}"))
                .hint(self.suggestion(name))
                .store(name.as_str())
        })
    }

    fn suggestion(&self, name: &StoreName) -> String {
        let names: Vec<&str> = self.stores.keys().map(StoreName::as_str).collect();
        let all = format!("the stores are {}", names.join(", "));
        match check::suggest(name.as_str(), names.iter().copied()) {
            Some(near) => format!("did you mean {near}? {all}"),
            None => format!("{all}; another is made with: keyfob store add NAME PROVIDER"),
        }
    }

    /// Every store, sorted by name.
    pub fn stores(&self) -> impl Iterator<Item = &StoreConfig> {
        self.stores.values()
    }

    /// The `[env]` table, by variable; empty where there is none.
    pub fn env_table(&self) -> &BTreeMap<String, Mapping> {
        &self.env
    }

    /// The `[rotation]` tables, by the name they stand under; empty where there are none.
    pub fn rotations(&self) -> &BTreeMap<String, RotationEntry> {
        &self.rotations
    }

    /// The files that were loaded, the weakest first.
    pub fn files(&self) -> &[LoadedFile] {
        &self.files
    }

    /// The project's file, where there is one that does not count.
    pub fn left_out(&self) -> Option<&Untrusted> {
        self.left_out.as_ref()
    }
}

#[cfg(test)]
mod tests;
