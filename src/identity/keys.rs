//! The private keys that open a vault: what they are read from, and which public keys they have.
//! Where keyfob keeps the one it makes itself is the work of `keeping`, what stands in the files of
//! others that of `bundle`.

use std::fmt;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::bundle::{Bundle, Key};
use super::private::read_private;
use super::recipients::Recipient;
use super::trouble::Trouble;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::shown::ShownPath as _;

/// What a user says the identity is.
#[derive(Clone, Debug)]
pub enum IdentitySource {
    /// A file: age identities, or an SSH private key without a passphrase.
    File(PathBuf),
    /// The same as text.
    Text {
        /// `AGE-SECRET-KEY-…`, or all that such a file would hold.
        text: SecretValue,
        /// Where it comes from, in words ("environment KEYFOB_DEV_IDENTITY").
        origin: String,
    },
}

impl IdentitySource {
    /// The identity as it stands there, for a backup; nothing is checked.
    ///
    /// # Errors
    /// `unauthenticated` where the file is missing or open to others.
    pub fn content(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            IdentitySource::File(path) => {
                read_private(path, "identity file")?.ok_or_else(|| missing(path))
            }
            IdentitySource::Text { text, .. } => Ok(Zeroizing::new(text.expose().to_vec())),
        }
    }
}

fn missing(path: &Path) -> Error {
    Error::unauthenticated(format!("there is no identity file {}", path.shown()))
        .hint("name another with the store's identity setting, or make it: age-keygen -o FILE")
}

/// Where an identity was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The file that the user named.
    Named(PathBuf),
    /// Text that the user gave: its origin, in words.
    Given(String),
    /// The file in which keyfob keeps the identity it made.
    Kept(PathBuf),
    /// The OS keyring, where keyfob keeps the identity it made.
    Keyring,
}

impl Location {
    /// Whether keyfob made the identity there, and may replace it.
    pub fn is_ours(&self) -> bool {
        matches!(self, Location::Kept(_) | Location::Keyring)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Named(path) | Location::Kept(path) => {
                write!(f, "file {}", path.shown().exact())
            }
            Location::Given(origin) => f.write_str(origin),
            Location::Keyring => f.write_str("OS keyring"),
        }
    }
}

/// Private keys, and where they are from. At least one.
pub struct Identity {
    keys: Vec<Key>,
    recipients: Vec<Recipient>,
    location: Location,
    trouble: Trouble,
}

impl Identity {
    /// Reads the identity that the user named.
    ///
    /// # Errors
    /// `unauthenticated` where it is missing, open to others or no identity, or its passphrase is
    /// another; `unsupported` where all of its keys are of kinds that keyfob cannot use; `usage`
    /// where it wants a passphrase and nobody may be asked.
    pub fn from_source(source: &IdentitySource) -> Result<Self> {
        match source {
            IdentitySource::File(path) => {
                let text = source.content()?;
                Self::parse(&text, Location::Named(path.clone()))
            }
            IdentitySource::Text { text, origin } => {
                Self::parse(text.expose(), Location::Given(origin.clone()))
            }
        }
    }

    /// Reads the content of an identity file that was found at `location`.
    ///
    /// # Errors
    /// As [`from_source`](Self::from_source).
    pub fn parse(content: &[u8], location: Location) -> Result<Self> {
        let trouble = Trouble::default();
        let name = format!("identity ({location})");
        let bundle = Bundle::read(content, &name, &trouble)?;
        Ok(Self {
            keys: bundle.keys,
            recipients: bundle.recipients,
            location,
            trouble,
        })
    }

    /// Where it is from.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The public key that stands for it in messages: the first one.
    pub fn public_key(&self) -> &Recipient {
        &self.recipients[0]
    }

    /// The public keys that vaults are to be encrypted to for it. All of a user's own file, as
    /// age does it; of what keyfob made only the newest, as the others are
    /// [retired](Self::retired).
    pub fn recipients(&self) -> &[Recipient] {
        match self.location.is_ours() {
            true => &self.recipients[..1],
            false => &self.recipients,
        }
    }

    /// Public keys whose private ones were replaced, and stay to open what was encrypted before.
    pub fn retired(&self) -> &[Recipient] {
        match self.location.is_ours() {
            true => &self.recipients[1..],
            false => &[],
        }
    }

    /// Whether `recipient` is one of its public keys, retired or not.
    pub fn owns(&self, recipient: &Recipient) -> bool {
        self.recipients.contains(recipient)
    }

    /// Whether all its keys are age's own, so that more can stand in one file with them.
    pub fn is_native(&self) -> bool {
        self.keys.iter().all(|key| matches!(key, Key::X25519(_)))
    }

