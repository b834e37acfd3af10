use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::words::batch::Write;
use crate::words::error::Kind;
use crate::words::secret::{Name, SecretValue};

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const GIVEN: &[(&str, &str)] = &[("KEYFOB_FALLBACK_KEY", KEY)];

fn journal(folder: &Path, vars: &[(&str, &str)]) -> Journal {
    let folders = Folders::below(folder);
    let env = Environment::from_vars(vars.iter().copied(), folder);
    let notice: Notice = Rc::new(|_| ());
    Journal::new(&env, &folders, &Keyring::default(), &notice)
}

/// What the provider of a store at `url` sees.
fn store_journal(folder: &Path, store: &str, url: &str) -> StoreJournal {
    StoreJournal {
        all: journal(folder, GIVEN),
        store: StoreName::new(store).unwrap(),
        provider: "neo",
        url: url.to_owned(),
        noticed: Cell::default(),
    }
}

/// A step of `keyfob://web/K` that holds `new` and has held `old`.
pub fn step(readable: bool, old: Old, state: State) -> Step {
    Step {
        reference: "keyfob://web/K".parse().unwrap(),
        scope: Scope::of(&["web"]),
        readable,
        new: "new".into(),
        attributes: BTreeMap::new(),
        old,
        state,
    }
}

fn rotation(secret: &str, value: &str) -> Change {
    let mut step = step(true, Old::Value("old".into()), State::Unclear);
    step.new = value.into();
    Change {
        secret: secret.parse().unwrap(),
        begun_at: Timestamp::UNIX_EPOCH,
        steps: vec![step],
        verify: None,
        on_rollback: None,
        told_rollback: false,
        direction: Direction::Forward,
        announced: None,
    }
}

fn replacement(secret: &str, value: &str) -> Change {
    let Reference { store, name } = secret.parse().unwrap();
    let write = Write::new(name, value.into());
    let announced = Announced {
        provider: "neo".to_owned(),
        url: "https://api.example.com".to_owned(),
        progress: json!("begun"),
    };
    Change::replacement(&store, &write, Timestamp::UNIX_EPOCH, announced)
}

fn read(journal: &Journal, change: &Change) -> Result<Option<SecretValue>> {
    let open = journal.read(&tag_of(change))?;
    Ok(open.map(|open| open.change.steps[0].new.clone()))
}

#[test]
fn what_was_sealed_opens_in_another_process() {
    for vars in [&[][..], GIVEN] {
        for change in [
            rotation("keyfob://web/A", "hunter2"),
            replacement("keyfob://web/A", "hunter2"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let first = journal(folder.path(), vars);
            assert!(first.all(None).unwrap().is_empty());
            first.begin(change.clone()).unwrap();
            let second = journal(folder.path(), vars);
            let open = second.all(None).unwrap().remove(0).unwrap();
            assert_eq!(open.change.secret, change.secret);
            assert_eq!(open.change.steps[0].new.expose(), b"hunter2");
            second.close(&open).unwrap();
            assert!(second.all(None).unwrap().is_empty());
            assert!(read(&second, &change).unwrap().is_none());
            second.close(&open).unwrap();
        }
    }
}

#[test]
fn on_disk_is_neither_value_nor_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), &[]);
    let change = rotation("keyfob://web/DB_PASSWORD", "hunter2");
    let path = journal.path(&tag_of(&change));
    journal.begin(change).unwrap();
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
    let [a, b] = ["A", "B"].map(|name| rotation(&format!("keyfob://web/{name}"), name));
    journal.begin(a.clone()).unwrap();
    let path = |change: &Change| journal.path(&tag_of(change));
    fs::copy(path(&a), path(&b)).unwrap();
    let error = read(&journal, &b).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    assert_eq!(read(&journal, &a).unwrap(), Some("A".into()));
    // The one that can be read comes first.
    let all = journal.all(None).unwrap();
    assert!(matches!(all.as_slice(), [Ok(_), Err(_)]));
}

#[test]
fn only_its_own_content_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), &[]);
    let change = rotation("keyfob://web/A", "1");
    let first = journal.begin(change.clone()).unwrap();
    let mut second = journal.begin(rotation("keyfob://web/A", "2")).unwrap();
    journal.close(&first).unwrap();
    assert_eq!(read(&journal, &change).unwrap(), Some("2".into()));
    second.change.told_rollback = true;
    journal.keep(&mut second).unwrap();
    journal.close(&second).unwrap();
    assert!(journal.all(None).unwrap().is_empty());
}

