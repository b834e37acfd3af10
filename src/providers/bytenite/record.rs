//! What ByteNite keeps beside a secret key: read, shown, and merged with what is to change.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::words::batch::Metadata;
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name};
use crate::words::shown;

/// The fields of the page.
const DOCUMENTED: &[&str] = &[
    "id",
    "secretType",
    "name",
    "accessKey",
    "expiresAt",
    "params",
];

const PARAMS: &str = "params.";

/// The object `secret` of the API, with every field it has, known or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Record(Map<String, Value>);

impl Record {
    /// Takes an object of the list over; `None` where its type or id is no text, so that nobody
    /// knows which secret it is. A secret key does not belong there and is dropped.
    pub fn new(mut fields: Map<String, Value>) -> Option<Self> {
        let is_text = |field: &str| fields.get(field).is_some_and(Value::is_string);
        if !is_text("secretType") || !is_text("id") {
            return None;
        }
        fields.remove("secretKey");
        // A field that is not there may come as null, and cannot be sent back so.
        fields.retain(|_, value| !value.is_null());
        Some(Self(fields))
    }

    /// `before` with what `metadata` names in place of what was there.
    pub fn merged(before: Option<&Self>, secret_type: &str, id: &str, metadata: &Metadata) -> Self {
        let mut fields = before.map(|before| before.0.clone()).unwrap_or_default();
        fields.insert("id".to_owned(), id.into());
        fields.insert("secretType".to_owned(), secret_type.into());
        if let Some(at) = metadata.expires_at {
            fields.insert("expiresAt".to_owned(), at.to_string().into());
        }
        for (key, value) in &metadata.attributes {
            match key.strip_prefix(PARAMS) {
                None => {
                    fields.insert(key.clone(), value.as_str().into());
                }
                Some(param) => {
                    let params = fields.entry("params").or_insert_with(|| Map::new().into());
                    if !params.is_object() {
                        *params = Map::new().into();
                    }
                    params[param] = value.as_str().into();
                }
            }
        }
        Self(fields)
    }

    /// The same with the fields of the page alone.
    pub fn documented(&self) -> Self {
        let mut fields = self.0.clone();
        fields.retain(|key, _| DOCUMENTED.contains(&key.as_str()));
        Self(fields)
    }

    /// The fields that the page does not know.
    pub fn unknown_fields(&self) -> Vec<&str> {
        let keys = self.0.keys().map(String::as_str);
        keys.filter(|key| !DOCUMENTED.contains(key)).collect()
    }

    /// Whether there are any.
    pub fn has_unknown_fields(&self) -> bool {
        !self.unknown_fields().is_empty()
    }

    /// The first field that was sent so, and that `listed` has otherwise. What the page does not
    /// know is not looked at.
    pub fn deviates_from(&self, listed: &Self) -> Option<String> {
        let text = |field: &str| {
            let (sent, listed) = (self.text(field), listed.text(field));
            sent.unwrap_or_default() != listed.unwrap_or_default()
        };
        if let Some(field) = ["accessKey", "name"].into_iter().find(|field| text(field)) {
            return Some(field.to_owned());
        }
        let same_expiry = match (self.expiry(), listed.expiry()) {
            // Servers keep fewer digits of a second.
            (Some(Ok(sent)), Some(Ok(listed))) => {
                sent.duration_since(listed).abs() < SignedDuration::from_secs(1)
            }
            (sent, listed) => sent == listed,
        };
        if !same_expiry {
            return Some("expiresAt".to_owned());
        }
        let params = |record: &Self| {
            let params = record.0.get("params").and_then(Value::as_object);
            params.cloned().unwrap_or_default()
        };
        let listed = params(listed);
        let mut sent = params(self).into_iter();
        let other =
            sent.find(|(param, value)| listed.get(param) != Some(value) && !is_empty(value));
        other.map(|(param, _)| format!("{PARAMS}{param}"))
    }

    /// When it expires; whatever text stands in the place of a time.
    fn expiry(&self) -> Option<Result<Timestamp, &str>> {
        let text = self.text("expiresAt")?;
        Some(text.parse().map_err(|_| text))
    }

    /// The type.
    pub fn secret_type(&self) -> Option<&str> {
        self.text("secretType")
    }

