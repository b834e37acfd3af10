//! One configuration file's meaning: its stores, its `[env]`, its rotations, each with its place.
//!
//! A layer is checked against the provider that each of its stores has, which it may inherit from
//! the layer below. Laying one over the other is the work of `merge`.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeTable;

use super::check::{self, Value, did_you_mean};
use super::reader::{Item, Placed, Reader};
use super::rotation::{self, Rotation};
use super::schema::{Field, Schema, Schemas, Shape, provider};
use super::source::Source;
use crate::words::error::Result;
use crate::words::secret::{StoreName, Target};
use crate::words::text::{Place, is_variable_name};

const KEYS: [&str; 4] = ["default_store", "stores", "env", "rotation"];

/// What one file says.
pub(super) struct Layer {
    pub source: Source,
    pub default_store: Option<Placed<StoreName>>,
    pub stores: BTreeMap<StoreName, Table>,
    pub env: BTreeMap<String, Placed<Target>>,
    pub rotations: BTreeMap<String, Placed<Rotation>>,
}

/// One `[stores.NAME]` table.
pub(super) struct Table {
    pub place: Place,
    pub schema: &'static Schema,
    /// Where it names its provider; `None` where it inherits one.
    pub provider_place: Option<Place>,
    /// Whether a layer below says that the store has another provider.
    pub replaces: bool,
    pub fields: BTreeMap<&'static str, Placed<Value>>,
}

/// Which provider each store has below a layer.
pub(super) type Providers = BTreeMap<StoreName, &'static Schema>;

impl Layer {
    /// Reads `source`, which lies over stores with the providers `below`.
    ///
    /// # Errors
    /// `config` at the first mistake.
    pub fn read(source: Source, schemas: Schemas, below: &Providers) -> Result<Self> {
        let mut reader = Reader::new(&source);
        let document = reader.parse()?;
        let (mut default_store, mut stores) = (None, BTreeMap::new());
        let (mut env, mut rotations) = (BTreeMap::new(), BTreeMap::new());
        for (key, item) in document.get_ref() {
            let name = key.get_ref().as_ref();
            match name {
                "default_store" => {
                    default_store = reader
                        .parsed(name, item, str::parse::<StoreName>)
                        .map(|store| reader.placed(item, store));
                }
                "stores" => stores = read_stores(&mut reader, item, schemas, below),
                "env" => env = read_env(&mut reader, item),
                "rotation" => {
                    for (key, item) in reader.table(name, item).into_iter().flatten() {
                        if let Some(rotation) = rotation::read(&mut reader, key, item) {
                            let placed = reader.placed(key, rotation);
                            rotations.insert(key.get_ref().to_string(), placed);
                        }
                    }
                }
                _ => reader.unknown_key(key, "", &KEYS),
            }
        }
        reader.finish()?;
        Ok(Self {
            default_store,
            stores,
            env,
            rotations,
            source,
        })
    }
}

fn read_stores(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    schemas: Schemas,
    below: &Providers,
) -> BTreeMap<StoreName, Table> {
    let mut stores = BTreeMap::new();
    for (key, item) in reader.table("stores", item).into_iter().flatten() {
        let path = format!("stores.{}", key.get_ref());
        let name = match StoreName::new(key.get_ref().as_ref()) {
            Ok(name) => name,
            Err(error) => {
                reader.problem(key, error.message(), None);
                continue;
            }
        };
        let Some(table) = reader.table(&path, item) else {
            continue;
        };
        let inherited = below.get(&name).copied();
        let Some((schema, provider_place)) =
            read_provider(reader, key, &path, table, schemas, inherited)
        else {
            continue;
        };
        let mut read = Table {
            place: reader.place(key),
            schema,
            provider_place,
            replaces: inherited.is_some_and(|below| below.provider != schema.provider),
            fields: BTreeMap::new(),
        };
        for (key, item) in table {
            match schema.field(key.get_ref()) {
                Some(field) => {
                    if let Some(value) = read_field(reader, &name, schema, field, key, item) {
                        read.fields.insert(field.name, reader.placed(item, value));
                    }
                }
                None if key.get_ref() == "provider" => {}
                None => unknown_field(reader, &path, schema, key),
            }
        }
        stores.insert(name, read);
    }
    stores
}

