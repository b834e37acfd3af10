//! The key under which all digests of the record are made: 32 random bytes in a file of its own.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::state::{self, Mode};
use crate::words::error::{Error, Result};
use crate::words::random;
use crate::words::shown::ShownPath as _;

const LENGTH: usize = 32;

/// The block of SHA-256.
const BLOCK: usize = 64;

/// How many hexadecimal digits a digest has. Without the key nobody can make two that are equal.
const DIGITS: usize = 32;

/// A digest under the key, in hexadecimal.
pub type Tag = String;

/// The key. Wiped when dropped.
pub struct Key(Zeroizing<[u8; LENGTH]>);

impl Key {
    /// The key in the file at `path`; `None` where there is none.
    ///
    /// # Errors
    /// `failed` where the file cannot be read, `invalid_data` where it holds something else.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = state::read(path)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        match <[u8; LENGTH]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Some(Self(Zeroizing::new(key)))),
            Err(_) => Err(Error::invalid_data(format!(
                "{} holds no key",
                path.shown()
            ))),
        }
    }

    /// A fresh key, kept in the file at `path` in place of what is there. Only for callers that
    /// hold the lock of its folder.
    ///
    /// # Errors
    /// `failed` where there are no random numbers, or the file cannot be written.
    pub fn make(path: &Path) -> Result<Self> {
        let mut key = Zeroizing::new([0; LENGTH]);
        random::fill(&mut *key)?;
        state::write_atomically(path, &*key, Mode::PRIVATE)?;
        Ok(Self(key))
    }

    /// What stands for `parts`: another for every list of parts, and none to be had without the key.
    pub fn tag(&self, parts: &[&[u8]]) -> Tag {
        // HMAC pads a key that is shorter than a block with zeros.
        let mut block = Zeroizing::new([0; BLOCK]);
        block[..LENGTH].copy_from_slice(&*self.0);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut tag = base16ct::lower::encode_string(&mac.finalize().into_bytes());
        tag.truncate(DIGITS);
        tag
    }
}
