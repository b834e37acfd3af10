//! A change of secrets that was begun and is not through, as the journal keeps it: all it takes to
//! finish or to undo it, and how far it is for sure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::words::batch::Write;
use crate::words::encoded;
use crate::words::error::{Error, Result};
use crate::words::scope::Scope;
use crate::words::secret::{Name, Reference, SecretValue, StoreName};
use crate::words::shell::ShellCommand;

/// A change that was begun and is not through: a rotation, whose steps are its targets, or the
/// replacement of one secret, a step that a provider has announced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The secret that it is about.
    pub secret: Reference,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What it writes, the secret first.
    #[serde(rename = "targets")]
    pub steps: Vec<Step>,
    /// A command that checks each step's new value.
    pub verify: Option<ShellCommand>,
    /// A command that runs after a rollback.
    pub on_rollback: Option<ShellCommand>,
    /// Whether that command has run since the last step forward.
    pub told_rollback: bool,
    /// Where it was going last.
    pub direction: Direction,
    /// Of a replacement: what its provider says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
}

/// Where a change is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the new values.
    Forward,
    /// To the old ones.
    Back,
}

/// One secret that a change writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Which one.
    pub reference: Reference,
    /// What its store's names stood for when the change was begun.
    pub scope: Scope,
    /// Whether its value can be read back.
    pub readable: bool,
    /// The value that is to be there in the end.
    #[serde(with = "encoded")]
    pub new: SecretValue,
    /// What is written beside it.
    pub attributes: BTreeMap<String, String>,
    /// What was there before.
    pub old: Old,
    /// How far it is.
    pub state: State,
}

/// What was there before a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Old {
    /// Nothing.
    Absent,
    /// This value.
    Value(#[serde(with = "encoded")] SecretValue),
    /// A value that cannot be read.
    Hidden,
}

/// How far a step is, for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What was there before is there.
    Untouched,
    /// The new value may have been written, or may be in the middle of it.
    Unclear,
    /// The new value is there.
    Written,
    /// Neither is there: somebody else has changed it since.
    Changed,
}

/// What a provider says of a step that it has announced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Announced {
    /// The provider.
    pub provider: String,
    /// Where the secret is.
    pub url: String,
    /// What it needs to go on, in its own words; nothing of it is secret.
    pub progress: Value,
}

impl Change {
    /// One step, which `announced` says more of, that gives the secret of `write` a new value.
    pub fn replacement(
        store: &StoreName,
        write: &Write,
        begun_at: Timestamp,
        announced: Announced,
    ) -> Self {
        let secret = Reference {
            store: store.clone(),
            name: write.name.clone(),
        };
        Self {
            steps: vec![Step {
                reference: secret.clone(),
                scope: Scope::of(&[&announced.provider, &announced.url]),
                readable: false,
                new: write.value.clone(),
                attributes: BTreeMap::new(),
                old: Old::Hidden,
                state: State::Unclear,
            }],
            secret,
            begun_at,
            verify: None,
            on_rollback: None,
            told_rollback: false,
            direction: Direction::Forward,
            announced: Some(announced),
        }
    }

    /// The step of the secret that it is about.
    ///
    /// # Errors
    /// `invalid_data` where it has no step.
    pub fn first(&self) -> Result<&Step> {
        let none = || Error::invalid_data(format!("what is open of {} has no step", self.secret));
        self.steps.first().ok_or_else(none)
    }
}

impl Old {
    /// The value, where it is known.
    pub fn value(&self) -> Option<&SecretValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Hidden => None,
        }
    }
}

impl Step {
    /// What is to be stored.
    pub fn write(&self) -> Write {
        let mut write = Write::new(self.reference.name.clone(), self.new.clone());
        write.metadata.attributes.clone_from(&self.attributes);
        write
    }
}

/// A replacement as keyfob 0.1 wrote it. It wrote rotations as they are written now.
#[derive(Deserialize)]
pub(super) struct Earlier {
    store: StoreName,
    provider: String,
    url: String,
    name: String,
    begun_at: Timestamp,
    #[serde(deserialize_with = "text")]
    value: SecretValue,
    description: Value,
    old: Value,
    stage: Value,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    String::deserialize(deserializer).map(SecretValue::from)
}

impl TryFrom<Earlier> for Change {
    type Error = Error;

    fn try_from(earlier: Earlier) -> Result<Self> {
        let write = Write::new(Name::new(earlier.name)?, earlier.value);
        let announced = Announced {
            provider: earlier.provider,
            url: earlier.url,
            progress: json!({
                "description": earlier.description,
                "old": earlier.old,
                "stage": earlier.stage,
            }),
        };
        Ok(Self::replacement(
            &earlier.store,
            &write,
            earlier.begun_at,
            announced,
        ))
    }
}
