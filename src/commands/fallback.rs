//! What `run --fallback` goes on with: what the stores answer, kept as a snapshot, or the last
//! snapshot where they cannot be reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::Timestamp;

use super::selected;
use super::selected::SelectionArgs;
use crate::app::App;
use crate::fallback::freshness::{self, Freshness};
use crate::fallback::shelf::Origin;
use crate::fallback::{Binding, Snapshot, Snapshots};
use crate::select::{Answers, Destination, Found};
use crate::store::Store;
use crate::ui::time;
use crate::words::duration::HumanDuration;
use crate::words::error::{Cause, Error, Result};
use crate::words::secret::{Reference, SecretValue};

/// Going on when a backend cannot be reached.
#[derive(Clone, Debug, Args)]
pub struct FallbackArgs {
    /// Keep an encrypted snapshot of the secrets, and run with it when a backend cannot be reached
    ///
    /// That is after the retries, or at the deadline that --timeout sets, on network errors and 5xx
    /// alone; its age is always said. A backend that refuses the credential fails the run, and the
    /// snapshot is removed, as it is by logout. Without FILE it is kept in the data folder; a FILE
    /// may be carried to another machine. It is encrypted to the age identity in KEYFOB_FALLBACK_KEY,
    /// else to keyfob's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, num_args = 0..=1, require_equals = true)]
    pub fallback: Option<Option<PathBuf>>,
    /// How old a snapshot may be to be used
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        requires = "fallback"
    )]
    pub max_stale: HumanDuration,
}

/// Reads what the options select, by variable, as [`selected::values`] does, and falls back on the
/// last snapshot where that may be done.
///
/// # Errors
/// What the stores fail with, with a hint where there is no snapshot that could be used; otherwise
/// as [`selected::values`].
pub async fn values(
    selection: &SelectionArgs,
    fallback: &FallbackArgs,
    app: &App,
) -> Result<BTreeMap<String, SecretValue>> {
    if fallback.max_stale.get().is_zero() {
        return Err(Error::usage("with --max-stale 0 no snapshot could be used")
            .hint("say how old one may be, such as 24h or 30d, or leave --fallback out"));
    }
    let naming = selected::naming(selection, Destination::Environment);
    let plan = selected::plan(selection, app)?;
    let wants = plan.wants();
    let stores = selected::open(&wants, app)?;
    let work = Work {
        selection: plan.digest(&naming),
        stores: &stores,
        max_stale: fallback.max_stale,
        snapshots: snapshots(fallback, app)?,
        app,
    };
    let answers = Answers::ask(&stores, &wants).await;
    let values = match Outcome::of(&answers) {
        Some(outcome) => {
            let found = work.fall_back(outcome).await?;
            let chosen = selected::choose(&plan, &found, &naming, app)?;
            selected::values_of(chosen, &found, &naming, app)?
        }
        None => {
            let found = answers.found()?;
            let chosen = selected::choose(&plan, &found, &naming, app)?;
            work.keep(&chosen.secrets(&found)?).await;
            selected::values_of(chosen, &found, &naming, app)?
        }
    };
    selected::close(stores).await;
    Ok(values)
}

fn snapshots(fallback: &FallbackArgs, app: &App) -> Result<Snapshots> {
    let services = app.services()?;
    let file = fallback.fallback.as_ref().and_then(Option::as_ref);
    Ok(Snapshots::new(
        &services.env,
        &services.folders,
        &services.keyring,
        services.notice.clone(),
        file.map(|file| app.env.cwd().join(file)),
    ))
}

/// What stores that failed leave to be done. No store is in two of these.
enum Outcome<'s> {
    /// These have refused the credential: what they gave for it before is not to be used any more.
    Refused(Vec<&'s Store>, Error),
    /// There is a fault that the backends are not to blame for, and that a snapshot would hide.
    Failed(Error),
    /// These cannot be reached, and the others have answered.
    Unreachable(Vec<&'s Store>, Error),
}

impl<'s> Outcome<'s> {
    /// `None` where every store has answered.
    fn of(answers: &Answers<'s>) -> Option<Self> {
        let of = |cause: Cause| {
            let failures = answers.failures();
            let (stores, errors): (Vec<&Store>, Vec<&Error>) =
                failures.filter(|(_, error)| error.cause() == cause).unzip();
            let error = errors.first().copied().cloned()?;
            Some((stores, error))
        };
        if let Some((stores, error)) = of(Cause::Refused) {
            return Some(Self::Refused(stores, error));
        }
        if let Some((_, error)) = of(Cause::Other) {
            return Some(Self::Failed(error));
        }
        let (stores, error) = of(Cause::Unreachable)?;
        Some(Self::Unreachable(stores, error))
    }
}

struct Work<'s> {
    /// The digest of the selection.
    selection: String,
    stores: &'s [Store],
    max_stale: HumanDuration,
    snapshots: Snapshots,
    app: &'s App,
}

