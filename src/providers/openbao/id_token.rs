//! Id tokens: of a CI's job or of a pod, from a file or from GitHub's runner.

use std::path::Path;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, Url};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::config::check;
use crate::http::{Peer, Request};
use crate::providers::endpoint::{DIALECT, Endpoint};
use crate::state::named;
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;
use crate::words::shown::ShownPath as _;

/// Where GitHub's runner gives a job its id token, and what it asks for in return.
pub const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
pub const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// No token is longer, in bytes; what is, is another file.
pub const MAX_TOKEN: usize = 64 * 1024;

/// The token in the file at `path`.
pub fn read_token(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = named::read(path, MAX_TOKEN).map_err(|error| {
        let what = format!("the id token in {} cannot be read", path.shown());
        named::failure(Kind::Unauthenticated, &what, error)
    })?;
    let text = std::str::from_utf8(&bytes)
        .map(str::trim)
        .unwrap_or_default();
    match text.is_empty() {
        false => Ok(Zeroizing::new(text.to_owned())),
        true => Err(Error::unauthenticated(format!(
            "there is no id token in {}",
            path.shown()
        ))),
    }
}

/// Asks GitHub's runner for the job's id token.
pub async fn ask_github(
    endpoint: &Endpoint,
    url: &str,
    token: &str,
    audience: Option<&str>,
) -> Result<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }
    let bad = || Error::unauthenticated(format!("{REQUEST_URL} is no address to ask"));
    check::base_url(url.split('?').next().unwrap_or_default()).map_err(|_| bad())?;
    let mut url = Url::parse(url).map_err(|_| bad())?;
    if let Some(audience) = audience {
        url.query_pairs_mut().append_pair("audience", audience);
    }
    let peer = Peer {
        ca_file: None,
        identity: None,
        dialect: DIALECT,
    };
    let request = Request::new("get the job's id token", Method::GET, url).secret_header(
        AUTHORIZATION,
        "Bearer ",
        token,
    );
    let response = endpoint.services.http.send(&peer, &request).await?;
    if !response.is_success() {
        return Err(match response.status {
            status if status.is_client_error() => response.error(Kind::Unauthenticated),
            _ => response.status_error(),
        });
    }
    let Object(Answer { value }) = response.json()?;
    match value.is_empty() {
        false => Ok(Zeroizing::new(value)),
        true => Err(response.nonsense("no token")),
    }
}
