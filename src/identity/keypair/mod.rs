//! Solana keypairs: reading the forms in use, checking them, signing, making new ones.
//!
//! Its [`file`] is read and written next door, and looked for by [`locate`]; what
//! is signed is the provider's business.

use std::collections::BTreeSet;
use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::keyring::{Keyring, Ring, Unreachable};
use crate::words::error::{Error, Result};
use crate::words::random;

/// The keyring's account for the keypair that `key import` keeps.
pub const KEYRING_ACCOUNT: &str = "keypair:solana";

mod file;
pub mod locate;

const FORMS: &str = "a keypair is a JSON array of 64 numbers, as solana-keygen writes it, base58 \
                     or hexadecimal digits of the same 64 bytes, or a 32-byte seed in either form";

/// An ed25519 keypair. Wiped when dropped; `Debug` shows the address alone.
#[derive(Clone)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// A new keypair from the operating system's random numbers.
    ///
    /// # Errors
    /// `failed` where there are none.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        random::fill(&mut *seed)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a keypair: a JSON array of 64 numbers (32 secret, 32 public) or the object that
    /// JavaScript makes of one, base58 or hexadecimal digits of the same bytes, in quotes or not; or
    /// a 32-byte seed in either form. No two forms have texts in common.
    ///
    /// # Errors
    /// `invalid_data`, never repeating any of `text`: it is none of these, or the public half
    /// does not belong to the secret half.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let bad = |what: &str| Error::invalid_data(what).hint(FORMS);
        let bytes = if text.starts_with(['[', '{']) {
            json_bytes(text).ok_or_else(|| {
                bad("the keypair's JSON is not an array of 32 or 64 numbers from 0 to 255")
            })?
        } else {
            let quoted = text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            let text = quoted.unwrap_or(text).trim();
            hex_bytes(text).or_else(|| base58_bytes(text)).ok_or_else(|| {
                bad("the keypair is not base58 or hexadecimal digits of 32 or 64 bytes, nor JSON")
            })?
        };
        if let Ok(pair) = <&[u8; 64]>::try_from(bytes.filled()) {
            return SigningKey::from_keypair_bytes(pair)
                .map(Self)
                .map_err(|_| {
                    Error::invalid_data(
                        "the keypair's two halves don't belong together: the public half is not the one of the secret half",
                    )
                    .hint("the keypair was damaged or edited; restore it from a backup, or use its 32-byte seed")
                });
        }
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes.filled()) {
            return Ok(Self(SigningKey::from_bytes(seed)));
        }
        Err(bad(&format!(
            "the keypair has {} bytes instead of 32 or 64",
            bytes.filled().len()
        )))
    }

    /// The keypair that `key import` keeps in the OS keyring, where there is one.
    ///
    /// # Errors
    /// The outer one where the keyring cannot be reached; the inner one, `invalid_data`, where
    /// the entry holds no keypair, and `unauthenticated` where there are keypairs of several accounts.
    pub fn from_keyring(keyring: &Keyring) -> Result<Option<Result<Self>>, Unreachable> {
        let kept = keyring.get_all(KEYRING_ACCOUNT)?;
        Ok((!kept.is_empty()).then(|| Self::of_one_account(&kept)))
    }

    /// The keypair that all of `kept` hold, of which there is at least one.
    fn of_one_account(kept: &[Zeroizing<Vec<u8>>]) -> Result<Self> {
        let parse = |bytes: &Zeroizing<Vec<u8>>| {
            std::str::from_utf8(bytes)
                .map_err(|_| Error::invalid_data("it is not text"))
                .and_then(Self::parse)
                .map_err(|error| {
                    error
                        .context("the keypair kept in the OS keyring is damaged")
                        .hint("import it again with: keyfob key import")
                })
        };
        let mut keypairs = kept.iter().map(parse).collect::<Result<Vec<Self>>>()?;
        let addresses: BTreeSet<String> = keypairs.iter().map(Self::address).collect();
        match keypairs.pop() {
            Some(keypair) if addresses.len() == 1 => Ok(keypair),
            // Which one is meant nobody can tell.
            _ => {
                let addresses: Vec<String> = addresses.into_iter().collect();
                Err(Error::unauthenticated(format!(
                    "the OS keyring holds keypairs of several accounts under one name: {}",
                    addresses.join(", ")
                ))
                .hint("name the right one with the setting keypair, or keep it in their place with: keyfob key import --replace FILE"))
            }
        }
    }

    /// Keeps the keypair in the OS keyring, instead of the one that may be there.
    pub fn keep(&self, keyring: &Keyring) -> Result<(), Unreachable> {
        keyring.set(KEYRING_ACCOUNT, self.to_cli_json().as_bytes(), None)
    }

    /// The public key in base58: the account's address.
    pub fn address(&self) -> String {
        bs58::encode(self.0.verifying_key().as_bytes()).into_string()
    }

    /// The base58 signature of `message`.
    pub fn sign(&self, message: &[u8]) -> String {
        bs58::encode(self.0.sign(message).to_bytes()).into_string()
    }

    /// The JSON array of 64 numbers that the Solana CLI's files hold.
    pub fn to_cli_json(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(self.0.to_keypair_bytes());
        // "255," 64 times and the brackets: it never grows, so no copy is left behind.
        let mut json = Zeroizing::new(String::with_capacity(64 * 4 + 2));
        json.push('[');
        for (at, byte) in pair.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            for (unit, from) in [(100, 100), (10, 10), (1, 0)] {
                if *byte >= from {
                    json.push(char::from(b'0' + byte / unit % 10));
                }
            }
        }
        json.push(']');
        json
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.address())
    }
}

