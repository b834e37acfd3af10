//! Nosana's Secret Manager: a Solana keypair signs in, a token of one hour reads and writes.
//!
//! `POST /login`, `GET /secrets`, `POST /secrets`, `DELETE /secrets`; every body comes as
//! `text/plain`, success of a write is the bare text `OK`, and a refused token is a 403.

mod body;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use self::body::{Body, Secrets, chunks};
use super::endpoint::{BEARER, Endpoint};
use super::{Account, Capabilities, Capability, Given, Provider, ProviderSpec, Services};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::http::{Request, Response, is_transient};
use crate::identity::keypair::Keypair;
use crate::identity::keypair::locate::Located;
use crate::session::jwt::Life;
use crate::session::{Session, SessionKey};
use crate::words::batch::{Action, Batch, Filter, Outcome, Selection, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::{Entry, Name, SecretValue};

const MAINNET: &str = "https://secrets.nosana.ci";
const DEVNET: &str = "https://secrets.k8s.dev.nos.ci";

/// How often a job that was claimed just now is asked again.
const POLL: Duration = Duration::from_secs(2);

const SCHEMA: Schema = Schema {
    provider: "nosana",
    fields: &[
        Field::new(
            "network",
            Shape::Choice(&["mainnet", "devnet"]),
            "which of Nosana's own servers to use (default: mainnet)",
        ),
        Field::new("base_url", Shape::Url, "a self-hosted Secret Manager").gated(),
        Field::new(
            "keypair",
            Shape::Path,
            "the Solana keypair file; in the environment also the JSON array or base58 itself",
        )
        .gated()
        .inline_env(),
        Field::new(
            "job",
            Shape::Text,
            "a job whose secrets to read, and only to read",
        )
        .locates(),
        super::CA_FILE,
    ],
};

/// The registry's line for Nosana.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "Nosana Secret Manager",
    capabilities: Capabilities::of(&[
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
    ]),
    lacks: &[],
    composite: None,
    credentials: &[],
    open: |config, services| Ok(Box::new(Nosana::open(config, services)?)),
};

/// A Nosana Secret Manager, in the scope of one keypair or of one job.
struct Nosana {
    endpoint: Endpoint,
    job: Option<String>,
    services: Rc<Services>,
    located: OnceCell<Located>,
}

/// What the server keeps under a name: as a rule a string, but any JSON.
struct Stored {
    value: SecretValue,
    json_type: &'static str,
}

