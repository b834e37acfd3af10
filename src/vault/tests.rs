//! The vault as a whole: real files, real age, several writers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::keeping::tests::FakeKeyring;
use super::*;
use crate::error::Kind;
use crate::providers::Metadata;

/// A home of its own for each test: a data folder, a keyring, and what was said.
struct Home {
    folder: TempDir,
    keyring: Arc<FakeKeyring>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Home {
    fn new() -> Self {
        Self::with(FakeKeyring::absent())
    }

    fn with(keyring: FakeKeyring) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            keyring: Arc::new(keyring),
            said: Arc::default(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn options(&self) -> VaultOptions {
        let said = Arc::clone(&self.said);
        let keyring: Arc<dyn IdentityKeyring> = self.keyring.clone();
        VaultOptions {
            path: None,
            identity: None,
            recipients: Vec::new(),
            folders: Folders {
                config: self.folder.path().join("config"),
                data: self.data(),
                cache: self.folder.path().join("cache"),
            },
            keyring,
            lock_timeout: Some(Duration::from_secs(60)),
            trust_recorded: true,
            on_created: Arc::new(move |created| said.lock().unwrap().push(created.to_string())),
        }
    }

    fn vault(&self) -> Vault {
        Vault::new(self.options())
    }

    /// A vault at `path` that opens with the identity file `identity`.
    fn vault_at(&self, path: &Path, identity: &Path) -> Vault {
        Vault::new(VaultOptions {
            path: Some(path.to_owned()),
            identity: Some(IdentitySource::File(identity.to_owned())),
            ..self.options()
        })
    }

    /// A fresh identity file beside the data folder, and its public key.
    fn identity(&self, name: &str) -> (PathBuf, Recipient) {
        let path = self.folder.path().join(name);
        let (text, public) = identity::generate(Timestamp::UNIX_EPOCH);
        fsio::write_new(&path, text.as_bytes()).unwrap();
        (path, public)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn batch(secrets: &[(&str, &[u8])]) -> Batch {
    let writes = secrets.iter().map(|(name, value)| Write {
        name: Name::new(*name).unwrap(),
        value: SecretValue::new(value.to_vec()),
        metadata: Metadata::default(),
    });
    Batch {
        writes: writes.collect(),
        if_absent: false,
    }
}

fn actions(outcomes: Vec<Outcome>) -> Vec<Result<Action, Kind>> {
    let results = outcomes.into_iter().map(|outcome| outcome.result);
    results
        .map(|result| result.map_err(|error| error.kind()))
        .collect()
}

fn set(vault: &Vault, secrets: &[(&str, &[u8])]) -> Vec<Result<Action, Kind>> {
    actions(vault.write(batch(secrets)).unwrap())
}

fn all(vault: &Vault) -> BTreeMap<String, Vec<u8>> {
    let values = vault.read(&Selection::All).unwrap().into_iter();
    values
        .map(|(name, value)| (name.to_string(), value.expose().to_vec()))
        .collect()
}

fn get(vault: &Vault, name: &str) -> Option<Vec<u8>> {
    let names = vec![Name::new(name).unwrap()];
    let mut values = vault.read(&Selection::Names(names)).unwrap();
    assert!(values.len() <= 1);
    values.remove(name).map(|value| value.expose().to_vec())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn reading_makes_nothing() {
    let home = Home::new();
    let vault = home.vault();
    assert!(vault.list(|_| true).unwrap().is_empty());
    assert!(all(&vault).is_empty());
    assert!(vault.info().unwrap().is_none());
    assert!(vault.recipients().unwrap().is_empty());
    assert!(vault.foreign_recipients().unwrap().is_empty());
    assert!(vault.identity_info().unwrap().is_none());
    let outcomes = vault.delete(&[name("a")]).unwrap();
    assert_eq!(actions(outcomes), [Err(Kind::NotFound)]);
    assert_eq!(
        vault.restore(&name("a"), None).unwrap_err().kind(),
        Kind::NotFound
    );
    assert_eq!(
        vault.history(&name("a")).unwrap_err().kind(),
        Kind::NotFound
    );
    assert_eq!(vault.rekey().unwrap_err().kind(), Kind::NotFound);
    assert!(set(&vault, &[]).is_empty());
    assert!(!home.data().exists());
}

#[test]
fn the_first_write_makes_vault_and_identity_and_says_so() {
    let home = Home::new();
    let vault = home.vault();
    assert_eq!(
        set(&vault, &[("a", b"1"), ("b", &[0xff])]),
        [Ok(Action::Created); 2]
    );
    assert_eq!(get(&vault, "a").unwrap(), b"1");
    assert_eq!(get(&vault, "b").unwrap(), [0xff]);
    assert_eq!(get(&vault, "c"), None);
    assert_eq!(files(&home.data()), ["identity.txt", "vault.age"]);
    set(&home.vault(), &[("c", b"")]);
    let said = home.said.lock().unwrap();
    assert_eq!(said.len(), 1);
    let (key, _) = vault.identity_info().unwrap().unwrap();
    for part in [key.key(), "identity.txt", "vault.age"] {
        assert!(said[0].contains(part), "{}", said[0]);
    }
    assert_eq!(all(&vault).len(), 3);
}

#[cfg(unix)]
#[test]
fn new_things_are_private_and_a_vaults_mode_is_kept() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new();
    let vault = home.vault();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    set(&vault, &[("a", b"1")]);
    assert_eq!(mode(&home.data()), 0o700);
    assert_eq!(mode(vault.path()), 0o600);
    assert_eq!(mode(&home.data().join("identity.txt")), 0o600);
    fs::set_permissions(vault.path(), PermissionsExt::from_mode(0o644)).unwrap();
    set(&vault, &[("a", b"2")]);
    assert_eq!(mode(vault.path()), 0o644);
}

#[cfg(unix)]
#[test]
fn a_linked_vault_is_written_where_it_is() {
    let home = Home::new();
    fs::create_dir(home.folder.path().join("real")).unwrap();
    let link = home.folder.path().join("link.age");
    std::os::unix::fs::symlink("real/team.age", &link).unwrap();
    let (identity, _) = home.identity("key");
    let vault = home.vault_at(&link, &identity);
    set(&vault, &[("a", b"1")]);
    set(&vault, &[("a", b"2")]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(files(&home.folder.path().join("real")), ["team.age"]);
    assert_eq!(get(&vault, "a").unwrap(), b"2");
}

#[test]
fn what_is_as_wanted_is_not_written() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1"), ("b", b"1")]);
    let before = fs::read(vault.path()).unwrap();
    assert_eq!(
        set(&vault, &[("a", b"1"), ("b", b"1")]),
        [Ok(Action::Unchanged); 2]
    );
    let outcomes = vault
        .write(Batch {
            if_absent: true,
            ..batch(&[("a", b"2")])
        })
        .unwrap();
    assert_eq!(actions(outcomes), [Err(Kind::Conflict)]);
    assert_eq!(
        actions(vault.delete(&[name("c")]).unwrap()),
        [Err(Kind::NotFound)]
    );
    assert_eq!(fs::read(vault.path()).unwrap(), before);
    assert_eq!(
        set(&vault, &[("a", b"2"), ("b", b"1"), ("c", b"1")]),
        [
            Ok(Action::Updated),
            Ok(Action::Unchanged),
            Ok(Action::Created)
        ]
    );
}

#[test]
fn descriptions_stay_until_they_are_changed() {
    let home = Home::new();
    let vault = home.vault();
    let describe = |value: &[u8], description: Option<&str>| {
        let mut batch = batch(&[("a", value)]);
        batch.writes[0].metadata.description = description.map(str::to_owned);
        actions(vault.write(batch).unwrap())[0]
    };
    let entry = || vault.list(|_| true).unwrap().remove(0);
    assert_eq!(describe(b"1", Some("one")), Ok(Action::Created));
    assert_eq!(describe(b"1", Some("one")), Ok(Action::Unchanged));
    assert_eq!(describe(b"2", None), Ok(Action::Updated));
    assert_eq!(entry().description.as_deref(), Some("one"));
    assert_eq!(describe(b"2", Some("two")), Ok(Action::Updated));
    assert_eq!(entry().description.as_deref(), Some("two"));
    // A new description is no new version of the value.
    assert_eq!(vault.history(&name("a")).unwrap().len(), 2);
    vault.delete(&[name("a")]).unwrap();
    assert_eq!(describe(b"3", None), Ok(Action::Created));
    assert_eq!(entry().description, None);
}

#[test]
fn what_the_vault_cannot_keep_is_refused_before_anything_is_written() {
    let home = Home::new();
    let vault = home.vault();
    for metadata in [
        Metadata {
            expires_at: Some(Timestamp::UNIX_EPOCH),
            ..Metadata::default()
        },
        Metadata {
            attributes: [("a".into(), "b".into())].into(),
            ..Metadata::default()
        },
    ] {
        let mut batch = batch(&[("a", b"1"), ("b", b"1")]);
        batch.writes[1].metadata = metadata;
        assert_eq!(vault.write(batch).unwrap_err().kind(), Kind::Unsupported);
    }
    assert!(!home.data().exists());
}

#[test]
fn a_deleted_secret_is_gone_and_can_be_restored() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1"), ("b", b"1")]);
    set(&vault, &[("a", b"2")]);
    let outcomes = vault.delete(&[name("a"), name("x"), name("b")]).unwrap();
    assert_eq!(
        actions(outcomes),
        [
            Ok(Action::Deleted),
            Err(Kind::NotFound),
            Ok(Action::Deleted)
        ]
    );
    assert!(vault.list(|_| true).unwrap().is_empty());
    let info = vault.info().unwrap().unwrap();
    assert_eq!((info.secrets, info.deleted), (0, 2));
    let versions = vault.history(&name("a")).unwrap();
    assert!(versions[0].deleted && versions[0].current);
    assert_eq!(
        vault.restore(&name("a"), None).unwrap().action,
        Action::Created
    );
    assert_eq!(get(&vault, "a").unwrap(), b"2");
    assert_eq!(vault.restore(&name("a"), Some(1)).unwrap().from, 1);
    assert_eq!(get(&vault, "a").unwrap(), b"1");
    assert_eq!(set(&vault, &[("b", b"3")]), [Ok(Action::Created)]);
    assert_eq!(vault.history(&name("b")).unwrap()[0].number, 3);
}

#[test]
fn an_existing_vault_never_gets_a_new_identity() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let before = fs::read(vault.path()).unwrap();
    fs::remove_file(home.data().join("identity.txt")).unwrap();
    let vault = home.vault();
    for error in [
        vault.read(&Selection::All).unwrap_err(),
        vault.write(batch(&[("a", b"2")])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unauthenticated);
        assert!(error.message().contains("identity.txt"), "{error:?}");
    }
    assert_eq!(fs::read(vault.path()).unwrap(), before);
    assert_eq!(files(&home.data()), ["vault.age"]);
}

#[test]
fn a_vault_for_somebody_else_is_unauthenticated_and_untouched() {
    let home = Home::new();
    let path = home.folder.path().join("team.age");
    let (theirs, _) = home.identity("theirs");
    let (mine, public) = home.identity("mine");
    set(&home.vault_at(&path, &theirs), &[("a", b"1")]);
    let before = fs::read(&path).unwrap();
    let vault = home.vault_at(&path, &mine);
    for error in [
        vault.read(&Selection::All).unwrap_err(),
        vault.write(batch(&[("a", b"2")])).unwrap_err(),
        vault.delete(&[name("a")]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unauthenticated);
        assert!(error.message().contains(public.key()), "{error:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Asserts that nothing can be done with what is at `path`, and that it stays as it is.
fn assert_refused_and_untouched(vault: &Vault, content: &[u8], what: &str) {
    fs::write(vault.path(), content).unwrap();
    let errors = [
        vault.read(&Selection::All).unwrap_err(),
        vault.write(batch(&[("a", b"2")])).unwrap_err(),
        vault.delete(&[name("a")]).unwrap_err(),
        vault.restore(&name("a"), None).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::InvalidData, "{what}: {error:?}");
        assert!(error.message().contains("vault.age"), "{what}: {error:?}");
    }
    assert_eq!(fs::read(vault.path()).unwrap(), content, "{what}");
}

#[test]
fn a_vault_truncated_anywhere_is_refused_and_untouched() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let whole = fs::read(vault.path()).unwrap();
    for length in 0..whole.len() {
        assert_refused_and_untouched(&vault, &whole[..length], &format!("{length} bytes"));
    }
    assert_eq!(files(&home.data()), ["identity.txt", "vault.age"]);
}

#[test]
fn a_vault_changed_anywhere_is_refused_and_untouched() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let whole = fs::read(vault.path()).unwrap();
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0x01;
        fs::write(vault.path(), &broken).unwrap();
        let error = vault.write(batch(&[("a", b"2")])).unwrap_err();
        // A bent header may just as well be one for somebody else.
        let expected = [Kind::InvalidData, Kind::Unauthenticated];
        assert!(expected.contains(&error.kind()), "byte {at}: {error:?}");
        assert_eq!(fs::read(vault.path()).unwrap(), broken);
    }
    fs::write(vault.path(), &whole).unwrap();
    assert_eq!(get(&vault, "a").unwrap(), b"1");
}

#[test]
fn foreign_files_are_refused_and_untouched() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let (key, _) = vault.identity_info().unwrap().unwrap();
    let encrypted = |plaintext: &[u8]| {
        let encryptor = age::Encryptor::with_recipients(std::iter::once(key.as_age())).unwrap();
        let mut output = encryptor.wrap_output(Vec::new()).unwrap();
        std::io::Write::write_all(&mut output, plaintext).unwrap();
        output.finish().unwrap()
    };
    let passphrase = {
        let mut recipient = age::scrypt::Recipient::new("hunter2".to_owned().into());
        recipient.set_work_factor(2);
        age::encrypt(&recipient, b"{\"keyfob\":1}").unwrap()
    };
    for (content, what) in [
        (b"SECRET=1\n".to_vec(), "a dotenv file"),
        (b"<<<<<<< HEAD\n".to_vec(), "a merge conflict"),
        (b"age-encryption.org/v9\n".to_vec(), "another age"),
        (passphrase, "with a passphrase"),
        (encrypted(b""), "empty inside"),
        (encrypted(b"SECRET=1\n"), "no JSON inside"),
        (encrypted(b"{\"a\":\"b\"}"), "other JSON inside"),
        (
            encrypted(b"{\"keyfob\":2,\"secrets\":[]}"),
            "of a newer keyfob",
        ),
        (
            encrypted(b"{\"keyfob\":1,\"secrets\":{\"a\":{}}}"),
            "with a broken secret",
        ),
    ] {
        assert_refused_and_untouched(&vault, &content, what);
    }
    fs::remove_file(vault.path()).unwrap();
    fs::create_dir(vault.path()).unwrap();
    let error = vault.write(batch(&[("a", b"2")])).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
}

