//! Northflank's endpoints, each a method: what is sent, and what the answers mean.
//!
//! All of them are below `/v1/projects/{projectId}/secrets`, or for a team below
//! `/v1/teams/{teamId}/projects/{projectId}/secrets`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{Data, Link, Page, Pagination, RawGroup};
use crate::config::StoreConfig;
use crate::http::{Request, Response};
use crate::providers::Services;
use crate::providers::endpoint::{BEARER, Endpoint, Keyed};
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;

const OFFICIAL: &str = "https://api.northflank.com";

/// The most groups that a page of the list may have.
const PER_PAGE: &str = "100";

/// The header of how many more requests are taken, and the one of the seconds until more are.
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// In seconds: no window is longer.
const A_DAY: u64 = 24 * 60 * 60;

/// One project's secret groups.
pub struct Api {
    /// The API and its token.
    pub keyed: Keyed,
    /// How many more requests the server takes, and until when, as far as it has said.
    quota: Cell<Option<Quota>>,
}

/// What is left of a rate limit.
#[derive(Clone, Copy, Debug)]
struct Quota {
    /// How many requests, those under way taken off.
    left: u64,
    /// When it begins anew.
    reset: Instant,
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
    /// The server has taken it, and says this of the group.
    Said(RawGroup),
    /// The request may have been carried out or not: this is what was heard of it.
    InDoubt(Error),
}

