//! The candidates for each kind of argument.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::{PathCompleter, ValueCompleter as _};
use futures_util::FutureExt as _;

use super::line::Line;
use crate::app::App;
use crate::providers::registry;
use crate::store::Store;
use crate::words::batch::Filter;
use crate::words::error::Result;
use crate::words::secret::{Entry, Name, Reference, StoreName, Target};
use crate::words::text::is_variable_name;

type Found = Vec<CompletionCandidate>;

/// What every reference begins with.
const SCHEME: &str = "keyfob://";

/// The configured stores.
pub fn stores(line: &Line, _: &str) -> Found {
    let app = line.app();
    let Ok(config) = app.config() else {
        return Vec::new();
    };
    config
        .stores()
        .map(|store| {
            CompletionCandidate::new(store.name().as_str()).help(Some(store.provider().into()))
        })
        .collect()
}

/// The stores that the command has not been given yet.
pub fn other_stores(line: &Line, current: &str) -> Found {
    without(
        stores(line, current),
        &[line.given("a"), line.given("from")],
    )
}

/// The configured profiles.
pub fn profiles(line: &Line, _: &str) -> Found {
    let app = line.app();
    let Ok(config) = app.config() else {
        return Vec::new();
    };
    config.profiles().map(CompletionCandidate::new).collect()
}

/// The providers.
pub fn providers(_: &Line, _: &str) -> Found {
    registry::PROVIDERS
        .iter()
        .map(|spec| CompletionCandidate::new(spec.name()).help(Some(spec.title.into())))
        .collect()
}

/// The fields of the provider that is being added, less the credentials, which no file holds.
pub fn fields(line: &Line, _: &str) -> Found {
    let given = line.given("fields");
    let given = |name: &str| {
        let given = given.iter().filter_map(|field| field.split_once('='));
        given.into_iter().any(|(key, _)| key == name)
    };
    let provider = line.given("provider").pop().unwrap_or_default();
    let spec = registry::find(&provider);
    spec.into_iter()
        .flat_map(|spec| spec.schema.fields)
        .filter(|field| !field.credential && !given(field.name))
        .map(|field| {
            CompletionCandidate::new(format!("{}=", field.name)).help(Some(field.help.into()))
        })
        .collect()
}

/// What a group's secrets may be given to.
pub fn secret_types(_: &Line, _: &str) -> Found {
    let types = ["environment", "arguments", "environment-arguments"];
    types.map(CompletionCandidate::new).into()
}

/// What makes a fresh value.
pub fn generators(_: &Line, _: &str) -> Found {
    let specs = [
        "password:32",
        "alnum:32",
        "hex:32",
        "base64:32",
        "uuid",
        "words:6",
    ];
    specs.map(CompletionCandidate::new).into()
}

/// The names in the selected store, and references where one is begun.
pub fn secrets(line: &Line, current: &str) -> Found {
    if is_reference(current) {
        return references(line, current);
    }
    let app = line.app();
    let store = app.selected_store();
    store.map(|store| names(&app, &store)).unwrap_or_default()
}

/// The variables of the configuration, and the names in the selected store.
pub fn variables_and_secrets(line: &Line, current: &str) -> Found {
    let app = line.app();
    let config = app.config().ok();
    let variables = config
        .into_iter()
        .flat_map(|config| config.env_table().keys());
    let mut found: Vec<CompletionCandidate> = variables.map(CompletionCandidate::new).collect();
    found.extend(secrets(line, current));
    found
}

/// The names that the command has not been given yet.
pub fn other_secrets(line: &Line, current: &str) -> Found {
    without(secrets(line, current), &[line.given("names")])
}

/// What is copied, and once there is something, the stores as well.
pub fn copied(line: &Line, current: &str) -> Found {
    let given = line.behind("copy");
    let mut found = Vec::new();
    if !given.is_empty() {
        found.extend(stores(line, current));
    }
    found.extend(secrets(line, current));
    without(found, &[given])
}

/// What may be rotated: what has a policy first.
pub fn rotated(line: &Line, current: &str) -> Found {
    let app = line.app();
    let policies: Vec<String> = match app.config() {
        Ok(config) => config.rotations().keys().cloned().collect(),
        Err(_) => Vec::new(),
    };
    let of_policies = policies.iter().filter(|name| is_plain(name));
    let of_policies = of_policies
        .map(|name| CompletionCandidate::new(name).help(Some("has a rotation policy".into())));
    let mut found: Found = of_policies.collect();
    found.extend(without(secrets(line, current), &[policies]));
    without(found, &[line.given("names")])
}

