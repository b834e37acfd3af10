//! What sealed files are encrypted to, and what opens them again without anybody being asked: the
//! identity that the environment gives, else the one that keyfob keeps. What stands in such files
//! and where they are is their owners' work.

use std::cell::OnceCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use age::{DecryptError, Decryptor, Encryptor};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::auth::keyring::Keyring;
use crate::env::{Environment, Folders};
use crate::error::{Error, Result};
use crate::secret::SecretValue;
use crate::vault::identity::{Identity, IdentitySource};
use crate::vault::keeping::Keeping;
use crate::vault::recipients::Recipient;

/// The variable that holds an identity where a machine keeps none, as in CI.
pub const VARIABLE: &str = "KEYFOB_FALLBACK_KEY";

/// Making the identity takes a moment; another process may be at it.
const MAKING: Duration = Duration::from_secs(10);

/// Tells the user something.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// The identities at hand, each read when it is first needed.
pub struct Keys {
    /// What the files are called in messages.
    noun: &'static str,
    data: PathBuf,
    keyring: Keyring,
    given: Option<SecretValue>,
    own: OnceCell<Identity>,
    notice: Notice,
}

impl Keys {
    /// Those for files that messages call `noun` ("journal"). `notice` tells the user when keyfob
    /// makes an identity. Touches nothing yet.
    pub fn new(
        noun: &'static str,
        env: &Environment,
        folders: &Folders,
        keyring: &Keyring,
        notice: Notice,
    ) -> Self {
        Self {
            noun,
            data: folders.data.clone(),
            keyring: keyring.clone(),
            given: env.var(VARIABLE).map(SecretValue::from),
            own: OnceCell::new(),
            notice,
        }
    }

    /// The age file that holds `content` as JSON, which goes straight into the cipher.
    ///
    /// # Errors
    /// What reading or making the identity fails with.
    pub fn encrypt(&self, content: &impl Serialize) -> Result<Vec<u8>> {
        let given = self.given()?;
        let identity = match &given {
            Some(identity) => identity,
            None => self.own()?,
        };
        let failed = |error: &dyn std::fmt::Display| {
            Error::failed(format!("cannot encrypt the {}: {error}", self.noun))
        };
        let recipients = identity.recipients().iter().map(Recipient::as_age);
        let encryptor = Encryptor::with_recipients(recipients).map_err(|error| failed(&error))?;
        let write = || -> std::io::Result<Vec<u8>> {
            let mut output = encryptor.wrap_output(Vec::new())?;
            serde_json::to_writer(&mut output, content)?;
            output.finish()
        };
        write().map_err(|error| failed(&error))
    }

    /// What the age file `sealed`, which was read from `path`, holds.
    ///
    /// # Errors
    /// `unauthenticated` where no identity at hand opens it, `invalid_data` where it is damaged.
    pub fn decrypt(&self, sealed: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let noun = self.noun;
        let damaged = || Error::invalid_data(format!("the {noun} {} is damaged", path.display()));
        if let Some(identity) = self.given()?
            && let Some(plaintext) = decrypt(sealed, &identity).map_err(|_| damaged())?
        {
            return Ok(plaintext);
        }
        let own = match self.own.get() {
            Some(own) => Some(own),
            None => Keeping::new(&self.data, &self.keyring)
                .load()?
                .map(|own| self.own.get_or_init(|| own)),
        };
        match own.map(|own| decrypt(sealed, own)).transpose() {
            Ok(plaintext) => plaintext.flatten().ok_or_else(|| {
                Error::unauthenticated(format!(
                    "the {noun} {} is encrypted to an identity that is not at hand",
                    path.display()
                ))
                .hint(format!(
                    "set {VARIABLE} to the identity that it was set to then"
                ))
            }),
            Err(_) => Err(damaged()),
        }
    }

    /// The identity that the environment gives.
    fn given(&self) -> Result<Option<Identity>> {
        let source = self.given.as_ref().map(|text| IdentitySource::Text {
            text: text.clone(),
            origin: format!("environment {VARIABLE}"),
        });
        source
            .map(|source| Identity::from_source(&source))
            .transpose()
    }

    /// The identity that keyfob keeps, made where there is none yet.
    fn own(&self) -> Result<&Identity> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let (own, made) = Keeping::new(&self.data, &self.keyring).load_or_make(Some(MAKING))?;
        if made {
            // The local vault will find it and say nothing any more.
            (self.notice)(&format!(
                "made an identity and put it into the {}: it opens what keyfob encrypts on this machine, the local vault included\n\
                 public key: {}",
                own.location(),
                own.public_key()
            ));
        }
        Ok(self.own.get_or_init(|| own))
    }
}

/// The plaintext, or `None` where the file is not encrypted to `identity`.
fn decrypt(sealed: &[u8], identity: &Identity) -> Result<Option<Zeroizing<Vec<u8>>>, DecryptError> {
    let decryptor = Decryptor::new_buffered(sealed)?;
    let mut reader = match decryptor.decrypt(identity.as_age()) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => return Ok(None),
        Err(error) => return Err(error),
    };
    // The plaintext is shorter than the file, so the buffer never moves and leaves copies.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plaintext)?;
    Ok(Some(plaintext))
}
