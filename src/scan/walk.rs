//! Folders, walked and read by several threads with ripgrep's own walker, which knows `.gitignore`
//! in all its places.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::report::Report;
use super::scanner::Scanner;
use super::text::Text;
use crate::words::error::{Error, Result, io_reason};
use crate::words::shown::ShownPath as _;
use crate::words::word::Word;

/// What is walked.
#[derive(Debug)]
pub struct Tree {
    /// Files and folders. Relative ones begin at the working directory.
    pub paths: Vec<PathBuf>,
    /// Whether what `.gitignore` leaves out is passed over.
    pub ignores: bool,
}

/// Searches the files of `tree`. Symbolic links are followed only where `tree` names them.
///
/// # Errors
/// `failed` where `tree` names something that does not exist. What cannot be read otherwise is told
/// in the report.
pub fn walk(scanner: &Scanner, tree: &Tree) -> Result<Report> {
    for path in &tree.paths {
        if let Err(error) = fs::metadata(path)
            && matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            )
        {
            return Err(Error::failed(format!(
                "could not search {}: {}",
                Word(&scanner.masked(&path.shown().exact())),
                io_reason(&error)
            )));
        }
    }
    let Some((first, others)) = tree.paths.split_first() else {
        return Ok(Report::default());
    };
    let mut builder = WalkBuilder::new(first);
    for path in others {
        builder.add(path);
    }
    builder
        .standard_filters(false)
        .git_ignore(tree.ignores)
        .git_global(tree.ignores)
        .git_exclude(tree.ignores)
        .parents(tree.ignores)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    let report = Mutex::default();
    builder.build_parallel().run(|| {
        let mut reader = Reader {
            scanner,
            text: Text::new(scanner),
            report: Report::default(),
            all: &report,
        };
        Box::new(move |entry| {
            match entry {
                Ok(entry) => reader.visit(&entry),
                Err(error) => reader.unread(&error.to_string()),
            }
            WalkState::Continue
        })
    });
    let report = report.into_inner();
    Ok(report.unwrap_or_else(PoisonError::into_inner))
}

/// Reads files on one thread, and adds its report to that of all when the thread ends.
struct Reader<'s> {
    scanner: &'s Scanner,
    text: Text<'s>,
    report: Report,
    all: &'s Mutex<Report>,
}

impl Reader<'_> {
    fn visit(&mut self, entry: &DirEntry) {
        let path = entry.path();
        // What is named may also be a link or a pipe.
        let is_read = match entry.file_type() {
            Some(kind) if entry.depth() > 0 => kind.is_file(),
            _ => !path.is_dir(),
        };
        if !is_read {
            return;
        }
        match File::open(path).and_then(|mut file| self.text.read(&mut file)) {
            Ok(()) => {
                let shown = path.strip_prefix(".").unwrap_or(path);
                self.report.add_text(shown, &mut self.text);
            }
            Err(error) => {
                self.text.finish();
                self.unread(&format!("{}: {}", path.shown(), io_reason(&error)));
            }
        }
    }

    fn unread(&mut self, what: &str) {
        let what = what.split(" (os error ").next().unwrap_or(what);
        let what = self.scanner.masked(what);
        let error = Error::failed(format!("could not read {what}"));
        self.report.unread.push(error);
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(std::mem::take(&mut self.report));
    }
}
