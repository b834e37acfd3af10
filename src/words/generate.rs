//! Fresh values from the operating system's random numbers: passwords, tokens, UUIDs, phrases.
//!
//! What is asked for is a [`Spec`], written `password:32`. Where the value then goes is others'
//! work.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::words::error::{Error, Result};
use crate::words::random;
use crate::words::secret::SecretValue;
use crate::words::shown;

/// The forms a spec may have, for help and errors.
pub const FORMS: &str = "password:N, alnum:N, hex:N (N characters), base64:N (N random bytes, \
                         encoded), uuid, words:N";

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
/// The characters that URLs leave unreserved, so that a password survives shells, dotenv files
/// and connection strings without quoting or escaping.
const SYMBOLS: &[u8] = b"-._~";
const ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const PASSWORD: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
const HEX: &[u8] = b"0123456789abcdef";
const CLASSES: [&[u8]; 4] = [LOWER, UPPER, DIGITS, SYMBOLS];

const MAX: usize = 4096;

/// What kind of value to make, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    /// So many letters, digits and `-._~`: at least one lower-case letter, capital, digit and
    /// symbol each, beginning with a letter or digit.
    Password(usize),
    /// So many letters and digits.
    Alnum(usize),
    /// So many lower-case hexadecimal digits.
    Hex(usize),
    /// So many random bytes in standard base64, padded.
    Base64(usize),
    /// A random UUID (version 4).
    Uuid,
    /// So many words of the BIP 39 English list (11 bits each), joined by `-`.
    Words(usize),
}

impl Default for Spec {
    fn default() -> Self {
        Spec::Password(32)
    }
}

impl Spec {
    /// A fresh value of this kind.
    ///
    /// # Errors
    /// `failed` where the operating system gives no random numbers.
    pub fn generate(self) -> Result<SecretValue> {
        let bytes = match self {
            Spec::Password(count) => password(count)?,
            Spec::Alnum(count) => characters(ALNUM, count)?,
            Spec::Hex(count) => characters(HEX, count)?,
            Spec::Base64(count) => {
                let text = Zeroizing::new(BASE64_STANDARD.encode(&*random(count)?));
                Zeroizing::new(text.as_bytes().to_vec())
            }
            Spec::Uuid => {
                let mut raw = Zeroizing::new([0; 16]);
                random::fill(&mut *raw)?;
                let mut text = Zeroizing::new([0; 36]);
                uuid::Builder::from_random_bytes(*raw)
                    .as_uuid()
                    .hyphenated()
                    .encode_lower(&mut *text);
                Zeroizing::new(text.to_vec())
            }
            Spec::Words(count) => words(count)?,
        };
        Ok(bytes.into())
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::usage(format!("{} is no generator: {why}", shown::quoted(text)))
                .hint(format!("generators are {FORMS}"))
        };
        let (kind, count) = match text.split_once(':') {
            Some((kind, count)) => (kind, Some(count)),
            None => (text, None),
        };
        // The shortest value that the form allows, and the length it has when none is named.
        let number = |min: usize, usual: usize| match count {
            None => Ok(usual),
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|count| (min..=MAX).contains(count))
                .ok_or_else(|| bad(&format!("N must be a number from {min} to {MAX}"))),
        };
        match kind {
            "password" => number(CLASSES.len(), 32).map(Spec::Password),
            "alnum" => number(1, 32).map(Spec::Alnum),
            "hex" => number(1, 64).map(Spec::Hex),
            "base64" => number(1, 32).map(Spec::Base64),
            "words" => number(1, 10).map(Spec::Words),
            "uuid" if count.is_none() => Ok(Spec::Uuid),
            "uuid" => Err(bad("a UUID has one length")),
            _ => Err(bad("there is no such form")),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Password(count) => write!(f, "password:{count}"),
            Spec::Alnum(count) => write!(f, "alnum:{count}"),
            Spec::Hex(count) => write!(f, "hex:{count}"),
            Spec::Base64(count) => write!(f, "base64:{count}"),
            Spec::Uuid => f.write_str("uuid"),
            Spec::Words(count) => write!(f, "words:{count}"),
        }
    }
}

fn random(count: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; count]);
    random::fill(&mut bytes)?;
    Ok(bytes)
}

/// Draws whole passwords until one has every class, so that all that qualify are equally likely.
fn password(count: usize) -> Result<Zeroizing<Vec<u8>>> {
    loop {
        let text = characters(PASSWORD, count)?;
        let whole = CLASSES
            .iter()
            .all(|class| text.iter().any(|byte| class.contains(byte)));
        if whole && text.first().is_some_and(u8::is_ascii_alphanumeric) {
            return Ok(text);
        }
    }
}

