//! Signing in: an AppRole, a CI's id token, a pod's token, a user's password or a certificate is
//! exchanged for a token.

use std::cell::RefCell;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::id_token::{self, REQUEST_TOKEN, REQUEST_URL, read_token};
use super::name::Path;
use super::wire;
use super::wrapping::{is_wrapped, unwrap};
use crate::config::StoreConfig;
use crate::credential::{Credential, Means, Source};
use crate::http::{Request, Response};
use crate::keyring::Keyring;
use crate::providers::Given;
use crate::providers::endpoint::Endpoint;
use crate::words::digest;
use crate::words::env::Environment;
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;
use crate::words::shown::{self, ShownPath as _};

/// Where a pod finds its token.
const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Under which name GitLab's documentation has jobs ask for one.
pub const GITLAB: &str = "VAULT_ID_TOKEN";

/// A token as the server gives it.
pub struct Token {
    /// It.
    pub token: Zeroizing<String>,
    /// For how many seconds it is good; 0 where it does not end.
    pub lease: i64,
    /// Whether that can be prolonged.
    pub is_renewable: bool,
    /// For how many requests it is good; `None` is any number.
    pub uses: Option<u64>,
}

impl Token {
    /// The token in an answer to a login or a renewal.
    ///
    /// # Errors
    /// `invalid_data` for an answer that holds none; `unsupported` where another factor is asked for.
    pub fn of(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct Whole {
            auth: Object<Auth>,
        }
        #[derive(Deserialize)]
        struct Auth {
            client_token: String,
            lease_duration: i64,
            #[serde(default)]
            renewable: bool,
            #[serde(default)]
            num_uses: i64,
            #[serde(default)]
            mfa_requirement: Option<serde_json::Value>,
        }
        let Object(Whole { auth: Object(auth) }) = response.json()?;
        let token = Zeroizing::new(auth.client_token);
        if auth.mfa_requirement.is_some() {
            return Err(Error::unsupported(
                "the server asks for another factor, which keyfob cannot give",
            )
            .hint("log in with: bao login; and give keyfob the token"));
        }
        if token.is_empty() || auth.lease_duration < 0 {
            return Err(response.nonsense("no token"));
        }
        Ok(Self {
            token,
            lease: auth.lease_duration,
            is_renewable: auth.renewable,
            uses: u64::try_from(auth.num_uses).ok().filter(|uses| *uses > 0),
        })
    }
}

/// How a store signs in.
pub struct SignIn {
    /// Where the method is mounted.
    mount: String,
    method: How,
    /// What was typed in, in place of what is configured.
    given: RefCell<Given>,
    store: String,
}

enum How {
    AppRole {
        role: Box<Credential>,
        secret: Box<Credential>,
        /// The secret id that was unwrapped: that works once.
        unwrapped: OnceCell<Zeroizing<String>>,
    },
    Jwt {
        role: Option<String>,
        token: Box<Credential>,
        file: Option<std::path::PathBuf>,
        audience: Option<String>,
    },
    Kubernetes {
        role: Option<String>,
        file: std::path::PathBuf,
    },
    Password {
        user: String,
        password: Box<Credential>,
    },
    Certificate {
        role: Option<String>,
        file: String,
    },
}

/// Where a CI's id token comes from.
enum IdToken {
    /// The field of the store, in the environment or by a command.
    Field,
    /// A file.
    File(std::path::PathBuf),
    /// GitHub's runner.
    GitHub {
        url: String,
        token: Zeroizing<String>,
    },
    /// GitLab's variable.
    GitLab(Zeroizing<String>),
}