#[test]
fn writers_wait_for_each_other_and_lose_nothing() {
    let home = Home::new();
    thread::scope(|scope| {
        for writer in 0..8 {
            let home = &home;
            scope.spawn(move || {
                let vault = home.vault();
                for number in 0..5 {
                    let name = format!("{writer}-{number}");
                    set(&vault, &[(&name, b"x")]);
                }
            });
        }
    });
    assert_eq!(all(&home.vault()).len(), 40);
    assert_eq!(home.said.lock().unwrap().len(), 1);
    assert_eq!(files(&home.data()), ["identity.txt", "vault.age"]);
}

#[test]
fn a_lock_held_too_long_is_unavailable() {
    let home = Home::new();
    set(&home.vault(), &[("a", b"1")]);
    let _lock = FolderLock::acquire(&[&home.data()], None).unwrap();
    let vault = Vault::new(VaultOptions {
        lock_timeout: Some(Duration::from_millis(5)),
        ..home.options()
    });
    let error = vault.write(batch(&[("a", b"2")])).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(get(&vault, "a").unwrap(), b"1");
}

#[test]
fn what_a_killed_writer_left_is_cleared_away() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    fs::write(home.data().join(".vault.age.0123.keyfob-tmp"), b"half").unwrap();
    set(&vault, &[("a", b"2")]);
    assert_eq!(files(&home.data()), ["identity.txt", "vault.age"]);
}

