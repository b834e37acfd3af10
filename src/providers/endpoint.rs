//! The half of a client that all vendors share: the address, what proves who asks, a token that is
//! renewed once, and logging in and out with an API key.
//!
//! A vendor hands in how its requests are authorized and how its answers are read; which requests
//! there are, and what their answers mean, is its own.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::AUTHORIZATION;
use reqwest::{StatusCode, Url};
use zeroize::Zeroizing;

use super::services::Services;
use super::{Account, Given};
use crate::config::{StoreConfig, check};
use crate::credential::{self, Credential, Means, Source};
use crate::http::{ClientCertificate, Dialect, Peer, Request, Response};
use crate::session::{Session, SessionKey};
use crate::words::error::{Error, Kind, Result};
use crate::words::shown;

/// What a segment of a path keeps as it is; all else is written `%XX`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// How often a token is obtained for one request, where tokens are good for a number of them: what
/// was left of one may have been spent by others, or by a request that had to be repeated.
const RENEWALS: usize = 3;

/// What tells one vendor's requests and answers from another's.
pub struct Vendor {
    /// Adds the headers that prove who asks, by a token or an API key.
    pub authorize: fn(Request, &str) -> Request,
    /// How answers are read.
    pub dialect: Dialect,
    /// Whether an answer refuses the token that the request came with.
    pub is_rejection: fn(&Response) -> bool,
}

/// A vendor that takes `Authorization: Bearer`, and answers as most do.
pub const BEARER: Vendor = Vendor {
    authorize: |request, token| request.secret_header(AUTHORIZATION, "Bearer ", token),
    dialect: DIALECT,
    is_rejection,
};

/// The shapes of errors that most vendors use, and their header of limits.
pub const DIALECT: Dialect = Dialect {
    message,
    reset: Some("x-ratelimit-reset"),
};

/// One vendor's API at one address, as one store is configured for it.
pub struct Endpoint {
    base: Url,
    peer: Peer,
    authorize: fn(Request, &str) -> Request,
    is_rejection: fn(&Response) -> bool,
    /// The store's configuration.
    pub config: StoreConfig,
    /// What it works with.
    pub services: Rc<Services>,
    /// A fresh token that was rejected: renewing it again would not help.
    hopeless: RefCell<Option<Zeroizing<String>>>,
}

impl Endpoint {
    /// The API at the store's `base_url`, else at `default`. Asks nobody.
    pub fn new(
        config: &StoreConfig,
        services: &Rc<Services>,
        default: &str,
        vendor: &Vendor,
    ) -> Result<Self> {
        let text = config.text("base_url").unwrap_or(default);
        let text = &check::base_url(text).map_err(|why| {
            let origin = config.origin("base_url").map(ToString::to_string);
            let origin = origin.unwrap_or_else(|| "base_url".to_owned());
            Error::config(format!("{origin} {why}")).store(config.name().as_str())
        })?;
        let base = Url::parse(text).map_err(|error| {
            Error::config(format!("{} is no address: {error}", shown::quoted(text)))
                .store(config.name().as_str())
        })?;
        Ok(Self {
            base,
            peer: Peer {
                ca_file: config.path("ca_file").map(Path::to_owned),
                identity: None,
                dialect: vendor.dialect,
            },
            authorize: vendor.authorize,
            is_rejection: vendor.is_rejection,
            config: config.clone(),
            services: Rc::clone(services),
            hopeless: RefCell::default(),
        })
    }

    /// The same, reached with a certificate of this machine's own.
    pub fn with_identity(mut self, identity: Option<ClientCertificate>) -> Self {
        self.peer.identity = identity;
        self
    }

