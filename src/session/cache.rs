//! Tokens kept between processes: in the OS keyring, in the kernel's, or nowhere.
//!
//! A cache that is absent, locked, slow or damaged is an empty one: it costs a login, never the
//! command. When to log in is [`super`]'s work.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token::{Session, SessionKey};
use crate::credential;
use crate::keyring::{Keyring, kernel};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};

/// The variable that holds the [`Policy`].
pub const POLICY_VARIABLE: &str = "KEYFOB_TOKEN_CACHE";

const VERSION: u32 = 1;

/// How long the kernel keeps a token that does not say when it expires.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(3600);

/// Where tokens may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// In the OS keyring; where there is none that can be reached, in the kernel's.
    #[default]
    Auto,
    /// In the OS keyring or not at all.
    Keyring,
    /// In the kernel's keyring (Linux) or not at all.
    Keyutils,
    /// Not at all.
    None,
}

impl Policy {
    /// The policy that `env` sets; without one, [`Policy::Auto`].
    ///
    /// # Errors
    /// `usage` for an unknown word.
    pub fn from_env(env: &Environment) -> Result<Self> {
        env.var(POLICY_VARIABLE).map_or(Ok(Self::Auto), |word| {
            word.parse()
                .map_err(|error: Error| error.context(POLICY_VARIABLE))
        })
    }

    fn tries_keyring(self) -> bool {
        matches!(self, Policy::Auto | Policy::Keyring)
    }

    fn tries_kernel(self) -> bool {
        matches!(self, Policy::Auto | Policy::Keyutils)
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "auto" => Ok(Policy::Auto),
            "keyring" => Ok(Policy::Keyring),
            "keyutils" => Ok(Policy::Keyutils),
            "none" => Ok(Policy::None),
            _ => Err(Error::usage(format!("{word:?} is no token cache"))
                .hint("token caches are auto, keyring, keyutils and none")),
        }
    }
}

/// Where tokens are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The OS keyring.
    Keyring,
    /// The kernel's keyring of this user.
    Kernel,
    /// The memory of this process alone.
    Memory,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Keyring => "the OS keyring",
            Place::Kernel => "the kernel's keyring",
            Place::Memory => "the memory of this command alone",
        })
    }
}

/// The tokens that processes of one user share.
#[derive(Clone, Debug)]
pub struct TokenCache {
    policy: Policy,
    keyring: Keyring,
}

/// What is written for one token.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    key: &'a str,
    token: &'a str,
    expires_at: Option<Timestamp>,
}

/// What is read back.
#[derive(Deserialize)]
struct Read {
    version: u32,
    key: String,
    token: String,
    expires_at: Option<Timestamp>,
}

impl TokenCache {
    /// A cache by `policy`; making it touches nothing.
    pub fn new(policy: Policy, keyring: Keyring) -> Self {
        Self { policy, keyring }
    }

    /// Where tokens go, found out by asking; the answer may change when the keyring fails later.
    pub fn place(&self) -> Place {
        if self.policy.tries_keyring() && self.keyring.probe().reachable() {
            Place::Keyring
        } else if self.policy.tries_kernel() && kernel::available() {
            Place::Kernel
        } else {
            Place::Memory
        }
    }

    /// The session kept under `key`, expired or not; a damaged or foreign entry is none.
    pub fn get(&self, key: &SessionKey) -> Option<Session> {
        if self.policy.tries_keyring()
            && let Ok(found) = self.keyring.get(key.id())
        {
            return decode(key, &found?);
        }
        if self.policy.tries_kernel()
            && let Ok(found) = kernel::get(key.id())
        {
            return decode(key, &found?);
        }
        None
    }

    /// Keeps `session` under `key` until it expires, where there is a place for it. `now` is what
    /// its expiry is measured from.
    pub fn put(&self, key: &SessionKey, session: &Session, now: Timestamp) -> Place {
        let Some(entry) = encode(key, session) else {
            return Place::Memory;
        };
        if self.policy.tries_keyring() && self.keyring.set(key.id(), &entry).is_ok() {
            return Place::Keyring;
        }
        if self.policy.tries_kernel() {
            let lifetime = session.expires_at.map_or(UNKNOWN_LIFETIME, |end| {
                Duration::try_from(end.duration_since(now)).unwrap_or_default()
            });
            if kernel::set(key.id(), &entry, lifetime).is_ok() {
                return Place::Kernel;
            }
        }
        Place::Memory
    }

