//! `keyfob check`: whether all is there that the configuration names.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures_util::future::join_all;
use serde_json::json;

use super::selected::WaitArg;
use crate::app::App;
use crate::store::Store;
use crate::ui::Table;
use crate::words::batch::Filter;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference, StoreName};
use crate::words::word::shell_word;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["VARIABLE", "STORE", "NAME", "STATE", ""];

/// Check that the secrets of the configuration are there
///
/// Looks for the secret of every variable of the [env] table and of every policy for rotation, without
/// showing a value or running anything: by the stores' lists, so that it works where values cannot be
/// read back, too. For the first step of a CI job.
///
/// In a pipe a line each, with tabs between variable, store, name, state and a remark.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob check
  keyfob check -P prod
  keyfob check --json | jq -r '.[] | select(.state == \"missing\").name'

States:
  present  it is there
  missing  it is not
  default  it is not, or there is none, and the variable has its default
  unknown  its store cannot be asked

Exit codes: 3 when a required secret, or that of a policy, is missing; else that of the store that
cannot be asked; else 0.")]
pub struct CheckArgs {
    #[command(flatten)]
    pub wait: WaitArg,
}

/// Something that the configuration names.
struct Item {
    /// The variable; `None` for a policy.
    variable: Option<String>,
    /// Its secret, where it has one.
    secret: Option<Reference>,
    required: bool,
    has_default: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Present,
    Missing,
    Default,
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Default => "default",
            Self::Unknown => "unknown",
        }
    }
}

pub async fn run(args: CheckArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let items = items(app)?;
    let wanted = items.iter().filter_map(|item| item.secret.as_ref());
    let mut by_store: BTreeMap<&StoreName, BTreeSet<&Name>> = BTreeMap::new();
    for Reference { store, name } in wanted {
        by_store.entry(store).or_default().insert(name);
    }
    let asked = by_store.iter().map(|(store, names)| async {
        let found = match app.open(store) {
            Ok(opened) => look(&opened, names).await,
            Err(error) => Err(error),
        };
        (*store, found)
    });
    let found: BTreeMap<&StoreName, Result<BTreeSet<Name>>> =
        join_all(asked).await.into_iter().collect();
    let states: Vec<State> = items.iter().map(|item| state(item, &found)).collect();
    show(&items, &states, app)?;
    let missing: Vec<&Reference> = items
        .iter()
        .zip(&states)
        .filter(|(item, state)| item.required && **state == State::Missing)
        .filter_map(|(item, _)| item.secret.as_ref())
        .collect();
    let mut unknown: Vec<Error> = found.into_values().filter_map(Result::err).collect();
    let error = match (missing.as_slice(), unknown.is_empty()) {
        ([], true) => return Ok(()),
        ([], false) => unknown.remove(0),
        (missing, _) => refusal(missing),
    };
    // Why each of the others is unknown is told, too.
    for other in unknown {
        app.ui.warn(&format!(
            "{}: {}",
            other.store_name().unwrap_or_default(),
            other.message()
        ));
    }
    Err(error)
}

/// All that the configuration names.
fn items(app: &App) -> Result<Vec<Item>> {
    let config = app.config()?;
    let mut items = Vec::new();
    for (name, mapping) in config.env_table() {
        let variable = &mapping.variable;
        items.push(Item {
            variable: Some(name.clone()),
            secret: variable
                .from
                .as_ref()
                .map(|from| app.reference(from))
                .transpose()?,
            required: variable.required,
            has_default: variable.default.is_some(),
        });
    }
    for policy in config.rotations().values() {
        items.push(Item {
            variable: None,
            secret: Some(app.reference(&policy.rotation.secret)?),
            required: true,
            has_default: false,
        });
    }
    Ok(items)
}

/// Which of `names` the store has.
async fn look(store: &Store, names: &BTreeSet<&Name>) -> Result<BTreeSet<Name>> {
    let listed = match store.list(&Filter::default()).await {
        Err(error) if error.is_absence() => Vec::new(),
        listed => listed?,
    };
    let mut found: BTreeSet<Name> = listed.into_iter().map(|entry| entry.name).collect();
    if found.is_empty() {
        return Ok(found);
    }
    for name in names {
        // The list may lack what the backend has all the same.
        if !found.contains(*name) && store.entry(name).await?.is_some() {
            found.insert((*name).clone());
        }
    }
    Ok(found)
}

fn state(item: &Item, found: &BTreeMap<&StoreName, Result<BTreeSet<Name>>>) -> State {
    let Some(secret) = &item.secret else {
        return State::Default;
    };
    match found.get(&secret.store) {
        Some(Ok(names)) if names.contains(&secret.name) => State::Present,
        Some(Ok(_)) if item.has_default => State::Default,
        Some(Ok(_)) => State::Missing,
        Some(Err(_)) | None => State::Unknown,
    }
}

fn show(items: &[Item], states: &[State], app: &App) -> Result<()> {
    if app.ui.json {
        let documents = items.iter().zip(states).map(|(item, state)| {
            let mut document = json!({ "state": state.as_str(), "required": item.required });
            if let Some(variable) = &item.variable {
                document["variable"] = variable.as_str().into();
            }
            if let Some(Reference { store, name }) = &item.secret {
                document["store"] = store.as_str().into();
                document["name"] = name.as_str().into();
            }
            document
        });
        return app.ui.document(&json!(documents.collect::<Vec<_>>()));
    }
    if items.is_empty() {
        app.ui
            .note("the configuration names no variable and no policy");
        return Ok(());
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    for (item, state) in items.iter().zip(states) {
        let secret = item.secret.as_ref();
        let optional = *state == State::Missing && !item.required;
        table.row([
            item.variable.clone().unwrap_or_default(),
            secret.map(|it| it.store.to_string()).unwrap_or_default(),
            secret
                .map(|it| it.name.as_str().to_owned())
                .unwrap_or_default(),
            state.as_str().to_owned(),
            if optional { "not required" } else { "" }.to_owned(),
        ]);
    }
    table.print(&app.ui)
}

/// The error for secrets that are not there.
fn refusal(missing: &[&Reference]) -> Error {
    let names: BTreeSet<String> = missing.iter().map(|it| it.shown().to_string()).collect();
    let names: Vec<String> = names.into_iter().collect();
    let error = Error::not_found(match names.as_slice() {
        [name] => format!("there is no secret {name}"),
        names => format!("{} secrets are missing: {}", names.len(), names.join(", ")),
    });
    match missing {
        [first, ..] => error.store(first.store.as_str()).hint(format!(
            "keyfob set -s {} {} stores one",
            first.store,
            shell_word(first.name.as_str())
        )),
        [] => error,
    }
}
