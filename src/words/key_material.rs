//! What in a text can be key material: a private key or a token in any writing, whole or damaged, and
//! the public ones that look alike.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands in private keys and in nothing else, in any case.
const MARKS: [&str; 5] = [
    "private key",
    "age-secret-key-",
    "age-plugin-",
    // "openssh-key-v1" in base64: how the key begins inside its PEM.
    "b3blbnnzac1rzxk",
    "-----begin ",
];

/// How the tokens of some vendors begin: letters that stand there for this very purpose.
const TOKENS: [&str; 27] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sk-",
    "hvs.",
    "hvb.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "AIza",
    "SG.",
    "whsec_",
    "shpat_",
    "ya29.",
];

/// The shortest private key in any writing has as many characters.
pub const SHORTEST: usize = 32;

/// As many characters without order, together, are no path.
const DISORDERED: usize = 24;

/// As many numbers are no path: keypairs written as bytes have 32 at least.
pub const NUMBERS: usize = 20;

/// Whether a private key stands in `text`, as far as its form says so.
fn is_marked(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether `text`, given where a path should be, is the key itself, whatever files there are: it
/// says so, or is as long as a key and has neither `/` nor `.`. A file with such a name is written
/// `./NAME`.
pub fn is_plain_key(text: &str) -> bool {
    let text = text.trim();
    is_marked(text)
        || text.starts_with('[')
        || text.contains(char::is_control)
        || text.len() >= SHORTEST && !text.contains(['/', '\\', '.'])
}

/// Whether `text`, given where a path should be, can be key material, be it whole, damaged, cut,
/// quoted or in another writing. Whether it is a path nevertheless, the file system knows: see
/// [`is_key`].
pub fn may_be_key(text: &str) -> bool {
    let text = text.trim();
    is_plain_key(text) || is_key_material(text) || ends_in_disorder(without_address(text))
}

/// Whether `text`, wherever it stands, has the form of a key or a token, so that names of people's
/// own making are not taken for one.
pub fn is_key_material(text: &str) -> bool {
    if is_marked(text) || has_token(text) || text.matches("\\x").count() >= 4 {
        return true;
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    if numbers.filter(|number| !number.is_empty()).count() >= NUMBERS {
        return true;
    }
    let text = without_address(text);
    let pieces = text.split(|c: char| !is_of_base64(c));
    let disordered = pieces.filter(|piece| is_disordered(piece));
    disordered.map(str::len).sum::<usize>() >= DISORDERED
        || text.split(['/', '\\', '.']).any(is_long_mixture)
}

/// Whether a token stands in `text` that its maker lets begin in a way of its own.
fn has_token(text: &str) -> bool {
    TOKENS.iter().any(|start| {
        text.match_indices(start).any(|(at, _)| {
            let of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let begins = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            let body = text[at + start.len()..].chars().take_while(of_token);
            let (mut len, mut digits) = (0, 0);
            for c in body {
                len += 1;
                digits += usize::from(c.is_ascii_digit());
            }
            begins && len >= 16 && digits > 0
        })
    })
}

/// Whether `text`, given in place of `path`, is a key and no path: it may be one, and there is no
/// such file. What is there is a path, whatever its name.
pub fn is_key(text: &str, path: &Path) -> bool {
    may_be_key(text) && path.symlink_metadata().is_err()
}

/// `text` without the address that a keypair's file is called by: `solana-keygen` names files
/// `ADDRESS.json`.
fn without_address(text: &str) -> &str {
    let Some(stem) = text.strip_suffix(".json") else {
        return text;
    };
    let before = stem.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    match stem.len() - before.len() {
        32..=44 => before,
        _ => text,
    }
}

pub fn is_of_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '=')
}

/// Whether `piece` is longer than words are, or changes between capitals, small letters and digits
/// more often than they do.
fn is_disordered(piece: &str) -> bool {
    let len = piece.len();
    len >= SHORTEST || len >= 8 && changes(piece.bytes()) * 3 >= len
}

/// Whether what follows one of the slashes of `text` changes so, its separators left out: they may
/// be part of a key in base64 and cut it into short pieces.
fn ends_in_disorder(text: &str) -> bool {
    let starts = text.match_indices('/').map(|(at, _)| at);
    [0].into_iter().chain(starts).any(|start| {
        let letters = || text[start..].bytes().filter(u8::is_ascii_alphanumeric);
        let len = letters().count();
        len >= SHORTEST && changes(letters()) * 20 >= (len - 1) * 9
    })
}

/// Whether `part` of a path is as long as 32 bytes in base64, has no blanks, and has letters of both
/// kinds and digits.
fn is_long_mixture(part: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| part.as_bytes().iter().any(kind);
    part.len() >= 40
        && !part.contains(char::is_whitespace)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

/// How often `bytes` change between capitals, small letters, digits and the rest.
fn changes(bytes: impl Iterator<Item = u8>) -> usize {
    let kinds = bytes.map(|byte| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    });
    let mut last = None;
    kinds
        .filter(|kind| last.replace(*kind).is_some_and(|last| last != *kind))
        .count()
}

