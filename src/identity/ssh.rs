//! SSH keys that decrypt, those with a passphrase too: it is asked for when the key is needed.

use std::sync::OnceLock;

use age::DecryptError;
use age::ssh::{EncryptedKey, Identity as Ssh, Recipient, UnsupportedKey};
use age_core::format::{FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::asking;
use super::trouble::Trouble;

/// A private key, and its public one.
pub struct SshKey {
    key: Ssh,
    public: Recipient,
    /// What the key is called, where it is asked for its passphrase.
    name: String,
    unlocked: OnceLock<Option<Ssh>>,
    trouble: Trouble,
}

/// Why a text is no key that decrypts.
pub enum Refused {
    /// It is no private key in OpenSSH's form.
    Unreadable,
    /// It is a key that can only sign, or in a form of which OpenSSH itself advises against.
    Kind(String),
}

impl SshKey {
    /// Reads `text`, the block of a key file. `name` is what the key is called; what keeps it from
    /// being used later goes to `trouble`.
    ///
    /// # Errors
    /// Why it is no key that decrypts.
    pub fn read(text: &str, name: String, trouble: Trouble) -> Result<Self, Refused> {
        let key = Ssh::from_buffer(text.as_bytes(), None).map_err(|_| Refused::Unreadable)?;
        match &key {
            Ssh::Unencrypted(_) | Ssh::Encrypted(_) => {}
            Ssh::Unsupported(UnsupportedKey::EncryptedPem) => {
                return Err(Refused::Kind("encrypted PEM".to_owned()));
            }
            Ssh::Unsupported(
                UnsupportedKey::Hardware(kind)
                | UnsupportedKey::Type(kind)
                | UnsupportedKey::EncryptedSsh(kind),
            ) => return Err(Refused::Kind(kind.clone())),
        }
        let public = Recipient::try_from(key.clone()).map_err(|_| Refused::Unreadable)?;
        Ok(Self {
            key,
            public,
            name,
            unlocked: OnceLock::new(),
            trouble,
        })
    }

    /// The public key.
    pub fn public(&self) -> &Recipient {
        &self.public
    }

    /// Whether `stanza` was made for this key, as far as its tag tells.
    fn is_named_in(&self, stanza: &Stanza) -> bool {
        let public = self.public.to_string();
        let mut words = public.split(' ');
        let (kind, body) = (words.next(), words.next().unwrap_or_default());
        let tag = STANDARD
            .decode(body)
            .map(|body| STANDARD_NO_PAD.encode(&Sha256::digest(body)[..4]));
        kind == Some(stanza.tag.as_str()) && stanza.args.first() == tag.ok().as_ref()
    }

    /// The key without its passphrase, which is asked for.
    fn unlock(&self, key: &EncryptedKey) -> Option<Ssh> {
        let passphrase = match asking::passphrase(&self.name) {
            Ok(passphrase) => passphrase,
            Err(error) => {
                self.trouble.note(error.message().to_owned());
                return None;
            }
        };
        match key.decrypt(passphrase) {
            Ok(key) => Some(key.into()),
            Err(_) => {
                self.trouble
                    .note(format!("the passphrase of the {} is another", self.name));
                None
            }
        }
    }
}

impl age::Identity for SshKey {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        match &self.key {
            Ssh::Encrypted(key) if self.is_named_in(stanza) => {
                let unlocked = self.unlocked.get_or_init(|| self.unlock(key));
                unlocked.as_ref()?.unwrap_stanza(stanza)
            }
            key => key.unwrap_stanza(stanza),
        }
    }
}
