//! Whom requests go to, and what the two sides prove themselves with.

use std::path::PathBuf;

use super::request::Dialect;

/// Whom requests go to: what it must prove, and how it answers.
#[derive(Clone)]
pub struct Peer {
    /// A PEM file with authorities that may vouch for it, besides the system's own.
    pub ca_file: Option<PathBuf>,
    /// What this machine proves itself with, where the server asks for it.
    pub identity: Option<ClientCertificate>,
    /// How its answers are read.
    pub dialect: Dialect,
}

/// A certificate of this machine's own, and its private key: PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The certificate, with those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}
