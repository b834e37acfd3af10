//! Digests that stand for something in file names and records, where the thing itself must not.

use sha2::{Digest, Sha256};

/// The hexadecimal SHA-256 of `parts`, each kept apart from the next, so that no two lists of parts
/// have the same.
pub fn of_parts(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    base16ct::lower::encode_string(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(of_parts(&["ab", "c"]), of_parts(&["a", "bc"]));
        assert_ne!(of_parts(&["a"]), of_parts(&["a", ""]));
        assert_eq!(of_parts(&["a", "b"]), of_parts(&["a", "b"]));
        assert_eq!(of_parts(&[]).len(), 64);
    }
}
