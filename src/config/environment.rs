//! Stores' fields in the environment: `KEYFOB_<STORE>_<FIELD>`, and the vendors' own variables.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::check;
use super::schema::{PREFIX, Providers, Schema, Schemas, Shape, provider};
pub use super::schema::{variable, variables};
use super::store::{Entry, Origin};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;

const PROVIDER_SUFFIX: &str = "_PROVIDER";

/// Whether the variable called `name` may hold a credential of keyfob's, for any store: what a
/// child process must not inherit.
pub fn is_credential_variable(schemas: Schemas, name: &str) -> bool {
    let fields = schemas.iter().flat_map(|schema| schema.fields);
    fields.filter(|field| field.may_hold_secret()).any(|field| {
        field.vendor_env.contains(&name)
            || field.withheld_env.contains(&name)
            || name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.strip_suffix(&field.name.to_ascii_uppercase()))
                .is_some_and(|store| store.len() > 1 && store.ends_with('_'))
    })
}

/// The text of `name`, where it is set and not empty.
///
/// # Errors
/// `config` where it is no UTF-8.
fn text<'e>(env: &'e Environment, name: &str) -> Result<Option<&'e str>> {
    match (env.var(name), env.var_os(name)) {
        (None, Some(_)) => Err(Error::config(format!(
            "the environment variable {name} is not UTF-8"
        ))),
        (text, _) => Ok(text),
    }
}

/// The fields of `store` that the environment sets, by name.
///
/// # Errors
/// `config` for a value that its field cannot have; credentials are not looked at.
pub(super) fn fields(
    env: &Environment,
    store: &StoreName,
    schema: &Schema,
) -> Result<BTreeMap<&'static str, Entry>> {
    let base: Arc<Path> = env.cwd().into();
    let mut found = BTreeMap::new();
    for field in schema.fields {
        let mut set = None;
        for name in variables(store, field) {
            if let Some(text) = text(env, &name)? {
                set = Some((name, text));
                break;
            }
        }
        let Some((name, text)) = set else { continue };
        let is_own = name == variable(store, field.name);
        let value = match check::value(field, text) {
            Ok(value) => value,
            // A vendor's may be meant for its own tools alone: whoever opens the store is told.
            Err(_) if !is_own && field.shape == Shape::Url => {
                check::Value::Text(text.to_owned().into())
            }
            Err(why) => {
                let message = format!("the environment variable {name} {why}");
                return Err(Error::config(message).store(store.as_str()));
            }
        };
        let origin = Origin::Environment { variable: name };
        found.insert(field.name, Entry::new(field, value, origin, &base, env));
    }
    Ok(found)
}

/// Stores that the environment alone describes: `KEYFOB_<STORE>_PROVIDER` names one that no file
/// does, under the variable's middle in lower case; for a store that a file describes, it names
/// another provider.
///
/// # Errors
/// `config` where it names no provider there is.
pub(super) fn providers(
    env: &Environment,
    schemas: Schemas,
    known: &Providers,
) -> Result<BTreeMap<StoreName, (&'static Schema, Origin)>> {
    let mut found = BTreeMap::new();
    let names = env.names().map(|(_, known)| known);
    for name in names.filter(|name| name.ends_with(PROVIDER_SUFFIX)) {
        let name = &*name;
        let Some(middle) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(PROVIDER_SUFFIX))
        else {
            continue;
        };
        let Some(text) = text(env, name)? else {
            continue;
        };
        let configured = known
            .keys()
            .find(|store| variable(store, "provider") == name);
        let store = match configured {
            Some(store) => store.clone(),
            None => match StoreName::new(middle.to_ascii_lowercase()) {
                Ok(store) => store,
                Err(_) => continue,
            },
        };
        let schema = provider(schemas, text).ok_or_else(|| {
            let names: Vec<&str> = schemas.iter().map(|schema| schema.provider).collect();
            Error::config(format!(
                "the environment variable {name} must be {}",
                check::alternatives(&names)
            ))
        })?;
        let origin = Origin::Environment {
            variable: name.to_owned(),
        };
        found.insert(store, (schema, origin));
    }
    Ok(found)
}

/// Checks that no two of `stores` are set by the same variables. The fault lies with a store for
/// which `place` has a place in a file.
///
/// # Errors
/// `config` that names both.
pub(super) fn check_distinct<'a>(
    stores: impl IntoIterator<Item = &'a StoreName>,
    mut fault: impl FnMut(&StoreName, &str) -> Error,
) -> Result<()> {
    let mut seen: BTreeMap<String, &StoreName> = BTreeMap::new();
    for store in stores {
        let stem = store.as_str().replace('-', "_");
        if let Some(other) = seen.insert(stem, store) {
            let variables = variable(store, "…");
            let message = format!(
                "the stores {other} and {store} would share the environment variables {variables}"
            );
            return Err(fault(store, &message).hint("rename one of them"));
        }
    }
    Ok(())
}
