//! Which checkouts' files are the user's own word: reviewed once, remembered by path and content.
//!
//! What a review shows is the work of `review`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source;
use crate::state::file::File;
use crate::state::lock::Lock;
use crate::words::env::Folders;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// The record of trust, in the user's configuration folder.
pub struct TrustRecord {
    file: File<Document>,
    patience: Duration,
}

/// What stands in the record's file.
#[derive(Default, Deserialize, Serialize)]
struct Document {
    /// The SHA-256 of each file's content in hexadecimal, by its path.
    files: BTreeMap<String, String>,
}

/// A file that was trusted at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedFile {
    /// The file, symbolic links followed.
    pub path: PathBuf,
    /// What has become of it.
    pub state: State,
}

/// What has become of a file that was trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as it was, and trusted.
    Trusted,
    /// Its content is another one, which is not trusted.
    Changed,
    /// It is gone or cannot be read.
    Missing,
}

impl State {
    /// The word used for it in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Trusted => "trusted",
            State::Changed => "changed",
            State::Missing => "missing",
        }
    }
}

impl TrustRecord {
    /// The record in `folders`.
    pub fn new(folders: &Folders) -> Self {
        Self {
            file: File::new(
                folders.config.join("trusted.json"),
                "delete it, and run `keyfob trust` again in the projects that you trust",
            ),
            patience: folders.patience,
        }
    }

    /// Whether the file at `canonical`, a path without symbolic links, is trusted with the content
    /// `bytes`.
    ///
    /// # Errors
    /// `config` where the record is damaged.
    pub fn is_trusted(&self, canonical: &Path, bytes: &[u8]) -> Result<bool> {
        let files = match self.read() {
            // A record that cannot be read, as under another user's home folder, trusts nothing.
            Err(error) if error.kind() == Kind::Failed => return Ok(false),
            files => files?,
        };
        let sha256 = canonical.to_str().and_then(|path| files.get(path));
        Ok(sha256.is_some_and(|sha256| *sha256 == digest(bytes)))
    }

    /// Trusts the file at `canonical` with the content that has this SHA-256.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub(super) fn allow(&self, canonical: &Path, sha256: String) -> Result<()> {
        let path = text_of(canonical)?;
        self.update(|files| files.insert(path, sha256)).map(drop)
    }

    /// Trusts `bytes` as the content of the file at `canonical`, which keyfob itself has written.
    /// `_lock` is that of the configuration folder.
    pub(super) fn remember(&self, _lock: &Lock, canonical: &Path, bytes: &[u8]) -> Result<()> {
        let mut files = self.read()?;
        files.insert(text_of(canonical)?, digest(bytes));
        self.file.write(&Document { files })
    }

    /// Trusts the file at `path` no longer, whatever its content. Tells whether it was trusted.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub fn revoke(&self, path: &Path) -> Result<bool> {
        let canonical = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        match canonical.to_str() {
            Some(path) if self.read()?.contains_key(path) => {
                self.update(|files| files.remove(path).is_some())
            }
            _ => Ok(false),
        }
    }

    /// Every file that was trusted and not revoked, sorted by path.
    ///
    /// # Errors
    /// `config` where the record is damaged.
    pub fn list(&self) -> Result<Vec<TrustedFile>> {
        let files = self.read()?.into_iter().map(|(path, sha256)| {
            let path = PathBuf::from(path);
            let state = match source::read(&path, false) {
                Ok(raw) if raw.canonical == path && digest(&raw.bytes) == sha256 => State::Trusted,
                Ok(_) => State::Changed,
                Err(_) => State::Missing,
            };
            TrustedFile { path, state }
        });
        Ok(files.collect())
    }

    /// The trusted files' SHA-256, by path.
    fn read(&self) -> Result<BTreeMap<String, String>> {
        let document = self.file.read().map_err(wrong)?;
        Ok(document.unwrap_or_default().files)
    }

    fn update<R>(&self, change: impl FnOnce(&mut BTreeMap<String, String>) -> R) -> Result<R> {
        let change = |document: &mut Document| change(&mut document.files);
        self.file.update(self.patience, change).map_err(wrong)
    }
}

/// A damaged record is a wrong configuration.
fn wrong(error: Error) -> Error {
    match error.kind() {
        Kind::InvalidData => Error::config(error.message()).hint(error.hint_text().unwrap_or("")),
        _ => error,
    }
}

fn text_of(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let path = path.shown();
        Error::failed(format!("{path} cannot be trusted: its path is not UTF-8"))
    })
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}
