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
use self::notes::Notes;
pub use self::token::{Session, SessionKey};
use crate::state::lock::Lock;
use crate::words::error::Result;

pub mod cache;
pub mod jwt;
mod lock;
mod notes;
mod token;

/// The time now; tests have their own.
pub type Clock = Rc<dyn Fn() -> Timestamp>;

/// All sessions of this process. Clones share what is known.
#[derive(Clone)]
pub struct Sessions {
    cache: TokenCache,
    locks: Option<PathBuf>,
    notes: Option<Rc<Notes>>,
    clock: Clock,
    /// By the sessions' names in the cache.
    known: Rc<RefCell<HashMap<String, Known>>>,
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
            notes: None,
            clock,
            known: Rc::default(),
        }
    }

    /// The same, which note in `folder` what each store has in the cache.
    pub fn noted_in(self, folder: PathBuf) -> Self {
        Self {
            notes: Some(Rc::new(Notes::new(folder))),
            ..self
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

    /// The session under `key`: the known or cached one while it has enough time and requests left,
    /// else the one that `login` obtains. Of processes and tasks that need one together, one logs in and
    /// the others wait for it, though not longer than half the time until `deadline`.
    ///
    /// Of one that is good for a number of requests, one is taken: callers send it.
    ///
    /// # Errors
    /// Whatever `login` fails with.
    pub async fn get_or_login(
        &self,
        key: &SessionKey,
        deadline: Option<Instant>,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        let usable = |session: &Session| session.is_usable(self.now());
        if let Some(session) = self
            .remembered(key)
            .or_else(|| self.cache.get(key.id()))
            .filter(|session| session.uses.is_none() && usable(session))
        {
            self.note_use(key, &session);
            return Ok(self.remember(key, session));
        }
        self.obtain(key, deadline, usable, login).await
    }

    /// The session to go on with after the server refused `rejected`: the one that another task
    /// or process has obtained since, else the one that `login` obtains. Callers renew once, or where
    /// tokens are good for a number of requests a few times; the next refusal is the server's last
    /// word.
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
            |session: &Session| !session.same_token(rejected) && session.is_usable(self.now());
        self.obtain(key, deadline, usable, login).await
    }

    /// Keeps `session` under `key` in place of what there is: what its provider keeps with it, or its
    /// expiry, has changed.
    pub fn replace(&self, key: &SessionKey, mut session: Session) {
        if session.uses.is_some() {
            // What other processes have counted stays counted.
            let cached = self.cache.get(key.id());
            let cached = cached.filter(|cached| cached.same_token(&session));
            let theirs = cached.and_then(|cached| cached.uses);
            session.uses = session.uses.into_iter().chain(theirs).min();
        }
        self.keep(key, &session);
        self.remember(key, session);
    }

    /// Forgets the session in this process and in the cache; tells whether there was one.
    ///
    /// # Errors
    /// As [`TokenCache::remove`].
    pub fn forget(&self, key: &SessionKey) -> Result<bool, String> {
        let note = self.notes.as_ref().and_then(|notes| notes.get(key));
        let place = note.as_ref().and_then(|note| note.place(self.now()));
        self.remove(key.id(), place)
    }

    /// Forgets all sessions that the store of this name has used at `base_url`, as far as they are
    /// noted, whatever they were obtained with; tells whether there were any.
    ///
    /// # Errors
    /// As [`TokenCache::remove`], also where nothing is noted and the cache cannot be asked.
    pub fn forget_all_of(
        &self,
        provider: &str,
        base_url: &str,
        store: &str,
    ) -> Result<bool, String> {
        let owner = token::owner(provider, base_url, store);
        let notes = self.notes.as_ref().map(|notes| notes.of(&owner));
        let mut forgotten = self.cache.remove(token::NONE, None);
        for note in notes.unwrap_or_default() {
            forgotten = match (self.remove(&note.id, note.place(self.now())), forgotten) {
                (Ok(there_was), Ok(any)) => Ok(any | there_was),
                (Err(why), Ok(_)) => Err(why),
                (_, Err(why)) => Err(why),
            };
        }
        forgotten
    }

    /// The sessions that the store of this name has used at `base_url` and that have not expired, as
    /// far as they are noted and can be read.
    pub fn all_of(&self, provider: &str, base_url: &str, store: &str) -> Vec<Session> {
        let owner = token::owner(provider, base_url, store);
        let notes = self.notes.as_ref().map(|notes| notes.of(&owner));
        let ids = notes.unwrap_or_default().into_iter().map(|note| note.id);
        let found = ids.filter_map(|id| {
            let known = self.known_as(&id, |known| known.session.clone());
            known.or_else(|| self.cache.get(&id))
        });
        found
            .filter(|session| session.lasts(self.now(), SignedDuration::ZERO))
            .collect()
    }

    /// Forgets what is known under `id`, which `place` has where that is known.
    fn remove(&self, id: &str, place: Option<&str>) -> Result<bool, String> {
        let known = self.known_as(id, |known| known.session.take());
        let there_was = self.cache.remove(id, place)?;
        if let Some(notes) = &self.notes {
            notes.remove(id);
        }
        Ok(there_was || known.is_some())
    }

    /// Notes that a store uses what is in the cache, unless that is noted.
    fn note_use(&self, key: &SessionKey, session: &Session) {
        let unnoted = self.notes.as_ref().filter(|notes| !notes.has(key));
        if let Some(notes) = unnoted
            && let Some(place) = self.cache.place()
        {
            notes.put(key, session, place, self.now());
        }
    }

    /// Keeps `session` in the cache. It is noted before, so that no crash leaves it without.
    fn keep(&self, key: &SessionKey, session: &Session) {
        let now = self.now();
        let note = |place: Option<&'static str>| {
            if let (Some(notes), Some(place)) = (&self.notes, place) {
                notes.put(key, session, place, now);
            }
        };
        let expected = self.notes.as_ref().and_then(|_| self.cache.place());
        note(expected);
        let kept = self.cache.put(key, session, now);
        if kept != expected {
            note(kept);
        }
    }

    /// The session under `key` that has not expired, without logging in.
    pub fn peek(&self, key: &SessionKey) -> Option<Session> {
        self.remembered(key)
            .or_else(|| self.cache.get(key.id()))
            .filter(|session| session.lasts(self.now(), SignedDuration::ZERO))
    }

    /// Takes turns with tasks and processes, looks again, and logs in if it still must. Where a token
    /// is good for a number of requests, all of them count in the cache.
    async fn obtain(
        &self,
        key: &SessionKey,
        deadline: Option<Instant>,
        usable: impl Fn(&Session) -> bool,
        login: impl AsyncFnOnce() -> Result<Session>,
    ) -> Result<Session> {
        let turn = self.known(key, |known| Rc::clone(&known.turn));
        let _turn = turn.lock().await;
        let known = self.remembered(key).filter(&usable);
        if let Some(session) = known.as_ref().filter(|session| session.uses.is_none()) {
            return Ok(session.clone());
        }
        let _lock = self.lock(key, deadline).await;
        let found = match self.cache.get(key.id()) {
            Some(session) if usable(&session) => Some(session),
            // Should the login fail, the next process need not try this one.
            Some(_) => {
                let _ = self.cache.remove(key.id(), None);
                None
            }
            None => known,
        };
        if let Some(session) = found {
            self.note_use(key, &session);
            let session = session.taken();
            if session.uses.is_some() {
                self.cache.put(key, &session, self.now());
            }
            return Ok(self.remember(key, session));
        }
        let asked_at = self.now();
        let session = login().await?.obtained(asked_at).taken();
        self.keep(key, &session);
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
        self.known_as(key.id(), look)
    }

    fn known_as<T>(&self, id: &str, look: impl FnOnce(&mut Known) -> T) -> T {
        look(self.known.borrow_mut().entry(id.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests;
