//! Sessions: a token obtained once and used until it expires or is refused, by all processes.
//!
//! What logging in means is the provider's business, handed in as a closure; where tokens are
//! kept, the [`cache`]'s.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use self::cache::TokenCache;
pub use self::token::{Session, SessionKey};
use crate::keyring::Unreachable;
use crate::state::lock::Lock;
use crate::words::error::Result;

pub mod cache;
pub mod jwt;
mod lock;
mod token;

/// A token is not begun with when it has no more than this left, so that it does not expire on
/// its way to the server.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// The time now; tests have their own.
pub type Clock = Rc<dyn Fn() -> Timestamp>;

/// All sessions of this process. Clones share what is known.
#[derive(Clone)]
pub struct Sessions {
    cache: TokenCache,
    locks: Option<PathBuf>,
    clock: Clock,
    known: Rc<RefCell<HashMap<SessionKey, Known>>>,
}

/// What this process knows of one session.
#[derive(Clone, Default)]
struct Known {
    session: Option<Session>,
    /// Held while logging in, so that tasks of this process do it one after the other.
    turn: Rc<tokio::sync::Mutex<()>>,
}

impl Sessions {
    /// Sessions kept in `cache`, with locks in the folder `locks` (without it, processes that
    /// start together may each log in).
    pub fn new(cache: TokenCache, locks: Option<PathBuf>) -> Self {
        Self::with_clock(cache, locks, Rc::new(Timestamp::now))
    }

    /// The same with a clock of the caller's.
    pub fn with_clock(cache: TokenCache, locks: Option<PathBuf>, clock: Clock) -> Self {
        Self {
            cache,
            locks,
            clock,
            known: Rc::default(),
        }
    }

    /// The time by the clock that expiries are measured with.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Where tokens outlive this process, in words; `None` where they do not.
    pub fn shared_place(&self) -> Option<&'static str> {
        self.cache.place()
    }

    /// The session under `key`: the known or cached one while it lasts more than 30 s, else the
    /// one that `login` obtains. Of processes and tasks that need one together, one logs in and
    /// the others wait for it, though not longer than half the time until `deadline`.
    ///
    /// # Errors
    /// Whatever `login` fails with.
    pub async fn get_or_login(
        &self,
        key: &SessionKey,
        deadline: Option<Instant>,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        let usable = |session: &Session| session.lasts(self.now(), MARGIN);
        if let Some(session) = self
            .remembered(key)
            .or_else(|| self.cache.get(key))
            .filter(usable)
        {
            return Ok(self.remember(key, session));
        }
        self.obtain(key, deadline, usable, login).await
    }

    /// The session to go on with after the server refused `rejected`: the one that another task
    /// or process has obtained since, else the one that `login` obtains. Callers renew once; a
    /// second refusal is the server's last word.
    ///
    /// # Errors
    /// Whatever `login` fails with.
    pub async fn renew(
        &self,
        key: &SessionKey,
        rejected: &Session,
        deadline: Option<Instant>,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        let usable =
            |session: &Session| !session.same_token(rejected) && session.lasts(self.now(), MARGIN);
        self.obtain(key, deadline, usable, login).await
    }

    /// Keeps `session` under `key` in place of what there is: what its provider keeps with it, or its
    /// expiry, has changed.
    pub fn keep(&self, key: &SessionKey, session: Session) {
        self.cache.put(key, &session, self.now());
        self.remember(key, session);
    }

    /// Forgets the session in this process and in the cache; tells whether there was one.
    ///
    /// # Errors
    /// As [`TokenCache::remove`].
    pub fn forget(&self, key: &SessionKey) -> Result<bool, Unreachable> {
        let known = self.known(key, |known| known.session.take());
        Ok(self.cache.remove(key)? || known.is_some())
    }

    /// The session under `key` that has not expired, without logging in.
    pub fn peek(&self, key: &SessionKey) -> Option<Session> {
        self.remembered(key)
            .or_else(|| self.cache.get(key))
            .filter(|session| session.lasts(self.now(), SignedDuration::ZERO))
    }

    /// Takes turns with tasks and processes, looks again, and logs in if it still must.
    async fn obtain(
        &self,
        key: &SessionKey,
        deadline: Option<Instant>,
        usable: impl Fn(&Session) -> bool,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        let turn = self.known(key, |known| Rc::clone(&known.turn));
        let _turn = turn.lock().await;
        if let Some(session) = self.remembered(key).filter(&usable) {
            return Ok(session);
        }
        let _lock = self.lock(key, deadline).await;
        match self.cache.get(key) {
            Some(session) if usable(&session) => return Ok(self.remember(key, session)),
            // Should the login fail, the next process need not try this one.
            Some(_) => {
                let _ = self.cache.remove(key);
            }
            None => {}
        }
        let session = login().await?;
        self.cache.put(key, &session, self.now());
        Ok(self.remember(key, session))
    }

    async fn lock(&self, key: &SessionKey, deadline: Option<Instant>) -> Option<Lock> {
        let folder = self.locks.as_deref()?;
        // Where there is nothing to share, there is nothing to wait for.
        self.cache.place()?;
        lock::take(folder, &key.file_name(), deadline).await
    }

    fn remembered(&self, key: &SessionKey) -> Option<Session> {
        self.known(key, |known| known.session.clone())
    }

    fn remember(&self, key: &SessionKey, session: Session) -> Session {
        self.known(key, |known| known.session = Some(session.clone()));
        session
    }

    fn known<T>(&self, key: &SessionKey, look: impl FnOnce(&mut Known) -> T) -> T {
        look(self.known.borrow_mut().entry(key.clone()).or_default())
    }
}

#[cfg(test)]
mod tests;
