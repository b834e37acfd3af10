//! What the checks have in common: what they examine, and what they report.

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use crate::config::{Config, LoadOptions, StoreConfig};
use crate::providers::Services;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;

/// What is examined.
pub struct Patient<'a> {
    /// What the configuration is loaded from.
    pub options: LoadOptions<'a>,
    /// The configuration, or why there is none.
    pub config: Result<&'a Config>,
    /// The store that commands use when none is named.
    pub selected: Result<StoreName>,
    /// The only store to be examined, where one was named.
    pub only: Option<&'a StoreName>,
    /// What providers work with.
    pub services: &'a Rc<Services>,
    /// How long each store may take; `None` is for ever.
    pub limit: Option<Duration>,
}

impl Patient<'_> {
    /// Whether the user means to use `store`: a built-in one that nothing configures and nobody
    /// selected may never have been set up.
    pub(super) fn means(&self, store: &StoreConfig) -> bool {
        store.is_set_up()
            || self.only == Some(store.name())
            || self
                .selected
                .as_ref()
                .is_ok_and(|name| name == store.name())
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// There is nothing to examine, and that is as good.
    Skipped,
    /// It works, but not as well as it could, or not for long.
    Warning,
    /// Something does not work.
    Fault,
}

impl Status {
    /// The word used for it in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped => "skipped",
            Status::Warning => "warning",
            Status::Fault => "fault",
        }
    }
}

/// What a check found. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub status: Status,
    /// The check.
    pub check: &'static str,
    /// What was looked at: a file, a store, a host; empty where the check has but one subject.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn new(
        status: Status,
        check: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            check,
            subject: subject.to_string(),
            detail: detail.into(),
            hint: None,
        }
    }

    pub(super) fn ok(
        check: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Status::Ok, check, subject, detail)
    }

    pub(super) fn skipped(
        check: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Status::Skipped, check, subject, detail)
    }

    pub(super) fn warning(
        check: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Status::Warning, check, subject, detail)
    }

    pub(super) fn fault(
        check: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Status::Fault, check, subject, detail)
    }

    /// `error` as a fault.
    pub(super) fn error(check: &'static str, subject: impl ToString, error: &Error) -> Self {
        let mut finding = Self::fault(check, subject, error.message());
        // What sends to where the user is already helps nobody.
        let hint = error
            .hint_text()
            .filter(|hint| !hint.contains("keyfob doctor"));
        finding.hint = hint.map(str::to_owned);
        finding
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