    /// The base URL as people write it, without a slash at its end.
    pub fn shown(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// The address of `segments` below the base URL, each percent-encoded whole.
    ///
    /// # Errors
    /// `invalid_data` for a segment that would lead elsewhere, however it is encoded.
    pub fn url(&self, segments: &[&str]) -> Result<Url> {
        if let Some(segment) = segments
            .iter()
            .find(|segment| matches!(**segment, "" | "." | ".."))
        {
            return Err(Error::invalid_data(format!(
                "{segment:?} cannot stand in an address"
            )));
        }
        if self.base.cannot_be_a_base() {
            return Err(Error::config(format!(
                "{} cannot be the base of an address",
                self.base
            )));
        }
        // Not by `path_segments_mut`, which leaves tabs and line breaks out without a word.
        let base = self.base.path();
        let mut path = base.strip_suffix('/').unwrap_or(base).to_owned();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        Ok(url)
    }

    /// Sends `request` as it is.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let sent = self.services.http.send(&self.peer, request).await;
        sent.map_err(|error| match (error.kind(), error.hint_text()) {
            // Who may be in the way: the network, a proxy, a certificate, a clock.
            (Kind::Unavailable, None) => {
                let store = self.config.name();
                error.hint(format!("see what is in the way: keyfob doctor -s {store}"))
            }
            _ => error,
        })
    }

    /// Sends `request` in the name of whoever has `token`.
    pub async fn send_as(&self, token: &str, request: Request) -> Result<Response> {
        self.send(&(self.authorize)(request, token)).await
    }

    /// Sends what `make` makes with the token of the session under `key`, which `login` obtains
    /// where there is none. A rejected token is renewed once, and one that is good for a number of
    /// requests as often as others may have used it up.
    pub async fn send_in_session(
        &self,
        key: &SessionKey,
        login: impl AsyncFn() -> Result<Session>,
        make: impl Fn() -> Result<Request>,
    ) -> Result<Response> {
        let sessions = &self.services.sessions;
        let deadline = self.services.http.deadline().end();
        let mut session = sessions
            .get_or_login(key, deadline, async || login().await)
            .await?;
        let mut renewals = 0;
        loop {
            let response = self.send_as(&session.token, make()?).await?;
            let is_hopeless = self.hopeless.borrow().as_ref() == Some(&session.token);
            if !(self.is_rejection)(&response) || is_hopeless {
                return Ok(response);
            }
            let most = session.uses.map_or(1, |_| RENEWALS);
            if renewals >= most {
                self.hopeless.replace(Some(session.token));
                return Ok(response);
            }
            renewals += 1;
            session = sessions
                .renew(key, &session, deadline, async || login().await)
                .await?;
        }
    }

    /// What credentials of this store are looked for with.
    pub fn means(&self) -> Means<'_> {
        let services = &self.services;
        Means {
            env: &services.env,
            keyring: &services.keyring,
            http: &services.http,
            withheld: &services.withheld,
            notice: &*services.notice,
            references: &*services.references,
        }
    }

    /// The key of the session of `account`, for `scope`.
    pub fn session_key(&self, account: &str, scope: &str) -> SessionKey {
        SessionKey::new(self.config.provider(), self.base.as_str(), account, scope)
            .of_store(self.config.name().as_str())
    }

    /// What is known of the account, and of its session where it has one.
    pub fn account(&self, session: Option<&SessionKey>) -> Account {
        let sessions = &self.services.sessions;
        let cached = session.and_then(|key| sessions.peek(key));
        Account {
            url: self.shown(),
            token_expires_at: cached.as_ref().and_then(|session| session.expires_at),
            token_cache: cached
                .and_then(|_| sessions.shared_place())
                .map(str::to_owned),
            ..Account::default()
        }
    }

    /// The sessions that the store has used, the one under `key` among them, as far as they can be
    /// read and have not expired.
    pub fn sessions(&self, key: Option<&SessionKey>) -> Vec<Session> {
        let (provider, store) = (self.config.provider(), self.config.name());
        let sessions = &self.services.sessions;
        let mut all = sessions.all_of(provider, self.base.as_str(), store.as_str());
        let own = key.and_then(|key| sessions.peek(key));
        all.extend(own.filter(|own| all.iter().all(|known| known.token != own.token)));
        all
    }

    /// Forgets the session under `key`, and all others that the store has used; says in words what
    /// that was.
    ///
    /// # Errors
    /// `failed` where a token may be kept and cannot be forgotten.
    pub fn forget(&self, key: &SessionKey) -> Result<Vec<String>> {
        let session = self.services.sessions.forget(key);
        self.forgotten([session, self.others()])
    }

    /// Forgets all sessions that the store has used, without what they were obtained with; says in
    /// words what that was.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub fn forget_used(&self) -> Result<Vec<String>> {
        self.forgotten([self.others()])
    }

    fn others(&self) -> Result<bool, String> {
        let (provider, store) = (self.config.provider(), self.config.name());
        let sessions = &self.services.sessions;
        sessions.forget_all_of(provider, self.base.as_str(), store.as_str())
    }

    /// What was forgotten, in words.
    fn forgotten<const N: usize>(
        &self,
        sessions: [Result<bool, String>; N],
    ) -> Result<Vec<String>> {
        let mut any = false;
        for session in sessions {
            any |= session.map_err(|why| {
                let error = Error::failed(format!(
                    "a token that may be cached cannot be forgotten: {why}"
                ));
                error.hint(credential::forget_again(&self.config))
            })?;
        }
        let what = any.then(|| "the cached token".to_owned());
        Ok(what.into_iter().collect())
    }
}

