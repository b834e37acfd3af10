//! What of a text that the user gave may be repeated. People put a key where its path should be, a
//! private key in place of the public one, and a value behind a name: whoever puts such a text into
//! a message, a table or a document asks here first.
//!
//! What can be a secret is described and never quoted; to describe too much costs a glance, to quote
//! too much a key.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::words::word::{Quoted, Word, listed, shell_word};

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
const SHORTEST: usize = 32;

/// As many characters without order, together, are no path.
const DISORDERED: usize = 24;

/// As many numbers are no path: keypairs written as bytes have 32 at least.
const NUMBERS: usize = 20;

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
fn may_be_key(text: &str) -> bool {
    let text = text.trim();
    is_plain_key(text) || is_key_material(text) || ends_in_disorder(without_address(text))
}

/// Whether `text`, wherever it stands, has the form of a key or a token, so that names of people's
/// own making are not taken for one.
fn is_key_material(text: &str) -> bool {
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

fn is_of_base64(c: char) -> bool {
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

/// A path in a message.
pub trait ShownPath {
    /// As [`Path::display`], but a path that may be key material and leads nowhere is described.
    fn shown(&self) -> Shown<'_>;
}

impl ShownPath for Path {
    fn shown(&self) -> Shown<'_> {
        let text = self.to_string_lossy();
        // Folders that are there are a path, whatever their names: what leads nowhere is judged.
        let mut folders = self.ancestors().skip(1);
        let there = folders.find(|folder| folder.symlink_metadata().is_ok());
        let rest = there.and_then(|folder| self.strip_prefix(folder).ok());
        match is_key(&rest.unwrap_or(self).to_string_lossy(), self) {
            true => Shown::Described(text.len()),
            false => Shown::Named(text),
        }
    }
}

/// A text that may be repeated, or the description of one that may not.
pub enum Shown<'a> {
    /// It may, as the name of something: in quotes where it is not plain.
    Named(Cow<'a, str>),
    /// It may, as what is wrong: always in quotes.
    Quoted(Cow<'a, str>),
    /// It may, as it stands.
    Text(Cow<'a, str>),
    /// It may not, and has so many bytes.
    Described(usize),
}

impl Shown<'_> {
    /// The text without quotes, for a table, a document or a word of a shell; the description where
    /// it may not be repeated.
    pub fn exact(&self) -> String {
        match self {
            Shown::Named(text) | Shown::Quoted(text) | Shown::Text(text) => text.to_string(),
            Shown::Described(_) => self.to_string(),
        }
    }

    /// As one word of a POSIX shell, for a command in a hint; `NAME` stands for what may not be
    /// repeated.
    pub fn typed(&self) -> String {
        match self {
            Shown::Described(_) => "NAME".to_owned(),
            shown => shell_word(&shown.exact()),
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Named(text) => Word(text).fmt(f),
            Shown::Quoted(text) => Quoted(text).fmt(f),
            Shown::Text(text) => f.write_str(text),
            Shown::Described(1) => f.write_str("(not shown: 1 byte that may be a secret)"),
            Shown::Described(len) => write!(f, "(not shown: {len} bytes that may be a secret)"),
        }
    }
}

/// `text`, given where a secret's or a store's name should be: one with a `=` is taken for a name
/// with its value behind it, and one of the form of a key or token for that.
pub fn name(text: &str) -> Shown<'_> {
    match text.contains('=') || is_key_material(text) && !is_public(text) {
        true => Shown::Described(text.len()),
        false => Shown::Named(text.into()),
    }
}

/// The same in quotes, where it may be repeated.
pub fn quoted(text: &str) -> Shown<'_> {
    match name(text) {
        described @ Shown::Described(_) => described,
        _ => Shown::Quoted(text.into()),
    }
}

/// Several names, all of them described where they may be one secret together: a key whose numbers
/// commas part.
pub fn names<'a>(names: &[&str]) -> Shown<'a> {
    match name(&names.join(", ")) {
        Shown::Described(len) => Shown::Described(len),
        _ => Shown::Text(listed(names.iter().copied()).into()),
    }
}

