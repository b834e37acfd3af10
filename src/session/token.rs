//! A token, its expiry, and which session it belongs to.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::words::digest;

/// A token is not begun with when it has no more than this left, or than a third of its time where
/// that is less.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// A token and its expiry. `Debug` does not show the token.
#[derive(Clone)]
pub struct Session {
    /// What is sent to the server.
    pub token: Zeroizing<String>,
    /// When it expires by this machine's clock; `None` where that is not known, and it is then
    /// used until it is refused.
    pub expires_at: Option<Timestamp>,
    /// For how many seconds it was given; `None` where that is not known.
    pub lifetime: Option<i64>,
    /// For how many more requests it is good; `None` is any number.
    pub uses: Option<u64>,
    /// What its provider keeps with it, in words of its own; nothing secret.
    pub beside: Option<String>,
}

impl Session {
    /// A token that is good for any number of requests, with nothing beside it.
    pub fn new(token: Zeroizing<String>, expires_at: Option<Timestamp>) -> Self {
        Self {
            token,
            expires_at,
            lifetime: None,
            uses: None,
            beside: None,
        }
    }

    /// The same, obtained by a request that was begun at `asked_at`. One that had ended by then was
    /// given by another clock, and its end is not known.
    pub(super) fn obtained(self, asked_at: Timestamp) -> Self {
        let lifetime = self.expires_at.map(|end| end.duration_since(asked_at));
        match lifetime {
            Some(lifetime) if !lifetime.is_positive() => Self {
                expires_at: None,
                ..self
            },
            lifetime => Self {
                lifetime: lifetime.map(|lifetime| lifetime.as_secs()),
                ..self
            },
        }
    }

    /// The same with one request less, where it is good for a number of them.
    pub(super) fn taken(self) -> Self {
        Self {
            uses: self.uses.map(|uses| uses.saturating_sub(1)),
            ..self
        }
    }

    /// Whether a request can be begun with it at `now`: it has requests left, and enough time not to
    /// expire on its way to the server.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        let third = |lifetime| SignedDuration::from_secs(lifetime) / 3;
        let margin = self.lifetime.map_or(MARGIN, third).min(MARGIN);
        self.uses != Some(0) && self.lasts(now, margin)
    }

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
        self.same_token(other)
            && self.expires_at == other.expires_at
            && self.lifetime == other.lifetime
            && self.uses == other.uses
            && self.beside == other.beside
    }
}

impl Eq for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expires_at", &self.expires_at)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

/// What the names of entries in a cache begin with.
const PREFIX: &str = "keyfob-session:";

/// Which session is meant. Only a hash of what identifies it is kept, so that nothing of it can
/// be read where keys are listed.
#[derive(Clone, Debug)]
pub struct SessionKey {
    /// Of what identifies the session.
    digest: String,
    /// The same as the name of its entry in a cache.
    id: String,
    provider: String,
    base_url: String,
    /// Stands for the store that uses it.
    owner: Option<String>,
}

impl SessionKey {
    /// The session of `account` at `base_url`, for `scope`.
    ///
    /// `account` is whatever tells accounts apart: an address, or an API key itself, so that
    /// another key never gets this one's token. `scope` tells apart tokens of different rights.
    pub fn new(provider: &str, base_url: &str, account: &str, scope: &str) -> Self {
        let base_url = base_url.trim_end_matches('/');
        let digest = digest::of_parts(&[provider, base_url, account, scope]);
        Self {
            id: format!("{PREFIX}{digest}"),
            digest,
            provider: provider.to_owned(),
            base_url: base_url.to_owned(),
            owner: None,
        }
    }

    /// The same session, as the store of this name uses it.
    pub fn of_store(self, store: &str) -> Self {
        let owner = owner(&self.provider, &self.base_url, store);
        Self {
            owner: Some(owner),
            ..self
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

    /// What identifies it, hashed.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// What stands for its store.
    pub(super) fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}

/// What stands for the store of this name, at this address.
pub(super) fn owner(provider: &str, base_url: &str, store: &str) -> String {
    digest::of_parts(&[provider, base_url.trim_end_matches('/'), store])
}

/// The entry in a cache that no session has: asked for, it tells whether the cache can be.
pub(super) const NONE: &str = "keyfob-session:none";