    /// The keys as the age library takes them: those first that ask nobody anything.
    pub fn as_age(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| match key {
            Key::X25519(key) => key as &dyn age::Identity,
            Key::Ssh(key, _) => &**key as &dyn age::Identity,
            Key::Plugin(key) => key as &dyn age::Identity,
        })
    }

    /// Why some of its keys were not used so far, as a plugin that is missing or a passphrase that
    /// could not be asked for; `None` where all were.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.words()
    }

    /// What nobody knows but those who have it, for each of its keys, as the key of keyed digests.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = SecretValue> {
        self.keys.iter().map(|key| match key {
            Key::X25519(key) => SecretValue::from(key.to_string().expose_secret()),
            Key::Ssh(_, text) => text.clone(),
            Key::Plugin(key) => SecretValue::from(key.text()),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("recipients", &self.recipients)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// A fresh identity as an identity file has it, and its public key.
pub fn generate(now: jiff::Timestamp) -> (Zeroizing<String>, Recipient) {
    let key = age::x25519::Identity::generate();
    let public = Recipient::from(key.to_public());
    let secret = key.to_string();
    let head = format!("# created: {now}\n# public key: {public}\n");
    let secret = secret.expose_secret();
    let mut text = Zeroizing::new(String::with_capacity(head.len() + secret.len() + 1));
    text.push_str(&head);
    text.push_str(secret);
    text.push('\n');
    (text, public)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::words::error::Kind;

    const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn given(text: &str) -> Result<Identity> {
        Identity::parse(text.as_bytes(), Location::Given("here".into()))
    }

    /// The private key file that ssh-keygen makes, where there is an ssh-keygen.
    fn ssh_keygen(folder: &Path, kind: &str, passphrase: &str) -> Option<PathBuf> {
        let path = folder.join(format!("{kind}{}", passphrase.len()));
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-C", "me", "-N", passphrase, "-f"])
            .arg(&path)
            .status()
            .ok()?;
        assert!(status.success());
        Some(path)
    }

    #[test]
    fn identity_files_may_have_comments_and_several_keys() {
        let (other, public) = generate(jiff::Timestamp::UNIX_EPOCH);
        let identity = given(&format!("\u{feff}# mine\r\n\r\n{KEY}\r\n{KEY}\n{}", *other)).unwrap();
        let keys: Vec<_> = identity.recipients().iter().map(Recipient::key).collect();
        assert_eq!(keys, [PUBLIC, public.key()]);
        assert!(identity.retired().is_empty());
    }

    #[test]
    fn of_what_keyfob_made_only_the_first_key_is_current() {
        let (other, public) = generate(jiff::Timestamp::UNIX_EPOCH);
        let text = format!("{}{KEY}", *other);
        let identity = Identity::parse(text.as_bytes(), Location::Keyring).unwrap();
        assert_eq!(identity.recipients(), [public]);
        assert_eq!(identity.retired()[0].key(), PUBLIC);
        assert!(identity.owns(&PUBLIC.parse().unwrap()));
    }

    #[test]
    fn what_is_no_identity_is_refused_and_not_repeated() {
        for (text, kind) in [
            ("", Kind::Unauthenticated),
            ("# nothing", Kind::Unauthenticated),
            (PUBLIC, Kind::Unauthenticated),
            (&KEY[..50], Kind::Unauthenticated),
            ("hunter2", Kind::Unauthenticated),
            ("AGE-PLUGIN-YUBIKEY-1QQQ", Kind::Unsupported),
            ("age-encryption.org/v1\n", Kind::Unauthenticated),
            (
                "-----BEGIN AGE ENCRYPTED FILE-----\n",
                Kind::Unauthenticated,
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nhunter2",
                Kind::Unauthenticated,
            ),
        ] {
            let error = given(text).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
            let shown = format!("{error:?}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("GQ9778"),
                "{shown}"
            );
        }
        assert!(Identity::parse(&[0xff], Location::Keyring).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", given(KEY).unwrap()).contains("SECRET"));
    }

    #[test]
    fn ssh_keys_work_also_with_a_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["ed25519", "rsa"] {
            let Some(path) = ssh_keygen(folder.path(), kind, "") else {
                eprintln!("left out: there is no ssh-keygen");
                return;
            };
            let identity = Identity::from_source(&IdentitySource::File(path.clone())).unwrap();
            let line = std::fs::read_to_string(path.with_extension("pub")).unwrap();
            assert_eq!(identity.public_key(), &line.parse().unwrap());
            assert!(!identity.is_native());
        }
        // Its public key is known without the passphrase, for which nobody may be asked here.
        let path = ssh_keygen(folder.path(), "ed25519", "hunter2").unwrap();
        let locked = Identity::from_source(&IdentitySource::File(path)).unwrap();
        let to_it = std::iter::once(locked.public_key().as_age());
        let sealed = age::Encryptor::with_recipients(to_it).unwrap();
        let sealed = sealed.wrap_output(Vec::new()).unwrap().finish().unwrap();
        let opened = age::Decryptor::new_buffered(&*sealed).unwrap();
        assert!(opened.decrypt(locked.as_age()).is_err());
        assert!(locked.trouble().unwrap().contains("nothing may be asked"));
        let path = ssh_keygen(folder.path(), "ecdsa", "").unwrap();
        let error = Identity::from_source(&IdentitySource::File(path)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported, "{error:?}");
    }

    #[test]
    fn a_missing_file_is_unauthenticated() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path| {
            let error = Identity::from_source(&IdentitySource::File(path)).unwrap_err();
            error.kind()
        };
        assert_eq!(kind(folder.path().join("none")), Kind::Unauthenticated);
        // What is there and is no file cannot be read.
        assert_eq!(kind(folder.path().to_path_buf()), Kind::Failed);
    }
}
