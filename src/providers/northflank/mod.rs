//! Northflank's secret groups: named sets of variables and files in a project, with fields of their
//! own. To keyfob each variable and each file is a secret; the groups are managed beside them.
//!
//! [`api`] has the endpoints, [`wire`] what they carry, [`rules`] what they take, [`change`] how a
//! group is changed without losing anything, [`grant`] the secrets that are written and deleted,
//! [`manage`] the groups as a whole, [`links`] what they bring along; [`project`] finds one by what it is called.

mod api;
mod change;
mod compare;
mod grant;
mod links;
mod manage;
mod name;
mod project;
mod rules;
mod wire;

use std::collections::BTreeMap;

use async_trait::async_trait;

use self::grant::Wish;
use self::name::{Item, Place};
use self::project::{Matching, Northflank};
use self::wire::RawGroup;
use super::groups::Groups;
use super::{Account, Capabilities, Capability, Given, Lack, Method, Provider, ProviderSpec, bulk};
use crate::config::schema::{Field, Schema, Shape};
use crate::words::batch::{Batch, Filter, Outcome, Selection, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Name, SecretValue};

const SCHEMA: Schema = Schema {
    provider: "northflank",
    fields: &[
        Field::new(
            "base_url",
            Shape::Url,
            "another address than Northflank's own",
        ),
        Field::new("api_token", Shape::Text, "the API token")
            .credential()
            .vendor_env(&["NORTHFLANK_API_TOKEN"]),
        Field::new(
            "api_token_command",
            Shape::Text,
            "a command that prints the API token",
        ),
        Field::new("project", Shape::Text, "the project's id"),
        Field::new(
            "team",
            Shape::Text,
            "the id of the team that the project belongs to",
        )
        .locates(),
        Field::new(
            "group",
            Shape::Text,
            "the one secret group to use: names are then KEY, not GROUP/KEY",
        )
        .locates(),
        super::CA_FILE,
    ],
};

/// The registry's line for Northflank.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "Northflank",
    capabilities: Capabilities::of(&[
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
        Capability::Binary,
        Capability::Groups,
    ]),
    lacks: &[Lack {
        capability: Capability::Types,
        act: "list by type: types belong to groups",
        instead: "see keyfob group list -s {store}, and leave --type out",
    }],
    composite: None,
    credentials: &[Method {
        auth: None,
        fields: &["api_token"],
    }],
    without_cache: None,
    open: |config, services| Ok(Box::new(Northflank::open(config, services)?)),
};

/// What may be known of a secret: that of its group, as it has nothing of its own.
fn entry(name: Name, item: &Item, group: &RawGroup) -> Entry {
    let shown = group.shown(false);
    let mut entry = Entry::new(name);
    entry.created_at = shown.created_at;
    entry.updated_at = shown.updated_at;
    let attributes = &mut entry.attributes;
    attributes.insert("group".to_owned(), shown.id.into());
    attributes.insert("kind".to_owned(), item.kind().into());
    if let Some(secret_type) = shown.secret_type {
        attributes.insert("secretType".to_owned(), secret_type.into());
    }
    if let Some(priority) = shown.priority {
        attributes.insert("priority".to_owned(), priority.into());
    }
    if let Some(restrictions) = shown.restrictions {
        attributes.insert("restricted".to_owned(), restrictions.restricted.into());
    }
    if !shown.tags.is_empty() {
        attributes.insert("tags".to_owned(), shown.tags.into());
    }
    entry
}

/// The entries of `groups` that pass `filter`, sorted by name.
fn entries(groups: Vec<(String, RawGroup)>, filter: &Filter) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (prefix, group) in groups {
        for item in group.items() {
            let name = Name::new(format!("{prefix}{item}"))?;
            if filter.admits(name.as_str()) {
                entries.push(entry(name, &item, &group));
            }
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

#[async_trait(?Send)]
impl Provider for Northflank {
    fn check_name(&self, name: &Name) -> Result<()> {
        self.place(name).map(drop)
    }

    fn check(&self, write: &Write) -> Result<()> {
        let place = self.place(&write.name)?;
        place.item.check_value(&write.value)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(self)
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let groups = self.matching(filter).await?.whole()?;
        entries(groups, filter)
    }

    async fn list_what_can_be_read(&self, filter: &Filter) -> Result<(Vec<Entry>, Option<Error>)> {
        let Matching { groups, rest } = self.matching(filter).await?;
        Ok((entries(groups, filter)?, rest))
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        let mut values = BTreeMap::new();
        let names = match selection {
            Selection::Names(names) | Selection::Listed(names) => names,
            Selection::All => {
                for (prefix, group) in self.matching(&Filter::default()).await?.whole()? {
                    for item in group.items() {
                        if let Some(value) = group.value(&item)? {
                            values.insert(Name::new(format!("{prefix}{item}"))?, value);
                        }
                    }
                }
                return Ok(values);
            }
        };
        let mut by_group: BTreeMap<String, Vec<(&Name, Item)>> = BTreeMap::new();
        for name in names {
            let place = self.place(name)?;
            by_group
                .entry(place.group)
                .or_default()
                .push((name, place.item));
        }
        let groups: Vec<(String, Vec<(&Name, Item)>)> = by_group.into_iter().collect();
        let read = bulk::each(
            &self.services,
            "reading secret groups",
            &groups,
            |(label, _)| self.resolve(label),
        );
        for ((_, wanted), group) in groups.iter().zip(read.await?) {
            let Some(group) = group? else { continue };
            for (name, item) in wanted {
                if let Some(value) = group.value(item)? {
                    values.insert((*name).clone(), value);
                }
            }
        }
        Ok(values)
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        let mut wishes = Vec::with_capacity(batch.writes.len());
        for (at, write) in batch.writes.iter().enumerate() {
            let Place { group, item } = self.place(&write.name)?;
            wishes.push((
                group,
                Wish {
                    at,
                    name: &write.name,
                    item,
                    value: Some(&write.value),
                },
            ));
        }
        self.grant("storing secrets", wishes, batch.if_absent).await
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        let mut wishes = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let Place { group, item } = self.place(name)?;
            wishes.push((
                group,
                Wish {
                    at,
                    name,
                    item,
                    value: None,
                },
            ));
        }
        self.grant("deleting secrets", wishes, false).await
    }

    async fn login(&self, given: &Given) -> Result<Account> {
        let prove = async |token: &str| self.api.prove(token).await;
        self.api.keyed.login(given, prove).await?;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        Ok(Account {
            account: self.api.project().ok(),
            ..self.api.keyed.account(None)
        })
    }

    async fn logout(&self) -> Result<Vec<String>> {
        self.api.keyed.forget()
    }
}
