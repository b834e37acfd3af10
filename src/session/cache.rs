//! Tokens kept between processes: a list of rings, tried in order.
//!
//! One that is absent, locked, slow or damaged is passed over: it costs a login, never the
//! command. Where none has a token, it is in the memory of [`super`] alone, whose work it also
//! is when to log in.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token::{Session, SessionKey};
use crate::credential;
#[cfg(target_os = "linux")]
use crate::keyring::kernel;
use crate::keyring::{Keyring, Ring, Unreachable};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::shown;

/// The variable that names the rings.
pub const VARIABLE: &str = "KEYFOB_TOKEN_CACHE";

const VERSION: u32 = 1;

/// The tokens that processes of one user share. The default shares none.
#[derive(Clone, Default)]
pub struct TokenCache {
    rings: Vec<Rc<dyn Ring>>,
}

/// What is written for one token.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    key: &'a str,
    token: &'a str,
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<&'a str>,
}

/// What is read back.
#[derive(Deserialize)]
struct Read {
    version: u32,
    key: String,
    token: String,
    expires_at: Option<Timestamp>,
    lifetime: Option<i64>,
    uses: Option<u64>,
    beside: Option<String>,
}

impl TokenCache {
    /// The rings that `env` names: `auto`, which is the default and tries the OS keyring before
    /// the kernel's, `keyring`, `keyutils` or `none`. Touches none of them.
    ///
    /// # Errors
    /// `usage` for an unknown word.
    pub fn from_env(env: &Environment, keyring: &Keyring) -> Result<Self> {
        let keyring: Rc<dyn Ring> = Rc::new(keyring.clone());
        #[cfg(target_os = "linux")]
        let kernel: [Rc<dyn Ring>; 1] = [Rc::new(kernel::Kernel)];
        #[cfg(not(target_os = "linux"))]
        let kernel: [Rc<dyn Ring>; 0] = [];
        let rings = match env.var(VARIABLE).unwrap_or("auto") {
            "auto" => [keyring].into_iter().chain(kernel).collect(),
            "keyring" => vec![keyring],
            "keyutils" => kernel.into(),
            "none" => Vec::new(),
            word => {
                return Err(Error::usage(format!(
                    "{VARIABLE}: {} is no token cache",
                    shown::quoted(word)
                ))
                .hint("token caches are auto, keyring, keyutils and none"));
            }
        };
        Ok(Self { rings })
    }

    /// Where tokens go, found out by asking; the answer may change when a place fails later.
    /// `None` where they stay in this process.
    pub fn place(&self) -> Option<&'static str> {
        let ring = self.rings.iter().find(|ring| ring.is_reachable())?;
        Some(ring.name())
    }

    /// The session kept under `id`, expired or not; a damaged or foreign entry is none.
    pub fn get(&self, id: &str) -> Option<Session> {
        let mut answers = self.rings.iter().map(|ring| ring.get(id));
        let found = answers.find_map(Result::ok)?;
        decode(id, &found?)
    }

    /// Keeps `session` under `key` until it expires; tells where, if there is a place for it. `now`
    /// is what its expiry is measured from.
    pub fn put(&self, key: &SessionKey, session: &Session, now: Timestamp) -> Option<&'static str> {
        let lifetime = session
            .expires_at
            .map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default());
        let entry = encode(key, session)?;
        let mut rings = self.rings.iter();
        let ring = rings.find(|ring| ring.set(key.id(), &entry, lifetime).is_ok())?;
        Some(ring.name())
    }

    /// Forgets what is kept under `id` wherever it may be kept; tells whether there was something.
    /// `place` is the name of the ring that has it, where that is known: it is not there for nobody.
    ///
    /// # Errors
    /// What keeps a ring that may have it from forgetting it, in words; the others have forgotten
    /// it.
    pub fn remove(&self, id: &str, place: Option<&str>) -> Result<bool, String> {
        let mut removed = Ok(false);
        for ring in &self.rings {
            let has_it = place == Some(ring.name());
            removed = match (ring.delete(id), removed) {
                (Ok(there_was), Ok(any)) => Ok(any | there_was),
                (Err(Unreachable::Absent), removed) if !has_it => removed,
                (Ok(_), removed) => removed,
                (Err(Unreachable::Absent), _) => Err(format!(
                    "{} has it, and cannot be reached in this session",
                    ring.name()
                )),
                (Err(why), _) => Err(why.to_string()),
            };
        }
        match place.filter(|place| self.rings.iter().all(|ring| ring.name() != *place)) {
            Some(place) => Err(format!("{VARIABLE} leaves out {place}, which has it")),
            None => removed,
        }
    }
}

fn encode(key: &SessionKey, session: &Session) -> Option<Zeroizing<Vec<u8>>> {
    // Large enough never to grow, so that no copy is left behind: besides the token there are the
    // key (79 bytes), a time (at most 30), two numbers (at most 20 each) and the names.
    let beside = session.beside.as_deref();
    let length = session.token.len() + beside.map_or(0, str::len);
    let mut entry = Zeroizing::new(Vec::with_capacity(2 * length + 320));
    let written = Written {
        version: VERSION,
        key: key.id(),
        token: &session.token,
        expires_at: session.expires_at,
        lifetime: session.lifetime,
        uses: session.uses,
        beside,
    };
    serde_json::to_writer(&mut *entry, &written).ok()?;
    Some(entry)
}