    /// `TYPE/ID`; `None` where that would name another secret, or none.
    pub fn name(&self) -> Option<Name> {
        let (secret_type, id) = (self.secret_type()?, self.text("id")?);
        let name = Name::new(format!("{secret_type}/{id}")).ok()?;
        (parts(&name).ok()? == (secret_type, id)).then_some(name)
    }

    /// What is shown of it.
    pub fn entry(&self, name: Name) -> Entry {
        let mut entry = Entry::new(name);
        let time = |field: &str| self.text(field).and_then(|text| text.parse().ok());
        entry.created_at = time("createdAt");
        entry.updated_at = time("updatedAt");
        entry.expires_at = time("expiresAt");
        let shown = match entry.expires_at {
            Some(_) => &["name", "accessKey", "params"][..],
            None => &["name", "accessKey", "params", "expiresAt"],
        };
        for field in shown {
            let value = self.0.get(*field).filter(|value| !is_empty(value));
            if let Some(value) = value {
                entry.attributes.insert((*field).to_owned(), value.clone());
            }
        }
        entry
    }

    /// What may tell it from a later one. The page documents no times, but a list may have some.
    pub fn told(&self) -> [&str; 3] {
        ["accessKey", "createdAt", "updatedAt"].map(|field| self.text(field).unwrap_or_default())
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Refuses an attribute that a secret does not have.
///
/// # Errors
/// `usage` that lists those it has.
pub fn check_attribute(key: &str) -> Result<()> {
    let known = matches!(key, "name" | "accessKey")
        || key
            .strip_prefix(PARAMS)
            .is_some_and(|param| !param.is_empty());
    match known {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "a ByteNite secret has no attribute {}",
            shown::name(key)
        ))
        .hint("the attributes are accessKey, name and params.KEY; --expires-at sets the expiry")),
    }
}

/// The type of free secrets, which have a secret key alone.
pub const OTHER: &str = "other";

/// Refuses an access key where the type has none.
///
/// # Errors
/// `usage`.
pub fn check_type(name: &Name, metadata: &Metadata) -> Result<()> {
    let (secret_type, _) = parts(name)?;
    if secret_type == OTHER && metadata.attributes.contains_key("accessKey") {
        return Err(Error::usage(format!(
            "{name} takes no accessKey: a secret of the type {OTHER} has a secret key alone"
        ))
        .hint("leave --attr accessKey out, or choose another type: aws, gcp, storj"));
    }
    Ok(())
}

/// The type and the id that `name` is made of.
pub fn parts(name: &Name) -> Result<(&str, &str)> {
    match name.as_str().split_once('/') {
        Some((secret_type, id)) if is_segment(secret_type) && is_segment(id) => {
            Ok((secret_type, id))
        }
        _ => Err(
            Error::invalid_data(format!("{name} is no name of a ByteNite secret"))
                .hint("names are TYPE/ID, such as aws/BACKUP, gcp/MEDIA or other/HF_TOKEN"),
        ),
    }
}

