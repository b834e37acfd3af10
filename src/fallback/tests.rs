use std::path::Path;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::words::error::Kind;
use crate::words::secret::Name;

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

fn snapshots(folder: &Path, file: Option<&str>) -> Snapshots {
    let folders = Folders::below(folder);
    let env = Environment::from_vars([("KEYFOB_FALLBACK_KEY", KEY)], folder);
    let file = file.map(|file| folder.join(file));
    let keyring = Keyring::default();
    Snapshots::new(&env, &folders, &keyring, Rc::new(|_| ()), file)
}

fn scope(text: &str) -> Scope {
    serde_json::from_value(text.into()).unwrap()
}

fn name(text: &str) -> StoreName {
    StoreName::new(text).unwrap()
}

fn binding(stores: &[(&str, &str)]) -> Binding {
    let names: Vec<StoreName> = stores.iter().map(|(store, _)| name(store)).collect();
    let scopes = stores.iter().map(|(_, text)| scope(text));
    Binding::new("a selection", names.iter().zip(scopes))
}

fn keep(snapshots: &Snapshots, binding: &Binding) -> Result<()> {
    let (reference, value) = ("keyfob://web/A".parse().unwrap(), "hunter2".into());
    let secrets = BTreeMap::from([(&reference, &value)]);
    let max_stale = "24h".parse().unwrap();
    snapshots.keep(binding, &secrets, Timestamp::UNIX_EPOCH, max_stale)
}

#[test]
fn what_is_kept_is_found_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let web = binding(&[("web", "one")]);
    for file in [None, Some("deep/file.age")] {
        keep(&snapshots(folder.path(), file), &web).unwrap();
        let found = snapshots(folder.path(), file).find(&web).unwrap();
        assert_eq!(found.taken_at, Timestamp::UNIX_EPOCH);
        let value = &found.values[&name("web")][&Name::new("A").unwrap()];
        assert_eq!(value, &"hunter2".into());
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}

#[test]
fn another_store_or_scope_is_another_binding() {
    let folder = tempfile::tempdir().unwrap();
    let web = binding(&[("web", "one")]);
    let others = [
        binding(&[("web", "two")]),
        binding(&[("gpu", "one")]),
        binding(&[("web", "one"), ("gpu", "one")]),
    ];
    for (file, kind) in [(None, Kind::NotFound), (Some("file.age"), Kind::Conflict)] {
        let snapshots = snapshots(folder.path(), file);
        keep(&snapshots, &web).unwrap();
        for other in &others {
            assert_eq!(snapshots.find(other).unwrap_err().kind(), kind);
        }
    }
}

#[test]
fn one_selection_s_snapshot_under_another_s_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = snapshots(folder.path(), None);
    let (web, gpu) = (binding(&[("web", "one")]), binding(&[("gpu", "one")]));
    keep(&snapshots, &web).unwrap();
    let path = |binding: &Binding| snapshots.shelf.path(&binding.digest);
    std::fs::rename(path(&web), path(&gpu)).unwrap();
    assert_eq!(snapshots.find(&gpu).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn snapshots_go_by_the_name_or_the_scope_of_a_store() {
    for (origin, goes) in [
        (Origin::new(&name("web"), None), true),
        (Origin::new(&name("web"), Some(scope("other"))), true),
        (Origin::new(&name("alias"), Some(scope("one"))), true),
        (Origin::new(&name("alias"), Some(scope("other"))), false),
        (Origin::new(&name("alias"), None), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let web = binding(&[("gpu", "two"), ("web", "one")]);
        let snapshots = snapshots(folder.path(), None);
        keep(&snapshots, &web).unwrap();
        let forgotten = snapshots.forget(std::slice::from_ref(&origin));
        assert!(forgotten.failures.is_empty());
        assert_eq!(forgotten.removed.len(), usize::from(goes), "{origin:?}");
        assert_eq!(snapshots.find(&web).is_err(), goes, "{origin:?}");
    }
}

#[cfg(unix)]
#[test]
fn through_a_link_the_file_itself_is_written_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (
        folder.path().join("link.age"),
        folder.path().join("real.age"),
    );
    std::os::unix::fs::symlink("real.age", &link).unwrap();
    let web = binding(&[("web", "one")]);
    let snapshots = snapshots(folder.path(), Some("link.age"));
    keep(&snapshots, &web).unwrap();
    assert!(real.is_file() && link.is_symlink());
    assert_eq!(snapshots.forget(&web.origins).removed, [link]);
    assert!(!real.exists());
}

proptest! {
    #[test]
    fn any_name_and_any_bytes_come_back(
        secrets in prop::collection::btree_map("\\PC{1,8}|[\\x00-\\x7f]{1,4}", any::<Vec<u8>>(), 0..4),
    ) {
        let secrets: Vec<(Reference, SecretValue)> = secrets
            .into_iter()
            .map(|(text, bytes)| {
                let reference = Reference { store: name("web"), name: Name::new(text).unwrap() };
                (reference, SecretValue::new(bytes))
            })
            .collect();
        let by_reference = secrets.iter().map(|(reference, value)| (reference, value)).collect();
        let content = Content::new("b", Timestamp::UNIX_EPOCH, &by_reference);
        let json = serde_json::to_vec(&content).unwrap();
        let read = content::read(&json, "b", Path::new("x")).unwrap();
        let values: usize = read.values.values().map(BTreeMap::len).sum();
        prop_assert_eq!(values, secrets.len());
        for (reference, value) in &secrets {
            prop_assert_eq!(&read.values[&reference.store][&reference.name], value);
        }
    }

    #[test]
    fn no_content_panics_or_is_repeated(json in "\\PC{0,40}") {
        let text = format!("{{\"keyfob\":1,\"binding\":\"b\",\"taken_at\":\"hunter2\",\"values\":{json}");
        let error = content::read(text.as_bytes(), "b", Path::new("x")).unwrap_err();
        let shown = format!("{error:?}");
        prop_assert!(!shown.contains("hunter2"));
    }
}