#[test]
fn a_damaged_file_and_a_missing_identity_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let given = journal(folder.path(), GIVEN);
    let change = rotation("keyfob://web/A", "hunter2");
    given.begin(change.clone()).unwrap();
    let without = journal(folder.path(), &[]);
    let error = read(&without, &change).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    let path = given.path(&tag_of(&change));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = read(&given, &change).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_store_is_told_what_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), GIVEN);
    journal.begin(rotation("keyfob://web/A", "1")).unwrap();
    journal.begin(replacement("keyfob://web/A", "2")).unwrap();
    journal.begin(replacement("keyfob://we/A", "3")).unwrap();
    let values = |store: &str| {
        let all = journal.all(Some(&StoreName::new(store).unwrap())).unwrap();
        let values = all.into_iter();
        let values = values.map(|open| open.unwrap().change.steps[0].new.clone());
        values.collect::<Vec<SecretValue>>()
    };
    assert_eq!(values("web"), ["1".into(), "2".into()]);
    assert_eq!(values("we"), ["3".into()]);
    assert_eq!(values("w"), []);
    assert_eq!(journal.all(None).unwrap().len(), 3);
    assert_eq!(journal.replacements(None).unwrap().len(), 2);

    // One that cannot be read is told; that of a rotation to every store, as it writes into others.
    let store = StoreName::new("web").unwrap();
    for kind in [ROTATION, REPLACEMENT] {
        let path = journal.path(&tag(kind, &store, &["damaged"]));
        fs::write(path, "x").unwrap();
    }
    let unread = |store: Option<&str>| {
        let store = store.map(|store| StoreName::new(store).unwrap());
        let all = journal.all(store.as_ref()).unwrap();
        all.iter().filter(|open| open.is_err()).count()
    };
    assert_eq!([None, Some("web"), Some("we")].map(unread), [2, 2, 1]);
}

#[test]
fn a_provider_finds_its_own_step_at_its_own_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |url: &str| store_journal(folder.path(), "web", url);
    let here = at("https://api.example.com");
    let name = Name::new("A").unwrap();
    let write = Write::new(name.clone(), "hunter2".into());
    let mut open = here.begin(&write, &json!({"stage": 1})).unwrap();
    here.note(&mut open, &json!({"stage": 2})).unwrap();
    let found = here.find(&name).unwrap();
    assert_eq!(here.progress::<Value>(&found).unwrap(), json!({"stage": 2}));
    let error = here.progress::<String>(&found).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    let there = at("https://elsewhere.example.com");
    assert!(!there.is_open(&name) && there.find(&name).is_none());
    let error = there.progress::<Value>(&found).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(here.discard(&name).unwrap());
    assert!(!here.discard(&name).unwrap());
}

