//! Certificates for servers that speak TLS, good ones and bad ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// What is to be said for a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the authority in [`Tls::ca_file`], for `127.0.0.1` and `localhost`.
    Good,
    /// Signed by an authority that nobody knows, the one in [`Tls::ca_file`] included.
    UnknownIssuer,
    /// Signed by the right authority, for another host.
    WrongHost,
    /// Signed by the right authority, long ago.
    Expired,
}

/// A server's identity and the authority to check it with.
pub struct Tls {
    folder: TempDir,
    pub(super) acceptor: TlsAcceptor,
}

impl Tls {
    /// A fresh authority and a certificate from it.
    pub fn new(certificate: Certificate) -> Self {
        let published = Authority::new("Test Authority");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(ca_file(folder.path()), &published.pem).expect("the authority's file");
        let signer = match certificate {
            Certificate::UnknownIssuer => Authority::new("Unknown Authority"),
            _ => published,
        };
        let hosts = match certificate {
            Certificate::WrongHost => vec!["elsewhere.example".to_owned()],
            _ => vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        };
        let mut params = CertificateParams::new(hosts).expect("good host names");
        if certificate == Certificate::Expired {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("a key pair");
        let signed = params
            .signed_by(&key, &signer.issuer)
            .expect("a signed certificate");
        // For a server in a process of its own.
        std::fs::write(folder.path().join(CERTIFICATE), signed.pem()).expect("a certificate");
        std::fs::write(folder.path().join(KEY), key.serialize_pem()).expect("its key");
        Self {
            folder,
            acceptor: acceptor(signed.der().clone(), &key),
        }
    }

    /// The server's certificate.
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Its private key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join(KEY)
    }

    /// The authority's certificate, for `ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        ca_file(self.folder.path())
    }
}

const CERTIFICATE: &str = "node.pem";
const KEY: &str = "node.key";

fn ca_file(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key pair");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}
