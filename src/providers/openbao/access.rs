//! Who asks, and what is known of the server from one request to the next: the token, and beside it
//! the newest index, by which any node of a cluster knows what must be in its answers.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sign_in::{SignIn, Token};
use super::wire::{self, Denial};
use crate::config::{Origin, StoreConfig};
use crate::credential::Credential;
use crate::http::{ClientCertificate, Request, Response};
use crate::providers::endpoint::{DIALECT, Endpoint, Vendor};
use crate::providers::{Account, Services};
use crate::session::{Session, SessionKey};
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// Where a dev server listens, which is what `bao` itself asks when it is told nothing.
const BASE_URL: &str = "https://127.0.0.1:8200";

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

/// What stands for the token in the cache where only what is beside it is kept.
const NO_TOKEN: &str = "-";

/// How long what is known of the server is kept beside a token whose end is not known.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How long a version that was written may be looked for on a server without indexes.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// How many written versions are kept.
const WRITTEN: usize = 32;

/// The file in which `bao login` leaves its token, in the home folder.
const TOKEN_FILE: &str = ".vault-token";

/// The variables that name another one.
const TOKEN_FILES: [&str; 2] = ["BAO_TOKEN_PATH", "VAULT_TOKEN_PATH"];

/// Variables that would have certificates not checked, and are not obeyed.
const SKIPS: [&str; 2] = ["BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY"];

const VENDOR: Vendor = Vendor {
    authorize: |request, token| request.secret_header(TOKEN, "", token),
    dialect: DIALECT,
    is_rejection: wire::is_token_rejection,
};

thread_local! {
    /// What the newest write of this process was answered with, by address.
    static NEWEST: RefCell<BTreeMap<String, String>> = RefCell::default();
}

/// What is kept beside a token.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Notes {
    /// What the newest write was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// The version of the key-value engine of each mount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mounts: BTreeMap<String, u8>,
    /// For how many seconds the token was given, where it can be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<i64>,
    /// The versions that were written a moment ago, where there is no index: digests of paths, their
    /// numbers and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<(String, u32, i64)>,
}

/// Whose token is sent.
enum Who {
    /// One that was given.
    Given(Zeroizing<String>),
    /// The one of a session.
    Session,
}

/// An OpenBao as one store asks it.
pub struct Access {
    /// The API.
    pub endpoint: Endpoint,
    token: Credential,
    sign_in: Option<SignIn>,
    namespace: Option<String>,
    notes: RefCell<Notes>,
    /// Whether the notes were looked for.
    loaded: Cell<bool>,
    /// What of the notes is in the cache.
    kept: RefCell<Notes>,
    /// Whether the session was renewed, or could not be.
    renewed: Cell<bool>,
    file: OnceCell<Option<Zeroizing<String>>>,
    told: RefCell<BTreeSet<String>>,
}

