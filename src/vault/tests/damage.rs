//! Files that are not a vault, no longer one, or somebody else's: refused, and never written over.
//! And writers that come together or die.

use std::thread;

use super::*;

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
    assert_eq!(files(&home.data()), ["vault.age", "vaults.json"]);
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
    assert_eq!(
        files(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
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
    // Without it a file by anybody else is not even looked through.
    fs::remove_file(home.data().join("vaults.json")).unwrap();
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
            encrypted(b"{\"keyfob\":3,\"secrets\":[]}"),
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
    assert_eq!(
        files(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
}

#[test]
fn a_lock_held_too_long_is_unavailable() {
    let home = Home::new();
    set(&home.vault(), &[("a", b"1")]);
    let _lock = Lock::acquire(&[&home.data()], None).unwrap();
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
    assert_eq!(
        files(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
}

#[test]
fn a_keyring_out_of_reach_does_not_make_a_second_identity() {
    let home = Home::with(FakeKeyring::default());
    set(&home.vault(), &[("a", b"1")]);
    assert_eq!(
        files(&home.data()),
        ["identity.json", "vault.age", "vaults.json"]
    );
    *home.keyring.absent.lock().unwrap() = true;
    fs::remove_file(home.vault().path()).unwrap();
    let error = home.vault().write(batch(&[("a", b"1")])).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthenticated);
    assert_eq!(files(&home.data()), ["identity.json", "vaults.json"]);
}
