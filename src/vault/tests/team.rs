//! Recipients and rekeying.

use super::*;

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
    state::write_new(&both, &text).unwrap();
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
fn a_recipient_that_is_recorded_twice_is_removed_whole() {
    let home = Home::new();
    let (mine, my_key) = home.identity("mine");
    let (theirs, their_key) = home.identity("theirs");
    let vault = home.vault_at(&home.folder.path().join("x.age"), &mine);
    let mut document = Document::parse(b"{\"keyfob\":1}").unwrap();
    document.recipients = vec![their_key.clone(), my_key, their_key.clone()];
    fs::write(vault.path(), file::encrypt(&document, false).unwrap()).unwrap();
    vault.remove_recipient(&their_key, false).unwrap();
    let their = home.vault_at(vault.path(), &theirs);
    assert_eq!(
        their.read(&Selection::All).unwrap_err().kind(),
        Kind::Unauthenticated
    );
}