/// `count` characters, each of `alphabet` equally likely.
fn characters(alphabet: &[u8], count: usize) -> Result<Zeroizing<Vec<u8>>> {
    // A random byte from the last, incomplete run of the alphabet would favour its first letters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = Zeroizing::new(Vec::with_capacity(count));
    while text.len() < count {
        let drawn = random(count - text.len())?;
        text.extend(
            drawn
                .iter()
                .map(|byte| usize::from(*byte))
                .filter(|byte| *byte < fair)
                .map(|byte| alphabet[byte % alphabet.len()]),
        );
    }
    Ok(text)
}

fn words(count: usize) -> Result<Zeroizing<Vec<u8>>> {
    let list = bip39::Language::English.word_list();
    let mut text = Zeroizing::new(Vec::with_capacity(count * 9));
    for (at, pair) in random(count * 2)?.chunks_exact(2).enumerate() {
        if at > 0 {
            text.push(b'-');
        }
        // The list's length divides 2^16, so the remainder is unbiased.
        let index = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % list.len();
        text.extend_from_slice(list[index].as_bytes());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;

    fn made(spec: &str) -> String {
        let value = spec.parse::<Spec>().unwrap().generate().unwrap();
        value.expose_str().unwrap().to_owned()
    }

    #[test]
    fn the_default_is_a_password_of_32() {
        assert_eq!("password:32".parse::<Spec>().unwrap(), Spec::default());
        assert_eq!("password".parse::<Spec>().unwrap(), Spec::default());
    }

    #[test]
    fn passwords_have_every_class_and_need_no_escaping() {
        for spec in ["password:4", "password:5", "password:32", "password:4096"] {
            let text = made(spec);
            assert_eq!(
                text.len(),
                spec.split_once(':').unwrap().1.parse::<usize>().unwrap()
            );
            assert!(text.bytes().all(|byte| PASSWORD.contains(&byte)), "{text}");
            for class in CLASSES {
                assert!(text.bytes().any(|byte| class.contains(&byte)), "{text}");
            }
            assert!(text.as_bytes()[0].is_ascii_alphanumeric(), "{text}");
        }
    }

    #[test]
    fn every_character_of_an_alphabet_can_come_up() {
        // One missing out of 66 in 4096 draws has a chance of 66 × (65/66)^4096 < 10^-25.
        let text = made("password:4096");
        assert!(PASSWORD.iter().all(|byte| text.as_bytes().contains(byte)));
    }

    #[test]
    fn lengths_count_characters_or_bytes() {
        let text = made("alnum:17");
        assert!(text.len() == 17 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let text = made("hex:33");
        assert!(text.len() == 33 && text.bytes().all(|byte| HEX.contains(&byte)));
        let text = made("base64:33");
        assert_eq!(BASE64_STANDARD.decode(text).unwrap().len(), 33);
    }

    #[test]
    fn uuids_are_version_4() {
        let text = made("uuid");
        let uuid = uuid::Uuid::parse_str(&text).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(uuid.to_string(), text);
    }

    #[test]
    fn words_are_words() {
        let list = bip39::Language::English.word_list();
        assert_eq!(65536 % list.len(), 0);
        let text = made("words:12");
        let words: Vec<&str> = text.split('-').collect();
        assert_eq!(words.len(), 12);
        assert!(words.iter().all(|word| list.contains(word)), "{text}");
    }

    #[test]
    fn no_two_values_are_the_same() {
        for spec in ["password", "alnum", "hex", "base64", "uuid", "words"] {
            assert_ne!(made(spec), made(spec));
        }
    }

    #[test]
    fn bad_specs_are_usage_errors_that_name_the_forms() {
        for text in [
            "",
            ":",
            "password:",
            "password:0",
            "password:3",
            "password:4097",
            "password:-1",
            "password: 8",
            "alnum:0",
            "hex:99999999999999999999999",
            "base64:x",
            "uuid:4",
            "words:0",
            "PASSWORD:8",
            "md5",
        ] {
            let error = text.parse::<Spec>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
            assert!(error.hint_text().unwrap().contains("password:N"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn specs_survive_writing_and_reading(kind in 0..5usize, count in 4..=MAX) {
            let spec = [Spec::Password, Spec::Alnum, Spec::Hex, Spec::Base64, Spec::Words][kind](count);
            prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
        }
    }
}
