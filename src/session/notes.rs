//! Notes of which tokens a store has used, and where they are cached: so that they are forgotten
//! with the store, whatever has become of the key that they were obtained with. Digests stand for
//! all that a note could tell of it.

use std::fs;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::token::{Session, SessionKey};
use crate::state;
use crate::state::file::File;

/// How long after its token a note is kept: clocks differ.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The notes of all stores, a file each in one folder. What cannot be noted is used without: it
/// costs that somebody who has lost the key cannot forget the token, which expires by itself.
pub(super) struct Notes {
    folder: PathBuf,
}

/// What is noted of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What it is cached under.
    pub(super) id: String,
    /// The ring that it was given to, by its name.
    pub(super) place: String,
    /// When it expires; `None` where that is not known.
    pub(super) expires_at: Option<Timestamp>,
}

impl Note {
    /// Where the token still is, as far as is known; `None` where it has expired.
    pub(super) fn place(&self, now: Timestamp) -> Option<&str> {
        let is_over = self.expires_at.is_some_and(|end| end <= now);
        (!is_over).then_some(&self.place)
    }

    fn is_old(&self, now: Timestamp) -> bool {
        self.expires_at
            .is_some_and(|end| now.duration_since(end) > KEPT)
    }
}

impl Notes {
    /// Those in `folder`, which is made with the first one.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Notes that the token of `session` is cached in `place`, and drops notes that are long over.
    pub(super) fn put(&self, key: &SessionKey, session: &Session, place: &str, now: Timestamp) {
        let Some(file) = self.file(key) else {
            return;
        };
        let note = Note {
            id: key.id().to_owned(),
            place: place.to_owned(),
            expires_at: session.expires_at,
        };
        if state::create_folder(&self.folder).is_err() || file.write(&note).is_err() {
            return;
        }
        for (path, note) in self.all("") {
            if note.is_none_or(|note| note.is_old(now)) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Whether there is a note of `key`.
    pub(super) fn has(&self, key: &SessionKey) -> bool {
        self.file(key).is_none_or(|file| file.path().exists())
    }

    /// The note of `key`.
    pub(super) fn get(&self, key: &SessionKey) -> Option<Note> {
        self.file(key)?.read().ok().flatten()
    }

    /// The notes of the store that `owner` stands for.
    pub(super) fn of(&self, owner: &str) -> Vec<Note> {
        let notes = self.all(&format!("{owner}-")).into_iter();
        notes.filter_map(|(_, note)| note).collect()
    }

    /// The token that is kept under `id` is forgotten, for all stores that have used it.
    pub(super) fn remove(&self, id: &str) {
        for (path, note) in self.all("") {
            if note.is_some_and(|note| note.id == id) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// The files whose names begin with `prefix`, and what they say where that makes sense.
    fn all(&self, prefix: &str) -> Vec<(PathBuf, Option<Note>)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let named = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".json")
        });
        let read = |path: PathBuf| {
            let note = note_file(path.clone()).read().ok().flatten();
            (path, note)
        };
        named.map(|entry| read(entry.path())).collect()
    }

    /// The file of the note of `key`; `None` where it is no store's.
    fn file(&self, key: &SessionKey) -> Option<File<Note>> {
        let owner = key.owner()?;
        let name = format!("{owner}-{}.json", key.digest());
        Some(note_file(self.folder.join(name)))
    }
}

fn note_file(path: PathBuf) -> File<Note> {
    File::new(path, "the next login replaces it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_of_one_store_and_go_with_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path().join("made"));
        let key = |account, store| {
            SessionKey::new("nosana", "https://example.com", account, "").of_store(store)
        };
        let session =
            |end: i64| Session::new("t".to_owned().into(), Timestamp::from_second(end).ok());
        let now = Timestamp::from_second(1_000_000).unwrap();
        notes.put(&key("me", "a"), &session(1_000_060), "here", now);
        notes.put(&key("me", "b"), &session(1_000_060), "here", now);
        notes.put(&key("you", "a"), &session(999_999), "there", now);
        let owner = |store| key("me", store).owner().unwrap().to_owned();
        let ids: Vec<String> = notes
            .of(&owner("a"))
            .into_iter()
            .map(|note| note.id)
            .collect();
        assert_eq!(ids.len(), 2);
        assert!(notes.has(&key("me", "a")) && !notes.has(&key("you", "b")));
        assert_eq!(notes.get(&key("me", "a")).unwrap().place(now), Some("here"));
        // It has expired, so that it matters no more where it is.
        assert_eq!(notes.get(&key("you", "a")).unwrap().place(now), None);
        // One token, of two stores.
        notes.remove(key("me", "a").id());
        assert!(notes.of(&owner("b")).is_empty());
        assert_eq!(notes.of(&owner("a")).len(), 1);
        // Neither what is long over nor what makes no sense stays.
        std::fs::write(folder.path().join("made/x.json"), "{").unwrap();
        let later = Timestamp::from_second(1_200_000).unwrap();
        notes.put(&key("me", "b"), &session(1_300_000), "here", later);
        assert!(notes.of(&owner("a")).is_empty());
        assert_eq!(
            std::fs::read_dir(folder.path().join("made"))
                .unwrap()
                .count(),
            1
        );
        // What is no store's is not noted.
        let nobody_s = SessionKey::new("nosana", "https://example.com", "me", "");
        notes.put(&nobody_s, &session(1_300_000), "here", later);
        assert!(notes.has(&nobody_s) && notes.get(&nobody_s).is_none());
    }
}
