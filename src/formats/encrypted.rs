//! Files that another tool has encrypted value by value, which are no secrets as they stand.

use super::format::Pair;
use crate::words::error::{Error, Result};

/// What sops writes in the place of a value.
const SOPS: &str = "ENC[AES256_GCM,";
/// What dotenvx writes in the place of a value, and the beginning of its public key's name.
const DOTENVX: (&str, &str) = ("encrypted:", "DOTENV_PUBLIC_KEY");

/// `pairs`, unless their values are those of an encrypted file.
///
/// # Errors
/// `invalid_data` that says how the file is decrypted.
pub(super) fn refuse(pairs: Vec<Pair>) -> Result<Vec<Pair>> {
    let begins = |start: &str| {
        let found = pairs.iter().find(|(_, value)| {
            let text = value.expose_str();
            text.is_some_and(|text| text.starts_with(start))
        });
        found.map(|(name, _)| name)
    };
    let has_name = |start: &str| pairs.iter().any(|(name, _)| name.starts_with(start));
    if let Some(name) = begins(SOPS).filter(|_| has_name("sops_") || has_name("sops.")) {
        return Err(by("sops", name).hint("sops -d FILE | keyfob import -"));
    }
    let (start, key) = DOTENVX;
    if let Some(name) = begins(start).filter(|_| has_name(key)) {
        return Err(by("dotenvx", name).hint("dotenvx decrypt -f FILE --stdout | keyfob import -"));
    }
    Ok(pairs)
}

fn by(tool: &str, name: &str) -> Error {
    Error::invalid_data(format!(
        "the values are encrypted by {tool}, that of {name} among them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn what_other_tools_have_encrypted_is_no_secret() {
        let refused = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| ((*name).to_owned(), SecretValue::from(*value)));
            refuse(pairs.collect())
                .err()
                .map(|error| error.message().to_owned())
        };
        let sops = ("A", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]");
        let dotenvx = ("A", "encrypted:BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt");
        assert!(
            refused(&[sops, ("sops_version", "3.8")])
                .unwrap()
                .contains("sops")
        );
        assert!(
            refused(&[("DOTENV_PUBLIC_KEY", "03"), dotenvx])
                .unwrap()
                .contains("dotenvx")
        );
        assert_eq!(refused(&[sops]), None);
        assert_eq!(refused(&[dotenvx, ("B", "x")]), None);
    }
}