    /// Forgets what is kept under `key` wherever it may be kept; tells whether there was
    /// something.
    pub fn remove(&self, key: &SessionKey) -> bool {
        let in_keyring =
            self.policy.tries_keyring() && self.keyring.delete(key.id()).unwrap_or(false);
        let in_kernel = self.policy.tries_kernel() && kernel::delete(key.id()).unwrap_or(false);
        in_keyring || in_kernel
    }
}

fn encode(key: &SessionKey, session: &Session) -> Option<Zeroizing<Vec<u8>>> {
    // Large enough never to grow, so that no copy is left behind: besides the token there are the
    // key (79 bytes), a time (at most 30) and the names.
    let mut entry = Zeroizing::new(Vec::with_capacity(2 * session.token.len() + 256));
    let written = Written {
        version: VERSION,
        key: key.id(),
        token: &session.token,
        expires_at: session.expires_at,
    };
    serde_json::to_writer(&mut *entry, &written).ok()?;
    Some(entry)
}

fn decode(key: &SessionKey, entry: &[u8]) -> Option<Session> {
    let read: Read = serde_json::from_slice(entry).ok()?;
    let session = Session {
        token: Zeroizing::new(read.token),
        expires_at: read.expires_at,
    };
    let ours = read.version == VERSION
        && read.key == key.id()
        && credential::fits_a_header(&session.token);
    ours.then_some(session)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;

    fn key() -> SessionKey {
        SessionKey::new("nosana", "https://example.com", "me", "")
    }

    fn session(token: &str, expires_at: i64) -> Session {
        Session {
            token: Zeroizing::new(token.to_owned()),
            expires_at: Timestamp::from_second(expires_at).ok(),
        }
    }

    #[test]
    fn policies_are_four_words() {
        for (word, policy) in [
            ("auto", Policy::Auto),
            ("keyring", Policy::Keyring),
            ("keyutils", Policy::Keyutils),
            ("none", Policy::None),
        ] {
            let env = Environment::from_vars([(POLICY_VARIABLE, word)], "/");
            assert_eq!(Policy::from_env(&env).unwrap(), policy);
        }
        let unset = Environment::from_vars([(POLICY_VARIABLE, "")], "/");
        assert_eq!(Policy::from_env(&unset).unwrap(), Policy::Auto);
        let bad = Environment::from_vars([(POLICY_VARIABLE, "disk")], "/");
        let error = Policy::from_env(&bad).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().unwrap().contains("keyutils"));
    }

    #[test]
    fn damaged_and_foreign_entries_are_none() {
        let good = encode(&key(), &session("abc.def", 2_000_000_000)).unwrap();
        assert!(decode(&key(), &good).is_some());
        let text = std::str::from_utf8(&good).unwrap();
        for bad in [
            String::new(),
            "x".into(),
            text[..text.len() - 1].into(),
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("abc.def", "abc\\r\\nHost: evil"),
            text.replace("abc.def", ""),
            text.replace("abc.def\"", "abc.def\",\"token\":\"again\""),
            text.replace("\"2033", "\"20x3"),
        ] {
            assert!(decode(&key(), bad.as_bytes()).is_none(), "{bad}");
        }
        let other = SessionKey::new("nosana", "https://example.com", "you", "");
        assert!(decode(&other, &good).is_none());
    }

    #[test]
    fn a_cache_of_none_keeps_nothing() {
        let cache = TokenCache::new(Policy::None, Keyring::default());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(cache.put(&key(), &session("t", 60), now), Place::Memory);
        assert_eq!(cache.place(), Place::Memory);
        assert_eq!(cache.get(&key()), None);
        assert!(!cache.remove(&key()));
    }

    proptest! {
        #[test]
        fn entries_survive_writing_and_reading(token in "[!-~]{1,300}", expires_at in proptest::option::of(0..4_000_000_000i64)) {
            let kept = Session {
                token: Zeroizing::new(token),
                expires_at: expires_at.and_then(|at| Timestamp::from_second(at).ok()),
            };
            let entry = encode(&key(), &kept).unwrap();
            prop_assert_eq!(decode(&key(), &entry), Some(kept));
        }
    }
}
