//! What is wrong with a server's certificate, or with its TLS, in plain words.

use std::error::Error;
use std::io;

use rustls::{CertificateError, InvalidMessage};

/// What went wrong, and what may be done about it.
pub struct Words {
    /// What.
    pub what: String,
    /// What to do, where that is known.
    pub hint: Option<&'static str>,
}

/// The words for the failure of TLS that `error` is made of; `None` where it is another.
pub fn words(error: &(dyn Error + 'static)) -> Option<Words> {
    let error = find(error)?;
    let words = |what: &str, hint| {
        Some(Words {
            what: what.to_owned(),
            hint,
        })
    };
    match error {
        rustls::Error::InvalidCertificate(why) => Some(certificate(why)),
        rustls::Error::NoCertificatesPresented => words("it shows no certificate", None),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => words(
            "it does not speak TLS on this port",
            Some("it may speak plain http there: check the port in the address"),
        ),
        rustls::Error::InvalidMessage(_) => words("its TLS makes no sense", None),
        rustls::Error::PeerIncompatible(_) => words(
            "it knows no version or cipher of TLS that keyfob knows",
            Some("keyfob speaks TLS 1.2 and 1.3"),
        ),
        rustls::Error::AlertReceived(alert) => Some(Words {
            what: format!("it has refused TLS ({})", spaced(&format!("{alert:?}"))),
            hint: None,
        }),
        other => Some(Words {
            what: format!("TLS failed: {other}"),
            hint: None,
        }),
    }
}

fn certificate(why: &CertificateError) -> Words {
    use CertificateError as E;
    const CLOCK: &str = "see whether this machine's clock is right: keyfob doctor";
    const TRUST: &str =
        "name the authority's PEM file with SSL_CERT_FILE or the store's ca_file if you trust it";
    const MADE_AS_CA: &str = "have the server show a certificate that is no authority's (openssl req -x509 -addext basicConstraints=critical,CA:FALSE makes one); ca_file may name that very one";
    let (what, hint) = match why {
        E::Expired | E::ExpiredContext { .. } => ("has expired".to_owned(), CLOCK),
        E::NotValidYet | E::NotValidYetContext { .. } => ("is not valid yet".to_owned(), CLOCK),
        E::NotValidForName => ("is another host's".to_owned(), OTHER_HOST),
        E::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| dns(name)).take(3).collect();
            match names.is_empty() {
                true => ("is another host's".to_owned(), OTHER_HOST),
                false => (format!("is that of {}", names.join(", ")), OTHER_HOST),
            }
        }
        E::UnknownIssuer => ("is not trusted (unknown issuer)".to_owned(), TRUST),
        E::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "is an authority's own, which no server may show".to_owned(),
            MADE_AS_CA,
        ),
        E::Revoked => ("has been revoked".to_owned(), "ask who runs the server"),
        E::BadEncoding => ("is malformed".to_owned(), "ask who runs the server"),
        E::BadSignature => (
            "is not trusted (its signature is wrong)".to_owned(),
            "ask who runs the server, or what stands in between",
        ),
        other => {
            let name = format!("{other:?}");
            let name = name.split([' ', '(', '{']).next().unwrap_or_default();
            (
                format!("is not trusted ({})", spaced(name)),
                "ask who runs the server",
            )
        }
    };
    Words {
        what: format!("its certificate {what}"),
        hint: Some(hint),
    }
}

const OTHER_HOST: &str = "check the host in the address";

/// The name in what `rustls` shows of one: `DnsName("example.com")`.
fn dns(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

/// `UnknownIssuer` as `unknown issuer`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// The error of TLS that `error` is made of. An I/O error hides what it wraps from `source`.
fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_tls_are_told_in_plain_words() {
        use rustls::Error as E;
        let told = |error: E| {
            let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            let words = words(&wrapped).unwrap();
            (words.what, words.hint)
        };
        let (what, hint) = told(E::InvalidMessage(InvalidMessage::InvalidContentType));
        assert_eq!(what, "it does not speak TLS on this port");
        assert!(hint.unwrap().contains("plain http"));
        let certificate = |why| told(E::InvalidCertificate(why)).0;
        for (why, what) in [
            (CertificateError::Expired, "its certificate has expired"),
            (
                CertificateError::BadEncoding,
                "its certificate is malformed",
            ),
            (
                CertificateError::UnknownIssuer,
                "its certificate is not trusted (unknown issuer)",
            ),
            (
                CertificateError::UnhandledCriticalExtension,
                "its certificate is not trusted (unhandled critical extension)",
            ),
        ] {
            assert_eq!(certificate(why), what);
        }
        let (what, _) = told(E::AlertReceived(rustls::AlertDescription::HandshakeFailure));
        assert_eq!(what, "it has refused TLS (handshake failure)");
        assert!(words(&io::Error::other("refused")).is_none());
    }
}
