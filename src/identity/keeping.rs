//! Where keyfob keeps the identity it made itself: in the OS keyring where there is one, else in
//! a file for its owner alone.
//!
//! `identity.txt` in the data folder is the identity where it exists, as age keeps its own; a
//! backup put back there counts at once. Else `identity.json` tells that it is in the keyring and
//! under which public key, so that a session without a keyring does not make a second one. Where
//! neither is there, none was made yet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::{Identity, Location, generate};
use super::private::read_private;
use super::recipients::Recipient;
use crate::keyring::{Ring, Unreachable};
use crate::state::file::File;
use crate::state::lock::Lock;
use crate::state::{self, Mode};
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The place of the identity that keyfob makes.
pub struct Keeping<'a> {
    folder: &'a Path,
    keyring: &'a dyn Ring,
}

const WHAT: &str = "identity file";

/// What `identity.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    keyring: String,
    public_key: Recipient,
}

impl<'a> Keeping<'a> {
    /// The identity of the data folder `folder`, or of `keyring`.
    pub fn new(folder: &'a Path, keyring: &'a dyn Ring) -> Self {
        Self { folder, keyring }
    }

    /// The identity's file, whether it exists or not.
    pub fn file(&self) -> PathBuf {
        self.folder.join("identity.txt")
    }

    fn in_file(&self) -> Result<Option<Identity>> {
        read_private(&self.file(), WHAT)?
            .map(|text| Identity::parse(&text, Location::Kept(self.file())))
            .transpose()
    }

    fn marker(&self) -> File<Marker> {
        File::new(
            self.folder.join("identity.json"),
            "it names the OS keyring's account of the vault's identity: \
             {\"keyring\": \"identity:age1…\", \"public_key\": \"age1…\"}; \
             a copy of the identity in identity.txt beside it would do as well",
        )
    }

    /// The identity, or `None` where none was made yet.
    ///
    /// # Errors
    /// `unauthenticated` where it is in a keyring that cannot be reached or has lost it, or in a
    /// file that others can read; `invalid_data` where the note of its place is damaged.
    pub fn load(&self) -> Result<Option<Identity>> {
        if let Some(identity) = self.in_file()? {
            return Ok(Some(identity));
        }
        let Some(mut marker) = self.marker().read()? else {
            return Ok(None);
        };
        let mut kept = self.keyring.get_all(&marker.keyring);
        if let (Ok(none), Some(newer)) = (&kept, self.marker().read()?)
            && none.is_empty()
        {
            // A rekeying may just have moved it to another account.
            marker = newer;
            kept = self.keyring.get_all(&marker.keyring);
        }
        let public = &marker.public_key;
        let error = match kept {
            Ok(kept) if kept.is_empty() => {
                format!("the identity {public} is gone from the OS keyring, where it was kept")
            }
            Ok(kept) => {
                if let Some(right) = right(&kept, public)? {
                    return Ok(Some(right.identity));
                }
                format!(
                    "the OS keyring holds another identity than {public}, which {} names",
                    self.marker().path().shown()
                )
            }
            Err(why) => format!(
                "the identity {public} is in the OS keyring, which cannot be reached: {why}"
            ),
        };
        Err(Error::unauthenticated(error).hint(format!(
            "a copy of it in {} would do, or another identity of the vault's in the store's identity setting",
            self.file().shown()
        )))
    }

    /// The public key and the place of the identity, as far as they are known without reading a
    /// keyring.
    ///
    /// # Errors
    /// As [`load`](Self::load), of what does not concern the keyring.
    pub fn peek(&self) -> Result<Option<(Recipient, Location)>> {
        if let Some(identity) = self.in_file()? {
            let location = identity.location().clone();
            return Ok(Some((identity.public_key().clone(), location)));
        }
        let marker = self.marker().read()?;
        Ok(marker.map(|marker| (marker.public_key, Location::Keyring)))
    }

