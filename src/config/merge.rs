//! Lays the layers over each other: built-in stores, the user's file, the project's, the
//! environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::environment;
use super::judge::{Verdict, judge};
use super::layer::Layer;
use super::lookup;
use super::reader::Placed;
use super::schema::Providers;
use super::source::{self, Raw, Source};
use super::store::{Entry, Origin, StoreConfig};
use super::trust::Untrusted;
use super::variable::Variable;
use super::{Config, Files, LoadOptions, LoadedFile, Mapping, Role, RotationEntry};
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;
use crate::words::text::Place;

impl Config {
    /// Finds, reads, checks and merges the files and the environment. A project's file that does not
    /// count is left out, and [`left_out`](Self::left_out) tells of it.
    ///
    /// # Errors
    /// `config` with `FILE:LINE:COLUMN` for what is wrong in a file, with the variable's name, or for
    /// a file of the user's own that others can write.
    pub fn load(options: &LoadOptions<'_>) -> Result<Self> {
        let mut merger = Merger::new(options)?;
        if let Files::Named(named) = &options.files {
            let raw = source::read(&options.env.cwd().join(named), true)
                .map_err(|error| error.hint("it was named by --config or KEYFOB_CONFIG"))?;
            merger.add(Role::Explicit, raw, named)?;
            return merger.finish();
        }
        let user = lookup::user_file(options.folders);
        let mut own = None;
        if lookup::is_there(&user)? {
            let raw = read_own(options, &user)?;
            own = Some(raw.canonical.clone());
            merger.add(Role::User, raw, &user)?;
        }
        let found = match options.files {
            Files::Found => lookup::project_file(options.env)?,
            Files::Own | Files::Named(_) => None,
        };
        if let Some(found) = found {
            merger.add_project(&found, own.as_deref())?;
        }
        merger.finish()
    }
}

/// Reads the user's own file.
///
/// # Errors
/// `config` where that fails, or it may be somebody else's word.
fn read_own(options: &LoadOptions<'_>, user: &Path) -> Result<Raw> {
    let raw = source::read(user, false)?;
    let folder = &options.folders.config;
    raw.check_own(folder)?;
    // It may be but a link from there.
    source::check_own_folder(folder)?;
    Ok(raw)
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
    let is_user = match (dunce::canonicalize(&user), dunce::canonicalize(path)) {
        (Ok(user), Ok(path)) => user == path,
        _ => user == path,
    };
    let named = matches!(options.files, Files::Named(_));
    if !is_user && !named && lookup::is_there(&user)? {
        let raw = read_own(options, &user)?;
        merger.add(Role::User, raw, &user)?;
    }
    Ok(merger.providers)
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
            let store = StoreConfig::new(name.clone(), schema, None);
            (name.clone(), store)
        });
        Ok(Self {
            options,
            config: Config {
                default_store: None,
                stores: stores.collect(),
                env: BTreeMap::new(),
                profiles: BTreeMap::new(),
                rotations: BTreeMap::new(),
                files: Vec::new(),
                left_out: None,
            },
            providers,
            places: BTreeMap::new(),
        })
    }

    /// Lays the file, which counts, over what there is.
    fn add(&mut self, role: Role, raw: Raw, found: &Path) -> Result<()> {
        let source = Source::new(raw, found, role, self.options.env)?;
        let layer = Layer::read(source, self.options.schemas, &self.providers)?;
        self.lay_over(role, layer);
        Ok(())
    }

    /// The same with the project's file, where it counts and is not the user's `own` once more.
    fn add_project(&mut self, found: &Path, own: Option<&Path>) -> Result<()> {
        let raw = source::read(found, false)?;
        if own == Some(&raw.canonical) {
            return Ok(());
        }
        if self.options.env.flag("KEYFOB_TRUST") {
            return self.add(Role::Project, raw, found);
        }
        let path = Arc::from(raw.canonical.as_path());
        match judge(self.options, raw, found, &self.providers)? {
            Verdict::Counts(layer) => self.lay_over(Role::Project, layer),
            Verdict::Not(why) => self.config.left_out = Some(Untrusted { path, why }),
        }
        Ok(())
    }

    fn lay_over(&mut self, role: Role, layer: Layer) {
        let source = layer.source;
        self.config.files.push(LoadedFile {
            path: Arc::clone(&source.path),
            role,
        });
        let origin = |place: Place| Origin::File {
            path: Arc::clone(&source.path),
            line: place.line,
            column: place.column,
            folder: Arc::clone(&source.base),
        };
        if let Some(Placed { value, place }) = layer.default_store {
            self.config.default_store = Some((value, origin(place)));
        }
        for (name, table) in layer.stores {
            self.places.insert(name.clone(), origin(table.place));
            let named = table.provider_place.map(origin);
            // Another provider makes another store: no field of the one below may meet it.
            let fresh = || StoreConfig::new(name.clone(), table.schema, named.clone());
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
        let mapping = |(name, Placed { value, place }): (String, Placed<Variable>)| {
            let origin = origin(place);
            let variable = value;
            (name, Mapping { variable, origin })
        };
        self.config.env.extend(layer.env.into_iter().map(mapping));
        for (name, profile) in layer.profiles {
            let known = self.config.profiles.entry(name).or_default();
            if let Some(Placed { value, place }) = profile.default_store {
                known.default_store = Some((value, origin(place)));
            }
            known.env.extend(profile.env.into_iter().map(mapping));
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
            let fresh = StoreConfig::new(name.clone(), schema, Some(origin.clone()));
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