#[test]
fn recipients_can_be_added_and_removed() {
    let home = Home::new();
    let path = home.folder.path().join("team.age");
    let (mine, my_key) = home.identity("mine");
    let (theirs, their_key) = home.identity("theirs");
    let (my, their) = (home.vault_at(&path, &mine), home.vault_at(&path, &theirs));
    set(&my, &[("a", b"1")]);
    assert!(their.read(&Selection::All).is_err());
    let added = my
        .add_recipients(&[their_key.clone(), my_key.clone()])
        .unwrap();
    assert_eq!(added, [Action::Created, Action::Unchanged]);
    assert_eq!(get(&their, "a").unwrap(), b"1");
    // Whoever writes keeps the others.
    set(&their, &[("a", b"2")]);
    assert_eq!(get(&my, "a").unwrap(), b"2");
    let recipients = my.recipients().unwrap();
    assert_eq!(recipients.len(), 2);
    assert!(
        recipients
            .iter()
            .all(|info| info.own == (info.recipient == my_key) && info.recorded)
    );
    for force in [false, true] {
        let error = my.remove_recipient(&my_key, force).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
    }
    my.remove_recipient(&their_key, false).unwrap();
    assert!(their.read(&Selection::All).is_err());
    let error = my.remove_recipient(&their_key, false).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn one_of_several_own_keys_is_removed_by_force_only() {
    let home = Home::new();
    let (first, first_key) = home.identity("first");
    let (second, second_key) = home.identity("second");
    let both = home.folder.path().join("both");
    let text = [fs::read(first).unwrap(), fs::read(second).unwrap()].concat();
    fsio::write_new(&both, &text).unwrap();
    let vault = home.vault_at(&home.folder.path().join("x.age"), &both);
    set(&vault, &[("a", b"1")]);
    let error = vault.remove_recipient(&first_key, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    vault.remove_recipient(&first_key, true).unwrap();
    // And the next write does not bring it back.
    set(&vault, &[("a", b"2")]);
    let recipients = vault.recipients().unwrap();
    assert_eq!(recipients.len(), 1);
    assert_eq!(recipients[0].recipient, second_key);
}

#[test]
fn configured_recipients_come_with_the_next_write() {
    let home = Home::new();
    let (theirs, their_key) = home.identity("theirs");
    set(&home.vault(), &[("a", b"1")]);
    let vault = Vault::new(VaultOptions {
        recipients: vec![their_key.clone()],
        ..home.options()
    });
    let info = vault.recipients().unwrap().pop().unwrap();
    assert!(info.configured && !info.recorded);
    set(&vault, &[("a", b"2")]);
    assert_eq!(
        get(&home.vault_at(vault.path(), &theirs), "a").unwrap(),
        b"2"
    );
    let error = vault.remove_recipient(&their_key, true).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(vault.foreign_recipients().unwrap().is_empty());
    assert_eq!(home.vault().foreign_recipients().unwrap(), [their_key]);
}

#[test]
fn recipients_of_an_untrusted_file_stop_every_write() {
    let home = Home::new();
    let (_, their_key) = home.identity("theirs");
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let untrusted = Vault::new(VaultOptions {
        trust_recorded: false,
        ..home.options()
    });
    assert_eq!(set(&untrusted, &[("a", b"2")]), [Ok(Action::Updated)]);
    vault
        .add_recipients(std::slice::from_ref(&their_key))
        .unwrap();
    let before = fs::read(vault.path()).unwrap();
    for error in [
        untrusted.write(batch(&[("a", b"3")])).unwrap_err(),
        untrusted.delete(&[name("a")]).unwrap_err(),
        untrusted.restore(&name("a"), None).unwrap_err(),
        untrusted.rekey().unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Untrusted);
        assert!(error.message().contains(their_key.key()), "{error:?}");
    }
    assert_eq!(fs::read(vault.path()).unwrap(), before);
    assert_eq!(get(&untrusted, "a").unwrap(), b"2");
}

#[test]
fn rekeying_shuts_the_old_key_out_and_keeps_it_for_what_is_older() {
    for keyring in [FakeKeyring::absent(), FakeKeyring::default()] {
        let home = Home::with(keyring);
        let vault = home.vault();
        set(&vault, &[("a", b"1")]);
        let other = Vault::new(VaultOptions {
            path: Some(home.folder.path().join("other.age")),
            ..home.options()
        });
        set(&other, &[("b", b"1")]);
        let backup = fs::read(vault.path()).unwrap();
        let stale = home.vault();
        assert_eq!(get(&stale, "a").unwrap(), b"1");
        let (old_key, location) = vault.identity_info().unwrap().unwrap();

        let rekeyed = vault.rekey().unwrap();
        assert_eq!((&rekeyed.old, &rekeyed.location), (&old_key, &location));
        let recipients = vault.recipients().unwrap();
        assert_eq!(recipients.len(), 1);
        assert_eq!(recipients[0].recipient, rekeyed.new);
        // Who has read the identity before finds the new one.
        assert_eq!(get(&stale, "a").unwrap(), b"1");
        set(&home.vault(), &[("a", b"2")]);
        // Another vault still opens, and goes over when it is written.
        let other = Vault::new(VaultOptions {
            path: Some(other.path().to_owned()),
            ..home.options()
        });
        assert_eq!(get(&other, "b").unwrap(), b"1");
        set(&other, &[("b", b"2")]);
        assert_eq!(other.recipients().unwrap()[0].recipient, rekeyed.new);
        fs::write(vault.path(), backup).unwrap();
        assert_eq!(get(&home.vault(), "a").unwrap(), b"1");
    }
}

#[test]
fn a_rekeying_that_stops_half_way_leaves_a_vault_that_opens() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    let old = vault.identity().unwrap().unwrap();
    let new = vault.keeping().replace(&old).unwrap();
    let vault = home.vault();
    assert_eq!(get(&vault, "a").unwrap(), b"1");
    set(&vault, &[("a", b"2")]);
    let recipients = vault.recipients().unwrap();
    assert_eq!(recipients.len(), 1);
    assert_eq!(recipients[0].recipient, *new.public_key());
}

