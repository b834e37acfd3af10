//! A secret group as Northflank sends it: the raw JSON, so that what keyfob does not know stays in
//! it, and what keyfob does know read out of it.

use base64::Engine as _;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::super::groups;
use super::name::Item;
use super::rules::BASE64;
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::object::{Object, objects};
use crate::words::secret::SecretValue;

/// What the server alone decides, and no request says. The last are the addons' own credentials,
/// which the details show decrypted.
const SERVERS_OWN: &[&str] = &["id", "projectId", "createdAt", "updatedAt", ADDON_SECRETS];

const ADDON_SECRETS: &str = "addonSecrets";

/// What by the vendor's own types no read shows, though a group may have it.
pub const HIDDEN: &[&str] = &[ADDONS, EXTERNAL_ADDONS, STAGE];

/// The field of the links to addons.
pub const ADDONS: &str = "addonDependencies";
/// The field of the links to addons elsewhere.
pub const EXTERNAL_ADDONS: &str = "externalAddonDependencies";
/// The field of the stage.
pub const STAGE: &str = "stageId";

/// What the list and the details answer, and what a get answers with values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawGroup(#[serde(deserialize_with = "object")] Document);

/// A group is an object, whatever is in it.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
    let document = Document::deserialize(deserializer)?;
    match document.expose() {
        Value::Object(_) => Ok(document),
        // Without a word of what it is: it may be a secret.
        _ => Err(D::Error::custom("a group must be an object")),
    }
}

/// `{"data": …}`, in which every answer is wrapped.
#[derive(Deserialize)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// A page of the list.
#[derive(Deserialize)]
pub struct Page {
    /// The groups on it.
    pub data: Object<Listed>,
    /// Where the next one is; a server without pages says nothing of that, and `null` says nothing
    /// that could be understood.
    #[serde(default, deserialize_with = "what_is_there")]
    pub pagination: Option<Object<Pagination>>,
}

/// A member that may be missing and not null.
fn what_is_there<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// What the list holds.
#[derive(Deserialize)]
pub struct Listed {
    /// Groups without values.
    pub secrets: Vec<RawGroup>,
}

/// Where the next page is.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pagination {
    /// Whether there is one, where the server says so.
    pub has_next_page: Option<bool>,
    /// What to ask for it with; the last page has none.
    pub cursor: Option<String>,
}

/// What is known of the link to an addon.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Whether there is one.
    pub linked: Option<bool>,
    /// The keys that it brings along.
    #[serde(default, deserialize_with = "objects")]
    pub linked_keys: Vec<groups::AddonKey>,
}

impl RawGroup {
    /// A group of the fields of a payload.
    pub fn of_payload(payload: Document) -> Self {
        Self(payload)
    }

    /// Whether it has no field at all.
    pub fn is_empty(&self) -> bool {
        self.0.members().next().is_none()
    }

    /// Whether it says anything of `field`.
    pub fn tells(&self, field: &str) -> bool {
        self.fields().get(field).is_some()
    }

    /// The ids of the addons that the details say are linked; `None` where they do not say.
    ///
    /// # Errors
    /// `invalid_data` where what they say makes no sense.
    pub fn linked_addons(&self) -> Result<Option<Vec<&str>>> {
        let Some(addons) = self.fields().get(ADDON_SECRETS) else {
            return Ok(None);
        };
        let ids = addons.as_array().and_then(|addons| {
            let ids = addons.iter().map(|addon| addon.get("id")?.as_str());
            ids.collect::<Option<Vec<&str>>>()
        });
        ids.map(Some).ok_or_else(|| {
            Error::invalid_data(format!(
                "the details of the group {} do not say which addons are linked",
                self.id()
            ))
        })
    }

    /// Its fields.
    pub fn fields(&self) -> &Value {
        self.0.expose()
    }

