//! What is learnt of the server while it is asked, and kept beside the token.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::notes::Notes;
use super::{Access, Who};
use crate::session::{Session, SessionKey};
use crate::words::digest;
use crate::words::error::Result;

/// What stands for the token in the cache where only what is beside it is kept.
pub(super) const NO_TOKEN: &str = "-";

/// How long what is known of the server is kept beside a token whose end is not known.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How long a version that was written may be looked for on a server without indexes.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// How many written versions are kept.
const WRITTEN: usize = 32;

thread_local! {
    /// The versions of mounts that this process has asked for, by address, namespace and mount: a
    /// store is opened anew for each credential that it holds.
    static MOUNTS: RefCell<BTreeMap<(String, String, String), u8>> = RefCell::default();
}

impl Access {
    /// Reads what is kept beside the token, once.
    pub(super) fn load(&self, key: &SessionKey) {
        if self.loaded.replace(true) {
            return;
        }
        let session = self.services().sessions.peek(key);
        let text = session.and_then(|session| session.beside);
        let read: Option<Notes> = text.and_then(|text| serde_json::from_str(&text).ok());
        let mut notes = read.unwrap_or_default();
        // Another answer of this process may have told more by now.
        let now = self.notes.borrow();
        notes.index = now.index.clone().or(notes.index);
        // Nothing else may be put into a header.
        let sound = |index: &String| index.bytes().all(|byte| byte.is_ascii_graphic());
        notes.index = notes.index.filter(sound);
        drop(now);
        self.kept.replace(notes.clone());
        self.notes.replace(notes);
    }

    pub(super) fn written(&self) -> Option<String> {
        let notes = self.notes.borrow();
        self.kept.replace(notes.clone());
        serde_json::to_string(&*notes).ok()
    }

    /// Keeps what was learnt beside the token, for whoever asks next.
    pub async fn keep(&self) {
        if *self.kept.borrow() == *self.notes.borrow() {
            return;
        }
        let Ok(who) = self.who().await else { return };
        let Ok(key) = self.key(&who).await else {
            return;
        };
        let sessions = &self.services().sessions;
        let session = match &who {
            Who::Session => sessions.peek(&key),
            Who::Given(_) => Some(Session::new(
                Zeroizing::new(NO_TOKEN.to_owned()),
                sessions.now().checked_add(KEPT).ok(),
            )),
        };
        if let Some(session) = session {
            let beside = self.written();
            sessions.replace(&key, Session { beside, ..session });
        }
    }

    /// The version of the mount, where it is known: to this store, or another of this process.
    pub fn mount(&self, mount: &str) -> Option<u8> {
        let own = self.notes.borrow().mounts.get(mount).copied();
        own.or_else(|| MOUNTS.with_borrow(|mounts| mounts.get(&self.place(mount)).copied()))
    }

    /// What a mount is told apart by in this process.
    fn place(&self, mount: &str) -> (String, String, String) {
        let namespace = self.namespace.clone().unwrap_or_default();
        (self.endpoint.shown(), namespace, mount.to_owned())
    }

    /// Whether answers are known to be as new as the newest write.
    pub fn has_index(&self) -> bool {
        self.notes.borrow().index.is_some()
    }

    /// Makes sure that what is kept was read.
    pub async fn prepare(&self) -> Result<()> {
        let who = self.who().await?;
        let key = self.key(&who).await?;
        self.load(&key);
        Ok(())
    }

    /// Notes the version of the mount.
    pub fn note_mount(&self, mount: &str, version: u8) {
        let mut notes = self.notes.borrow_mut();
        notes.mounts.insert(mount.to_owned(), version);
        MOUNTS.with_borrow_mut(|mounts| mounts.insert(self.place(mount), version));
    }

    /// Notes that a version was written, where no index says so.
    pub fn note_written(&self, path: &str, version: u32) {
        let mut notes = self.notes.borrow_mut();
        if notes.index.is_some() {
            return;
        }
        let now = self.services().sessions.now().as_second();
        let path = digest::of_parts(&[path]);
        notes
            .written
            .retain(|(known, _, at)| *known != path && now.saturating_sub(*at) <= FRESH.as_secs());
        notes.written.insert(0, (path, version, now));
        notes.written.truncate(WRITTEN);
    }

    /// The version that was written to `path` a moment ago, where no index would say so.
    pub fn awaited(&self, path: &str) -> Option<u32> {
        let notes = self.notes.borrow();
        if notes.index.is_some() || notes.written.is_empty() {
            return None;
        }
        let now = self.services().sessions.now().as_second();
        let path = digest::of_parts(&[path]);
        let mut written = notes.written.iter();
        let (_, version, _) = written
            .find(|(known, _, at)| *known == path && now.saturating_sub(*at) <= FRESH.as_secs())?;
        Some(*version)
    }
}
