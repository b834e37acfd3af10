//! Northflank's endpoints, each a method: what is sent, and what the answers mean.
//!
//! All of them are below `/v1/projects/{projectId}/secrets`, or for a team below
//! `/v1/teams/{teamId}/projects/{projectId}/secrets`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{Data, Page, RawGroup};
use crate::config::StoreConfig;
use crate::http::{Request, Response};
use crate::providers::Services;
use crate::providers::endpoint::{BEARER, Endpoint, Keyed};
use crate::words::error::{Error, Kind, Result};

const OFFICIAL: &str = "https://api.northflank.com";

/// The most groups that a page of the list may have.
const PER_PAGE: &str = "100";

/// One project's secret groups.
pub struct Api {
    /// The API and its token.
    pub keyed: Keyed,
}

/// What a request is allowed by, as Northflank calls it.
#[derive(Clone, Copy, Debug)]
enum Permission {
    Create,
    Read,
    Update,
    Delete,
}

/// What became of a create.
pub enum Created {
    /// The group as it is now.
    Group(RawGroup),
    /// There is one with the same id already.
    Exists,
    /// The request may have been carried out or not: this is what was heard of it.
    InDoubt(Error),
}

/// What became of an update.
pub enum Updated {
    /// The server has taken it, at this time where it says so.
    At(Option<Timestamp>),
    /// The request may have been carried out or not: this is what was heard of it.
    InDoubt(Error),
}