/// `text` as an argument that nothing takes: as long as it does not begin as an option does, it may
/// be whatever people put on a command line by mistake.
pub fn surplus(text: &str) -> Shown<'_> {
    match text.starts_with('-') {
        true => name(text),
        false => Shown::Described(text.len()),
    }
}

/// Whether what in `text` may be a key is a public one: a list of such, or a setting with one.
fn is_public(text: &str) -> bool {
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

/// The pieces of texts that the user gave and that may be keys: see [`withhold`].
static WITHHELD: Mutex<Vec<Zeroizing<String>>> = Mutex::new(Vec::new());

/// Keeps what in `text` may be a key, and is no file of `folder`, out of every message from now on
/// ([`without_keys`]), whatever it was taken for. Arguments and settings come through here before
/// anybody reads them.
pub fn withhold(text: &str, folder: &Path) {
    let (name, value) = text.split_once('=').unwrap_or(("", text));
    // The end of base64 is no value.
    let is_pair = !value.trim_matches('=').is_empty() && !is_key_material(name);
    let judged = if is_pair { value } else { text };
    // What of a path is there is no key.
    if !is_key_material(leading_nowhere(judged, folder)) || is_public(text) {
        return;
    }
    let escaped = format!("{text:?}");
    let mut pieces = vec![text.trim(), value.trim(), escaped.trim_matches('"')];
    let of_key = |c: char| is_of_base64(c) || matches!(c, '/' | '-' | '_');
    for piece in text.split(|c: char| !of_key(c)) {
        pieces.extend([piece, piece.trim_matches('=')]);
        pieces.extend(piece.split(['/', '=']));
    }
    let is_telling = |piece: &&str| {
        piece.len() >= SHORTEST || piece.len() >= 12 && piece.contains(|c: char| c.is_ascii_digit())
    };
    let mut withheld = WITHHELD.lock().unwrap_or_else(PoisonError::into_inner);
    for piece in pieces.into_iter().filter(is_telling) {
        withheld.push(Zeroizing::new(piece.to_owned()));
    }
    // What holds others goes first.
    withheld.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    withheld.dedup();
}

/// What of the path `text` leads nowhere from `folder`, all of it where it is no path.
fn leading_nowhere<'t>(text: &'t str, folder: &Path) -> &'t str {
    let is_there = |path: &str| folder.join(path).symlink_metadata().is_ok();
    if text.is_empty() || is_there(text) {
        return "";
    }
    let mut slashes = text
        .rmatch_indices(std::path::is_separator)
        .map(|(at, _)| at + 1);
    slashes
        .find(|end| is_there(&text[..*end]))
        .map_or(text, |end| &text[end..])
}

