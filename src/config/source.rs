//! One configuration file as text: reading it within bounds, and saying where in it something is
//! wrong. What the text means is the business of `layer`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::standing::{self, Foreign};
use crate::state::{folder_of, named};
use crate::words::env::Environment;
use crate::words::error::{Error, Kind, Result, io_reason};
use crate::words::shown::ShownPath as _;
use crate::words::text::Place;

/// No configuration is longer; what is longer is something else.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

const TOO_LONG: &str = "it is longer than 1 MiB";

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user's own, in the configuration folder.
    User,
    /// The project's, found by the lookup.
    Project,
    /// The one that the user named.
    Explicit,
}

/// How often a file is read anew that is replaced while it is read.
const ATTEMPTS: usize = 100;

/// A file's text and what its contents are measured by.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where it really is, symbolic links followed.
    pub path: Arc<Path>,
    /// Its path as messages name it.
    pub shown: String,
    /// The folder that relative paths in it start at, and that its commands run in.
    pub base: Arc<Path>,
    /// What it says.
    pub text: String,
}

/// The bytes of a file, and what was seen of it by the handle that they were read from.
#[derive(Clone)]
pub(super) struct Raw {
    /// Its path with symbolic links followed.
    pub canonical: PathBuf,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Why it may be somebody else's word.
    pub foreign: Option<Foreign>,
    /// Whether everybody can write to it.
    pub open: bool,
}

/// Opens the file at `path`. Nothing waits for the other end of a named pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

/// Opens the file at `path`, where it is a regular one, without waiting for anybody.
///
/// # Errors
/// That of the system; `InvalidInput` where it is no regular file.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Reads the file at `path`, of any kind but a folder when `any_kind`, else only a regular one. It
/// is opened once: what is told of it is told of what was read.
///
/// # Errors
/// `config` where there is none, it cannot be read, or it is longer than [`MAX_BYTES`]; `failed`
/// where one of any kind cannot be opened, `unavailable` where one does not come in time.
pub(super) fn read(path: &Path, any_kind: bool) -> Result<Raw> {
    for _ in 0..ATTEMPTS {
        if let Some(raw) = read_once(path, any_kind)? {
            return Ok(raw);
        }
    }
    let path = path.shown();
    Err(Error::config(format!("{path}: it was replaced while it was read")).hint("try again"))
}

