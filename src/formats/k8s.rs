//! A Kubernetes Secret: a YAML manifest with every value in base64, so that it holds any bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::format::Format::K8s;
use super::format::{Options, Pair};
use super::text::{SecretText, cannot_hold};
use super::yaml;
use crate::words::error::{Error, Result};

/// The most that Kubernetes lets all values of one Secret have together, in bytes.
const MOST: usize = 1024 * 1024;

/// The longest name of a Secret and of a key in it.
const LONGEST_NAME: usize = 253;

/// What keys of a Secret are, in words.
pub(super) const RULE_OF_KEYS: &str =
    "letters, digits, '-', '_' and '.', 253 at most and not beginning with '..'";

/// The name of a Secret that is given none.
const NAME: &str = "keyfob";

pub(super) fn write(pairs: &[Pair], options: &Options) -> Result<Zeroizing<Vec<u8>>> {
    let secret = options.name.as_deref().unwrap_or(NAME);
    if !is_subdomain(secret) {
        return Err(Error::usage(format!(
            "{secret:?} is no name for a Kubernetes Secret"
        ))
        .hint("lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit, 253 characters at most"));
    }
    let total: usize = pairs.iter().map(|(_, value)| value.len()).sum();
    if total > MOST {
        return Err(Error::invalid_data(format!(
            "the values have {total} bytes together, and a Kubernetes Secret holds {MOST}"
        ))
        .hint("choose fewer with --only, --except or --prefix"));
    }
    let mut out = SecretText::default();
    out.push_str("apiVersion: v1\nkind: Secret\nmetadata:\n  name: ");
    yaml::push_string(&mut out, secret);
    out.push_str("\ntype: Opaque\n");
    out.push_str(if pairs.is_empty() {
        "data: {}\n"
    } else {
        "data:\n"
    });
    for (name, value) in pairs {
        if !is_key(name) {
            let why = format!("keys of a Kubernetes Secret are {RULE_OF_KEYS}");
            return Err(cannot_hold(name, K8s, &why));
        }
        let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
        out.push_str("  ");
        yaml::push_string(&mut out, name);
        out.push_str(": ");
        yaml::push_string(&mut out, &encoded);
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

/// Whether `name` is an RFC 1123 subdomain, as Kubernetes has it.
fn is_subdomain(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= LONGEST_NAME
        && name.split('.').all(|part| {
            part.bytes().all(|b| inner(b) || b == b'-')
                && part.bytes().next().is_some_and(inner)
                && part.bytes().last().is_some_and(inner)
        })
}

pub(super) fn is_key(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name != "."
        && !name.starts_with("..")
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;
    use crate::words::secret::SecretValue;

    fn write(pairs: &[Pair], secret: &str) -> Result<Zeroizing<Vec<u8>>> {
        let options = Options {
            name: Some(secret.to_owned()),
            ..Options::default()
        };
        super::write(pairs, &options)
    }

    #[test]
    fn the_manifest_is_what_kubectl_applies() {
        let pairs = [
            ("tls.crt".to_owned(), SecretValue::new(vec![0xff, 0x00])),
            ("no".to_owned(), SecretValue::from("")),
        ];
        let text = String::from_utf8(write(&pairs, "web.prod-1").unwrap().to_vec()).unwrap();
        assert_eq!(
            text,
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"web.prod-1\"\ntype: Opaque\ndata:\n  \"tls.crt\": \"/wA=\"\n  \"no\": \"\"\n"
        );
    }

    #[test]
    fn names_are_checked() {
        for name in ["a b", "a/b", "..a", ".", "", "é", &"a".repeat(254)] {
            let error = write(&[(name.to_owned(), SecretValue::from("x"))], "s").unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData, "{name}");
        }
        for secret in ["", "A", "a_b", "-a", "a-", "a..b", "a.-b", &"a".repeat(254)] {
            assert_eq!(
                write(&[], secret).unwrap_err().kind(),
                Kind::Usage,
                "{secret}"
            );
        }
    }

    #[test]
    fn more_than_a_secret_holds_is_refused() {
        let half = || SecretValue::new(vec![b'x'; MOST / 2]);
        let mut pairs = vec![("a".to_owned(), half()), ("b".to_owned(), half())];
        assert!(write(&pairs, "s").is_ok());
        pairs.push(("c".to_owned(), SecretValue::from("x")));
        assert_eq!(write(&pairs, "s").unwrap_err().kind(), Kind::InvalidData);
    }
}