/// `message` without what was [withheld](withhold).
pub fn without_keys(mut message: String) -> String {
    let withheld = WITHHELD.lock().unwrap_or_else(PoisonError::into_inner);
    for piece in withheld.iter() {
        if message.contains(piece.as_str()) {
            let described = Shown::Described(piece.len()).to_string();
            message = message.replace(piece.as_str(), &described);
        }
    }
    message
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

/// A list of public keys, all of it described where any of it can be private.
pub fn public_keys(keys: &[String]) -> Shown<'_> {
    let all = keys.join(", ");
    let numbers = keys
        .iter()
        .filter(|key| key.contains(|c: char| c.is_ascii_digit()));
    match keys.iter().any(|key| may_be_private(key)) {
        true => Shown::Described(all.len()),
        false if numbers.filter(|key| key.len() < 8).count() >= NUMBERS => {
            Shown::Described(all.len())
        }
        false => Shown::Text(all.into()),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::words::digest;

    const ENCODED: &str = "ewouqqdpTxWk8ZpWyuOzb5dvMgjz1OxfM5XXUB7VHt";

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
    fn what_is_there_is_a_path_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADDRESS);
        assert!(is_key(ADDRESS, &path));
        let text = path.shown().to_string();
        let len = path.to_str().unwrap().len();
        assert_eq!(
            text,
            format!("(not shown: {len} bytes that may be a secret)")
        );
        std::fs::write(&path, "").unwrap();
        assert!(!is_key(ADDRESS, &path));
        // A file that is not there yet, in a folder that is.
        let folder = folder.path().join("3f2c8d9a1b2c4d5e8f90abcdef01234567");
        std::fs::create_dir(&folder).unwrap();
        let vault = folder.join(".local/share/keyfob/vault.age");
        assert_eq!(vault.shown().to_string(), vault.display().to_string());
        assert_eq!(path.shown().to_string(), path.display().to_string());
    }

    #[test]
    fn public_keys_are_repeated_and_private_ones_are_not() {
        let keys = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            public_keys(&keys).to_string()
        };
        let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me@home";
        let age = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        assert_eq!(keys(&[ssh, age]), format!("{ssh}, {age}"));
        assert_eq!(
            keys(&["alice", &age.to_uppercase()]),
            format!("alice, {}", age.to_uppercase())
        );
        for private in [
            "# me AGE-SECRET-KEY-1QQ".to_owned(),
            format!("{ssh} age-secret-key-1qq"),
            format!("x/{ADDRESS}"),
        ] {
            assert!(
                keys(&[ssh, &private]).starts_with("(not shown"),
                "{private}"
            );
        }
        assert!(keys(&["12"; 32]).starts_with("(not shown"));
    }

    #[test]
    fn names_of_people_s_own_making_are_repeated() {
        for plain in [
            "DB_PASSWORD",
            "AWS_SECRET_ACCESS_KEY_FOR_PRODUCTION_EU_WEST_1",
            "api-env//etc/app.conf",
            "s3/a2b4/Bucket-Key_v2",
            "a1b2c3d4-e5f6-4a7b-8c9d-e0f1a2b3c4d5",
            "getUserAccountFromDatabase",
            "sk-learn",
            "task-with-a-long-name-2024-10-31",
            "größe/日本語",
        ] {
            assert_eq!(name(plain).to_string(), plain);
        }
        for token in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "x AKIAIOSFODNN7EXAMPLE",
            "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "glpat-ABCdefGHIjklMNOpqr12",
            &format!("Uint8Array.from([{}])", ["7"; 64].join(",")),
        ] {
            assert!(name(token).to_string().starts_with("(not shown"), "{token}");
        }
    }

    #[test]
    fn what_is_withheld_is_in_no_message() {
        let here = Path::new("/nowhere");
        let key = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        withhold(&format!("A=# me\n{key}\n"), here);
        for said in [
            format!("no {key}"),
            format!("{:?} is no name", format!("# me\n{key}")),
        ] {
            let said = without_keys(said);
            assert!(!said.contains("GQ9778"), "{said}");
        }
        let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me@home";
        let age = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        withhold(&format!("recipients={public},{age}"), here);
        // A path is as good as its end.
        let folder = tempfile::tempdir().unwrap();
        let hashed = folder.path().join("3n58xw4373jp0ljirf06d8077j15pc4j");
        std::fs::create_dir(&hashed).unwrap();
        let path = hashed.join("new.age").to_str().unwrap().to_owned();
        withhold(&format!("path={path}"), here);
        assert_eq!(without_keys(path.clone()), path);
        withhold(&format!("{ENCODED}=="), here);
        assert!(!without_keys(format!("{ENCODED} is no name")).contains(ENCODED));
        assert_eq!(without_keys(public.to_owned()), public);
        assert_eq!(without_keys(age.to_owned()), age);
    }

    #[test]
    fn names_with_a_value_behind_them_are_described() {
        assert_eq!(
            name("api-env//etc/app.conf").to_string(),
            "api-env//etc/app.conf"
        );
        assert_eq!(quoted("a b").to_string(), "\"a b\"");
        for text in [name("A=hunter2"), quoted("A=hunter2")] {
            assert_eq!(
                text.to_string(),
                "(not shown: 9 bytes that may be a secret)"
            );
        }
    }

    #[test]
    fn what_is_pasted_into_a_public_key_is_not_repeated() {
        let hex = "780a8dc6e9fd745c3d0093f10280ff6694401555d4dad85c65828583de00a8fd";
        let ssh =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
        let age = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        for (public, cut) in [(ssh, 30), (age, 20)] {
            assert!(
                !name(public).to_string().starts_with("(not shown"),
                "{public}"
            );
            let pasted = format!("{}{hex}{}", &public[..cut], &public[cut..]);
            assert!(!name(&pasted).to_string().contains(hex), "{pasted}");
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
