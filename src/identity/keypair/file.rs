//! The file a keypair is kept in: private to its owner, and never written over another.

use std::path::Path;

use super::{FORMS, Keypair};
use crate::identity::private::read_private;
use crate::state;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// No form of a keypair is longer; what is, is another file.
const MAX_FILE: usize = 4096;

impl Keypair {
    /// Reads a keypair file, in any form [`parse`](Self::parse) takes.
    ///
    /// # Errors
    /// `unauthenticated` where there is no such file or others than its owner may read or write
    /// it, `invalid_data` where it holds no keypair, `failed` where it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self> {
        let shown = path.shown();
        if path.is_dir() {
            return Err(Error::failed(format!(
                "cannot read the keypair file {shown}: it is a folder"
            )));
        }
        let text = read_private(path, "keypair file")?.ok_or_else(|| {
            Error::unauthenticated(format!("there is no keypair file {shown}")).hint(
                "make one with: keyfob key new -o FILE; or name another with the setting keypair",
            )
        })?;
        let text = std::str::from_utf8(&text)
            .ok()
            .filter(|text| text.len() <= MAX_FILE)
            .ok_or_else(|| {
                Error::invalid_data(format!("{shown} is not a keypair file")).hint(FORMS)
            })?;
        Self::parse(text).map_err(|error| error.context(shown))
    }

    /// Writes the keypair to a new file in the Solana CLI's format, readable by its owner alone,
    /// making missing folders.
    ///
    /// # Errors
    /// `conflict` where `path` exists already, `failed` where it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<()> {
        state::create_folder(state::folder_of(path))?;
        let written = state::write_new(path, self.to_cli_json().as_bytes());
        written.map_err(|error| match error.kind() {
            Kind::Conflict => {
                error.hint("a keypair is never written over another file; choose another path")
            }
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/id.json");
        let pair = Keypair::generate().unwrap();
        pair.write_new(&path).unwrap();
        assert_eq!(Keypair::from_file(&path).unwrap().address(), pair.address());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Vec<u8>>(&text).unwrap().len(), 64);
        let error = Keypair::generate().unwrap().write_new(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_open_to_others_is_refused_with_the_command_to_run() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's id.json");
        Keypair::generate().unwrap().write_new(&path).unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = Keypair::from_file(&path);
            assert_eq!(read.is_ok(), good, "{mode:o}");
            if let Err(error) = read {
                assert_eq!(error.kind(), Kind::Unauthenticated);
                // The hint is a command: running it must help, whatever the path holds.
                let status = std::process::Command::new("sh")
                    .args(["-c", error.hint_text().unwrap()])
                    .status()
                    .unwrap();
                assert!(status.success());
                Keypair::from_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn missing_oversized_and_foreign_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path: &Path| Keypair::from_file(path).unwrap_err().kind();
        assert_eq!(kind(&folder.path().join("none")), Kind::Unauthenticated);
        for (name, bytes) in [("big", vec![b' '; 5000]), ("binary", vec![0xff; 64])] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            assert_eq!(kind(&path), Kind::InvalidData, "{name}");
        }
    }
}
