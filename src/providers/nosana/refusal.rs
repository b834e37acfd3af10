//! How the server says no.

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::http::{Response, is_transient};
use crate::words::error::{Cause, Error, Kind};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    r#type: String,
    message: String,
    error: serde_json::Value,
}

fn refusal(body: &[u8]) -> Refusal {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Whether it refuses the token, and not the act.
pub fn is_token_rejection(response: &Response) -> bool {
    let refusal = refusal(&response.body);
    refusal.error == "TokenExpiredError"
        || refusal.error == "JsonWebTokenError"
        || refusal.message == "Not authenticated"
        || refusal.message == "invalid signature"
        || refusal.message.starts_with("jwt ")
}

/// Whether it failed at what was sent.
pub fn is_internal_error(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::INTERNAL_SERVER_ERROR && refusal(body).r#type == "InternalServerError"
}

/// The error for an answer that is no success, for which there is none of its own. Its paths are always
/// there, so a 404 is another server's.
pub fn refused(response: &Response) -> Error {
    match response.status {
        StatusCode::NOT_FOUND => response
            .nonsense("no Secret Manager's answer")
            .hint("is base_url a Nosana Secret Manager?"),
        _ => response.status_error(),
    }
}

/// Whether it is its word for a path that it does not know.
pub fn is_unknown_path(response: &Response) -> bool {
    response.status == StatusCode::NOT_FOUND && response.text() == Some("Not Found")
}

/// Whether the server has failed at what was sent, where another request may succeed: no other error
/// is of this kind and of this cause.
pub fn cannot_be_stored(error: &Error) -> bool {
    error.kind() == Kind::InvalidData && error.cause() == Cause::Unreachable
}

/// Its internal error is no passing one: what was sent makes no sense to it, or cannot be stored.
pub fn is_worth_another_try(status: StatusCode, body: &[u8]) -> bool {
    is_transient(status) && !is_internal_error(status, body)
}

/// What an error is made of that may end by itself: what a job has is seen some seconds after it was
/// claimed.
#[derive(Debug)]
pub struct NotYet;

impl NotYet {
    /// Whether `error` is made of it.
    pub fn is_in(error: &Error) -> bool {
        let source = std::error::Error::source(error);
        source.is_some_and(|source| source.is::<Self>())
    }
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it may be there in a moment")
    }
}

impl std::error::Error for NotYet {}
