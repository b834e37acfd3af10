//! What is kept beside a token, for whoever asks next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is kept beside a token.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// What the newest write was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The version of the key-value engine of each mount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, u8>,
    /// For how many seconds the token was given, where it can be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<i64>,
    /// The versions that were written a moment ago, where there is no index: digests of paths, their
    /// numbers and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<(String, u32, i64)>,
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let notes = Notes {
            index: Some("abc".to_owned()),
            mounts: BTreeMap::from([("secret".to_owned(), 2)]),
            lease: Some(60),
            written: vec![("d".to_owned(), 3, 4)],
        };
        let text = serde_json::to_string(&notes).unwrap();
        assert!(serde_json::from_str::<Notes>(&text).unwrap() == notes);
        assert!(serde_json::from_str::<Notes>("{}").unwrap() == Notes::default());
        assert_eq!(serde_json::to_string(&Notes::default()).unwrap(), "{}");
    }
}
