//! What commands over two stores have in common.

use std::collections::BTreeMap;

use crate::app::App;
use crate::providers::Capability;
use crate::store::Store;
use crate::transfer::Plan;
use crate::words::batch::{Filter, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, Reference};

/// Refuses `--store` where the stores are arguments.
///
/// # Errors
/// `usage`.
pub fn refuse_store_option(app: &App, command: &str) -> Result<()> {
    match app.named_store() {
        None => Ok(()),
        Some(_) => Err(Error::usage(format!(
            "{command} takes its two stores as arguments, and --store has no meaning there"
        ))),
    }
}

/// Checks, before anybody is asked for a secret, that each of `sources` can be read and is another
/// place than `target`.
///
/// # Errors
/// `unsupported`, `usage`, and what finding out an account fails with.
pub async fn check(sources: &[Store], target: &Store) -> Result<()> {
    for source in sources {
        let name = source.name();
        if !source.can(Capability::Read) {
            let title = source.spec().title;
            return Err(Error::unsupported(format!(
                "nothing can be copied from {name}: {title} gives no value back"
            ))
            .hint(format!(
                "it can be what is written to: keyfob sync FROM {name}"
            ))
            .store(name.as_str()));
        }
        differ(source, target).await?;
    }
    Ok(())
}

/// Checks that two stores are not the same place.
///
/// # Errors
/// `usage`, and what finding out an account fails with.
pub async fn differ(one: &Store, other: &Store) -> Result<()> {
    if one.name() == other.name() || one.scope().await? == other.scope().await? {
        return Err(Error::usage(match one.name() == other.name() {
            true => format!("{} is named as both stores", one.name()),
            false => format!("{} and {} are the same place", one.name(), other.name()),
        }));
    }
    Ok(())
}

/// Gives those of `wanted` that `plan` stores the descriptions that they have where they come
/// from, as `origins` tell, if the target can keep them.
///
/// # Errors
/// Whatever a source answers.
pub async fn descriptions(
    wanted: &mut [Write],
    plan: &Plan,
    origins: &BTreeMap<Name, Reference>,
    sources: &[Store],
    target: &Store,
) -> Result<()> {
    let describes = |store: &Store| store.can(Capability::Describe);
    if !describes(target) || plan.stored().next().is_none() {
        return Ok(());
    }
    let mut described: BTreeMap<Reference, String> = BTreeMap::new();
    for source in sources.iter().filter(|source| describes(source)) {
        for entry in source.list(&Filter::default()).await? {
            let reference = Reference {
                store: source.name().clone(),
                name: entry.name,
            };
            if let Some(description) = entry.description {
                described.insert(reference, description);
            }
        }
    }
    for write in wanted {
        let origin = origins.get(&write.name);
        write.metadata.description = origin.and_then(|origin| described.get(origin).cloned());
    }
    Ok(())
}
