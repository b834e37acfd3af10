//! The HTTP floor: one client, made when a first request is really sent.
//!
//! Providers describe a [`Request`] and get a [`Response`], whatever its status; this floor sees to
//! the deadline, the retries, the size of bodies, redirects, proxies and certificates, and turns
//! what can go wrong on the way into errors that name host, operation and the server's own words.

mod address;
mod certificates;
mod client;
mod deadline;
mod peer;
pub mod proxy;
mod request;
mod response;
mod retry;
mod tls;
mod trouble;
mod wait;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use client::Log;
pub use deadline::{Deadline, Lost};
pub use peer::{ClientCertificate, Peer};
pub use request::{Dialect, Header, Request, is_transient};
pub use response::Response;
pub use retry::pauses;

use crate::words::env::Environment;
use crate::words::error::Result;
use crate::words::progress::waiting_for;
use crate::words::wiped::Wiped;
use client::Clients;
use retry::{Budget, Pauses};

/// How many bytes of an answer are read before it is called endless.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How many redirects inside one origin are followed.
const MAX_REDIRECTS: usize = 5;

/// An answer that is longer is large: not many of them are read at once.
const LARGE: usize = 1024 * 1024;

/// How many large answers are read at once: each may take up 32 MiB.
const LARGE_AT_ONCE: usize = 2;

/// A wait that a server asks for is told when it is longer.
const UNTOLD: Duration = Duration::from_secs(1);

/// The floor itself. Making one touches neither network nor disk.
pub struct Http {
    clients: Rc<Clients>,
    deadline: Rc<Deadline>,
    log: Log,
    notice: Option<Log>,
    /// Until when the user knows that each host is waited for.
    told: RefCell<BTreeMap<String, Instant>>,
    clocks: Rc<RefCell<BTreeMap<String, SignedDuration>>>,
    /// Whether a request was ever sent.
    asked: Rc<Cell<bool>>,
    /// How often something may still be sent again.
    budget: Rc<Budget>,
    /// Taken while a large answer is read.
    large: Rc<Semaphore>,
}