impl Nosana {
    fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let official = match config.text("network") {
            Some("devnet") => DEVNET,
            _ => MAINNET,
        };
        Ok(Self {
            endpoint: Endpoint::new(config, services, official, &BEARER)?,
            job: config.text("job").map(str::to_owned),
            services: Rc::clone(services),
            located: OnceCell::new(),
        })
    }

    fn located(&self) -> Result<&Located> {
        if let Some(located) = self.located.get() {
            return Ok(located);
        }
        let started = Instant::now();
        let located = super::keypair(&self.endpoint.config, &self.services)?;
        (self.services.http.log())(&format!(
            "keypair of {} from {} in {} ms",
            self.endpoint.config.name(),
            located.source,
            started.elapsed().as_millis()
        ));
        Ok(self.located.get_or_init(|| located))
    }

    fn keypair(&self) -> Result<&Keypair> {
        Ok(&self.located()?.keypair)
    }

    fn session_key(&self) -> Result<SessionKey> {
        let address = self.keypair()?.address();
        let scope = self.job.as_deref().unwrap_or_default();
        Ok(self.endpoint.session_key(&address, scope))
    }

    fn request(&self, operation: &'static str, method: Method) -> Result<Request> {
        Ok(Request::new(
            operation,
            method,
            self.endpoint.url(&["secrets"])?,
        ))
    }

    /// Sends a request with a token; a rejected token is renewed once.
    async fn call(&self, make: impl Fn() -> Result<Request>) -> Result<Response> {
        let key = self.session_key()?;
        let sign_in = async || self.sign_in().await;
        let response = self.endpoint.send_in_session(&key, sign_in, make).await?;
        match response.status {
            StatusCode::FORBIDDEN if is_token_rejection(&response) => Err(response
                .error(Kind::Unauthenticated)
                .hint("the server rejects even a new token; check that base_url and the clock are right")),
            _ => Ok(response),
        }
    }

    /// `POST /login` with the signed challenge; once more by the server's clock where ours is off.
    async fn sign_in(&self) -> Result<Session> {
        let ours = Timestamp::now();
        let response = self.send_login(ours).await?;
        if response.status == StatusCode::BAD_REQUEST
            && response.words() == "timestamp expired"
            && let Some(theirs) = response.date()
        {
            let retried = self.send_login(theirs).await?;
            if retried.is_success() {
                return self.session(&retried);
            }
            let seconds = theirs.duration_since(ours).as_secs();
            let error = retried.error(Kind::Unauthenticated);
            // The clock is what is wrong, not the keypair.
            let error = match error.cause() {
                Cause::Refused => error.caused_by(Cause::Other),
                _ => error,
            };
            return Err(error.hint(format!(
                "this machine's clock is {} s {} the server's: set it right",
                seconds.unsigned_abs(),
                if seconds > 0 { "behind" } else { "ahead of" }
            )));
        }
        if response.is_success() {
            return self.session(&response);
        }
        Err(self.login_error(&response))
    }

    async fn send_login(&self, at: Timestamp) -> Result<Response> {
        let keypair = self.keypair()?;
        let timestamp = at.as_second();
        let challenge = format!("nosana_secret_{timestamp}");
        let mut body = serde_json::json!({
            "address": keypair.address(),
            "signature": keypair.sign(challenge.as_bytes()),
            "timestamp": timestamp,
        });
        if let Some(job) = &self.job {
            body["job"] = job.as_str().into();
        }
        let url = self.endpoint.url(&["login"])?;
        // No Authorization here: the server checks that header on this route too, and a stale
        // token would spoil the login. Its 500 means a malformed login or an unknown job.
        let request = Request::new("log in", Method::POST, url)
            .repeatable()
            .transient(|status, body| is_transient(status) && !is_internal_error(status, body))
            .json(&body)?;
        self.endpoint.send(&request).await
    }

    fn session(&self, response: &Response) -> Result<Session> {
        #[derive(Deserialize)]
        struct Login {
            token: String,
        }
        let Login { token } = response.json()?;
        let token = Zeroizing::new(token);
        let now = self.services.sessions.now();
        Ok(Session {
            expires_at: Life::of(&token).ends(now),
            token,
        })
    }

    fn login_error(&self, response: &Response) -> Error {
        if is_internal_error(response.status, &response.body) {
            let error = response.error(Kind::Unauthenticated);
            return match &self.job {
                // That is how it says that there is no such job.
                Some(job) => error.caused_by(Cause::Other).hint(format!(
                    "the server does not know the job {job}, or it is not claimed by this keypair"
                )),
                None => error.hint("the server could not make sense of the login; is base_url a Nosana Secret Manager?"),
            };
        }
        let signed_wrongly =
            ["invalid signature", "timestamp expired"].contains(&response.words().as_str());
        match response.status {
            StatusCode::BAD_REQUEST if self.job.is_some() && !signed_wrongly => response
                .error(Kind::Forbidden)
                .hint("this keypair must have claimed the job; where it did so a moment ago, --wait waits for it"),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                response.error(Kind::Unauthenticated)
            }
            _ => response.status_error(),
        }
    }

    /// The secrets, waiting for those of a job where that was asked for.
    async fn fetch(&self) -> Result<BTreeMap<Name, Stored>> {
        let wait = self
            .services
            .wait
            .filter(|_| self.job.is_some())
            .unwrap_or_default();
        self.services.http.deadline().make_room(wait);
        let mut waited = Duration::ZERO;
        loop {
            match self.fetch_once().await {
                // What a job declares is seen some seconds after it was claimed.
                Err(error)
                    if waited < wait
                        && matches!(error.kind(), Kind::NotFound | Kind::Forbidden) =>
                {
                    // A token holds the names that were seen when it was issued: ask for a new one.
                    let _ = self.services.sessions.forget(&self.session_key()?);
                    let pause = POLL.min(wait - waited);
                    tokio::time::sleep(pause).await;
                    waited += pause;
                }
                result => return result,
            }
        }
    }

    /// `GET /secrets`.
    async fn fetch_once(&self) -> Result<BTreeMap<Name, Stored>> {
        let response = self
            .call(|| self.request("read the secrets", Method::GET))
            .await?;
        if response.is_success() {
            return parse_secrets(&response);
        }
        if is_empty_job(&response) {
            return Err(response.error(Kind::NotFound).hint(
                "the job declares no secrets, or was claimed a moment ago: --wait waits for it",
            ));
        }
        Err(response.status_error())
    }

    fn check_writable(&self) -> Result<()> {
        match &self.job {
            Some(_) => Err(super::unsupported(
                "the job scope of a Nosana store",
                "write: a job's secrets are read only",
                "use a store without 'job' to write the secrets of your own keypair",
            )),
            None => Ok(()),
        }
    }

    /// Stores `writes`, at most [`NAMES_PER_REQUEST`], in one request.
    async fn post(&self, writes: &[&Write]) -> Result<()> {
        let response = self
            .call(|| {
                let mut request = self
                    .request("store the secrets", Method::POST)?
                    .repeatable()
                    .json(&Body {
                        secrets: Secrets(writes),
                    })?;
                for write in writes {
                    if let Some(text) = write.value.expose_str() {
                        request = request.sensitive(text);
                    }
                }
                Ok(request)
            })
            .await?;
        expect_ok(&response)
    }
}

