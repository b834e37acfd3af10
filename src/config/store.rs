//! One store's configuration after merging: each field's value, and where it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::Value;
use super::layer::credential_hint;
use super::schema::{Field, Schema, Shape, variables};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::key_material;
use crate::words::secret::{Reference, SecretValue, StoreName};
use crate::words::shown::{self, ShownPath as _};

/// Where something was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In this environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// In a file.
    File {
        /// The file, symbolic links followed.
        path: Arc<Path>,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// The folder that what is relative in it starts at, and that its commands run in.
        folder: Arc<Path>,
    },
}

impl Origin {
    /// The folder that a command from there runs in; `None` is the working directory.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Origin::File { folder, .. } => Some(folder),
            Origin::Environment { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Environment { variable } => write!(f, "environment {variable}"),
            Origin::File {
                path, line, column, ..
            } => write!(f, "{}:{line}:{column}", path.shown().exact()),
        }
    }
}

/// A field's value, where it comes from, and the path it stands for.
#[derive(Clone)]
pub(super) struct Entry {
    value: Value,
    origin: Origin,
    path: Option<PathBuf>,
}

impl Entry {
    /// `value` of `field`; what is relative in it starts at `base`.
    pub fn new(
        field: &Field,
        value: Value,
        origin: Origin,
        base: &Path,
        env: &Environment,
    ) -> Self {
        let in_environment = matches!(origin, Origin::Environment { .. });
        let path = match &value {
            Value::Text(text) if field.shape == Shape::Path => {
                let path = env.resolve(text, base);
                let inline =
                    field.inline_env && in_environment && key_material::is_key(text, &path);
                (!inline).then_some(path)
            }
            _ => None,
        };
        Self {
            value,
            origin,
            path,
        }
    }
}

/// A store, ready to be opened.
#[derive(Clone)]
pub struct StoreConfig {
    name: StoreName,
    schema: &'static Schema,
    /// Where its provider is named; `None` for a built-in store that nothing renames.
    provider_origin: Option<Origin>,
    entries: BTreeMap<&'static str, Entry>,
}

impl StoreConfig {
    /// A store without any field set.
    pub(super) fn new(
        name: StoreName,
        schema: &'static Schema,
        provider_origin: Option<Origin>,
    ) -> Self {
        Self {
            name,
            schema,
            provider_origin,
            entries: BTreeMap::new(),
        }
    }

    /// Lays `entries` over what is set already.
    pub(super) fn lay_over(&mut self, entries: impl IntoIterator<Item = (&'static str, Entry)>) {
        self.entries.extend(entries);
    }

    /// Notes where the provider is named that the store has already.
    pub(super) fn set_provider_origin(&mut self, origin: Origin) {
        self.provider_origin = Some(origin);
    }

    /// Its name.
    pub fn name(&self) -> &StoreName {
        &self.name
    }

    /// Its provider's name.
    pub fn provider(&self) -> &'static str {
        self.schema.provider
    }

    /// Its provider's schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Where its provider is named; `None` for a built-in store that nothing configures.
    pub fn provider_origin(&self) -> Option<&Origin> {
        self.provider_origin.as_ref()
    }

    /// Whether anything configures it; a built-in store may never have been set up.
    pub fn is_set_up(&self) -> bool {
        self.provider_origin.is_some() || self.fields().next().is_some()
    }

    /// The fields that are set, in the schema's order, with where they come from.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, &Origin)> {
        let fields = self.schema.fields.iter();
        fields.filter_map(|field| Some((field, &self.entries.get(field.name)?.origin)))
    }

    /// The text of `field`, where it is set: as it was written, but a base URL without the slash
    /// at its end. Lists are [`list`](Self::list)'s.
    pub fn text(&self, field: &str) -> Option<&str> {
        match &self.entries.get(field)?.value {
            Value::Text(text) => Some(text),
            Value::List(_) => None,
        }
    }

    /// The text of `field`, which the provider cannot do without.
    ///
    /// # Errors
    /// `config` that says how it can be set.
    pub fn require(&self, field: &'static str) -> Result<&str> {
        self.text(field).ok_or_else(|| {
            let known = self.schema.field(field).into_iter();
            let names: Vec<String> = known
                .flat_map(|field| variables(&self.name, field))
                .collect();
            Error::config(format!("the store {} has no {field}", self.name))
                .hint(format!(
                    "set {field} in [stores.{}] of the configuration, or {}",
                    self.name,
                    names.join(" or ")
                ))
                .store(self.name.as_str())
        })
    }

    /// The path that `field` names, where it is set: `~/` is the home folder, and what is relative
    /// starts at the file it stands in, or from the environment at the working directory. `None`
    /// too where the environment holds the key itself, which [`secret`](Self::secret) returns.
    pub fn path(&self, field: &str) -> Option<&Path> {
        self.entries.get(field)?.path.as_deref()
    }

    /// The elements of `field`, a list; none where it is not set.
    pub fn list(&self, field: &str) -> &[String] {
        match self.entries.get(field).map(|entry| &entry.value) {
            Some(Value::List(elements)) => elements,
            _ => &[],
        }
    }

    /// The credential, or the key in place of a path, that the environment holds for `field`,
    /// byte for byte.
    pub fn secret(&self, field: &str) -> Option<SecretValue> {
        let known = self.schema.field(field)?;
        let secret = known.credential || (known.inline_env && self.path(field).is_none());
        self.text(field).filter(|_| secret).map(SecretValue::from)
    }

    /// The secret of another store that the credential `field` is to be taken from.
    pub fn reference(&self, field: &str) -> Option<Reference> {
        let known = self.schema.field(field)?;
        let text = self.text(field).filter(|_| known.credential)?;
        text.parse().ok()
    }

    /// Where `field` was configured, if it was.
    pub fn origin(&self, field: &str) -> Option<&Origin> {
        self.entries.get(field).map(|entry| &entry.origin)
    }

    /// What may be shown of `field`, where it is set: its text or list, and of what may be secret
    /// only that it is set.
    pub fn display(&self, field: &str) -> Option<String> {
        let entry = self.entries.get(field)?;
        let known = self.schema.field(field)?;
        let is_reference = matches!(&entry.value, Value::Text(text) if Reference::looks_like(text));
        let hidden =
            (known.credential && !is_reference) || (known.inline_env && entry.path.is_none());
        Some(match &entry.value {
            _ if hidden => "(set)".to_owned(),
            Value::Text(text) => match &entry.path {
                Some(path) if key_material::is_key(text, path) => path.shown().exact(),
                _ => text.to_string(),
            },
            Value::List(elements) => shown::public_keys(elements).to_string(),
        })
    }

    /// The hint at how the credential `field` can be given.
    pub fn credential_hint(&self, field: &str) -> Option<String> {
        let field = self.schema.field(field)?;
        Some(credential_hint(&self.name, self.schema, field))
    }
}

impl fmt::Debug for StoreConfig {
    /// Names and origins; values may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.fields().map(|(field, origin)| (field.name, origin));
        f.debug_struct("StoreConfig")
            .field("name", &self.name)
            .field("provider", &self.provider())
            .field("fields", &origins.collect::<BTreeMap<_, _>>())
            .finish()
    }
}
