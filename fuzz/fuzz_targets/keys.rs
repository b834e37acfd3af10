#![no_main]
//! Identities, recipients and keypairs, whole or damaged; and what is said of them, which is never
//! the key.

use keyfob::testing::{Identity, Keypair, Location, Recipient, foreign};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

fuzz_target!(|input: (&[u8], u8, &str, &str)| {
    let (bytes, form, before, behind) = input;
    let identity = Identity::parse(bytes, Location::Given("a test".to_owned()));
    if let Ok(identity) = identity {
        assert!(!identity.recipients().is_empty());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(recipient) = text.parse::<Recipient>() {
            let again: Recipient = recipient.key().parse().expect("written as it is read");
            assert_eq!(again.key(), recipient.key());
        }
        if let Ok(keypair) = Keypair::parse(text) {
            let again = Keypair::parse(&keypair.to_cli_json()).expect("read as it is written");
            assert_eq!(again.address(), keypair.address());
        }
        let _ = foreign::shown(text);
    }

    // A key that looks like one, in whatever stands around it.
    let random = Sha256::digest(bytes);
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers: Vec<String> = random.iter().map(u8::to_string).collect();
    let (key, whole) = match form % 6 {
        0 => (hex.clone(), hex),
        1 => (numbers.join(","), format!("[{}]", numbers.join(","))),
        2 => (hex.clone(), format!("AGE-SECRET-KEY-1{hex}")),
        3 => (hex.clone(), format!("age-secret-key-1{hex}")),
        4 => (
            hex.clone(),
            format!("-----BEGIN OPENSSH PRIVATE KEY-----{before}{hex}"),
        ),
        _ => (numbers.join(" "), format!("b'{}'", numbers.join(" "))),
    };
    // What says that it is a digest is taken for one.
    let before = before.trim_end_matches("sha256:");
    let text = format!("{before}{whole}{behind}");
    // As an argument; a name and a public key are told by less.
    assert!(!foreign::shown(&text)[0].contains(&key), "{text}");
    if matches!(form % 6, 2..=4) {
        for shown in foreign::shown(&text) {
            assert!(!shown.contains(&key), "{text}");
        }
    }
    // What parsing it fails with.
    if matches!(form % 6, 2..=4) {
        if let Err(error) = text.parse::<Recipient>() {
            assert!(!format!("{error} {error:?}").contains(&key), "{error}");
        }
        let given = Location::Given("a test".to_owned());
        if let Err(error) = Identity::parse(text.as_bytes(), given) {
            assert!(!format!("{error} {error:?}").contains(&key), "{error}");
        }
    }
    if let Err(error) = Keypair::parse(&text) {
        assert!(!format!("{error} {error:?}").contains(&key), "{error}");
    }
});