#[async_trait(?Send)]
impl Provider for Nosana {
    fn check_name(&self, name: &Name) -> Result<()> {
        if name.as_str() == "__proto__" {
            return Err(Error::invalid_data(
                "Nosana cannot hold a secret named __proto__: its server would answer OK and lose it",
            ));
        }
        Ok(())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let stored = self.fetch().await?;
        Ok(stored
            .into_iter()
            .filter(|(name, _)| filter.admits(name.as_str()))
            .map(|(name, stored)| {
                let mut entry = Entry::new(name);
                if stored.json_type != "string" {
                    entry
                        .attributes
                        .insert("type".to_owned(), stored.json_type.into());
                }
                entry
            })
            .collect())
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        let stored = self.fetch().await?;
        Ok(stored
            .into_iter()
            .filter(|(name, _)| selection.admits(name.as_str()))
            .map(|(name, stored)| (name, stored.value))
            .collect())
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        self.check_writable()?;
        let before = self.fetch().await?;
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(batch.writes.len());
        let mut wanted = Vec::new();
        for (at, write) in batch.writes.iter().enumerate() {
            let result = match before.get(&write.name) {
                None => Ok(Action::Created),
                Some(_) if batch.if_absent => Err(super::exists_already(&write.name)),
                Some(stored) if stored.json_type == "string" && stored.value == write.value => {
                    Ok(Action::Unchanged)
                }
                Some(_) => Ok(Action::Updated),
            };
            if matches!(result, Ok(Action::Created | Action::Updated)) {
                wanted.push(at);
            }
            outcomes.push(Outcome::new(write.name.clone(), result));
        }
        let requests = chunks(&batch.writes, &wanted)?;
        let progress = super::Steps::start(&self.services, "storing secrets", wanted.len());
        let mut stuck: Option<Error> = None;
        for request in requests {
            let writes: Vec<&Write> = request.iter().map(|at| &batch.writes[*at]).collect();
            let result = match &stuck {
                None => self.post(&writes).await,
                Some(error) => Err(error.clone()),
            };
            match result {
                Ok(()) => progress.done(request.len()),
                Err(error) => {
                    for at in &request {
                        outcomes[*at].result = Err(error.clone());
                    }
                    // The next request would meet the same trouble, and wait for it as long.
                    stuck = Some(error);
                }
            }
        }
        Ok(outcomes)
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        self.check_writable()?;
        // The server answers OK for a name it does not have, so look first.
        let before = self.fetch().await?;
        let progress = super::Steps::start(&self.services, "deleting secrets", names.len());
        let mut outcomes = Vec::with_capacity(names.len());
        for name in names {
            let result = if before.contains_key(name) {
                let sent = self
                    .call(|| {
                        self.request("delete a secret", Method::DELETE)?
                            .json(&serde_json::json!({ "key": name }))
                    })
                    .await
                    .and_then(|response| expect_ok(&response));
                sent.map(|()| Action::Deleted)
            } else {
                Err(super::missing(name))
            };
            progress.done(1);
            outcomes.push(Outcome::new(name.clone(), result));
        }
        Ok(outcomes)
    }