impl SignIn {
    /// The way that `config` names; `None` for a token that is simply there.
    ///
    /// # Errors
    /// `config` where something is missing that it cannot do without.
    pub fn of(config: &StoreConfig, url: &str) -> Result<Option<Self>> {
        let role = config.text("role").map(str::to_owned);
        let named = config.text("auth").unwrap_or("token");
        let scope: &[&'static str] = &["auth_mount", "role", "username"];
        let credential = |field| Box::new(Credential::new(config, url, field, scope));
        let method =
            match named {
                "approle" => How::AppRole {
                    role: credential("role_id"),
                    secret: credential("secret_id"),
                    unwrapped: OnceCell::new(),
                },
                "jwt" => How::Jwt {
                    role,
                    token: credential("jwt"),
                    file: config.path("jwt_file").map(ToOwned::to_owned),
                    audience: config.text("audience").map(str::to_owned),
                },
                "kubernetes" => How::Kubernetes {
                    role,
                    file: config
                        .path("jwt_file")
                        .map_or_else(|| POD.into(), ToOwned::to_owned),
                },
                "userpass" => How::Password {
                    user: in_a_path(config, "username", config.require("username")?, |path| {
                        match path.segments().count() {
                            1 => None,
                            _ => Some("it holds a slash, and the name of a user does not"),
                        }
                    })?,
                    password: Box::new(Credential::new(config, url, "password", scope).in_a_body()),
                },
                "cert" => {
                    config.require("client_key")?;
                    How::Certificate {
                        role,
                        file: config.require("client_cert")?.to_owned(),
                    }
                }
                _ => return Ok(None),
            };
        let mount = config.text("auth_mount").unwrap_or(named);
        Ok(Some(Self {
            mount: in_a_path(config, "auth_mount", mount.trim_matches('/'), |_| None)?,
            method,
            given: RefCell::default(),
            store: config.name().as_str().to_owned(),
        }))
    }

    /// What tells the accounts of this server apart: whoever signs in as another never gets the token.
    ///
    /// # Errors
    /// `unauthenticated` where there is nothing to sign in with.
    pub async fn account(&self, endpoint: &Endpoint) -> Result<String> {
        let who = match &self.method {
            How::AppRole { role, .. } => self.text(role, &endpoint.means()).await?,
            How::Jwt { .. } => self.id_token(endpoint)?.1,
            _ => Zeroizing::new(self.identity()),
        };
        Ok(self.account_of(&who))
    }

    /// The same as far as it is known without a command.
    pub async fn known_account(&self, endpoint: &Endpoint) -> Option<String> {
        let who = match &self.method {
            How::AppRole { role, .. } => match self.given("role_id") {
                Some(given) => given,
                None => Zeroizing::new(role.peek(&endpoint.means()).await?.to_owned()),
            },
            How::Jwt { .. } => self.id_token(endpoint).ok()?.1,
            _ => Zeroizing::new(self.identity()),
        };
        Some(self.account_of(&who))
    }

    fn account_of(&self, who: &str) -> String {
        let role = match &self.method {
            How::Jwt { role, .. } | How::Kubernetes { role, .. } => role.as_deref(),
            _ => None,
        };
        digest::of_parts(&[self.name(), &self.mount, role.unwrap_or_default(), who])
    }

    fn identity(&self) -> String {
        match &self.method {
            How::Password { user, .. } => user.clone(),
            How::Kubernetes { file, .. } => file.display().to_string(),
            How::Certificate { role, file } => {
                format!("{file}\n{}", role.as_deref().unwrap_or_default())
            }
            How::AppRole { .. } | How::Jwt { .. } => String::new(),
        }
    }

    fn name(&self) -> &'static str {
        match &self.method {
            How::AppRole { .. } => "approle",
            How::Jwt { .. } => "jwt",
            How::Kubernetes { .. } => "kubernetes",
            How::Password { .. } => "userpass",
            How::Certificate { .. } => "cert",
        }
    }

    /// The account as people know it.
    pub fn shown_account(&self) -> Option<String> {
        match &self.method {
            How::Password { user, .. } => Some(user.clone()),
            How::Jwt { role, .. } | How::Kubernetes { role, .. } => role.clone(),
            How::Certificate { role, .. } => role.clone(),
            How::AppRole { .. } => None,
        }
    }

    /// With what it signs in, in words.
    pub fn source(&self, env: &Environment) -> String {
        let configured = |credential: &Credential| credential.configured().map(|it| it.to_string());
        let with = match &self.method {
            How::AppRole { secret, .. } => configured(secret),
            How::Password { password, .. } => configured(password),
            How::Kubernetes { file, .. } => Some(file.shown().exact()),
            How::Certificate { file, .. } => Some(file.clone()),
            How::Jwt { token, file, .. } => match (configured(token), file) {
                (Some(source), _) => Some(source),
                (None, Some(file)) => Some(file.shown().exact()),
                (None, None) if env.var(REQUEST_URL).is_some() => {
                    Some(format!("environment {REQUEST_URL}"))
                }
                (None, None) => env.var(GITLAB).map(|_| format!("environment {GITLAB}")),
            },
        };
        match with {
            Some(with) => format!("{} at {} with {with}", self.name(), self.mount),
            None => format!("{} at {}", self.name(), self.mount),
        }
    }

