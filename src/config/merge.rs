//! Lays the layers over each other: built-in stores, the user's file, the project's, the
//! environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::environment;
use super::layer::Layer;
use super::lookup;
use super::reader::Placed;
use super::schema::Providers;
use super::source::{self, Raw, Source};
use super::store::{Entry, Origin, StoreConfig};
use super::trust::TrustRecord;
use super::{Config, LoadOptions, LoadedFile, Mapping, Role, RotationEntry};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::shown::ShownPath as _;
use crate::words::text::Place;

impl Config {
    /// Finds, reads, checks and merges the files and the environment.
    ///
    /// # Errors
    /// `config` with `FILE:LINE:COLUMN` for what is wrong in a file, or with the variable's name.
    pub fn load(options: &LoadOptions<'_>) -> Result<Self> {
        let mut merger = Merger::new(options)?;
        match &options.explicit {
            Some(named) => {
                let raw = source::read(&options.env.cwd().join(named), true)
                    .map_err(|error| error.hint("it was named by --config or KEYFOB_CONFIG"))?;
                merger.add(Role::Explicit, raw, named, true)?;
            }
            None => {
                let user = lookup::user_file(options.folders);
                let mut user_canonical = None;
                if lookup::is_there(&user)? {
                    let raw = source::read(&user, false)?;
                    user_canonical = Some(raw.canonical.clone());
                    merger.add(Role::User, raw, &user, true)?;
                }
                if let Some(found) = lookup::project_file(options.env)? {
                    let raw = source::read(&found, false)?;
                    if user_canonical.as_ref() != Some(&raw.canonical) {
                        let trusted = is_trusted(options, &raw)?;
                        merger.add(Role::Project, raw, &found, trusted)?;
                    }
                }
            }
        }
        merger.finish()
    }
}

/// Whether the project's file `raw` is the user's own word.
fn is_trusted(options: &LoadOptions<'_>, raw: &Raw) -> Result<bool> {
    let own_folder = std::fs::canonicalize(&options.folders.config);
    let is_own = own_folder.is_ok_and(|folder| raw.canonical.parent() == Some(&folder));
    Ok(is_own
        || options.env.flag("KEYFOB_TRUST")
        || TrustRecord::new(options.folders).is_trusted(&raw.canonical, &raw.bytes)?)
}

/// The stores that exist without any configuration, by the providers' names.
fn built_in(options: &LoadOptions<'_>) -> Result<Providers> {
    let schemas = options.schemas.iter();
    schemas
        .map(|schema| Ok((StoreName::new(schema.provider)?, *schema)))
        .collect()
}

/// The providers of all stores as the file at `path` finds them, if it were the project's: those
/// of the built-in stores and of the user's own file.
///
/// # Errors
/// `config` where the user's own file is wrong.
pub(super) fn providers_below(options: &LoadOptions<'_>, path: &Path) -> Result<Providers> {
    let mut merger = Merger::new(options)?;
    let user = lookup::user_file(options.folders);
    let is_user = match (std::fs::canonicalize(&user), std::fs::canonicalize(path)) {
        (Ok(user), Ok(path)) => user == path,
        _ => user == path,
    };
    if !is_user && options.explicit.is_none() && lookup::is_there(&user)? {
        let raw = source::read(&user, false)?;
        merger.add(Role::User, raw, &user, true)?;
    }
    Ok(merger.providers)
}

/// A source out of a file that was read.
///
/// What is relative in the user's own file starts at the folder that holds it, where it is often
/// but a link into a collection of dotfiles. Any other file is taken where it really is, so that
/// what was trusted in one place does not mean something else when linked to from another.
///
/// # Errors
/// `config` where it is no text.
pub(super) fn source_of(
    raw: Raw,
    found: &Path,
    role: Role,
    trusted: bool,
    env: &Environment,
) -> Result<Source> {
    let located = match role {
        Role::User => found,
        Role::Project | Role::Explicit => &raw.canonical,
    };
    let base = match located.parent() {
        Some(folder) if located.is_file() => folder,
        _ => env.cwd(),
    };
    let shown = found.shown().to_string();
    Ok(Source {
        base: base.into(),
        text: source::decode(&shown, raw.bytes)?,
        path: raw.canonical.into(),
        shown,
        trusted,
    })
}

