//! Tokens in the Linux kernel's own keyring, which costs a few system calls and no daemon.
//!
//! Keys lie in the user's persistent keyring, which all sessions of the user share and the kernel
//! drops when it was not used for some days. Each call links it to the calling thread's process
//! keyring first, which makes its keys readable here without changing the user's session keyring.
//! Where the kernel has no persistent keyrings, the session keyring holds the keys. Containers
//! often refuse these system calls; then there is none.

use std::time::Duration;

use linux_keyutils::{Key, KeyError, KeyRing, KeyRingIdentifier};
use zeroize::Zeroizing;

use super::ring::{Ring, Unreachable};

/// The most that the kernel stores in one key of this type.
const MAX_PAYLOAD: usize = 32767;

/// How long a key is kept where nothing else is said.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The kernel's keyring of this user. What is kept has a lifetime, an hour where none is given.
pub struct Kernel;

impl Ring for Kernel {
    fn name(&self) -> &'static str {
        "the kernel's keyring"
    }

    fn is_reachable(&self) -> bool {
        ring().is_ok()
    }

    fn get(&self, description: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
        let Some(key) = found(ring()?.search(description))? else {
            return Ok(None);
        };
        let mut payload = Zeroizing::new(vec![0; MAX_PAYLOAD]);
        let Some(len) = found(key.read(&mut *payload))? else {
            return Ok(None);
        };
        payload.truncate(len);
        Ok(Some(payload))
    }

    fn set(
        &self,
        description: &str,
        payload: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), Unreachable> {
        // For the kernel, a time-out of 0 is none.
        let seconds = usize::try_from(lifetime.unwrap_or(LIFETIME).as_secs())
            .unwrap_or(usize::MAX)
            .clamp(1, u32::MAX as usize);
        let key = ring()?
            .add_key(description, payload)
            .map_err(|_| Unreachable::Absent)?;
        key.set_timeout(seconds).map_err(|_| {
            // A token must not outlive its use.
            let _ = key.invalidate();
            Unreachable::Absent
        })
    }

    fn delete(&self, description: &str) -> Result<bool, Unreachable> {
        let ring = ring()?;
        let Some(key) = found(ring.search(description))? else {
            return Ok(false);
        };
        Ok(found(forget(ring, key))?.is_some())
    }
}

fn forget(ring: KeyRing, key: Key) -> Result<(), KeyError> {
    key.invalidate().or_else(|_| ring.unlink_key(key))
}

fn ring() -> Result<KeyRing, Unreachable> {
    KeyRing::get_persistent(KeyRingIdentifier::Process)
        .or_else(|_| KeyRing::from_special_id(KeyRingIdentifier::Session, false))
        .map_err(|_| Unreachable::Absent)
}

