//! Other tools: age, and SSH keys.

use std::process::{Command, Stdio};

use super::*;

#[test]
fn armored_vaults_stay_armored() {
    let home = Home::new();
    let (identity, key) = home.identity("key");
    let vault = home.vault_at(&home.folder.path().join("x.age"), &identity);
    let document = br#"{"keyfob":1,"secrets":{}}"#;
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
