//! Reads typed values out of a parsed TOML file and collects what is wrong with them, so that the
//! mistake that stands first is the one reported.

use std::ops::Range;

use toml_edit::{Document, Key, TableLike, Value};

use super::check::{alternatives, did_you_mean};
use super::source::Source;
use crate::words::error::Result;
use crate::words::shown;
use crate::words::text::Place;
use crate::words::word::{Word, in_our_quotes};

/// A value with the place where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub value: T,
    pub place: Place,
}

/// A value of a file, in whatever form it is written, with the offset of its first byte.
pub(super) struct Item<'d> {
    pub at: usize,
    pub is: Kind<'d>,
}

/// What an item is, in the file's order.
pub(super) enum Kind<'d> {
    Text(&'d str),
    List(Vec<Item<'d>>),
    Table(Vec<Entry<'d>>),
    Truth(bool),
    Integer(i64),
    /// Of the type that is named.
    Other(&'static str),
}

/// A key of a table, with the offset of its first byte, and what it is set to.
pub(super) struct Entry<'d> {
    pub key: &'d str,
    pub at: usize,
    pub item: Item<'d>,
}

fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

/// The entries of `table`, those of tables in it included.
pub(super) fn entries(table: &dyn TableLike) -> Vec<Entry<'_>> {
    let entries = table.iter().map(|(key, item)| Entry {
        key,
        at: start(table.key(key).and_then(Key::span)),
        item: Item::of(item),
    });
    entries.collect()
}

impl<'d> Item<'d> {
    fn of(item: &'d toml_edit::Item) -> Self {
        let at = start(item.span());
        let is = match item {
            toml_edit::Item::Value(value) => Kind::of(value),
            toml_edit::Item::Table(table) => Kind::Table(entries(table)),
            toml_edit::Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|table| Item {
                    at: start(table.span()),
                    is: Kind::Table(entries(table)),
                });
                Kind::List(items.collect())
            }
            toml_edit::Item::None => Kind::Other("nothing"),
        };
        Self { at, is }
    }
}

impl<'d> Kind<'d> {
    fn of(value: &'d Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.value()),
            Value::Integer(number) => Self::Integer(*number.value()),
            Value::Float(_) => Self::Other("a float"),
            Value::Boolean(truth) => Self::Truth(*truth.value()),
            Value::Datetime(_) => Self::Other("a date or time"),
            Value::Array(items) => {
                let items = items.iter().map(|value| Item {
                    at: start(value.span()),
                    is: Self::of(value),
                });
                Self::List(items.collect())
            }
            Value::InlineTable(table) => Self::Table(entries(table)),
        }
    }
}

/// Parses `source`.
///
/// # Errors
/// `config` where it is not TOML, at the first mistake.
pub(super) fn parse(source: &Source) -> Result<Document<&str>> {
    Document::parse(source.text.as_str()).map_err(|error| {
        // The parser's own `Display` shows the line, which may hold a credential.
        source.error(start(error.span()), &in_our_quotes(error.message()))
    })
}

struct Problem {
    offset: usize,
    message: String,
    hint: Option<String>,
}

/// Reads one file.
pub(super) struct Reader<'s> {
    source: &'s Source,
    problems: Vec<Problem>,
}

impl<'s> Reader<'s> {
    /// A reader of `source`, with nothing wrong so far.
    pub fn new(source: &'s Source) -> Self {
        Self {
            source,
            problems: Vec::new(),
        }
    }

    /// `Ok` where nothing was wrong.
    ///
    /// # Errors
    /// `config` with the problem that stands first in the file.
    pub fn finish(self) -> Result<()> {
        let source = self.source;
        let Some(first) = self
            .problems
            .into_iter()
            .min_by_key(|problem| problem.offset)
        else {
            return Ok(());
        };
        let error = source.error(first.offset, &first.message);
        Err(match first.hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// Notes that `message` is wrong at `offset`.
    pub fn problem(&mut self, offset: usize, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem {
            offset,
            message: message.into(),
            hint,
        });
    }

    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        self.source.place(offset)
    }