    /// The text of `field`, where it is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields().get(field)?.as_str()
    }

    /// Its id, empty where the server sent none.
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_else(|| self.id())
    }

    /// A time in one of its fields.
    pub fn time(&self, field: &str) -> Option<Timestamp> {
        self.text(field)?.parse().ok()
    }

    /// Whether it says what it holds. One that does not is no empty group: its server, or something
    /// in between, keeps that to itself.
    pub fn says_what_it_holds(&self) -> bool {
        let secrets = self.fields().get("secrets").and_then(Value::as_object);
        secrets.is_some_and(|secrets| {
            let parts = ["variables", "files", "dockerSecretMounts"].map(|part| secrets.get(part));
            parts.into_iter().flatten().all(Value::is_object)
        })
    }

    fn part(&self, part: &str) -> impl Iterator<Item = (&String, &Value)> {
        let part = self
            .fields()
            .get("secrets")
            .and_then(|secrets| secrets.get(part));
        part.and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::iter)
    }

    /// Its variables and files.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        let variables = self
            .part("variables")
            .map(|(name, _)| Item::Variable(name.clone()));
        let files = self.part("files").map(|(path, _)| Item::File(path.clone()));
        variables.chain(files)
    }

    /// The same and what it mounts into builds, which keyfob has no names for.
    pub fn held(&self) -> impl Iterator<Item = Item> {
        let mounts = self
            .part("dockerSecretMounts")
            .map(|(name, _)| Item::Mount(name.clone()));
        self.items().chain(mounts)
    }

    /// Whether it says anything of its secrets of the kind of `item`.
    pub fn tells_of(&self, item: &Item) -> bool {
        let secrets = self.fields().get("secrets");
        secrets.is_some_and(|secrets| secrets.get(item.part()).is_some())
    }

    pub(super) fn raw(&self, item: &Item) -> Option<&Value> {
        let mut part = self.part(item.part());
        part.find(|(key, _)| *key == item.key())
            .map(|(_, value)| value)
    }

    /// Whether it holds `item`.
    pub fn has(&self, item: &Item) -> bool {
        self.raw(item).is_some()
    }

    /// The value of `item`, `None` where it does not hold it. A variable that is no text is its
    /// JSON; a file is its bytes.
    ///
    /// # Errors
    /// `invalid_data` for a file that is not base64.
    pub fn value(&self, item: &Item) -> Result<Option<SecretValue>> {
        let Some(raw) = self.raw(item) else {
            return Ok(None);
        };
        let value = match item {
            Item::Variable(_) => match raw.as_str() {
                Some(text) => SecretValue::from(text),
                None => SecretValue::from(raw.to_string()),
            },
            Item::File(_) | Item::Mount(_) => {
                let data = raw.get("data").and_then(Value::as_str);
                let bytes = data
                    .and_then(|data| BASE64.decode(data).ok())
                    .map(Zeroizing::new);
                SecretValue::from(bytes.ok_or_else(|| {
                    Error::invalid_data(format!(
                        "the {} {item} of the group {} did not come as base64",
                        item.kind(),
                        self.id()
                    ))
                })?)
            }
        };
        Ok(Some(value))
    }

    /// Puts `value` under `item`.
    pub fn set(&mut self, item: &Item, value: &SecretValue) {
        let patch = Document::new(
            json!({ "secrets": { item.part(): { item.key(): payload_of(item, value) } } }),
        );
        self.0.merge(patch.expose());
    }

    /// Takes `item` away.
    pub fn remove(&mut self, item: &Item) {
        self.0
            .merge(&json!({ "secrets": { item.part(): { item.key(): null } } }));
    }

    /// Lays `payload` over it: what is inside `secrets` and `restrictions` is merged, `null` taking
    /// away; every other field is replaced.
    pub fn lay_over(&mut self, payload: &Document) {
        for (field, value) in payload.members() {
            match field.as_str() {
                "secrets" | "restrictions" => {
                    let patch = Document::new(json!({ field: value }));
                    self.0.merge(patch.expose());
                }
                _ => {
                    if let Some(members) = self.0.expose_mut().as_object_mut() {
                        members.insert(field.clone(), value.clone());
                    }
                }
            }
        }
    }

    /// Takes over from `other` those of `fields` that it has not.
    pub fn complete(&mut self, other: &RawGroup, fields: &[&str]) {
        if let Some(members) = self.0.expose_mut().as_object_mut() {
            for (field, value) in other.0.members() {
                if fields.contains(&field.as_str()) {
                    members.entry(field).or_insert_with(|| value.clone());
                }
            }
        }
    }

    /// Takes over from `other` all fields that it has not.
    pub fn complete_all(&mut self, other: &RawGroup) {
        let fields: Vec<&str> = other.0.members().map(|(field, _)| field.as_str()).collect();
        self.complete(other, &fields);
    }

    /// Sets its links to addons.
    pub fn set_addons(&mut self, addons: &[groups::Addon]) {
        self.0.merge(&json!({ ADDONS: addons }));
    }

    /// What a request has to say to make this of `before`: the fields that differ, each whole.
    /// `secrets` is said with all that is in it, which is right whether the server merges it or
    /// replaces it.
    pub fn difference(&self, before: &RawGroup) -> Document {
        let changed = self
            .0
            .members()
            .filter(|(field, value)| {
                !SERVERS_OWN.contains(&field.as_str())
                    && before.fields().get(*field) != Some(*value)
            })
            .map(|(field, value)| (field.clone(), value.clone()));
        Document::new(Value::Object(changed.collect()))
    }

    /// What a request has to say to make this from nothing: everything but what is the server's.
    pub fn payload(&self) -> Document {
        self.difference(&RawGroup(Document::default()))
    }

    /// Its secrets alone, all of them.
    pub fn secrets_alone(&self) -> Document {
        let secrets = self.fields().get("secrets").cloned().unwrap_or_default();
        Document::new(json!({ "secrets": secrets }))
    }

    /// Every text that is secret in it, so that no message repeats one.
    pub fn secrets(&self) -> Vec<Zeroizing<String>> {
        let mut texts = Vec::new();
        let parts = self.fields().get("secrets").and_then(Value::as_object);
        let as_bytes = ["files", "dockerSecretMounts"];
        for (_, value) in parts
            .into_iter()
            .flatten()
            .filter(|(part, _)| !as_bytes.contains(&part.as_str()))
        {
            collect_texts(value, &mut texts);
        }
        for item in self.held() {
            // The bytes stand in for their base64 and its encoding, which is no secret.
            if !matches!(item, Item::Variable(_))
                && let Ok(Some(value)) = self.value(&item)
            {
                texts.push(Zeroizing::new(BASE64.encode(value.expose())));
                texts.extend(
                    value
                        .expose_str()
                        .map(|text| Zeroizing::new(text.to_owned())),
                );
            }
        }
        texts
    }

    /// What may be shown of it; `named` says whether its secrets' names were asked for.
    pub fn shown(&self, named: bool) -> groups::Group {
        let names = |part| named.then(|| self.part(part).map(|(name, _)| name.clone()).collect());
        groups::Group {
            id: self.id().to_owned(),
            name: self.name().to_owned(),
            description: self.text("description").map(str::to_owned),
            tags: self.known("tags").unwrap_or_default(),
            secret_type: self.text("secretType").map(str::to_owned),
            priority: self.known("priority"),
            visibility: self.text("type").map(str::to_owned),
            stage: self.text(STAGE).map(str::to_owned),
            restrictions: self
                .known::<Object<_>>("restrictions")
                .map(|Object(all)| all),
            addons: self.addons(ADDONS),
            external_addons: self.addons(EXTERNAL_ADDONS),
            variables: names("variables"),
            files: names("files"),
            docker_secrets: names("dockerSecretMounts").unwrap_or_default(),
            created_at: self.time("createdAt"),
            updated_at: self.time("updatedAt"),
        }
    }

    fn addons(&self, field: &str) -> Vec<groups::Addon> {
        let addons: Vec<Object<groups::Addon>> = self.known(field).unwrap_or_default();
        addons.into_iter().map(|Object(addon)| addon).collect()
    }

    /// `field` as keyfob knows it, where it is there and like that.
    fn known<T: for<'de> Deserialize<'de>>(&self, field: &str) -> Option<T> {
        T::deserialize(self.fields().get(field)?).ok()
    }
}