/// Tells a key that is not there, or not any more, from a keyring that cannot be used.
fn found<T>(result: Result<T, KeyError>) -> Result<Option<T>, Unreachable> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(
            KeyError::KeyDoesNotExist
            | KeyError::KeyExpired
            | KeyError::KeyRevoked
            | KeyError::KeyRejected,
        ) => Ok(None),
        Err(_) => Err(Unreachable::Absent),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const CHILD: &str = "keyring::kernel::tests::child";
    const SCRIPT: &str = "KEYFOB_TEST_SCRIPT";

    fn get(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
        Kernel.get(name)
    }

    fn set(name: &str, payload: &[u8], lifetime: Duration) -> Result<(), Unreachable> {
        Kernel.set(name, payload, Some(lifetime))
    }

    fn delete(name: &str) -> Result<bool, Unreachable> {
        Kernel.delete(name)
    }

    /// A name of this test's own; whether the kernel keeps keys here.
    fn name(test: &str) -> Option<String> {
        if Kernel.is_reachable() {
            Some(format!("keyfob-test:{test}:{}", std::process::id()))
        } else {
            eprintln!("left out: {test}: the kernel keeps no keys for this process");
            None
        }
    }

    fn text(name: &str) -> Option<String> {
        let payload = get(name).unwrap()?;
        Some(std::str::from_utf8(&payload).unwrap().to_owned())
    }

    /// Runs `script` ("get NAME", "set NAME VALUE") in another process behind `wrapper`.
    fn elsewhere(wrapper: &[&str], script: &str) -> String {
        let exe = std::env::current_exe().unwrap();
        let words: Vec<_> = wrapper
            .iter()
            .map(std::ffi::OsString::from)
            .chain([exe.into_os_string()])
            .collect();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", CHILD, "--ignored", "--nocapture"])
            .env(SCRIPT, script)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        let (_, answer) = said.split_once("=> ").unwrap();
        answer.lines().next().unwrap().to_owned()
    }

    #[test]
    #[ignore = "the other tests run it in a process of its own"]
    fn child() {
        let script = std::env::var(SCRIPT).unwrap_or_default();
        match script.split(' ').collect::<Vec<_>>().as_slice() {
            ["get", name] => println!("=> {:?}", text(name)),
            ["set", name, value] => println!("=> {:?}", set(name, value.as_bytes(), LONG)),
            _ => {}
        }
    }

    #[test]
    fn keys_are_kept_replaced_and_forgotten() {
        let Some(name) = name("kept") else { return };
        assert_eq!(text(&name), None);
        assert!(!delete(&name).unwrap());
        set(&name, b"one", LONG).unwrap();
        set(&name, b"two", LONG).unwrap();
        assert_eq!(text(&name).as_deref(), Some("two"));
        assert!(delete(&name).unwrap());
        assert_eq!(text(&name), None);
        assert!(!delete(&name).unwrap());
    }

    #[test]
    fn the_largest_payload_is_read_whole() {
        let Some(name) = name("largest") else { return };
        // An ordinary user's quota for all keys together may be smaller.
        let payload = vec![b'x'; MAX_PAYLOAD];
        if set(&name, &payload, LONG).is_ok() {
            assert_eq!(get(&name).unwrap().unwrap().len(), MAX_PAYLOAD);
            assert!(delete(&name).unwrap());
        }
        assert!(set(&name, &[payload, vec![b'x']].concat(), LONG).is_err());
    }

    #[test]
    fn the_kernel_drops_a_key_when_its_time_is_over() {
        let Some(name) = name("time") else { return };
        set(&name, b"long", LONG).unwrap();
        set(&name, b"short", Duration::ZERO).unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while get(&name).unwrap().is_some() {
            assert!(std::time::Instant::now() < end, "it is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Its remains are not in the way of the next one.
        set(&name, b"again", LONG).unwrap();
        assert_eq!(text(&name).as_deref(), Some("again"));
        delete(&name).unwrap();
    }

    #[test]
    fn processes_and_sessions_share_keys() {
        let Some(name) = name("shared") else { return };
        if Command::new("keyctl").arg("--version").output().is_err() {
            eprintln!("left out: processes_and_sessions_share_keys: there is no keyctl");
            return;
        }
        let session = ["keyctl", "session", "-"];
        let ways: [&[&str]; 2] = [&[], &session];
        for writer in ways {
            for reader in ways {
                assert_eq!(elsewhere(writer, &format!("set {name} one")), "Ok(())");
                let seen = elsewhere(reader, &format!("get {name}"));
                assert_eq!(seen, "Some(\"one\")", "{writer:?} {reader:?}");
                assert_eq!(text(&name).as_deref(), Some("one"));
                // What one session forgets is gone in all of them.
                assert!(delete(&name).unwrap());
                assert_eq!(elsewhere(reader, &format!("get {name}")), "None");
            }
        }
    }

    #[test]
    fn threads_share_keys() {
        let Some(name) = name("threads") else { return };
        set(&name, b"one", LONG).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(text(&name).as_deref(), Some("one")));
            }
        });
        delete(&name).unwrap();
    }
}