impl<'s> Work<'s> {
    async fn binding(&self) -> Result<Binding> {
        let mut scopes = Vec::with_capacity(self.stores.len());
        for store in self.stores {
            scopes.push((store.name(), store.scope().await?));
        }
        Ok(Binding::new(&self.selection, scopes))
    }

    /// Keeps `secrets` as the snapshot. Where that cannot be done it is said, and the command runs
    /// all the same.
    async fn keep(&self, secrets: &BTreeMap<&Reference, &SecretValue>) {
        if !self.stores.iter().any(|store| store.spec().is_remote()) {
            let why = "no snapshot is kept: only local stores are selected";
            return self.app.ui.trace(1, why);
        }
        let kept = match self.binding().await {
            Ok(binding) => {
                let now = Timestamp::now();
                self.snapshots.keep(&binding, secrets, now, self.max_stale)
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => self.app.ui.trace(1, "a fallback snapshot is kept"),
            Err(error) => {
                let why = in_one(&error);
                self.app
                    .ui
                    .warn(&format!("no fallback snapshot was kept: {why}"));
            }
        }
    }

    /// What the snapshot holds, where stores that cannot be reached are all that is wrong.
    async fn fall_back(&self, outcome: Outcome<'s>) -> Result<Found<'s, SecretValue>> {
        let (down, error) = match outcome {
            Outcome::Failed(error) => return Err(error),
            Outcome::Refused(stores, error) => {
                self.forget(&stores).await;
                return Err(error);
            }
            Outcome::Unreachable(stores, error) => (stores, error),
        };
        let Ok(binding) = self.binding().await else {
            return Err(error);
        };
        match self.usable(&binding) {
            Ok((snapshot, age)) => {
                self.app.ui.insist(&format!(
                    "{} cannot be reached ({error}); running with the snapshot from {age} ago ({}){}",
                    names(&down),
                    time(snapshot.taken_at),
                    self.beside(&down),
                ));
                Ok(Found::of(self.stores, snapshot.values))
            }
            Err(why) => Err(error.also_hint(why)),
        }
    }

    /// The snapshot and its age, where it may be used; else why not.
    fn usable(&self, binding: &Binding) -> Result<(Snapshot, String), String> {
        let snapshot = self
            .snapshots
            .find(binding)
            .map_err(|error| in_one(&error))?;
        let at = time(snapshot.taken_at);
        let now = Timestamp::now();
        match freshness::judge(snapshot.taken_at, now, self.max_stale.get()) {
            Freshness::Fresh(age) => Ok((snapshot, HumanDuration::coarse(age))),
            Freshness::Stale(age) => Err(format!(
                "the fallback snapshot is from {} ago ({at}), older than --max-stale {}",
                HumanDuration::coarse(age),
                self.max_stale
            )),
            Freshness::Ahead(ahead) => Err(format!(
                "the fallback snapshot is from {at}, which is {} from now: this machine's clock is wrong, or was",
                HumanDuration::coarse(ahead)
            )),
        }
    }

    /// Tells of the stores that have answered and are not asked for what they said.
    fn beside(&self, down: &[&Store]) -> String {
        let is_down = |store: &&Store| down.iter().any(|other| other.name() == store.name());
        let others: Vec<&Store> = self.stores.iter().filter(|it| !is_down(it)).collect();
        match others.is_empty() {
            true => String::new(),
            false => format!(", for {} as well", names(&others)),
        }
    }

    /// Removes every snapshot that draws on what these stores gave for a credential that they have
    /// refused.
    async fn forget(&self, stores: &[&Store]) {
        let mut origins = Vec::with_capacity(stores.len());
        for store in stores {
            origins.push(Origin::new(store.name(), store.scope().await.ok()));
        }
        let forgotten = self.snapshots.forget(&origins);
        let ui = &self.app.ui;
        // What was there is a path, whatever its name.
        for path in forgotten.removed {
            ui.insist(&format!(
                "{} refused the credential: the fallback snapshot {} was removed",
                names(stores),
                path.display()
            ));
        }
        for error in forgotten.failures {
            ui.insist(&format!(
                "{} refused the credential, and a fallback snapshot could not be removed: {}",
                names(stores),
                in_one(&error)
            ));
        }
    }
}

/// What an error and its hint say, as a part of another message.
fn in_one(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

fn names(stores: &[&Store]) -> String {
    let names: Vec<&str> = stores.iter().map(|store| store.name().as_str()).collect();
    names.join(" and ")
}
