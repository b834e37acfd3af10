//! What can be completed from what is on this disk: stores, providers and the local vault's names.
//!
//! A shell asks while somebody types, so nothing here asks a server, prints, or fails: what cannot
//! be had is simply not offered.

use clap_complete::CompletionCandidate;

use crate::app::App;
use crate::cli::Global;
use crate::env::Environment;
use crate::error::Result;
use crate::providers::{local, registry};
use crate::secret::{Entry, StoreName};

/// The variable by which a shell's script asks for completions.
pub const VARIABLE: &str = "KEYFOB_COMPLETE";

/// The configured stores.
pub fn stores() -> Vec<CompletionCandidate> {
    let app = app();
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

/// The providers.
pub fn providers() -> Vec<CompletionCandidate> {
    registry::PROVIDERS
        .iter()
        .map(|spec| CompletionCandidate::new(spec.name()).help(Some(spec.title.into())))
        .collect()
}

/// The names in the selected store, where that is a local vault.
pub fn secrets() -> Vec<CompletionCandidate> {
    entries(&app())
        .unwrap_or_default()
        .into_iter()
        .map(|entry| {
            CompletionCandidate::new(entry.name.as_str()).help(entry.description.map(Into::into))
        })
        .collect()
}

fn entries(app: &App) -> Result<Vec<Entry>> {
    let config = app.config()?.store(&app.selected_store()?)?;
    local::vault(config, app.services()?)?.list(|_| true)
}

fn app() -> App {
    let global = Global {
        store: typed_store(),
        quiet: true,
        ..Global::default()
    };
    App::new(global, Environment::from_process())
}

/// The store that stands on the line being typed.
fn typed_store() -> Option<StoreName> {
    let words: Vec<String> = std::env::args_os()
        .filter_map(|word| word.into_string().ok())
        .collect();
    let after_option = words
        .windows(2)
        .find(|pair| pair[0] == "-s" || pair[0] == "--store")
        .map(|pair| pair[1].as_str());
    let attached = words.iter().find_map(|word| word.strip_prefix("--store="));
    StoreName::new(after_option.or(attached)?).ok()
}
