//! Groups as a whole: listed, shown, created, updated and deleted with all of their fields.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::groups::{Group, GroupFields, Groups};
use super::api::Created;
use super::change::{self, Change};
use super::links;
use super::name::{Item, derived_id};
use super::project::Northflank;
use super::rules::{self, Purpose};
use super::wire::{ADDONS, EXTERNAL_ADDONS, HIDDEN, RawGroup, STAGE, payload_of};
use crate::http;
use crate::words::batch::Action;
use crate::words::document::Document;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown;
use crate::words::word::shell_word;

/// What a group is made with where nothing else is said.
const SECRET_TYPE: &str = "environment";
const PRIORITY: i64 = 10;

#[async_trait(?Send)]
impl Groups for Northflank {
    async fn list(&self) -> Result<(Vec<Group>, Option<Error>)> {
        let (groups, rest) = self.api.list_what_can_be_read().await?;
        let groups = groups.values().map(|group| group.shown(false));
        Ok((groups.collect(), rest))
    }

    async fn show(&self, group: &str) -> Result<Group> {
        let mut found = self.existing(group).await?;
        links::complete(&self.api, &mut found).await?;
        Ok(found.shown(true))
    }

    async fn create(&self, fields: GroupFields) -> Result<String> {
        let mut payload = payload(&fields)?;
        if let Some(members) = payload.expose_mut().as_object_mut() {
            // A new group has no stage that could be taken away.
            members.retain(|field, value| field != STAGE || !value.is_null());
            members.entry("secretType").or_insert(SECRET_TYPE.into());
            members.entry("priority").or_insert(PRIORITY.into());
        }
        rules::check(payload.expose(), Purpose::Create)?;
        let wanted = RawGroup::of_payload(payload);
        if fields.dry_run {
            return match self.resolve(wanted.name()).await? {
                Some(_) => Err(self.exists(wanted.name()).await),
                None => Ok(derived_id(wanted.name())),
            };
        }
        for pause in http::pauses(change::AGAIN) {
            let doubt = match self.api.create(&wanted).await? {
                Created::Group(said) => return self.created(&wanted, &said).await,
                Created::Exists => return Err(self.exists(wanted.name()).await),
                Created::InDoubt(error) => error,
            };
            match self.resolve(wanted.name()).await {
                Ok(Some(found)) if wanted.deviations(&found).is_empty() => {
                    return Ok(found.id().to_owned());
                }
                // An answer that makes no sense comes again.
                Ok(None) if doubt.kind() == Kind::Unavailable && self.api.allows(pause) => {
                    tokio::time::sleep(pause).await
                }
                _ => return Err(doubt),
            }
        }
        Err(Error::unavailable(
            "could not create the secret group: the server failed each time",
        ))
    }

    async fn update(&self, group: &str, fields: GroupFields) -> Result<(String, Action)> {
        let payload = payload(&fields)?;
        rules::check(payload.expose(), Purpose::Update)?;
        let mut before = self.existing(group).await?;
        if payload
            .members()
            .any(|(field, _)| HIDDEN.contains(&field.as_str()))
        {
            links::complete(&self.api, &mut before).await?;
        }
        let mut wanted = before.clone();
        wanted.lay_over(&payload);
        let action = if wanted.difference(&before).members().next().is_none() {
            Action::Unchanged
        } else if fields.dry_run {
            Action::Updated
        } else {
            let change = Change {
                before: &before,
                wanted: &wanted,
            };
            let unshown = change.apply(&self.api).await?;
            self.tell_of_unshown(before.id(), &unshown);
            Action::Updated
        };
        Ok((before.id().to_owned(), action))
    }

    async fn delete(&self, group: &str) -> Result<String> {
        let found = self.existing(group).await?;
        self.api.delete(found.id()).await?;
        // One that was made since is another.
        match self.api.get(found.id()).await {
            Ok(Some(after)) if after.time("createdAt") == found.time("createdAt") => {
                Err(Error::failed(format!(
                    "the server said that it deleted the group {}, and still has it",
                    found.id()
                )))
            }
            Ok(_) => Ok(found.id().to_owned()),
            Err(error) => Err(error.context(format!(
                "the group {} was deleted, and whether it is gone could not be looked up",
                found.id()
            ))),
        }
    }
}

impl Northflank {
    /// The id of the group that was created of `wanted`, of which the server has `said` something,
    /// once it was read back.
    async fn created(&self, wanted: &RawGroup, said: &RawGroup) -> Result<String> {
        let id = match said.id() {
            "" => derived_id(wanted.name()),
            id => id.to_owned(),
        };
        let found = self.api.get(&id).await.map_err(|error| {
            error.context(format!(
                "the group {id} was created, and could not be read back"
            ))
        })?;
        let Some(mut found) = found else {
            return Err(Error::invalid_data(format!(
                "the server said that it created the group {id}, and does not have it"
            )));
        };
        found.complete(said, HIDDEN);
        let deviations = wanted.deviations(&found);
        if !deviations.is_empty() {
            return Err(Error::conflict(format!(
                "the group {id} was created, and is not as it was written: {}",
                change::named(&RawGroup::default(), &deviations)
            ))
            .hint(format!(
                "look at it with keyfob group show -s {{store}} {}",
                shell_word(&id)
            )));
        }
        let nothing = RawGroup::default();
        self.tell_of_unshown(&id, &wanted.unshown(&nothing, &found));
        Ok(id)
    }

