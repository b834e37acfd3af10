//! What can go wrong before there is an answer.

use std::borrow::Cow;
use std::fmt;

use reqwest::Url;

use super::address::host;
use super::proxy::{Proxy, Way};
use super::request::Request;
use super::tls;
use crate::words::error::{Cause, Error, Kind};

/// Why an exchange gave no answer.
#[derive(Debug)]
pub struct Trouble {
    what: String,
    kind: Kind,
    cause: Cause,
    unsent: bool,
    passing: bool,
    unlikely: bool,
    hint: Option<Cow<'static, str>>,
    /// What stands between, where the trouble is its.
    by: Option<String>,
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
            unlikely: false,
            hint: None,
            by: None,
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
            hint: Some("give --timeout more time, or see with -v where it goes".into()),
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
                "the address may be wrong, or a login page of the network stands in between; credentials never follow a redirect".into(),
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

    /// Whether waiting long for it is likely to be in vain.
    pub fn unlikely(&self) -> bool {
        self.unlikely
    }

    /// The error of the whole request.
    pub fn into_error(self, request: &Request) -> Error {
        let error = Error::new(
            self.kind,
            format!(
                "could not {}: {}: {}",
                request.operation,
                self.by.unwrap_or_else(|| host(&request.url)),
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

    /// What `error` says of an exchange on this `way`.
    pub fn of(error: reqwest::Error, way: &Way) -> Self {
        let mut trouble = Self {
            kind: Kind::Unavailable,
            cause: match error.is_builder() {
                true => Cause::Other,
                false => Cause::Unreachable,
            },
            // A name that does not resolve or a port that refuses saw nothing of the request.
            unsent: error.is_connect(),
            passing: !error.is_builder(),
            ..Self::new(Kind::Unavailable, "no answer in time")
        };
        if let Some(words) = tls::words(&error) {
            trouble.what = words.what;
            trouble.hint = words.hint.map(Into::into);
            (trouble.unsent, trouble.passing) = (false, false);
        } else if !error.is_timeout() {
            trouble.what = root_cause(&error);
            trouble.unlikely = trouble.what.contains("name or service not known");
            if is_nonsense(&trouble.what) {
                (trouble.kind, trouble.cause) = (Kind::InvalidData, Cause::Other);
                trouble.passing = false;
            }
        }
        if let Way::Through(proxy) = way {
            trouble.blame(&error, proxy);
        }
        trouble.source = Some(error.without_url());
        trouble
    }

    /// Says so where it is the proxy that does not answer, or answers something else than that the
    /// way is open.
    fn blame(&mut self, error: &reqwest::Error, proxy: &Proxy) {
        let is_its = chain(error).any(|error| error.to_string().starts_with("tunnel error"));
        let unconnected = error.is_connect() && error.is_timeout();
        if !is_its && !unconnected {
            return;
        }
        self.by = Some(proxy.shown());
        match self.what.as_str() {
            "tunnel error: proxy authorization required" => {
                "it wants a user and a password".clone_into(&mut self.what);
                self.hint = Some(proxy.password_hint().into());
                // Each try is a failed logon, and some make an account be locked.
                (self.unsent, self.passing) = (false, false);
            }
            "tunnel error: unsuccessful" => {
                "it does not open the way to the server".clone_into(&mut self.what);
            }
            _ => {}
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Whether `what` is said of bytes that are no HTTP: an answer came, and would come again.
fn is_nonsense(what: &str) -> bool {
    what.contains("parsed") || what.contains("invalid chunk") || what.contains("head is too large")
}

/// `error` and all that it is made of, the outermost first.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let outermost: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(outermost), |error| error.source())
}

/// The innermost cause, which is the one that says something ("connection refused").
pub fn root_cause(error: &reqwest::Error) -> String {
    // reqwest puts the address into its outermost text, query included.
    let Some(cause) = chain(error).skip(1).last() else {
        return "the request failed".to_owned();
    };
    let text = cause.to_string();
    let text = match text.find(" (os error ") {
        Some(end) => &text[..end],
        None => &text,
    };
    text.to_lowercase()
}
