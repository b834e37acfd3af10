//! A plain HTTP client, for testing the servers themselves.

use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, Method, Proxy};
use serde_json::Value;

use super::servers::server::RUNTIME;
use super::wait::PATIENCE;

/// A client that keeps its connections, as the binary does.
pub struct Plain {
    client: Client,
    headers: Vec<(String, String)>,
}

/// What it was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Plain {
    /// A client for plain HTTP.
    pub fn new() -> Self {
        Self::build(|builder| builder)
    }

    /// A client that trusts the authority in `ca_file` alone.
    pub fn trusting(ca_file: &Path) -> Self {
        let pem = std::fs::read(ca_file).expect("the authority's file");
        let authority = Certificate::from_pem(&pem).expect("a certificate");
        Self::build(|builder| builder.tls_certs_only([authority]))
    }

    /// The same through a proxy.
    pub fn proxied(ca_file: Option<&Path>, proxy: &str) -> Self {
        let proxy = Proxy::all(proxy).expect("a proxy's URL");
        Self::build(|builder| match ca_file {
            None => builder.proxy(proxy),
            Some(ca_file) => {
                let pem = std::fs::read(ca_file).expect("the authority's file");
                let authority = Certificate::from_pem(&pem).expect("a certificate");
                builder.proxy(proxy).tls_certs_only([authority])
            }
        })
    }

    fn build(configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        // The first test to get here wins; all install the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        Self {
            client: configure(builder).build().expect("a client"),
            headers: Vec::new(),
        }
    }

    /// Sends this header with every request.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// Sends a request with a body and headers as given.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> reqwest::Result<Reply> {
        RUNTIME.block_on(async {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let mut request = self.client.request(method, url).body(body.into());
            let own = self.headers.iter().map(|(name, value)| (&**name, &**value));
            for (name, value) in own.chain(headers.iter().copied()) {
                request = request.header(name, value);
            }
            let response = request.send().await?;
            Ok(Reply {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.bytes().await?.to_vec(),
            })
        })
    }

    /// GET, which must be answered.
    #[track_caller]
    pub fn get(&self, url: impl AsRef<str>) -> Reply {
        self.send("GET", url.as_ref(), &[], "").expect("an answer")
    }

    /// DELETE without a body, which must be answered.
    #[track_caller]
    pub fn delete(&self, url: impl AsRef<str>) -> Reply {
        self.send("DELETE", url.as_ref(), &[], "")
            .expect("an answer")
    }

    /// Any method with a JSON body, which must be answered.
    #[track_caller]
    pub fn json(&self, method: &str, url: impl AsRef<str>, body: Value) -> Reply {
        let kind = [("content-type", "application/json")];
        self.send(method, url.as_ref(), &kind, body.to_string())
            .expect("an answer")
    }
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }
}
