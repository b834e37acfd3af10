//! Files that are read and written whole: a kill at any moment leaves the old content or the new
//! one, and never a part of either. What a killed writer leaves beside them goes with the next
//! write in the same folder. Who may write when is the work of [`lock`], what stands in keyfob's
//! own files that of [`file`].

use std::ffi::{OsStr, OsString};
#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{self, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;
use crate::words::word::shell_word;

#[cfg(any(windows, test))]
mod access;
pub mod file;
pub mod lock;
pub mod named;
#[cfg(unix)]
mod owner;
mod place;
mod queue;
pub mod scratch;
mod shared;
mod sweep;

#[cfg(unix)]
pub use place::is_planted;
pub use place::{create_folder, folder_of, follow_links};
use sweep::TEMPORARY_SUFFIX;
pub use sweep::sweep;

/// Which permissions a written file has. On Windows what is for its owner alone is, and everything
/// else has the rights of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// These bits, whatever was there before and whatever the umask says.
    Exactly(u32),
    /// Those of the file that is replaced; a new file has these bits less the umask.
    KeepOr(u32),
}

impl Mode {
    /// For its owner alone.
    pub const PRIVATE: Mode = Mode::Exactly(0o600);

    fn for_new(self) -> u32 {
        match self {
            Mode::Exactly(bits) | Mode::KeepOr(bits) => bits,
        }
    }

    /// Whether it is for its owner alone, whatever was there before.
    #[cfg(windows)]
    fn is_private(self) -> bool {
        matches!(self, Mode::Exactly(bits) if bits & 0o077 == 0)
    }
}

/// Whom a written file is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// Whoever has the file, or the folder: keyfob keeps it.
    Owner,
    /// Whoever writes it.
    Writer,
}

/// The content of the file `path`; `None` where there is none.
///
/// # Errors
/// `failed` with the file and the reason.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("cannot read {}", path.shown()), error)),
    }
}

/// Opens the file `path` for reading; `None` where there is none. What is no regular file is not
/// opened, as a pipe would wait for a writer.
///
/// # Errors
/// `InvalidInput` for what is no regular file, else that of the system.
pub fn open(path: &Path) -> io::Result<Option<fs::File>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::File::open(path).map(Some),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the content of `path` by `bytes`, or makes the file: written to a temporary file in
/// the same folder, synced, renamed, the folder synced. A symbolic link stays one; what it points
/// at is replaced. The folder must exist.
///
/// # Errors
/// `failed` with the file and the reason; the old content is then intact, unless the error says
/// that the new one is in place. Also where `path` is something other than a regular file, or one
/// that this user may not write.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: Mode) -> Result<()> {
    write_whole(path, whole(bytes), mode, Keeper::Owner)
}

/// The same with what `content` writes, which is never in memory as a whole.
///
/// # Errors
/// As [`write_atomically`], and what `content` fails with.
pub fn stream_atomically(
    path: &Path,
    content: impl FnOnce(&mut fs::File) -> io::Result<()>,
    mode: Mode,
) -> Result<()> {
    write_whole(path, content, mode, Keeper::Owner)
}

/// The same for what the user has asked to have written there: it is the writer's, whosever file it
/// replaces.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_output(path: &Path, bytes: &[u8], mode: Mode) -> Result<()> {
    write_whole(path, whole(bytes), mode, Keeper::Writer)
}

/// Writes `bytes`.
fn whole(bytes: &[u8]) -> impl FnOnce(&mut fs::File) -> io::Result<()> {
    move |file| file.write_all(bytes)
}

fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut fs::File) -> io::Result<()>,
    mode: Mode,
    keeper: Keeper,
) -> Result<()> {
    let target = follow_links(path)?;
    let old = existing_file(&target)?;
    if let Some(old) = &old {
        check_writable(path, &target, old)?;
    }
    let cannot = |error| cannot_write(path, error);
    let temporary =
        write_temporary(&target, content, mode, old.as_ref(), keeper).map_err(cannot)?;
    let folder = Folder::open(folder_of(&target)).map_err(cannot)?;
    temporary
        .persist(&target)
        .map_err(|error| cannot(error.error))?;
    folder.sync().map_err(|error| in_place(path, error))
}

