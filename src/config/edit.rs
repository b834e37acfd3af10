//! Changes to configuration files by keyfob itself: comments and formatting stay, nothing wrong is
//! ever written, and a file that was trusted stays trusted.

use std::path::{Path, PathBuf};

use toml_edit::{Array, Document, Item, Table, value};
use toml_writer::{ToTomlValue as _, TomlStringBuilder};

use super::check::{self, Value, did_you_mean};
use super::judge::{self, Verdict, judge};
use super::layer::{Layer, credential_hint};
use super::schema::{Providers, Schema, Shape, provider};
use super::trust::{self, TrustRecord};
use super::{LoadOptions, Role, environment, lookup, merge, reader, source, splice};
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::error::{Error, Result};
use crate::words::key_material;
use crate::words::secret::{Reference, StoreName};
use crate::words::shown::{self, ShownPath as _};

/// A commented file to begin with, in which nothing is set yet.
pub const TEMPLATE: &str = include_str!("template.toml");

/// The line of [`TEMPLATE`] that shows how a default store is set.
const TEMPLATE_DEFAULT: &str = "#default_store = \"dev\"";

/// Makes the file with [`TEMPLATE`], in which `default_store` is set where one is given. As it is
/// the user's own, it is trusted.
///
/// # Errors
/// `conflict` where there is something at `file` already, `not_found` where there is no such
/// store.
pub fn create(
    options: &LoadOptions<'_>,
    file: &Path,
    default_store: Option<&StoreName>,
) -> Result<()> {
    let lock = lock(options, file)?;
    let file = File::open(options, file)?;
    if file.before.is_some() {
        let path = file.target.shown();
        return Err(Error::conflict(format!("{path} exists already"))
            .hint("to add a store to it: keyfob store add NAME PROVIDER"));
    }
    let text = match default_store {
        Some(name) if !file.below.contains_key(name) => {
            return Err(no_store(&file.target, name, file.below.keys()));
        }
        Some(name) => {
            TEMPLATE.replacen(TEMPLATE_DEFAULT, &format!("default_store = \"{name}\""), 1)
        }
        None => TEMPLATE.to_owned(),
    };
    file.save(&lock, text)
}

/// Adds the store `name` with `fields`, each as its variable in the environment would hold it, to
/// the file, which is made where it is missing.
///
/// # Errors
/// `usage` for a provider or field that does not exist, a value it cannot have, or a credential;
/// `conflict` where the file has the store already, or it is a built-in one of another provider; `config` where the file is wrong.
pub fn add_store(
    options: &LoadOptions<'_>,
    file: &Path,
    name: &StoreName,
    provider_name: &str,
    fields: &[(String, String)],
) -> Result<()> {
    let schema = provider(options.schemas, provider_name).ok_or_else(|| {
        let names: Vec<&str> = options
            .schemas
            .iter()
            .map(|schema| schema.provider)
            .collect();
        Error::usage(format!(
            "there is no provider {}",
            shown::name(provider_name)
        ))
        .hint(did_you_mean(provider_name, "providers", &names))
    })?;
    let built_in = provider(options.schemas, name.as_str());
    if built_in.is_some_and(|built_in| built_in.provider != schema.provider) {
        return Err(Error::conflict(format!(
            "{name} is the built-in store of the provider {name}, and would be another one then"
        ))
        .hint(format!(
            "give it a name of its own: keyfob store add my-{} {}",
            schema.provider, schema.provider
        )));
    }
    let mut table = Table::new();
    table.insert("provider", value(schema.provider));
    for (key, text) in fields {
        if table.contains_key(key) {
            return Err(Error::usage(format!("{} is given twice", shown::name(key))));
        }
        table.insert(key, field_value(name, schema, key, text)?);
    }
    change(options, file, |document, layer, file| {
        if layer.stores.contains_key(name) {
            let path = file.target.shown();
            return Err(
                Error::conflict(format!("{path} has the store {name} already"))
                    .hint("edit the file, or remove the store first"),
            );
        }
        Ok(splice::add_store(document, name.as_str(), table))
    })
}

