//! Files and stdin, read whole into memory that is wiped.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::formats::{self, Format, Pair, ReadOptions};
use crate::state::named;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::MAX_VALUE;
use crate::words::shown::ShownPath as _;

/// So much of a file of secrets is read, in bytes.
pub const MAX_FILE: usize = MAX_VALUE;

/// Whether `path` stands for stdin or stdout: `-`.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// What an input is called in messages.
pub fn shown(path: &Path) -> String {
    match is_standard(path) {
        true => "stdin".to_owned(),
        false => path.shown().to_string(),
    }
}

/// Every byte of the file at `path`; `-` is stdin.
///
/// # Errors
/// `failed` where it cannot be read, `unavailable` where it is a pipe and does not come in time,
/// `invalid_data` where there are more than `most` bytes.
pub fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>> {
    if is_standard(path) {
        return stdin(most);
    }
    named::read(path, most).map_err(|error| not_read(&shown(path), most, error))
}

/// Checks that there is a file at `path`, which the user has named.
///
/// # Errors
/// `failed` with the reason.
pub fn check_there(path: &Path) -> Result<()> {
    let error = |error| unreadable(&shown(path), error);
    match path.metadata().map_err(error)?.is_dir() {
        true => Err(error(io::ErrorKind::IsADirectory.into())),
        false => Ok(()),
    }
}

/// Every byte of stdin.
///
/// # Errors
/// As [`read`].
pub fn stdin(most: usize) -> Result<Zeroizing<Vec<u8>>> {
    let stdin = io::stdin().lock();
    named::read_all(stdin, most).map_err(|error| not_read("stdin", most, error))
}

/// The text that comes through stdin, of which no more than `most` bytes are read.
///
/// # Errors
/// `failed` where it cannot be read, or is no UTF-8.
pub fn stdin_text(most: usize) -> Result<Zeroizing<String>> {
    // Full size from the start, so that growing leaves no copies behind.
    let mut text = Zeroizing::new(String::with_capacity(most));
    let mut stdin = io::stdin().lock().take(most as u64);
    stdin
        .read_to_string(&mut text)
        .map_err(|error| unreadable("stdin", error))?;
    Ok(text)
}

/// The names and values of the file at `path`; `-` is stdin. Where no format is named, the file's
/// name tells it, else its content.
///
/// # Errors
/// As [`read`], and what [`formats::read`] and [`formats::read_any`] fail with, naming the file.
pub fn pairs(path: &Path, format: Option<Format>, reading: ReadOptions) -> Result<Vec<Pair>> {
    let bytes = read(path, MAX_FILE)?;
    match format.or_else(|| Format::from_file_name(path)) {
        Some(format) => formats::read(format, &bytes, reading),
        None => formats::read_any(&bytes, reading),
    }
    .map_err(|error| error.context(shown(path)))
}

fn too_large(what: &str, most: usize) -> Error {
    Error::invalid_data(format!(
        "{what} is larger than {} MiB, of which no more is read",
        most / (1024 * 1024)
    ))
}

/// The error for what was not read, of which there can be `most` bytes.
fn not_read(what: &str, most: usize, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::FileTooLarge => too_large(what, most),
        ErrorKind::TimedOut => {
            named::failure(Kind::Failed, &format!("could not read {what}"), error)
        }
        _ => unreadable(what, error),
    }
}

fn unreadable(what: &str, error: io::Error) -> Error {
    Error::io(format!("could not read {what}"), error)
}
