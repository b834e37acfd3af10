//! Storing, reading, deleting, and what appears on the disk.

use super::*;

#[test]
fn reading_makes_nothing() {
    let home = Home::new();
    let vault = home.vault();
    assert!(vault.list(|_| true).unwrap().is_empty());
    assert!(all(&vault).is_empty());
    assert!(vault.info().unwrap().is_none());
    assert!(vault.recipients().unwrap().is_empty());
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
    assert_eq!(
        files(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
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
    for error in [
        vault.write(batch(&[("a", b"1")])).unwrap_err(),
        vault.delete(&[name("a")]).unwrap_err(),
        vault.list(|_| true).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound, "{error:?}");
    }
    let real = home.folder.path().join("real/team.age");
    set(&home.vault_at(&real, &identity), &[("a", b"1")]);
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
fn a_write_is_stored_over_the_version_that_it_expects_and_no_other() {
    let home = Home::new();
    let vault = home.vault();
    let over = |version: u32, value: &[u8]| {
        let mut batch = batch(&[("a", value)]);
        batch.writes[0].expected = Some(version);
        actions(vault.write(batch).unwrap())
    };
    assert_eq!(over(1, b"1"), [Err(Kind::Conflict)]);
    set(&vault, &[("a", b"1")]);
    assert_eq!(vault.list(|_| true).unwrap()[0].version, Some(1));
    assert_eq!(over(1, b"2"), [Ok(Action::Updated)]);
    assert_eq!(over(1, b"3"), [Err(Kind::Conflict)]);
    assert_eq!(get(&vault, "a").unwrap(), b"2");
    vault.delete(&[name("a")]).unwrap();
    assert_eq!(over(2, b"4"), [Err(Kind::Conflict)]);
}
