//! What can be completed from what is on this disk: stores, providers and the local vault's names.
//!
//! A shell asks while somebody types, so nothing here asks a server, prints, or fails: what cannot
//! be had is simply not offered.

use std::path::PathBuf;

use clap_complete::CompletionCandidate;

use crate::config::{Config, LoadOptions};
use crate::env::{Environment, Folders};
use crate::providers::registry;
use crate::secret::StoreName;

/// The variable by which a shell's script asks for completions.
pub const VARIABLE: &str = "KEYFOB_COMPLETE";

/// The configured stores.
pub fn stores() -> Vec<CompletionCandidate> {
    let Some(config) = config() else {
        return Vec::new();
    };
    config
        .stores()
        .map(|store| {
            CompletionCandidate::new(store.name().as_str()).help(Some(store.provider().into()))
        })
        .collect()
}

/// The providers.
pub fn providers() -> Vec<CompletionCandidate> {
    registry::PROVIDERS
        .iter()
        .map(|spec| CompletionCandidate::new(spec.name()).help(Some(spec.title.into())))
        .collect()
}

/// The names in the selected store, where that is a local vault.
pub fn secrets() -> Vec<CompletionCandidate> {
    let names = config().and_then(|config| {
        let name = typed_store()
            .or_else(|| config.default_store().ok().flatten().cloned())
            .or_else(|| StoreName::new("local").ok())?;
        crate::providers::local_names(config.store(&name).ok()?)
    });
    names
        .unwrap_or_default()
        .into_iter()
        .map(|name| CompletionCandidate::new(name.as_str()))
        .collect()
}

fn config() -> Option<Config> {
    let env = Environment::from_process();
    let folders = Folders::new()?;
    Config::load(&LoadOptions {
        explicit: env.var_os("KEYFOB_CONFIG").map(PathBuf::from),
        env: &env,
        folders: &folders,
        schemas: registry::SCHEMAS,
    })
    .ok()
}

/// The store that stands on the line being typed, or in the environment.
fn typed_store() -> Option<StoreName> {
    let words: Vec<String> = std::env::args().collect();
    let after_option = words
        .windows(2)
        .find(|pair| pair[0] == "-s" || pair[0] == "--store")
        .map(|pair| pair[1].clone());
    let attached = words
        .iter()
        .find_map(|word| word.strip_prefix("--store=").map(str::to_owned));
    let environment = || {
        Environment::from_process()
            .var("KEYFOB_STORE")
            .map(str::to_owned)
    };
    StoreName::new(after_option.or(attached).or_else(environment)?).ok()
}