/// The provider of the store at `path`, and where the table names it.
fn read_provider(
    reader: &mut Reader<'_>,
    key: &Spanned<impl AsRef<str>>,
    path: &str,
    table: &DeTable<'_>,
    schemas: Schemas,
    inherited: Option<&'static Schema>,
) -> Option<(&'static Schema, Option<Place>)> {
    let names: Vec<&str> = schemas.iter().map(|schema| schema.provider).collect();
    let Some(item) = table.get("provider") else {
        if inherited.is_none() {
            let hint = format!("add `provider = …` with one of {}", names.join(", "));
            reader.problem(key, format!("`{path}` names no provider"), Some(hint));
        }
        return inherited.map(|schema| (schema, None));
    };
    let text = reader.text(&format!("{path}.provider"), item)?;
    let schema = provider(schemas, text);
    if schema.is_none() {
        let message = format!("there is no provider `{text}`");
        let hint = did_you_mean(text, "providers", &names);
        reader.problem(item, message, Some(hint));
    }
    schema.map(|schema| (schema, Some(reader.place(item))))
}

fn unknown_field(
    reader: &mut Reader<'_>,
    path: &str,
    schema: &Schema,
    key: &Spanned<impl AsRef<str>>,
) {
    let name = key.get_ref().as_ref();
    let message = format!(
        "`{path}` has no field `{name}`: its provider is {}",
        schema.provider
    );
    let known: Vec<&str> = schema
        .fields
        .iter()
        .filter(|field| !field.credential)
        .map(|field| field.name)
        .collect();
    let hint = did_you_mean(name, "fields", &known);
    reader.problem(key, message, Some(hint));
}

fn read_field(
    reader: &mut Reader<'_>,
    store: &StoreName,
    schema: &Schema,
    field: &'static Field,
    key: &Spanned<impl AsRef<str>>,
    item: &Item<'_>,
) -> Option<Value> {
    let path = format!("stores.{store}.{}", field.name);
    if field.credential {
        let message = format!("`{path}` is a credential, which no file holds in the clear");
        reader.problem(key, message, Some(credential_hint(store, schema, field)));
        return None;
    }
    match field.shape {
        Shape::List => {
            let texts = reader.texts(&path, item)?;
            let texts = texts.into_iter().map(|(_, text)| text.to_owned());
            return Some(Value::List(texts.collect()));
        }
        Shape::Choice(words) => {
            let word = reader.choice(&path, item, words)?;
            return Some(Value::Text(word.into()));
        }
        Shape::Text | Shape::Url | Shape::Path => {}
    }
    let text = reader.text(&path, item)?;
    if field.inline_env && check::is_inline_key(text) {
        let message = format!("`{path}` must be a path, not the key itself");
        let variable = super::environment::variable(store, field.name);
        let hint = format!("keep the key in a file of your own, or in {variable}");
        reader.problem(item, message, Some(hint));
        return None;
    }
    match check::value(field, text) {
        Ok(value) => Some(value),
        Err(why) => {
            reader.problem(item, format!("`{path}` {why}"), None);
            None
        }
    }
}

/// The ways in which a credential can be given.
pub(super) fn credential_hint(store: &StoreName, schema: &Schema, field: &Field) -> String {
    let variables: Vec<String> = super::environment::variables(store, field).collect();
    let variables = variables.join(" or ");
    let command = format!("{}_command", field.name);
    let command = match schema.field(&command) {
        Some(_) => format!(", name a command that prints it in `{command}`"),
        None => String::new(),
    };
    format!("set {variables}{command}, or run `keyfob login {store}`")
}

fn read_env(reader: &mut Reader<'_>, item: &Item<'_>) -> BTreeMap<String, Placed<Target>> {
    let mut env = BTreeMap::new();
    for (key, item) in reader.table("env", item).into_iter().flatten() {
        let name = key.get_ref();
        if !is_variable_name(name) {
            let message = format!("`{name}` is no name for an environment variable");
            let hint = "letters, digits and '_', not beginning with a digit".to_owned();
            reader.problem(key, message, Some(hint));
        }
        if let Some(target) = reader.parsed(&format!("env.{name}"), item, str::parse) {
            env.insert(name.to_string(), reader.placed(key, target));
        }
    }
    env
}
