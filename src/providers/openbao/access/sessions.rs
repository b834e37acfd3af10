//! Sessions: signing in, a token that is renewed while it is used, and logging out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};

use super::beside::NO_TOKEN;
use super::{Access, Who};
use crate::http::{Request, Response};
use crate::providers::openbao::sign_in::{SignIn, Token, other_ways};
use crate::providers::openbao::wire::{self, Denial};
use crate::providers::{Account, Given};
use crate::session::{Session, SessionKey};
use crate::words::error::{Error, Kind, Result};

/// An empty body.
const EMPTY: BTreeMap<&str, &str> = BTreeMap::new();

/// A token of another command that has no more than this left is renewed, whatever its lease was.
const SHORT: SignedDuration = SignedDuration::from_secs(60);

/// What a renewal must gain to be one: a token at the end of its days is given the same end again.
const GAIN: SignedDuration = SignedDuration::from_secs(5);

impl Access {
    /// Signs in; what the server says beside the token is noted.
    pub(super) async fn log_in(&self) -> Result<Session> {
        let Some(sign_in) = &self.sign_in else {
            return Err(Error::unauthenticated("there is no way to sign in"));
        };
        let asked_at = self.services().sessions.now();
        let send = async |request: Request| -> Result<Response> {
            let sent = self
                .endpoint
                .send(&self.decorated(request.repeatable()))
                .await;
            let response = sent.map_err(|error| self.explained(error))?;
            self.hear(&response);
            Ok(response)
        };
        let token = sign_in.log_in(&self.endpoint, send).await?;
        Ok(self.session(token, asked_at))
    }

    fn session(&self, token: Token, asked_at: Timestamp) -> Session {
        let lease = Some(token.lease).filter(|lease| *lease > 0);
        // Of a number of requests each renewal would be one.
        let is_renewed = token.is_renewable && token.uses.is_none();
        self.notes.borrow_mut().lease = lease.filter(|_| is_renewed);
        self.renewed.set(false);
        self.is_fresh.set(true);
        let ends =
            lease.and_then(|lease| asked_at.checked_add(SignedDuration::from_secs(lease)).ok());
        Session {
            uses: token.uses,
            beside: self.written(),
            ..Session::new(token.token, ends)
        }
    }

    /// Renews the session's token, once a command: when less than a third of its time is left, or so
    /// little that the next command would find it as good as ended.
    pub(super) async fn renew(&self, key: &SessionKey) {
        let sessions = &self.services().sessions;
        let Some(lease) = self.notes.borrow().lease.filter(|_| !self.renewed.get()) else {
            return;
        };
        let Some(session) = sessions.peek(key) else {
            return;
        };
        let now = sessions.now();
        let left = session.expires_at.map(|end| end.duration_since(now));
        let third = SignedDuration::from_secs(lease / 3);
        // One that was obtained just now is no better for being renewed.
        let enough = match self.is_fresh.get() {
            true => third,
            false => third.max(SHORT),
        };
        if left.is_none_or(|left| left > enough) {
            return;
        }
        self.renewed.set(true);
        let request = self
            .url(["auth", "token", "renew-self"])
            .and_then(|url| Request::new("renew the token", Method::POST, url).json(&EMPTY));
        let Ok(request) = request else { return };
        let request = self.decorated(request.repeatable());
        let answered = self.endpoint.send_as(&session.token, request).await;
        let renewed = match &answered {
            Ok(response) if response.is_success() => Token::of(response).ok(),
            _ => None,
        };
        let ends = renewed.and_then(|token| {
            let lease = SignedDuration::from_secs(token.lease);
            now.checked_add(lease).ok()
        });
        match ends {
            Some(end)
                if session
                    .expires_at
                    .is_none_or(|old| end.duration_since(old) > GAIN) =>
            {
                sessions.replace(
                    key,
                    Session {
                        expires_at: Some(end),
                        ..session
                    },
                )
            }
            // It is used until it ends, and another is obtained then.
            _ => self.notes.borrow_mut().lease = None,
        }
    }

