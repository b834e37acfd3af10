//! The `[env]` tables: which variables there are, and what each stands for.

use std::collections::BTreeMap;

use super::reader::{Entry, Item, Kind, Placed, Reader};
use crate::words::secret::{Reference, Target};
use crate::words::shown;
use crate::words::text::is_variable_name;
use crate::words::word::Word;

const KEYS: [&str; 3] = ["from", "required", "default"];

/// What one variable stands for: a secret, a plain value, or a secret with a value for when there is
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The secret: a name in the selected store, or a reference.
    pub from: Option<Target>,
    /// Whether it is an error that the secret is missing.
    pub required: bool,
    /// The plain value that it has without a secret.
    pub default: Option<String>,
}

/// Reads the table of variables that `item`, called `path`, is; its mistakes are noted with `reader`.
pub(super) fn read_table(
    reader: &mut Reader<'_>,
    path: &str,
    item: &Item<'_>,
) -> BTreeMap<String, Placed<Variable>> {
    let mut table = BTreeMap::new();
    for entry in reader.table(path, item).into_iter().flatten() {
        let name = entry.key;
        if !is_variable_name(name) {
            let message = format!(
                "{} is no name for an environment variable",
                shown::name(name)
            );
            let hint = "letters, digits and \"_\", not beginning with a digit".to_owned();
            reader.problem(entry.at, message, Some(hint));
        }
        if let Some(variable) = read(reader, &format!("{path}.{name}"), entry) {
            table.insert(name.to_owned(), reader.placed(entry.at, variable));
        }
    }
    table
}

fn read(reader: &mut Reader<'_>, path: &str, entry: &Entry<'_>) -> Option<Variable> {
    let Kind::Table(entries) = &entry.item.is else {
        if !matches!(entry.item.is, Kind::Text(_)) {
            return reader.wrong_type(path, &entry.item, "a string or a table");
        }
        let from = reader.parsed_text(path, &entry.item, Target::configured)?;
        return Some(Variable {
            from: Some(from),
            required: true,
            default: None,
        });
    };
    let (mut from, mut required, mut default) = (None, None, None);
    for entry in entries {
        let (name, item) = (format!("{path}.{}", entry.key), &entry.item);
        match entry.key {
            "from" => from = Some(reader.parsed_text(&name, item, Target::configured)?),
            "required" => required = Some((entry.at, reader.truth(&name, item)?)),
            "default" => default = Some((entry.at, plain_value(reader, &name, item)?)),
            _ => {
                reader.unknown_key(entry, path, &KEYS);
                return None;
            }
        }
    }
    match (&from, &required, &default) {
        (None, _, None) => {
            let message = format!("{} needs from, default, or both", Word(path));
            reader.problem(entry.at, message, None);
        }
        (None, Some((at, _)), Some(_)) => {
            let message = format!(
                "{}.required speaks of a secret, and there is no from",
                Word(path)
            );
            reader.problem(*at, message, None);
        }
        (Some(_), Some((_, true)), Some((at, _))) => {
            let message = format!("{} has a default, and says that it is required", Word(path));
            let hint = "leave one of them out".to_owned();
            reader.problem(*at, message, Some(hint));
        }
        _ => {}
    }
    Some(Variable {
        required: from.is_some() && default.is_none() && required.is_none_or(|(_, it)| it),
        from,
        default: default.map(|(_, text)| text),
    })
}

/// The text that `item`, called `name`, is, which may be the empty one.
fn plain_value(reader: &mut Reader<'_>, name: &str, item: &Item<'_>) -> Option<String> {
    let Kind::Text(text) = item.is else {
        return reader.wrong_type(name, item, "a string");
    };
    if Reference::looks_like(text) {
        let message = format!("{} is a plain value, and this is a reference", Word(name));
        let hint = "a secret stands in from".to_owned();
        reader.problem(item.at, message, Some(hint));
    }
    Some(text.to_owned())
}