impl Http {
    /// A floor whose work is bounded by `deadline` and told to `log`.
    pub fn new(deadline: Rc<Deadline>, log: Log) -> Self {
        Self {
            clients: Rc::default(),
            deadline,
            log,
            notice: None,
            told: RefCell::default(),
            clocks: Rc::default(),
            asked: Rc::default(),
            budget: Rc::default(),
            large: Rc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }

    /// The same, which reaches servers as `env` says: by which proxies, with which certificates.
    pub fn in_environment(self, env: &Environment) -> Self {
        Self {
            clients: Rc::new(Clients::new(env)),
            ..self
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
    pub fn bounded_by(&self, deadline: Rc<Deadline>) -> Self {
        Self {
            clients: Rc::clone(&self.clients),
            deadline,
            log: Rc::clone(&self.log),
            notice: None,
            told: RefCell::default(),
            clocks: Rc::clone(&self.clocks),
            asked: Rc::clone(&self.asked),
            budget: Rc::clone(&self.budget),
            large: Rc::clone(&self.large),
        }
    }

    /// How far the clock of each host that has answered is ahead of this machine's, by its last
    /// answer; to the second, as answers tell no more.
    pub fn clocks(&self) -> BTreeMap<String, SignedDuration> {
        self.clocks.borrow().clone()
    }

    /// The deadline of all work of this command.
    pub fn deadline(&self) -> &Rc<Deadline> {
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
    pub async fn send(&self, peer: &Peer, request: &Request) -> Result<Response> {
        let _waiting = waiting_for(&address::host(&request.url));
        let client = self.clients.get(peer, &request.url, &self.log)?;
        let mut pauses = Pauses::new(&self.deadline, &self.budget);
        let mut heard = None;
        loop {
            let result = self.attempt(&client, peer, request).await;
            let Some(decided) = retry::decide(request, &result) else {
                if result.is_ok() {
                    self.budget.give_back();
                }
                return self.last(request, result, heard);
            };
            let Some(pause) = pauses.next(decided) else {
                return self.last(request, result, heard);
            };
            if !self.deadline.allows(pause) || pause > wait::LONGEST {
                return match (result, decided) {
                    (Ok(response), retry::Pause::Told(told)) if !is_limit(&response) => {
                        Err(response.unavailable_for(told))
                    }
                    (result, _) => self.last(request, result, heard),
                };
            }
            (self.log)(&format!(
                "{} {}: again in {} ms",
                request.method,
                address::shown(&request.url),
                pause.as_millis()
            ));
            if let (Ok(response), retry::Pause::Told(told)) = (&result, decided) {
                self.tell_of_wait(response, told);
            }
            tokio::time::sleep(pause).await;
            heard = result.ok().or(heard);
        }
    }

    /// What is told of a request that is not sent again: the last answer, even where a try after it
    /// was cut off by the deadline. But such a try may have changed something, unless it was to read.
    fn last(
        &self,
        request: &Request,
        result: Result<Response, trouble::Trouble>,
        heard: Option<Response>,
    ) -> Result<Response> {
        let is_over = self.deadline.remaining() == Some(Duration::ZERO);
        let response = match (result, heard) {
            (Ok(response), _) => response,
            (Err(_), Some(heard)) if is_over && request.method.is_safe() => heard,
            (Err(trouble), _) => return Err(trouble.into_error(request)),
        };
        match is_limit(&response) {
            true => {
                let told = response.retry_after();
                Err(response.rate_limited(told.unwrap_or_default()))
            }
            false => Ok(response),
        }
    }

    /// Says that the server of `response` asks to wait for so long, unless that was said of another
    /// request which waits as long.
    fn tell_of_wait(&self, response: &Response, pause: Duration) {
        let Some(notice) = self.notice.as_ref().filter(|_| pause > UNTOLD) else {
            return;
        };
        let host = address::host(&response.url);
        let Some(end) = Instant::now().checked_add(pause) else {
            return;
        };
        let told = self.told.borrow().get(&host).copied();
        if told.is_some_and(|until| until + UNTOLD > end) {
            return;
        }
        self.told.borrow_mut().insert(host.clone(), end);
        let why = match response.status {
            StatusCode::TOO_MANY_REQUESTS => "rate limit".to_owned(),
            status => address::status_text(status),
        };
        // Rounded up: it is not over before.
        let seconds = pause.as_millis().div_ceil(1000);
        notice(&format!("{host} asks to wait {seconds} s ({why})"));
    }

    /// One try, redirects inside the origin included.
    async fn attempt(
        &self,
        client: &reqwest::Client,
        peer: &Peer,
        request: &Request,
    ) -> Result<Response, trouble::Trouble> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(client, peer, request, &url).await?;
            let Some(next) = redirect_target(request, &url, &response)? else {
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
        peer: &Peer,
        request: &Request,
        url: &Url,
    ) -> Result<Response, trouble::Trouble> {
        let Some(limit) = self.deadline.attempt_limit() else {
            let asked = self.asked.get();
            return Err(trouble::Trouble::deadline(asked));
        };
        self.asked.set(true);
        let started = Instant::now();
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .timeout(limit);
        for header in &request.headers {
            builder = builder.header(&header.name, carried(header)?);
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static(request.content_type))
                .body(reqwest::Body::from(Bytes::from_owner(body.clone())));
        }
        let way = self.clients.way(url);
        let result = async {
            let trouble = |error| trouble::Trouble::of(error, &way);
            let mut answer = builder.send().await.map_err(trouble)?;
            let status = answer.status();
            let headers = answer.headers().clone();
            let told = answer
                .content_length()
                .and_then(|told| usize::try_from(told).ok())
                .unwrap_or_default();
            let mut body = Wiped::from(Vec::with_capacity(told.min(LARGE)));
            let mut large = None;
            while let Some(chunk) = answer.chunk().await.map_err(trouble)? {
                let length = body.len() + chunk.len();
                if length > MAX_BODY {
                    return Err(trouble::Trouble::endless());
                }
                if length > LARGE && large.is_none() {
                    large = self.large.acquire().await.ok();
                    // Only now: what each has room for it fills sooner or later.
                    body.make_room(told.min(MAX_BODY));
                }
                body.push(&chunk);
            }
            Ok(Response::new(peer.dialect, request, status, headers, body))
        }
        .await;
        let took = started.elapsed().as_millis();
        let shown = address::shown(url);
        if let Ok(response) = &result
            && let Some(theirs) = response.date()
        {
            let ahead = theirs.duration_since(Timestamp::now());
            self.clocks.borrow_mut().insert(address::host(url), ahead);
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

/// Whether `response` says that there were too many requests.
fn is_limit(response: &Response) -> bool {
    response.status == StatusCode::TOO_MANY_REQUESTS
}

/// The value of `header` as the HTTP library has it: what it holds is wiped, too.
fn carried(header: &Header) -> Result<HeaderValue, trouble::Trouble> {
    let bytes = Zeroizing::new(header.value.as_bytes().to_vec());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes))
        .ok()
        .filter(|_| header.value.is_ascii())
        .ok_or_else(trouble::Trouble::bad_credential)?;
    value.set_sensitive(header.secret);
    Ok(value)
}

/// Where a redirect of `from` leads, `None` where the answer is none.
///
/// Only redirects that keep method and body are followed, and only inside the origin: credentials
/// go nowhere else, and a POST that turns into a GET has not been done.
fn redirect_target(
    request: &Request,
    from: &Url,
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
        .and_then(|location| from.join(location).ok());
    match target {
        Some(target)
            if request.may_be_referred
                && response.status == StatusCode::TEMPORARY_REDIRECT
                && response.body.is_empty()
                && (target.path(), target.query()) == (from.path(), from.query()) =>
        {
            Ok(None)
        }
        Some(target)
            if followable && target.origin() == request.url.origin() && !has_user(&target) =>
        {
            Ok(Some(target))
        }
        Some(target) => Err(trouble::Trouble::redirected(&target)),
        None => Err(trouble::Trouble::redirects()),
    }
}

/// Whether `url` brings a user of its own, in whose name nobody asked.
fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;
    use crate::words::error::{Cause, Kind};

    #[test]
    fn a_secret_header_is_marked_whatever_it_is_called() {
        let url: Url = "http://127.0.0.1:9/".parse().unwrap();
        let request = |secret| {
            let name = HeaderName::from_static("x-api-token");
            Request::new("ask", Method::GET, url.clone()).secret_header(name, "", secret)
        };
        let good = request("hunter2");
        let value = carried(&good.headers[0]).unwrap();
        assert_eq!(value, "hunter2");
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert_eq!(good.sensitive[0].as_str(), "hunter2");
        for bad in ["hunter2\nX: y", "hünter2", "hunter2\0"] {
            let trouble = carried(&request(bad).headers[0]).unwrap_err();
            assert!(!format!("{trouble:?}").contains("ter2"), "{trouble:?}");
        }
    }

    #[test]
    fn a_second_redirect_starts_where_the_first_one_led() {
        let first: Url = "http://127.0.0.1:9/old/one".parse().unwrap();
        let request = Request::new("ask", Method::GET, first.clone());
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("two"));
        let status = StatusCode::PERMANENT_REDIRECT;
        let dialect = Dialect {
            message: |_| None,
            reset: None,
        };
        let answer = Response::new(dialect, &request, status, headers, Wiped::default());
        let from = first.join("/new/one").unwrap();
        let next = redirect_target(&request, &from, &answer).unwrap().unwrap();
        assert_eq!(next.path(), "/new/two");
        let mut answer = answer;
        for location in ["//me:hunter2@127.0.0.1:9/two", "//me@127.0.0.1:9/two"] {
            let location = HeaderValue::from_static(location);
            answer.headers.insert(LOCATION, location);
            let trouble = redirect_target(&request, &from, &answer).unwrap_err();
            assert!(!trouble.to_string().contains("me"), "{trouble}");
        }
    }

    #[tokio::test]
    async fn a_deadline_that_passes_before_anything_is_asked_is_not_the_server_s() {
        let deadline = Rc::new(Deadline::after(Some(Duration::ZERO)));
        let http = Http::new(deadline, Rc::new(|_| ()));
        let peer = Peer {
            ca_file: None,
            identity: None,
            dialect: Dialect {
                message: |_| None,
                reset: None,
            },
        };
        let url = "http://127.0.0.1:9/".parse().unwrap();
        let request = Request::new("ask", Method::GET, url);
        for (asked, cause) in [(false, Cause::Other), (true, Cause::Unreachable)] {
            http.asked.set(asked);
            let error = http.send(&peer, &request).await.err().unwrap();
            assert_eq!((error.kind(), error.cause()), (Kind::Unavailable, cause));
        }
    }
}
