//! The vault's file: opened and decrypted, or encrypted, as any age tool does it. What stands
//! inside is the work of `format`; writing it to the disk that of [`crate::state`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _};
use std::path::Path;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor};

use super::format::Document;
use crate::identity::keys::Identity;
use crate::identity::recipients::Recipient;
use crate::state;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;
use crate::words::wiped::Wiped;

/// How age files begin, binary and armored.
const BINARY: &[u8] = b"age-encryption.org/v1\n";
const ARMORED: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// So much of the file is read or written at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How the lines begin that git puts around one side of a conflict.
const CONFLICT: &[u8] = b"<<<<<<< ";

/// A vault's file, opened but not decrypted.
pub struct VaultFile {
    file: File,
    size: u64,
    /// Whether it is text, as `age --armor` makes it; it then stays so.
    pub armored: bool,
}

impl VaultFile {
    /// Opens the file at `path`; `None` where there is none.
    ///
    /// # Errors
    /// `invalid_data` where it is something other than an age file, or git has written both sides
    /// of a conflict into it; `failed` where it cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => foreign(path, "not a regular file"),
            _ => Error::io(format!("cannot read the vault {}", path.shown()), error),
        };
        let Some(mut file) = state::open(path).map_err(cannot)? else {
            return Ok(None);
        };
        let size = file.metadata().map_err(cannot)?.len();
        let mut beginning = Vec::with_capacity(ARMORED.len());
        (&mut file)
            .take(ARMORED.len() as u64)
            .read_to_end(&mut beginning)
            .and_then(|_| io::Seek::rewind(&mut file))
            .map_err(cannot)?;
        if beginning.is_empty() {
            return Err(foreign(path, "empty"));
        }
        let armored = beginning == ARMORED;
        let is_text = armored || beginning.starts_with(CONFLICT);
        if is_text && has_conflict(&mut file).map_err(cannot)? {
            return Err(unmerged(path));
        }
        if !armored && !beginning.starts_with(BINARY) {
            return Err(foreign(path, "not an age file"));
        }
        Ok(Some(Self {
            file,
            size,
            armored,
        }))
    }

    /// Decrypts it. `Ok(None)`: it is an age file, but not encrypted to `identity`.
    ///
    /// # Errors
    /// `invalid_data` where it is damaged, truncated or wants a passphrase; `failed` where it
    /// cannot be read.
    pub fn decrypt(self, path: &Path, identity: &Identity) -> Result<Option<Wiped>> {
        let (file, size) = (BufReader::with_capacity(CHUNK, self.file), self.size);
        // The armor's reader would do for both, but hands binary files on in crumbs.
        match self.armored {
            true => decrypt(
                BufReader::new(ArmoredReader::new(file)),
                size,
                path,
                identity,
            ),
            false => decrypt(file, size, path, identity),
        }
    }
}

/// Whether git has written both sides of a conflict into `file`, which is text.
fn has_conflict(file: &mut File) -> io::Result<bool> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    io::Seek::rewind(file)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    Ok(lines.any(|line| line.starts_with(CONFLICT)))
}

fn decrypt(
    input: impl BufRead,
    size: u64,
    path: &Path,
    identity: &Identity,
) -> Result<Option<Wiped>> {
    let broken = |error: io::Error| match error.raw_os_error() {
        // The disk's fault; everything else age found in the bytes.
        Some(_) => Error::io(format!("cannot read the vault {}", path.shown()), error),
        None => damaged(path),
    };
    let decryptor = match Decryptor::new_buffered(input) {
        Ok(decryptor) => decryptor,
        Err(DecryptError::Io(error)) => return Err(broken(error)),
        Err(_) => return Err(damaged(path)),
    };
    if decryptor.is_scrypt() {
        return Err(foreign(path, "encrypted with a passphrase, as no vault is"));
    }
    let mut reader = match decryptor.decrypt(identity.as_age()) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => return Ok(None),
        Err(DecryptError::Io(error)) => return Err(broken(error)),
        Err(_) => return Err(damaged(path)),
    };
    // The plaintext is shorter than the file, so the buffer never moves and leaves copies.
    let mut plaintext = Wiped::default();
    usize::try_from(size)
        .ok()
        .and_then(|size| plaintext.try_reserve_exact(size).ok())
        .ok_or_else(|| {
            Error::failed(format!("there is no memory for the vault {}", path.shown()))
        })?;
    reader.read_to_end(&mut plaintext).map_err(broken)?;
    Ok(Some(plaintext))
}