    async fn login(&self, _given: &Given) -> Result<Account> {
        let key = self.session_key()?;
        let sessions = &self.services.sessions;
        // What cannot be forgotten cannot be read either, so a new one is obtained.
        let _ = sessions.forget(&key);
        let deadline = self.services.http.deadline().end();
        sessions
            .get_or_login(&key, deadline, async || self.sign_in().await)
            .await?;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        Ok(Account {
            account: Some(self.keypair()?.address()),
            credential: Some(format!("keypair from {}", self.located()?.source)),
            ..self.endpoint.account(Some(&self.session_key()?))
        })
    }

    async fn logout(&self) -> Result<Vec<String>> {
        self.endpoint.forget(&self.session_key()?)
    }
}

fn parse_secrets(response: &Response) -> Result<BTreeMap<Name, Stored>> {
    let raw: BTreeMap<String, &RawValue> = serde_json::from_slice(&response.body)
        .map_err(|_| response.nonsense("not the JSON expected"))?;
    let mut secrets = BTreeMap::new();
    for (name, raw) in raw {
        // The server lets a name be empty; nothing in keyfob could ask for it.
        let Ok(name) = Name::new(name) else { continue };
        let json = raw.get();
        let (json_type, value) = match json.as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(json)
                    .map_err(|_| response.nonsense("not the JSON expected"))?;
                ("string", SecretValue::from(text))
            }
            Some(b'{') => ("object", SecretValue::from(json)),
            Some(b'[') => ("array", SecretValue::from(json)),
            Some(b't' | b'f') => ("boolean", SecretValue::from(json)),
            Some(b'n') => ("null", SecretValue::from(json)),
            _ => ("number", SecretValue::from(json)),
        };
        secrets.insert(name, Stored { value, json_type });
    }
    Ok(secrets)
}

/// Success of POST and DELETE is the bare text `OK`; anything else has not been done.
fn expect_ok(response: &Response) -> Result<()> {
    if !response.is_success() {
        return Err(response.status_error());
    }
    match response.text() {
        Some("OK") => Ok(()),
        _ => Err(response.nonsense("something else than OK")),
    }
}

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

fn is_token_rejection(response: &Response) -> bool {
    let refusal = refusal(&response.body);
    refusal.error == "TokenExpiredError"
        || refusal.error == "JsonWebTokenError"
        || refusal.message == "Not authenticated"
        || refusal.message == "invalid signature"
        || refusal.message.starts_with("jwt ")
}

fn is_internal_error(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::INTERNAL_SERVER_ERROR && refusal(body).r#type == "InternalServerError"
}

fn is_empty_job(response: &Response) -> bool {
    response.status == StatusCode::BAD_REQUEST && response.words().contains("no secrets in job")
}

#[cfg(test)]
mod tests;
