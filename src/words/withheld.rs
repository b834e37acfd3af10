//! What the user gave and may be a key: it is kept out of every message from then on, whatever it was
//! taken for.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::words::key_material::{SHORTEST, is_key_material, is_of_base64, is_public};
use crate::words::shown::Shown;

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

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODED: &str = "ewouqqdpTxWk8ZpWyuOzb5dvMgjz1OxfM5XXUB7VHt";

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
}