/// Whether what in `text` may be a key is a public one: a list of such, or a setting with one.
pub fn is_public(text: &str) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || ",='\"".contains(c));
    let (public, others): (Vec<_>, Vec<_>) = words.partition(|word| is_public_word(word));
    !public.is_empty() && !is_marked(text) && !is_key_material(&others.join(" "))
}

/// Whether `word` is a public key of age or SSH, whole, or a digest: in a damaged one, whatever was
/// pasted into it could be private.
fn is_public_word(word: &str) -> bool {
    if word.starts_with("age1") || word.starts_with("AGE1") {
        // A post-quantum one is longer than a checksum of bech32 may cover.
        let of_bech32 =
            |c: char| c.is_ascii_alphanumeric() && !matches!(c, 'b' | 'i' | 'o' | 'B' | 'I' | 'O');
        return match word.rsplit_once('1') {
            Some((_, data)) if data.len() > 1000 => data.chars().all(of_bech32),
            _ => bech32::decode(word).is_ok(),
        };
    }
    if word.starts_with("AAAA") {
        return STANDARD.decode(word).is_ok_and(|blob| is_ssh_blob(&blob));
    }
    let digest = word.strip_prefix("sha256:");
    digest.is_some_and(|digest| digest.len() == 64)
}

/// Whether `blob` is fields with their lengths before them to its end, and the first the name of an
/// SSH key's kind.
fn is_ssh_blob(mut blob: &[u8]) -> bool {
    let kinds: [&[u8]; 3] = [b"ssh-", b"sk-", b"ecdsa-"];
    let mut fields = 0;
    while let Some((length, rest)) = blob.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((field, rest)) = rest.split_at_checked(length) else {
            return false;
        };
        if fields == 0 && !kinds.iter().any(|kind| field.starts_with(kind)) {
            return false;
        }
        fields += 1;
        blob = rest;
    }
    blob.is_empty() && fields > 1
}

/// Whether `text`, given where a public key should be, can be a private one, or have one in it.
pub fn may_be_private(text: &str) -> bool {
    let text = text.trim();
    let public = ["age1", "ssh-", "sk-ssh-", "ecdsa-"];
    let begins = |start: &&str| {
        text.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    is_marked(text) || !public.iter().any(begins) && may_be_key(text)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::words::digest;

    /// A public key, and so the address that a file may be called by.
    const ADDRESS: &str = "4Z7cXSyeFR8wNGMVXUE1TwtKn5D5Vu7FzEv69dokLv7K";

    #[test]
    fn keys_are_told_from_paths() {
        for key in [
            "[1, 2, 3]",
            "AGE-SECRET-KEY-1QQ",
            "./age-secret-key-1qq",
            "# made today\nAGE-SECRET-KEY-1QQ",
            "-----BEGIN OPENSSH PRIVATE KEY----- AAAA",
            ADDRESS,
            &format!("{ADDRESS}!"),
            &format!("./{ADDRESS}"),
        ] {
            assert!(may_be_key(key), "{key}");
        }
        for path in [
            "",
            "id.json",
            "~/.config/solana/id.json",
            "/home/Some One/Documents/MyKeys2/Solana_Main-2024.json",
            "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/.tmpAb3dEf/id.json",
            "/tmp/550e8400-e29b-41d4-a716-446655440000/identity.txt",
            "/home/me/.local/share/keyfob/vault.age",
            "../a-very-long-name-of-a-file/without-an-ending-at-the-end",
            "C:\\Users\\Someone\\AppData\\Roaming\\keyfob\\identity.txt",
            &format!("{ADDRESS}.json"),
            &format!("keys/{ADDRESS}.json"),
        ] {
            assert!(!may_be_key(path), "{path}");
        }
    }

    #[test]
    fn keys_in_any_writing_are_told() {
        // The same in every run, as a few keys in ten thousand look like words.
        for number in 0..200 {
            let hex = ["a", "b"].map(|half| digest::of_parts(&[half, &number.to_string()]));
            let mut bytes = base16ct::lower::decode_vec(hex.concat()).unwrap();
            bytes.truncate(if number % 2 == 0 { 32 } else { 64 });
            let list = |separator: &str| {
                let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
                numbers.join(separator)
            };
            let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            for key in [
                STANDARD.encode(&bytes),
                URL_SAFE_NO_PAD.encode(&bytes),
                bs58::encode(&bytes).into_string(),
                base16ct::lower::encode_string(&bytes),
                list(","),
                list(" "),
                list(".0, "),
                escaped,
            ] {
                for text in [
                    format!("/home/me/{key}"),
                    format!("{key}."),
                    format!("{key}/"),
                    format!("k=./{key}"),
                ] {
                    assert!(may_be_key(&text), "{text}");
                }
            }
        }
    }
}
