//! Groups of secrets with fields of their own: the interface of providers that have them, beside
//! the provider trait.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use crate::words::batch::Action;
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::object::objects;
use crate::words::secret::SecretValue;

/// What can be done with groups.
#[async_trait(?Send)]
pub trait Groups {
    /// All groups, sorted by id, without their secrets' names; where the backend's rate limit ends
    /// the list, those that were read and the error for the rest.
    async fn list(&self) -> Result<(Vec<Group>, Option<Error>)>;

    /// One group by its id or name, with the names of its secrets and never a value.
    ///
    /// # Errors
    /// `not_found` where there is none.
    async fn show(&self, group: &str) -> Result<Group>;

    /// Creates a group of `fields` and returns its id.
    ///
    /// # Errors
    /// `invalid_data` that names field and rule before anything is sent; `conflict` that names the
    /// id where it exists already.
    async fn create(&self, fields: GroupFields) -> Result<String>;

    /// Changes what `fields` names of a group and leaves the rest: lists are replaced, variables
    /// and files are added to those there are. Returns the group's id and whether anything changed.
    ///
    /// # Errors
    /// As [`create`](Self::create); `conflict` where somebody else changed it at the same time.
    async fn update(&self, group: &str, fields: GroupFields) -> Result<(String, Action)>;

    /// Deletes a group with all of its secrets and returns its id.
    ///
    /// # Errors
    /// `not_found` where there is none.
    async fn delete(&self, group: &str) -> Result<String>;
}

/// A group without a single value. Its fields are called as the backend calls them, so that they
/// can stand in a payload; the times as everywhere in keyfob.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// By what it is addressed.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What its owner says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What its secrets are given to: builds, running programs, or both.
    #[serde(rename = "secretType", skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    /// Which group wins where two hold the same name: the higher one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Who may see its values: `secret` or `config`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// The stage that it belongs to, where the backend tells.
    #[serde(rename = "stageId", skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Who is given its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<Restrictions>,
    /// Whose keys it brings along.
    #[serde(rename = "addonDependencies", skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// The same of addons elsewhere.
    #[serde(
        rename = "externalAddonDependencies",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub external_addons: Vec<Addon>,
    /// The names of its variables, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<String>>,
    /// The paths of its files, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// The names of what it mounts into builds, where they were asked for and there are any.
    #[serde(rename = "dockerSecretMounts", skip_serializing_if = "Vec::is_empty")]
    pub docker_secrets: Vec<String>,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When anything of it was changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Who is given a group's secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Restrictions {
    /// Whether only those named here are; otherwise everything in the project is.
    pub restricted: bool,
    /// Services and jobs.
    #[serde(rename = "nfObjects", deserialize_with = "objects")]
    pub targets: Vec<Target>,
    /// Those that carry one of these tags.
    pub tags: Vec<String>,
    /// Whether they must carry all of the tags (`and`) or one of them (`or`).
    #[serde(rename = "tagMatchCondition", skip_serializing_if = "Option::is_none")]
    pub tag_match: Option<String>,
}

/// A service or job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// `service` or `job`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An addon whose keys a group brings along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Addon {
    /// Its id.
    #[serde(rename = "addonId")]
    pub id: String,
    /// Which of its keys; none where the backend does not tell.
    #[serde(default, deserialize_with = "objects")]
    pub keys: Vec<AddonKey>,
}

/// A key of an addon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct AddonKey {
    /// What the addon calls it.
    #[serde(rename = "keyName")]
    pub name: String,
    /// What it is called in the group; its own name where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// The fields of a group as far as the caller names them. A list that is `None` is left alone, one
/// that is empty empties it.
#[derive(Debug, Default)]
pub struct GroupFields {
    /// Whether they are only looked at, and nothing is to be changed.
    pub dry_run: bool,
    /// A whole payload in the backend's own words, over which the fields below are laid.
    pub payload: Document,
    /// Its name.
    pub name: Option<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// What its secrets are given to.
    pub secret_type: Option<String>,
    /// Who may see its values.
    pub visibility: Option<String>,
    /// The stage that it belongs to; an empty one is none.
    pub stage: Option<String>,
    /// Which group wins.
    pub priority: Option<i64>,
    /// Whether only those named below are given its secrets.
    pub restricted: Option<bool>,
    /// Services and jobs.
    pub restricted_to: Option<Vec<Target>>,
    /// Tags of those that are given its secrets.
    pub restricted_tags: Option<Vec<String>>,
    /// Whether all of the tags must be there, or one of them.
    pub tag_match: Option<String>,
    /// Whose keys it brings along.
    pub addons: Option<Vec<Addon>>,
    /// The same of addons elsewhere.
    pub external_addons: Option<Vec<Addon>>,
    /// Variables by name.
    pub variables: Vec<(String, SecretValue)>,
    /// Files by path.
    pub files: Vec<(String, SecretValue)>,
    /// What it mounts into builds, by name.
    pub docker_secrets: Vec<(String, SecretValue)>,
}