    /// Signs in anew, or proves the token that there is.
    pub async fn log_in_anew(&self) -> Result<()> {
        let who = self.who().await?;
        let key = self.key(&who).await?;
        self.load(&key);
        match who {
            Who::Session => {
                let sessions = &self.services().sessions;
                // What cannot be forgotten cannot be read either, so a new one is obtained.
                let _ = sessions.forget(&key);
                let deadline = self.services().http.deadline().end();
                let log_in = async || self.log_in().await;
                sessions.get_or_login(&key, deadline, log_in).await?;
                Ok(())
            }
            Who::Given(token) => self.prove(&token).await,
        }
    }

    /// Proves `token` with a request: one that may not look itself up is good all the same.
    pub async fn prove(&self, token: &str) -> Result<()> {
        let response = self.ask_about(token).await?;
        match response.status {
            StatusCode::FORBIDDEN => match wire::denial(&response) {
                Denial::Policy => Ok(()),
                Denial::Token => Err(response.error(Kind::Unauthenticated)),
                _ => Err(wire::failure(&response)),
            },
            _ if response.is_success() => wire::looked_up(&response),
            _ => Err(wire::failure(&response)),
        }
    }

    /// Keeps `given` in the OS keyring once it is proved.
    pub async fn log_in_with(&self, given: &Given) -> Result<()> {
        if let Some(token) = given.get("token") {
            let token = token.expose_str().unwrap_or_default();
            self.prove(token).await?;
            return self.token.keep(&self.services().keyring, token);
        }
        let Some(sign_in) = &self.sign_in else {
            return Err(Error::usage("this store is logged in to with a token")
                .hint(other_ways(&self.endpoint.config)));
        };
        sign_in.take(given)?;
        self.log_in_anew().await?;
        sign_in.keep(&self.services().keyring)
    }

    /// What is known without asking the server anything.
    pub async fn account(&self) -> Result<Account> {
        let key = match &self.sign_in {
            Some(sign_in) if self.token.configured().is_none() => {
                let account = sign_in.known_account(&self.endpoint).await;
                let namespace = self.namespace.as_deref().unwrap_or_default();
                account.map(|account| self.endpoint.session_key(&account, namespace))
            }
            _ => None,
        };
        Ok(Account {
            credential: self.source(),
            account: self.sign_in.as_ref().and_then(SignIn::shown_account),
            ..self.endpoint.account(key.as_ref())
        })
    }

    /// Revokes the session's token and forgets it, and whatever is kept in the OS keyring. A token
    /// that was given is its giver's.
    pub async fn log_out(&self) -> Result<Vec<String>> {
        let mut forgotten = Vec::new();
        if let Some(sign_in) = &self.sign_in {
            let key = sign_in.known_account(&self.endpoint).await.map(|account| {
                let namespace = self.namespace.as_deref().unwrap_or_default();
                self.endpoint.session_key(&account, namespace)
            });
            // Whatever they were obtained with, which may be gone by now.
            let sessions = self.endpoint.sessions(key.as_ref());
            let cached = match &key {
                Some(key) => self.endpoint.forget(key),
                None => self.endpoint.forget_used(),
            };
            let tokens = sessions.iter().filter(|it| it.token.as_str() != NO_TOKEN);
            for session in tokens {
                self.revoke(session).await;
            }
            forgotten.extend(cached?);
            forgotten.extend(sign_in.forget(&self.services().keyring)?);
        }
        if let Ok(Who::Given(token)) = self.who().await {
            let key = self.key(&Who::Given(token)).await?;
            // What is beside a token is nobody's credential.
            let _ = self.services().sessions.forget(&key);
        }
        forgotten.extend(self.token.forget(&self.services().keyring)?);
        Ok(forgotten)
    }

    async fn revoke(&self, session: &Session) {
        // It ended with its last request.
        if session.uses == Some(0) {
            return;
        }
        let request = self
            .url(["auth", "token", "revoke-self"])
            .and_then(|url| Request::new("revoke the token", Method::POST, url).json(&EMPTY));
        let Ok(request) = request else { return };
        let request = self.decorated(request.repeatable());
        let sent = self.endpoint.send_as(&session.token, request).await;
        let why = match sent {
            Ok(response) if response.is_success() => return,
            // It is gone.
            Ok(response) if wire::is_token_rejection(&response) => return,
            Ok(response) => wire::failure(&response),
            Err(error) => error,
        };
        (self.services().notice)(&format!(
            "the token is forgotten here, and good until it ends: {}",
            why.message()
        ));
    }
}