/// `value` as the payload has it: a variable as text, all else as base64 whatever its bytes.
pub fn payload_of(item: &Item, value: &SecretValue) -> Value {
    match item {
        Item::Variable(_) => value.expose_str().unwrap_or_default().into(),
        Item::File(_) | Item::Mount(_) => {
            json!({ "data": BASE64.encode(value.expose()), "encoding": "utf-8" })
        }
    }
}

fn collect_texts(value: &Value, texts: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::String(text) => texts.push(Zeroizing::new(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members
            .values()
            .for_each(|value| collect_texts(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(fields: Value) -> RawGroup {
        RawGroup::of_payload(Document::new(fields))
    }

    fn sample() -> RawGroup {
        group(json!({
            "id": "g", "updatedAt": "2030-01-01T00:00:00Z", "priority": 1, "future": {"x": [1]},
            "secrets": {"variables": {"A": "1", "N": 5}, "files": {"/f": {"data": "eA==", "encoding": "utf-8", "mode": 4}}, "mounts": {"m": "s"}},
        }))
    }

    fn variable(name: &str) -> Item {
        Item::Variable(name.to_owned())
    }

    #[test]
    fn values_are_text_or_json_and_files_are_bytes() {
        let text = |item| {
            sample()
                .value(&item)
                .unwrap()
                .unwrap()
                .expose_str()
                .map(str::to_owned)
        };
        assert_eq!(text(variable("A")).as_deref(), Some("1"));
        assert_eq!(text(variable("N")).as_deref(), Some("5"));
        assert_eq!(text(Item::File("/f".into())).as_deref(), Some("x"));
        assert_eq!(sample().value(&variable("/f")).unwrap(), None);
        let broken = group(json!({"secrets": {"files": {"/f": {"data": "hunter2!"}}}}));
        let error = broken.value(&Item::File("/f".into())).unwrap_err();
        assert!(!error.message().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_change_says_the_whole_of_the_secrets_and_nothing_of_the_rest() {
        let (before, mut wanted) = (sample(), sample());
        assert!(RawGroup::of_payload(wanted.difference(&before)).is_empty());
        wanted.remove(&variable("N"));
        wanted.set(&Item::File("/f".into()), &SecretValue::from("y"));
        assert_eq!(
            wanted.difference(&before).expose(),
            &json!({"secrets": {
                "variables": {"A": "1"},
                "files": {"/f": {"data": "eQ==", "encoding": "utf-8", "mode": 4}},
                "mounts": {"m": "s"},
            }})
        );
    }

    #[test]
    fn the_payload_leaves_out_what_is_the_servers() {
        let payload = sample().payload();
        let fields: Vec<&String> = payload.members().map(|(field, _)| field).collect();
        assert_eq!(fields, ["future", "priority", "secrets"]);
    }

    #[test]
    fn everything_secret_is_known_as_such() {
        let mut group = sample();
        group.set(&Item::File("/g".into()), &SecretValue::from("file text"));
        group.set(&variable("encoding"), &SecretValue::from("a value"));
        let secrets = group.secrets();
        for secret in ["1", "a value", "file text", "ZmlsZSB0ZXh0", "s"] {
            assert!(
                secrets.iter().any(|known| known.as_str() == secret),
                "{secret}"
            );
        }
        assert!(!secrets.iter().any(|known| known.as_str() == "utf-8"));
    }

    #[test]
    fn what_is_shown_has_no_value() {
        let shown = serde_json::to_string(&sample().shown(true)).unwrap();
        assert_eq!(
            shown,
            r#"{"id":"g","name":"g","priority":1,"variables":["A","N"],"files":["/f"],"updated_at":"2030-01-01T00:00:00Z"}"#
        );
    }

    proptest! {
        #[test]
        fn what_is_set_is_there_and_what_is_removed_is_not(key in "[A-Za-z0-9_./-]{1,20}", text in ".{0,40}", bytes: Vec<u8>) {
            let (name, path) = (variable(&key), Item::File(format!("/{key}")));
            let (text, bytes) = (SecretValue::from(text), SecretValue::new(bytes));
            let mut group = RawGroup::of_payload(Document::new(json!({"id": "g"})));
            group.set(&name, &text);
            group.set(&path, &bytes);
            prop_assert!(group.value(&name).unwrap() == Some(text));
            prop_assert!(group.value(&path).unwrap() == Some(bytes));
            group.remove(&name);
            group.remove(&path);
            prop_assert!(!group.has(&name) && !group.has(&path));
        }
    }
}
