//! Secret ids that are wrapped: what is given is a token that opens the wrapping, once.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::wire;
use crate::http::Request;
use crate::providers::endpoint::Endpoint;
use crate::words::error::{Kind, Result};
use crate::words::object::Object;

/// A secret that was wrapped is sent as the token that opens it; these begin so.
const WRAPPED: [&str; 5] = ["s.", "b.", "hvs.", "hvb.", "sbs."];

/// The shortest token.
const TOKEN: usize = 20;

/// Whether a secret id is the token that opens the wrapping around it.
pub fn is_wrapped(text: &str) -> bool {
    let is_token = |prefix: &str| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            rest.len() >= TOKEN && rest.bytes().all(plain)
        })
    };
    WRAPPED.iter().any(|prefix| is_token(prefix))
}

/// Opens the wrapping around a secret id, which works once.
pub async fn unwrap(endpoint: &Endpoint, token: &str) -> Result<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Whole {
        data: Object<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        secret_id: String,
    }
    let url = endpoint.url(&["v1", "sys", "wrapping", "unwrap"])?;
    let empty = BTreeMap::<&str, &str>::new();
    // Not repeatable: a second one would be refused for the first.
    let request = Request::new("unwrap the secret id", Method::POST, url)
        .may_be_referred()
        .json(&empty)?;
    let response = endpoint.send_as(token, request).await?;
    if !response.is_success() {
        return Err(match response.status {
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => response
                .error(Kind::Unauthenticated)
                .hint("a wrapped secret id is opened once, and soon: where this is the first time, somebody else has opened it; make another"),
            _ => wire::failure(&response),
        });
    }
    let Object(Whole {
        data: Object(Inner { secret_id }),
    }) = response.json()?;
    Ok(Zeroizing::new(secret_id))
}

#[cfg(test)]
mod tests {
    use super::is_wrapped;

    #[test]
    fn a_wrapped_secret_id_is_a_token() {
        for token in [
            "s.3C0aolbwMm4WwtmZ3hWMrpqV",
            "hvs.CAESIJlU9JMYEhOPYv4igdhm9PnZDrabYTobQ4Ymnlq1qY",
            "s.3C0aolbwMm4WwtmZ3hWMrpqV.ns1id",
        ] {
            assert!(is_wrapped(token), "{token}");
        }
        for id in [
            "99346397-db77-4407-94e5-e76312f5f459",
            "s.short",
            "s.with a blank in it, and long",
            "",
        ] {
            assert!(!is_wrapped(id), "{id}");
        }
    }
}
