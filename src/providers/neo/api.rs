//! The three requests that Neo Service Layer documents, and what their answers mean.
//!
//! `GET /v1/secrets`, `POST /v1/secrets`, `DELETE /v1/secrets/{id}`, with `Authorization: Bearer`.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};

use super::wire::{self, Listed, Page};
use crate::config::StoreConfig;
use crate::http::{Request, Response};
use crate::providers::Services;
use crate::providers::bulk;
use crate::providers::endpoint::{BEARER, Endpoint, Keyed};
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;
use crate::words::secret::Mark;

const BASE_URL: &str = "https://api.neoservicelayer.com";

/// How many secrets are asked for at once; the server may send fewer.
const PAGE: usize = 100;

/// So many pages no account has; a server that makes secrets up must not be asked for ever.
const MAX_PAGES: usize = 1_000;

/// Neo Service Layer, as far as it is documented.
pub struct Api {
    /// The API and its key.
    pub keyed: Keyed,
    /// Whether the user knows that a list is short.
    told: Cell<bool>,
}

/// Every secret that the server lists.
pub struct List {
    /// The secrets.
    pub secrets: Vec<Listed>,
    /// Whether they are as many as the server says that it has.
    pub whole: bool,
}

/// A secret to be created.
#[derive(Serialize)]
pub struct New<'a> {
    pub name: &'a str,
    pub value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
}

/// What became of a request that changes something.
pub enum Sent<T> {
    /// It was carried out, with this answer.
    Done(T),
    /// It was not, and will not be.
    Refused(Error),
    /// It may have been carried out, or may be yet.
    Unclear(Error),
}

impl Api {
    pub fn new(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let endpoint = Endpoint::new(config, services, BASE_URL, &BEARER)?;
        Ok(Self {
            keyed: Keyed::new(endpoint, "api_key"),
            told: Cell::default(),
        })
    }

    /// Proves `key` with a request.
    pub async fn prove(&self, key: &str) -> Result<()> {
        self.page(key, 0).await.map(drop)
    }

    /// Every secret, page after page, each of which moves the deadline on.
    pub async fn list(&self) -> Result<List> {
        self.pages(|| self.keyed.endpoint.services.http.deadline().progressed())
            .await
    }

    /// The same to look what became of a request, which is no progress.
    pub async fn list_again(&self) -> Result<List> {
        self.pages(|| ()).await
    }

    async fn pages(&self, progressed: impl Fn()) -> Result<List> {
        let services = &self.keyed.endpoint.services;
        let key = self.keyed.credential().await?;
        let mut secrets: Vec<Listed> = Vec::new();
        let mut ids = HashSet::new();
        let mut offset = 0;
        let mut asked = 0;
        // How many a page has, and how many pages are asked for side by side: one until the server
        // has shown that it follows `offset`.
        let (mut size, mut at_once) = (0, 1);
        while asked < MAX_PAGES {
            let offsets = (0..at_once).map(|number| offset + number * size);
            let pages = stream::iter(offsets).map(|offset| async move {
                let page = self.page(key, offset).await;
                bulk::give_connection_back().await;
                page
            });
            let pages: Vec<Page> = pages.buffered(at_once).try_collect().await?;
            asked += pages.len();
            let before = secrets.len();
            let (mut total, mut received) = (None, 0);
            for page in pages {
                total = page.total;
                received = page.secrets.len();
                offset += received;
                size = size.max(received);
                secrets.extend(
                    page.secrets
                        .into_iter()
                        .filter(|secret| ids.insert(secret.id.clone())),
                );
            }
            let more = match total {
                Some(total) => secrets.len() < total,
                None => received >= PAGE,
            };
            // A page that brings nothing new is the last, whatever the total says: the server
            // repeats itself, or secrets were deleted meanwhile.
            if !more || secrets.len() == before {
                let missing = total.filter(|total| secrets.len() < *total);
                if let Some(total) = missing {
                    self.tell_of_short_list(total, secrets.len());
                }
                return Ok(List {
                    secrets,
                    whole: missing.is_none(),
                });
            }
            if let (Some(total), true) = (total, asked > 1) {
                let left = (total - secrets.len()).div_ceil(size.max(1));
                at_once = left.min(bulk::concurrency(&services.env)?);
            }
            progressed();
        }
        Err(Error::invalid_data(format!(
            "could not list the secrets: the list does not end after {MAX_PAGES} pages"
        )))
    }

    /// Says, once, that the server keeps some of its secrets to itself.
    fn tell_of_short_list(&self, total: usize, listed: usize) {
        let endpoint = &self.keyed.endpoint;
        if !self.told.replace(true) {
            (endpoint.services.notice)(&format!(
                "the server of the store {} says that it has {total} secrets and lists only {listed}",
                endpoint.config.name(),
            ));
        }
    }

