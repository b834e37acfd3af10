//! An answer, and the errors made of one.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::address::{host, status_text};
use super::request::{Dialect, Request};
use super::{wait, words};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::wiped::Wiped;

/// What some editors and frameworks put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A whole answer, whatever its status.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, wiped on drop as it may hold secrets.
    pub body: Wiped,
    /// Where the request went.
    pub url: Url,
    dialect: Dialect,
    operation: &'static str,
    sensitive: Vec<Zeroizing<String>>,
}

impl Response {
    /// The answer to `request`, as it came.
    pub fn new(
        dialect: Dialect,
        request: &Request,
        status: StatusCode,
        headers: HeaderMap,
        mut body: Wiped,
    ) -> Self {
        // Some write it before their JSON, and no JSON has one.
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
        }
        Self {
            status,
            headers,
            body,
            url: request.url.clone(),
            dialect,
            operation: request.operation,
            sensitive: request.sensitive.clone(),
        }
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body as text without the white space around it, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok().map(str::trim)
    }

    /// The body as JSON, whatever the content type says.
    ///
    /// # Errors
    /// `invalid_data` that says what came instead, without repeating it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde_json's own text may quote the body, which may be a secret: say where, not what.
            self.nonsense(&format!(
                "not the JSON expected (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }

    /// The clock of the server, from its `Date` header.
    pub fn date(&self) -> Option<Timestamp> {
        wait::date(self.headers.get(DATE)?.to_str().ok()?)
    }

    /// How long the server asks to wait: what `Retry-After` says, else the vendor's own header; `None`
    /// where neither says anything that makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        let now = self.date().unwrap_or_else(Timestamp::now);
        let asked = self.header(RETRY_AFTER.as_str());
        asked
            .and_then(|text| wait::retry_after(text, now))
            .or_else(|| wait::reset(self.header(self.dialect.reset?)?, now))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// An error of `kind` made of this answer: operation, host, status, the server's own words. Its
    /// cause follows from status and kind.
    pub fn error(&self, kind: Kind) -> Error {
        let words = self.words();
        let words = if words.is_empty() {
            String::new()
        } else {
            format!(": {words}")
        };
        Error::new(
            kind,
            format!(
                "could not {}: {} answered {}{words}",
                self.operation,
                host(&self.url),
                status_text(self.status),
            ),
        )
        .caused_by(match kind {
            _ if self.status.is_server_error() => Cause::Unreachable,
            Kind::Unavailable => Cause::Unreachable,
            // Something in between knows nothing of the credential.
            _ if self.is_html() => Cause::Other,
            Kind::Unauthenticated | Kind::Forbidden => Cause::Refused,
            _ => Cause::Other,
        })
    }

    /// Whether the API itself says that what was asked for is not there.
    ///
    /// # Errors
    /// `invalid_data` for a 404 in other words than an API's: a proxy or a portal knows nothing of
    /// what is there.
    pub fn is_missing(&self) -> Result<bool> {
        if self.status != StatusCode::NOT_FOUND {
            return Ok(false);
        }
        match self.is_own_error() {
            true => Ok(true),
            false => Err(self.nonsense("something else than the API's own error")),
        }
    }

    /// Whether it is an error as APIs tell theirs. What is not may come from something in between,
    /// which does not know what became of the request.
    pub fn is_own_error(&self) -> bool {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        // Gateways, too, answer JSON with a `message` or a text as `error`.
        let has = |body: &serde_json::Value, member| {
            let value = body.get(member);
            value.is_some_and(|value| !value.is_null())
        };
        let error = &body["error"];
        has(error, "code") || has(error, "message") || has(&body, "code") && has(&body, "message")
    }

    /// The error that the status alone suggests.
    pub fn status_error(&self) -> Error {
        match self.status {
            StatusCode::UNAUTHORIZED => self.error(Kind::Unauthenticated),
            StatusCode::FORBIDDEN => self.error(Kind::Forbidden),
            StatusCode::NOT_FOUND => match self.is_missing() {
                Ok(_) => self.error(Kind::NotFound),
                Err(error) => error,
            },
            StatusCode::CONFLICT if self.is_html() => self.nonsense("a web page"),
            StatusCode::CONFLICT => self.error(Kind::Conflict),
            StatusCode::TOO_MANY_REQUESTS => {
                self.rate_limited(self.retry_after().unwrap_or_default())
            }
            StatusCode::BAD_REQUEST
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PAYLOAD_TOO_LARGE => self.error(Kind::InvalidData),
            StatusCode::REQUEST_TIMEOUT => self.error(Kind::Unavailable),
            status if status.is_server_error() => self.error(Kind::Unavailable),
            status if status.is_success() || self.is_html() => {
                self.nonsense("not what was expected")
            }
            _ => self.error(Kind::Failed),
        }
    }

    /// The error for an answer that makes no sense.
    pub fn nonsense(&self, what: &str) -> Error {
        let what = if self.is_html() {
            "a web page instead of an answer"
        } else if self.body.is_empty() {
            "an empty body instead of an answer"
        } else if self.is_compressed() {
            "a compressed body, which was not asked for"
        } else {
            what
        };
        let error = Error::invalid_data(format!(
            "could not {}: {} answered {} with {what}",
            self.operation,
            host(&self.url),
            status_text(self.status),
        ));
        if self.is_html() {
            error.hint("the address may be wrong, or a login page of the network stands in between")
        } else {
            error
        }
    }

    /// The error for a server that wants a longer pause than the deadline has room for.
    pub fn rate_limited(&self, wait: Duration) -> Error {
        let error = self.error(Kind::RateLimited);
        match wait.is_zero() {
            true => error.hint("try again later, or give --timeout more time"),
            false => error.hint(wait_hint(wait)),
        }
    }

    /// The error for a server that cannot serve anything now, and says for how long.
    pub fn unavailable_for(&self, wait: Duration) -> Error {
        self.error(Kind::Unavailable).hint(wait_hint(wait))
    }

    /// Whether it is compressed, which keyfob never asks for.
    fn is_compressed(&self) -> bool {
        let encoding = self.header(CONTENT_ENCODING.as_str());
        encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"))
            || self.body.starts_with(&[0x1f, 0x8b])
    }

    /// Whether it is a web page, which no API answers.
    pub fn is_html(&self) -> bool {
        let start = String::from_utf8_lossy(&self.body[..self.body.len().min(512)]).to_lowercase();
        let start = start.trim_start_matches('\u{feff}').trim_start();
        start.starts_with("<!doctype html") || start.starts_with("<html")
    }

    /// The server's own words: the message of its JSON, or its text; cut, on one line, and
    /// without anything the request held that is secret.
    pub fn words(&self) -> String {
        let words = match serde_json::from_slice::<serde_json::Value>(&self.body) {
            Ok(json) => (self.dialect.message)(&json).unwrap_or_default(),
            Err(_) if self.is_html() || self.is_compressed() => String::new(),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        self.shown(&words)
    }

    /// `words`, which this answer holds, as they may be told: on one line, cut, without anything the
    /// request held that is secret.
    pub fn shown(&self, words: &str) -> String {
        words::shown(words, &self.sensitive)
    }
}

/// What to do about a server that asks to wait.
fn wait_hint(wait: Duration) -> String {
    match wait <= wait::LONGEST {
        // Rounded up: it is not over before.
        true => format!(
            "try again in {} s, or give --timeout more than that",
            wait.as_millis().div_ceil(1000)
        ),
        false => "try again another day: the server asks to wait for longer than one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use reqwest::header::AUTHORIZATION;

    use super::*;

    fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let dialect = Dialect {
            message: |json| json["message"].as_str().map(str::to_owned),
            reset: Some("x-reset"),
        };
        let request = Request::new(
            "list the secrets",
            Method::GET,
            "https://example.com:8443/x?token=1".parse().unwrap(),
        )
        .secret_header(AUTHORIZATION, "Bearer ", "tok-123456")
        .sensitive("multi\nline value");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Response::new(
            dialect,
            &request,
            StatusCode::from_u16(status).unwrap(),
            map,
            body.as_bytes().to_vec().into(),
        )
    }

    #[test]
    fn errors_name_operation_host_status_and_words() {
        let body = r#"{"code":5,"message":"no such"}"#;
        let error = response(404, &[], body).status_error();
        assert_eq!(
            error.message(),
            "could not list the secrets: example.com:8443 answered 404 Not Found: no such"
        );
        assert_eq!(error.kind(), Kind::NotFound);
    }

    #[test]
    fn causes_follow_from_status_and_kind() {
        for (status, cause) in [
            (401, Cause::Refused),
            (403, Cause::Refused),
            (404, Cause::Other),
            (408, Cause::Unreachable),
            (429, Cause::Other),
            (500, Cause::Unreachable),
            (501, Cause::Unreachable),
            (503, Cause::Unreachable),
            (200, Cause::Other),
        ] {
            let error = response(status, &[], "").status_error();
            assert_eq!(error.cause(), cause, "{status}");
        }
        for (status, kind) in [
            (401, Kind::Unauthenticated),
            (403, Kind::Forbidden),
            (405, Kind::InvalidData),
            (409, Kind::InvalidData),
            (503, Kind::Unavailable),
        ] {
            let error = response(status, &[], "<html>").status_error();
            assert_eq!(error.kind(), kind, "{status}");
            assert_ne!(
                error.cause(),
                Cause::Refused,
                "{status}: it is none of the API's"
            );
        }
        let error = response(200, &[], "").error(Kind::Unauthenticated);
        assert_eq!(error.cause(), Cause::Refused);
        assert_eq!(error.context("x").cause(), Cause::Refused);
    }

    #[test]
    fn what_the_request_held_is_cut_out_of_the_words() {
        let error = response(
            400,
            &[],
            r#"{"message":"bad Bearer tok-123456 and multi\\nline value, or line value"}"#,
        )
        .status_error();
        assert!(!error.message().contains("tok-123456"), "{error}");
        assert!(!error.message().contains("line value"), "{error}");
    }

    #[test]
    fn a_web_page_is_not_repeated() {
        let error = response(502, &[], "<!DOCTYPE html><p>Bad gateway").status_error();
        assert_eq!(
            error.message(),
            "could not list the secrets: example.com:8443 answered 502 Bad Gateway"
        );
        let error = response(200, &[], " <html>").json::<()>().unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
        assert!(error.message().contains("a web page instead"), "{error}");
    }

    #[test]
    fn only_an_api_s_own_error_says_that_something_is_not_there() {
        for body in [
            r#"{"error":{"code":"NOT_FOUND"}}"#,
            r#"{"code":5,"message":"","details":[]}"#,
        ] {
            assert!(response(404, &[], body).is_missing().unwrap(), "{body}");
            assert!(!response(400, &[], body).is_missing().unwrap(), "{body}");
        }
        for body in [
            "<html>nginx</html>",
            "404 page not found",
            "",
            "null",
            r#""error""#,
            "[]",
            "{}",
            r#"{"error":null}"#,
            r#"{"error":{}}"#,
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"status":404,"error":"Not Found","path":"/v1/secrets/x"}"#,
        ] {
            let error = response(404, &[], body).is_missing().unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData, "{body}");
        }
        for (body, kind) in [
            ("<html>", Kind::InvalidData),
            ("", Kind::InvalidData),
            (r#"{"error":{"code":"NOT_FOUND"}}"#, Kind::NotFound),
        ] {
            let error = response(404, &[], body).status_error();
            assert_eq!(error.kind(), kind, "{body}");
        }
    }

    #[test]
    fn waits_come_in_seconds_dates_and_resets() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let wait = |headers: &[(&'static str, &str)]| response(429, headers, "").retry_after();
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:40:37 GMT")]),
            None
        );
        for bad in ["0", "soon", "-1", "Sun, 06 Nov 1994 08:40:37 GMT"] {
            assert_eq!(
                wait(&[date, ("retry-after", bad), ("x-reset", "12")]),
                Some(Duration::from_secs(12)),
                "{bad}"
            );
        }
        assert_eq!(wait(&[("x-reset", "12")]), Some(Duration::from_secs(12)));
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_an_answer() {
        let answer = response(200, &[], "\u{feff}[1]");
        assert_eq!(answer.json::<Vec<u8>>().unwrap(), [1]);
    }

    #[test]
    fn what_was_not_asked_for_is_said() {
        let gzip = response(200, &[("content-encoding", "gzip")], "x");
        let error = gzip.json::<Vec<u8>>().unwrap_err();
        let what = "answered 200 OK with a compressed body, which was not asked for";
        assert!(error.message().ends_with(what), "{error}");
        assert_eq!(gzip.words(), "");
    }
}
