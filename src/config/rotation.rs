//! The `[rotation.NAME]` tables: what `rotate` does with a secret when nothing else is said.

use super::reader::{Entry, Item, Kind, Reader};
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, Target};
use crate::words::word::Word;

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
pub(super) fn read(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Rotation> {
    let path = format!("rotation.{}", entry.key);
    let secret = reader.parsed(&path, entry.at, entry.key, Target::configured)?;
    let table = reader.table(&path, &entry.item)?;
    let mut rotation = Rotation {
        secret,
        targets: Vec::new(),
        value: None,
        verify: None,
        on_rollback: None,
        derive: Vec::new(),
        every: None,
    };
    let (mut generates, mut command) = (false, None);
    for entry in table {
        let item = &entry.item;
        let name = format!("{path}.{}", entry.key);
        let mut text = || reader.text(&name, item).map(str::to_owned);
        match entry.key {
            "targets" => rotation.targets = targets(reader, &name, item),
            "generate" => {
                generates = true;
                rotation.value = text().map(ValueSource::Generate);
            }
            "command" => {
                command = Some(entry.at);
                rotation.value = text().map(ValueSource::Command);
            }
            "verify" => rotation.verify = text(),
            "on_rollback" => rotation.on_rollback = text(),
            "derive" => rotation.derive = derived(reader, &name, item),
            "every" => rotation.every = reader.parsed_text(&name, item, every),
            _ => reader.unknown_key(entry, &path, &KEYS),
        }
    }
    if let (Some(command), true) = (command, generates) {
        let message = format!("{} has both generate and command", Word(&path));
        let hint = "a new value comes from one place: leave one of them out".to_owned();
        reader.problem(command, message, Some(hint));
    }
    Some(rotation)
}

fn every(text: &str) -> Result<HumanDuration> {
    let every: HumanDuration = text.parse()?;
    match every.limit() {
        Some(_) => Ok(every),
        None => Err(Error::usage("it must be longer than nothing").hint("such as \"30d\"")),
    }
}

fn targets(reader: &mut Reader<'_>, path: &str, item: &Item<'_>) -> Vec<Reference> {
    let Kind::List(items) = &item.is else {
        reader.wrong_type::<()>(path, item, "an array of references");
        return Vec::new();
    };
    let targets = items.iter();
    targets
        .filter_map(|element| reader.parsed_text(path, element, str::parse))
        .collect()
}

/// Reads `{ REFERENCE = TEMPLATE, … }` or `[{ to = REFERENCE, template = TEMPLATE }, …]`.
fn derived(reader: &mut Reader<'_>, path: &str, item: &Item<'_>) -> Vec<Derived> {
    match &item.is {
        Kind::Table(entries) => entries
            .iter()
            .filter_map(|entry| {
                let target = reader.parsed(path, entry.at, entry.key, str::parse)?;
                let template = reader.text(&format!("{path}.{}", entry.key), &entry.item)?;
                let template = template.to_owned();
                Some(Derived { target, template })
            })
            .collect(),
        Kind::List(items) => items
            .iter()
            .filter_map(|element| derived_element(reader, &format!("{path}[]"), element))
            .collect(),
        _ => {
            reader.wrong_type::<()>(path, item, "a table or an array of tables");
            Vec::new()
        }
    }
}

fn derived_element(reader: &mut Reader<'_>, path: &str, element: &Item<'_>) -> Option<Derived> {
    let (mut target, mut template) = (None, None);
    for entry in reader.table(path, element)? {
        let (name, item) = (format!("{path}.{}", entry.key), &entry.item);
        match entry.key {
            "to" => target = Some(reader.parsed_text(&name, item, str::parse)?),
            "template" => template = Some(reader.text(&name, item)?.to_owned()),
            _ => {
                reader.unknown_key(entry, path, &["to", "template"]);
                return None;
            }
        }
    }
    if let (Some(target), Some(template)) = (target, template) {
        return Some(Derived { target, template });
    }
    let message = format!("{} needs both to and template", Word(path));
    reader.problem(element.at, message, None);
    None
}
