//! Reading files that hold private keys, and that nobody but their owner may read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::words::error::{Error, Result, shell_word};

/// Larger than any identity file, and small enough to read by mistake.
const MAX_SIZE: u64 = 1 << 20;

/// The content of a file that nobody but its owner can read; `None` where there is none.
///
/// # Errors
/// `unauthenticated` where others can read it, with the command that ends it.
pub fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let cannot = |error: io::Error| {
        Error::io(
            format!("cannot read the identity file {}", path.display()),
            error,
        )
    };
    // Asked before it is opened: opening a pipe would wait for a writer.
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(Error::unauthenticated(format!(
                "the identity file {} is not a regular file",
                path.display()
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    }
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(Error::unauthenticated(format!(
            "others can read the identity file {}",
            path.display()
        ))
        .hint(format!(
            "run: chmod 600 {}",
            shell_word(&path.display().to_string())
        )));
    }
    if metadata.len() > MAX_SIZE {
        return Err(Error::unauthenticated(format!(
            "the identity file {} is too large to be one",
            path.display()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "key").unwrap();
        for (mode, good) in [(0o644, false), (0o640, false), (0o600, true), (0o400, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            match read_private(&path) {
                Ok(content) => assert!(good && content.unwrap().as_slice() == b"key", "{mode:o}"),
                Err(error) => {
                    assert!(!good, "{error:?}");
                    assert!(error.hint_text().unwrap().contains("chmod 600"));
                }
            }
        }
    }
}
