//! The kernel's keyutils, which containers may refuse.

/// Whether the kernel keeps keys for us; says on stderr that `test` is left out when it does not.
#[cfg(target_os = "linux")]
pub fn available_for(test: &str) -> bool {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};

    let available = KeyRing::from_special_id(KeyRingIdentifier::Session, true)
        .and_then(|keyring| keyring.add_key("keyfob-test:probe", b"probe"))
        .is_ok();
    if !available {
        eprintln!("skipped: {test}: the kernel's keyutils are refused here");
    }
    available
}

/// There is none on this platform.
#[cfg(not(target_os = "linux"))]
pub fn available_for(test: &str) -> bool {
    eprintln!("skipped: {test}: there are no keyutils on this platform");
    false
}