/// Makes the file `path` with `bytes` in it, for its owner alone, and never touches one that
/// exists. The folder must exist.
///
/// # Errors
/// `conflict` where there is something at `path` already, else `failed` with the reason; the file
/// is there then only where the error says so.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = |error| cannot_write(path, error);
    let temporary =
        write_temporary(path, whole(bytes), Mode::PRIVATE, None, Keeper::Owner).map_err(cannot)?;
    let folder = Folder::open(folder_of(path)).map_err(cannot)?;
    temporary.persist_noclobber(path).map_err(|error| {
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            Error::conflict(format!("{} exists already", path.shown()))
        } else {
            cannot(error.error)
        }
    })?;
    folder.sync().map_err(|error| in_place(path, error))
}

/// Removes the file `path`, for good: the folder is synced. One that is not there is as good, and
/// so is a folder that is not.
///
/// # Errors
/// `failed` with the file and the reason; the file is gone then only where the error says so.
pub fn remove(path: &Path) -> Result<()> {
    let cannot = |error| Error::io(format!("cannot remove {}", path.shown()), error);
    let folder = match Folder::open(folder_of(path)) {
        Err(error) if is_nowhere(&error) => return Ok(()),
        folder => folder.map_err(cannot)?,
    };
    match fs::remove_file(path) {
        Err(error) if !is_nowhere(&error) => return Err(cannot(error)),
        _ => {}
    }
    folder.sync().map_err(|error| {
        let what = format!(
            "{} is removed, but may be there again after a power failure",
            path.shown()
        );
        Error::io(what, error)
    })
}

fn is_nowhere(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn existing_file(target: &Path) -> Result<Option<fs::Metadata>> {
    match fs::metadata(target) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(Error::failed(format!(
            "cannot write {}: it is not a regular file",
            target.shown()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_write(target, error)),
    }
}

fn write_temporary(
    target: &Path,
    content: impl FnOnce(&mut fs::File) -> io::Result<()>,
    mode: Mode,
    old: Option<&fs::Metadata>,
    keeper: Keeper,
) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or(OsStr::new("")));
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(&prefix)
        .suffix(TEMPORARY_SUFFIX)
        .rand_bytes(12);
    // What is to be private is so from the first moment; the umask applies here.
    let first_bits = if old.is_some() { 0o600 } else { mode.for_new() };
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(first_bits));
    #[cfg(not(unix))]
    let _ = first_bits;
    let folder = folder_of(target);
    sweep(folder);
    #[cfg(windows)]
    let keep = mode.is_private() && !access::is_own(folder);
    let make = || {
        #[cfg(windows)]
        if keep {
            return builder.make_in(folder, access::create);
        }
        builder.tempfile_in(folder)
    };
    let mut temporary = loop {
        let temporary = make()?;
        match temporary.as_file().try_lock() {
            // Another sweeps it away in this very moment.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !temporary.path().exists() => {}
            // Where there are no locks nobody sweeps.
            Ok(()) | Err(TryLockError::Error(_)) => break temporary,
        }
    };
    #[cfg(unix)]
    if keeper == Keeper::Owner {
        owner::hand_over(temporary.as_file(), folder, old)?;
    }
    #[cfg(not(unix))]
    let _ = keeper;
    #[cfg(unix)]
    settle_permissions(temporary.as_file(), mode, old)?;
    #[cfg(windows)]
    if keep {
        access::close(temporary.path(), access::Kind::File)?;
    }
    content(temporary.as_file_mut())?;
    sync(temporary.as_file())?;
    Ok(temporary)
}

#[cfg(unix)]
fn settle_permissions(file: &fs::File, mode: Mode, old: Option<&fs::Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    match (mode, old) {
        (Mode::Exactly(bits), _) => file.set_permissions(Permissions::from_mode(bits)),
        (Mode::KeepOr(_), Some(old)) => {
            file.set_permissions(Permissions::from_mode(old.mode() & 0o777))
        }
        (Mode::KeepOr(_), None) => Ok(()),
    }
}

