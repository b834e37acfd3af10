//! ByteNite's requests: the exchange of the API key for a token, and the three that the page of
//! secrets documents.
//!
//! `Authorization` holds the token without a scheme word. Answers of POST and DELETE say `ok`, and
//! a 200 without it is a failure.

use std::cell::Cell;
use std::rc::Rc;

use jiff::SignedDuration;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::record::Record;
use crate::config::StoreConfig;
use crate::http::{Request, Response};
use crate::providers::Services;
use crate::providers::endpoint::{DIALECT, Endpoint, Keyed, Vendor, is_rejection};
use crate::session::{Session, SessionKey};
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;

const BASE_URL: &str = "https://api.bytenite.com";

const VENDOR: Vendor = Vendor {
    authorize: |request, token| request.secret_header(AUTHORIZATION, "", token),
    dialect: DIALECT,
    is_rejection,
};

/// ByteNite, as one API key sees it.
pub struct Api {
    /// The API and its key.
    pub keyed: Keyed,
    /// Whether the API key itself is sent: told to, or because nothing gives a token for it.
    direct: Cell<bool>,
}

impl Api {
    pub fn new(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let endpoint = Endpoint::new(config, services, BASE_URL, &VENDOR)?;
        Ok(Self {
            keyed: Keyed::new(endpoint, "api_key"),
            direct: Cell::new(config.text("auth") == Some("direct")),
        })
    }

    /// The session of an API key, of which the cache learns only a hash.
    pub fn session_key(&self, api_key: &str) -> SessionKey {
        self.keyed.endpoint.session_key(api_key, "")
    }

    fn url(&self, below: &[&str]) -> Result<Url> {
        self.keyed.endpoint.url(&[&["v1", "auth"], below].concat())
    }

    /// Sends a request for the account of `api_key`: with its token, else with the key itself.
    async fn call(&self, api_key: &str, make: impl Fn() -> Result<Request>) -> Result<Response> {
        let endpoint = &self.keyed.endpoint;
        if !self.direct.get() {
            let key = self.session_key(api_key);
            let exchange = async || self.exchange(api_key).await;
            match endpoint.send_in_session(&key, exchange, &make).await {
                // The exchange has found that there is none.
                Err(_) if self.direct.get() => {}
                result => return result,
            }
        }
        endpoint.send_as(api_key, make()?).await
    }

    /// `POST /v1/auth/access_token`. Where that does not exist, the API key is what is sent from
    /// now on.
    async fn exchange(&self, api_key: &str) -> Result<Session> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Token {
            token: String,
            #[serde(default)]
            expires_in: Value,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Key<'a> {
            api_key: &'a str,
        }
        let endpoint = &self.keyed.endpoint;
        let asked_at = endpoint.services.sessions.now();
        let url = self.url(&["access_token"])?;
        let request = Request::new("exchange the API key for a token", Method::POST, url)
            .repeatable()
            .sensitive(api_key)
            .json(&Key { api_key })?;
        let response = endpoint.send(&request).await?;
        if has_no_exchange(&response)? {
            self.direct.set(true);
            return Err(response.status_error());
        }
        match response.status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(self.keyed.unauthenticated(&response));
            }
            status if !status.is_success() => return Err(response.status_error()),
            _ => {}
        }
        let Object(Token { token, expires_in }) = response.json().map_err(|error| {
            let body: Option<Map<String, Value>> = response.json().ok();
            body.and_then(|body| failure(&response, &body))
                .unwrap_or(error)
        })?;
        if token.is_empty() {
            return Err(response.nonsense("an empty token"));
        }
        let ends = seconds(&expires_in).and_then(|seconds| {
            let lifetime = SignedDuration::from_secs(seconds);
            asked_at.checked_add(lifetime).ok()
        });
        Ok(Session::new(Zeroizing::new(token), ends))
    }

    /// `GET /v1/auth/secrets`, of one type where that is named.
    pub async fn list(&self, secret_type: Option<&str>) -> Result<Vec<Record>> {
        let api_key = self.keyed.credential().await?;
        self.list_as(api_key, secret_type).await
    }

    /// The same with an API key that is not kept yet.
    pub async fn list_as(&self, api_key: &str, secret_type: Option<&str>) -> Result<Vec<Record>> {
        let response = self
            .call(api_key, || {
                let mut url = self.url(&["secrets"])?;
                if let Some(secret_type) = secret_type {
                    url.query_pairs_mut().append_pair("secretType", secret_type);
                }
                Ok(Request::new("list the secrets", Method::GET, url))
            })
            .await?;
        if !response.is_success() {
            return Err(match response.status {
                StatusCode::NOT_FOUND => response.status_error().hint("is base_url right?"),
                _ => self.error(&response),
            });
        }
        let body: Map<String, Value> = response.json()?;
        match body.get("secrets") {
            Some(Value::Array(secrets)) => secrets
                .iter()
                .map(|secret| secret.as_object().cloned().and_then(Record::new))
                .collect::<Option<_>>()
                .ok_or_else(|| response.nonsense("a list of something else than secrets")),
            // The vendor's gateway leaves out what is empty.
            Some(Value::Null) | None => match failure(&response, &body) {
                Some(error) => Err(error),
                None if body.contains_key("code") => Err(response.nonsense("no list of secrets")),
                None => Ok(Vec::new()),
            },
            Some(_) => Err(response.nonsense("no list of secrets")),
        }
    }

    /// `POST /v1/auth/secrets`: creates or updates, so it may be sent twice.
    pub async fn save(&self, record: &Record, secret_key: &str) -> Result<()> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            secret: &'a Record,
            secret_key: &'a str,
        }
        let api_key = self.keyed.credential().await?;
        let response = self
            .call(api_key, || {
                Request::new("store the secret", Method::POST, self.url(&["secrets"])?)
                    .repeatable()
                    .sensitive(secret_key)
                    .json(&Body {
                        secret: record,
                        secret_key,
                    })
            })
            .await?;
        self.expect_ok(&response)
    }

    /// `DELETE /v1/auth/secrets/{secretType}/{id}`.
    ///
    /// # Errors
    /// `not_found` where the API says that there is no such secret, or an earlier try has deleted
    /// it.
    pub async fn delete(&self, secret_type: &str, id: &str) -> Result<()> {
        let api_key = self.keyed.credential().await?;
        let response = self
            .call(api_key, || {
                let url = self.url(&["secrets", secret_type, id])?;
                Ok(Request::new("delete the secret", Method::DELETE, url))
            })
            .await?;
        // A 404 of something in between is not the error that says so.
        response.is_missing()?;
        self.expect_ok(&response)
    }

    /// Success of POST and DELETE is `"ok": true`; a 200 without it is a failure.
    fn expect_ok(&self, response: &Response) -> Result<()> {
        if !response.is_success() {
            return Err(self.error(response));
        }
        let body: Map<String, Value> = response.json()?;
        match body.get("ok") {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(failure(response, &body)
                .unwrap_or_else(|| response.nonsense("neither success nor failure"))),
        }
    }

    fn error(&self, response: &Response) -> Error {
        match response.status {
            StatusCode::UNAUTHORIZED => self.keyed.unauthenticated(response),
            _ => response.status_error(),
        }
    }
}

