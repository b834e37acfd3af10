//! Reading: the list, names that it lacks asked for alone, and what a job has waited for.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::Nosana;
use super::refusal::{NotYet, is_unknown_path, refused};
use super::stored::{self, Listed, Stored, same_secret};
use crate::http::Request;
use crate::providers::bulk;
use crate::words::error::{Kind, Result};
use crate::words::secret::Name;

/// How often what a job has is asked for again.
const POLL: Duration = Duration::from_secs(2);

/// What the server says of one name.
#[derive(Clone)]
pub(super) enum Asked {
    /// It has this.
    Stored(Stored),
    /// It has nothing.
    Absent,
    /// The job does not declare it.
    Undeclared,
    /// It cannot be asked.
    Unknown,
}

impl Asked {
    /// What it has.
    pub(super) fn stored(self) -> Option<Stored> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::Absent | Self::Undeclared | Self::Unknown => None,
        }
    }
}

/// What was seen of the secrets.
#[derive(Default)]
pub(super) struct Seen {
    /// What the server lists.
    pub(super) listed: Listed,
    /// What it leaves out of the list, and has when asked for it by name.
    pub(super) asked: Listed,
    /// What a job declares, and is not there.
    declared: Vec<Name>,
    /// What may come to be there: that, and what nobody can ask for by name.
    awaited: Vec<Name>,
}

impl Nosana {
    /// The secrets that the server lists.
    pub(super) async fn fetch(&self) -> Result<Listed> {
        self.fetch_named(&[]).await
    }

    /// The secrets that the server lists, and those of `names` that it leaves out and yet has. Those
    /// of a job are waited for, where that was asked for: until the job is seen, and until what of
    /// `names` it declares is stored.
    pub(super) async fn fetch_named(&self, names: &[Name]) -> Result<Listed> {
        let Seen {
            mut listed, asked, ..
        } = self.see(names).await?;
        listed.extend(asked);
        Ok(listed)
    }

    /// The same, apart.
    pub(super) async fn see(&self, names: &[Name]) -> Result<Seen> {
        let wait = self.services.wait.filter(|_| self.job.is_some());
        let wait = wait.unwrap_or_default();
        self.services.http.deadline().make_room(wait);
        let started = Instant::now();
        loop {
            let looked = self.look(names).await;
            let left = wait.saturating_sub(started.elapsed());
            match &looked {
                _ if left.is_zero() => {}
                Err(error) if NotYet::is_in(error) => {
                    // A token holds the names that were seen when it was issued: ask for a new one.
                    let _ = self.services.sessions.forget(&self.session_key()?);
                    tokio::time::sleep(POLL.min(left)).await;
                    continue;
                }
                Ok(seen) if !seen.awaited.is_empty() => {
                    tokio::time::sleep(POLL.min(left)).await;
                    continue;
                }
                _ => {}
            }
            if let Ok(seen) = &looked {
                for name in &seen.declared {
                    (self.services.notice)(&format!(
                        "the job declares {name}, and its owner has not stored it yet{}",
                        match self.services.wait {
                            None => ": get --wait waits for it",
                            Some(_) => "",
                        }
                    ));
                }
            }
            return looked;
        }
    }

    /// What there is now.
    async fn look(&self, names: &[Name]) -> Result<Seen> {
        let mut seen = Seen {
            listed: self.list_secrets().await?,
            ..Seen::default()
        };
        let unlisted: Vec<Name> = names
            .iter()
            .filter(|name| !seen.listed.contains_key(*name))
            .cloned()
            .collect();
        let answers = self.ask_all(&unlisted).await?;
        for (name, answer) in unlisted.into_iter().zip(answers) {
            match answer? {
                // Under another spelling it is listed: it is not this one.
                Asked::Stored(stored) if same_secret(&seen.listed, &name, &stored).is_none() => {
                    seen.asked.insert(name, stored);
                }
                Asked::Absent if self.job.is_some() => {
                    seen.declared.push(name.clone());
                    seen.awaited.push(name);
                }
                Asked::Unknown if self.job.is_some() => seen.awaited.push(name),
                _ => {}
            }
        }
        Ok(seen)
    }

    /// `GET /secrets`.
    async fn list_secrets(&self) -> Result<Listed> {
        let response = self
            .call(|| self.request("read the secrets", Method::GET))
            .await?;
        if response.is_success() {
            let (listed, unnamed) = stored::list(&response)?;
            if unnamed > 0 && !self.told_of_unnamed.replace(true) {
                (self.services.notice)(&format!(
                    "{unnamed} {} of the store {} left out: half a character stands in the name, which only another program can have stored so, and can delete",
                    if unnamed == 1 { "secret" } else { "secrets" },
                    self.endpoint.config.name(),
                ));
            }
            return Ok(listed);
        }
        let bare = "no secrets in job";
        if response.status == StatusCode::BAD_REQUEST && response.words().contains(bare) {
            let error = response.error(Kind::NotFound);
            return Err(self.not_yet(
                error,
                "the job's definition must list the names in state[\"nosana/secrets\"]",
            ));
        }
        Err(refused(&response))
    }

    /// Asks for each of `names` alone: a list may be short.
    pub(super) async fn ask_all(&self, names: &[Name]) -> Result<Vec<Result<Asked>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        bulk::each(&self.services, "asking for secrets", names, |name| {
            self.ask(name)
        })
        .await
    }

    /// `GET /secrets/NAME`.
    async fn ask(&self, name: &Name) -> Result<Asked> {
        // No address leads to these.
        if matches!(name.as_str(), "" | "." | "..") {
            return Ok(Asked::Unknown);
        }
        let response = self
            .call(|| {
                let url = self.endpoint.url(&["secrets", name.as_str()])?;
                Ok(Request::new("read a secret", Method::GET, url))
            })
            .await?;
        match response.status {
            _ if response.is_success() => {
                let stored = stored::one(&response)?;
                Ok(stored.map_or(Asked::Absent, Asked::Stored))
            }
            StatusCode::BAD_REQUEST if response.words().ends_with("not in job") => {
                Ok(Asked::Undeclared)
            }
            // A server that knows the list alone.
            _ if is_unknown_path(&response) => Ok(Asked::Unknown),
            _ => Err(refused(&response)),
        }
    }
}
