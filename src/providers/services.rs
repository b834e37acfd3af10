//! What a provider works with, made once a command and shared by all stores it opens.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::credential::References;
use crate::http::{Deadline, Http};
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::session::Sessions;
use crate::words::env::{Environment, Folders};
use crate::words::error::Result;
use crate::words::progress::{NoProgress, Progress};

/// What a provider works with. Making it touches neither network nor keyring.
pub struct Services {
    /// The environment.
    pub env: Environment,
    /// The variables of it that no other program may inherit; see
    /// [`withheld`](crate::credential::withheld).
    pub withheld: BTreeSet<String>,
    /// keyfob's own folders.
    pub folders: Folders,
    /// The HTTP floor.
    pub http: Http,
    /// Tokens and their cache.
    pub sessions: Sessions,
    /// The OS keyring.
    pub keyring: Keyring,
    /// Fetches credentials that other stores hold.
    pub references: Rc<dyn References>,
    /// Shows how far long work is.
    pub progress: Rc<dyn Progress>,
    /// Tells the user something on stderr that matters beyond this command.
    pub notice: Rc<dyn Fn(&str)>,
    /// Whether the user gets to know what `notice` tells.
    pub is_heard: bool,
    /// How long to wait for what the backend will have in a moment; `None` is not at all.
    pub wait: Option<Duration>,
}

impl Services {
    /// What is open of changes that take several steps.
    pub fn journal(&self) -> Journal {
        Journal::new(&self.env, &self.folders, &self.keyring, &self.notice)
    }

    /// The same for work beside other work: with a deadline of its own, and without a word.
    pub fn bounded_by(&self, deadline: Deadline) -> Self {
        Self {
            env: self.env.clone(),
            withheld: self.withheld.clone(),
            folders: self.folders.clone(),
            http: self.http.bounded_by(Rc::new(deadline)),
            sessions: self.sessions.clone(),
            keyring: self.keyring.clone(),
            references: Rc::clone(&self.references),
            progress: Rc::new(NoProgress),
            notice: Rc::new(|_| {}),
            is_heard: false,
            wait: None,
        }
    }
}

/// Long work, step by step: each step shows progress, and moves the deadline on unless it failed.
pub struct Steps<'a> {
    services: &'a Services,
}

impl<'a> Steps<'a> {
    /// Work on `total` items begins.
    pub fn start(services: &'a Services, what: &str, total: usize) -> Self {
        services.progress.start(what, total as u64);
        Self { services }
    }

    /// `count` more items are done.
    pub fn done(&self, count: usize) {
        self.services.http.deadline().progressed();
        self.services.progress.advance(count as u64);
    }

    /// One more item has ended so.
    pub fn ended<T>(&self, result: &Result<T>) {
        match result {
            Ok(_) => self.done(1),
            Err(_) => self.services.progress.advance(1),
        }
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        self.services.progress.finish();
    }
}
