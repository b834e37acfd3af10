//! What of a text that the user gave may be repeated. People put a key where its path should be, a
//! private key in place of the public one, and a value behind a name: whoever puts such a text into
//! a message, a table or a document asks here first.
//!
//! What can be a secret is described and never quoted; to describe too much costs a glance, to quote
//! too much a key.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::words::key_material::{NUMBERS, is_key, is_key_material, is_public, may_be_private};
use crate::words::word::{Quoted, Word, listed, shell_word};

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
    use super::*;

    /// A public key, and so the address that a file may be called by.
    const ADDRESS: &str = "4Z7cXSyeFR8wNGMVXUE1TwtKn5D5Vu7FzEv69dokLv7K";

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
}
