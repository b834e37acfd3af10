//! One rotation at a time of each secret: a lock that a running keyfob holds, and the operating
//! system drops with it, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::state;
use crate::words::digest;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::Reference;

/// Locks on the secrets that a rotation writes, held until dropped.
#[derive(Debug)]
pub struct Claim {
    _files: Vec<File>,
}

impl Claim {
    /// Takes the locks of `targets`, in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// `conflict` where another keyfob is rotating one of them right now.
    pub fn take<'t>(
        folder: &Path,
        targets: impl IntoIterator<Item = (&'t Reference, &'t Scope)>,
    ) -> Result<Self> {
        state::create_folder(folder)?;
        let mut files = Vec::new();
        for (reference, scope) in targets {
            let path = path(folder, reference, scope);
            let cannot =
                |error: std::io::Error| Error::io(format!("cannot lock {}", path.display()), error);
            let file = open(&path).map_err(cannot)?;
            match file.try_lock() {
                Ok(()) => files.push(file),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::conflict(format!(
                        "another keyfob is rotating {reference} right now"
                    ))
                    .hint("wait until it is done; keyfob rotate --list shows what is open"));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
        Ok(Self { _files: files })
    }
}

/// The lock's file. It stays, empty, as removing it would be a race.
fn path(folder: &Path, reference: &Reference, scope: &Scope) -> PathBuf {
    let digest = digest::of_parts(&[scope.as_str(), reference.name.as_str()]);
    folder.join(format!("{}.lock", &digest[..32]))
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::target;
    use super::super::record::{Old, State};
    use super::*;
    use crate::words::error::Kind;

    #[test]
    fn a_secret_is_claimed_once_under_whatever_store_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made");
        let target = target(true, Old::Absent, State::Untouched);
        let (scope, reference) = (&target.scope, &target.reference);
        let other: Reference = "keyfob://web/OTHER".parse().unwrap();
        let alias: Reference = "keyfob://alias/K".parse().unwrap();
        let first = Claim::take(&folder, [(reference, scope)]).unwrap();
        for taken in [reference, &alias] {
            let error = Claim::take(&folder, [(&other, scope), (taken, scope)]).unwrap_err();
            assert_eq!(error.kind(), Kind::Conflict);
        }
        Claim::take(&folder, [(&other, scope)]).unwrap();
        drop(first);
        Claim::take(&folder, [(&other, scope), (&alias, scope)]).unwrap();
    }

    #[test]
    fn two_names_for_one_secret_cannot_be_in_one_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(true, Old::Absent, State::Untouched);
        let alias: Reference = "keyfob://alias/K".parse().unwrap();
        let pair = [(&target.reference, &target.scope), (&alias, &target.scope)];
        assert!(Claim::take(folder.path(), pair).is_err());
    }
}