#[test]
fn an_identity_of_the_users_own_is_not_replaced() {
    let home = Home::new();
    let (mine, _) = home.identity("mine");
    let vault = home.vault_at(&home.folder.path().join("x.age"), &mine);
    set(&vault, &[("a", b"1")]);
    let error = vault.rekey().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.message().contains("mine"), "{error:?}");
}

#[test]
fn a_keyring_out_of_reach_does_not_make_a_second_identity() {
    let home = Home::with(FakeKeyring::default());
    set(&home.vault(), &[("a", b"1")]);
    assert_eq!(files(&home.data()), ["identity.json", "vault.age"]);
    *home.keyring.absent.lock().unwrap() = true;
    fs::remove_file(home.vault().path()).unwrap();
    let error = home.vault().write(batch(&[("a", b"1")])).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert_eq!(files(&home.data()), ["identity.json"]);
}

#[test]
fn armored_vaults_stay_armored() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", &[b'x'; 200_000])]);
    let document = br#"{"keyfob":1,"secrets":{}}"#;
    let (key, _) = vault.identity_info().unwrap().unwrap();
    let mut document = Document::parse(document).unwrap();
    document.recipients.push(key);
    fs::write(vault.path(), file::encrypt(&document, true).unwrap()).unwrap();
    set(&vault, &[("a", &[b'y'; 200_000])]);
    assert!(
        fs::read_to_string(vault.path())
            .unwrap()
            .starts_with("-----BEGIN AGE")
    );
    assert_eq!(get(&vault, "a").unwrap(), [b'y'; 200_000]);
}

