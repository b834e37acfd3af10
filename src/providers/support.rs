//! What several providers need: addresses, fields they share, and the errors they have in common.

use std::path::Path;

use reqwest::Url;
use zeroize::Zeroizing;

use super::Services;
use crate::config::schema::{Field, Shape};
use crate::config::{StoreConfig, environment};
use crate::http::Tls;
use crate::identity::keypair::locate::{self, Located, Named};
use crate::words::error::{Error, Result};
use crate::words::secret::Name;

/// The field that every provider over HTTP has.
pub const CA_FILE: Field = Field::new(
    "ca_file",
    Shape::Path,
    "a PEM file with certificate authorities to trust besides the system's",
)
.gated();

/// The store's `base_url`, else `default`.
pub fn base_url(config: &StoreConfig, default: &str) -> Result<Url> {
    let text = config.text("base_url").unwrap_or(default);
    Url::parse(text).map_err(|error| {
        Error::config(format!("{text:?} is no address: {error}")).store(config.name().as_str())
    })
}

/// The certificates that the store trusts.
pub fn tls(config: &StoreConfig) -> Tls {
    Tls {
        ca_file: config.path("ca_file").map(Path::to_owned),
    }
}

/// The address of `segments` below `base`, each percent-encoded whole.
///
/// # Errors
/// `invalid_data` for a segment that would lead elsewhere, however it is encoded.
pub fn endpoint(base: &Url, segments: &[&str]) -> Result<Url> {
    if let Some(segment) = segments
        .iter()
        .find(|segment| matches!(**segment, "" | "." | ".."))
    {
        return Err(Error::invalid_data(format!(
            "{segment:?} cannot stand in an address"
        )));
    }
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| Error::config(format!("{base} cannot be the base of an address")))?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// `url` as people write it, without the slash at its end.
pub fn shown_url(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// The Solana keypair of a store: its `keypair` field, else the usual places.
///
/// # Errors
/// `unauthenticated` where there is none.
pub fn keypair(config: &StoreConfig, services: &Services) -> Result<Located> {
    let named = match (config.path("keypair"), config.secret("keypair")) {
        (Some(path), _) => Some(Named::File(path.to_owned())),
        (None, Some(secret)) => Some(Named::Value {
            variable: environment::variable(config.name(), "keypair"),
            text: Zeroizing::new(secret.expose_str().unwrap_or_default().to_owned()),
        }),
        (None, None) => None,
    };
    locate::locate(named.as_ref(), &services.env, &services.keyring)
}

/// The error for asking a provider something it has no capability for.
pub fn unsupported(provider: &str, act: &str, instead: &str) -> Error {
    Error::unsupported(format!("{provider} cannot {act}")).hint(instead)
}

/// The error for a secret that is not there.
pub fn missing(name: &Name) -> Error {
    Error::not_found(format!("there is no secret named {name}"))
}

/// The error for a secret that is there, but must not be.
pub fn exists_already(name: &Name) -> Error {
    Error::conflict(format!("{name} exists already"))
        .hint("leave --if-absent out to replace its value")
}