/// Whether `text` can stand in a path: what means a folder cannot, however it is encoded.
fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::words::error::Kind;

    fn record(fields: Value) -> Record {
        Record::new(fields.as_object().unwrap().clone()).unwrap()
    }

    fn metadata(attributes: &[(&str, &str)]) -> Metadata {
        let attributes = attributes
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        Metadata {
            attributes: attributes.collect(),
            ..Metadata::default()
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let before = record(json!({
            "id": "b", "secretType": "s3", "name": "old", "accessKey": "AKIA", "owner": "me",
            "expiresAt": "2030-01-01T00:00:00Z", "params": {"region": "eu", "n": 1},
            "secretKey": "leaked", "note": null,
        }));
        let metadata = metadata(&[
            ("name", "new"),
            ("params.region", "us"),
            ("params.a.b", "c"),
        ]);
        assert_eq!(
            Record::merged(Some(&before), "s3", "b", &metadata),
            record(json!({
                "id": "b", "secretType": "s3", "name": "new", "accessKey": "AKIA", "owner": "me",
                "expiresAt": "2030-01-01T00:00:00Z", "params": {"region": "us", "n": 1, "a.b": "c"},
            }))
        );
    }

    #[test]
    fn a_new_one_has_what_is_named_and_no_more() {
        let metadata = Metadata {
            expires_at: Some("2030-01-01T00:00:00Z".parse().unwrap()),
            ..Metadata::default()
        };
        assert_eq!(
            Record::merged(None, "gcp", "x", &metadata),
            record(json!({"id": "x", "secretType": "gcp", "expiresAt": "2030-01-01T00:00:00Z"}))
        );
    }

    #[test]
    fn fields_that_nobody_documents_can_be_left_out() {
        let record = record(json!({"id": "x", "secretType": "s3", "owner": "me"}));
        assert_eq!(record.unknown_fields(), ["owner"]);
        assert!(!record.documented().has_unknown_fields());
    }

    #[test]
    fn what_cannot_be_named_has_no_name() {
        let name = |secret_type: Value, id: Value| {
            record(json!({"secretType": secret_type, "id": id})).name()
        };
        assert_eq!(name(json!("s3"), json!("a/b")).unwrap().as_str(), "s3/a/b");
        for (secret_type, id) in [("a/b", "c"), ("", "c"), ("s3", ""), ("s3", "..")] {
            assert_eq!(name(json!(secret_type), json!(id)), None);
        }
    }

    #[test]
    fn what_has_no_type_or_id_is_no_secret() {
        for odd in [json!(7), json!(null), json!(["a"]), json!({})] {
            for fields in [
                json!({"secretType": "s3", "id": odd}),
                json!({"secretType": odd, "id": "a"}),
            ] {
                assert_eq!(
                    Record::new(fields.as_object().unwrap().clone()),
                    None,
                    "{fields}"
                );
            }
        }
        let fields = json!({"id": "a"});
        assert_eq!(Record::new(fields.as_object().unwrap().clone()), None);
    }

    #[test]
    fn attributes_are_those_of_the_page() {
        for key in ["name", "accessKey", "params.region", "params.a.b"] {
            check_attribute(key).unwrap();
        }
        for key in ["params", "params.", "id", "secretKey", "expiresAt", "Name"] {
            let error = check_attribute(key).unwrap_err();
            assert!(error.hint_text().unwrap().contains("params.KEY"), "{key}");
        }
    }

    #[test]
    fn an_entry_shows_all_but_what_is_empty() {
        let record = record(json!({
            "id": "b", "secretType": "s3", "name": "", "accessKey": "AKIA", "params": {"a": "b"},
            "expiresAt": "2025-12-29T18:02:27.140Z",
        }));
        let entry = record.entry(record.name().unwrap());
        assert_eq!(
            entry.expires_at.unwrap().to_string(),
            "2025-12-29T18:02:27.14Z"
        );
        let keys: Vec<&String> = entry.attributes.keys().collect();
        assert_eq!(keys, ["accessKey", "params"]);
    }

    #[test]
    fn what_is_listed_otherwise_than_it_was_sent_is_told() {
        let sent = record(json!({
            "id": "b", "secretType": "s3", "accessKey": "AKIA", "name": "", "owner": "me",
            "expiresAt": "2030-01-01T00:00:00.1234567Z", "params": {"region": "eu", "empty": ""},
        }));
        let listed = |field: &str, value: Value| {
            let mut listed = json!({
                "id": "b", "secretType": "s3", "accessKey": "AKIA", "more": 1,
                "expiresAt": "2030-01-01T00:00:00.123Z", "params": {"region": "eu", "n": 1},
            });
            listed[field] = value;
            sent.deviates_from(&record(listed))
        };
        assert_eq!(listed("id", json!("b")), None);
        assert_eq!(
            listed("accessKey", json!("B")).as_deref(),
            Some("accessKey")
        );
        assert_eq!(listed("name", json!("x")).as_deref(), Some("name"));
        assert_eq!(
            listed("expiresAt", json!(null)).as_deref(),
            Some("expiresAt")
        );
        assert_eq!(
            listed("expiresAt", json!("2031-01-01T00:00:00Z")).as_deref(),
            Some("expiresAt")
        );
        assert_eq!(
            listed("params", json!({})).as_deref(),
            Some("params.region")
        );
    }

    #[test]
    fn names_are_a_type_and_an_id() {
        let name = |text: &str| Name::new(text).unwrap();
        assert_eq!(parts(&name("s3/a/b c")).unwrap(), ("s3", "a/b c"));
        for text in ["s3", "/x", "s3/", "../x", "s3/..", "./x", "s3/."] {
            assert_eq!(
                parts(&name(text)).unwrap_err().kind(),
                Kind::InvalidData,
                "{text}"
            );
        }
    }
}
