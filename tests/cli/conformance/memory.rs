//! A provider that keeps its secrets in this process: nothing of keyfob knows it but its line, which
//! is made while it runs, as that of a provider would be that is another program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use async_trait::async_trait;
use keyfob::testing::{
    Account, Action, Batch, Capabilities, Capability, Entry, Error, Field, Filter, Given, Name,
    Outcome, Provider, ProviderSpec, Reading, Restored, Result, Schema, SecretValue, Selection,
    Shape, Version, Versions, Write,
};

/// Its line, with a schema of fields that come at run time.
pub static SPEC: LazyLock<ProviderSpec> = LazyLock::new(|| {
    let told = r#"{"drawer": "which of the drawers"}"#;
    let told: BTreeMap<String, String> = serde_json::from_str(told).unwrap();
    let fields = told
        .into_iter()
        .map(|(name, help)| Field::new(name.leak(), Shape::Text, help.leak()));
    ProviderSpec {
        schema: Box::leak(Box::new(Schema {
            provider: "memory",
            fields: fields.collect::<Vec<_>>().leak(),
        })),
        title: "memory",
        capabilities: Capabilities::of(&[
            Capability::Read,
            Capability::BulkWrite,
            Capability::Binary,
        ]),
        lacks: &[],
        composite: None,
        credentials: &[],
        without_cache: None,
        open: |config, services| {
            let drawer = services
                .folders
                .data
                .join(config.text("drawer").unwrap_or_default());
            Ok(Box::new(Memory { drawer }))
        },
    }
});

/// The versions of each secret, oldest first; without a value it was deleted.
type Drawer = BTreeMap<Name, Vec<Option<SecretValue>>>;

thread_local! {
    static DRAWERS: RefCell<BTreeMap<PathBuf, Drawer>> = RefCell::default();
}

struct Memory {
    drawer: PathBuf,
}

impl Memory {
    fn with<T>(&self, act: impl FnOnce(&mut Drawer) -> T) -> T {
        DRAWERS.with_borrow_mut(|drawers| act(drawers.entry(self.drawer.clone()).or_default()))
    }

    /// The current value and its version.
    fn current(&self, name: &Name) -> Option<(SecretValue, u32)> {
        self.with(|drawer| {
            let versions = drawer.get(name)?;
            let current = versions.last().cloned().flatten()?;
            Some((current, versions.len() as u32))
        })
    }

    fn push(&self, name: &Name, value: Option<SecretValue>) {
        self.with(|drawer| drawer.entry(name.clone()).or_default().push(value));
    }

    fn put(&self, write: &Write, if_absent: bool) -> Result<Action> {
        let current = self.current(&write.name);
        let version = current.as_ref().map(|(_, version)| *version);
        let is_other = |expected| expected != version.unwrap_or_default();
        if write.expected.is_some_and(is_other) {
            return Err(Error::conflict("it is at another version"));
        }
        let action = match current {
            Some(_) if if_absent => return Err(Error::conflict("it exists already")),
            Some((value, _)) if value == write.value => return Ok(Action::Unchanged),
            Some(_) => Action::Updated,
            None => Action::Created,
        };
        self.push(&write.name, Some(write.value.clone()));
        Ok(action)
    }
}

#[async_trait(?Send)]
impl Provider for Memory {
    /// More than its line says, as a store of a provider may know only when it is open.
    fn capabilities(&self) -> Option<Capabilities> {
        Some(SPEC.capabilities.with(Capability::History))
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        let names: Vec<Name> = self.with(|drawer| drawer.keys().cloned().collect());
        let entries = names
            .into_iter()
            .filter(|name| filter.admits(name.as_str()));
        Ok(entries
            .filter_map(|name| {
                let (_, version) = self.current(&name)?;
                let mut entry = Entry::new(name);
                entry.version = Some(version);
                Some(entry)
            })
            .collect())
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        let entries = self.list(&Filter::default()).await?.into_iter();
        Ok(entries
            .filter(|entry| selection.admits(entry.name.as_str()))
            .filter_map(|entry| Some((entry.name.clone(), self.current(&entry.name)?.0)))
            .collect())
    }

    async fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        let entries = self.list(&Filter::default()).await?.into_iter();
        let versions = entries.filter_map(|entry| Some((entry.name, entry.version?)));
        Ok(Reading {
            values: self.read(selection).await?,
            versions: Some(versions.collect()),
        })
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        let writes = batch.writes.iter();
        Ok(writes
            .map(|write| Outcome::new(write.name.clone(), self.put(write, batch.if_absent)))
            .collect())
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        let deleted = names.iter().map(|name| {
            let result = match self.current(name) {
                Some(_) => {
                    self.push(name, None);
                    Ok(Action::Deleted)
                }
                None => Err(Error::not_found("there is none")),
            };
            Outcome::new(name.clone(), result)
        });
        Ok(deleted.collect())
    }

    async fn login(&self, _given: &Given) -> Result<Account> {
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        Ok(Account {
            url: self.drawer.display().to_string(),
            ..Account::default()
        })
    }

    async fn logout(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }
}

#[async_trait(?Send)]
impl Versions for Memory {
    async fn history(&self, name: &Name) -> Result<Vec<Version>> {
        let kept = self.with(|drawer| drawer.get(name).cloned());
        let kept = kept.ok_or_else(|| Error::not_found("there never was one"))?;
        let mut numbered: Vec<_> = (1..).zip(&kept).collect();
        numbered.reverse();
        let numbered = numbered.into_iter();
        Ok(numbered
            .map(|(number, value)| Version {
                number,
                updated_at: "2030-01-01T00:00:00Z".parse().expect("a time"),
                current: number as usize == kept.len(),
                deleted: value.is_none(),
            })
            .collect())
    }

    async fn restore(&self, name: &Name, number: Option<u32>) -> Result<Restored> {
        let versions = self.history(name).await?;
        let from = versions.iter().skip(1).find(|version| match number {
            Some(number) => version.number == number,
            None => !version.deleted,
        });
        let from = from
            .ok_or_else(|| Error::not_found("there is no such version"))?
            .number;
        let value = self.with(|drawer| drawer[name][from as usize - 1].clone());
        self.push(name, value);
        Ok(Restored {
            from,
            number: versions.len() as u32 + 1,
            action: Action::Updated,
        })
    }
}