impl Api {
    /// The secret groups of the project that `config` names. Asks nobody.
    pub fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let endpoint = Endpoint::new(config, services, OFFICIAL, &BEARER)?;
        Ok(Self {
            keyed: Keyed::new(endpoint, "api_token"),
        })
    }

    /// The project, said with its team where it has one.
    ///
    /// # Errors
    /// `config` where none is configured.
    pub fn project(&self) -> Result<String> {
        let config = &self.keyed.endpoint.config;
        let project = config.require("project")?;
        Ok(match config.text("team") {
            Some(team) => format!("{team}/{project}"),
            None => project.to_owned(),
        })
    }

    /// Whether the command's deadline has room for a pause.
    pub fn allows(&self, pause: Duration) -> bool {
        self.keyed.endpoint.services.http.deadline().allows(pause)
    }

    /// `GET …/secrets?per_page=&cursor=`: every group, without values, by id.
    pub async fn list(&self) -> Result<BTreeMap<String, RawGroup>> {
        let mut groups = BTreeMap::new();
        let mut cursors = BTreeSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = self.request("list the secret groups", Method::GET, &[])?;
            request
                .url
                .query_pairs_mut()
                .append_pair("per_page", PER_PAGE);
            if let Some(cursor) = &cursor {
                request.url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let response = self.send(request).await?;
            let page: Page = expect(&response, Permission::Read)?;
            let known = groups.len();
            for group in page.data.secrets {
                if group.id().is_empty() {
                    return Err(response.nonsense("a group without id"));
                }
                groups.insert(group.id().to_owned(), group);
            }
            let next = page.pagination.cursor.filter(|cursor| !cursor.is_empty());
            // What would be left out is unknown: better no list than one that seems whole.
            let next = match (page.pagination.has_next_page, next) {
                (Some(false), _) | (None, None) => return Ok(groups),
                (Some(true), None) => {
                    return Err(response.nonsense("more pages, and no cursor to ask for them with"));
                }
                (_, Some(next)) => next,
            };
            if groups.len() == known || !cursors.insert(next.clone()) {
                return Err(response.nonsense("pages that go round in circles"));
            }
            cursor = Some(next);
        }
    }

    /// `GET …/secrets?per_page=1`: whether `token` is good for the project.
    pub async fn prove(&self, token: &str) -> Result<()> {
        let mut request = self.request("log in", Method::GET, &[])?;
        request.url.query_pairs_mut().append_pair("per_page", "1");
        let response = self.send_with(request, token).await?;
        expect::<Page>(&response, Permission::Read).map(drop)
    }

    /// `GET …/secrets/{id}?show=this`: a group with its own values, `None` where there is none.
    ///
    /// # Errors
    /// `invalid_data` where the answer does not say what the group holds.
    pub async fn get(&self, id: &str) -> Result<Option<RawGroup>> {
        let mut request = self.request("read the secret group", Method::GET, &[id])?;
        request.url.query_pairs_mut().append_pair("show", "this");
        let Some((response, group)) = self.find(request).await? else {
            return Ok(None);
        };
        match group.says_what_it_holds() {
            true => Ok(Some(group)),
            false => Err(response.nonsense("a group that does not say what it holds")),
        }
    }

    /// `GET …/secrets/{id}/details`: a group with its addons, without values.
    pub async fn details(&self, id: &str) -> Result<Option<RawGroup>> {
        let operation = "read the details of the secret group";
        let request = self.request(operation, Method::GET, &[id, "details"])?;
        Ok(self.find(request).await?.map(|(_, group)| group))
    }

    /// `POST …/secrets`: creates the group of `payload`.
    pub async fn create(&self, payload: &RawGroup) -> Result<Created> {
        let request = self.request("create the secret group", Method::POST, &[])?;
        let response = match self.send(carry(request, payload)?).await {
            Err(error) if error.kind() == Kind::Unavailable => return Ok(Created::InDoubt(error)),
            other => other?,
        };
        if response.status == StatusCode::CONFLICT {
            return Ok(Created::Exists);
        }
        match expect::<Data<RawGroup>>(&response, Permission::Create) {
            Ok(answer) => Ok(Created::Group(answer.data)),
            Err(error) if is_doubtful(&response) => Ok(Created::InDoubt(error)),
            Err(error) => Err(error),
        }
    }

    /// `PATCH …/secrets/{id}`: changes the fields that `patch` names.
    pub async fn update(&self, id: &str, patch: &RawGroup) -> Result<Updated> {
        let request = self.request("update the secret group", Method::PATCH, &[id])?;
        let response = match self.send(carry(request, patch)?).await {
            Err(error) if error.kind() == Kind::Unavailable => return Ok(Updated::InDoubt(error)),
            other => other?,
        };
        match expect::<Data<RawGroup>>(&response, Permission::Update) {
            Ok(answer) => Ok(Updated::At(answer.data.time("updatedAt"))),
            Err(error) if is_doubtful(&response) => Ok(Updated::InDoubt(error)),
            Err(error) => Err(error),
        }
    }

    /// `PUT …/secrets`: creates or replaces the group of `payload` by its name.
    pub async fn replace(&self, payload: &RawGroup) -> Result<RawGroup> {
        let request = self.request("replace the secret group", Method::PUT, &[])?;
        let response = self.send(carry(request, payload)?).await?;
        Ok(expect::<Data<RawGroup>>(&response, Permission::Update)?.data)
    }

    /// `DELETE …/secrets/{id}`. One that has gone in between is as good as deleted.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let request = self.request("delete the secret group", Method::DELETE, &[id])?;
        let response = self.send(request).await?;
        if response.status == StatusCode::NO_CONTENT || response.is_missing()? {
            return Ok(());
        }
        expect::<Data<Value>>(&response, Permission::Delete).map(drop)
    }

    fn request(&self, operation: &'static str, method: Method, rest: &[&str]) -> Result<Request> {
        let endpoint = &self.keyed.endpoint;
        let mut path = vec!["v1"];
        if let Some(team) = endpoint.config.text("team") {
            path.extend(["teams", team]);
        }
        path.extend(["projects", endpoint.config.require("project")?, "secrets"]);
        path.extend(rest);
        Ok(Request::new(operation, method, endpoint.url(&path)?))
    }

    async fn find(&self, request: Request) -> Result<Option<(Response, RawGroup)>> {
        let response = self.send(request).await?;
        if response.is_missing()? {
            return Ok(None);
        }
        let Data { data } = expect(&response, Permission::Read)?;
        Ok(Some((response, data)))
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let token = self.keyed.credential().await?;
        self.send_with(request, token).await
    }

    async fn send_with(&self, request: Request, token: &str) -> Result<Response> {
        let response = self.keyed.endpoint.send_as(token, request).await?;
        match response.status {
            StatusCode::UNAUTHORIZED => Err(self.keyed.unauthenticated(&response)),
            _ => Ok(response),
        }
    }
}

/// `request` with `payload` as its body, whose values no message may repeat.
fn carry(request: Request, payload: &RawGroup) -> Result<Request> {
    let request = request.json(payload)?;
    Ok(payload
        .secrets()
        .iter()
        .fold(request, |request, secret| request.sensitive(secret)))
}

/// What a good answer says.
fn expect<T: DeserializeOwned>(response: &Response, permission: Permission) -> Result<T> {
    if response.is_success() {
        return response.json();
    }
    let error = response.status_error();
    Err(match response.status {
        StatusCode::FORBIDDEN => error.hint(format!(
            "the token's role needs the permission Project > Secrets > General > {permission:?}"
        )),
        StatusCode::NOT_FOUND if !response.is_html() => {
            error.hint("check the store's `project` and `team`")
        }
        _ => error,
    })
}

/// Whether a request that was answered so may have been carried out all the same.
fn is_doubtful(response: &Response) -> bool {
    response.is_success() || response.status.is_server_error()
}
