//! What several providers need: fields they share, keypairs, and the errors they have in common.

use zeroize::Zeroizing;

use super::Services;
use crate::config::schema::{Field, Shape};
use crate::config::{Origin, StoreConfig, environment};
use crate::identity::keypair::locate::{self, Located, Named};
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::Name;

/// The field that every provider over HTTP has.
pub const CA_FILE: Field = Field::new(
    "ca_file",
    Shape::Path,
    "a PEM file with certificate authorities to trust besides the system's",
);

/// The Solana keypair of a store: its `keypair` field, else the usual places.
///
/// # Errors
/// `unauthenticated` where there is none.
pub fn keypair(config: &StoreConfig, services: &Services) -> Result<Located> {
    let own = environment::variable(config.name(), "keypair");
    let named = match (config.path("keypair"), config.secret("keypair")) {
        (Some(path), _) => Some(Named::File(path.to_owned())),
        (None, Some(secret)) => {
            let variable = match config.origin("keypair") {
                Some(Origin::Environment { variable }) => variable.clone(),
                _ => own.clone(),
            };
            let text = Zeroizing::new(secret.expose_str().unwrap_or_default().to_owned());
            if variable != own && !text.trim_start().starts_with('[') {
                return Err(Error::invalid_data(format!(
                    "{variable} is no JSON array of numbers, and may be an address instead of a keypair"
                ))
                .hint(format!("{own} takes every form of a keypair, and goes first")));
            }
            Some(Named::Value { variable, text })
        }
        (None, None) => None,
    };
    locate::locate(named.as_ref(), &services.env, &services.keyring, &own)
}

/// The error for asking a provider something it has no capability for.
pub fn unsupported(provider: &str, act: &str, instead: &str) -> Error {
    Error::unsupported(format!("{provider} cannot {act}")).hint(instead)
}

/// The error for a secret that is not there.
pub fn missing(name: &Name) -> Error {
    Error::not_found(format!("there is no secret named {}", name.shown()))
        .caused_by(Cause::NoSecret)
}

/// The error for a secret that is there, but must not be.
pub fn exists_already(name: &Name) -> Error {
    Error::conflict(format!("{name} exists already"))
        .hint("leave --if-absent out to replace its value")
}
