//! Reads typed values out of a parsed TOML file and collects what is wrong with them, so that the
//! mistake that stands first is the one reported.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{alternatives, did_you_mean};
use super::source::Source;
use crate::words::error::Result;
use crate::words::text::Place;

/// A value with the place where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub value: T,
    pub place: Place,
}

/// A value of a TOML table, with its span.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

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

    /// The file's tables.
    ///
    /// # Errors
    /// `config` where it is not TOML, at the first mistake.
    pub fn parse(&self) -> Result<Spanned<DeTable<'s>>> {
        DeTable::parse(&self.source.text).map_err(|error| {
            // The parser's own `Display` shows the line, which may hold a credential.
            let offset = error.span().map_or(0, |span| span.start);
            self.source.error(offset, error.message())
        })
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

    /// Notes that `message` is wrong where `at` stands.
    pub fn problem<T>(
        &mut self,
        at: &Spanned<T>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.problems.push(Problem {
            offset: at.span().start,
            message: message.into(),
            hint,
        });
    }

    /// Where `at` stands.
    pub fn place<T>(&self, at: &Spanned<T>) -> Place {
        self.source.place(at.span().start)
    }

    /// `value` with the place of `at`.
    pub fn placed<T, S>(&self, at: &Spanned<S>, value: T) -> Placed<T> {
        Placed {
            value,
            place: self.place(at),
        }
    }

    /// Notes that `key` under `table` ("" for the file itself) is none of `known`.
    pub fn unknown_key(&mut self, key: &Spanned<impl AsRef<str>>, table: &str, known: &[&str]) {
        let name = key.get_ref().as_ref();
        let message = match table {
            "" => format!("`{name}` is no key that keyfob knows"),
            table => format!("`{table}` has no key `{name}`"),
        };
        let hint = did_you_mean(name, "keys", known);
        self.problem(key, message, Some(hint));
    }

    /// The table that `item`, called `name`, is.
    pub fn table<'a, 'i>(&mut self, name: &str, item: &'a Item<'i>) -> Option<&'a DeTable<'i>> {
        match item.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => self.wrong_type(name, item, "a table"),
        }
    }

    /// The text that `item`, called `name`, is; the empty one is a mistake.
    pub fn text<'a>(&mut self, name: &str, item: &'a Item<'_>) -> Option<&'a str> {
        match item.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                let hint = "leave the line out instead".to_owned();
                self.problem(item, format!("`{name}` is empty"), Some(hint));
                None
            }
            DeValue::String(text) => Some(text),
            _ => self.wrong_type(name, item, "a string"),
        }
    }

    /// The texts, with their spans, that `item`, called `name`, is an array of.
    pub fn texts<'a, 'i>(
        &mut self,
        name: &str,
        item: &'a Item<'i>,
    ) -> Option<Vec<(&'a Item<'i>, &'a str)>> {
        let DeValue::Array(array) = item.get_ref() else {
            return self.wrong_type(name, item, "an array of strings");
        };
        let texts: Vec<_> = array
            .iter()
            .filter_map(|element| Some((element, self.text(&format!("{name}[]"), element)?)))
            .collect();
        (texts.len() == array.len()).then_some(texts)
    }

    /// The one of `words` that `item`, called `name`, is.
    pub fn choice(
        &mut self,
        name: &str,
        item: &Item<'_>,
        words: &[&'static str],
    ) -> Option<String> {
        let text = self.text(name, item)?;
        if words.contains(&text) {
            return Some(text.to_owned());
        }
        let message = format!("`{name}` must be {}", alternatives(words));
        let hint = super::check::suggest(text, words.iter().copied())
            .map(|near| format!("did you mean `{near}`?"));
        self.problem(item, message, hint);
        None
    }

    /// The text of `item`, called `name`, read by `parse`, whose errors tell what is wrong.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        item: &Item<'_>,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Option<T> {
        let text = self.text(name, item)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let hint = error.hint_text().map(str::to_owned);
                self.problem(item, format!("`{name}`: {}", error.message()), hint);
                None
            }
        }
    }

    /// Notes that `item`, called `name`, should be `wanted`.
    pub fn wrong_type<T>(&mut self, name: &str, item: &Item<'_>, wanted: &str) -> Option<T> {
        let found = match item.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.problem(
            item,
            format!("`{name}` must be {wanted}, not {found}"),
            None,
        );
        None
    }
}