    async fn page(&self, key: &str, offset: usize) -> Result<Page> {
        let mut url = self.url(&[])?;
        url.query_pairs_mut()
            .append_pair("limit", &PAGE.to_string())
            .append_pair("offset", &offset.to_string());
        let request = Request::new("list the secrets", Method::GET, url);
        let response = self.keyed.endpoint.send_as(key, request).await?;
        if !response.is_success() {
            return Err(self.error(&response));
        }
        Page::of(&response)
    }

    /// Creates a secret; sent once, as a second one might be refused for the first. The answer is
    /// its mark, where the server tells one.
    pub async fn create(&self, new: &New<'_>) -> Sent<Option<Mark>> {
        let request = match self.creation(new) {
            Ok(request) => request,
            Err(error) => return Sent::Refused(error),
        };
        self.change(request, wire::created).await
    }

    fn creation(&self, new: &New<'_>) -> Result<Request> {
        Request::new("create the secret", Method::POST, self.url(&[])?)
            .sensitive(new.value)
            .json(new)
    }

    /// Deletes the secret with this id. One that is not there counts as deleted.
    pub async fn delete(&self, id: &str) -> Sent<()> {
        let request = match self.url(&[id]) {
            Ok(url) => Request::new("delete the secret", Method::DELETE, url),
            Err(error) => return Sent::Refused(error),
        };
        let sent = self.change(request, |response| match response.is_missing()? {
            true => Ok(()),
            false => wire::deleted(response),
        });
        match sent.await {
            // The API's own code says so, whatever the status: the list tells.
            Sent::Refused(error) if error.kind() == Kind::NotFound => Sent::Done(()),
            sent => sent,
        }
    }

    /// Sends a request that changes something; `check` reads the answer of one that succeeded, and
    /// of a delete for which there was nothing.
    async fn change<T>(&self, request: Request, check: impl Fn(&Response) -> Result<T>) -> Sent<T> {
        let key = match self.keyed.credential().await {
            Ok(key) => key,
            Err(error) => return Sent::Refused(error),
        };
        let deletes = request.method == Method::DELETE;
        let response = match self.keyed.endpoint.send_as(key, request).await {
            Ok(response) => response,
            // No answer, or one that broke off, came after the server had the request.
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::InvalidData) => {
                return Sent::Unclear(error);
            }
            Err(error) => return Sent::Refused(error),
        };
        if response.is_success() || (deletes && response.status == StatusCode::NOT_FOUND) {
            return match check(&response) {
                Ok(answer) => Sent::Done(answer),
                Err(error) => Sent::Unclear(error),
            };
        }
        let error = self.error(&response);
        match error.kind() {
            Kind::Unavailable => Sent::Unclear(error),
            // Something in between has answered, perhaps for what it has let through.
            _ if !response.status.is_client_error() || !response.is_own_error() => {
                Sent::Unclear(error)
            }
            _ => Sent::Refused(error),
        }
    }

    fn url(&self, below: &[&str]) -> Result<Url> {
        self.keyed
            .endpoint
            .url(&[&["v1", "secrets"], below].concat())
    }

    /// The error for an answer that is none of success. The code of the page decides, where there
    /// is one.
    fn error(&self, response: &Response) -> Error {
        let hinted = |kind, hint: &str| response.error(kind).hint(hint);
        match code_of(response).as_str() {
            _ if response.status.is_server_error() => response.status_error(),
            "INVALID_REQUEST" => hinted(
                Kind::InvalidData,
                "the server does not take this name, value or description as it is",
            ),
            "UNAUTHORIZED" => self.keyed.unauthenticated(response),
            "FORBIDDEN" => hinted(
                Kind::Forbidden,
                "the API key is good, but may not do this; use one that may",
            ),
            "NOT_FOUND" => match response.is_missing() {
                Ok(_) => hinted(Kind::NotFound, "is base_url right?"),
                Err(error) => error,
            },
            "CONFLICT" if response.is_html() => response.status_error(),
            "CONFLICT" => hinted(
                Kind::Conflict,
                "somebody else has created it in the meantime; try again to replace it",
            ),
            _ => response.status_error(),
        }
    }
}

/// The error's code, or the one that belongs to the status.
fn code_of(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Object<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let body = serde_json::from_slice(&response.body);
    if let Ok(Object(Body {
        error: Object(Code { code }),
    })) = body
    {
        return code;
    }
    let code = match response.status {
        StatusCode::BAD_REQUEST => "INVALID_REQUEST",
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::CONFLICT => "CONFLICT",
        _ => "",
    };
    code.to_owned()
}
