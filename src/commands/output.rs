//! Where a command's text goes: to stdout, or to a file of which nothing is seen before it is
//! whole.

use std::fs::{self, Metadata};
use std::path::Path;

use super::input::is_standard;
use crate::app::App;
use crate::state::{self, Mode};
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The file that `path` names; `None` where it means stdout, as it does when nothing is named.
pub fn file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !is_standard(path))
}

/// Writes `text` to `file`, or to stdout where there is none.
///
/// # Errors
/// `failed`; a file is then as it was before.
pub fn write(file: Option<&Path>, text: &[u8], mode: Mode, app: &App) -> Result<()> {
    match file {
        Some(path) => state::write_atomically(path, text, mode),
        None => app.ui.data(text),
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
    let real = |path: &Path| fs::canonicalize(path).ok();
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
