//! Sessions: a token, when it expires, and whose it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::cache::Policy;
use super::keyring::Keyring;
use crate::env::Folders;
use crate::error::Result;
use crate::http::Deadline;

/// What a session is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The provider.
    pub provider: String,
    /// The server it belongs to.
    pub base_url: String,
    /// Whose it is.
    pub account: String,
    /// What it is limited to; empty where it is not.
    pub scope: String,
}

/// A token and when it expires.
#[derive(Clone)]
pub struct Session {
    /// The token.
    pub token: Zeroizing<String>,
    /// When it expires, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl Session {
    /// A session made of a JSON web token.
    pub fn from_jwt(token: String) -> Self {
        Self {
            token: Zeroizing::new(token),
            expires_at: None,
        }
    }
}

/// The sessions of this process.
pub struct Sessions {
    known: Mutex<HashMap<SessionKey, Session>>,
}

impl Sessions {
    /// No sessions yet.
    pub fn new(
        _policy: Policy,
        _keyring: Keyring,
        _folders: &Folders,
        _deadline: Arc<Deadline>,
    ) -> Self {
        Self {
            known: Mutex::default(),
        }
    }

    /// The session known for `key`, else the one that `login` gives.
    pub async fn get_or_login(
        &self,
        key: &SessionKey,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        if let Some(session) = self.peek(key) {
            return Ok(session);
        }
        let session = login().await?;
        self.lock().insert(key.clone(), session.clone());
        Ok(session)
    }

    /// A session in place of `rejected`.
    pub async fn renew(
        &self,
        key: &SessionKey,
        _rejected: &Session,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        self.forget(key);
        self.get_or_login(key, login).await
    }

    /// Forgets the session of `key`; tells whether there was one.
    pub fn forget(&self, key: &SessionKey) -> bool {
        self.lock().remove(key).is_some()
    }

    /// The session known for `key`, without logging in.
    pub fn peek(&self, key: &SessionKey) -> Option<Session> {
        self.lock().get(key).cloned()
    }

    /// Where tokens are kept, in words.
    pub fn cache_name(&self) -> &str {
        "memory"
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
