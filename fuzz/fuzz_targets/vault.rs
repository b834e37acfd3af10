#![no_main]
//! A vault: its content, which is written again as it was read, and the file around it.

use std::fs;
use std::sync::OnceLock;

use keyfob::testing::{Identity, Location, foreign, generate};
use libfuzzer_sys::fuzz_target;

struct Vault {
    folder: tempfile::TempDir,
    identity: Identity,
    /// A binary one and an armored one.
    sealed: [Vec<u8>; 2],
}

fn vault() -> &'static Vault {
    static VAULT: OnceLock<Vault> = OnceLock::new();
    VAULT.get_or_init(|| {
        let now = "2030-01-01T00:00:00Z".parse().expect("a time");
        let (text, public) = generate(now);
        let location = Location::Given("a test".to_owned());
        let content = format!(
            r#"{{"keyfob":1,"recipients":["{}"],"secrets":{{}}}}"#,
            public.key()
        );
        let sealed = [false, true].map(|armored| {
            foreign::seal_vault(content.as_bytes(), armored).expect("sealed")
        });
        Vault {
            folder: tempfile::tempdir().expect("a folder"),
            identity: Identity::parse(text.as_bytes(), location).expect("an identity"),
            sealed,
        }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let file = match kind % 4 {
        0 | 1 => {
            if let Ok(written) = foreign::vault_content(bytes) {
                let again = foreign::vault_content(&written).map_err(|error| error.to_string());
                assert_eq!(again, Ok(written));
            }
            return;
        }
        2 => bytes.to_vec(),
        // A good one with some bytes changed: place and difference, two bytes each.
        _ => {
            let mut file = vault().sealed[usize::from(kind / 4 % 2)].clone();
            for change in bytes.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
                file[at] ^= change[2];
            }
            file
        }
    };
    let vault = vault();
    let path = vault.folder.path().join("vault.age");
    fs::write(&path, &file).expect("written");
    let opened = foreign::vault_file(&path, &vault.identity);
    if let Ok(Some(plaintext)) = opened {
        // Nobody changes what it says and goes unnoticed.
        assert!(plaintext.starts_with(b"{\"keyfob\":1,"));
    }
});
