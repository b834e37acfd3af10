use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::words::error::Kind;

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

fn journal(folder: &Path, vars: &[(&str, &str)]) -> Journal {
    let folders = Folders::below(folder);
    let env = Environment::from_vars(vars.iter().copied(), folder);
    Journal::new(&env, &folders, &Keyring::default(), Arc::new(|_| ()))
}

fn tag(name: &str) -> Tag {
    Tag::new("test", "web", &[name])
}

#[test]
fn what_was_sealed_opens_in_another_process() {
    for vars in [&[][..], &[("KEYFOB_FALLBACK_KEY", KEY)]] {
        let folder = tempfile::tempdir().unwrap();
        let first = journal(folder.path(), vars);
        assert!(first.tags("test").unwrap().is_empty());
        first.seal(&tag("A"), &"hunter2").unwrap();
        let second = journal(folder.path(), vars);
        assert_eq!(second.tags("test").unwrap(), [tag("A")]);
        let (entry, seal) = second.open::<String>(&tag("A")).unwrap().unwrap();
        assert_eq!(entry, "hunter2");
        second.remove(&seal).unwrap();
        assert!(!second.contains(&tag("A")));
        assert!(second.open::<String>(&tag("A")).unwrap().is_none());
        second.remove(&seal).unwrap();
    }
}

#[test]
fn on_disk_is_neither_value_nor_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), &[]);
    journal.seal(&tag("DB_PASSWORD"), &"hunter2").unwrap();
    let path = journal.path(&tag("DB_PASSWORD"));
    assert!(!path.to_str().unwrap().contains("DB_PASSWORD"));
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    for part in [&b"hunter2"[..], b"DB_PASSWORD"] {
        assert!(!bytes.windows(part.len()).any(|window| window == part));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits(&path), bits(&journal.folder)), (0o600, 0o700));
    }
}

#[test]
fn a_file_under_anothers_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), &[]);
    journal.seal(&tag("A"), &1).unwrap();
    fs::copy(journal.path(&tag("A")), journal.path(&tag("B"))).unwrap();
    let error = journal.open::<u32>(&tag("B")).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    assert_eq!(journal.open::<u32>(&tag("A")).unwrap().unwrap().0, 1);
}

#[test]
fn only_its_own_content_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), &[]);
    let first = journal.seal(&tag("A"), &1).unwrap();
    let second = journal.seal(&tag("A"), &2).unwrap();
    journal.remove(&first).unwrap();
    assert_eq!(journal.open::<u32>(&tag("A")).unwrap().unwrap().0, 2);
    journal.remove(&second).unwrap();
    assert!(!journal.contains(&tag("A")));
    assert!(!journal.discard(&tag("A")).unwrap());
}

#[test]
fn a_damaged_file_and_a_missing_identity_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let given = journal(folder.path(), &[("KEYFOB_FALLBACK_KEY", KEY)]);
    given.seal(&tag("A"), &"hunter2").unwrap();
    let without = journal(folder.path(), &[]);
    let error = without.open::<String>(&tag("A")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    let path = given.path(&tag("A"));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = given.open::<String>(&tag("A")).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn tags_tell_kinds_and_stores_apart() {
    let of_web = Tag::new("test", "web", &["A"]);
    assert!(of_web.concerns("test", "web"));
    assert!(!of_web.concerns("test", "we"));
    assert!(!of_web.concerns("tes", "web"));
    assert_ne!(
        Tag::new("test", "a", &["bc"]),
        Tag::new("test", "a", &["b", "c"])
    );
}
