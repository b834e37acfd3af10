//! Which checkouts' files are the user's own word: reviewed once, remembered by path, by content, and
//! by the content of the files that they name.
//!
//! Whether a file that was read is among them is the work of `judge`; what a review shows, of
//! `review`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source;
use super::standing::Foreign;
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
    /// What was trusted, by the file's path.
    files: BTreeMap<String, Trusted>,
}

/// What of a file was trusted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Remembered")]
pub(super) struct Trusted {
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// What stands for the content of each relative file that it names, by the name.
    pub files: BTreeMap<String, String>,
}

/// What was trusted, in the forms that versions of keyfob wrote.
#[derive(Deserialize)]
#[serde(untagged)]
enum Remembered {
    /// Without what it names.
    Content(String),
    Whole {
        sha256: String,
        files: BTreeMap<String, String>,
    },
}

impl From<Remembered> for Trusted {
    fn from(remembered: Remembered) -> Self {
        let (sha256, files) = match remembered {
            Remembered::Content(sha256) => (sha256, BTreeMap::new()),
            Remembered::Whole { sha256, files } => (sha256, files),
        };
        Self { sha256, files }
    }
}

/// A checkout's file that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The file, symbolic links followed.
    pub path: Arc<Path>,
    /// Why it does not.
    pub why: Why,
}

/// Why a checkout's file does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody has trusted it.
    New,
    /// Its content is not the one that was trusted.
    Changed,
    /// The content of this file, which it names, is not the one that was trusted.
    Named(PathBuf),
    /// It names this file, whose content was not trusted with it.
    Unseen(PathBuf),
    /// It may be somebody else's, whatever is remembered.
    Foreign(Foreign),
}

impl Untrusted {
    /// Whether the user's consent would make it count.
    pub fn can_be_trusted(&self) -> bool {
        !matches!(self.why, Why::Foreign(_))
    }

    /// The word used for it in tables and JSON.
    pub fn state(&self) -> &'static str {
        match self.why {
            Why::New | Why::Changed | Why::Named(_) | Why::Unseen(_) => "changed",
            Why::Foreign(_) => "refused",
        }
    }

    /// What is so, as a message says it.
    pub fn words(&self) -> String {
        let path = self.path.shown();
        match &self.why {
            Why::New => format!("{path} has not been trusted"),
            Why::Changed => format!("{path} has changed since it was trusted"),
            Why::Named(named) => {
                let named = named.shown();
                format!("{named} has changed since {path}, which names it, was trusted")
            }
            Why::Unseen(named) => {
                let named = named.shown();
                format!("{path} names {named}, which was not trusted with it")
            }
            Why::Foreign(foreign) => foreign.words(&self.path),
        }
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        let without = "-C none does without it";
        match &self.why {
            Why::Foreign(_) => {
                let path = self.path.shown().typed();
                format!(
                    "if its word is yours, name it with -C {path}; {without}; in CI set KEYFOB_TRUST=1"
                )
            }
            _ => format!(
                "keyfob trust shows what it decides, and asks; {without}; in CI set KEYFOB_TRUST=1"
            ),
        }
    }

    /// The error of whatever would need it.
    pub fn error(&self) -> Error {
        Error::untrusted(self.words()).hint(self.remedy())
    }
}

impl TrustRecord {
    /// The record in `folders`.
    pub fn new(folders: &Folders) -> Self {
        Self {
            file: File::new(
                folders.config.join("trusted.json"),
                "delete it, and run keyfob trust again in the projects that you trust",
            ),
            patience: folders.patience,
        }
    }

    /// What was trusted of the file at `canonical`, a path without symbolic links.
    ///
    /// # Errors
    /// `config` where the record is damaged, or may be somebody else's word.
    pub(super) fn find(&self, canonical: &Path) -> Result<Option<Trusted>> {
        let mut files = match self.read() {
            // A record that cannot be read, as under another user's home folder, trusts nothing.
            Err(error) if error.kind() == Kind::Failed => return Ok(None),
            files => files?,
        };
        Ok(text_of(canonical).ok().and_then(|path| files.remove(&path)))
    }

    /// Trusts the file at `canonical` as far as `trusted` says.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub(super) fn allow(&self, canonical: &Path, trusted: Trusted) -> Result<()> {
        let path = text_of(canonical)?;
        self.update(|files| files.insert(path, trusted)).map(drop)
    }

    /// The same for a file that keyfob itself has written. `_lock` is that of the configuration
    /// folder.
    pub(super) fn remember(&self, _lock: &Lock, canonical: &Path, trusted: Trusted) -> Result<()> {
        let mut files = self.read()?;
        files.insert(text_of(canonical)?, trusted);
        self.file.write(&Document { files })
    }

    /// Trusts the file at `path` no longer, whatever its content. Tells whether it was trusted.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub fn revoke(&self, path: &Path) -> Result<bool> {
        let canonical = dunce::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        match text_of(&canonical) {
            Ok(path) if self.read()?.contains_key(&path) => {
                self.update(|files| files.remove(&path).is_some())
            }
            _ => Ok(false),
        }
    }

    /// Every file that was trusted and not revoked, sorted by path.
    ///
    /// # Errors
    /// `config` where the record is damaged.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>> {
        Ok(self.read()?.into_keys().map(path_of).collect())
    }

    /// What was trusted, by path.
    fn read(&self) -> Result<BTreeMap<String, Trusted>> {
        source::check_own(self.file.path())?;
        let document = self.file.read().map_err(wrong)?;
        Ok(document.unwrap_or_default().files)
    }

    fn update<R>(&self, change: impl FnOnce(&mut BTreeMap<String, Trusted>) -> R) -> Result<R> {
        source::check_own(self.file.path())?;
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

/// What stands before the bytes of a path that is not UTF-8, in hexadecimal. No whole path begins so.
#[cfg(unix)]
const BYTES: &str = "bytes:";

/// `path` as the record has it.
fn text_of(path: &Path) -> Result<String> {
    if let Some(text) = path.to_str() {
        return Ok(text.to_owned());
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;

        let bytes = path.as_os_str().as_bytes();
        Ok(format!("{BYTES}{}", base16ct::lower::encode_string(bytes)))
    }
    #[cfg(not(unix))]
    {
        let path = path.shown();
        Err(Error::failed(format!(
            "{path} cannot be trusted: its path is not Unicode"
        )))
    }
}

/// The path that the record has as `text`.
fn path_of(text: String) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;

        let bytes = text.strip_prefix(BYTES);
        let bytes = bytes.and_then(|hex| base16ct::lower::decode_vec(hex).ok());
        if let Some(bytes) = bytes {
            return std::ffi::OsString::from_vec(bytes).into();
        }
    }
    text.into()
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}
