//! A Kubernetes Secret: a YAML manifest with every value in base64, so that it holds any bytes.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::format::Format::{self, K8s};
use super::format::{Options, Pair};
use super::text::{SecretText, cannot_hold};
use super::{tree, yaml};
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

/// The most that Kubernetes lets all values of one Secret have together, in bytes.
const MOST: usize = 1024 * 1024;

/// The longest name of a Secret and of a key in it.
const LONGEST_NAME: usize = 253;

/// What keys of a Secret are, in words.
pub(super) const RULE_OF_KEYS: &str =
    "letters, digits, \"-\", \"_\" and \".\", 253 at most and not beginning with \"..\"";

/// The name of a Secret that is given none.
const NAME: &str = "keyfob";

pub(super) fn write(pairs: &[Pair], options: &Options) -> Result<Zeroizing<Vec<u8>>> {
    let secret = options.name.as_deref().unwrap_or(NAME);
    if !is_subdomain(secret) {
        return Err(Error::usage(format!(
            "{secret:?} is no name for a Kubernetes Secret"
        ))
        .hint("lower-case letters, digits, \"-\" and \".\", each part beginning and ending with a letter or digit, 253 characters at most"));
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

/// Whether the file is one of Kubernetes objects: each of its documents says its version and kind.
pub(super) fn is_manifest(format: Format, bytes: &[u8]) -> bool {
    let says = |word: &[u8]| memchr::memmem::find(bytes, word).is_some();
    if !(says(b"apiVersion") && says(b"kind")) {
        return false;
    }
    let Ok(documents) = documents(format, bytes) else {
        return false;
    };
    let mut objects = documents
        .iter()
        .filter(|document| !document.expose().is_null());
    objects.any(|object| {
        text_of(object.expose(), "apiVersion").is_some() && kind(object.expose()).is_some()
    })
}

/// Reads the Secrets of a manifest, in YAML or JSON: one document or several, lists of them too.
///
/// # Errors
/// `invalid_data`, naming the key and never a value, for what is malformed, stands twice, or is of
/// another kind.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pair>> {
    let mut found = Found::default();
    for document in documents(Format::Yaml, bytes)? {
        if !document.expose().is_null() {
            found.object(document.expose())?;
        }
    }
    Ok(found.pairs)
}

fn documents(format: Format, bytes: &[u8]) -> Result<Vec<Document>> {
    match format {
        Format::Json => tree::read(format, bytes).map(|document| vec![document]),
        _ => tree::documents(bytes),
    }
}

fn kind(object: &Value) -> Option<&str> {
    text_of(object, "kind")
}

fn text_of<'v>(object: &'v Value, member: &str) -> Option<&'v str> {
    object.get(member)?.as_str()
}

/// What was found in a manifest.
#[derive(Default)]
struct Found {
    pairs: Vec<Pair>,
    /// The Secret that each key stands in.
    places: HashMap<String, String>,
}

impl Found {
    fn object(&mut self, object: &Value) -> Result<()> {
        let version = text_of(object, "apiVersion").unwrap_or_default();
        match kind(object) {
            Some("Secret") if version == "v1" => self.secret(object),
            Some("List" | "SecretList") => {
                let items = object.get("items").and_then(Value::as_array);
                items
                    .into_iter()
                    .flatten()
                    .try_for_each(|item| self.object(item))
            }
            Some(kind) => Err(Error::invalid_data(format!(
                "the manifest has a {kind} ({version}), and Secrets of v1 alone are read"
            ))
            .hint("kubectl get secret NAME -o yaml | keyfob import -")),
            None => Err(Error::invalid_data(
                "the input is no Kubernetes manifest: a document in it has no kind",
            )),
        }
    }

