//! The three requests that Neo Service Layer documents, and what their answers mean.
//!
//! `GET /v1/secrets`, `POST /v1/secrets`, `DELETE /v1/secrets/{id}`, with `Authorization: Bearer`.

use std::collections::HashSet;
use std::rc::Rc;

use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::config::StoreConfig;
use crate::http::{Request, Response};
use crate::providers::Services;
use crate::providers::endpoint::{BEARER, Endpoint, Keyed};
use crate::words::error::{Error, Kind, Result};
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
}

/// A secret as the list shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
}

impl Listed {
    /// Whether it is `old`, and not one that was created since under its name or id.
    pub fn is(&self, old: &Old) -> bool {
        self.id == old.id && self.created_at == old.created_at
    }

    /// What tells it from a later one.
    pub fn as_old(&self) -> Old {
        Old {
            id: self.id.clone(),
            created_at: self.created_at.clone(),
        }
    }

    /// The same, and from itself with a later value.
    pub fn mark(&self) -> Mark {
        mark(
            &self.id,
            self.created_at.as_deref(),
            self.updated_at.as_deref(),
        )
    }
}

/// A secret on the server, so marked that a later one of its name is not taken for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Old {
    pub id: String,
    /// In the server's own words.
    pub created_at: Option<String>,
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

#[derive(Deserialize)]
struct Page {
    secrets: Vec<Listed>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    total: Option<usize>,
}

impl Api {
    pub fn new(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let endpoint = Endpoint::new(config, services, BASE_URL, &BEARER)?;
        Ok(Self {
            keyed: Keyed::new(endpoint, "api_key"),
        })
    }

    /// Proves `key` with a request.
    pub async fn prove(&self, key: &str) -> Result<()> {
        self.page(key, 0).await.map(drop)
    }

    /// Every secret, page after page, each of which moves the deadline on.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        self.pages(|| self.keyed.endpoint.services.http.deadline().progressed())
            .await
    }

    /// The same to look what became of a request, which is no progress.
    pub async fn list_again(&self) -> Result<Vec<Listed>> {
        self.pages(|| ()).await
    }

    async fn pages(&self, progressed: impl Fn()) -> Result<Vec<Listed>> {
        let endpoint = &self.keyed.endpoint;
        let key = self.keyed.credential().await?;
        let mut found: Vec<Listed> = Vec::new();
        let mut ids = HashSet::new();
        let mut offset = 0;
        for _ in 0..MAX_PAGES {
            let page = self.page(key, offset).await?;
            let total = page.pagination.and_then(|pagination| pagination.total);
            let received = page.secrets.len();
            let before = found.len();
            found.extend(
                page.secrets
                    .into_iter()
                    .filter(|secret| ids.insert(secret.id.clone())),
            );
            let more = match total {
                Some(total) => found.len() < total,
                None => received >= PAGE,
            };
            // A page that brings nothing new is the last, whatever the total says: the server
            // repeats itself, or secrets were deleted meanwhile.
            if !more || found.len() == before {
                if let Some(total) = total.filter(|total| found.len() < *total) {
                    (endpoint.services.notice)(&format!(
                        "the server of the store {} says that it has {total} secrets and lists only {}",
                        endpoint.config.name(),
                        found.len()
                    ));
                }
                return Ok(found);
            }
            offset += received;
            progressed();
        }
        Err(Error::invalid_data(format!(
            "could not list the secrets: the list does not end after {MAX_PAGES} pages"
        )))
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
        response.json()
    }

    /// Creates a secret; sent once, as a second one might be refused for the first. The answer is
    /// its mark.
    pub async fn create(&self, new: &New<'_>) -> Sent<Mark> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            id: String,
            created_at: Option<String>,
            updated_at: Option<String>,
        }
        let request = match self.creation(new) {
            Ok(request) => request,
            Err(error) => return Sent::Refused(error),
        };
        self.change(request, |response| {
            let created: Created = response.json()?;
            Ok(mark(
                &created.id,
                created.created_at.as_deref(),
                created.updated_at.as_deref(),
            ))
        })
        .await
    }

    fn creation(&self, new: &New<'_>) -> Result<Request> {
        Request::new("create the secret", Method::POST, self.url(&[])?)
            .sensitive(new.value)
            .json(new)
    }

    /// Deletes the secret with this id. One that is not there counts as deleted.
    pub async fn delete(&self, id: &str) -> Sent<()> {
        #[derive(Deserialize)]
        struct Deleted {
            success: bool,
        }
        let request = match self.url(&[id]) {
            Ok(url) => Request::new("delete the secret", Method::DELETE, url),
            Err(error) => return Sent::Refused(error),
        };
        self.change(request, |response| {
            if response.status == StatusCode::NO_CONTENT || response.is_missing()? {
                return Ok(());
            }
            match response.json()? {
                Deleted { success: true } => Ok(()),
                Deleted { success: false } => Err(response.error(Kind::Failed)),
            }
        })
        .await
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

/// The mark of a secret with these words of the server, which may write a time in more than one way.
fn mark(id: &str, created_at: Option<&str>, updated_at: Option<&str>) -> Mark {
    let time = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        match text.parse::<Timestamp>() {
            Ok(time) => time.to_string(),
            Err(_) => text.to_owned(),
        }
    };
    Mark::of(&[id, &time(created_at), &time(updated_at)])
}

/// The error's code, or the one that belongs to the status.
fn code_of(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Code,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let body: Result<Body, _> = serde_json::from_slice(&response.body);
    if let Ok(Body {
        error: Code { code },
    }) = body
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