impl Api {
    /// The secret groups of the project that `config` names. Asks nobody.
    pub fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let endpoint = Endpoint::new(config, services, OFFICIAL, &BEARER)?;
        Ok(Self {
            keyed: Keyed::new(endpoint, "api_token"),
            quota: Cell::default(),
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
        let (groups, rest) = self.list_what_can_be_read().await?;
        rest.map_or(Ok(groups), Err)
    }

    /// The same, where the rate limit may end it between two pages: the groups of the pages before,
    /// and the error for the rest.
    pub async fn list_what_can_be_read(
        &self,
    ) -> Result<(BTreeMap<String, RawGroup>, Option<Error>)> {
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
            let page = match self.send(request).await {
                Ok(response) => page(&response).map(|page| (response, page)),
                Err(error) => Err(error),
            };
            let (response, (listed, next)) = match page {
                Ok(page) => page,
                Err(error) if error.kind() == Kind::RateLimited && !groups.is_empty() => {
                    let read = format!("only the first {} groups were listed", groups.len());
                    return Ok((groups, Some(error.context(read))));
                }
                Err(error) => return Err(error),
            };
            let known = groups.len();
            groups.extend(
                listed
                    .into_iter()
                    .map(|group| (group.id().to_owned(), group)),
            );
            let Some(next) = next else {
                return Ok((groups, None));
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
        page(&response).map(drop)
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

    /// The same for one of many groups: where the server has said that it takes no more requests
    /// for longer than the command has time, none is sent.
    ///
    /// # Errors
    /// `rate_limited` then.
    pub async fn get_one_of_many(&self, id: &str) -> Result<Option<RawGroup>> {
        if let Some(Quota { left: 0, reset }) = self.quota.get() {
            let wait = reset.saturating_duration_since(Instant::now());
            if !wait.is_zero() && !self.allows(wait) {
                let seconds = wait.as_millis().div_ceil(1000);
                return Err(Error::new(
                    Kind::RateLimited,
                    format!("the server takes no more requests for {seconds} s"),
                )
                .hint(format!(
                    "try again in {seconds} s, or give --timeout more than that"
                )));
            }
        }
        self.get(id).await
    }

    /// Takes note of what an answer tells of the rate limit.
    fn note_quota(&self, response: &Response) {
        let told = |name| {
            response
                .headers
                .get(name)?
                .to_str()
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        };
        let (Some(left), Some(seconds)) = (told(REMAINING), told(RESET)) else {
            return;
        };
        // So large a number is a time, which the client itself knows to read.
        if seconds > A_DAY {
            return;
        }
        let now = Instant::now();
        let known = self.quota.get().filter(|known| known.reset > now);
        self.quota.set(Some(Quota {
            // Those under way are not counted yet by an older answer.
            left: known.map_or(left, |known| known.left.min(left)),
            reset: now + Duration::from_secs(seconds),
        }));
    }

    /// `GET …/secrets/{id}/details`: a group with its addons, without values.
    pub async fn details(&self, id: &str) -> Result<Option<RawGroup>> {
        let operation = "read the details of the secret group";
        let request = self.request(operation, Method::GET, &[id, "details"])?;
        Ok(self.find(request).await?.map(|(_, group)| group))
    }

    /// `GET …/secrets/{id}/addons/{addonId}`: which keys of an addon a group brings along; `None`
    /// where there is no such link, or this token may not see it.
    pub async fn link(&self, id: &str, addon: &str) -> Result<Option<Link>> {
        let operation = "read the link to an addon";
        let request = self.request(operation, Method::GET, &[id, "addons", addon])?;
        let response = self.send(request).await?;
        if response.status == StatusCode::FORBIDDEN || response.is_missing()? {
            return Ok(None);
        }
        let Data { data: Object(link) } = expect(&response, Permission::Read)?;
        Ok(Some(link))
    }

    /// `POST …/secrets`: creates the group of `payload`.
    pub async fn create(&self, payload: &RawGroup) -> Result<Created> {
        let request = self.request("create the secret group", Method::POST, &[])?;
        let response = match self.send(carry(request, payload)?).await {
            // No answer, or one that broke off, came after the server had the request.
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::InvalidData) => {
                return Ok(Created::InDoubt(error));
            }
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
        self.change(Method::PATCH, id, patch).await
    }

    /// `POST …/secrets/{id}`: changes the fields that `patch` names, another way that the vendor
    /// has. Its answer says nothing of the group.
    pub async fn update_by_post(&self, id: &str, patch: &RawGroup) -> Result<Updated> {
        self.change(Method::POST, id, patch).await
    }

    async fn change(&self, method: Method, id: &str, patch: &RawGroup) -> Result<Updated> {
        let says_nothing = method == Method::POST;
        let request = self.request("update the secret group", method, &[id])?;
        let response = match self.send(carry(request, patch)?).await {
            // No answer, or one that broke off, came after the server had the request.
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::InvalidData) => {
                return Ok(Updated::InDoubt(error));
            }
            other => other?,
        };
        let said = match says_nothing {
            true => said_or_nothing(&response),
            false => expect::<Data<RawGroup>>(&response, Permission::Update).map(|it| it.data),
        };
        match said {
            Ok(group) => Ok(Updated::Said(group)),
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
        let Data { data: group } = expect::<Data<RawGroup>>(&response, Permission::Read)?;
        // All that is asked of it afterwards goes by its id.
        match group.id().is_empty() {
            true => Err(response.nonsense("a group without id")),
            false => Ok(Some((response, group))),
        }
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let token = self.keyed.credential().await?;
        self.send_with(request, token).await
    }

    async fn send_with(&self, request: Request, token: &str) -> Result<Response> {
        if let Some(quota) = self.quota.get() {
            let left = quota.left.saturating_sub(1);
            self.quota.set(Some(Quota { left, ..quota }));
        }
        let response = self.keyed.endpoint.send_as(token, request).await?;
        self.note_quota(&response);
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
        return response.json().map(|Object(answer)| answer);
    }
    let error = response.status_error();
    Err(match response.status {
        StatusCode::FORBIDDEN => error.hint(format!(
            "the token's role needs the permission Project > Secrets > General > {permission:?}"
        )),
        StatusCode::NOT_FOUND if !response.is_html() => {
            error.hint("check the store's project and team")
        }
        _ => error,
    })
}

/// The groups of a page of the list, and the cursor of the next one.
fn page(response: &Response) -> Result<(Vec<RawGroup>, Option<String>)> {
    let Page { data, pagination } = expect(response, Permission::Read)?;
    let Object(Pagination {
        has_next_page,
        cursor,
    }) = pagination.unwrap_or_else(|| Object(Pagination::default()));
    let groups = data.0.secrets;
    if groups.iter().any(|group| group.id().is_empty()) {
        return Err(response.nonsense("a group without id"));
    }
    let next = cursor.filter(|cursor| !cursor.is_empty());
    match (has_next_page, next) {
        (Some(false), _) => Ok((groups, None)),
        // What would be left out is unknown: better no list than one that seems whole.
        (Some(true), None) => {
            Err(response.nonsense("more pages, and no cursor to ask for them with"))
        }
        (_, next) => Ok((groups, next)),
    }
}

/// What a good answer says of the group, where it says anything: `{}` is one, too.
fn said_or_nothing(response: &Response) -> Result<RawGroup> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Answer {
        data: RawGroup,
    }
    if response.is_success() && response.body.trim_ascii().is_empty() {
        return Ok(RawGroup::default());
    }
    expect::<Answer>(response, Permission::Update).map(|answer| answer.data)
}

/// Whether a request that was answered so may have been carried out all the same: something in
/// between may have answered in the server's place.
fn is_doubtful(response: &Response) -> bool {
    response.is_success() || response.status.is_server_error() || response.is_html()
}
