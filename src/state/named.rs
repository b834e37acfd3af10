//! Files that the user has named, read whole whatever they are. What is no regular file may be a pipe
//! that nobody writes to: it is waited for as long as the user has said, and no longer.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::words::error::{Error, Kind, io_reason};

/// How long a pipe is waited for; `None` is for ever.
static PATIENCE: OnceLock<Option<Duration>> = OnceLock::new();

/// How long that is where nobody has said anything.
const USUAL: Duration = Duration::from_secs(30);

/// The room that reading begins with, in bytes.
const ROOM: usize = 64 * 1024;

/// Has pipes waited for no longer than `patience`; `None` is for ever. The first word counts.
pub fn introduce(patience: Option<Duration>) {
    let _ = PATIENCE.set(patience);
}

/// Every byte of the file at `path`, of which there are `most` at most.
///
/// # Errors
/// `TimedOut` for a pipe through which not all has come in time, `FileTooLarge`; else that of the
/// system.
pub fn read(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let patience = *PATIENCE.get().unwrap_or(&Some(USUAL));
    read_within(path, most, patience)
}

fn read_within(
    path: &Path,
    most: usize,
    patience: Option<Duration>,
) -> io::Result<Zeroizing<Vec<u8>>> {
    if fs::metadata(path)?.is_file() {
        return read_all(File::open(path)?, most);
    }
    let (sender, receiver) = mpsc::channel();
    let own = path.to_owned();
    // Neither opening nor reading can be called off: where nothing comes, it is left behind, and ends
    // with the process.
    thread::Builder::new().spawn(move || {
        let read = File::open(&own).and_then(|file| read_all(file, most));
        let _ = sender.send(read);
    })?;
    let received = match patience {
        Some(patience) => receiver.recv_timeout(patience).ok(),
        None => receiver.recv().ok(),
    };
    received.unwrap_or_else(|| {
        let why = "it is a pipe or a device, and not all has come in time";
        Err(io::Error::new(ErrorKind::TimedOut, why))
    })
}

/// Every byte of `source`, of which there are `most` at most, in memory that is wiped.
///
/// # Errors
/// `FileTooLarge`; else that of the system.
pub fn read_all(mut source: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; ROOM]);
    let mut end = 0;
    loop {
        if end == bytes.len() {
            // A vector that grows by itself frees its old memory without wiping it.
            let mut roomier = Zeroizing::new(vec![0; bytes.len() * 2]);
            roomier[..end].copy_from_slice(&bytes);
            bytes = roomier;
        }
        match source.read(&mut bytes[end..]) {
            Ok(0) => break,
            Ok(count) => end += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if end > most {
            let why = "it is larger than any of its kind";
            return Err(io::Error::new(ErrorKind::FileTooLarge, why));
        }
    }
    bytes.truncate(end);
    Ok(bytes)
}

/// The error, of `kind`, for a file that was not read: `what` says which, and what it is for. Nobody's
/// fault but the writer's is one that has not come in time: `unavailable`.
pub fn failure(kind: Kind, what: &str, error: io::Error) -> Error {
    let message = format!("{what}: {}", io_reason(&error));
    match error.kind() {
        ErrorKind::TimedOut => {
            Error::unavailable(message).hint("--timeout sets how long the whole command may take")
        }
        _ => Error::new(kind, message),
    }
    .made_of(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_read_up_to_the_limit() {
        let text = vec![b'x'; 200_000];
        let read = |most| read_all(&text[..], most);
        assert_eq!(*read(200_000).unwrap(), text);
        assert_eq!(read(199_999).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(read_all(&b""[..], 1).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let soon = Some(Duration::from_millis(50));
        let error = read_within(&pipe, 100, soon).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let error = failure(Kind::Config, "it", error);
        assert_eq!(error.kind(), Kind::Unavailable);
        // One that was left behind may take what comes, so that another pipe is written to.
        let pipe = folder.path().join("other");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let writer = thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "hello")
        });
        assert_eq!(**read_within(&pipe, 100, None).unwrap(), *b"hello");
        writer.join().unwrap().unwrap();
    }
}
