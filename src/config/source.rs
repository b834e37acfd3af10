//! One configuration file as text: reading it within bounds, and saying where in it something is
//! wrong. What the text means is the business of `layer`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::words::error::{Error, Result, io_reason};
use crate::words::shown::ShownPath as _;
use crate::words::text::Place;

/// No configuration is longer; what is longer is something else.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

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
    let bad = |why: &str| Error::config(format!("{}: {why}", path.shown()));
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
        let place = Place::of(error.as_bytes(), error.utf8_error().valid_up_to());
        located(shown, place, "the file is not UTF-8")
    })
}

/// A `config` error at `place` of the file shown as `shown`.
fn located(shown: &str, place: Place, message: &str) -> Error {
    Error::config(format!("{shown}:{place}: {message}"))
}

impl Source {
    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        Place::of(self.text.as_bytes(), offset)
    }

    /// A `config` error that says what is wrong at the byte at `offset`.
    pub fn error(&self, offset: usize, message: &str) -> Error {
        located(&self.shown, self.place(offset), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