/// What can be brought back: what was deleted first.
pub fn restorable(line: &Line, current: &str) -> Found {
    let mut found = deleted(line, current);
    found.extend(secrets(line, current));
    found
}

/// The deleted secrets.
pub fn deleted(line: &Line, _: &str) -> Found {
    let app = line.app();
    let deleted = app.selected_store().and_then(|store| {
        let store = app.open(&store)?;
        at_once(&store, store.deleted())
    });
    let given = line.given("names");
    let plain = deleted
        .unwrap_or_default()
        .into_iter()
        .map(|entry| entry.name);
    let plain = plain.filter(|name| is_plain(name.as_str()));
    let found =
        plain.map(|name| CompletionCandidate::new(name.as_str()).help(Some("deleted".into())));
    without(found.collect(), &[given])
}

/// The versions of the secret that is to be brought back.
pub fn versions(line: &Line, _: &str) -> Found {
    let app = line.app();
    let versions = (|| {
        let name = line.given("name").pop().unwrap_or_default();
        let reference = app.reference(&name.parse::<Target>()?)?;
        let store = app.open(&reference.store)?;
        at_once(&store, store.history(&reference.name))
    })();
    let old = versions.unwrap_or_default().into_iter();
    let old = old.filter(|version| !version.current && !version.deleted);
    old.map(|version| {
        CompletionCandidate::new(version.number.to_string())
            .help(Some(version.updated_at.to_string().into()))
    })
    .collect()
}

/// `VAR=` for each name that a variable can have, and what may stand behind it.
pub fn mappings(line: &Line, current: &str) -> Found {
    if let Some((variable, rest)) = current.split_once('=') {
        let found = secrets(line, rest).into_iter();
        return found
            .map(|it| it.add_prefix(format!("{variable}=")))
            .collect();
    }
    let app = line.app();
    let store = app.selected_store();
    let mut known: BTreeSet<String> = store
        .map(|store| names(&app, &store))
        .unwrap_or_default()
        .iter()
        .map(|it| it.get_value().to_string_lossy().into_owned())
        .filter(|name| is_variable_name(name))
        .collect();
    if let Ok(config) = app.config() {
        known.extend(config.env_table().keys().cloned());
    }
    let known = known.iter();
    known
        .map(|name| CompletionCandidate::new(format!("{name}=")))
        .collect()
}

/// References: first the stores, then the names in one.
pub fn references(line: &Line, current: &str) -> Found {
    if !is_reference(current) {
        return Vec::new();
    }
    let behind = current.get(SCHEME.len()..).unwrap_or_default();
    let app = line.app();
    let Some((store, _)) = behind.split_once('/') else {
        let found = stores(line, current).into_iter();
        return found
            .map(|it| {
                let store = it.get_value().to_string_lossy().into_owned();
                CompletionCandidate::new(format!("{SCHEME}{store}/")).help(it.get_help().cloned())
            })
            .collect();
    };
    let Ok(store) = StoreName::new(store) else {
        return Vec::new();
    };
    let found = names(&app, &store).into_iter();
    found
        .map(|it| {
            let reference = Reference {
                store: store.clone(),
                name: Name::any(it.get_value().to_string_lossy()),
            };
            CompletionCandidate::new(reference.to_string()).help(it.get_help().cloned())
        })
        .collect()
}

/// The groups that the configuration speaks of.
pub fn groups(line: &Line, _: &str) -> Found {
    let app = line.app();
    let found = (|| {
        let store = app.selected_store()?;
        let config = app.config()?;
        let configured = config.store(&store)?.text("group").map(str::to_owned);
        let referred = referred(&app, &store);
        let referred = referred.iter().filter_map(|name| name.split_once('/'));
        let mut groups: BTreeSet<String> = referred.map(|(group, _)| group.to_owned()).collect();
        groups.extend(configured);
        Ok::<_, crate::words::error::Error>(groups)
    })();
    let found = found.unwrap_or_default().into_iter();
    let found = found.filter(|group| is_plain(group));
    without(
        found.map(CompletionCandidate::new).collect(),
        &[line.given("groups")],
    )
}