/// At most 64 bytes, in one place that is wiped.
struct Bytes {
    buffer: Zeroizing<[u8; 64]>,
    len: usize,
}

impl Bytes {
    fn filled(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// One more, where there is room.
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.buffer.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self {
            buffer: Zeroizing::new([0; 64]),
            len: 0,
        }
    }
}

fn base58_bytes(text: &str) -> Option<Bytes> {
    let mut buffer = Zeroizing::new([0; 64]);
    let len = bs58::decode(text).onto(&mut buffer[..]).ok()?;
    Some(Bytes { buffer, len })
}

/// Two digits a byte. As long a text in base58 is of another number of bytes.
fn hex_bytes(text: &str) -> Option<Bytes> {
    if !matches!(text.len(), 64 | 128) {
        return None;
    }
    let mut bytes = Bytes::default();
    for pair in text.as_bytes().chunks_exact(2) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        bytes.push(u8::try_from(digit(0)? << 4 | digit(1)?).ok()?)?;
    }
    Some(bytes)
}

fn json_bytes(text: &str) -> Option<Bytes> {
    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("at most 64 numbers from 0 to 255")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
            let mut bytes = Bytes::default();
            while let Some(number) = numbers.next_element::<u8>()? {
                bytes.push(number).ok_or_else(too_many)?;
            }
            Ok(bytes)
        }

        /// `{"0": …, "1": …}`, in that order, in which JavaScript writes it.
        fn visit_map<A: MapAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
            let mut bytes = Bytes::default();
            while let Some((key, number)) = numbers.next_entry::<&str, u8>()? {
                if key.parse() != Ok(bytes.len) {
                    return Err(A::Error::custom("another key was expected"));
                }
                bytes.push(number).ok_or_else(too_many)?;
            }
            Ok(bytes)
        }
    }

    fn too_many<E: serde::de::Error>() -> E {
        E::custom("too many numbers")
    }

    // The parser's own message may repeat what it read, so it goes no further.
    let mut json = serde_json::Deserializer::from_str(text);
    let bytes = json.deserialize_any(Numbers).ok()?;
    json.end().ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};
    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;

    // Made with the test vector 1 of RFC 8032, so that the halves are known from elsewhere.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    const PUBLIC: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];

    fn both() -> Vec<u8> {
        [SEED, PUBLIC].concat()
    }

    fn json(bytes: &[u8]) -> String {
        serde_json::to_string(bytes).unwrap()
    }

    fn base58(bytes: &[u8]) -> String {
        bs58::encode(bytes).into_string()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn object(bytes: &[u8]) -> String {
        let entries = bytes.iter().enumerate();
        let entries: Vec<String> = entries
            .map(|(at, byte)| format!("\"{at}\":{byte}"))
            .collect();
        format!("{{{}}}", entries.join(","))
    }

    #[test]
    fn every_form_gives_the_same_account() {
        let address = base58(&PUBLIC);
        for text in [
            hex(&both()),
            hex(&SEED).to_uppercase(),
            object(&both()),
            object(&SEED),
            format!("\"{}\"\n", base58(&both())),
            format!("\"{}\"", hex(&SEED)),
            format!("\u{feff}{}", json(&both())),
            format!("\u{feff}\"{}\"", base58(&SEED)),
            json(&both()),
            format!("\n {} \n", json(&both()).replace(',', ", ")),
            json(&SEED),
            base58(&both()),
            format!("{}\n", base58(&SEED)),
        ] {
            assert_eq!(Keypair::parse(&text).unwrap().address(), address, "{text}");
        }
    }

    #[test]
    fn halves_of_two_keypairs_are_refused() {
        let mut bytes = both();
        bytes[32..].copy_from_slice(&Keypair::generate().unwrap().0.to_keypair_bytes()[32..]);
        for text in [json(&bytes), base58(&bytes)] {
            let error = Keypair::parse(&text).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
            assert!(error.message().contains("don't belong together"), "{error}");
        }
    }

    #[test]
    fn what_is_no_keypair_is_refused_without_repeating_it() {
        for text in [
            String::new(),
            "[]".into(),
            "[1,2".into(),
            json(&both()[..63]),
            json(&[both(), vec![9]].concat()),
            json(&both()).replace("157", "4157"),
            json(&both()).replace("157", "-57"),
            json(&both()).replace("157", "\"hunter2\""),
            format!("{} {}", json(&both()), json(&SEED)),
            base58(&both()[..40]),
            base58(&[both(), vec![9]].concat()),
            "hunter2 0OIl".into(),
            hex(&both()[..63]),
            hex(&both()).replace("9d", "hu"),
            object(&both()[..40]),
            object(&both()).replace("\"7\"", "\"70\""),
            object(&[both(), vec![9]].concat()),
            format!("\"{}", base58(&both())),
            format!("\"{}\"", json(&both())),
        ] {
            let error = Keypair::parse(&text).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData, "{text}");
            let said = format!("{error:?}");
            for part in ["hunter2", "4157", "-57", "97,", &base58(&SEED)[..6]] {
                assert!(!said.contains(part), "{said}");
            }
        }
    }

    #[test]
    fn signatures_verify_and_debug_shows_the_address_alone() {
        let pair = Keypair::parse(&json(&both())).unwrap();
        let signature = bs58::decode(pair.sign(b"nosana_secret_1700000000"))
            .into_vec()
            .unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        VerifyingKey::from_bytes(&PUBLIC)
            .unwrap()
            .verify(b"nosana_secret_1700000000", &signature)
            .unwrap();
        assert_eq!(format!("{pair:?}"), format!("Keypair({})", base58(&PUBLIC)));
    }

    proptest! {
        #[test]
        fn keypairs_survive_writing_and_reading(seed in any::<[u8; 32]>()) {
            let pair = Keypair(SigningKey::from_bytes(&seed));
            let text = pair.to_cli_json();
            prop_assert_eq!(&serde_json::from_str::<Vec<u8>>(&text).unwrap(), &pair.0.to_keypair_bytes());
            prop_assert_eq!(Keypair::parse(&text).unwrap().0.to_bytes(), seed);
        }
    }
}
