//! What Neo's answers hold. The page's own words, and those of the same authors' other servers: a
//! list that is a bare array, times in snake case, a success without a word of what was made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Response;
use crate::words::error::{Error, Kind, Result};
use crate::words::object::Object;
use crate::words::secret::Mark;

/// A secret as the list shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Object<Raw>")]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
}

/// The same, to the letter.
#[derive(Deserialize)]
struct Raw {
    id: String,
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    times: Times,
}

/// When a secret was made and changed, in either spelling.
#[derive(Deserialize)]
struct Times {
    #[serde(rename = "createdAt")]
    created_at: Option<String>,
    #[serde(rename = "updatedAt")]
    updated_at: Option<String>,
    #[serde(rename = "created_at")]
    created_at_too: Option<String>,
    #[serde(rename = "updated_at")]
    updated_at_too: Option<String>,
}

impl Times {
    fn created(&self) -> Option<String> {
        self.created_at.clone().or(self.created_at_too.clone())
    }

    fn updated(&self) -> Option<String> {
        self.updated_at.clone().or(self.updated_at_too.clone())
    }
}

impl TryFrom<Object<Raw>> for Listed {
    type Error = &'static str;

    fn try_from(Object(raw): Object<Raw>) -> std::result::Result<Self, Self::Error> {
        // No address leads to it, and nothing tells it from others.
        if raw.id.is_empty() {
            return Err("an empty id");
        }
        // The API lets no name be empty: to leave it out would be a secret less, without a word.
        if raw.name.is_empty() {
            return Err("an empty name");
        }
        Ok(Self {
            created_at: raw.times.created(),
            updated_at: raw.times.updated(),
            id: raw.id,
            name: raw.name,
            description: raw.description,
        })
    }
}

impl Listed {
    /// Whether it is `old`, and not one that was created since under its name or id.
    pub fn is(&self, old: &Old) -> bool {
        self.id == old.id && self.created_at == old.created_at
    }

    /// What tells it from a later one.
    pub fn as_old(&self) -> Old {
        Old {
            id: self.id.clone(),
            created_at: self.created_at.clone(),
        }
    }

    /// The same, and from itself with a later value.
    pub fn mark(&self) -> Mark {
        let (created, updated) = (self.created_at.as_deref(), self.updated_at.as_deref());
        mark(&self.id, created, updated)
    }
}

/// A secret on the server, so marked that a later one of its name is not taken for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Old {
    pub id: String,
    /// In the server's own words.
    pub created_at: Option<String>,
}

/// A page of the list.
pub struct Page {
    /// The secrets on it.
    pub secrets: Vec<Listed>,
    /// How many there are on all pages, where the server says so.
    pub total: Option<usize>,
}

impl Page {
    /// The page that `response`, a success, holds. Without secrets it is empty.
    ///
    /// # Errors
    /// `invalid_data` for what is no list; a failure that a success tells.
    pub fn of(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct Whole {
            secrets: Option<Vec<Listed>>,
            pagination: Option<Object<Pagination>>,
        }
        #[derive(Deserialize)]
        struct Pagination {
            total: Option<usize>,
        }
        if response.body.trim_ascii_start().starts_with(b"[") {
            return Ok(Self {
                secrets: response.json()?,
                total: None,
            });
        }
        let Object(Whole {
            secrets,
            pagination,
        }) = response.json()?;
        if secrets.is_none()
            && let Some(error) = failure(response)
        {
            return Err(error);
        }
        Ok(Self {
            secrets: secrets.unwrap_or_default(),
            total: pagination.and_then(|Object(pagination)| pagination.total),
        })
    }
}

/// What `response`, a success, says of a secret that was created: its mark, `None` where it only
/// says that it was.
///
/// # Errors
/// `invalid_data` for an answer that makes no sense; a failure that a success tells.
pub fn created(response: &Response) -> Result<Option<Mark>> {
    #[derive(Deserialize)]
    struct Created {
        id: String,
        #[serde(flatten)]
        times: Times,
    }
    if says_done(response) {
        return Ok(None);
    }
    match response.json() {
        Ok(Object(Created { id, times })) => {
            let (created, updated) = (times.created(), times.updated());
            Ok(Some(mark(&id, created.as_deref(), updated.as_deref())))
        }
        Err(error) => Err(failure(response).unwrap_or(error)),
    }
}

/// Whether `response`, a success, says that a secret was deleted.
///
/// # Errors
/// As [`created`].
pub fn deleted(response: &Response) -> Result<()> {
    if says_done(response) {
        return Ok(());
    }
    Err(match failure(response) {
        Some(error) => error,
        None => response.nonsense("neither success nor failure"),
    })
}

/// The members of an answer that is an object.
fn members(response: &Response) -> BTreeMap<String, Value> {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// Whether nothing more is said than that it was done: no content, `{"success": true}` or
/// `{"status": "ok"}`.
fn says_done(response: &Response) -> bool {
    let is_silent = response.status == reqwest::StatusCode::NO_CONTENT;
    let members = members(response);
    let status = members.get("status").and_then(Value::as_str);
    let says_so = members.get("success") == Some(&Value::Bool(true))
        || (status == Some("ok") && !members.contains_key("success"));
    (is_silent && response.body.is_empty()) || (says_so && !members.contains_key("id"))
}

/// The failure that a success tells: `success` is false, or there is an error.
fn failure(response: &Response) -> Option<Error> {
    let members = members(response);
    let refused = members.get("success") == Some(&Value::Bool(false));
    let has = |member| members.get(member).is_some_and(|value| !value.is_null());
    let tells = refused || has("error") || (has("code") && has("message"));
    tells.then(|| response.error(Kind::Failed))
}

/// The mark of a secret with these words of the server, which may write a time in more than one way.
fn mark(id: &str, created_at: Option<&str>, updated_at: Option<&str>) -> Mark {
    let time = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => time.to_string(),
            Err(_) => text.to_owned(),
        }
    };
    Mark::of(&[id, &time(created_at), &time(updated_at)])
}
