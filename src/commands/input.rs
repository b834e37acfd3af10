//! Files and stdin, read whole into memory that is wiped.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::formats::{self, Format, Pair, ReadOptions};
use crate::words::error::{Error, Result};
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
/// `failed` where it cannot be read, `invalid_data` where there are more than `most` bytes.
pub fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>> {
    if is_standard(path) {
        return stdin(most);
    }
    let what = shown(path);
    let file = File::open(path).map_err(|error| unreadable(&what, error))?;
    read_all(file, &what, most)
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
    read_all(io::stdin().lock(), "stdin", most)
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

fn read_all(mut source: impl Read, what: &str, most: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; 64 * 1024]);
    let mut end = 0;
    loop {
        if end == bytes.len() {
            // A vector that grows by itself frees its old memory without wiping it.
            let mut roomier = Zeroizing::new(vec![0; bytes.len() * 2]);
            roomier[..end].copy_from_slice(&bytes);
            bytes = roomier;
        }
        match source.read(&mut bytes[end..]) {
            Ok(0) => break,
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(what, error)),
        }
        if end > most {
            return Err(Error::invalid_data(format!(
                "{what} is larger than {} MiB, of which no more is read",
                most / (1024 * 1024)
            )));
        }
    }
    bytes.truncate(end);
    Ok(bytes)
}

fn unreadable(what: &str, error: io::Error) -> Error {
    Error::io(format!("could not read {what}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    #[test]
    fn all_is_read_up_to_the_limit() {
        let text = vec![b'x'; 200_000];
        let read = |most| read_all(&text[..], "it", most);
        assert_eq!(*read(200_000).unwrap(), text);
        assert_eq!(read(199_999).unwrap_err().kind(), Kind::InvalidData);
        assert!(read_all(&b""[..], "it", 1).unwrap().is_empty());
    }
}