    // ---- what a person gives ----

    /// Takes what was typed in.
    ///
    /// # Errors
    /// `usage` for what this way does not take.
    pub fn take(&self, given: &Given) -> Result<()> {
        self.given.replace(given.clone());
        Ok(())
    }

    fn given(&self, field: &str) -> Option<Zeroizing<String>> {
        let given = self.given.borrow();
        let text = given.get(field)?.expose_str()?;
        Some(Zeroizing::new(text.to_owned()))
    }

    /// Keeps what was typed in.
    pub fn keep(&self, keyring: &Keyring) -> Result<()> {
        for credential in self.credentials() {
            if let Some(given) = self.given(credential.field()) {
                credential.keep(keyring, &given)?;
            }
        }
        Ok(())
    }

    /// Forgets what is kept; says in words what that was.
    pub fn forget(&self, keyring: &Keyring) -> Result<Vec<String>> {
        let mut forgotten = Vec::new();
        for credential in self.credentials() {
            forgotten.extend(credential.forget(keyring)?);
        }
        Ok(forgotten)
    }

    fn credentials(&self) -> Vec<&Credential> {
        match &self.method {
            How::AppRole { role, secret, .. } => vec![role, secret],
            How::Jwt { token, .. } => vec![token],
            How::Password { password, .. } => vec![password],
            How::Kubernetes { .. } | How::Certificate { .. } => Vec::new(),
        }
    }

    async fn text(&self, credential: &Credential, means: &Means<'_>) -> Result<Zeroizing<String>> {
        match self.given(credential.field()) {
            Some(given) => Ok(given),
            None => Ok(Zeroizing::new(credential.get(means).await?.to_owned())),
        }
    }

    // ---- signing in ----

