//! Which vault a command is about.

use crate::app::App;
use crate::providers::local;
use crate::vault::Vault;
use crate::words::error::Result;

/// The vault of the selected store.
///
/// # Errors
/// `unsupported` where that is no local one.
pub fn selected(app: &App) -> Result<Vault> {
    let store = app.config()?.store(&app.selected_store()?)?;
    local::vault(store, app.services()?).map_err(|error| error.store(store.name().as_str()))
}

/// The vaults of all local stores that can be used, the selected one first.
///
/// # Errors
/// As the configuration.
pub fn all(app: &App) -> Result<Vec<Vault>> {
    let selected = app.selected_store()?;
    let config = app.config()?;
    let mut stores: Vec<_> = config.stores().collect();
    stores.sort_by_key(|store| *store.name() != selected);
    let services = app.services()?;
    let vaults = stores
        .into_iter()
        .map(|store| local::vault(store, services));
    Ok(vaults.filter_map(Result::ok).collect())
}