impl Access {
    /// The server of the store that `config` describes. Asks nobody.
    pub fn new(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let identity = match (config.path("client_cert"), config.path("client_key")) {
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            }),
            (Some(_), None) => return Err(incomplete(config, "client_key")),
            (None, Some(_)) => return Err(incomplete(config, "client_cert")),
            (None, None) => None,
        };
        let endpoint = Endpoint::new(config, services, BASE_URL, &VENDOR)?.with_identity(identity);
        Ok(Self {
            token: Credential::new(config, &endpoint.shown(), "token", &[]),
            sign_in: SignIn::of(config, &endpoint.shown())?,
            namespace: config
                .text("namespace")
                .map(|text| text.trim_matches('/').to_owned())
                .filter(|text| !text.is_empty()),
            endpoint,
            notes: RefCell::default(),
            loaded: Cell::default(),
            kept: RefCell::default(),
            renewed: Cell::default(),
            file: OnceCell::new(),
            told: RefCell::default(),
        })
    }

    fn services(&self) -> &Rc<Services> {
        &self.endpoint.services
    }

    /// The address of `segments` below `/v1`.
    pub fn url<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Result<Url> {
        let all: Vec<&str> = ["v1"].into_iter().chain(segments).collect();
        self.endpoint.url(&all)
    }

    /// Sends what `make` makes with the token that there is, which is renewed once where it is the
    /// one of a session.
    ///
    /// # Errors
    /// `unauthenticated` and `forbidden` for a 403; what keeps an answer from coming.
    pub async fn call(&self, make: impl Fn() -> Result<Request>) -> Result<Response> {
        let who = self.who().await?;
        let key = self.key(&who).await?;
        self.load(&key);
        let decorated = || Ok(self.decorated(make()?));
        let sent = match &who {
            Who::Given(token) => self.endpoint.send_as(token, decorated()?).await,
            Who::Session => {
                self.renew(&key).await;
                let sign_in = async || self.log_in().await;
                self.endpoint
                    .send_in_session(&key, sign_in, decorated)
                    .await
            }
        };
        let response = sent.map_err(|error| self.explained(error))?;
        self.hear(&response);
        if response.status != StatusCode::FORBIDDEN {
            return Ok(response);
        }
        let denial = match wire::denial(&response) {
            Denial::Unclear => self.look_up(&who, &key).await,
            denial => denial,
        };
        match denial {
            Denial::Token => Err(self.refused(&who, &response)),
            _ => Ok(response),
        }
    }

    /// With the headers of the namespace and, for a read, of what must be in the answer.
    fn decorated(&self, mut request: Request) -> Request {
        let mut add = |name: &HeaderName, value: &str| {
            request.headers.push(crate::http::Header {
                name: name.clone(),
                value: Zeroizing::new(value.to_owned()),
                secret: false,
            });
        };
        if let Some(namespace) = &self.namespace {
            add(&NAMESPACE, namespace);
        }
        if request.method == Method::GET
            && let Some(index) = self.newest()
        {
            add(&INDEX, &index);
            add(&INCONSISTENT, "forward-active-node");
        }
        request.may_be_referred().transient(wire::is_transient)
    }

    /// The newest index of this server that this process knows, by whichever of its stores.
    fn newest(&self) -> Option<String> {
        let heard = NEWEST.with_borrow(|newest| newest.get(&self.endpoint.shown()).cloned());
        heard.or_else(|| self.notes.borrow().index.clone())
    }

    /// Notes what an answer says beside what was asked for.
    fn hear(&self, response: &Response) {
        let index = response.headers.get(INDEX);
        let index = index.and_then(|index| index.to_str().ok());
        if let Some(index) = index.filter(|index| !index.is_empty()) {
            self.notes.borrow_mut().index = Some(index.to_owned());
            let url = self.endpoint.shown();
            NEWEST.with_borrow_mut(|newest| drop(newest.insert(url, index.to_owned())));
        }
        for warning in wire::warnings(response) {
            let warning = response.shown(&warning);
            if self.told.borrow_mut().insert(warning.clone()) {
                (self.services().notice)(&format!("the server says: {warning}"));
            }
        }
    }

    /// Asks the server whether the token is good, where its answer does not tell.
    async fn look_up(&self, who: &Who, key: &SessionKey) -> Denial {
        let token = match who {
            Who::Given(token) => token.clone(),
            Who::Session => match self.services().sessions.peek(key) {
                Some(session) => session.token,
                None => return Denial::Unclear,
            },
        };
        let request = self
            .url(["auth", "token", "lookup-self"])
            .map(|url| Request::new("look the token up", Method::GET, url));
        let Ok(request) = request else {
            return Denial::Unclear;
        };
        match self.endpoint.send_as(&token, self.decorated(request)).await {
            Ok(response) if response.status == StatusCode::FORBIDDEN => wire::denial(&response),
            _ => Denial::Policy,
        }
    }

    /// Which token is sent.
    ///
    /// # Errors
    /// `unauthenticated` where there is none, with the ways to give one.
    async fn who(&self) -> Result<Who> {
        let means = self.endpoint.means();
        if self.token.configured().is_some() {
            return Ok(Who::Given(self.token.get(&means).await?.to_owned().into()));
        }
        if self.sign_in.is_some() {
            return Ok(Who::Session);
        }
        match self.token.get(&means).await {
            Ok(token) => Ok(Who::Given(token.to_owned().into())),
            Err(error) if error.kind() == Kind::Unauthenticated => match self.file_token() {
                Some(token) => Ok(Who::Given(token.clone())),
                None => Err(error.also_hint("or sign in by 'auth'")),
            },
            Err(error) => Err(error),
        }
    }

    /// What the session, or what is kept of a given token, is cached under.
    async fn key(&self, who: &Who) -> Result<SessionKey> {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        Ok(match (who, &self.sign_in) {
            (Who::Session, Some(sign_in)) => {
                let account = sign_in.account(&self.endpoint).await?;
                self.endpoint.session_key(&account, namespace)
            }
            (Who::Session, None) => self.endpoint.session_key("", namespace),
            (Who::Given(token), _) => self
                .endpoint
                .session_key(token, &format!("beside:{namespace}")),
        })
    }

    /// The token that `bao login` has left, where this store's address is the user's own word.
    fn file_token(&self) -> Option<&Zeroizing<String>> {
        let read = || {
            let path = self.token_file()?;
            let bytes = Zeroizing::new(std::fs::read(path).ok()?);
            let text = std::str::from_utf8(&bytes).ok()?.trim();
            (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()))
        };
        self.file.get_or_init(read).as_ref()
    }

    fn token_file(&self) -> Option<PathBuf> {
        let services = self.services();
        let own = match self.endpoint.config.origin("base_url")? {
            Origin::Environment { .. } => true,
            Origin::File { folder, .. } => {
                let config = &services.folders.config;
                **folder == **config
                    || dunce::canonicalize(config).is_ok_and(|config| **folder == *config)
            }
        };
        if !own {
            return None;
        }
        let env = &services.env;
        let named = TOKEN_FILES.iter().find_map(|name| env.var(name));
        match named {
            Some(named) => Some(env.resolve(named, env.cwd())),
            None => Some(env.resolve(&format!("~/{TOKEN_FILE}"), env.cwd())),
        }
    }

    /// The error for a token that the server refuses.
    fn refused(&self, who: &Who, response: &Response) -> Error {
        let error = response.error(Kind::Unauthenticated);
        match who {
            Who::Session => {
                error.hint("the server refuses even a new token: is this the server that gave it?")
            }
            Who::Given(_) => match self.source() {
                Some(source) => error.hint(format!(
                    "the token from {source} is wrong, expired, revoked or of another server"
                )),
                None => error,
            },
        }
    }

    /// `error`, with a word on what of the environment is not obeyed.
    fn explained(&self, error: Error) -> Error {
        let env = &self.services().env;
        let set = SKIPS.iter().find(|name| env.var(name).is_some());
        match set {
            Some(name) if error.message().contains("certificate") => error.also_hint(format!(
                "{name} is not obeyed: name the authority in ca_file or BAO_CACERT"
            )),
            _ => error,
        }
    }

    /// Where the token comes from, in words.
    fn source(&self) -> Option<String> {
        if let Some(source) = self.token.configured() {
            return Some(source.to_string());
        }
        if let Some(sign_in) = &self.sign_in {
            return Some(sign_in.source(&self.services().env));
        }
        if let Some(source) = self.token.source(&self.services().keyring) {
            return Some(source.to_string());
        }
        self.file_token()?;
        Some(self.token_file()?.shown().to_string())
    }

    // ---- sessions ----

    /// Signs in; what the server says beside the token is noted.
    async fn log_in(&self) -> Result<Session> {
        let Some(sign_in) = &self.sign_in else {
            return Err(Error::unauthenticated("there is no way to sign in"));
        };
        let asked_at = self.services().sessions.now();
        let send = async |request: Request| -> Result<Response> {
            let sent = self
                .endpoint
                .send(&self.decorated(request.repeatable()))
                .await;
            let response = sent.map_err(|error| self.explained(error))?;
            self.hear(&response);
            Ok(response)
        };
        let token = sign_in.log_in(&self.endpoint, send).await?;
        Ok(self.session(token, asked_at))
    }

    fn session(&self, token: Token, asked_at: Timestamp) -> Session {
        let lease = Some(token.lease).filter(|lease| *lease > 0);
        self.notes.borrow_mut().lease = lease.filter(|_| token.is_renewable);
        self.renewed.set(false);
        Session {
            token: token.token,
            expires_at: lease
                .and_then(|lease| asked_at.checked_add(SignedDuration::from_secs(lease)).ok()),
            beside: self.written(),
        }
    }

    /// Renews the session's token once less than a third of its time is left.
    async fn renew(&self, key: &SessionKey) {
        let sessions = &self.services().sessions;
        let Some(lease) = self.notes.borrow().lease.filter(|_| !self.renewed.get()) else {
            return;
        };
        let Some(session) = sessions.peek(key) else {
            return;
        };
        let now = sessions.now();
        let left = session.expires_at.map(|end| end.duration_since(now));
        let third = SignedDuration::from_secs(lease / 3);
        if left.is_none_or(|left| left > third) {
            return;
        }
        self.renewed.set(true);
        let request = self
            .url(["auth", "token", "renew-self"])
            .and_then(|url| Request::new("renew the token", Method::POST, url).json(&EMPTY));
        let Ok(request) = request else { return };
        let request = self.decorated(request.repeatable());
        let answered = self.endpoint.send_as(&session.token, request).await;
        let renewed = match &answered {
            Ok(response) if response.is_success() => Token::of(response).ok(),
            _ => None,
        };
        let ends = renewed.and_then(|token| {
            let lease = SignedDuration::from_secs(token.lease);
            now.checked_add(lease).ok()
        });
        match ends {
            Some(end) if Some(end) > session.expires_at => sessions.replace(
                key,
                Session {
                    expires_at: Some(end),
                    ..session
                },
            ),
            // It is used until it ends, and another is obtained then.
            _ => self.notes.borrow_mut().lease = None,
        }
    }

    /// Signs in anew, or proves the token that there is.
    pub async fn log_in_anew(&self) -> Result<()> {
        let who = self.who().await?;
        let key = self.key(&who).await?;
        self.load(&key);
        match who {
            Who::Session => {
                let sessions = &self.services().sessions;
                // What cannot be forgotten cannot be read either, so a new one is obtained.
                let _ = sessions.forget(&key);
                let deadline = self.services().http.deadline().end();
                let log_in = async || self.log_in().await;
                sessions.get_or_login(&key, deadline, log_in).await?;
                Ok(())
            }
            Who::Given(token) => self.prove(&token).await,
        }
    }

    /// Proves `token` with a request: one that may not look itself up is good all the same.
    pub async fn prove(&self, token: &str) -> Result<()> {
        let url = self.url(["auth", "token", "lookup-self"])?;
        let request = self.decorated(Request::new("look the token up", Method::GET, url));
        let sent = self.endpoint.send_as(token, request).await;
        let response = sent.map_err(|error| self.explained(error))?;
        match response.status {
            StatusCode::FORBIDDEN => match wire::denial(&response) {
                Denial::Policy => Ok(()),
                Denial::Token => Err(response.error(Kind::Unauthenticated)),
                _ => Err(wire::failure(&response)),
            },
            _ if response.is_success() => response.json::<serde_json::Value>().map(drop),
            _ => Err(wire::failure(&response)),
        }
    }

    /// Keeps `given` in the OS keyring once it is proved.
    pub async fn log_in_with(&self, given: &crate::providers::Given) -> Result<()> {
        if let Some(token) = given.get("token") {
            let token = token.expose_str().unwrap_or_default();
            self.prove(token).await?;
            return self.token.keep(&self.services().keyring, token);
        }
        let Some(sign_in) = &self.sign_in else {
            return Err(Error::usage("this store is logged in to with a token")
                .hint("set 'auth' to sign in in another way"));
        };
        sign_in.take(given)?;
        self.log_in_anew().await?;
        sign_in.keep(&self.services().keyring)
    }

    /// What is known without asking the server anything.
    pub async fn account(&self) -> Result<Account> {
        let key = match &self.sign_in {
            Some(sign_in) if self.token.configured().is_none() => {
                let account = sign_in.known_account(&self.endpoint).await;
                let namespace = self.namespace.as_deref().unwrap_or_default();
                account.map(|account| self.endpoint.session_key(&account, namespace))
            }
            _ => None,
        };
        Ok(Account {
            credential: self.source(),
            account: self.sign_in.as_ref().and_then(SignIn::shown_account),
            ..self.endpoint.account(key.as_ref())
        })
    }

    /// Revokes the session's token and forgets it, and whatever is kept in the OS keyring. A token
    /// that was given is its giver's.
    pub async fn log_out(&self) -> Result<Vec<String>> {
        let mut forgotten = Vec::new();
        if let Some(sign_in) = &self.sign_in {
            match sign_in.known_account(&self.endpoint).await {
                Some(account) => {
                    let namespace = self.namespace.as_deref().unwrap_or_default();
                    let key = self.endpoint.session_key(&account, namespace);
                    let session = self.services().sessions.peek(&key);
                    forgotten.extend(self.endpoint.forget(&key)?);
                    if let Some(session) = session {
                        self.revoke(&session).await;
                    }
                }
                None => forgotten.extend(self.endpoint.forget_used()?),
            }
            forgotten.extend(sign_in.forget(&self.services().keyring)?);
        }
        if let Ok(Who::Given(token)) = self.who().await {
            let key = self.key(&Who::Given(token)).await?;
            // What is beside a token is nobody's credential.
            let _ = self.services().sessions.forget(&key);
        }
        forgotten.extend(self.token.forget(&self.services().keyring)?);
        Ok(forgotten)
    }

    async fn revoke(&self, session: &Session) {
        let request = self
            .url(["auth", "token", "revoke-self"])
            .and_then(|url| Request::new("revoke the token", Method::POST, url).json(&EMPTY));
        let Ok(request) = request else { return };
        let request = self.decorated(request.repeatable());
        let sent = self.endpoint.send_as(&session.token, request).await;
        let why = match sent {
            Ok(response) if response.is_success() => return,
            // It is gone, or one that cannot be revoked.
            Ok(response)
                if matches!(
                    response.status,
                    StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST
                ) =>
            {
                return;
            }
            Ok(response) => wire::failure(&response),
            Err(error) => error,
        };
        (self.services().notice)(&format!(
            "the token is forgotten here, and good until it ends: {}",
            why.message()
        ));
    }

    // ---- what is kept beside the token ----

    /// Reads what is kept beside the token, once.
    fn load(&self, key: &SessionKey) {
        if self.loaded.replace(true) {
            return;
        }
        let session = self.services().sessions.peek(key);
        let text = session.and_then(|session| session.beside);
        let read: Option<Notes> = text.and_then(|text| serde_json::from_str(&text).ok());
        let mut notes = read.unwrap_or_default();
        // Another answer of this process may have told more by now.
        let now = self.notes.borrow();
        notes.index = now.index.clone().or(notes.index);
        // Nothing else may be put into a header.
        let sound = |index: &String| index.bytes().all(|byte| byte.is_ascii_graphic());
        notes.index = notes.index.filter(sound);
        drop(now);
        self.kept.replace(notes.clone());
        self.notes.replace(notes);
    }

    fn written(&self) -> Option<String> {
        let notes = self.notes.borrow();
        self.kept.replace(notes.clone());
        serde_json::to_string(&*notes).ok()
    }

    /// Keeps what was learnt beside the token, for whoever asks next.
    pub async fn keep(&self) {
        if *self.kept.borrow() == *self.notes.borrow() {
            return;
        }
        let Ok(who) = self.who().await else { return };
        let Ok(key) = self.key(&who).await else {
            return;
        };
        let sessions = &self.services().sessions;
        let session = match &who {
            Who::Session => sessions.peek(&key),
            Who::Given(_) => Some(Session {
                token: Zeroizing::new(NO_TOKEN.to_owned()),
                expires_at: sessions.now().checked_add(KEPT).ok(),
                beside: None,
            }),
        };
        if let Some(session) = session {
            let beside = self.written();
            sessions.replace(&key, Session { beside, ..session });
        }
    }

    /// The version of the mount, where it is known.
    pub fn mount(&self, mount: &str) -> Option<u8> {
        self.notes.borrow().mounts.get(mount).copied()
    }

    /// Whether answers are known to be as new as the newest write.
    pub fn has_index(&self) -> bool {
        self.notes.borrow().index.is_some()
    }

    /// Makes sure that what is kept was read.
    pub async fn prepare(&self) -> Result<()> {
        let who = self.who().await?;
        let key = self.key(&who).await?;
        self.load(&key);
        Ok(())
    }

    /// Notes the version of the mount.
    pub fn note_mount(&self, mount: &str, version: u8) {
        let mut notes = self.notes.borrow_mut();
        notes.mounts.insert(mount.to_owned(), version);
    }

    /// Notes that a version was written, where no index says so.
    pub fn note_written(&self, path: &str, version: u32) {
        let mut notes = self.notes.borrow_mut();
        if notes.index.is_some() {
            return;
        }
        let now = self.services().sessions.now().as_second();
        let path = crate::words::digest::of_parts(&[path]);
        notes
            .written
            .retain(|(known, _, at)| *known != path && now.saturating_sub(*at) <= FRESH.as_secs());
        notes.written.insert(0, (path, version, now));
        notes.written.truncate(WRITTEN);
    }

    /// The version that was written to `path` a moment ago, where no index would say so.
    pub fn awaited(&self, path: &str) -> Option<u32> {
        let notes = self.notes.borrow();
        if notes.index.is_some() || notes.written.is_empty() {
            return None;
        }
        let now = self.services().sessions.now().as_second();
        let path = crate::words::digest::of_parts(&[path]);
        let mut written = notes.written.iter();
        let (_, version, _) = written
            .find(|(known, _, at)| *known == path && now.saturating_sub(*at) <= FRESH.as_secs())?;
        Some(*version)
    }
}

/// The error for one half of a certificate and its key.
fn incomplete(config: &StoreConfig, field: &str) -> Error {
    Error::config(format!(
        "client_cert and client_key go together, and the store `{}` has no `{field}`",
        config.name()
    ))
    .store(config.name().as_str())
}

/// An empty body.
const EMPTY: BTreeMap<&str, &str> = BTreeMap::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let notes = Notes {
            index: Some("abc".to_owned()),
            mounts: BTreeMap::from([("secret".to_owned(), 2)]),
            lease: Some(60),
            written: vec![("d".to_owned(), 3, 4)],
        };
        let text = serde_json::to_string(&notes).unwrap();
        assert!(serde_json::from_str::<Notes>(&text).unwrap() == notes);
        assert!(serde_json::from_str::<Notes>("{}").unwrap() == Notes::default());
        assert_eq!(serde_json::to_string(&Notes::default()).unwrap(), "{}");
    }
}