/// An API that is asked with the credential in one field of the store.
pub struct Keyed {
    /// The API itself.
    pub endpoint: Endpoint,
    credential: Credential,
    /// Whether the one that is being proved was given for that, and comes from nowhere else.
    is_given: Cell<bool>,
}

impl Keyed {
    /// The API at `endpoint`, with the credential in `field`. Looks for nothing yet.
    pub fn new(endpoint: Endpoint, field: &'static str) -> Self {
        Self {
            credential: Credential::new(&endpoint.config, &endpoint.shown(), field, &[]),
            endpoint,
            is_given: Cell::new(false),
        }
    }

    /// The credential.
    ///
    /// # Errors
    /// Those of [`Credential::get`].
    pub async fn credential(&self) -> Result<&str> {
        self.credential.get(&self.endpoint.means()).await
    }

    /// The credential, as far as it can be had without running a command.
    pub async fn peek(&self) -> Option<&str> {
        self.credential.peek(&self.endpoint.means()).await
    }

    /// The error for an answer that refuses the credential, with where that came from.
    pub fn unauthenticated(&self, response: &Response) -> Error {
        let error = response.error(Kind::Unauthenticated);
        if self.is_given.get() {
            return error.hint("nothing was kept: check that it was copied whole");
        }
        match self.credential.source(&self.endpoint.services.keyring) {
            Some(source) => {
                let error = error.hint(format!(
                    "the credential from {source} is wrong, expired, revoked or of another server"
                ));
                match source {
                    Source::Keyring => error.also_hint(format!(
                        "keyfob login {} keeps another one",
                        self.endpoint.config.name()
                    )),
                    _ => error,
                }
            }
            None => error,
        }
    }

    /// Has `prove` prove the credential that is `given`, which is then kept, else the one that
    /// there is.
    pub async fn login(
        &self,
        given: &Given,
        prove: impl AsyncFn(&str) -> Result<()>,
    ) -> Result<()> {
        match given.get(self.credential.field()) {
            Some(given) => {
                let credential = given.expose_str().unwrap_or_default();
                self.is_given.set(true);
                prove(credential).await?;
                self.credential
                    .keep(&self.endpoint.services.keyring, credential)
            }
            None => prove(self.credential().await?).await,
        }
    }

    /// What is known of the account, and of its session where it has one.
    pub fn account(&self, session: Option<&SessionKey>) -> Account {
        let source = self.credential.source(&self.endpoint.services.keyring);
        Account {
            credential: source.map(|source| source.to_string()),
            ..self.endpoint.account(session)
        }
    }

    /// Forgets the credential in the OS keyring; says in words what that was.
    pub fn forget(&self) -> Result<Vec<String>> {
        self.credential.forget(&self.endpoint.services.keyring)
    }
}