/// Whether the API itself says that it exchanges no keys. Whatever else answers so must not be
/// given the key a second time.
///
/// # Errors
/// `invalid_data` for a 404 or 405 of something else.
fn has_no_exchange(response: &Response) -> Result<bool> {
    let found = match response.status {
        StatusCode::METHOD_NOT_ALLOWED if is_page(response) => Err(response.nonsense("a web page")),
        StatusCode::METHOD_NOT_ALLOWED => Ok(true),
        _ => response.is_missing(),
    };
    found.map_err(|error| match is_page(response) {
        true => error,
        false => error.hint(
            "where this API exchanges no keys, auth = \"direct\" in the store's configuration sends the key itself",
        ),
    })
}

/// Whether it is a web page, by itself or by its own word.
fn is_page(response: &Response) -> bool {
    let declared = response.headers.get(CONTENT_TYPE);
    let declared = declared.and_then(|declared| declared.to_str().ok());
    response.is_html() || declared.is_some_and(|declared| declared.starts_with("text/html"))
}

/// `expiresIn`: seconds, as text or as a number.
fn seconds(expires_in: &Value) -> Option<i64> {
    match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_i64(),
    }
}

/// The failure that a 200 tells, where `body` is one: `ok` is false, or left out beside an error.
fn failure(response: &Response, body: &Map<String, Value>) -> Option<Error> {
    let refused = body.get("ok").and_then(Value::as_bool) == Some(false);
    let error = body.get("error").filter(|error| error.is_object());
    if !refused && error.is_none() {
        return None;
    }
    let code = error
        .and_then(|error| error["code"].as_i64())
        .unwrap_or_default();
    Some(response.error(kind_of(code)))
}

/// What the `code` of a failure means: the vendor's page shows HTTP's numbers, and small ones as
/// gRPC gateways have them.
fn kind_of(code: i64) -> Kind {
    match code {
        400 | 422 | 3 => Kind::InvalidData,
        401 | 16 => Kind::Unauthenticated,
        403 | 7 => Kind::Forbidden,
        404 | 5 => Kind::NotFound,
        409 | 6 => Kind::Conflict,
        429 | 8 => Kind::RateLimited,
        500..=599 | 14 => Kind::Unavailable,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_come_as_text_or_number() {
        assert_eq!(seconds(&json!("3600")), Some(3600));
        assert_eq!(seconds(&json!(3600)), Some(3600));
        for odd in [json!(null), json!("soon"), json!({})] {
            assert_eq!(seconds(&odd), None);
        }
    }
}
