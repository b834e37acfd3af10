//! What a search brings: where values stand, and what was not searched.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::scanner::Scanner;
use super::text::Text;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// A place where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The file; `-` is stdin. Of staged content, the path from the repository's root.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// The column in bytes, counted from 1.
    pub column: u64,
    /// The index of the value.
    pub value: usize,
}

/// What came of a search.
#[derive(Debug, Default)]
pub struct Report {
    /// Where values stand.
    pub hits: Vec<Hit>,
    /// The number of files searched.
    pub files: u64,
    /// The number of files passed over as binary.
    pub binaries: u64,
    /// What could not be read, and why.
    pub unread: Vec<Error>,
}

impl Report {
    /// Adds what came of another search.
    pub fn add(&mut self, other: Report) {
        self.hits.extend(other.hits);
        self.files += other.files;
        self.binaries += other.binaries;
        self.unread.extend(other.unread);
    }

    /// Adds what `text`, searched to its end, holds.
    pub(super) fn add_text(&mut self, path: &Path, text: &mut Text<'_>) {
        match text.finish() {
            None => self.binaries += 1,
            Some(places) => {
                self.files += 1;
                self.hits.extend(places.into_iter().map(|place| Hit {
                    path: path.to_owned(),
                    line: place.line,
                    column: place.column,
                    value: place.value,
                }));
            }
        }
    }
}

/// Searches what `reader` gives, which is called `path`.
///
/// # Errors
/// `failed` where it cannot be read.
pub fn stream(scanner: &Scanner, path: &Path, mut reader: impl Read) -> Result<Report> {
    let mut report = Report::default();
    let mut text = Text::new(scanner);
    text.read(&mut reader)
        .map_err(|error| Error::io(format!("could not read {}", path.shown()), error))?;
    report.add_text(path, &mut text);
    Ok(report)
}
