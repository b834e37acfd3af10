//! A group with its links to addons, which no single request shows: the details name the addons, and
//! each link is asked for its keys.

use super::api::Api;
use super::wire::{ADDONS, RawGroup};
use crate::providers::groups::Addon;
use crate::words::error::Result;

/// The group with the id `id`: its values, and all else that can be read of it. `None` where there
/// is none.
pub async fn read(api: &Api, id: &str) -> Result<Option<RawGroup>> {
    let Some(mut group) = api.get(id).await? else {
        return Ok(None);
    };
    complete(api, &mut group).await?;
    Ok(Some(group))
}

/// Completes `group` by what a get does not show.
pub async fn complete(api: &Api, group: &mut RawGroup) -> Result<()> {
    let Some(details) = api.details(group.id()).await? else {
        return Ok(());
    };
    group.complete_all(&details);
    if group.tells(ADDONS) {
        return Ok(());
    }
    let Some(linked) = details.linked_addons()? else {
        return Ok(());
    };
    let mut addons = Vec::with_capacity(linked.len());
    for addon in linked {
        let link = api.link(group.id(), addon).await?;
        let keys = link.filter(|link| link.linked != Some(false));
        addons.push(Addon {
            id: addon.to_owned(),
            keys: keys.map(|link| link.linked_keys).unwrap_or_default(),
        });
    }
    group.set_addons(&addons);
    Ok(())
}
