//! What can go wrong before there is an answer.

use std::error::Error as _;
use std::fmt;

use reqwest::Url;

use super::address::host;
use super::request::Request;
use crate::words::error::{Cause, Error, Kind};

/// Why an exchange gave no answer.
#[derive(Debug)]
pub struct Trouble {
    what: String,
    kind: Kind,
    cause: Cause,
    unsent: bool,
    passing: bool,
    hint: Option<&'static str>,
    /// Without its address, whose query may hold anything.
    source: Option<reqwest::Error>,
}

impl Trouble {
    fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            kind,
            cause: Cause::Other,
            unsent: false,
            passing: false,
            hint: None,
            source: None,
        }
    }

    /// The command's deadline has passed: by waiting for answers, where something was `asked`
    /// before.
    pub fn deadline(asked: bool) -> Self {
        Self {
            cause: match asked {
                true => Cause::Unreachable,
                false => Cause::Other,
            },
            hint: Some("give --timeout more time, or see with -v where it goes"),
            ..Self::new(Kind::Unavailable, "the deadline has passed")
        }
    }

    /// The body does not end.
    pub fn endless() -> Self {
        Self::new(Kind::InvalidData, "the answer is larger than 32 MiB")
    }

    /// The credential cannot stand in a header.
    pub fn bad_credential() -> Self {
        Self::new(
            Kind::Unauthenticated,
            "the credential holds characters that no header can carry",
        )
    }

    /// Redirects without end or target.
    pub fn redirects() -> Self {
        Self::new(
            Kind::InvalidData,
            "the server redirects without leading anywhere",
        )
    }

    /// A redirect that credentials must not follow.
    pub fn redirected(target: &Url) -> Self {
        Self {
            hint: Some(
                "the address may be wrong, or a login page of the network stands in between; credentials never follow a redirect",
            ),
            ..Self::new(
                Kind::InvalidData,
                format!(
                    "the server redirects to {}://{}",
                    target.scheme(),
                    host(target)
                ),
            )
        }
    }

    /// Whether nothing can have reached the server.
    pub fn unsent(&self) -> bool {
        self.unsent
    }

    /// Whether another try may help.
    pub fn passing(&self) -> bool {
        self.passing
    }

    /// The error of the whole request.
    pub fn into_error(self, request: &Request) -> Error {
        let error = Error::new(
            self.kind,
            format!(
                "could not {}: {}: {}",
                request.operation,
                host(&request.url),
                self.what
            ),
        )
        .caused_by(self.cause);
        let error = match self.source {
            Some(source) => error.made_of(source),
            None => error,
        };
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        let cause = root_cause(&error);
        let certificate = cause.contains("certificate");
        let what = if error.is_timeout() {
            "no answer in time".to_owned()
        } else if certificate {
            format!("its certificate is not trusted ({cause})")
        } else {
            cause
        };
        Self {
            what,
            kind: Kind::Unavailable,
            cause: match error.is_builder() {
                true => Cause::Other,
                false => Cause::Unreachable,
            },
            // A name that does not resolve or a port that refuses saw nothing of the request.
            unsent: error.is_connect() && !certificate,
            passing: !certificate && !error.is_builder(),
            hint: certificate.then_some(
                "name the authority's PEM file with SSL_CERT_FILE or the store's ca_file if you trust it",
            ),
            source: Some(error.without_url()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The innermost cause, which is the one that says something ("connection refused").
pub fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let text = match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    };
    // reqwest puts the address into its outermost text, query included.
    if error.source().is_none() {
        "the request failed".to_owned()
    } else {
        text.to_lowercase()
    }
}