struct Merger<'o, 'a> {
    options: &'o LoadOptions<'a>,
    config: Config,
    providers: Providers,
    places: BTreeMap<StoreName, Origin>,
}

impl<'o, 'a> Merger<'o, 'a> {
    fn new(options: &'o LoadOptions<'a>) -> Result<Self> {
        let providers = built_in(options)?;
        let stores = providers.iter().map(|(name, schema)| {
            let store = StoreConfig::new(name.clone(), schema, None, false);
            (name.clone(), store)
        });
        Ok(Self {
            options,
            config: Config {
                default_store: None,
                stores: stores.collect(),
                env: BTreeMap::new(),
                rotations: BTreeMap::new(),
                files: Vec::new(),
            },
            providers,
            places: BTreeMap::new(),
        })
    }

    /// Reads the file and lays it over what there is.
    fn add(&mut self, role: Role, raw: Raw, found: &Path, trusted: bool) -> Result<()> {
        let source = source_of(raw, found, role, trusted, self.options.env)?;
        let layer = Layer::read(source, self.options.schemas, &self.providers)?;
        self.config.files.push(LoadedFile {
            path: layer.source.path.clone(),
            role,
            trusted,
        });
        self.lay_over(layer);
        Ok(())
    }

    fn lay_over(&mut self, layer: Layer) {
        let source = layer.source;
        let origin = |place: Place| Origin::File {
            path: Arc::clone(&source.path),
            line: place.line,
            column: place.column,
            trusted: source.trusted,
        };
        if let Some(Placed { value, place }) = layer.default_store {
            self.config.default_store = Some((value, origin(place)));
        }
        for (name, table) in layer.stores {
            self.places.insert(name.clone(), origin(table.place));
            let named = table.provider_place.map(origin);
            // Another provider makes another store: no field of the one below may meet it.
            let fresh =
                || StoreConfig::new(name.clone(), table.schema, named.clone(), table.replaces);
            let store = self.config.stores.entry(name.clone()).or_insert_with(fresh);
            if table.replaces {
                *store = fresh();
            } else if let (None, Some(named)) = (store.provider_origin(), named.clone()) {
                store.set_provider_origin(named);
            }
            let entries = table.fields.into_iter().filter_map(|(key, placed)| {
                let field = table.schema.field(key)?;
                let origin = origin(placed.place);
                let entry = Entry::new(field, placed.value, origin, &source.base, self.options.env);
                Some((key, entry))
            });
            store.lay_over(entries);
            self.providers.insert(name, table.schema);
        }
        for (variable, Placed { value, place }) in layer.env {
            let mapping = Mapping {
                target: value,
                origin: origin(place),
            };
            self.config.env.insert(variable, mapping);
        }
        for (name, Placed { value, place }) in layer.rotations {
            let entry = RotationEntry {
                rotation: value,
                origin: origin(place),
            };
            self.config.rotations.insert(name, entry);
        }
    }

    /// Lays the environment over all and checks what only the whole can tell.
    fn finish(mut self) -> Result<Config> {
        let (env, schemas) = (self.options.env, self.options.schemas);
        environment::check_distinct(self.config.stores.keys(), |store, message| {
            Error::config(match self.places.get(store) {
                Some(place) => format!("{place}: {message}"),
                None => message.to_owned(),
            })
        })?;
        for (name, (schema, origin)) in environment::providers(env, schemas, &self.providers)? {
            let fresh = StoreConfig::new(name.clone(), schema, Some(origin.clone()), false);
            let store = self
                .config
                .stores
                .entry(name)
                .or_insert_with(|| fresh.clone());
            if store.provider() == schema.provider {
                store.set_provider_origin(origin);
            } else {
                *store = fresh;
            }
        }
        for (name, store) in &mut self.config.stores {
            store.lay_over(environment::fields(env, name, store.schema())?);
        }
        Ok(self.config)
    }
}
