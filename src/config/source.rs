//! One configuration file as text: reading it within bounds, and saying where in it something is
//! wrong. What the text means is the business of `layer`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::words::error::{Error, Result, io_reason};

/// No configuration is longer; what is longer is something else.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// A place in a file; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

/// A file's text and what its contents are measured by.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where it really is, symbolic links followed.
    pub path: Arc<Path>,
    /// Its path as messages name it.
    pub shown: String,
    /// The folder that relative paths in it start at.
    pub base: Arc<Path>,
    /// Whether it is the user's own word.
    pub trusted: bool,
    /// What it says.
    pub text: String,
}

/// The bytes of a file, and its path with symbolic links followed.
pub(super) struct Raw {
    pub canonical: PathBuf,
    pub bytes: Vec<u8>,
}

/// Reads the file at `path`, of any kind but a folder when `any_kind`, else only a regular one.
///
/// # Errors
/// `config` where there is none, it cannot be read, or it is longer than [`MAX_BYTES`].
pub(super) fn read(path: &Path, any_kind: bool) -> Result<Raw> {
    let bad = |why: &str| Error::config(format!("{}: {why}", path.display()));
    let unreadable = |error: std::io::Error| bad(&io_reason(&error));
    // Asked before opening, as opening a named pipe waits for somebody to write.
    let kind = std::fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() {
        return Err(bad("it is a folder, not a file"));
    }
    if !kind.is_file() && !any_kind {
        return Err(bad("it is not a regular file"));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(bad("it is longer than 1 MiB"));
    }
    // A pipe has a path but no place; it is read all the same when the user names one.
    let canonical = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    Ok(Raw { canonical, bytes })
}

/// `bytes` as text.
///
/// # Errors
/// `config` with the place of the first byte that is not UTF-8.
pub(super) fn decode(shown: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let place = locate(&String::from_utf8_lossy(good), good.len());
        located(shown, place, "the file is not UTF-8")
    })
}

/// The place of the byte at `offset` of `text`.
pub(super) fn locate(text: &str, offset: usize) -> Place {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    // A byte order mark is no column of its own.
    let line = before[line_start..].trim_start_matches('\u{feff}');
    Place {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

/// A `config` error at `place` of the file shown as `shown`.
fn located(shown: &str, place: Place, message: &str) -> Error {
    Error::config(format!(
        "{shown}:{}:{}: {message}",
        place.line, place.column
    ))
}

impl Source {
    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        locate(&self.text, offset)
    }

    /// A `config` error that says what is wrong at the byte at `offset`.
    pub fn error(&self, offset: usize, message: &str) -> Error {
        located(&self.shown, self.place(offset), message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\r\nä = \"é\" x";
        assert_eq!(locate(text, 0), Place { line: 1, column: 1 });
        let at = text.find('x').unwrap();
        assert_eq!(locate(text, at), Place { line: 2, column: 9 });
        assert_eq!(locate("\u{feff}x", 3), Place { line: 1, column: 1 });
    }

    #[test]
    fn bytes_that_are_no_text_are_placed() {
        let error = decode("f.toml", b"a = 1\nb = \"\xff\"".to_vec()).unwrap_err();
        assert_eq!(error.message(), "f.toml:2:6: the file is not UTF-8");
    }

    #[test]
    fn folders_and_long_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyfob.toml");
        let message = |path: &Path| read(path, true).err().unwrap().message().to_owned();
        assert!(message(folder.path()).ends_with(": it is a folder, not a file"));
        assert!(message(&path).ends_with("keyfob.toml: no such file or directory"));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(message(&path).ends_with("keyfob.toml: it is longer than 1 MiB"));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize]).unwrap();
        assert!(read(&path, false).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_read_only_when_it_was_named() {
        let device = Path::new("/dev/null");
        assert!(read(device, true).is_ok());
        let error = read(device, false).err().unwrap();
        assert_eq!(error.message(), "/dev/null: it is not a regular file");
    }

    proptest! {
        #[test]
        fn every_offset_has_a_place(text in "[a-zé\\n\u{feff}]{0,20}", offset in 0..80usize) {
            let place = locate(&text, offset);
            prop_assert!(place.line >= 1 && place.column >= 1);
        }
    }
}
