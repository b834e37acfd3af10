//! Files of certificates: what of a bundle can be used, and why the rest cannot.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::state::named;
use crate::words::error::io_reason;

/// No bundle is larger, in bytes; the systems' own are a tenth of it.
pub const MAX_BUNDLE: usize = 4 * 1024 * 1024;

const BEGIN: &str = "-----BEGIN ";

/// The certificates of a file.
pub struct Bundle {
    /// Those that can be used.
    pub good: Vec<CertificateDer<'static>>,
    /// Why the others cannot, each with its number among all.
    pub bad: Vec<String>,
}

/// Reads the certificates in the file at `path`, at least one of which can be used.
///
/// # Errors
/// Why there is none.
pub fn read(path: &Path) -> Result<Bundle, String> {
    let bytes = named::read(path, MAX_BUNDLE).map_err(|error| io_reason(&error))?;
    parse(&bytes)
}

/// The certificates in the bytes of a file, as [`read`] tells them.
pub fn parse(bytes: &[u8]) -> Result<Bundle, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("it is empty".to_owned());
    }
    // A sequence of more than 255 bytes.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Err("it is DER, not PEM (openssl x509 -inform der writes it as PEM)".to_owned());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut bundle = Bundle {
        good: Vec::new(),
        bad: Vec::new(),
    };
    let starts: Vec<usize> = text.match_indices(BEGIN).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let sections = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &text[*start..end]);
    let mut number = 0;
    for section in sections {
        let kind = section[BEGIN.len()..].split("-----").next();
        let kind = kind.unwrap_or_default();
        if !kind.ends_with("CERTIFICATE") {
            continue;
        }
        number += 1;
        match certificate(kind, section) {
            Ok(certificate) => bundle.good.push(certificate),
            Err(why) => bundle.bad.push(format!("certificate {number} {why}")),
        }
    }
    match (bundle.good.is_empty(), bundle.bad.is_empty()) {
        (false, _) => Ok(bundle),
        (true, true) => Err("it holds no PEM certificate".to_owned()),
        (true, false) => Err(bundle.bad.join(", ")),
    }
}

fn certificate(kind: &str, section: &str) -> Result<CertificateDer<'static>, String> {
    if kind != "CERTIFICATE" {
        return Err(format!(
            "is a {kind}, which openssl x509 writes as a CERTIFICATE"
        ));
    }
    let certificate = CertificateDer::from_pem_slice(section.as_bytes())
        .map_err(|_| "is cut, or no base64".to_owned())?;
    RootCertStore::empty()
        .add(certificate.clone())
        .map_err(|_| "is malformed".to_owned())?;
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(name: &str) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn bad_certificates_leave_the_good_ones_alone() {
        let (one, two) = (good("one"), good("two"));
        let cut = &one[..one.len() / 2];
        let bad_base64 = one.replace("\nMII", "\n!II");
        let bad_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let trusted = one.replace(" CERTIFICATE-", " TRUSTED CERTIFICATE-");
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (text, good, bad) in [
            (one.clone(), 1, 0),
            (format!("\u{feff}{one}"), 1, 0),
            (one.replace('\n', "\r\n"), 1, 0),
            (format!("# words\n{one}\n# more\n{two}"), 2, 0),
            (format!("{key}{one}"), 1, 0),
            (format!("{one}{cut}"), 1, 1),
            (format!("{cut}\n{two}"), 1, 1),
            (format!("{bad_base64}{two}"), 1, 1),
            (format!("{one}{bad_der}{two}"), 2, 1),
            (format!("{trusted}{two}"), 1, 1),
        ] {
            let bundle = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
            let counts = (bundle.good.len(), bundle.bad.len());
            assert_eq!(counts, (good, bad), "{:?} {text}", bundle.bad);
        }
        for (text, why) in [
            (" \n".to_owned(), "it is empty"),
            ("hello".to_owned(), "it holds no PEM certificate"),
            (key.to_owned(), "it holds no PEM certificate"),
            (bad_der.to_owned(), "certificate 1 is malformed"),
            (cut.to_owned(), "certificate 1 is cut, or no base64"),
        ] {
            assert_eq!(parse(text.as_bytes()).err().as_deref(), Some(why), "{text}");
        }
        let why = parse(&[0x30, 0x82, 1, 2]).err().unwrap();
        assert!(why.starts_with("it is DER"), "{why}");
    }
}