/// What keyfob 0.1 has left: the JSON as it wrote it, under the name that it gave the file.
fn plant(journal: &Journal, tag: &str, entry: &str) {
    let text = format!(r#"{{"keyfob":1,"tag":"{tag}","entry":{entry}}}"#);
    let text: Box<RawValue> = serde_json::from_str(&text).unwrap();
    fs::create_dir_all(&journal.folder).unwrap();
    let sealed = journal.keys.encrypt(&text).unwrap();
    fs::write(journal.path(tag), sealed).unwrap();
}

#[test]
fn what_keyfob_0_1_left_is_read_kept_and_closed() {
    const ROTATION: &str = "rotation-1c117588e193efa6-fe6ba298afda7c1f239e89c468d6261f";
    const REPLACEMENT: &str = "replacement-81c295b4d88cbfce-5d033bf3198ad9e367a08a719dbf3654";
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), GIVEN);
    plant(
        &journal,
        ROTATION,
        r#"{"secret":"keyfob://local/K","begun_at":"2026-11-25T18:20:58.193668726Z","targets":[{"reference":"keyfob://local/K","scope":"e7095f1493e5b1117d2abb3677a6859f27c19005088982afd122bb04c2eb7844","readable":true,"new":"MDcxOGQ4MGI=","attributes":{},"old":{"value":"b2xk"},"state":"written"},{"reference":"keyfob://local/URL","scope":"e7095f1493e5b1117d2abb3677a6859f27c19005088982afd122bb04c2eb7844","readable":true,"new":"eDowNzE4ZDgwYg==","attributes":{"accessKey":"AK"},"old":"absent","state":"unclear"}],"verify":"kill -9 $PPID","on_rollback":null,"told_rollback":false,"direction":"forward"}"#,
    );
    plant(
        &journal,
        REPLACEMENT,
        r#"{"store":"neo","provider":"neo","url":"http://127.0.0.1:18977","name":"A","begun_at":"2026-11-25T18:20:58.021491505Z","value":"new\n\"value\"","description":"what","old":{"id":"sec_1","created_at":"2026-01-01T00:00:00Z"},"stage":"begun"}"#,
    );
    let all: Result<Vec<Open>> = journal.all(None).unwrap().into_iter().collect();
    let [mut rotation, mut replacement] = <[Open; 2]>::try_from(all.unwrap()).unwrap();

    let change = &rotation.change;
    assert_eq!(change.secret.to_string(), "keyfob://local/K");
    let verify = change.verify.as_ref().unwrap();
    assert_eq!((verify.text(), verify.folder()), ("kill -9 $PPID", None));
    assert_eq!(change.direction, Direction::Forward);
    assert!(change.announced.is_none());
    let [first, second] = change.steps.as_slice() else {
        panic!("{change:?}")
    };
    assert_eq!(first.new.expose(), b"0718d80b");
    assert_eq!(first.old.value().unwrap().expose(), b"old");
    assert_eq!((first.readable, first.state), (true, State::Written));
    assert_eq!(second.new.expose(), b"x:0718d80b");
    assert!(matches!(second.old, Old::Absent));
    assert_eq!(second.attributes["accessKey"], "AK");

    let change = &replacement.change;
    assert_eq!(change.secret.to_string(), "keyfob://neo/A");
    assert_eq!(change.first().unwrap().new.expose(), b"new\n\"value\"");
    let neo = store_journal(folder.path(), "neo", "http://127.0.0.1:18977");
    assert!(neo.is_open(&change.secret.name));
    assert_eq!(
        neo.progress::<Value>(&replacement).unwrap(),
        json!({
            "description": "what",
            "old": {"id": "sec_1", "created_at": "2026-01-01T00:00:00Z"},
            "stage": "begun",
        })
    );

    // They are gone on with in the files that they are in.
    for open in [&mut rotation, &mut replacement] {
        journal.keep(open).unwrap();
    }
    assert_eq!(journal.all(None).unwrap().len(), 2);
    for open in [&rotation, &replacement] {
        journal.close(open).unwrap();
    }
    assert!(journal.all(None).unwrap().is_empty());
}

#[test]
fn a_newer_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), GIVEN);
    let change = rotation("keyfob://web/A", "1");
    let envelope = Envelope {
        keyfob: FORMAT + 1,
        tag: tag_of(&change),
        entry: &change,
    };
    fs::create_dir_all(&journal.folder).unwrap();
    let sealed = journal.keys.encrypt(&envelope).unwrap();
    fs::write(journal.path(&tag_of(&change)), sealed).unwrap();
    let error = read(&journal, &change).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
}

proptest! {
    #[test]
    fn what_is_kept_comes_back(new: Vec<u8>, old: Vec<u8>) {
        let mut kept = step(true, Old::Value(SecretValue::new(old.clone())), State::Unclear);
        kept.new = SecretValue::new(new.clone());
        let json = serde_json::to_vec(&kept).unwrap();
        let back: Step = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(back.new.expose(), &new[..]);
        prop_assert!(matches!(back.old, Old::Value(value) if value.expose() == &old[..]));
        prop_assert_eq!(back.state, State::Unclear);
        prop_assert_eq!(back.reference, kept.reference);
    }
}

#[test]
fn a_change_says_nothing_of_its_values() {
    for change in [
        rotation("keyfob://web/A", "hunter2"),
        replacement("keyfob://web/A", "hunter2"),
    ] {
        let text = format!("{change:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("old\""),
            "{text}"
        );
    }
}
