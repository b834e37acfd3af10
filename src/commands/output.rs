//! Where a command's text goes: to stdout, or to a file of which nothing is seen before it is
//! whole.

use std::fs::{self, Metadata};
#[cfg(unix)]
use std::io::Write as _;
use std::path::Path;

use super::input::is_standard;
use crate::app::App;
use crate::state::{self, Mode};
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The file that `path` names; `None` where it means stdout, as it does when nothing is named.
pub fn file(path: Option<&Path>) -> Option<&Path> {
    let stdout = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    path.filter(|path| !is_standard(path) && !stdout.iter().any(|it| *path == Path::new(it)))
}

/// Writes `text` to `file`, or to stdout where there is none. What is no regular file, such as a
/// pipe, is written to and stays.
///
/// # Errors
/// `failed`; a regular file is then as it was before. `unavailable` where nobody reads from a pipe
/// in time.
pub fn write(file: Option<&Path>, text: &[u8], mode: Mode, app: &App) -> Result<()> {
    let Some(path) = file else {
        return app.ui.data(text);
    };
    #[cfg(unix)]
    if let Some(mut sink) = through::open(path, app)? {
        return sink
            .write_all(text)
            .and_then(|()| sink.flush())
            .map_err(|error| Error::io(format!("cannot write {}", path.shown()), error));
    }
    state::write_output(path, text, mode)
}

/// What is written to as it is.
#[cfg(unix)]
mod through {
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    use crate::app::App;
    use crate::state;
    use crate::words::error::{Error, Result};
    use crate::words::shown::ShownPath as _;

    /// How often to look whether somebody reads from a pipe.
    const LOOK: Duration = Duration::from_millis(20);

    /// What `path` names, where that is an open file of keyfob's own, a pipe, a device or a socket.
    pub fn open(path: &Path, app: &App) -> Result<Option<Box<dyn Write>>> {
        let cannot = |error| cannot(path, error);
        if is_stderr(path) {
            return Ok(Some(Box::new(io::stderr())));
        }
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(None);
        };
        let kind = metadata.file_type();
        let descriptor = path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
        if kind.is_dir() || kind.is_file() && !descriptor {
            return Ok(None);
        }
        if (kind.is_fifo() || kind.is_socket()) && state::is_planted(path) {
            return Err(Error::failed(format!(
                "{} is not written to: somebody else has put it there, and everybody can write in that folder",
                path.shown()
            )));
        }
        if kind.is_socket() {
            let socket = UnixStream::connect(path).map_err(cannot)?;
            return Ok(Some(Box::new(socket)));
        }
        if kind.is_fifo() {
            return Ok(Some(Box::new(reader(path, app)?)));
        }
        let file = File::options().append(true).open(path).map_err(cannot)?;
        Ok(Some(Box::new(file)))
    }

    fn is_stderr(path: &Path) -> bool {
        let stderr = ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"];
        stderr.iter().any(|it| path == Path::new(it))
    }

    /// The pipe at `path`, once somebody reads from it.
    fn reader(path: &Path, app: &App) -> Result<File> {
        let limit = app.limit()?;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        loop {
            let opened = File::options()
                .write(true)
                .custom_flags(nonblocking)
                .open(path);
            let error = match opened {
                Ok(file) => {
                    // Whoever reads may take its time.
                    let flags = fcntl_getfl(&file).map(|flags| flags - OFlags::NONBLOCK);
                    let settled = flags.and_then(|flags| fcntl_setfl(&file, flags));
                    return match settled {
                        Ok(()) => Ok(file),
                        Err(error) => Err(cannot(path, error.into())),
                    };
                }
                Err(error) => error,
            };
            if error.raw_os_error() != Some(rustix::io::Errno::NXIO.raw_os_error()) {
                return Err(cannot(path, error));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(Error::unavailable(format!(
                    "nobody reads from the pipe {}",
                    path.shown()
                )));
            }
            thread::sleep(LOOK);
        }
    }

    fn cannot(path: &Path, error: io::Error) -> Error {
        Error::io(format!("cannot write {}", path.shown()), error)
    }
}

/// Refuses to write over what is being read: `input` is a file, stdin where it is `None`.
///
/// # Errors
/// `usage` naming the file.
pub fn check_not_input(output: &Path, input: Option<&Path>) -> Result<()> {
    let read = match input {
        Some(path) => fs::metadata(path).ok(),
        None => stdin_metadata(),
    };
    let written = fs::metadata(output).ok();
    let same = match (&read, &written) {
        (Some(read), Some(written)) => same_file(read, written, input, output),
        _ => false,
    };
    if !same {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{} is the template itself, which would be lost",
        output.shown()
    ))
    .hint("write to another file with -o"))
}

#[cfg(unix)]
fn same_file(read: &Metadata, written: &Metadata, _: Option<&Path>, _: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    (read.dev(), read.ino()) == (written.dev(), written.ino())
}

#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata, input: Option<&Path>, output: &Path) -> bool {
    let real = |path: &Path| dunce::canonicalize(path).ok();
    input.is_some_and(|input| real(input).is_some() && real(input) == real(output))
}

#[cfg(unix)]
fn stdin_metadata() -> Option<Metadata> {
    use std::os::fd::AsFd;

    let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    fs::File::from(stdin).metadata().ok()
}

#[cfg(not(unix))]
fn stdin_metadata() -> Option<Metadata> {
    None
}