    /// Obtains a token; `send` sends a request in nobody's name.
    ///
    /// # Errors
    /// `unauthenticated` where there is nothing to sign in with, or the server refuses it.
    pub async fn log_in(
        &self,
        endpoint: &Endpoint,
        send: impl AsyncFn(Request) -> Result<Response>,
    ) -> Result<Token> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            role_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            secret_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            role: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            jwt: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            password: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
        }
        let means = endpoint.means();
        let mut body = Body {
            role_id: None,
            secret_id: None,
            role: None,
            jwt: None,
            password: None,
            name: None,
        };
        let (mut first, mut second) = (Zeroizing::default(), Zeroizing::default());
        let mut user = None;
        match &self.method {
            How::AppRole {
                role,
                secret,
                unwrapped,
            } => {
                first = self.text(role, &means).await?;
                body.role_id = Some(&first);
                if let Some(found) = self.secret_id(secret, &means).await? {
                    second = match is_wrapped(&found) {
                        true => unwrapped
                            .get_or_try_init(|| unwrap(endpoint, &found))
                            .await?
                            .clone(),
                        false => found,
                    };
                    body.secret_id = Some(&second);
                }
            }
            How::Jwt { role, .. } => {
                first = self.jwt(endpoint).await?;
                body.role = role.as_deref();
                body.jwt = Some(&first);
            }
            How::Kubernetes { role, file } => {
                first = read_token(file)?;
                body.role = role.as_deref();
                body.jwt = Some(&first);
            }
            How::Password {
                user: name,
                password,
            } => {
                first = self.text(password, &means).await?;
                body.password = Some(&first);
                user = Some(name.as_str());
            }
            How::Certificate { role, .. } => body.name = role.as_deref(),
        }
        let path = ["v1", "auth"].into_iter().chain(self.mount.split('/'));
        let path: Vec<&str> = path.chain(["login"]).chain(user).collect();
        let mut request =
            Request::new("sign in", Method::POST, endpoint.url(&path)?).json(&body)?;
        for secret in [&first, &second] {
            if !secret.is_empty() {
                request = request.sensitive(secret);
            }
        }
        let response = send(request).await?;
        match response.status {
            status if response.is_success() && status != StatusCode::NO_CONTENT => {
                Token::of(&response)
            }
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let hint = match response.status {
                    StatusCode::FORBIDDEN => format!(
                        "no method may be mounted at auth/{}, the namespace may be another, or the account is locked for a while",
                        self.mount
                    ),
                    _ => format!(
                        "check what keyfob status -s {} says it signs in with",
                        self.store
                    ),
                };
                Err(response.error(Kind::Unauthenticated).hint(hint))
            }
            _ => Err(wire::failure(&response)),
        }
    }

    /// The secret id; `None` where the role may need none.
    async fn secret_id(
        &self,
        secret: &Credential,
        means: &Means<'_>,
    ) -> Result<Option<Zeroizing<String>>> {
        if self.given(secret.field()).is_none() && secret.source(means.keyring).is_none() {
            return Ok(None);
        }
        self.text(secret, means).await.map(Some)
    }

    /// Where the CI's id token comes from, and what tells it from another's.
    fn id_token(&self, endpoint: &Endpoint) -> Result<(IdToken, Zeroizing<String>)> {
        let How::Jwt {
            token,
            file,
            audience,
            ..
        } = &self.method
        else {
            return Err(Error::failed("no id token is asked for"));
        };
        let env = &endpoint.services.env;
        let config = &endpoint.config;
        let text = |field: &str| config.text(field).unwrap_or_default();
        match (token.configured(), file) {
            (Some(Source::Environment(_)), _) => {
                return Ok((IdToken::Field, Zeroizing::new(text("jwt").to_owned())));
            }
            (_, Some(file)) => {
                let what = Zeroizing::new(file.display().to_string());
                return Ok((IdToken::File(file.clone()), what));
            }
            (Some(_), None) => {
                let what = format!("{}\n{}", text("jwt_command"), text("jwt"));
                return Ok((IdToken::Field, Zeroizing::new(what)));
            }
            (None, None) => {}
        }
        if let (Some(url), Some(token)) = (env.var(REQUEST_URL), env.var(REQUEST_TOKEN)) {
            let what = format!("{url}\n{}", audience.as_deref().unwrap_or_default());
            let (url, token) = (url.to_owned(), Zeroizing::new(token.to_owned()));
            return Ok((IdToken::GitHub { url, token }, Zeroizing::new(what)));
        }
        if let Some(token) = env.var(GITLAB) {
            let token = Zeroizing::new(token.to_owned());
            return Ok((IdToken::GitLab(token.clone()), token));
        }
        Err(Error::unauthenticated("there is no id token to sign in with").hint(format!(
            "set {}, jwt_file or jwt_command; in GitHub's Actions give the job \"permissions: id-token: write\", in GitLab's CI an id token called {GITLAB}",
            crate::config::environment::variable(config.name(), "jwt")
        )))
    }

    async fn jwt(&self, endpoint: &Endpoint) -> Result<Zeroizing<String>> {
        let How::Jwt {
            token, audience, ..
        } = &self.method
        else {
            return Err(Error::failed("no id token is asked for"));
        };
        match self.id_token(endpoint)?.0 {
            IdToken::Field => self.text(token, &endpoint.means()).await,
            IdToken::File(path) => read_token(&path),
            IdToken::GitLab(token) => Ok(token),
            IdToken::GitHub { url, token } => {
                id_token::ask_github(endpoint, &url, &token, audience.as_deref()).await
            }
        }
    }
}

/// `text` of this field, which is a part of the address that is asked.
///
/// # Errors
/// `config` where it would lead elsewhere, or for the reason that `refuses` has.
fn in_a_path(
    config: &StoreConfig,
    field: &str,
    text: &str,
    refuses: impl Fn(&Path) -> Option<&'static str>,
) -> Result<String> {
    let why = match Path::new(text) {
        Ok(path) => refuses(&path).map(|why| format!("{}: {why}", shown::quoted(text))),
        Err(error) => Some(error.message().to_owned()),
    };
    match why {
        None => Ok(text.to_owned()),
        Some(why) => Err(Error::config(why)
            .context(format!("{field} of {}", config.name()))
            .store(config.name().as_str())),
    }
}

/// How the user signs in where there is no token to be had.
pub fn other_ways(config: &StoreConfig) -> String {
    let variable = crate::config::environment::variable(config.name(), "auth");
    format!(
        "or sign in in another way: set {variable} to approle, jwt, kubernetes, userpass or cert \
         (keyfob man stores tells what each wants)"
    )
}
