//! A lock that processes take so that one of them logs in and the others wait for its token.
//!
//! It spares logins and guards nothing else: whoever cannot have it goes on without.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::state;
use crate::state::lock::Lock;

/// How long somebody else's login is waited for. It takes a second; one that takes longer is
/// stuck, or stopped.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(10);

/// Takes the lock `name` in `folder`, making the folder where it is missing. Waits for at most
/// half the time until `deadline`, so that enough is left to log in after all.
///
/// `None` where the lock cannot be had, for whatever reason.
pub(super) async fn take(folder: &Path, name: &str, deadline: Option<Instant>) -> Option<Lock> {
    let begun = Instant::now();
    let patience = deadline.map_or(PATIENCE, |end| {
        PATIENCE.min(end.saturating_duration_since(begun) / 2)
    });
    state::create_folder(folder).ok()?;
    let path = folder.join(format!("{name}.lock"));
    loop {
        match Lock::try_file(&path).ok()? {
            None if begun.elapsed() < patience => tokio::time::sleep(PAUSE).await,
            lock => return lock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_held_by_one_and_freed_by_dropping() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made");
        let soon = Some(Instant::now() + Duration::from_millis(100));
        let first = take(&path, "a", None).await.unwrap();
        assert!(take(&path, "a", soon).await.is_none());
        assert!(take(&path, "b", soon).await.is_some());
        drop(first);
        assert!(take(&path, "a", soon).await.is_some());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_gone_without() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(take(&file.join("locks"), "a", None).await.is_none());
    }
}
