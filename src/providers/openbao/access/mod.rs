//! Who asks, and what is known of the server from one request to the next: the token, and beside it
//! the newest index, by which any node of a cluster knows what must be in its answers.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::rc::Rc;

use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode, Url};
use zeroize::Zeroizing;

use self::notes::Notes;
use super::id_token::MAX_TOKEN;
use super::sign_in::{SignIn, other_ways};
use super::wire::{self, Denial};
use crate::config::{Origin, StoreConfig};
use crate::credential::Credential;
use crate::http::{ClientCertificate, Deadline, Request, Response};
use crate::providers::Services;
use crate::providers::endpoint::{DIALECT, Endpoint, Vendor};
use crate::session::SessionKey;
use crate::state::named;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::{self, ShownPath as _};

mod beside;
mod notes;
mod sessions;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

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
    /// Whether it was obtained by this process.
    is_fresh: Cell<bool>,
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
        let namespace = config.text("namespace").map(|text| text.trim_matches('/'));
        let namespace = namespace.filter(|text| !text.is_empty());
        if let Some(text) = namespace
            && !text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        {
            return Err(Error::config(format!(
                "namespace of {}: {} holds characters that no header can carry",
                config.name(),
                shown::quoted(text)
            ))
            .store(config.name().as_str()));
        }
        let url = config.require("base_url")?;
        let endpoint = Endpoint::new(config, services, url, &VENDOR)?.with_identity(identity);
        Ok(Self {
            token: Credential::new(config, &endpoint.shown(), "token", &[]),
            sign_in: SignIn::of(config, &endpoint.shown())?,
            namespace: namespace.map(str::to_owned),
            endpoint,
            notes: RefCell::default(),
            loaded: Cell::default(),
            kept: RefCell::default(),
            renewed: Cell::default(),
            is_fresh: Cell::default(),
            file: OnceCell::new(),
            told: RefCell::default(),
        })
    }

    fn services(&self) -> &Rc<Services> {
        &self.endpoint.services
    }

    /// How long there is for all of it.
    pub fn deadline(&self) -> &Deadline {
        self.services().http.deadline()
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
        let decorated = || make().map(|request| self.decorated(request));
        let endpoint = &self.endpoint;
        let response = match &who {
            Who::Given(token) => {
                let send = async || endpoint.send_as(token, decorated()?).await;
                self.ask(send).await?
            }
            Who::Session => {
                self.renew(&key).await;
                let sign_in = async || self.log_in().await;
                let send = async || endpoint.send_in_session(&key, &sign_in, &decorated).await;
                self.ask(send).await?
            }
        };
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

    /// Has `send` send a request, and once more where the server cannot read the index that went with
    /// it: that is forgotten then, since without one an answer may be old, and with it there is none.
    async fn ask(&self, send: impl AsyncFn() -> Result<Response>) -> Result<Response> {
        let index = self.newest();
        let mut sent = send().await;
        if let (Some(index), Ok(response)) = (index, &sent)
            && wire::is_unreadable_index(response)
        {
            self.forget_index(&index);
            sent = send().await;
        }
        sent.map_err(|error| self.explained(error))
    }

    /// Forgets an index, unless there is another by now.
    fn forget_index(&self, index: &str) {
        let mut notes = self.notes.borrow_mut();
        notes.index = notes.index.take().filter(|known| known != index);
        let url = self.endpoint.shown();
        NEWEST.with_borrow_mut(|newest| {
            if newest.get(&url).is_some_and(|known| known == index) {
                newest.remove(&url);
            }
        });
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
                // One that has ended with its last request tells nothing.
                Some(session) if session.uses != Some(0) => session.token,
                _ => return Denial::Unclear,
            },
        };
        match self.ask_about(&token).await {
            Ok(response) if response.status == StatusCode::FORBIDDEN => wire::denial(&response),
            _ => Denial::Policy,
        }
    }

    /// What the server knows of a token.
    async fn ask_about(&self, token: &str) -> Result<Response> {
        let send = async || {
            let url = self.url(["auth", "token", "lookup-self"])?;
            let request = Request::new("look the token up", Method::GET, url);
            self.endpoint.send_as(token, self.decorated(request)).await
        };
        self.ask(send).await
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
            Err(error) if error.kind() == Kind::Unauthenticated => match self.file_token()? {
                Some(token) => Ok(Who::Given(token.clone())),
                None => Err(self.unused(error.also_hint(other_ways(&self.endpoint.config)))),
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
    ///
    /// # Errors
    /// `unauthenticated` where there is a file and it cannot be read, `unavailable` where it is a pipe
    /// and nothing comes in time.
    fn file_token(&self) -> Result<Option<&Zeroizing<String>>> {
        if let Some(known) = self.file.get() {
            return Ok(known.as_ref());
        }
        let bytes = match self.token_file() {
            None => None,
            Some(path) => match named::read(&path, MAX_TOKEN) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    let what = format!("the token in {} cannot be read", path.shown());
                    return Err(named::failure(Kind::Unauthenticated, &what, error));
                }
            },
        };
        let text = bytes.as_deref().map(|bytes| std::str::from_utf8(bytes));
        let text = text.and_then(Result::ok).map(str::trim);
        let token = text.filter(|text| !text.is_empty());
        let token = token.map(|text| Zeroizing::new(text.to_owned()));
        Ok(self.file.get_or_init(|| token).as_ref())
    }

    fn token_file(&self) -> Option<PathBuf> {
        let own = match self.endpoint.config.origin("base_url")? {
            Origin::Environment { .. } => true,
            Origin::File { folder, .. } => {
                let config = &self.services().folders.config;
                **folder == **config
                    || dunce::canonicalize(config).is_ok_and(|config| **folder == *config)
            }
        };
        own.then(|| self.any_token_file())
    }

    /// The file in which the user's token is, whoever may have it.
    fn any_token_file(&self) -> PathBuf {
        let env = &self.services().env;
        let named = TOKEN_FILES.iter().find_map(|name| env.var(name));
        match named {
            Some(named) => env.resolve(named, env.cwd()),
            None => env.resolve(&format!("~/{TOKEN_FILE}"), env.cwd()),
        }
    }

    /// `error`, with a word on the user's token where it is not sent.
    fn unused(&self, error: Error) -> Error {
        let file = self.any_token_file();
        let origin = self.endpoint.config.origin("base_url");
        match origin.filter(|_| self.token_file().is_none() && file.is_file()) {
            Some(origin) => error.also_hint(format!(
                "{} is not sent to an address from {origin}: it is for that of BAO_ADDR or of your own config.toml",
                file.shown()
            )),
            None => error,
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
        // It is not read here: a pipe would be empty then.
        let file = self.token_file()?;
        let metadata = file.metadata().ok()?;
        let may_hold = !metadata.is_file() || metadata.len() > 0;
        may_hold.then(|| file.shown().exact())
    }
}

/// The error for one half of a certificate and its key.
fn incomplete(config: &StoreConfig, field: &str) -> Error {
    Error::config(format!(
        "client_cert and client_key go together, and the store {} has no {field}",
        config.name()
    ))
    .store(config.name().as_str())
}