    /// `value` with the place of `offset`.
    pub fn placed<T>(&self, offset: usize, value: T) -> Placed<T> {
        Placed {
            value,
            place: self.place(offset),
        }
    }

    /// Notes that the key of `entry` under `table` ("" for the file itself) is none of `known`.
    pub fn unknown_key(&mut self, entry: &Entry<'_>, table: &str, known: &[&str]) {
        let name = entry.key;
        let key = shown::name(name);
        let message = match table {
            "" => format!("{key} is no key that keyfob knows"),
            table => format!("{} has no key {key}", Word(table)),
        };
        let hint = did_you_mean(name, "keys", known);
        self.problem(entry.at, message, Some(hint));
    }

    /// The entries of the table that `item`, called `name`, is.
    pub fn table<'a, 'd>(&mut self, name: &str, item: &'a Item<'d>) -> Option<&'a [Entry<'d>]> {
        match &item.is {
            Kind::Table(entries) => Some(entries),
            _ => self.wrong_type(name, item, "a table"),
        }
    }

    /// The text that `item`, called `name`, is; the empty one is a mistake.
    pub fn text<'d>(&mut self, name: &str, item: &Item<'d>) -> Option<&'d str> {
        match item.is {
            Kind::Text("") => {
                let hint = "leave the line out instead".to_owned();
                self.problem(item.at, format!("{} is empty", Word(name)), Some(hint));
                None
            }
            Kind::Text(text) => Some(text),
            _ => self.wrong_type(name, item, "a string"),
        }
    }

    /// Whether `item`, called `name`, is true.
    pub fn truth(&mut self, name: &str, item: &Item<'_>) -> Option<bool> {
        match item.is {
            Kind::Truth(truth) => Some(truth),
            _ => self.wrong_type(name, item, "true or false"),
        }
    }

    /// The texts that `item`, called `name`, is an array of.
    pub fn texts(&mut self, name: &str, item: &Item<'_>) -> Option<Vec<String>> {
        let Kind::List(items) = &item.is else {
            return self.wrong_type(name, item, "an array of strings");
        };
        let texts: Vec<String> = items
            .iter()
            .filter_map(|element| self.text(&format!("{name}[]"), element))
            .map(str::to_owned)
            .collect();
        (texts.len() == items.len()).then_some(texts)
    }

    /// The one of `words` that `item`, called `name`, is.
    pub fn choice(
        &mut self,
        name: &str,
        item: &Item<'_>,
        words: &[&'static str],
    ) -> Option<String> {
        let text = match item.is {
            // Where a choice is between numbers, they may be written as such.
            Kind::Integer(number) => number.to_string(),
            _ => self.text(name, item)?.to_owned(),
        };
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let message = format!("{} must be {}", Word(name), alternatives(words));
        let hint = super::check::suggest(&text, words.iter().copied())
            .map(|near| format!("did you mean {near}?"));
        self.problem(item.at, message, hint);
        None
    }

    /// `text`, called `name` and standing at `offset`, read by `parse`, whose errors tell what is
    /// wrong.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        offset: usize,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let hint = error.hint_text().map(str::to_owned);
                self.problem(offset, format!("{}: {}", Word(name), error.message()), hint);
                None
            }
        }
    }

    /// The text of `item`, called `name`, read by `parse`.
    pub fn parsed_text<T>(
        &mut self,
        name: &str,
        item: &Item<'_>,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Option<T> {
        let text = self.text(name, item)?;
        self.parsed(name, item.at, text, parse)
    }

    /// Notes that `item`, called `name`, should be `wanted`.
    pub fn wrong_type<T>(&mut self, name: &str, item: &Item<'_>, wanted: &str) -> Option<T> {
        let found = match item.is {
            Kind::Text(_) => "a string",
            Kind::List(_) => "an array",
            Kind::Table(_) => "a table",
            Kind::Truth(_) => "a boolean",
            Kind::Integer(_) => "an integer",
            Kind::Other(found) => found,
        };
        let message = format!("{} must be {wanted}, not {found}", Word(name));
        self.problem(item.at, message, None);
        None
    }
}
