//! One rotation at a time of each secret: a lock that a running keyfob holds, and the operating
//! system drops with it, however it ends.

use std::path::Path;

use crate::state;
use crate::state::lock::Lock;
use crate::words::digest;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::Reference;

/// Locks on the secrets that a rotation writes, held until dropped.
pub type Claim = Vec<Lock>;

/// Takes the locks of `places`, in `folder`, which is made where it is missing.
///
/// # Errors
/// `conflict` where another keyfob is rotating one of them right now.
pub fn take<'p>(
    folder: &Path,
    places: impl IntoIterator<Item = (&'p Reference, &'p Scope)>,
) -> Result<Claim> {
    state::create_folder(folder)?;
    let places = places.into_iter();
    let locks = places.map(|(reference, scope)| {
        let digest = digest::of_parts(&[scope.as_str(), reference.name.as_str()]);
        let path = folder.join(format!("{}.lock", &digest[..32]));
        Lock::try_file(&path)?.ok_or_else(|| {
            Error::conflict(format!("another keyfob is rotating {reference} right now"))
                .hint("wait until it is done; keyfob rotate --list shows what is open")
        })
    });
    locks.collect()
}

#[cfg(test)]
mod tests {
    use super::super::change::{Old, State};
    use super::super::tests::step as target;
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
        let first = take(&folder, [(reference, scope)]).unwrap();
        for taken in [reference, &alias] {
            let error = take(&folder, [(&other, scope), (taken, scope)]).unwrap_err();
            assert_eq!(error.kind(), Kind::Conflict);
        }
        take(&folder, [(&other, scope)]).unwrap();
        drop(first);
        take(&folder, [(&other, scope), (&alias, scope)]).unwrap();
    }

    #[test]
    fn two_names_for_one_secret_cannot_be_in_one_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(true, Old::Absent, State::Untouched);
        let alias: Reference = "keyfob://alias/K".parse().unwrap();
        let pair = [(&target.reference, &target.scope), (&alias, &target.scope)];
        assert!(take(folder.path(), pair).is_err());
    }
}