/// One attempt; `None` where another file took its place meanwhile, as when keyfob itself changes it.
fn read_once(path: &Path, any_kind: bool) -> Result<Option<Raw>> {
    let bad = |why: &str| Error::config(format!("{}: {why}", path.shown()));
    let unreadable = |error: io::Error| bad(&io_reason(&error));
    // What the user has named and cannot be read is no fault of a configuration.
    let folder = || match any_kind {
        true => Error::failed(format!("could not read {}: it is a folder", path.shown())),
        false => bad("it is a folder, not a file"),
    };
    if path.is_dir() {
        return Err(folder());
    }
    // A pipe has a path but no place; it is read all the same when the user names one.
    if any_kind && path.metadata().is_ok_and(|it| !it.is_file()) {
        let bytes = named::read(path, MAX_BYTES as usize).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => bad(TOO_LONG),
            _ => named::failure(Kind::Config, &path.shown().to_string(), error),
        })?;
        return Ok(Some(Raw {
            canonical: path.to_path_buf(),
            bytes: bytes.to_vec(),
            foreign: None,
            open: false,
        }));
    }
    let file = open(path).map_err(|error| match any_kind {
        true => Error::io(format!("could not read {}", path.shown()), error),
        false => unreadable(error),
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(folder());
    }
    if !metadata.is_file() {
        return Err(bad("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    (&file)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(bad(TOO_LONG));
    }
    let judged = || {
        let canonical = standing::place(&file, path)?;
        let foreign = standing::foreign(&metadata, &canonical)?;
        io::Result::Ok((canonical, foreign))
    };
    match judged() {
        Ok((canonical, foreign)) => Ok(Some(Raw {
            open: standing::is_open(&metadata),
            canonical,
            bytes,
            foreign,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// Refuses a file of keyfob's own at `path`, which need not exist, where it may be somebody else's
/// word. The folder is the user's alone, so that nobody can put another file in its place.
///
/// # Errors
/// `config` with the command that mends it.
pub(super) fn check_own(path: &Path) -> Result<()> {
    let looked = || {
        let metadata = path.metadata()?;
        let foreign = standing::foreign(&metadata, path)?;
        io::Result::Ok((foreign, standing::is_open(&metadata)))
    };
    let folder = folder_of(path);
    match looked() {
        Ok((foreign, open)) => {
            standing::check_own(foreign.as_ref(), path, folder)?;
            standing::check_own(open.then_some(&Foreign::File), path, folder)
        }
        // What cannot be looked at cannot be read either.
        Err(_) => Ok(()),
    }
}

/// The same of keyfob's own folder.
///
/// # Errors
/// `config` with the command that mends it.
pub(super) fn check_own_folder(folder: &Path) -> Result<()> {
    let open = folder.metadata().is_ok_and(|it| standing::is_open(&it));
    standing::check_own(open.then_some(&Foreign::File), folder, folder)
}

impl Raw {
    /// Refuses the user's own file, found in keyfob's own `folder`, where it may be somebody else's
    /// word.
    ///
    /// # Errors
    /// `config` with the command that mends it.
    pub fn check_own(&self, folder: &Path) -> Result<()> {
        let open = self.open.then_some(&Foreign::File);
        standing::check_own(self.foreign.as_ref(), &self.canonical, folder)?;
        standing::check_own(open, &self.canonical, folder)
    }
}

/// `bytes` as text.
///
/// # Errors
/// `config` with the place of the first byte that is not UTF-8.
pub(super) fn decode(shown: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let place = Place::of(error.as_bytes(), error.utf8_error().valid_up_to());
        located(shown, place, "the file is not UTF-8")
    })
}

/// A `config` error at `place` of the file shown as `shown`.
fn located(shown: &str, place: Place, message: &str) -> Error {
    Error::config(format!("{shown}:{place}: {message}"))
}

impl Source {
    /// A source out of a file that was read, found at `found`.
    ///
    /// What is relative in the user's own file starts at the folder that holds it, where it is
    /// often but a link into a collection of dotfiles. Any other file is taken where it really is,
    /// so that what was trusted in one place does not mean something else when linked to from
    /// another.
    ///
    /// # Errors
    /// `config` where it is no text.
    pub fn new(raw: Raw, found: &Path, role: Role, env: &Environment) -> Result<Self> {
        let located = match role {
            Role::User => found,
            Role::Project | Role::Explicit => &raw.canonical,
        };
        let base = match located.parent() {
            // A pipe has a path, and yet is nowhere; a file may be about to be made.
            Some(folder) if located.is_file() || !located.exists() => folder,
            _ => env.cwd(),
        };
        let shown = found.shown().exact();
        Ok(Self {
            base: base.into(),
            text: decode(&shown, raw.bytes)?,
            path: raw.canonical.into(),
            shown,
        })
    }

    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        Place::of(self.text.as_bytes(), offset)
    }

    /// A `config` error that says what is wrong at the byte at `offset`.
    pub fn error(&self, offset: usize, message: &str) -> Error {
        located(&self.shown, self.place(offset), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_placed() {
        let error = decode("f.toml", b"a = 1\nb = \"\xff\"".to_vec()).unwrap_err();
        assert_eq!(error.message(), "f.toml:2:6: the file is not UTF-8");
    }

    #[test]
    fn folders_and_long_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyfob.toml");
        let message = |path: &Path| read(path, true).err().unwrap().message().to_owned();
        assert!(message(folder.path()).ends_with(": it is a folder"));
        assert!(message(&path).ends_with("keyfob.toml: no such file or directory"));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(message(&path).ends_with("keyfob.toml: it is longer than 1 MiB"));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize]).unwrap();
        assert!(read(&path, false).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_read_only_when_it_was_named() {
        let device = Path::new("/dev/null");
        assert!(read(device, true).is_ok());
        let error = read(device, false).err().unwrap();
        assert_eq!(error.message(), "/dev/null: it is not a regular file");
    }
}