/// The age file that holds `document` and opens for each of its recipients.
///
/// # Errors
/// As [`Sealing::of`].
pub fn encrypt(document: &Document<'_>, armored: bool) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let written = Sealing::of(document)?.write(document, armored, &mut file);
    written.map_err(|error| cannot_encrypt(&error))?;
    Ok(file)
}

fn cannot_encrypt(error: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("cannot encrypt the vault: {error}"))
}

/// The encryption to a document's recipients.
pub struct Sealing(Encryptor);

impl Sealing {
    /// That to the recipients of `document`.
    ///
    /// # Errors
    /// `failed` where there is no recipient, or one that age cannot combine with the others.
    pub fn of(document: &Document<'_>) -> Result<Self> {
        let recipients = document.recipients.iter().map(Recipient::as_age);
        let encryptor = Encryptor::with_recipients(recipients);
        encryptor.map(Self).map_err(|error| cannot_encrypt(&error))
    }

    /// Writes the age file that holds `document` to `out`. The plaintext goes straight from the
    /// document into the cipher, and what comes out of it on.
    ///
    /// # Errors
    /// What writing to `out` fails with.
    pub fn write(
        self,
        document: &Document<'_>,
        armored: bool,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let format = match armored {
            true => Format::AsciiArmor,
            false => Format::Binary,
        };
        // The header and the armor come in crumbs.
        let output = ArmoredWriter::wrap_output(BufWriter::with_capacity(CHUNK, out), format)?;
        let mut output = self.0.wrap_output(output)?;
        serde_json::to_writer(&mut output, document)?;
        io::Write::write_all(&mut output, b"\n")?;
        io::Write::flush(&mut output.finish()?.finish()?)
    }
}

/// The error for a file that `identity` cannot open.
pub fn not_for(path: &Path, identity: &Identity) -> Error {
    let vault = path.shown();
    let (key, location) = (identity.public_key().key(), identity.location());
    if let Some(trouble) = identity.trouble() {
        return Error::unauthenticated(format!(
            "your identity {key} ({location}) does not open the vault {vault}, and not all of its keys were used: {trouble}"
        ))
        .hint("run it on a terminal where something is to be asked, or name another identity in the store's identity setting");
    }
    Error::unauthenticated(format!(
        "the vault {vault} is not encrypted to your identity {key} ({location})"
    ))
    .hint("let somebody who can open it run: keyfob vault recipients add KEY; or name another identity in the store's identity setting")
}

/// The error for a file in which git has left a conflict.
fn unmerged(path: &Path) -> Error {
    Error::invalid_data(format!(
        "the vault {} holds both sides of a merge that git could not make",
        path.shown()
    ))
    .hint(way_out("keyfob vault git-setup", path))
}

fn damaged(path: &Path) -> Error {
    Error::invalid_data(format!("the vault {} is damaged", path.shown()))
        .hint("restore it from a backup or from version control; keyfob does not write over it")
}

fn foreign(path: &Path, what: &str) -> Error {
    Error::invalid_data(format!("{} is no vault: it is {what}", path.shown())).hint(
        "check the store's path, or restore the vault from a backup; keyfob does not write over it",
    )
}

/// How the conflict about the vault at `path` is resolved, where `set_up` is the command that has
/// git merge vaults.
pub fn way_out(set_up: &str, path: &Path) -> String {
    let path = path.shown().typed();
    format!(
        "{set_up} teaches git to merge vaults; then git checkout -m -- {path} merges again, and \
         git add {path} says that it is done"
    )
}
