//! The `reqwest` clients: proxies, certificates and redirects, decided once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Url, redirect};
use zeroize::Zeroizing;

use super::certificates::{self, Bundle, MAX_BUNDLE};
use super::peer::{ClientCertificate, Peer};
use super::proxy::{CGI, Proxies, Way};
use crate::state::named;
use crate::words::env::Environment;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// Told of what is asked of whom, at `-v`; the text holds no secret.
pub type Log = Rc<dyn Fn(&str)>;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How many headers an answer may have; the library's own bound is met by some gateways.
const MAX_HEADERS: usize = 1024;

/// The variable that names a file of certificates in place of the system's.
const CERTIFICATES: &str = "SSL_CERT_FILE";

/// The clients made so far: as a rule one, more only where stores differ in their certificates, or
/// in whether a proxy stands in between.
#[derive(Default)]
pub struct Clients {
    proxies: Proxies,
    /// The file that replaces the system's certificates, where one is named.
    system: Option<PathBuf>,
    made: RefCell<HashMap<Key, Client>>,
}

/// What clients differ in: the authorities' file, this machine's certificate, and how the server is
/// reached; `None` for plain http.
type Key = (Option<PathBuf>, Option<ClientCertificate>, Option<Way>);

impl Clients {
    /// Those that reach servers as `env` says.
    pub fn new(env: &Environment) -> Self {
        Self {
            proxies: Proxies::new(env),
            system: env
                .var(CERTIFICATES)
                .map(|path| env.resolve(path, env.cwd())),
            made: RefCell::default(),
        }
    }

    /// How `url` is reached.
    pub fn way(&self, url: &Url) -> Way {
        match url.scheme() {
            "https" => self.proxies.way(url),
            _ => Way::Direct,
        }
    }

    /// The client for `url` of `peer`, made on first use; it trusts the certificates in its `ca_file`
    /// besides the system's own.
    pub fn get(&self, peer: &Peer, url: &Url, log: &Log) -> Result<Client> {
        let way = (url.scheme() == "https").then(|| self.way(url));
        let key = (peer.ca_file.clone(), peer.identity.clone(), way);
        let mut made = self.made.borrow_mut();
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let client = match &key.2 {
            Some(way) => self.encrypted(peer, way, log)?,
            None => plain()?,
        };
        made.insert(key, client.clone());
        Ok(client)
    }

    fn encrypted(&self, peer: &Peer, way: &Way, log: &Log) -> Result<Client> {
        if self.proxies.passed_over {
            log(&format!("{CGI} is set: no variable's proxy is used"));
        }
        let failed = |error: &reqwest::Error| {
            format!(
                "could not set up TLS: {}",
                super::trouble::root_cause(error)
            )
        };
        let identity = peer.identity.as_ref().map(read_identity).transpose()?;
        let builder = || -> Result<reqwest::ClientBuilder> {
            let builder = match &identity {
                Some(identity) => builder().identity(identity.clone()),
                None => builder(),
            };
            Ok(match way {
                Way::System => builder,
                Way::Direct => builder.no_proxy(),
                Way::Through(proxy) => {
                    let proxy = reqwest::Proxy::all(proxy.url.clone())
                        .map_err(|error| Error::unavailable(failed(&error)))?;
                    builder.no_proxy().proxy(proxy)
                }
            })
        };
        let own = peer
            .ca_file
            .as_deref()
            .map(|path| read_certificates(path, log))
            .transpose()?;
        let made = match &own {
            Some(own) => builder()?.tls_certs_merge(own.iter().cloned()),
            None => builder()?,
        };
        let error = match (made.build(), own) {
            (Ok(client), _) => return Ok(client),
            // Where the system has none to go with them.
            (Err(error), Some(own)) => match builder()?.tls_certs_only(own).build() {
                Ok(client) => return Ok(client),
                Err(_) => error,
            },
            (Err(error), None) => error,
        };
        let bad = self.system.as_deref().and_then(|path| {
            let why = certificates::read(path).err()?;
            Some(format!("{CERTIFICATES} {}: {why}", path.shown()))
        });
        Err(match bad {
            Some(bad) => Error::unavailable(format!("could not set up TLS: {bad}"))
                .hint(format!("correct {CERTIFICATES}, or leave it out")),
            None => Error::unavailable(failed(&error))
                .hint("install the system's CA certificates (package ca-certificates), or name a PEM file with SSL_CERT_FILE or ca_file"),
        }
        .made_of(error.without_url()))
    }
}

fn builder() -> reqwest::ClientBuilder {
    // Installing fails where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("keyfob/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .http1_max_headers(MAX_HEADERS)
        .redirect(redirect::Policy::none())
}

/// Plain http is for loopback alone: reading the system's certificates would be wasted, and a proxy
/// would carry the credential off this machine in the clear.
fn plain() -> Result<Client> {
    let made = builder().tls_certs_only([]).no_proxy().build();
    made.map_err(|error| Error::unavailable("could not set up HTTP").made_of(error.without_url()))
}

/// This machine's certificate, read with its key.
fn read_identity(named: &ClientCertificate) -> Result<Identity> {
    let read = |what: &str, path: &Path| {
        named::read(path, MAX_BUNDLE).map_err(|error| {
            let what = format!("{what} {} cannot be read", path.shown());
            named::failure(Kind::Config, &what, error)
        })
    };
    let certificate = read("client_cert", &named.certificate)?;
    let key = read("client_key", &named.key)?;
    let pem = Zeroizing::new([&**certificate, b"\n", &**key].concat());
    let refused = |why: &str, error: reqwest::Error| {
        Error::config(format!(
            "client_cert {} and client_key {} {why}",
            named.certificate.shown(),
            named.key.shown()
        ))
        .made_of(error.without_url())
    };
    let identity = Identity::from_pem(&pem)
        .map_err(|error| refused("are no certificate and its key in PEM", error))?;
    // Whether they belong together is looked at when a client is made; nothing else is in this one.
    let alone = builder().tls_certs_only([]).identity(identity.clone());
    match alone.no_proxy().build() {
        Ok(_) => Ok(identity),
        Err(error) => Err(refused(
            "do not belong together: the key is that of another certificate, or of a kind that is not known",
            error,
        )),
    }
}

/// The certificates in `ca_file` that can be used; the others are told at `-v`.
fn read_certificates(ca_file: &Path, log: &Log) -> Result<Vec<Certificate>> {
    let shown = ca_file.shown();
    let bytes = named::read(ca_file, MAX_BUNDLE)
        .map_err(|error| named::failure(Kind::Config, &format!("ca_file {shown}"), error))?;
    let Bundle { good, bad } = certificates::parse(&bytes)
        .map_err(|why| Error::config(format!("ca_file {shown}: {why}")))?;
    for bad in bad {
        log(&format!("ca_file {shown}: {bad}, and is left out"));
    }
    good.iter()
        .map(|certificate| {
            Certificate::from_der(certificate).map_err(|error| {
                Error::config(format!("ca_file {shown} cannot be used"))
                    .made_of(error.without_url())
            })
        })
        .collect()
}
