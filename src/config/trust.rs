//! Which checkouts' files are the user's own word: reviewed once, remembered by path and content.
//!
//! Showing a review and asking for consent is the work of the `trust` command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LoadOptions;
use super::check::Value;
use super::layer::Layer;
use super::rotation::{Rotation, ValueSource};
use super::source;
use super::{Role, merge};
use crate::state::file::File;
use crate::state::lock::Lock;
use crate::words::digest::hex;
use crate::words::env::Folders;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::Target;
use crate::words::text::Place;

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

/// What trusting a file would allow, bound to the very bytes that were read.
#[derive(Clone, Debug)]
pub struct Review {
    /// The file, symbolic links followed.
    pub path: PathBuf,
    /// What it would be allowed to decide, in the file's order. Empty where nothing in it needs
    /// trust.
    pub allowed: Vec<Allowed>,
    /// Whether it is trusted already.
    pub trusted: bool,
    sha256: String,
}

/// One thing that a trusted file may decide. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Its key: `stores.web.base_url`, `env.DATABASE_URL`.
    pub key: String,
    /// What it is set to.
    pub value: String,
    /// The line it stands in, counted from 1.
    pub line: usize,
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

    /// Trusts the file with the content that was reviewed.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub fn allow(&self, review: &Review) -> Result<()> {
        let path = text_of(&review.path)?;
        let sha256 = review.sha256.clone();
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
    /// As [`allow`](Self::allow).
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
        let path = path.display();
        Error::failed(format!("{path} cannot be trusted: its path is not UTF-8"))
    })
}

/// Reads the file at `path` and tells what trusting it would allow.
///
/// # Errors
/// `config` where it, the user's own file or the record of trust is wrong.
pub fn review(options: &LoadOptions<'_>, path: &Path) -> Result<Review> {
    let path = options.env.cwd().join(path);
    let raw = source::read(&path, false)?;
    let record = TrustRecord::new(options.folders);
    let trusted = record.is_trusted(&raw.canonical, &raw.bytes)?;
    let (canonical, sha256) = (raw.canonical.clone(), digest(&raw.bytes));
    let below = merge::providers_below(options, &raw.canonical)?;
    let source = merge::source_of(raw, &path, Role::Project, trusted, options.env)?;
    let layer = Layer::read(source, options.schemas, &below)?;
    Ok(Review {
        path: canonical,
        allowed: decided(&layer),
        trusted,
        sha256,
    })
}

/// All in `layer` that counts only, or means more, from a trusted file, in the file's order.
fn decided(layer: &Layer) -> Vec<Allowed> {
    let mut found: Vec<(Place, Allowed)> = Vec::new();
    let mut note = |place: Place, key: String, value: String| {
        let line = place.line;
        found.push((place, Allowed { key, value, line }));
    };
    for (name, table) in &layer.stores {
        if let (Some(place), true) = (table.provider_place, table.replaces) {
            let key = format!("stores.{name}.provider");
            note(place, key, table.schema.provider.to_owned());
        }
        for (key, placed) in &table.fields {
            let field = table.schema.field(key);
            if field.is_some_and(|field| field.gated || field.reviewed) {
                let value = match &placed.value {
                    Value::Text(text) => text.to_string(),
                    Value::List(elements) => elements.join(", "),
                };
                note(placed.place, format!("stores.{name}.{key}"), value);
            }
        }
    }
    for (variable, placed) in &layer.env {
        let target = match &placed.value {
            Target::Name(name) => name.to_string(),
            Target::Reference(reference) => reference.to_string(),
        };
        note(placed.place, format!("env.{variable}"), target);
    }
    for (name, placed) in &layer.rotations {
        for (key, value) in rotation_texts(&placed.value) {
            note(placed.place, format!("rotation.{name}.{key}"), value);
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, allowed)| allowed).collect()
}

/// What a rotation says, key by key.
fn rotation_texts(rotation: &Rotation) -> Vec<(&'static str, String)> {
    let targets: Vec<String> = rotation.targets.iter().map(ToString::to_string).collect();
    let derived = rotation.derive.iter();
    let derived: Vec<String> = derived
        .map(|derived| format!("{} = {:?}", derived.target, derived.template))
        .collect();
    let (generate, command) = match &rotation.value {
        Some(ValueSource::Generate(spec)) => (Some(spec.clone()), None),
        Some(ValueSource::Command(command)) => (None, Some(command.clone())),
        None => (None, None),
    };
    let texts = [
        ("targets", Some(targets.join(", "))),
        ("generate", generate),
        ("command", command),
        ("verify", rotation.verify.clone()),
        ("on_rollback", rotation.on_rollback.clone()),
        ("derive", Some(derived.join(", "))),
        ("every", rotation.every.map(|every| every.to_string())),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)));
    texts.filter(|(_, text)| !text.is_empty()).collect()
}

/// The SHA-256 of `bytes` in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
