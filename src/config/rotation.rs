//! The `[rotation.NAME]` tables: what `rotate` does with a secret when nothing else is said.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{Item, Reader};
use crate::words::duration::HumanDuration;
use crate::words::error::Error;
use crate::words::secret::{Reference, Target};

const KEYS: [&str; 7] = [
    "targets",
    "generate",
    "command",
    "verify",
    "on_rollback",
    "derive",
    "every",
];

/// How one secret is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The secret: a name in the selected store, or a reference.
    pub secret: Target,
    /// Where the new value is written besides, in the file's order.
    pub targets: Vec<Reference>,
    /// Where the new value comes from; `None` leaves it to the command.
    pub value: Option<ValueSource>,
    /// A command that is given the new value on its stdin and says whether it works.
    pub verify: Option<String>,
    /// A command that runs after a rollback.
    pub on_rollback: Option<String>,
    /// Secrets that are made from the new value, in the file's order.
    pub derive: Vec<Derived>,
    /// How often it is due; never zero.
    pub every: Option<HumanDuration>,
}

/// Where a rotation's new value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// A generator's specification, such as `password:32`, not checked here.
    Generate(String),
    /// A command that prints it.
    Command(String),
}

/// A secret that is made from a rotation's new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// Where it is written.
    pub target: Reference,
    /// The template that makes it, not checked here.
    pub template: String,
}

/// Reads the table `[rotation.KEY]`; its mistakes are noted with `reader`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &Spanned<impl AsRef<str>>,
    item: &Item<'_>,
) -> Option<Rotation> {
    let name = key.get_ref().as_ref();
    let path = format!("rotation.{name}");
    let secret = match name.parse::<Target>() {
        Ok(secret) => secret,
        Err(error) => {
            let hint = error.hint_text().map(str::to_owned);
            reader.problem(key, format!("`{path}`: {}", error.message()), hint);
            return None;
        }
    };
    let table = reader.table(&path, item)?;
    let mut rotation = Rotation {
        secret,
        targets: Vec::new(),
        value: None,
        verify: None,
        on_rollback: None,
        derive: Vec::new(),
        every: None,
    };
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        let path = format!("{path}.{name}");
        let mut text = || reader.text(&path, item).map(str::to_owned);
        match name {
            "targets" => rotation.targets = targets(reader, &path, item),
            "generate" => rotation.value = text().map(ValueSource::Generate),
            "command" => rotation.value = text().map(ValueSource::Command),
            "verify" => rotation.verify = text(),
            "on_rollback" => rotation.on_rollback = text(),
            "derive" => rotation.derive = derived(reader, &path, item),
            "every" => rotation.every = reader.parsed(&path, item, every),
            _ => reader.unknown_key(
                key,
                path.trim_end_matches(name).trim_end_matches('.'),
                &KEYS,
            ),
        }
    }
    if let (Some((key, _)), true) = (
        table.get_key_value("command"),
        table.contains_key("generate"),
    ) {
        let message = format!("`{path}` has both `generate` and `command`");
        let hint = "a new value comes from one place: leave one of them out".to_owned();
        reader.problem(key, message, Some(hint));
    }
    Some(rotation)
}

fn every(text: &str) -> crate::words::error::Result<HumanDuration> {
    let every: HumanDuration = text.parse()?;
    match every.limit() {
        Some(_) => Ok(every),
        None => Err(Error::usage("it must be longer than nothing").hint("such as \"30d\"")),
    }
}

fn targets(reader: &mut Reader<'_>, path: &str, item: &Item<'_>) -> Vec<Reference> {
    let DeValue::Array(array) = item.get_ref() else {
        reader.wrong_type::<()>(path, item, "an array of references");
        return Vec::new();
    };
    array
        .iter()
        .filter_map(|element| reader.parsed(path, element, str::parse))
        .collect()
}

/// Reads `{ REFERENCE = TEMPLATE, … }` or `[{ to = REFERENCE, template = TEMPLATE }, …]`.
fn derived(reader: &mut Reader<'_>, path: &str, item: &Item<'_>) -> Vec<Derived> {
    match item.get_ref() {
        DeValue::Table(table) => {
            let mut found: Vec<_> = table
                .iter()
                .filter_map(|(key, item)| {
                    let target = match key.get_ref().parse() {
                        Ok(target) => target,
                        Err(error) => {
                            let error: Error = error;
                            let hint = error.hint_text().map(str::to_owned);
                            reader.problem(key, format!("`{path}`: {}", error.message()), hint);
                            return None;
                        }
                    };
                    let template = reader.text(&format!("{path}.{}", key.get_ref()), item)?;
                    let template = template.to_owned();
                    Some((key.span().start, Derived { target, template }))
                })
                .collect();
            found.sort_by_key(|(offset, _)| *offset);
            found.into_iter().map(|(_, derived)| derived).collect()
        }
        DeValue::Array(array) => array
            .iter()
            .filter_map(|element| {
                let table = reader.table(&format!("{path}[]"), element)?;
                derived_element(reader, &format!("{path}[]"), element, table)
            })
            .collect(),
        _ => {
            reader.wrong_type::<()>(path, item, "a table or an array of tables");
            Vec::new()
        }
    }
}

fn derived_element(
    reader: &mut Reader<'_>,
    path: &str,
    element: &Item<'_>,
    table: &DeTable<'_>,
) -> Option<Derived> {
    let (mut target, mut template) = (None, None);
    for (key, item) in table {
        match key.get_ref().as_ref() {
            "to" => target = Some(reader.parsed(&format!("{path}.to"), item, str::parse)?),
            "template" => {
                template = Some(reader.text(&format!("{path}.template"), item)?.to_owned())
            }
            _ => {
                reader.unknown_key(key, path, &["to", "template"]);
                return None;
            }
        }
    }
    match (target, template) {
        (Some(target), Some(template)) => Some(Derived { target, template }),
        _ => {
            let message = format!("`{path}` needs both `to` and `template`");
            reader.problem(element, message, None);
            None
        }
    }
}