/// A rejected token is answered with 401 or 403 as a rule; the latter may be the lack of a
/// permission, too.
pub fn is_rejection(response: &Response) -> bool {
    matches!(
        response.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    )
}

/// An object `error` with message, description and code; else a text `message`, `Message`, `title`
/// and `detail` (RFC 9457), `error` or `type`; and behind it what is listed in `errors`.
fn message(json: &serde_json::Value) -> Option<String> {
    let text = |name: &str| {
        let text = json.get(name).and_then(serde_json::Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if let Some(error) = json.get("error").filter(|error| error.is_object()) {
        let member = |name: &str| {
            let text = error.get(name).and_then(serde_json::Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let code = error.get("code").and_then(|code| match code {
            serde_json::Value::String(code) if !code.is_empty() => Some(code.clone()),
            serde_json::Value::Number(code) => Some(format!("code {code}")),
            _ => None,
        });
        let parts = [member("message"), member("description"), code];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        return (!parts.is_empty()).then(|| parts.join(", "));
    }
    let problem = || {
        let parts: Vec<String> = ["title", "detail"].into_iter().filter_map(text).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    };
    let said = text("message")
        .or_else(|| text("Message"))
        .or_else(problem)
        .or_else(|| text("error"))
        .or_else(|| text("type"))
        .or_else(|| {
            json.as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        });
    let mut listed = Vec::new();
    list(json.get("errors"), &mut listed);
    let parts: Vec<String> = said.into_iter().chain(listed).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How many of the errors that an answer lists are repeated.
const LISTED: usize = 5;

/// What `errors` lists: texts, objects with a message, or lists of them under the names of fields.
fn list(errors: Option<&serde_json::Value>, listed: &mut Vec<String>) {
    match errors {
        Some(serde_json::Value::String(text)) if listed.len() < LISTED => listed.push(text.clone()),
        Some(serde_json::Value::Array(errors)) => {
            errors.iter().for_each(|error| list(Some(error), listed));
        }
        Some(serde_json::Value::Object(members)) => {
            let own = ["message", "detail", "title"]
                .into_iter()
                .find_map(|name| members.get(name).filter(|text| text.is_string()));
            if own.is_some() {
                return list(own, listed);
            }
            for (name, errors) in members {
                let mut of_field = Vec::new();
                list(Some(errors), &mut of_field);
                let room = LISTED.saturating_sub(listed.len());
                let of_field = of_field.into_iter().take(room);
                listed.extend(of_field.map(|text| format!("{name}: {text}")));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::message;

    #[test]
    fn messages_are_found_in_each_shape() {
        for (body, words) in [
            (
                json!({"error": {"code": "NO", "message": "no such"}}),
                "no such, NO",
            ),
            (
                json!({"error": {"code": 5, "description": "gone"}}),
                "gone, code 5",
            ),
            (json!({"message": "a", "error": "b"}), "a"),
            (json!({"type": "c", "error": "b"}), "b"),
            (json!({"type": "c"}), "c"),
            (json!("d"), "d"),
            (json!({"Message": "of .NET"}), "of .NET"),
            (
                json!({"type": "about:blank", "title": "Bad", "detail": "no name", "status": 400}),
                "Bad: no name",
            ),
            (
                json!({"title": "Invalid", "errors": {"Name": ["is long", "is odd"], "Value": ["is empty"]}}),
                "Invalid; Name: is long; Name: is odd; Value: is empty",
            ),
            (
                json!({"errors": ["a", {"message": "b"}, {"x": 1}, 2]}),
                "a; b",
            ),
            (
                json!({"errors": ["1", "2", "3", "4", "5", "6"]}),
                "1; 2; 3; 4; 5",
            ),
        ] {
            assert_eq!(message(&body).as_deref(), Some(words), "{body}");
        }
        assert_eq!(message(&json!({"error": {"status": 400}})), None);
        assert_eq!(message(&json!([])), None);
        assert_eq!(message(&json!({"errors": [], "title": ""})), None);
    }
}
