//! Nosana's Secret Manager: a Solana keypair signs in, a token of one hour reads and writes.
//!
//! `POST /login`, `GET /secrets`, `POST /secrets`, `DELETE /secrets`; every body comes as
//! `text/plain`, success of a write is the bare text `OK`, and a refused token is a 403.

mod body;
mod deleting;
mod read_back;
mod reading;
mod refusal;
mod replay;
mod sign_in;
mod stored;

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};

use self::body::{Body, Secrets, chunks};
use self::refusal::{
    cannot_be_stored, is_internal_error, is_token_rejection, is_worth_another_try, refused,
};
use self::stored::malformed;
use super::endpoint::{BEARER, Endpoint};
use super::{Account, Capabilities, Capability, Given, Provider, ProviderSpec, Services};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::http::{Request, Response};
use crate::identity::keypair::Keypair;
use crate::identity::keypair::locate::Located;
use crate::session::SessionKey;
use crate::words::batch::{Action, Batch, Filter, Outcome, Selection, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::{Entry, Name, SecretValue};

const MAINNET: &str = "https://secrets.nosana.ci";
const DEVNET: &str = "https://secrets.k8s.dev.nos.ci";

/// How many writes are at most names that somebody named: each that is not listed is asked for. Of
/// more, as an import brings them, the list is believed.
const NAMED: usize = 16;

/// The one for mainnet by the vendor's own libraries.
const MAINNET_OF_SDK: &str = "https://secrets.k8s.prd.nos.ci";

/// After so many secrets in a row at which the server has failed, no more are tried.
const HOPELESS: usize = 8;

const SCHEMA: Schema = Schema {
    provider: "nosana",
    fields: &[
        Field::new(
            "network",
            Shape::Choice(&["mainnet", "devnet"]),
            "which of Nosana's own servers to use (default: mainnet)",
        ),
        Field::new("base_url", Shape::Url, "a self-hosted Secret Manager"),
        Field::new(
            "keypair",
            Shape::Path,
            "the Solana keypair file; in the environment also the JSON array or base58 itself",
        )
        .inline_env()
        .vendor_env(&["SOLANA_WALLET"]),
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
    without_cache: None,
    open: |config, services| Ok(Box::new(Nosana::open(config, services)?)),
};

/// A Nosana Secret Manager, in the scope of one keypair or of one job.
struct Nosana {
    endpoint: Endpoint,
    job: Option<String>,
    services: Rc<Services>,
    located: OnceCell<Located>,
    /// Whether the user knows that there are secrets whose names are no text.
    told_of_unnamed: Cell<bool>,
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
            told_of_unnamed: Cell::new(false),
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

    fn check_writable(&self) -> Result<()> {
        match &self.job {
            Some(_) => Err(super::unsupported(
                "the job scope of a Nosana store",
                "write: a job's secrets are read only",
                "use a store without the setting job to write the secrets of your own keypair",
            )),
            None => Ok(()),
        }
    }

    /// Stores `writes`, at most [`NAMES_PER_REQUEST`](body::NAMES_PER_REQUEST), in one request.
    ///
    /// # Errors
    /// `invalid_data` where one of them cannot be stored; those before it are.
    async fn post(&self, writes: &[&Write]) -> Result<()> {
        let response = self
            .call(|| {
                let mut request = self
                    .request("store the secrets", Method::POST)?
                    .repeatable()
                    .transient(is_worth_another_try)
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
        if is_internal_error(response.status, &response.body) {
            let error = response.error(Kind::InvalidData);
            return Err(match writes {
                [write] => error.context(&write.name).hint(
                    "the server's database cannot hold it: on PostgreSQL and MySQL names end at about 210 bytes, on MySQL values at 65,000",
                ),
                _ => error,
            });
        }
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

    fn check(&self, write: &Write) -> Result<()> {
        self.check_name(&write.name)?;
        chunks(std::slice::from_ref(write), &[0]).map(drop)
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let stored = self.fetch_named(filter.named.as_slice()).await?;
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
        let stored = match selection {
            Selection::Names(names) => self.fetch_named(names).await?,
            Selection::Listed(names) if names.len() <= NAMED => self.fetch_named(names).await?,
            Selection::All | Selection::Listed(_) => self.fetch().await?,
        };
        let mut values = BTreeMap::new();
        for (name, stored) in stored {
            if !selection.admits(name.as_str()) {
                continue;
            }
            match (stored.value(), selection) {
                (Some(value), _) => {
                    values.insert(name, value);
                }
                (None, Selection::Names(_)) => return Err(malformed(&name)),
                // It is to be replaced.
                (None, Selection::Listed(_)) => {
                    values.insert(name, SecretValue::default());
                }
                (None, Selection::All) => (self.services.notice)(&format!(
                    "{name} is left out: {}",
                    malformed(&name).message()
                )),
            }
        }
        Ok(values)
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        self.check_writable()?;
        let before = self.fetch().await?;
        let mut outcomes = self.plan(&batch, &before).await?;
        let wanted: Vec<usize> = (0..outcomes.len())
            .filter(|at| matches!(outcomes[*at].result, Ok(Action::Created | Action::Updated)))
            .collect();
        let requests = chunks(&batch.writes, &wanted)?;
        let progress = super::Steps::start(&self.services, "storing secrets", wanted.len());
        let mut sent = Vec::with_capacity(wanted.len());
        let mut failed: BTreeMap<Name, Error> = BTreeMap::new();
        let mut alone = 0;
        // The next one last.
        let mut requests: Vec<Vec<usize>> = requests.into_iter().rev().collect();
        while let Some(mut request) = requests.pop() {
            let writes: Vec<&Write> = request.iter().map(|at| &batch.writes[*at]).collect();
            let error = match self.post(&writes).await {
                Ok(()) => {
                    alone = 0;
                    progress.done(request.len());
                    sent.extend(writes);
                    continue;
                }
                // One of them cannot be stored; which one, only smaller requests tell.
                Err(error) if cannot_be_stored(&error) && request.len() > 1 => {
                    requests.push(request.split_off(request.len() / 2));
                    requests.push(request);
                    continue;
                }
                Err(error) => error,
            };
            // Where so many cannot be stored, one after another, it does not lie in them.
            alone += 1;
            let goes_on = cannot_be_stored(&error) && alone < HOPELESS;
            if error.cause() == Cause::Unreachable {
                // It may have been stored nevertheless.
                sent.extend(writes.iter().copied());
            }
            let mut unsent = Vec::new();
            if !goes_on {
                // The next request would meet the same trouble, and wait for it as long.
                unsent = std::mem::take(&mut requests).concat();
            }
            for at in request.into_iter().chain(unsent) {
                failed.insert(batch.writes[at].name.clone(), error.clone());
            }
        }
        let mut faults = match sent.is_empty() {
            true => BTreeMap::new(),
            false => self.read_back(&sent, &before).await,
        };
        let sent: BTreeSet<&Name> = sent.iter().map(|write| &write.name).collect();
        for outcome in &mut outcomes {
            let fault = faults.remove(&outcome.name);
            let was_seen = sent.contains(&outcome.name) && fault.is_none();
            let failure = failed.remove(&outcome.name).filter(|_| !was_seen);
            if let Some(error) = failure.or(fault) {
                outcome.result = Err(error);
            }
        }
        Ok(outcomes)
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        self.check_writable()?;
        self.delete_all(names).await
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
        // What has used a keypair that is gone by now is noted.
        match self.session_key() {
            Ok(key) => self.endpoint.forget(&key),
            Err(_) => self.endpoint.forget_used(),
        }
    }
}

/// Success of POST and DELETE is the bare text `OK`; anything else has not been done.
fn expect_ok(response: &Response) -> Result<()> {
    if !response.is_success() {
        return Err(refused(response));
    }
    match response.text() {
        Some("OK") => Ok(()),
        _ => Err(response.nonsense("something else than OK")),
    }
}

#[cfg(test)]
mod tests;