/// Makes what was written to `file` last through a power cut.
fn sync(file: &fs::File) -> io::Result<()> {
    let synced = file.sync_all();
    // There it asks the disk itself, which network file systems refuse: they are asked as elsewhere.
    #[cfg(target_vendor = "apple")]
    let synced = synced.or_else(|error| otherwise(error, || Ok(rustix::fs::fsync(file)?)));
    synced
}

/// Does `another` in the place of what failed by `error`, where the file system does not know that.
#[cfg(any(target_vendor = "apple", all(test, unix)))]
fn otherwise(error: io::Error, another: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    use rustix::io::Errno;

    let unknown = [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOTTY, Errno::INVAL];
    match Errno::from_io_error(&error) {
        Some(errno) if unknown.contains(&errno) => another(),
        _ => Err(error),
    }
}

/// A folder in which a name is about to change. It is opened before that, so that what it takes to
/// make the change last is at hand when the change is done.
struct Folder(#[cfg(unix)] fs::File);

#[cfg(unix)]
impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        fs::File::open(path).map(Self)
    }

    /// Makes what was renamed in it last through a power cut.
    fn sync(&self) -> io::Result<()> {
        match sync(&self.0) {
            // Some network file systems cannot sync a folder, and need not.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }
}

#[cfg(not(unix))]
impl Folder {
    fn open(_path: &Path) -> io::Result<Self> {
        Ok(Self())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The error where the new content of `path` is there, and only making it last has failed.
fn in_place(path: &Path, error: io::Error) -> Error {
    let what = format!(
        "the new content of {} is in place, but may not survive a power failure",
        path.shown()
    );
    Error::io(what, error)
}

/// Refuses to replace a file that may not be written, as editors do: replacing it would need no more
/// than a folder that may.
fn check_writable(path: &Path, target: &Path, old: &fs::Metadata) -> Result<()> {
    let shown = path.shown();
    let refused = |why: &str| Error::failed(format!("cannot write {shown}: {why}"));
    // Root may write it all the same, and was told not to.
    if old.permissions().readonly() {
        let command = format!("chmod u+w {}", shell_word(&target.to_string_lossy()));
        return Err(refused("it is read only").hint(format!("{command} lets it be changed")));
    }
    match fs::File::options().write(true).open(target) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(refused("it is read only for you")
                .hint("it belongs to somebody else, or its permissions say so: ls -l shows which"))
        }
        // Whatever else is wrong shows when it is replaced.
        _ => Ok(()),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    cannot_change("write", path, folder_of(path), error)
}

/// The error where `act`, such as writing `path`, which makes a file in `folder`, has failed.
fn cannot_change(act: &str, path: &Path, folder: &Path, error: io::Error) -> Error {
    let kind = error.kind();
    let error = Error::io(format!("cannot {act} {}", path.shown()), error);
    let folder_exists = folder.exists();
    let folder = folder.shown();
    let hint = match kind {
        // It is a link, then, that leads to a folder which is not there.
        io::ErrorKind::NotFound if folder_exists => match std::fs::read_link(path) {
            Ok(target) => format!(
                "it is a link to {}, and that folder is missing: make it first",
                target.shown()
            ),
            Err(_) => return error,
        },
        io::ErrorKind::NotFound => format!("make the folder {folder} first"),
        io::ErrorKind::PermissionDenied => format!(
            "it takes another file beside it for a moment, so {folder} itself must be writable"
        ),
        io::ErrorKind::Unsupported if cfg!(windows) => {
            "write it somewhere in your own folders, which are yours alone".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("make room and try again; {} is as it was", path.shown())
        }
        _ => return error,
    };
    error.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_content_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomically(&path, b"one", Mode::PRIVATE).unwrap();
        write_atomically(&path, b"two", Mode::PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_new(&path, b"one").unwrap();
        let error = write_new(&path, b"two").unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_folder_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path(), b"", Mode::PRIVATE).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
    }

    #[test]
    fn an_error_after_the_rename_says_what_is_in_place() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let path = Path::new("/x/a");
        let before = cannot_write(path, full());
        assert!(before.message().starts_with("cannot write /x/a: "));
        assert_eq!(
            before.hint_text(),
            Some("make room and try again; /x/a is as it was")
        );
        let after = in_place(path, full());
        assert!(after.message().contains("/x/a is in place"), "{after}");
        assert_eq!(after.hint_text(), None);
    }

    #[test]
    fn what_killed_writers_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            ".a.0.keyfob-tmp",
            ".b.0.keyfob-tmp",
            ".a.swp",
            "b.keyfob-tmp",
        ] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        let path = folder.path().join("a");
        let live = write_temporary(&path, whole(b""), Mode::PRIVATE, None, Keeper::Owner).unwrap();
        write_new(&folder.path().join("b"), b"").unwrap();
        live.persist(&path).unwrap();
        assert_eq!(names(folder.path()), [".a.swp", "a", "b", "b.keyfob-tmp"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        use super::*;

        fn bits(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        #[test]
        fn modes_are_kept_or_set() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            write_atomically(&path, b"", Mode::KeepOr(0o600)).unwrap();
            assert_eq!(bits(&path), 0o600);
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            write_atomically(&path, b"x", Mode::KeepOr(0o600)).unwrap();
            assert_eq!(bits(&path), 0o640);
            write_atomically(&path, b"y", Mode::PRIVATE).unwrap();
            assert_eq!(bits(&path), 0o600);
        }

        #[test]
        fn what_is_read_only_is_not_replaced() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a b");
            fs::write(&path, b"old").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
            let link = folder.path().join("link");
            symlink("a b", &link).unwrap();
            for written in [&path, &link] {
                for mode in [Mode::PRIVATE, Mode::KeepOr(0o600)] {
                    let error = write_atomically(written, b"new", mode).unwrap_err();
                    assert!(error.message().contains("is read only"), "{error:?}");
                    let hint = error.hint_text().unwrap();
                    assert!(hint.starts_with("chmod u+w '"), "{hint}");
                }
            }
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(bits(&path), 0o444);
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            write_atomically(&link, b"new", Mode::KeepOr(0o600)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
        }

        #[test]
        fn a_disk_that_knows_no_full_sync_is_synced_otherwise() {
            use rustix::io::Errno;

            let synced = |errno: Errno| {
                let mut asked = false;
                let result = otherwise(errno.into(), || {
                    asked = true;
                    Ok(())
                });
                assert_eq!(result.is_ok(), asked);
                asked
            };
            assert!(synced(Errno::NOTSUP) && synced(Errno::NOTTY) && synced(Errno::INVAL));
            assert!(!synced(Errno::IO) && !synced(Errno::NOSPC));
        }

        #[test]
        fn folders_are_for_their_owner() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a/b");
            create_folder(&path).unwrap();
            create_folder(&path).unwrap();
            assert_eq!(bits(&path), 0o700);
        }

        #[test]
        fn links_stay_and_their_targets_are_replaced() {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("real")).unwrap();
            let link = folder.path().join("link");
            symlink("real/file", &link).unwrap();
            for content in [b"one", b"two"] {
                write_atomically(&link, content, Mode::PRIVATE).unwrap();
                let target = folder.path().join("real/file");
                assert_eq!(fs::read(target).unwrap(), content);
            }
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(names(&folder.path().join("real")), ["file"]);
        }

        #[test]
        fn a_loop_of_links_is_an_error() {
            let folder = tempfile::tempdir().unwrap();
            let link = folder.path().join("link");
            symlink("link", &link).unwrap();
            assert!(write_atomically(&link, b"", Mode::PRIVATE).is_err());
        }

        #[test]
        fn a_folder_that_cannot_be_written_keeps_the_old_content() {
            if rustix::process::geteuid().is_root() {
                // Nothing is closed to root.
                return;
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            fs::write(&path, b"old").unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
            let error = write_atomically(&path, b"new", Mode::PRIVATE).unwrap_err();
            assert!(error.message().contains("permission denied"), "{error:?}");
            assert_eq!(fs::read(&path).unwrap(), b"old");
        }
    }
}
