//! What stands in an identity file: any number of keys of any kind, with comments between them. As
//! age does, one key that cannot be used leaves the others; why is told where nothing opens.

use std::io::Read as _;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, scrypt};
use zeroize::Zeroizing;

use super::asking;
use super::plugin::PluginIdentity;
use super::recipients::Recipient;
use super::ssh::{Refused, SshKey};
use super::trouble::Trouble;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// How encrypted files begin, in the two forms that they have.
const ENCRYPTED: &[u8] = b"age-encryption.org/";
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// A private key.
pub enum Key {
    /// age's own.
    X25519(age::x25519::Identity),
    /// The key, and the text that it was read from.
    Ssh(Box<SshKey>, SecretValue),
    /// One that a program of its own uses.
    Plugin(PluginIdentity),
}

/// The keys of a file, and the public ones that are known of them. At least one of each.
pub struct Bundle {
    /// The private keys: age's own, SSH keys, and those of plugins.
    pub keys: Vec<Key>,
    /// The public keys, in the order of the file.
    pub recipients: Vec<Recipient>,
}

impl Bundle {
    /// Reads the content of an identity file. `name` is what it is called in messages; what keeps
    /// keys from being used goes to `trouble`.
    ///
    /// # Errors
    /// `unauthenticated` where it holds no key, or something that is none, or its passphrase is
    /// another; `unsupported` where all of its keys are of kinds that keyfob cannot use, or it is
    /// encrypted to another key; `usage` where it wants a passphrase and nobody may be asked.
    pub fn read(content: &[u8], name: &str, trouble: &Trouble) -> Result<Self> {
        match encrypted(content) {
            Some(encrypted) => Self::read_plain(&decrypt(encrypted, name)?, name, trouble),
            None => Self::read_plain(content, name, trouble),
        }
    }

    fn read_plain(content: &[u8], name: &str, trouble: &Trouble) -> Result<Self> {
        let text = text(content, name)?;
        let mut reader = Reader {
            name,
            trouble,
            keys: Vec::new(),
            recipients: Vec::new(),
            noted: None,
            refused: None,
        };
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let line = trimmed(line);
            if line.starts_with("-----BEGIN ") {
                let mut block = Zeroizing::new(format!("{line}\n"));
                for (_, line) in lines.by_ref() {
                    block.push_str(trimmed(line));
                    block.push('\n');
                    if line.trim_start().starts_with("-----END ") {
                        break;
                    }
                }
                reader.ssh(&block)?;
            } else {
                reader.line(number + 1, line)?;
            }
        }
        reader.end()
    }
}

/// `line` without blanks around it, and without the byte order mark of a file that was put
/// together with others.
fn trimmed(line: &str) -> &str {
    line.trim().trim_start_matches('\u{feff}').trim_start()
}

/// The part of `content` that is an encrypted age file, where it is one, with comments before it
/// perhaps.
fn encrypted(content: &[u8]) -> Option<&[u8]> {
    if content.starts_with(ENCRYPTED) {
        return Some(content);
    }
    let text = std::str::from_utf8(content).ok()?;
    let start = text.find(ARMOR)?;
    let mut before = text[..start].lines().map(trimmed);
    before
        .all(|line| line.is_empty() || line.starts_with('#'))
        .then(|| &content[start..])
}

/// The text of an identity file.
fn text<'c>(content: &'c [u8], name: &str) -> Result<&'c str> {
    let is_wide = content.starts_with(&[0xff, 0xfe])
        || content.starts_with(&[0xfe, 0xff])
        || content.contains(&0);
    if is_wide {
        return Err(bad(
            name,
            "it is not UTF-8 but UTF-16, as PowerShell writes with >",
        ));
    }
    std::str::from_utf8(content).map_err(|_| bad(name, "it is no text"))
}

/// What an identity file that `age -p` encrypted holds.
fn decrypt(encrypted: &[u8], name: &str) -> Result<Zeroizing<Vec<u8>>> {
    let other = || {
        Error::unsupported(format!(
            "the {name} is encrypted itself, and not with a passphrase"
        ))
        .hint("decrypt it to a file of its own (age -d -o FILE, then chmod 600 FILE) and name that")
    };
    let damaged = || bad(name, "it is encrypted, and damaged");
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(encrypted)).map_err(|_| damaged())?;
    if !decryptor.is_scrypt() {
        return Err(other());
    }
    let passphrase = asking::passphrase(name).map_err(|error| {
        Error::new(error.kind(), format!("the {name} has a passphrase: {}", error.message()))
            .hint("run it on a terminal, or decrypt it to a file of its own (age -d -o FILE, then chmod 600 FILE) and name that")
    })?;
    let key = scrypt::Identity::new(passphrase);
    let mut reader = match decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)) {
        Ok(reader) => reader,
        Err(DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys) => {
            return Err(bad(name, "its passphrase is another"));
        }
        Err(_) => return Err(damaged()),
    };
    // The content is shorter than the file, so the buffer never moves and leaves copies.
    let mut content = Zeroizing::new(Vec::with_capacity(encrypted.len()));
    reader.read_to_end(&mut content).map_err(|_| damaged())?;
    Ok(content)
}