    fn secret(&mut self, object: &Value) -> Result<()> {
        let metadata = object.get("metadata");
        let name = metadata
            .and_then(|it| text_of(it, "name"))
            .unwrap_or("without a name");
        let members = |member: &str| match object.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(Error::invalid_data(format!(
                "{member} of the Secret {name} is no mapping"
            ))),
        };
        let (data, texts) = (members("data")?, members("stringData")?);
        let mut values: BTreeMap<&String, SecretValue> = BTreeMap::new();
        let unfit = |key: &str, what: &str| {
            Error::invalid_data(format!("{key} of the Secret {name} is {what}"))
        };
        for (key, value) in data.into_iter().flatten() {
            let text = value.as_str().ok_or_else(|| unfit(key, "no text"))?;
            // Line ends within are none of it.
            let text = Zeroizing::new(text.replace(['\r', '\n'], ""));
            let bytes = STANDARD.decode(text.as_bytes());
            let bytes = bytes.map_err(|_| unfit(key, "no base64"))?;
            values.insert(key, SecretValue::new(bytes));
        }
        // Kubernetes lets these win.
        for (key, value) in texts.into_iter().flatten() {
            let text = value.as_str().ok_or_else(|| unfit(key, "no text"))?;
            values.insert(key, SecretValue::from(text));
        }
        for (key, value) in values {
            if let Some(other) = self.places.insert(key.clone(), name.to_owned()) {
                return Err(Error::invalid_data(format!(
                    "{key} stands in two Secrets, {other} and {name}"
                ))
                .hint("import them one by one"));
            }
            if key.is_empty() {
                return Err(unfit("a key", "empty"));
            }
            self.pairs.push((key.clone(), value));
        }
        Ok(())
    }
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

    fn values(text: &str) -> Result<Vec<String>> {
        assert!(is_manifest(Format::Yaml, text.as_bytes()));
        let pairs = read(text.as_bytes())?.into_iter();
        Ok(pairs
            .map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()))
            .collect())
    }

    #[test]
    fn secrets_of_a_manifest_are_read() {
        let text = "# by hand\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  A: aHVudGVyMg==\n  B: |\n    aHVu\n    dGVyMg==\nstringData: {B: over, tls.crt: \"x\\n\"}\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}, stringData: {C: '1'}}\n- {apiVersion: v1, kind: Secret, metadata: {name: c}}\n";
        assert_eq!(
            values(text).unwrap(),
            ["A=hunter2", "B=over", "tls.crt=x\n", "C=1"]
        );
        let pairs = [("A".to_owned(), SecretValue::from("b"))];
        let written = super::write(&pairs, &Options::default()).unwrap();
        assert_eq!(read(&written).unwrap(), pairs);
    }

    #[test]
    fn what_is_no_secret_is_refused_by_its_kind() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
        for (text, part) in [
            (
                "apiVersion: v1\nkind: ConfigMap\ndata: {A: hunter2}\n",
                "a ConfigMap (v1)",
            ),
            (
                "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n",
                "a SealedSecret (bitnami.com/v1alpha1)",
            ),
            (
                "apiVersion: v1\nkind: List\nitems: [{apiVersion: apps/v1, kind: Deployment}]\n",
                "a Deployment",
            ),
            (&format!("{secret}---\nhunter2: x\n"), "has no kind"),
            (
                &format!("{secret}data: {{A: hunter2!}}\n"),
                "A of the Secret s is no base64",
            ),
            (
                &format!("{secret}data: {{A: null}}\n"),
                "A of the Secret s is no text",
            ),
            (
                &format!("{secret}stringData: {{A: 5}}\n"),
                "A of the Secret s is no text",
            ),
            (
                &format!("{secret}data: [hunter2]\n"),
                "data of the Secret s is no mapping",
            ),
            (
                &format!("{secret}stringData: {{A: hunter2}}\n---\n{secret}stringData: {{A: x}}\n"),
                "A stands in two Secrets, s and s",
            ),
        ] {
            let error = values(text).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(error.message().contains(part), "{text:?}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        // A flat table may have such names.
        assert!(!is_manifest(Format::Yaml, b"kind: x\nA: apiVersion\n"));
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
