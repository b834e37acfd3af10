//! One configuration file's meaning: its stores, its `[env]`, its profiles and rotations, each with
//! its place.
//!
//! A layer is checked against the provider that each of its stores has, which it may inherit from
//! the layer below. Laying one over the other is the work of `merge`.

use std::collections::BTreeMap;

use super::check::{self, Value, did_you_mean};
use super::profile::{self, Profile};
use super::reader::{self, Entry, Item, Kind, Placed, Reader};
use super::rotation::{self, Rotation};
use super::schema::{Field, Providers, Schema, Schemas, Shape, provider, variable, variables};
use super::source::Source;
use super::variable::{self, Variable};
use crate::words::error::Result;
use crate::words::key_material;
use crate::words::secret::{Reference, StoreName};
use crate::words::shown;
use crate::words::text::Place;

const KEYS: [&str; 5] = ["default_store", "stores", "env", "profiles", "rotation"];

/// What one file says.
pub(super) struct Layer {
    pub source: Source,
    pub default_store: Option<Placed<StoreName>>,
    pub stores: BTreeMap<StoreName, Table>,
    pub env: BTreeMap<String, Placed<Variable>>,
    pub profiles: BTreeMap<String, Profile>,
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

impl Layer {
    /// Reads `source`, which lies over stores with the providers `below`.
    ///
    /// # Errors
    /// `config` at the first mistake.
    pub fn read(source: Source, schemas: Schemas, below: &Providers) -> Result<Self> {
        let mut reader = Reader::new(&source);
        let document = reader::parse(&source)?;
        let (mut default_store, mut stores) = (None, BTreeMap::new());
        let (mut env, mut rotations) = (BTreeMap::new(), BTreeMap::new());
        let mut profiles = BTreeMap::new();
        for entry in reader::entries(document.as_table()) {
            let (name, item) = (entry.key, &entry.item);
            match name {
                "default_store" => {
                    default_store = reader
                        .parsed_text(name, item, str::parse)
                        .map(|store| reader.placed(item.at, store));
                }
                "stores" => stores = read_stores(&mut reader, item, schemas, below),
                "env" => env = variable::read_table(&mut reader, name, item),
                "profiles" => {
                    for entry in reader.table(name, item).into_iter().flatten() {
                        if let Some(profile) = profile::read(&mut reader, entry) {
                            profiles.insert(entry.key.to_owned(), profile);
                        }
                    }
                }
                "rotation" => {
                    for entry in reader.table(name, item).into_iter().flatten() {
                        if let Some(rotation) = rotation::read(&mut reader, entry) {
                            let placed = reader.placed(entry.at, rotation);
                            rotations.insert(entry.key.to_owned(), placed);
                        }
                    }
                }
                _ => reader.unknown_key(&entry, "", &KEYS),
            }
        }
        reader.finish()?;
        Ok(Self {
            default_store,
            stores,
            env,
            profiles,
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
    for entry in reader.table("stores", item).into_iter().flatten() {
        let path = format!("stores.{}", entry.key);
        let name = match StoreName::new(entry.key) {
            Ok(name) => name,
            Err(error) => {
                reader.problem(entry.at, error.message(), None);
                continue;
            }
        };
        let Some(table) = reader.table(&path, &entry.item) else {
            continue;
        };
        let inherited = below.get(&name).copied();
        let Some((schema, provider_place)) =
            read_provider(reader, entry.at, &path, table, schemas, inherited)
        else {
            continue;
        };
        let mut read = Table {
            place: reader.place(entry.at),
            schema,
            provider_place,
            replaces: inherited.is_some_and(|below| below.provider != schema.provider),
            fields: BTreeMap::new(),
        };
        for entry in table {
            match schema.field(entry.key) {
                Some(field) => {
                    if let Some(value) = read_field(reader, &name, schema, field, entry) {
                        let placed = reader.placed(entry.item.at, value);
                        read.fields.insert(field.name, placed);
                    }
                }
                None if entry.key == "provider" => {}
                None => unknown_field(reader, &path, schema, entry),
            }
        }
        stores.insert(name, read);
    }
    stores
}

/// The provider of the store at `path`, and where the table names it.
fn read_provider(
    reader: &mut Reader<'_>,
    offset: usize,
    path: &str,
    table: &[Entry<'_>],
    schemas: Schemas,
    inherited: Option<&'static Schema>,
) -> Option<(&'static Schema, Option<Place>)> {
    let names: Vec<&str> = schemas.iter().map(|schema| schema.provider).collect();
    let Some(entry) = table.iter().find(|entry| entry.key == "provider") else {
        if inherited.is_none() {
            let hint = format!("add provider = \"NAME\" with one of {}", names.join(", "));
            reader.problem(offset, format!("{path} names no provider"), Some(hint));
        }
        return inherited.map(|schema| (schema, None));
    };
    let item = &entry.item;
    let text = reader.text(&format!("{path}.provider"), item)?;
    let schema = provider(schemas, text);
    if schema.is_none() {
        let message = format!("there is no provider {}", shown::name(text));
        let hint = did_you_mean(text, "providers", &names);
        reader.problem(item.at, message, Some(hint));
    }
    schema.map(|schema| (schema, Some(reader.place(item.at))))
}

fn unknown_field(reader: &mut Reader<'_>, path: &str, schema: &Schema, entry: &Entry<'_>) {
    let name = entry.key;
    let message = format!(
        "{path} has no field {}: its provider is {}",
        shown::name(name),
        schema.provider
    );
    let known: Vec<&str> = schema
        .fields
        .iter()
        .filter(|field| !field.credential)
        .map(|field| field.name)
        .collect();
    let hint = did_you_mean(name, "fields", &known);
    reader.problem(entry.at, message, Some(hint));
}

fn read_field(
    reader: &mut Reader<'_>,
    store: &StoreName,
    schema: &Schema,
    field: &'static Field,
    entry: &Entry<'_>,
) -> Option<Value> {
    let item = &entry.item;
    let path = format!("stores.{store}.{}", field.name);
    if field.credential {
        // Where it is to be found is no secret.
        if let Kind::Text(text) = item.is
            && Reference::looks_like(text)
        {
            return match text.parse::<Reference>() {
                Ok(_) => Some(Value::Text(text.to_owned().into())),
                Err(error) => {
                    let hint = error.hint_text().map(str::to_owned);
                    reader.problem(item.at, format!("{path}: {}", error.message()), hint);
                    None
                }
            };
        }
        let message = format!("{path} is a credential, which no file holds in the clear");
        let hint = credential_hint(store, schema, field);
        reader.problem(entry.at, message, Some(hint));
        return None;
    }
    match field.shape {
        Shape::List => {
            return reader.texts(&path, item).map(Value::List);
        }
        Shape::Choice(words) => {
            let word = reader.choice(&path, item, words)?;
            return Some(Value::Text(word.into()));
        }
        Shape::Text | Shape::Url | Shape::Path => {}
    }
    let text = reader.text(&path, item)?;
    if field.inline_env && key_material::is_plain_key(text) {
        let message = format!("{path} must be a path, not the key itself");
        let variable = variable(store, field.name);
        let hint = format!("keep the key in a file of your own, or in {variable}");
        reader.problem(item.at, message, Some(hint));
        return None;
    }
    match check::value(field, text) {
        Ok(value) => Some(value),
        Err(why) => {
            reader.problem(item.at, format!("{path} {why}"), None);
            None
        }
    }
}

/// The ways in which a credential can be given.
pub(super) fn credential_hint(store: &StoreName, schema: &Schema, field: &Field) -> String {
    let variables: Vec<String> = variables(store, field).collect();
    let variables = variables.join(" or ");
    let command = format!("{}_command", field.name);
    let command = match schema.field(&command) {
        Some(_) => format!(", name a command that prints it in {command}"),
        None => String::new(),
    };
    format!("set {variables}{command}, or run keyfob login {store}")
}
