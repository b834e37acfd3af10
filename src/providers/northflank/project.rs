//! One project's secret groups, found by the names that people give them.

use std::rc::Rc;

use super::super::{Services, bulk};
use super::api::Api;
use super::name::{Place, derived_id, split};
use super::wire::RawGroup;
use crate::config::StoreConfig;
use crate::words::batch::Filter;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::Name;
use crate::words::shown;
use crate::words::word::{Word, shell_word};

/// How many groups an error names.
const NAMED: usize = 5;

/// The secret groups of one project, or one of them.
pub struct Northflank {
    pub api: Api,
    /// The group that names do not say, as the user wrote it.
    group: Option<String>,
    pub services: Rc<Services>,
}

impl Northflank {
    pub fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        Ok(Self {
            api: Api::open(config, services)?,
            group: config.text("group").map(str::to_owned),
            services: Rc::clone(services),
        })
    }

    pub fn place(&self, name: &Name) -> Result<Place> {
        Place::parse(name, self.group.as_deref())
    }

    /// The group called `label`, with its values: by the id that follows from it, else by looking
    /// through all of them, as an id may not follow from its name.
    pub async fn resolve(&self, label: &str) -> Result<Option<RawGroup>> {
        let derived = derived_id(label);
        if let Some(group) = self.api.get(&derived).await? {
            return Ok(Some(group));
        }
        let groups = self.api.list().await?;
        let is_called = |group: &&RawGroup| group.id() == label || group.name() == label;
        let is_derived = |group: &&RawGroup| derived_id(group.name()) == derived;
        let all = || groups.values().filter(|group| group.id() != derived);
        match all().find(is_called).or_else(|| all().find(is_derived)) {
            Some(group) => self.api.get(group.id()).await,
            None => Ok(None),
        }
    }

    /// The same, where there must be one.
    pub async fn existing(&self, label: &str) -> Result<RawGroup> {
        match self.resolve(label).await? {
            Some(group) => Ok(group),
            None => Err(self.no_group(label)),
        }
    }

    pub fn no_group(&self, label: &str) -> Error {
        let project = self.api.project().unwrap_or_default();
        Error::not_found(format!(
            "there is no secret group {} in the project {}",
            shown::name(label),
            Word(&project)
        ))
        .hint(format!(
            "keyfob group list -s {{store}} shows those there are; keyfob group create -s {{store}} {} makes it",
            shell_word(label)
        ))
    }

    /// Every group that `filter` may let through, with the beginning of its secrets' names.
    pub async fn matching(&self, filter: &Filter) -> Result<Matching> {
        if let Some(label) = &self.group {
            return Ok(Matching::all(vec![(
                String::new(),
                self.existing(label).await?,
            )]));
        }
        let prefix = filter.prefix.as_deref().unwrap_or_default();
        if let Some((label, _)) = split(prefix) {
            let group = self.resolve(label).await?;
            let group = group.map(|group| (format!("{label}/"), group));
            return Ok(Matching::all(group.into_iter().collect()));
        }
        let (listed, unlisted) = self.api.list_what_can_be_read().await?;
        let ids: Vec<String> = listed
            .into_keys()
            .filter(|id| id.starts_with(prefix))
            .collect();
        let read = bulk::each(&self.services, "reading secret groups", &ids, |id| {
            self.api.get_one_of_many(id)
        });
        let mut matching = Matching::all(Vec::with_capacity(ids.len()));
        let mut unread = Vec::new();
        for (id, group) in ids.iter().zip(read.await?) {
            match group {
                // One that was deleted meanwhile is not there.
                Ok(group) => matching
                    .groups
                    .extend(group.map(|group| (format!("{id}/"), group))),
                Err(error) if error.kind() == Kind::RateLimited => {
                    unread.push(id.as_str());
                    matching.rest.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        matching.rest = matching
            .rest
            .map(|error| error.context(told_unread(&unread, ids.len(), unlisted.is_some())))
            .or(unlisted);
        Ok(matching)
    }
}

/// The groups that were asked for, as far as they were read.
pub struct Matching {
    /// Each with the beginning of its secrets' names.
    pub groups: Vec<(String, RawGroup)>,
    /// Why others were not read, and which.
    pub rest: Option<Error>,
}

impl Matching {
    fn all(groups: Vec<(String, RawGroup)>) -> Self {
        Self { groups, rest: None }
    }

    /// All of them.
    ///
    /// # Errors
    /// `rate_limited` where some were not read.
    pub fn whole(self) -> Result<Vec<(String, RawGroup)>> {
        match self.rest {
            Some(error) => Err(error),
            None => Ok(self.groups),
        }
    }
}

/// How many of `listed` groups were not read, and the first of them by name; there may be `more`.
fn told_unread(unread: &[&str], listed: usize, more: bool) -> String {
    let mut names: Vec<String> = unread
        .iter()
        .take(NAMED)
        .map(|id| (*id).to_owned())
        .collect();
    if unread.len() > NAMED {
        names.push(format!("and {} more", unread.len() - NAMED));
    }
    format!(
        "{} of {}{listed} groups were not read ({})",
        unread.len(),
        if more { "more than " } else { "" },
        names.join(", ")
    )
}
