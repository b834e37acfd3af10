//! What is sent, as a provider describes it, and how its vendor's answers are read.

use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode, Url};
use zeroize::Zeroizing;

use crate::words::error::{Error, Result};

/// A header of a request.
pub struct Header {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: Zeroizing<String>,
    /// Whether the value is a secret, which the HTTP library must not show.
    pub secret: bool,
}

/// How a vendor's answers tell what their status does not.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The message in the JSON of an answer.
    pub message: fn(&serde_json::Value) -> Option<String>,
    /// The header that tells, beside `Retry-After`, in how many seconds or at which Unix time more
    /// requests are taken.
    pub reset: Option<&'static str>,
}

/// One request.
pub struct Request {
    /// What it is for, to follow "could not" in an error ("list the secrets").
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Headers beside those that every request has.
    pub headers: Vec<Header>,
    /// A JSON body.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// What the body is said to be.
    pub content_type: &'static str,
    /// Whether sending it twice does what sending it once does.
    pub repeatable: bool,
    /// Whether a 307 to the same path elsewhere is an answer to it, and not a way to follow.
    pub may_be_referred: bool,
    /// Values that an answer might repeat; they are cut out of every message.
    pub sensitive: Vec<Zeroizing<String>>,
    /// Tells by status and body whether an answer is worth another try.
    pub transient: fn(StatusCode, &[u8]) -> bool,
}

impl Request {
    /// A request without credentials or body. GET, PUT and DELETE are repeatable; the others must
    /// say so.
    pub fn new(operation: &'static str, method: Method, url: Url) -> Self {
        let repeatable = matches!(method, Method::GET | Method::PUT | Method::DELETE);
        Self {
            operation,
            method,
            url,
            headers: Vec::new(),
            body: None,
            content_type: "application/json",
            repeatable,
            may_be_referred: false,
            sensitive: Vec::new(),
            transient: |status, _| is_transient(status),
        }
    }

    /// The same with a header that holds `secret` after `scheme` ("Bearer ", or nothing).
    pub fn secret_header(mut self, name: HeaderName, scheme: &str, secret: &str) -> Self {
        // As long as it will be, so that no copy is left behind.
        let mut value = Zeroizing::new(String::with_capacity(scheme.len() + secret.len()));
        value.push_str(scheme);
        value.push_str(secret);
        self.headers.push(Header {
            name,
            value,
            secret: true,
        });
        self.sensitive(secret)
    }

    /// The same with `body` as its JSON.
    ///
    /// # Errors
    /// `failed` when it cannot be written as JSON.
    pub fn json(mut self, body: &impl serde::Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body)
            .map_err(|error| Error::failed(format!("could not {}: {error}", self.operation)))?;
        self.body = Some(Zeroizing::new(bytes));
        Ok(self)
    }

    /// The same with `body` as a patch (RFC 7396) of what there is.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn merge_patch(self, body: &impl serde::Serialize) -> Result<Self> {
        let mut request = self.json(body)?;
        request.content_type = "application/merge-patch+json";
        Ok(request)
    }

    /// The same to one of several servers: a 307 to the same path at another of them, which credentials
    /// do not follow, is the answer of one that cannot act now.
    pub fn may_be_referred(mut self) -> Self {
        self.may_be_referred = true;
        self
    }

    /// The same, said to be safe to send twice.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// The same, with a value that must not come back in a message.
    pub fn sensitive(mut self, value: &str) -> Self {
        self.sensitive.push(Zeroizing::new(value.to_owned()));
        self
    }

    /// The same, with its own rule for what is worth another try.
    pub fn transient(mut self, rule: fn(StatusCode, &[u8]) -> bool) -> Self {
        self.transient = rule;
        self
    }
}

/// Whether the status says that the same request may succeed later; 520 to 527 are a CDN's words for
/// a server that it cannot reach.
pub fn is_transient(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 429 | 500 | 502 | 503 | 504 | 520..=527
    )
}