    /// The identity as it is kept, for a backup; `None` where none was made yet.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn content(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(identity) = self.load()? else {
            return Ok(None);
        };
        match identity.location() {
            Location::Keyring => self.in_keyring(identity.public_key()),
            _ => read_private(&self.file(), WHAT),
        }
    }

    /// Makes an identity, unless there is one by now; tells whether it did. Processes that come
    /// here together end up with one.
    ///
    /// # Errors
    /// `unavailable` where another process holds the data folder for longer than `timeout`;
    /// otherwise as [`load`](Self::load) and [`state::write_new`].
    pub fn load_or_make(&self, timeout: Option<Duration>) -> Result<(Identity, bool)> {
        if let Some(identity) = self.load()? {
            return Ok((identity, false));
        }
        state::create_folder(self.folder)?;
        let _lock = Lock::acquire(&[self.folder], timeout)?;
        if let Some(identity) = self.load()? {
            return Ok((identity, false));
        }
        let (text, public) = generate(now());
        if self.keep_in_keyring(&text, &public) {
            self.write_marker(&public)?;
        } else {
            state::write_new(&self.file(), text.as_bytes())?;
        }
        // Read back before anything is encrypted to it: not every file system keeps it private.
        match self.load()? {
            Some(identity) => Ok((identity, true)),
            None => Err(Error::failed(format!(
                "the identity was made, and is gone from {} again",
                self.folder.shown()
            ))),
        }
    }

    /// Puts a fresh identity before the keys of `old`, which stay as retired ones: whatever was
    /// encrypted to them still opens, at every moment. The caller holds the data folder's lock.
    ///
    /// # Errors
    /// `unsupported` where `old` is no identity of age's own; `unavailable` where it is in a
    /// keyring that does not take the new one. `old` is then still in place.
    pub fn replace(&self, old: &Identity) -> Result<Identity> {
        if !old.is_native() {
            return Err(Error::unsupported(
                "the identity is an SSH key, which keyfob does not replace",
            )
            .hint("add another key as a recipient, name it as the store's identity, and remove this one"));
        }
        let kept = match old.location() {
            Location::Keyring => self.in_keyring(old.public_key())?,
            _ => read_private(&self.file(), WHAT)?,
        }
        .ok_or_else(|| Error::conflict("the identity was removed in the meantime"))?;
        let (fresh, public) = generate(now());
        let mut text = Zeroizing::new(Vec::with_capacity(fresh.len() + kept.len() + 64));
        text.extend_from_slice(fresh.as_bytes());
        text.extend_from_slice(b"# retired, for what was encrypted before:\n");
        text.extend_from_slice(&kept);
        let location = old.location().clone();
        if location == Location::Keyring {
            self.keyring
                .set(&account(&public), &text, None)
                .map_err(|why| unreachable(&why))?;
            match self.keyring.get(&account(&public)) {
                Ok(Some(back)) if *back == *text => self.write_marker(&public)?,
                _ => {
                    return Err(Error::unavailable(
                        "the OS keyring did not keep the new identity",
                    ));
                }
            }
        } else {
            state::write_atomically(&self.file(), &text, Mode::PRIVATE)?;
        }
        Identity::parse(&text, location)
    }

    /// Forgets the keyring's entry of `old` after [`replace`](Self::replace): its keys stand in
    /// the new one. Left behind it does no harm.
    pub fn forget_replaced(&self, old: &Identity) {
        if *old.location() == Location::Keyring {
            let _ = self.keyring.delete(&account(old.public_key()));
        }
    }

    /// What the keyring has of the identity with this public key.
    fn in_keyring(&self, public: &Recipient) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let kept = self.keyring.get_all(&account(public));
        let kept = kept.map_err(|why| unreachable(&why))?;
        Ok(right(&kept, public)?.map(|right| right.text.clone()))
    }

    /// Whether the keyring took `text` and gives the same back.
    fn keep_in_keyring(&self, text: &str, public: &Recipient) -> bool {
        let account = account(public);
        self.keyring.set(&account, text.as_bytes(), None).is_ok()
            && matches!(self.keyring.get(&account), Ok(Some(back)) if *back == *text.as_bytes())
    }

    fn write_marker(&self, public: &Recipient) -> Result<()> {
        self.marker().write(&Marker {
            keyring: account(public),
            public_key: public.clone(),
        })
    }
}

