//! The public keys a vault is encrypted to. Which of them count is for the vault to decide.

use std::fmt;
use std::str::FromStr;

use age::ssh::ParseRecipientKeyError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::plugin::PluginRecipient;
use crate::words::error::{Error, Result};
use crate::words::key_material;

/// An age or SSH public key. Two are equal when the key is, whatever the comment.
#[derive(Clone)]
pub struct Recipient {
    key: String,
    comment: Option<String>,
    encryptor: Encryptor,
}

#[derive(Clone)]
enum Encryptor {
    X25519(age::x25519::Recipient),
    Tag(age::tag::Recipient),
    Ssh(Box<age::ssh::Recipient>),
    Plugin(PluginRecipient),
}

impl Recipient {
    /// The key in its one way of being written, without a comment.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What stands behind an SSH key, mostly `user@host`.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The same as the age library takes it.
    pub fn as_age(&self) -> &dyn age::Recipient {
        match &self.encryptor {
            Encryptor::X25519(recipient) => recipient,
            Encryptor::Tag(recipient) => recipient,
            Encryptor::Ssh(recipient) => &**recipient,
            Encryptor::Plugin(recipient) => recipient,
        }
    }

    /// The name of the plugin that it takes to encrypt to it, if it takes one.
    pub fn plugin(&self) -> Option<&str> {
        match &self.encryptor {
            Encryptor::Plugin(recipient) => Some(recipient.0.plugin()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if key_material::may_be_private(text) {
            // Not quoted, and nothing else said of it.
            return Err("that may be a private key; recipients are public ones".to_owned());
        }
        let refuse = |why: &str| Err(format!("{text:?} is no recipient: {why}"));
        if text.contains(char::is_control) {
            return refuse("it has control characters");
        }
        if text.starts_with("age1pq1") || text.starts_with("age1tagpq1") {
            return refuse("post-quantum keys cannot stand beside other keys");
        }
        if let Ok(recipient) = text.parse::<age::x25519::Recipient>() {
            let key = recipient.to_string();
            return match has_small_order(&key) {
                false => Ok(Self::new(key, None, Encryptor::X25519(recipient))),
                true => refuse("it is a weak key, made to be read by anybody"),
            };
        }
        if let Ok(recipient) = text.parse::<age::tag::Recipient>() {
            let key = recipient.to_string();
            return Ok(Self::new(key, None, Encryptor::Tag(recipient)));
        }
        if let Ok(recipient) = text.parse::<age::plugin::Recipient>() {
            let key = recipient.to_string();
            return Ok(Self::new(
                key,
                None,
                Encryptor::Plugin(PluginRecipient(recipient)),
            ));
        }
        if text.starts_with("age1") {
            return refuse("it is mistyped");
        }
        let mut words = text.splitn(3, ' ');
        let (Some(kind), Some(body)) = (words.next(), words.next()) else {
            return refuse("it is neither an age1… nor an SSH public key");
        };
        let comment = words.next().map(str::trim).filter(|text| !text.is_empty());
        let key = format!("{kind} {body}");
        match key.parse::<age::ssh::Recipient>() {
            // The library reads as far as the key goes and lets anything follow.
            Ok(recipient) if recipient.to_string() == key => Ok(Self::new(
                key,
                comment.map(str::to_owned),
                Encryptor::Ssh(Box::new(recipient)),
            )),
            Err(ParseRecipientKeyError::RsaModulusTooSmall) => {
                refuse("RSA keys of less than 2048 bits are too weak")
            }
            Err(ParseRecipientKeyError::RsaModulusTooLarge) => {
                refuse("RSA keys of more than 4096 bits are not supported")
            }
            Err(ParseRecipientKeyError::Unsupported(kind)) => refuse(&format!(
                "{kind} keys are not supported, only ssh-ed25519 and ssh-rsa"
            )),
            _ => refuse("it is neither an age1… nor an SSH public key"),
        }
    }

    fn new(key: String, comment: Option<String>, encryptor: Encryptor) -> Self {
        Self {
            key,
            comment,
            encryptor,
        }
    }
}

impl From<age::x25519::Recipient> for Recipient {
    fn from(recipient: age::x25519::Recipient) -> Self {
        Self::new(recipient.to_string(), None, Encryptor::X25519(recipient))
    }
}

impl From<age::ssh::Recipient> for Recipient {
    fn from(recipient: age::ssh::Recipient) -> Self {
        let key = recipient.to_string();
        Self::new(key, None, Encryptor::Ssh(Box::new(recipient)))
    }
}

impl FromStr for Recipient {
    type Err = Error;

    /// Reads `age1…`, `ssh-ed25519 AAAA… comment` or `ssh-rsa AAAA… comment`.
    ///
    /// # Errors
    /// `usage` that says what is wrong with it.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|why| {
            Error::usage(why)
                .hint("recipients are age1… keys (age-keygen -y FILE) or SSH public keys (the line of a .pub file)")
        })
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Recipient {}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        match &self.comment {
            Some(comment) => write!(f, " {comment}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The X-coordinates of the points on Curve25519 whose order divides eight, little-endian.
const SMALL_ORDER: [[u8; 32]; 7] = [
    near_zero(0),
    near_zero(1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

const fn near_zero(first: u8) -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = first;
    point
}

const fn near_prime(first: u8) -> [u8; 32] {
    let mut point = [0xff; 32];
    point[0] = first;
    point[31] = 0x7f;
    point
}

/// Whether whoever made this age key knows what everything encrypted to it will be keyed with.
/// The age library panics on such keys, and they may come from somebody else's file.
fn has_small_order(key: &str) -> bool {
    let Ok((_, mut point)) = bech32::decode(key) else {
        return false;
    };
    if let Some(last) = point.last_mut() {
        // Not part of the coordinate.
        *last &= 0x7f;
    }
    SMALL_ORDER.iter().any(|small| point == small)
}

#[cfg(test)]
mod tests {
    use bech32::{Bech32, Hrp};

    use super::*;
    use crate::words::error::Kind;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const SSH: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    fn parse(text: &str) -> Result<Recipient> {
        text.parse()
    }

    #[test]
    fn keys_are_equal_whatever_the_comment() {
        let plain = parse(SSH).unwrap();
        let named = parse(&format!(" {SSH}  alice@laptop two \n")).unwrap();
        assert_eq!(plain, named);
        assert_eq!(named.comment(), Some("alice@laptop two"));
        assert_eq!(named.to_string(), format!("{SSH} alice@laptop two"));
        assert_eq!(parse(AGE).unwrap().key(), AGE);
    }

    #[test]
    fn upper_case_is_the_same_age_key() {
        assert_eq!(parse(&AGE.to_uppercase()).unwrap(), parse(AGE).unwrap());
    }

    #[test]
    fn what_is_no_recipient_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "neither"),
            ("alice", "neither"),
            (&AGE[..40], "mistyped"),
            (&format!("{SSH}AAAA"), "neither"),
            (&SSH[..60], "neither"),
            (&format!("{SSH} a\nb"), "control"),
            (
                "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFliOyIZs1gxGF3fmDxFykQhE88wy6AKDGFBfn0R6ZuvRmENABZQa9+pj9hMki+LX0qDJbmHTiWDbYv/cmFt/Q=",
                "not supported",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.message().contains(why), "{error:?}");
        }
    }

    #[test]
    fn a_private_key_is_not_repeated() {
        let key = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        let error = parse(key).unwrap_err();
        assert!(!format!("{error:?}").contains("GQ9778"), "{error:?}");
    }

    #[test]
    fn weak_keys_are_refused_and_others_are_not() {
        let hrp = Hrp::parse("age").unwrap();
        for point in SMALL_ORDER {
            for top in [0, 0x80] {
                let mut point = point;
                point[31] |= top;
                let key = bech32::encode::<Bech32>(hrp, &point).unwrap();
                assert!(parse(&key).unwrap_err().message().contains("weak"), "{key}");
            }
        }
        let good = bech32::encode::<Bech32>(hrp, &near_zero(9)).unwrap();
        let good = parse(&good).unwrap();
        assert!(age::Encryptor::with_recipients(std::iter::once(good.as_age())).is_ok());
    }
}
