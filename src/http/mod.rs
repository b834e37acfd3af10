//! The HTTP floor: one client, made when a first request is really sent.
//!
//! Providers describe a [`Request`] and get a [`Response`], whatever its status; this floor sees to
//! the deadline, the retries, the size of bodies, redirects, proxies and certificates, and turns
//! what can go wrong on the way into errors that name host, operation and the server's own words.

mod client;
mod deadline;
mod response;
mod retry;
mod trouble;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use zeroize::Zeroizing;

pub use client::Tls;
pub use deadline::Deadline;
pub use response::Response;
pub use retry::is_transient;

use crate::words::error::{Error, Result};
use client::Clients;

/// How many bytes of an answer are read before it is called endless.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How many redirects inside one origin are followed.
const MAX_REDIRECTS: usize = 5;

/// A wait that a server asks for is told when it is longer.
const UNTOLD: Duration = Duration::from_secs(1);

/// Told of what is asked of whom, at `-v`; the text holds no secret.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// One request, as a provider describes it.
pub struct Request {
    /// What it is for, to follow "could not" in an error ("list the secrets").
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// The whole value of the `Authorization` header, scheme word included.
    pub authorization: Option<Zeroizing<String>>,
    /// A JSON body. Sent with `Content-Type: application/json`.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// Whether sending it twice does what sending it once does.
    pub repeatable: bool,
    /// Values that an answer might repeat; they are cut out of every message.
    pub sensitive: Vec<Zeroizing<String>>,
    /// Tells whether an answer is worth another try; without it 408, 429 and 5xx are.
    pub transient: Option<fn(&Response) -> bool>,
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
            authorization: None,
            body: None,
            repeatable,
            sensitive: Vec::new(),
            transient: None,
        }
    }

    /// The same with an `Authorization` header of `scheme` and `secret`; ByteNite has no scheme.
    pub fn authorized(mut self, scheme: &str, secret: &str) -> Self {
        let value = if scheme.is_empty() {
            secret.to_owned()
        } else {
            format!("{scheme} {secret}")
        };
        self.authorization = Some(Zeroizing::new(value));
        self.sensitive.push(Zeroizing::new(secret.to_owned()));
        self
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
    pub fn transient(mut self, rule: fn(&Response) -> bool) -> Self {
        self.transient = Some(rule);
        self
    }
}

/// The floor itself. Making one touches neither network nor disk.
pub struct Http {
    clients: Arc<Clients>,
    deadline: Arc<Deadline>,
    log: Log,
    notice: Option<Log>,
    /// Until when the user knows that each host is waited for.
    told: Mutex<BTreeMap<String, Instant>>,
    clocks: Arc<Mutex<BTreeMap<String, SignedDuration>>>,
    /// Whether a request was ever sent.
    asked: Arc<AtomicBool>,
}

