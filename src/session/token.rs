//! A token, its expiry, and which session it belongs to.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::words::digest;

/// A token and its expiry. `Debug` does not show the token.
#[derive(Clone)]
pub struct Session {
    /// What is sent to the server.
    pub token: Zeroizing<String>,
    /// When it expires by this machine's clock; `None` where that is not known, and it is then
    /// used until it is refused.
    pub expires_at: Option<Timestamp>,
    /// What its provider keeps with it, in words of its own; nothing secret.
    pub beside: Option<String>,
}

impl Session {
    pub(super) fn lasts(&self, now: Timestamp, margin: SignedDuration) -> bool {
        self.expires_at
            .is_none_or(|end| end.duration_since(now) > margin)
    }

    pub(super) fn same_token(&self, other: &Session) -> bool {
        self.token.as_bytes().ct_eq(other.token.as_bytes()).into()
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.same_token(other) && self.expires_at == other.expires_at && self.beside == other.beside
    }
}

impl Eq for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Which session is meant. Only a hash of what identifies it is kept, so that nothing of it can
/// be read where keys are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    id: String,
}

impl SessionKey {
    /// The session of `account` at `base_url`, for `scope`.
    ///
    /// `account` is whatever tells accounts apart: an address, or an API key itself, so that
    /// another key never gets this one's token. `scope` tells apart tokens of different rights.
    pub fn new(provider: &str, base_url: &str, account: &str, scope: &str) -> Self {
        let parts = [provider, base_url.trim_end_matches('/'), account, scope];
        Self {
            id: format!("keyfob-session:{}", digest::of_parts(&parts)),
        }
    }

    /// The name of the session's entry in a cache.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same as a file name.
    pub(super) fn file_name(&self) -> String {
        self.id.replace(':', "-")
    }
}
