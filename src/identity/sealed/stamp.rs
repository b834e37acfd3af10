//! The stamp in the header of a file: it tells what the file is before anybody opens it, and, once
//! it is opened, that whoever wrote it had the identity. age by itself does not tell that, as its
//! public keys, which are no secret, are all it takes to encrypt.

use std::collections::HashSet;

use age::secrecy::ExposeSecret as _;
use age::{DecryptError, EncryptError};
use age_core::format::{FileKey, Stanza};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::identity::keys::Identity;

/// The name of the stanza, which says what the file is for. Other age tools pass over stanzas that
/// they do not know.
pub type Tag = &'static str;

/// Whether `file`, or the beginning of one, is an age file with the stamp `tag`, good or not.
pub fn bears(file: &[u8], tag: Tag) -> bool {
    let mut lines = file.split(|byte| *byte == b'\n');
    lines.next() == Some(b"age-encryption.org/v1")
        && lines
            .take_while(|line| !line.starts_with(b"---"))
            .any(|line| line.strip_prefix(b"-> ") == Some(tag.as_bytes()))
}

/// The code over the file's key, which binds all of its content, for one of the identity's secrets.
fn code(secret: &[u8], tag: Tag, file_key: &FileKey) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    code.update(tag.as_bytes());
    code.update(file_key.expose_secret());
    Some(code)
}

/// Puts the stamp of an identity on a file, as a recipient beside those that can open it.
pub struct Stamp<'a>(pub &'a Identity, pub Tag);

impl age::Recipient for Stamp<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let secret = self.0.secrets().next();
        let code = secret.and_then(|secret| code(secret.expose(), self.1, file_key));
        let stanzas = code.map(|code| Stanza {
            tag: self.1.to_owned(),
            args: Vec::new(),
            body: code.finalize().into_bytes().to_vec(),
        });
        Ok((stanzas.into_iter().collect(), HashSet::new()))
    }
}

/// An identity that opens what bears its own stamp, and takes everything else for damaged.
pub struct Stamped<'a>(pub &'a Identity, pub Tag);

impl age::Identity for Stamped<'_> {
    fn unwrap_stanza(&self, _stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        None
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let mut keys = self.0.as_age();
        let file_key = match keys.find_map(|key| key.unwrap_stanzas(stanzas))? {
            Ok(file_key) => file_key,
            Err(error) => return Some(Err(error)),
        };
        let good = stanzas
            .iter()
            .filter(|stanza| stanza.tag == self.1)
            .any(|stamp| {
                self.0.secrets().any(|secret| {
                    code(secret.expose(), self.1, &file_key)
                        .is_some_and(|code| code.verify_slice(&stamp.body).is_ok())
                })
            });
        Some(good.then_some(file_key).ok_or(DecryptError::InvalidMac))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::iter;

    use age::{Decryptor, Encryptor};

    use super::*;
    use crate::identity::keys::{Location, generate};

    const TAG: Tag = "keyfob-snapshot";

    fn is_stamped(file: &[u8]) -> bool {
        bears(file, TAG)
    }

    fn identity(keys: &[&str]) -> Identity {
        Identity::parse(keys.concat().as_bytes(), Location::Keyring).unwrap()
    }

    fn key() -> String {
        generate(jiff::Timestamp::UNIX_EPOCH).0.to_string()
    }

    fn written(recipients: &[&dyn age::Recipient]) -> Vec<u8> {
        let encryptor = Encryptor::with_recipients(recipients.iter().copied()).unwrap();
        let mut output = encryptor.wrap_output(Vec::new()).unwrap();
        output.write_all(b"hello").unwrap();
        output.finish().unwrap()
    }

    fn read(file: &[u8], identity: &dyn age::Identity) -> Result<String, DecryptError> {
        let mut text = String::new();
        Decryptor::new_buffered(file)?
            .decrypt(iter::once(identity))?
            .read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn what_bears_the_stamp_opens_also_with_age_alone() {
        let identity = identity(&[&key()]);
        let file = written(&[identity.public_key().as_age(), &Stamp(&identity, TAG)]);
        assert!(is_stamped(&file));
        assert_eq!(read(&file, &Stamped(&identity, TAG)).unwrap(), "hello");
        let plain = identity.as_age().next().unwrap();
        assert_eq!(read(&file, plain).unwrap(), "hello");
    }

    #[test]
    fn the_public_key_is_not_enough_to_write_one() {
        let mine = identity(&[&key()]);
        let theirs = identity(&[&key()]);
        for file in [
            written(&[mine.public_key().as_age()]),
            written(&[mine.public_key().as_age(), &Stamp(&theirs, TAG)]),
        ] {
            assert!(matches!(
                read(&file, &Stamped(&mine, TAG)),
                Err(DecryptError::InvalidMac)
            ));
        }
    }

    #[test]
    fn a_stamp_is_good_for_its_own_purpose_alone() {
        let mine = identity(&[&key()]);
        let file = written(&[mine.public_key().as_age(), &Stamp(&mine, "keyfob-journal")]);
        assert!(!is_stamped(&file));
        assert!(matches!(
            read(&file, &Stamped(&mine, TAG)),
            Err(DecryptError::InvalidMac)
        ));
    }

    #[test]
    fn a_stamp_is_good_for_its_own_file_alone() {
        let mine = identity(&[&key()]);
        let good = written(&[mine.public_key().as_age(), &Stamp(&mine, TAG)]);
        let stanzas = |file: &[u8]| {
            let end = file.windows(3).position(|three| three == b"---").unwrap();
            String::from_utf8(file[..end].to_vec()).unwrap()
        };
        let stamp = stanzas(&good);
        let stamp = stamp[stamp.find("-> keyfob").unwrap()..].to_owned();
        struct Stolen(String);
        impl age::Recipient for Stolen {
            fn wrap_file_key(
                &self,
                _: &FileKey,
            ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
                use base64::Engine as _;
                use base64::engine::general_purpose::STANDARD_NO_PAD;
                let body = self.0.lines().nth(1).unwrap();
                let stanza = Stanza {
                    tag: TAG.to_owned(),
                    args: Vec::new(),
                    body: STANDARD_NO_PAD.decode(body).unwrap(),
                };
                Ok((vec![stanza], HashSet::new()))
            }
        }
        let forged = written(&[mine.public_key().as_age(), &Stolen(stamp)]);
        assert!(is_stamped(&forged));
        assert!(matches!(
            read(&forged, &Stamped(&mine, TAG)),
            Err(DecryptError::InvalidMac)
        ));
    }

    #[test]
    fn what_was_stamped_with_a_key_since_retired_still_opens() {
        let (old, new) = (key(), key());
        let before = identity(&[&old]);
        let file = written(&[before.public_key().as_age(), &Stamp(&before, TAG)]);
        let after = identity(&[&new, &old]);
        assert_eq!(read(&file, &Stamped(&after, TAG)).unwrap(), "hello");
        let other = identity(&[&new]);
        assert!(matches!(
            read(&file, &Stamped(&other, TAG)),
            Err(DecryptError::NoMatchingKeys)
        ));
    }

    #[test]
    fn other_files_are_not_taken_for_stamped() {
        let mine = identity(&[&key()]);
        let plain = written(&[mine.public_key().as_age()]);
        for file in [
            &plain[..],
            b"",
            b"-> keyfob-snapshot\n",
            b"age-encryption.org/v1\n---\n-> keyfob-snapshot\n",
            b"age-encryption.org/v1\n-> keyfob-snapshot2\n",
        ] {
            assert!(!is_stamped(file));
        }
    }
}