impl Http {
    /// A floor whose work is bounded by `deadline` and told to `log`.
    pub fn new(deadline: Arc<Deadline>, log: Log) -> Self {
        Self {
            clients: Arc::default(),
            deadline,
            log,
            notice: None,
            told: Mutex::default(),
            clocks: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// The same, which tells `notice` of waits that a server asks for.
    pub fn with_notice(self, notice: Log) -> Self {
        Self {
            notice: Some(notice),
            ..self
        }
    }

    /// The same floor for work beside other work: with a deadline of its own, and without a word
    /// of its waits.
    pub fn bounded_by(&self, deadline: Arc<Deadline>) -> Self {
        Self {
            clients: Arc::clone(&self.clients),
            deadline,
            log: Arc::clone(&self.log),
            notice: None,
            told: Mutex::default(),
            clocks: Arc::clone(&self.clocks),
            asked: Arc::clone(&self.asked),
        }
    }

    /// How far the clock of each host that has answered is ahead of this machine's, by its last
    /// answer; to the second, as answers tell no more.
    pub fn clocks(&self) -> BTreeMap<String, SignedDuration> {
        self.clocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The deadline of all work of this command.
    pub fn deadline(&self) -> &Arc<Deadline> {
        &self.deadline
    }

    /// Who is told of each exchange, for what else is asked of somebody.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Sends `request`, again where that is safe and may help, and returns the last answer.
    ///
    /// # Errors
    /// `unavailable` when no answer came, `rate_limited` when the server asks to wait beyond the
    /// deadline, `invalid_data` for an endless body or a redirect to somewhere else.
    pub async fn send(&self, tls: &Tls, request: &Request) -> Result<Response> {
        let client = self.clients.get(tls, &request.url)?;
        let mut pauses = retry::pauses();
        loop {
            let result = self.attempt(&client, request).await;
            let Some(decided) = retry::decide(request, &result) else {
                return result.map_err(|trouble| trouble.into_error(request));
            };
            let pause = match decided {
                retry::Pause::Backoff => match pauses.next() {
                    Some(pause) => pause,
                    None => return result.map_err(|trouble| trouble.into_error(request)),
                },
                retry::Pause::Told(pause) => pause,
            };
            if !self.deadline.allows(pause) {
                return match result {
                    Ok(response) if response.status == StatusCode::TOO_MANY_REQUESTS => {
                        Err(response.rate_limited(pause))
                    }
                    other => other.map_err(|trouble| trouble.into_error(request)),
                };
            }
            (self.log)(&format!(
                "{} {}: again in {} ms",
                request.method,
                response::shown(&request.url),
                pause.as_millis()
            ));
            if let (Ok(response), retry::Pause::Told(pause)) = (&result, decided) {
                self.tell_of_wait(response, pause);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Says that the server of `response` is waited for, unless that was said of another request
    /// which waits as long.
    fn tell_of_wait(&self, response: &Response, pause: Duration) {
        let Some(notice) = self.notice.as_ref().filter(|_| pause > UNTOLD) else {
            return;
        };
        let host = response::host(&response.url);
        let end = Instant::now() + pause;
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.get(&host).is_some_and(|until| *until + UNTOLD > end) {
                return;
            }
            told.insert(host.clone(), end);
        }
        let why = match response.status {
            StatusCode::TOO_MANY_REQUESTS => "rate limit".to_owned(),
            status => response::status_text(status),
        };
        // Rounded up: it is not over before.
        let seconds = pause.as_millis().div_ceil(1000);
        notice(&format!("{host} asks to wait {seconds} s ({why})"));
    }

    /// One try, redirects inside the origin included.
    async fn attempt(
        &self,
        client: &reqwest::Client,
        request: &Request,
    ) -> Result<Response, trouble::Trouble> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(client, request, &url).await?;
            let Some(next) = redirect_target(request, &response)? else {
                return Ok(response);
            };
            url = next;
        }
        Err(trouble::Trouble::redirects())
    }

    /// Sends the request to `url` once and reads the whole answer.
    async fn exchange(
        &self,
        client: &reqwest::Client,
        request: &Request,
        url: &Url,
    ) -> Result<Response, trouble::Trouble> {
        let Some(limit) = self.deadline.attempt_limit() else {
            let asked = self.asked.load(Ordering::Relaxed);
            return Err(trouble::Trouble::deadline(asked));
        };
        self.asked.store(true, Ordering::Relaxed);
        let started = Instant::now();
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .timeout(limit);
        if let Some(authorization) = &request.authorization {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| trouble::Trouble::bad_credential())?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(reqwest::Body::from(bytes::Bytes::from_owner(body.clone())));
        }
        let result = async {
            let mut answer = builder.send().await?;
            let status = answer.status();
            let headers = answer.headers().clone();
            let mut body = Zeroizing::new(Vec::new());
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > MAX_BODY {
                    return Err(trouble::Trouble::endless());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response::new(request, status, headers, body))
        }
        .await;
        let took = started.elapsed().as_millis();
        let shown = response::shown(url);
        if let Ok(response) = &result
            && let Some(theirs) = response.date()
        {
            let ahead = theirs.duration_since(Timestamp::now());
            self.clocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(response::host(url), ahead);
        }
        match &result {
            Ok(response) => (self.log)(&format!(
                "{} {shown} to {}: {} in {took} ms, {} bytes",
                request.method,
                request.operation,
                response.status,
                response.body.len()
            )),
            Err(trouble) => (self.log)(&format!(
                "{} {shown} to {}: {trouble} after {took} ms",
                request.method, request.operation
            )),
        }
        result
    }
}

/// Where a redirect leads, `None` where the answer is none.
///
/// Only redirects that keep method and body are followed, and only inside the origin: credentials
/// go nowhere else, and a POST that turns into a GET has not been done.
fn redirect_target(
    request: &Request,
    response: &Response,
) -> Result<Option<Url>, trouble::Trouble> {
    let followable = match response.status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            request.method == Method::GET
        }
        _ => return Ok(None),
    };
    let target = response
        .headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url.join(location).ok());
    match target {
        Some(target) if followable && target.origin() == request.url.origin() => Ok(Some(target)),
        Some(target) => Err(trouble::Trouble::redirected(&target)),
        None => Err(trouble::Trouble::redirects()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::{Cause, Kind};

    #[tokio::test]
    async fn a_deadline_that_passes_before_anything_is_asked_is_not_the_server_s() {
        let deadline = Arc::new(Deadline::after(Some(std::time::Duration::ZERO)));
        let http = Http::new(deadline, Arc::new(|_| ()));
        let url = "http://127.0.0.1:9/".parse().unwrap();
        let request = Request::new("ask", Method::GET, url);
        for (asked, cause) in [(false, Cause::Other), (true, Cause::Unreachable)] {
            http.asked.store(asked, Ordering::Relaxed);
            let error = http.send(&Tls::default(), &request).await.err().unwrap();
            assert_eq!((error.kind(), error.cause()), (Kind::Unavailable, cause));
        }
    }
}
