//! ByteNite: the ids, and no values, of the secrets that an app is given.
//!
//! JSON to be laid over the app's `manifest.json`: `platformConfig.secrets`. The app gets each as
//! variables that are named after its id.

use std::collections::BTreeSet;

use serde_json::json;
use zeroize::Zeroizing;

use super::format::{Jobs, Options, Pair};
use crate::words::error::{Error, Result};

/// Whose jobs these are.
pub(super) const JOBS: Jobs = Jobs {
    provider: "bytenite",
    vendor: "ByteNite",
    place: "ByteNite",
    named_after: Some(id),
};

/// The id in a name `TYPE/ID`; the whole of one that is none.
fn id(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, id)| id)
}

pub(super) fn write(pairs: &[Pair], options: &Options) -> Result<Zeroizing<Vec<u8>>> {
    let name_of = |name| options.source_names.get(name).unwrap_or(name);
    // One id may stand under several types.
    let ids: BTreeSet<&str> = pairs.iter().map(|(name, _)| id(name_of(name))).collect();
    let manifest = json!({ "platformConfig": { "secrets": ids } });
    let mut out = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::failed(format!("the ids cannot be written: {error}")))?;
    out.push(b'\n');
    Ok(Zeroizing::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn ids_stand_there_once_and_values_do_not() {
        let pair = |name: &str| (name.to_owned(), SecretValue::from("hunter2"));
        let pairs = [
            pair("other/HF_TOKEN"),
            pair("aws/B"),
            pair("gcp/B"),
            pair("A"),
            pair("E"),
        ];
        let options = Options {
            source_names: [("E".to_owned(), "aws/a/b \"c\"".to_owned())].into(),
            ..Options::default()
        };
        let text = write(&pairs, &options).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(!text.contains("hunter2"));
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            read,
            json!({"platformConfig": {"secrets": ["A", "B", "HF_TOKEN", "a/b \"c\""]}})
        );
    }
}