/// The output of a program, or `None`, with a word about it, where it is not installed.
fn run(program: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let Ok(output) = output else {
        eprintln!("left out: there is no {program}");
        return None;
    };
    assert!(output.status.success(), "{program} failed");
    Some(output.stdout)
}

#[test]
fn age_opens_a_vault_and_keyfob_what_age_wrote() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1\n2"), ("b", &[0xff])]);
    let identity = home.data().join("identity.txt");
    let decrypt = [Path::new("-d"), Path::new("-i"), &identity, vault.path()];
    let Some(plaintext) = run("age", &decrypt) else {
        return;
    };
    let json: serde_json::Value = serde_json::from_slice(&plaintext).unwrap();
    assert_eq!(json["secrets"]["a"]["value"], "1\n2");
    assert_eq!(json["secrets"]["b"]["value_base64"], "/w==");
    let plain = home.folder.path().join("plain.json");
    fs::write(&plain, serde_json::to_vec_pretty(&json).unwrap()).unwrap();
    let encrypt = ["-e", "-a", "-i"].map(Path::new);
    let output = Path::new("-o");
    let arguments = [&encrypt[..], &[&identity, output, vault.path(), &plain]].concat();
    run("age", &arguments).unwrap();
    assert_eq!(get(&vault, "a").unwrap(), b"1\n2");
    assert_eq!(
        set(&vault, &[("b", &[0xff]), ("a", b"3")]),
        [Ok(Action::Unchanged), Ok(Action::Updated)]
    );
    run("age", &decrypt).unwrap();
}

#[test]
fn ssh_keys_are_recipients_and_identities() {
    let home = Home::new();
    let vault = home.vault();
    set(&vault, &[("a", b"1")]);
    for kind in ["ed25519", "rsa"] {
        let path = home.folder.path().join(kind);
        let arguments = ["-q", "-t", kind, "-N", "", "-C", "bob@laptop", "-f"].map(Path::new);
        if run("ssh-keygen", &[&arguments[..], &[&path]].concat()).is_none() {
            return;
        }
        let line = fs::read_to_string(path.with_extension("pub")).unwrap();
        vault.add_recipients(&[line.parse().unwrap()]).unwrap();
        let theirs = home.vault_at(vault.path(), &path);
        assert_eq!(get(&theirs, "a").unwrap(), b"1");
        let decrypt = [Path::new("-d"), Path::new("-i"), &path, vault.path()];
        run("age", &decrypt);
        let recipients = vault.recipients().unwrap();
        let comment = recipients.last().unwrap().recipient.comment();
        assert_eq!(comment, Some("bob@laptop"));
    }
}