    /// Says which fields were sent and could not be looked at.
    pub(super) fn tell_of_unshown(&self, id: &str, unshown: &[String]) {
        if !unshown.is_empty() {
            (self.services.notice)(&format!(
                "{} of the group {id} was sent, and the server does not show whether it is so",
                unshown.join(", ")
            ));
        }
    }

    /// The error for a group that is there already under the id that `name` gives.
    async fn exists(&self, name: &str) -> Error {
        // Which one it is helps; where that cannot be had, the derived id is a good guess.
        let found = self.resolve(name).await.ok().flatten();
        let (id, other) = match &found {
            Some(group) => (group.id().to_owned(), group.name()),
            None => (derived_id(name), name),
        };
        let called = if other == name {
            String::new()
        } else {
            format!(", called {}", shown::name(other))
        };
        Error::conflict(format!("there is a group with the id {id} already{called}")).hint(format!(
            "change it with keyfob group update -s {{store}} {}, or choose another name",
            shell_word(&id)
        ))
    }
}

/// The payload that `fields` make: those named one by one lie over those of the whole payload.
fn payload(fields: &GroupFields) -> Result<Document> {
    let mut group = match fields.payload.expose() {
        Value::Null => RawGroup::of_payload(Document::new(json!({}))),
        Value::Object(_) => RawGroup::of_payload(fields.payload.clone()),
        _ => {
            return Err(Error::invalid_data(
                "the payload must be an object, with the group's fields",
            ));
        }
    };
    let mut named = Map::new();
    let mut name = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            named.insert(field.to_owned(), value);
        }
    };
    name("name", fields.name.clone().map(Value::from));
    name("description", fields.description.clone().map(Value::from));
    name("tags", list(fields.tags.as_ref()));
    name("secretType", fields.secret_type.clone().map(Value::from));
    name("type", fields.visibility.clone().map(Value::from));
    name(STAGE, fields.stage.as_deref().map(stage));
    name("priority", fields.priority.map(Value::from));
    name(ADDONS, list(fields.addons.as_ref()));
    name(EXTERNAL_ADDONS, list(fields.external_addons.as_ref()));
    name("restrictions", restrictions(fields));
    name("secrets", secrets(fields)?);
    group.lay_over(&Document::new(Value::Object(named)));
    Ok(group.payload())
}

/// A list that was named.
fn list<T: serde::Serialize>(items: Option<&Vec<T>>) -> Option<Value> {
    items.map(|items| json!(items))
}

/// A stage, or none.
fn stage(text: &str) -> Value {
    match text {
        "" => Value::Null,
        id => id.into(),
    }
}

fn restrictions(fields: &GroupFields) -> Option<Value> {
    let mut restrictions = Map::new();
    let targets = list(fields.restricted_to.as_ref()).map(|targets| ("nfObjects", targets));
    let tags = list(fields.restricted_tags.as_ref()).map(|tags| ("tags", tags));
    let names_some = [&targets, &tags]
        .into_iter()
        .flatten()
        .any(|(_, named)| *named != json!([]));
    let tag_match = fields.tag_match.as_deref();
    let tag_match = tag_match.map(|condition| ("tagMatchCondition", condition.into()));
    for (field, value) in targets.into_iter().chain(tags).chain(tag_match) {
        restrictions.insert(field.to_owned(), value);
    }
    // Naming those who are let in means that others are not, unless the caller says otherwise.
    let restricted = fields.restricted.or(names_some.then_some(true));
    if let Some(restricted) = restricted {
        restrictions.insert("restricted".to_owned(), restricted.into());
    }
    (!restrictions.is_empty()).then_some(Value::Object(restrictions))
}

fn secrets(fields: &GroupFields) -> Result<Option<Value>> {
    let mut secrets = Map::new();
    let variables = fields
        .variables
        .iter()
        .map(|(name, value)| (Item::Variable(name.clone()), value));
    let files = fields
        .files
        .iter()
        .map(|(path, value)| (Item::File(path.clone()), value));
    let mounts = fields
        .docker_secrets
        .iter()
        .map(|(name, value)| (Item::Mount(name.clone()), value));
    for (item, value) in variables.chain(files).chain(mounts) {
        item.check()?;
        item.check_value(value)?;
        let part = secrets.entry(item.part()).or_insert_with(|| json!({}));
        part[item.key()] = payload_of(&item, value);
    }
    Ok((!secrets.is_empty()).then_some(Value::Object(secrets)))
}
