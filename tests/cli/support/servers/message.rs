//! What a client asked and what it is answered.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, percent-encoded as it was sent.
    pub path: String,
    /// What followed the `?`, as it was sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// Which connection it came on; the first is 1.
    pub connection: usize,
    /// The server's time when it arrived, in seconds since 1970.
    pub time: i64,
    /// The status of the answer; `None` while there is none, and for good when it was withheld.
    pub answered: Option<u16>,
}

impl Request {
    /// Path and query, as they were sent.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Whether it is this method on this path, the query aside.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    /// A header's value. One that was sent twice counts as absent, so that no server has to
    /// choose between two.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Whether the body is declared to be JSON.
    pub fn declares_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    }

    /// The body as JSON, where it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The path's segments, decoded. An encoded slash stays inside its segment.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split('/').map(decode).collect()
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref()?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(&value.replace('+', " ")))
        })
    }

    /// Everything that was sent, as one text, for asserting that something was not.
    pub fn transcript(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.target());
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            text.push_str(&format!("{name}: {value}\n"));
        }
        text + "\n" + &self.text()
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What a server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers beside `Date` and `Content-Length`, which the server sets.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the server works before it answers.
    pub work: Duration,
}

impl Answer {
    /// A status with nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            work: Duration::ZERO,
        }
    }

    /// JSON, declared as such.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json; charset=utf-8", body.to_string())
    }

    /// Plain text.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::body(status, "text/plain; charset=utf-8", body)
    }

    /// A web page.
    pub fn html(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::body(status, "text/html; charset=utf-8", body)
    }

    fn body(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut answer = Self::status(status).header("content-type", kind);
        answer.body = body.into();
        answer
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// Makes the server work this long before it answers.
    pub fn after(mut self, work: Duration) -> Self {
        self.work = work;
        self
    }
}