pub(crate) fn decode(id: &str, entry: &[u8]) -> Option<Session> {
    let read: Read = serde_json::from_slice(entry).ok()?;
    let session = Session {
        token: Zeroizing::new(read.token),
        expires_at: read.expires_at,
        lifetime: read.lifetime,
        uses: read.uses,
        beside: read.beside,
    };
    let ours =
        read.version == VERSION && read.key == id && credential::fits_a_header(&session.token);
    ours.then_some(session)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;

    fn key() -> SessionKey {
        SessionKey::new("nosana", "https://example.com", "me", "")
    }

    fn session(token: &str, expires_at: i64) -> Session {
        let token = Zeroizing::new(token.to_owned());
        Session::new(token, Timestamp::from_second(expires_at).ok())
    }

    fn named(word: &str) -> Result<TokenCache> {
        let env = Environment::from_vars([(VARIABLE, word)], "/");
        TokenCache::from_env(&env, &Keyring::default())
    }

    #[test]
    fn caches_are_four_words() {
        for word in ["auto", "keyring", "keyutils", "none", ""] {
            assert!(named(word).is_ok(), "{word}");
        }
        let error = named("disk").err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().unwrap().contains("keyutils"));
    }

    /// Keeps one entry, or nothing at all.
    struct Fake(&'static str, Option<Mutex<Option<Vec<u8>>>>);

    impl Fake {
        fn kept(&self) -> Result<MutexGuard<'_, Option<Vec<u8>>>, Unreachable> {
            let kept = self.1.as_ref().ok_or(Unreachable::Absent)?;
            Ok(kept.lock().unwrap())
        }
    }

    impl Ring for Fake {
        fn name(&self) -> &'static str {
            self.0
        }

        fn is_reachable(&self) -> bool {
            self.1.is_some()
        }

        fn get(&self, _id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
            Ok(self.kept()?.clone().map(Zeroizing::new))
        }

        fn set(&self, _id: &str, entry: &[u8], _for: Option<Duration>) -> Result<(), Unreachable> {
            self.kept()?.replace(entry.to_vec());
            Ok(())
        }

        fn delete(&self, _id: &str) -> Result<bool, Unreachable> {
            Ok(self.kept()?.take().is_some())
        }
    }

    #[test]
    fn rings_are_tried_in_order_and_all_of_them_forget() {
        let rings = [
            Rc::new(Fake("absent", None)),
            Rc::new(Fake("first", Some(Mutex::default()))),
            Rc::new(Fake("second", Some(Mutex::default()))),
        ];
        let cache = TokenCache {
            rings: rings.iter().map(|ring| ring.clone() as _).collect(),
        };
        let kept = session("t", 60);
        assert_eq!(cache.place(), Some("first"));
        cache.put(&key(), &kept, Timestamp::UNIX_EPOCH);
        assert!(rings[2].kept().unwrap().is_none());
        assert_eq!(cache.get(key().id()), Some(kept.clone()));
        // The first place that can be asked has the last word.
        let entry = rings[1].kept().unwrap().take();
        *rings[2].kept().unwrap() = entry;
        assert_eq!(cache.get(key().id()), None);
        cache.put(&key(), &kept, Timestamp::UNIX_EPOCH);
        assert!(cache.remove(key().id(), None).unwrap());
        assert!(rings[1..].iter().all(|ring| ring.kept().unwrap().is_none()));
        assert!(!cache.remove(key().id(), None).unwrap());
        // What is known to be where nobody can look is not forgotten.
        for (place, why) in [
            ("absent", "absent has it, and cannot be reached"),
            ("third", "leaves out third"),
        ] {
            cache.put(&key(), &kept, Timestamp::UNIX_EPOCH);
            let left = cache.remove(key().id(), Some(place)).unwrap_err();
            assert!(left.contains(why), "{left}");
            assert!(rings[1..].iter().all(|ring| ring.kept().unwrap().is_none()));
        }
    }

    #[test]
    fn damaged_and_foreign_entries_are_none() {
        let good = encode(&key(), &session("abc.def", 2_000_000_000)).unwrap();
        assert!(decode(key().id(), &good).is_some());
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
            assert!(decode(key().id(), bad.as_bytes()).is_none(), "{bad}");
        }
        let other = SessionKey::new("nosana", "https://example.com", "you", "");
        assert!(decode(other.id(), &good).is_none());
        // As it was written before tokens had a lifetime and a number of uses.
        assert!(
            !text.contains("lifetime") && !text.contains("uses"),
            "{text}"
        );
    }

    #[test]
    fn a_cache_of_none_keeps_nothing() {
        let cache = named("none").unwrap();
        cache.put(&key(), &session("t", 60), Timestamp::UNIX_EPOCH);
        assert_eq!(cache.place(), None);
        assert_eq!(cache.get(key().id()), None);
        assert!(!cache.remove(key().id(), None).unwrap());
    }

    proptest! {
        #[test]
        fn entries_survive_writing_and_reading(token in "[!-~]{1,300}", expires_at in proptest::option::of(0..4_000_000_000i64), lifetime in proptest::option::of(any::<i64>()), uses in proptest::option::of(any::<u64>()), beside in proptest::option::of("\\PC{0,40}")) {
            let kept = Session {
                token: Zeroizing::new(token),
                expires_at: expires_at.and_then(|at| Timestamp::from_second(at).ok()),
                lifetime,
                uses,
                beside,
            };
            let entry = encode(&key(), &kept).unwrap();
            prop_assert_eq!(decode(key().id(), &entry), Some(kept));
        }
    }
}