struct Reader<'r> {
    name: &'r str,
    trouble: &'r Trouble,
    keys: Vec<Key>,
    recipients: Vec<Recipient>,
    /// The public key that stood in the comments last: plugins write it there.
    noted: Option<Recipient>,
    /// Why the first key that cannot be used cannot.
    refused: Option<Error>,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            let public = words.find_map(|word| word.parse::<Recipient>().ok());
            self.noted = public.or(self.noted.take());
            return Ok(());
        }
        if line.is_empty() {
            return Ok(());
        }
        if let Ok(key) = line.parse::<age::x25519::Identity>() {
            self.noted = None;
            self.keep(Recipient::from(key.to_public()), Key::X25519(key));
        } else if let Ok(key) = line.parse::<age::plugin::Identity>() {
            let plugin = key.plugin().to_owned();
            let key = Key::Plugin(PluginIdentity::new(key, self.trouble.clone()));
            match self
                .noted
                .take()
                .filter(|key| key.plugin() == Some(&plugin))
            {
                Some(public) => self.keep(public, key),
                // Another key of the file may encrypt, and this one decrypt.
                None => {
                    self.keys.push(key);
                    let name = self.name;
                    self.refused.get_or_insert(Error::unsupported(format!(
                        "the {name} has a key of age-plugin-{plugin} in line {number} without its public key"
                    ))
                    .hint(format!(
                        "write it above the key, as the plugin does: # public key: age1{plugin}1…"
                    )));
                }
            }
        } else if line.starts_with("AGE-") && !line.starts_with("AGE-SECRET-KEY-1") {
            let name = self.name;
            let kind = match line.starts_with("AGE-SECRET-KEY-PQ-") {
                true => "a post-quantum key",
                false => "of an unknown kind",
            };
            self.refuse(
                Error::unsupported(format!(
                    "line {number} of the {name} is {kind}, which keyfob cannot use"
                ))
                .hint("name one that age-keygen made, or an SSH private key"),
            );
        } else if line.starts_with("age1") || line.starts_with("ssh-") {
            return Err(bad(self.name, "that is a public key"));
        } else {
            // The line itself may be a mistyped key.
            return Err(bad(self.name, &format!("line {number} is no key")));
        }
        Ok(())
    }

    fn ssh(&mut self, block: &str) -> Result<()> {
        match SshKey::read(block, self.name.to_owned(), self.trouble.clone()) {
            Ok(key) => {
                // Line ends differ between copies of a key; nothing else does.
                let words = block.bytes().filter(|byte| !byte.is_ascii_whitespace());
                let mut secret = Zeroizing::new(Vec::with_capacity(block.len()));
                secret.extend(words);
                let public = Recipient::from(key.public().clone());
                self.keep(public, Key::Ssh(Box::new(key), SecretValue::from(secret)));
                Ok(())
            }
            Err(Refused::Unreadable) => Err(bad(self.name, "it is no OpenSSH private key")),
            Err(Refused::Kind(kind)) => {
                let name = self.name;
                self.refuse(
                    Error::unsupported(format!("the {name} is an SSH key of the kind {kind}"))
                        .hint("only ssh-ed25519 and ssh-rsa keys can decrypt; ssh-keygen -p brings old ones into today's form"),
                );
                Ok(())
            }
        }
    }

    fn keep(&mut self, public: Recipient, key: Key) {
        if !self.recipients.contains(&public) {
            self.recipients.push(public);
            self.keys.push(key);
        }
    }

    fn refuse(&mut self, error: Error) {
        self.trouble.note(error.message().to_owned());
        self.refused.get_or_insert(error);
    }

    fn end(mut self) -> Result<Bundle> {
        if self.recipients.is_empty() {
            return Err(self
                .refused
                .unwrap_or_else(|| bad(self.name, "it holds no key")));
        }
        self.keys.sort_by_key(|key| match key {
            Key::X25519(_) => 0,
            Key::Ssh(..) => 1,
            Key::Plugin(_) => 2,
        });
        Ok(Bundle {
            keys: self.keys,
            recipients: self.recipients,
        })
    }
}

fn bad(name: &str, why: &str) -> Error {
    Error::unauthenticated(format!("the {name} cannot be used: {why}"))
        .hint("an identity is what age-keygen makes (AGE-SECRET-KEY-…), or an SSH private key")
}