/// The time to the second; more says nothing to anybody.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The identity with the public key `public` among those that the keyring has under its name: others
/// may have made a second one, and the key tells which is right.
///
/// # Errors
/// Why the only one is no identity.
fn right<'k>(kept: &'k [Zeroizing<Vec<u8>>], public: &Recipient) -> Result<Option<Right<'k>>> {
    for text in kept {
        match Identity::parse(text, Location::Keyring) {
            Ok(identity) if identity.public_key() == public => {
                return Ok(Some(Right { identity, text }));
            }
            Err(error) if kept.len() == 1 => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

/// The identity that a public key has, and its text.
struct Right<'k> {
    identity: Identity,
    text: &'k Zeroizing<Vec<u8>>,
}

fn account(public: &Recipient) -> String {
    format!("identity:{}", public.key())
}

fn unreachable(why: &Unreachable) -> Error {
    Error::unavailable(format!("the OS keyring cannot be reached: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;
    use crate::identity::fake_keyring::FakeKeyring;
    use crate::words::error::Kind;

    fn made(keeping: &Keeping<'_>) -> Identity {
        let (identity, made) = keeping.load_or_make(None).unwrap();
        assert!(made);
        identity
    }

    #[test]
    fn without_a_keyring_it_is_a_private_file_that_age_can_read() {
        for keyring in [
            FakeKeyring::absent(),
            FakeKeyring {
                forgetful: true,
                ..FakeKeyring::default()
            },
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("data");
            let keeping = Keeping::new(&folder, &keyring);
            assert!(keeping.load().unwrap().is_none());
            let identity = made(&keeping);
            assert_eq!(*identity.location(), Location::Kept(keeping.file()));
            let text = fs::read_to_string(keeping.file()).unwrap();
            let public = identity.public_key().key();
            assert!(text.contains(&format!("\n# public key: {public}\nAGE-SECRET-KEY-1")));
            let loaded = keeping.load().unwrap().unwrap();
            assert_eq!(loaded.public_key(), identity.public_key());
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_keyring_out_of_reach_is_said_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = FakeKeyring::default();
        let keeping = Keeping::new(folder.path(), &keyring);
        let identity = made(&keeping);
        assert_eq!(*identity.location(), Location::Keyring);
        assert!(!keeping.file().exists());
        *keyring.absent.lock().unwrap() = true;
        for error in [
            keeping.load().unwrap_err(),
            keeping.load_or_make(None).unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::Unauthenticated);
            let message = error.message();
            assert!(message.contains(identity.public_key().key()), "{message}");
            assert!(
                message.contains("no OS keyring in this session"),
                "{message}"
            );
        }
        let (public, location) = keeping.peek().unwrap().unwrap();
        assert_eq!(
            (&public, location),
            (identity.public_key(), Location::Keyring)
        );
        *keyring.absent.lock().unwrap() = false;
        keyring.kept.lock().unwrap().clear();
        let error = keeping.load_or_make(None).unwrap_err();
        assert!(error.message().contains("gone"), "{error:?}");
    }

    #[test]
    fn a_copy_put_into_the_folder_counts() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = FakeKeyring::default();
        let keeping = Keeping::new(folder.path(), &keyring);
        let identity = made(&keeping);
        let copy = keyring
            .kept
            .lock()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        *keyring.absent.lock().unwrap() = true;
        state::write_new(&keeping.file(), &copy).unwrap();
        let loaded = keeping.load().unwrap().unwrap();
        assert_eq!(loaded.public_key(), identity.public_key());
    }

    #[test]
    fn a_replaced_key_stays_as_a_retired_one() {
        for (keyring, entries) in [(FakeKeyring::default(), 1), (FakeKeyring::absent(), 0)] {
            let folder = tempfile::tempdir().unwrap();
            let keeping = Keeping::new(folder.path(), &keyring);
            let first = made(&keeping);
            let second = keeping.replace(&first).unwrap();
            assert_ne!(second.public_key(), first.public_key());
            assert_eq!(second.retired(), first.recipients());
            keeping.forget_replaced(&first);
            assert_eq!(keyring.kept.lock().unwrap().len(), entries);
            let loaded = keeping.load().unwrap().unwrap();
            assert_eq!(loaded.public_key(), second.public_key());
            assert_eq!(loaded.retired(), second.retired());
        }
    }

    #[test]
    fn a_damaged_marker_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = FakeKeyring::default();
        let keeping = Keeping::new(folder.path(), &keyring);
        fs::write(folder.path().join("identity.json"), "{").unwrap();
        assert_eq!(keeping.load().unwrap_err().kind(), Kind::InvalidData);
    }

    #[test]
    fn threads_that_come_together_end_up_with_one() {
        for keyring in [FakeKeyring::default(), FakeKeyring::absent()] {
            let folder = tempfile::tempdir().unwrap();
            let results: Vec<(String, bool)> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            let keeping = Keeping::new(folder.path(), &keyring);
                            let (identity, made) = keeping.load_or_make(None).unwrap();
                            (identity.public_key().key().to_owned(), made)
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert!(results.iter().all(|(key, _)| *key == results[0].0));
            assert_eq!(results.iter().filter(|(_, made)| *made).count(), 1);
        }
    }
}