/// Removes the store `name` from the file, and `default_store` where it names a store that is then
/// gone.
///
/// # Errors
/// `not_found` where the file has no such store; `config` where the file is wrong.
pub fn remove_store(options: &LoadOptions<'_>, file: &Path, name: &StoreName) -> Result<()> {
    change(options, file, |document, layer, file| {
        if !layer.stores.contains_key(name) {
            return Err(no_store(&file.target, name, layer.stores.keys()));
        }
        let default = layer.default_store.as_ref();
        let is_default = default.is_some_and(|default| default.value == *name);
        let and_default = is_default && !file.below.contains_key(name);
        Ok(splice::remove_store(document, name.as_str(), and_default))
    })
}

/// Makes `name` the file's `default_store`.
///
/// # Errors
/// `not_found` where neither the file nor what lies below it has such a store; `config` where the
/// file is wrong.
pub fn set_default_store(options: &LoadOptions<'_>, file: &Path, name: &StoreName) -> Result<()> {
    change(options, file, |document, layer, file| {
        let known = || layer.stores.keys().chain(file.below.keys());
        if !known().any(|known| known == name) {
            return Err(no_store(&file.target, name, known()));
        }
        Ok(splice::set_default(document, name.as_str()))
    })
}

fn no_store<'a>(
    path: &Path,
    name: &StoreName,
    known: impl Iterator<Item = &'a StoreName>,
) -> Error {
    let known: Vec<&str> = known.map(StoreName::as_str).collect();
    Error::not_found(format!("{} has no store {name}", path.shown()))
        .hint(did_you_mean(name.as_str(), "stores in it", &known))
        .store(name.as_str())
}

/// `text` as the value of the field `key`.
fn field_value(name: &StoreName, schema: &Schema, key: &str, text: &str) -> Result<Item> {
    let Some(field) = schema.field(key) else {
        let fields = schema.fields.iter().filter(|field| !field.credential);
        let known: Vec<&str> = fields.map(|field| field.name).collect();
        let provider = schema.provider;
        return Err(Error::usage(format!(
            "the provider {provider} has no field {}",
            shown::name(key)
        ))
        .hint(did_you_mean(key, "fields", &known)));
    };
    if field.credential && text.parse::<Reference>().is_err() {
        return Err(Error::usage(format!(
            "{key} is a credential, which no file holds in the clear"
        ))
        .hint(credential_hint(name, schema, field)));
    }
    if text.is_empty() {
        return Err(Error::usage(format!("{key} is empty")));
    }
    if field.inline_env && field.shape == Shape::Path && key_material::is_plain_key(text) {
        return Err(Error::usage(format!(
            "{key} must be a path, not the key itself"
        )));
    }
    match check::value(field, text) {
        Ok(Value::Text(text)) if !text.contains(['\n', '\r']) => Ok(value(text.as_str())),
        // On one line: its line ends are not those of the file.
        Ok(Value::Text(text)) => {
            let written = TomlStringBuilder::new(&text).as_basic().to_toml_value();
            let written = written.parse::<toml_edit::Value>();
            Ok(value(written.unwrap_or_else(|_| text.as_str().into())))
        }
        Ok(Value::List(elements)) => Ok(value(elements.into_iter().collect::<Array>())),
        Err(why) => Err(Error::usage(format!("{key} {why}"))),
    }
}

/// A file that is to be changed, as it is found under the lock.
struct File<'o, 'a> {
    options: &'o LoadOptions<'a>,
    /// As the caller named it, for messages.
    named: PathBuf,
    /// Where it really is.
    target: PathBuf,
    role: Role,
    /// Its content, where there is such a file.
    before: Option<Vec<u8>>,
    /// Whether a change by keyfob is trusted.
    trusted: bool,
    below: Providers,
}

