//! What sealed files are encrypted to, and what opens them again without anybody being asked: the
//! identity that the environment gives, else the one that keyfob keeps. What stands in such files
//! and where they are is their owners' work.

use std::cell::OnceCell;
use std::io::Read as _;
use std::iter;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use age::{DecryptError, Decryptor, Encryptor};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::identity::keeping::Keeping;
use crate::identity::keys::{Identity, IdentitySource};
use crate::identity::recipients::Recipient;
use crate::keyring::Keyring;
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::shown::ShownPath as _;

mod stamp;

use stamp::{Stamp, Stamped, Tag};

/// The variable that holds an identity where a machine keeps none, as in CI.
pub const VARIABLE: &str = "KEYFOB_FALLBACK_KEY";

/// What the sealed files are. They bear a stamp that takes the identity to make: whoever has no more
/// than its public key and may write in their folder could put values and commands into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a change that was interrupted needs to be finished. Whatever identity is at hand may
    /// open it. Those of earlier versions bear no stamp; they are taken from this user's own folder,
    /// and not where the environment gives the identity, as the folder may come from elsewhere then.
    Journal,
    /// What is used in place of a backend's answers. Where the environment gives an identity, no
    /// other is looked for.
    Snapshot,
}

impl Purpose {
    fn noun(self) -> &'static str {
        match self {
            Purpose::Journal => "journal",
            Purpose::Snapshot => "fallback snapshot",
        }
    }

    fn tag(self) -> Tag {
        match self {
            Purpose::Journal => "keyfob-journal",
            Purpose::Snapshot => "keyfob-snapshot",
        }
    }
}

/// Whether `file`, or the beginning of one, is a snapshot's, good or not.
pub fn is_snapshot(file: &[u8]) -> bool {
    stamp::bears(file, Purpose::Snapshot.tag())
}

/// Tells the user something.
pub type Notice = Rc<dyn Fn(&str)>;

/// The identities at hand, each read when it is first needed.
pub struct Keys {
    purpose: Purpose,
    data: PathBuf,
    patience: Duration,
    keyring: Keyring,
    given: Option<SecretValue>,
    own: OnceCell<Identity>,
    notice: Notice,
}

impl Keys {
    /// Those for files of `purpose`. `notice` tells the user when keyfob
    /// makes an identity. Touches nothing yet.
    pub fn new(
        purpose: Purpose,
        env: &Environment,
        folders: &Folders,
        keyring: &Keyring,
        notice: Notice,
    ) -> Self {
        Self {
            purpose,
            data: folders.data.clone(),
            patience: folders.patience,
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
            Error::failed(format!(
                "cannot encrypt the {}: {error}",
                self.purpose.noun()
            ))
        };
        let stamp = Stamp(identity, self.purpose.tag());
        let recipients = identity.recipients().iter().map(Recipient::as_age);
        let recipients = recipients.chain([&stamp as &dyn age::Recipient]);
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
    /// `unauthenticated` where no identity at hand opens it, `invalid_data` where it is damaged or
    /// bears no stamp and should.
    pub fn decrypt(&self, sealed: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let noun = self.purpose.noun();
        let is_earlier =
            self.purpose == Purpose::Journal && !stamp::bears(sealed, self.purpose.tag());
        let decrypt = |identity: &Identity| {
            let stamped = Stamped(identity, self.purpose.tag());
            let plaintext = match is_earlier {
                true => decrypt(sealed, identity.as_age()),
                false => decrypt(sealed, iter::once(&stamped as _)),
            };
            plaintext
                .map_err(|_| Error::invalid_data(format!("the {noun} {} is damaged", path.shown())))
        };
        let given = self.given()?;
        let mut plaintext = given.as_ref().map(decrypt).transpose()?.flatten();
        if is_earlier && plaintext.is_some() {
            return Err(Error::invalid_data(format!(
                "the {noun} {} bears no stamp of the identity in {VARIABLE}: an earlier keyfob wrote it, or somebody else",
                path.shown()
            ))
            .hint("finish it with the keyfob that began it, or remove it; what it was to change then stays as it is"));
        }
        let alone = given.is_some() && self.purpose == Purpose::Snapshot;
        if plaintext.is_none() && !alone {
            plaintext = self.kept()?.map(decrypt).transpose()?.flatten();
        }
        plaintext.ok_or_else(|| {
            Error::unauthenticated(format!(
                "the {noun} {} is encrypted to an identity that is not at hand",
                path.shown()
            ))
            .hint(format!(
                "set {VARIABLE} to the identity that it was set to then"
            ))
        })
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

    /// The identity that keyfob keeps, where one was made.
    fn kept(&self) -> Result<Option<&Identity>> {
        if self.own.get().is_none() {
            let kept = Keeping::new(&self.data, &self.keyring).load()?;
            return Ok(kept.map(|kept| self.own.get_or_init(|| kept)));
        }
        Ok(self.own.get())
    }

    /// The identity that keyfob keeps, made where there is none yet.
    fn own(&self) -> Result<&Identity> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let keeping = Keeping::new(&self.data, &self.keyring);
        let (own, made) = keeping.load_or_make(Some(self.patience))?;
        if made {
            // The local vault will find it and say nothing any more.
            (self.notice)(&format!(
                "made an identity and put it into the {}: it opens what keyfob encrypts on this machine, the local vault included",
                own.location()
            ));
            (self.notice)(&format!("public key: {}", own.public_key()));
        }
        Ok(self.own.get_or_init(|| own))
    }
}

/// The plaintext, or `None` where the file is not encrypted to `identity`.
fn decrypt<'a>(
    sealed: &[u8],
    identity: impl Iterator<Item = &'a dyn age::Identity>,
) -> Result<Option<Zeroizing<Vec<u8>>>, DecryptError> {
    let decryptor = Decryptor::new_buffered(sealed)?;
    let mut reader = match decryptor.decrypt(identity) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => return Ok(None),
        Err(error) => return Err(error),
    };
    // The plaintext is shorter than the file, so the buffer never moves and leaves copies.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plaintext)?;
    Ok(Some(plaintext))
}