/// Programs on the path, then files: for shells that do not complete the line of another command
/// themselves.
pub fn programs(line: &Line, current: &str) -> Found {
    let files = || PathCompleter::any().complete(OsStr::new(current));
    if !line.given("command").is_empty() {
        return files();
    }
    let path = line.env.var_os("PATH").unwrap_or_default();
    let mut found = BTreeSet::new();
    // Nobody chooses among thousands.
    if !current.is_empty() && !current.contains('/') {
        for folder in std::env::split_paths(&path) {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let programs = entries.filter(|entry| is_program(&entry.path()));
            let names = programs.filter_map(|entry| entry.file_name().into_string().ok());
            found.extend(names.filter(|name| name.starts_with(current) && is_plain(name)));
        }
    }
    let found = found.into_iter().map(CompletionCandidate::new);
    found.chain(files()).collect()
}

/// What `man` has pages of besides the commands.
pub const TOPICS: &[&str] = &[
    "ci",
    "keyfob.toml",
    "local-vault",
    "rotation",
    "security",
    "shells",
    "stores",
];

/// The commands of keyfob below the words that were given, and what else there are pages of.
pub fn pages(line: &Line, current: &str) -> Found {
    let mut found = commands(line, current);
    if line.given("command").is_empty() {
        let topics = TOPICS.iter();
        found.extend(
            topics.map(|topic| CompletionCandidate::new(*topic).help(Some("a topic".into()))),
        );
    }
    found
}

/// The commands of keyfob below the words that were given.
pub fn commands(line: &Line, _: &str) -> Found {
    let mut at = &line.command;
    for word in line.given("command") {
        match at.find_subcommand(&word) {
            Some(sub) => at = sub,
            None => return Vec::new(),
        }
    }
    let shown = at.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.map(candidate_of).collect()
}

fn candidate_of(command: &Command) -> CompletionCandidate {
    CompletionCandidate::new(command.get_name()).help(command.get_about().cloned())
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("exe"))
}

/// Whether `current` may become a reference.
fn is_reference(current: &str) -> bool {
    !current.is_empty() && (SCHEME.starts_with(current) || current.starts_with(SCHEME))
}

/// `found` without what is among `given`.
fn without(mut found: Found, given: &[Vec<String>]) -> Found {
    found.retain(|it| {
        let value = it.get_value().to_string_lossy();
        !given.iter().flatten().any(|given| *given == *value)
    });
    found
}

/// Whether a shell takes `text` as it stands: it puts what it is offered on the line unquoted, and a
/// store may come from somebody else.
fn is_plain(text: &str) -> bool {
    !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./:@+,".contains(c))
}

/// The names in a store: all, where it is on this disk, else those that the configuration refers to.
fn names(app: &App, store: &StoreName) -> Found {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    let here = app.open(store).and_then(|store| {
        if store.spec().is_remote() {
            return Ok(Vec::<Entry>::new());
        }
        let filter = Filter::default();
        at_once(&store, store.list(&filter))
    });
    for entry in here.unwrap_or_default() {
        found.insert(entry.name.as_str().to_owned(), entry.description);
    }
    if found.is_empty() {
        found.extend(referred(app, store).into_iter().map(|name| (name, None)));
    }
    let plain = found.into_iter().filter(|(name, _)| is_plain(name));
    plain
        .map(|(name, description)| CompletionCandidate::new(name).help(description.map(Into::into)))
        .collect()
}

/// The names of `store` that the configuration refers to; those without a store are the default
/// store's.
fn referred(app: &App, store: &StoreName) -> BTreeSet<String> {
    let Ok(config) = app.config() else {
        return BTreeSet::new();
    };
    let is_default = app.default_store().is_ok_and(|default| default == *store);
    let name_of = |target: &Target| match target {
        Target::Reference(reference) if reference.store == *store => Some(reference.name.clone()),
        Target::Name(name) if is_default => Some(name.clone()),
        _ => None,
    };
    let variables = config.env_table().values();
    let variables = variables.filter_map(|mapping| name_of(mapping.variable.from.as_ref()?));
    let rotations = config.rotations().values();
    let targets = rotations.flat_map(|entry| &entry.rotation.targets);
    let targets = targets.filter(|reference| reference.store == *store);
    variables
        .chain(targets.map(|reference| reference.name.clone()))
        .map(|name| name.as_str().to_owned())
        .collect()
}

/// What a store on this disk says at once; what asks no server has nothing to wait for.
fn at_once<T: Default>(store: &Store, asked: impl Future<Output = Result<T>>) -> Result<T> {
    if store.spec().is_remote() {
        return Ok(T::default());
    }
    asked.now_or_never().unwrap_or_else(|| Ok(T::default()))
}
