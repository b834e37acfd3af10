//! The parsers of what keyfob did not write, as the fuzz targets call them: each takes bytes, and
//! checks what can be checked of what it made of them.

use std::path::Path;

use clap::Parser as _;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use zeroize::Zeroizing;

use crate::commands::{self, Cli};
use crate::formats::{self, Pair, tree};
use crate::http::{Dialect, Request, Response};
use crate::identity::keys::Identity;
use crate::inject::Template;
use crate::journal::{self, Change};
use crate::session::{SessionKey, cache};
use crate::vault::file::VaultFile;
use crate::vault::format::Document;
use crate::vault::{file, history};
use crate::words::document;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, SecretValue};
use crate::words::shown;
use crate::{fallback, vault};

/// The pairs of a file whose format nobody names.
///
/// # Errors
/// What reading it fails with.
pub fn guess(bytes: &[u8]) -> Result<Vec<Pair>> {
    formats::read_any(bytes, formats::ReadOptions::default())
}

/// The tree that a file of `format` is.
///
/// # Errors
/// What reading it fails with.
pub fn read_tree(format: formats::Format, bytes: &[u8]) -> Result<document::Document> {
    tree::read(format, bytes)
}

/// A template with `value` in all of its places.
///
/// # Errors
/// What a malformed place, or a filter, fails with.
pub fn template(bytes: &[u8], value: &SecretValue) -> Result<Zeroizing<Vec<u8>>> {
    Template::parse("template", bytes)?.fill(|_| Ok(value), |_| Some(value))
}

/// A vault's plaintext, read to the last version and written again.
///
/// # Errors
/// `invalid_data` where it is none.
pub fn vault_content(plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut document = Document::parse(plaintext)?;
    for (name, slot) in document.secrets.iter().chain(&document.deleted) {
        let record = slot.record(name)?;
        let versions = record.versions().count();
        if let Ok(name) = Name::new(name.as_ref()) {
            assert_eq!(history::versions(&document, &name)?.len(), versions);
        }
    }
    document.forget_long_deleted(Timestamp::UNIX_EPOCH)?;
    serde_json::to_vec(&document).map_err(|error| Error::failed(error.to_string()))
}

/// What `identity` opens of the vault at `path`.
///
/// # Errors
/// What opening it fails with.
pub fn vault_file(path: &Path, identity: &Identity) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match VaultFile::open(path)? {
        Some(file) => {
            let plaintext = file.decrypt(path, identity)?;
            Ok(plaintext.map(|plaintext| plaintext.into_zeroizing()))
        }
        None => Ok(None),
    }
}

/// The file of the vault whose plaintext is `plaintext`.
///
/// # Errors
/// What writing it fails with.
pub fn seal_vault(plaintext: &[u8], armored: bool) -> Result<Vec<u8>> {
    file::encrypt(&vault::format::Document::parse(plaintext)?, armored)
}

/// A fallback snapshot's plaintext.
///
/// # Errors
/// `invalid_data` where it is none.
pub fn snapshot(plaintext: &[u8]) -> Result<fallback::Snapshot> {
    fallback::content::read(plaintext, "binding", Path::new("snapshot.age"))
}

/// A journal's plaintext under `tag`.
///
/// # Errors
/// `invalid_data` where it is none.
pub fn change(plaintext: &[u8], tag: &str) -> Result<Change> {
    journal::parse(plaintext, tag, Path::new("journal.age"))
}

/// Whether `entry` of a token cache is a session.
pub fn session(entry: &[u8]) -> bool {
    let key = SessionKey::new("nosana", "https://example.com", "me", "");
    cache::decode(key.id(), entry).is_some()
}

/// The moment that `--expires-at` takes `text` for.
///
/// # Errors
/// `usage` where it is none.
pub fn point_in_time(text: &str) -> Result<Timestamp> {
    commands::point_in_time(text)
}

/// `text` as messages have it where an argument, a name or a public key was expected.
pub fn shown(text: &str) -> [String; 4] {
    [
        shown::surplus(text).to_string(),
        shown::name(text).to_string(),
        shown::quoted(text).to_string(),
        shown::public_keys(&[text.to_owned()]).to_string(),
    ]
}

/// Whether `arguments` are a command line.
pub fn command_line(arguments: &[&str]) -> bool {
    Cli::try_parse_from([&["keyfob"], arguments].concat()).is_ok()
}

/// What is said of an answer to a request that held `secret`: the messages and hints of all errors
/// that are made of it.
pub fn answer(status: u16, headers: &[(&[u8], &[u8])], body: &[u8], secret: &str) -> Vec<String> {
    let Ok(status) = StatusCode::from_u16(status) else {
        return Vec::new();
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    let Ok(url) = Url::parse("https://example.com/v1/secrets") else {
        return Vec::new();
    };
    let request = Request::new("list the secrets", Method::GET, url).sensitive(secret);
    let dialect = Dialect {
        message: |json| json["error"]["message"].as_str().map(str::to_owned),
        reset: Some("x-ratelimit-reset"),
    };
    let body = Zeroizing::new(body.to_vec());
    let response = Response::new(dialect, &request, status, map, body.into());
    let wait = response.retry_after().unwrap_or_default();
    let mut errors = vec![
        response.status_error(),
        response.error(Kind::Failed),
        response.nonsense("something else"),
        response.rate_limited(wait),
    ];
    errors.extend(response.json::<Vec<u8>>().err());
    errors.extend(response.is_missing().err());
    let texts = errors.iter().flat_map(|error| {
        let hint = error.hint_text().unwrap_or_default().to_owned();
        [error.message().to_owned(), hint]
    });
    texts.collect()
}