impl<'o, 'a> File<'o, 'a> {
    fn open(options: &'o LoadOptions<'a>, file: &Path) -> Result<Self> {
        let named = options.env.cwd().join(file);
        let exists = named.symlink_metadata().is_ok();
        let (target, before) = if exists {
            let raw = source::read(&named, false)?;
            (raw.canonical.clone(), Some(raw))
        } else {
            (canonical_parent(&named), None)
        };
        let user = lookup::user_file(options.folders);
        let is_user = target == canonical_parent(&user)
            || dunce::canonicalize(&user).is_ok_and(|user| user == target);
        let below = merge::providers_below(options, &target)?;
        let bytes = before.as_ref().map(|raw| raw.bytes.clone());
        let trusted = match before {
            Some(raw) => matches!(judge(options, raw, &named, &below)?, Verdict::Counts(_)),
            // Nothing of it came from elsewhere.
            None => true,
        };
        Ok(Self {
            below,
            role: if is_user { Role::User } else { Role::Project },
            options,
            named,
            target,
            before: bytes,
            trusted,
        })
    }

    /// What `bytes` mean as the content of this file.
    fn read(&self, bytes: Vec<u8>) -> Result<Layer> {
        let raw = source::Raw {
            canonical: self.target.clone(),
            bytes,
            foreign: None,
            open: false,
        };
        let source = source::Source::new(raw, &self.named, self.role, self.options.env)?;
        let layer = Layer::read(source, self.options.schemas, &self.below)?;
        let below = self
            .below
            .keys()
            .filter(|name| !layer.stores.contains_key(*name));
        environment::check_distinct(layer.stores.keys().chain(below), |_, message| {
            Error::config(format!("{}: {message}", self.named.shown()))
        })?;
        Ok(layer)
    }

    /// Writes `text`, unless somebody else has changed the file since.
    fn save(self, lock: &Lock, text: String) -> Result<()> {
        if self.before.as_deref() == Some(text.as_bytes()) {
            return Ok(());
        }
        let layer = self.read(text.clone().into_bytes())?;
        if state::read(&self.target)? != self.before {
            let path = self.target.shown();
            return Err(
                Error::conflict(format!("{path} was changed by another program")).hint("try again"),
            );
        }
        let fresh = match self.role {
            Role::User => 0o600,
            Role::Project | Role::Explicit => 0o644,
        };
        state::write_atomically(&self.target, text.as_bytes(), Mode::KeepOr(fresh))?;
        if self.trusted && self.role != Role::User {
            let record = TrustRecord::new(self.options.folders);
            let trusted = judge::trusted(&layer, trust::digest(text.as_bytes()));
            record
                .remember(lock, &self.target, trusted)
                .map_err(|error| error.context(format!("{} is written", self.target.shown())))?;
        }
        Ok(())
    }
}

/// Locks the folder of `file`, and that of the record of trust, each made where it is missing.
fn lock(options: &LoadOptions<'_>, file: &Path) -> Result<Lock> {
    let named = options.env.cwd().join(file);
    let target = dunce::canonicalize(&named).unwrap_or(named);
    let folders = [state::folder_of(&target), &options.folders.config];
    for folder in folders {
        state::create_folder(folder)?;
    }
    Lock::acquire(&folders, Some(options.folders.patience))
}

/// Reads the file, lets `act` change it, checks the result as loading would, and writes it.
fn change(
    options: &LoadOptions<'_>,
    file: &Path,
    act: impl FnOnce(&Document<&str>, &Layer, &File<'_, '_>) -> Result<String>,
) -> Result<()> {
    let lock = lock(options, file)?;
    let file = File::open(options, file)?;
    let layer = file.read(file.before.clone().unwrap_or_default())?;
    let text = &layer.source.text;
    let mut changed = act(&reader::parse(&layer.source)?, &layer, &file)?;
    // Where both ends of lines occur, some may stand in values.
    if text.contains("\r\n") && !text.replace("\r\n", "").contains('\n') {
        changed = changed.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    file.save(&lock, changed)
}

/// `path` with the symbolic links of its folder followed; there need be no file.
fn canonical_parent(path: &Path) -> PathBuf {
    match (path.parent().map(dunce::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}
