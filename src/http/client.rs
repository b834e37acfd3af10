//! The `reqwest` clients: proxies, certificates and redirects, decided once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, Url, redirect};

use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// The clients made so far: as a rule one, more only where stores differ in their certificates.
#[derive(Default)]
pub struct Clients {
    made: RefCell<HashMap<(Option<PathBuf>, bool), Client>>,
}

impl Clients {
    /// The client for `url`, made on first use; it trusts the certificates in `ca_file` besides the
    /// system's own.
    pub fn get(&self, ca_file: Option<&Path>, url: &Url) -> Result<Client> {
        let encrypted = url.scheme() == "https";
        let key = (ca_file.map(Path::to_owned), encrypted);
        let mut made = self.made.borrow_mut();
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let client = build(ca_file, encrypted)?;
        made.insert(key, client.clone());
        Ok(client)
    }
}

fn build(ca_file: Option<&Path>, encrypted: bool) -> Result<Client> {
    // Installing fails where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("keyfob/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none());
    if encrypted {
        if let Some(path) = ca_file {
            builder = builder.tls_certs_merge(read_certificates(path)?);
        }
    } else {
        // Plain http is for loopback alone: reading the system's certificates would be wasted,
        // and a proxy would carry the credential off this machine in the clear.
        builder = builder.tls_certs_only([]).no_proxy();
    }
    builder.build().map_err(|error| {
        Error::unavailable(format!(
            "could not set up TLS: {}",
            super::trouble::root_cause(&error)
        ))
        .made_of(error.without_url())
        .hint("install the system's CA certificates (package ca-certificates), or name a PEM file with SSL_CERT_FILE or ca_file")
    })
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(|error| {
        Error::config(format!(
            "could not read ca_file {}: {}",
            path.shown(),
            crate::words::error::io_reason(&error)
        ))
        .made_of(error)
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::config(format!(
            "ca_file {} holds no PEM certificate",
            path.shown()
        ))),
    }
}
