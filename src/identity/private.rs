//! Reading files that hold private keys, and that nobody but their owner may read.

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::state;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// Larger than any identity file, and small enough to read by mistake.
const MAX_SIZE: u64 = 1 << 20;

/// The content of a file that nobody but its owner can read or write; `None` where there is none.
/// `what` it is goes into messages.
///
/// # Errors
/// `unauthenticated` where others can, with the command that ends it, and where it is too large to be
/// one with keys; `failed` where it cannot be read or is no regular file.
pub fn read_private(path: &Path, what: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let shown = path.shown();
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::failed(format!(
            "cannot read the {what} {shown}: it is not a regular file"
        )),
        _ => Error::io(format!("cannot read the {what} {shown}"), error),
    };
    let Some(file) = state::open(path).map_err(cannot)? else {
        return Ok(None);
    };
    // The open file is looked at, not its name, which might be given to another one in between.
    let metadata = file.metadata().map_err(cannot)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            return Err(Error::unauthenticated(format!(
                "the {what} {shown} is open to others (mode {:04o}) and is not used",
                mode & 0o7777
            ))
            .hint(format!("chmod 600 {}", shown.typed())));
        }
    }
    if metadata.len() > MAX_SIZE {
        return Err(Error::unauthenticated(format!(
            "the {what} {shown} is too large to be one"
        )));
    }
    // One byte more than needed, so that the end is seen without moving the buffer.
    let capacity = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAX_SIZE)
        .read_to_end(&mut content)
        .map_err(cannot)?;
    Ok(Some(content))
}
