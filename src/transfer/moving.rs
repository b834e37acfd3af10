//! One secret under another name, or in another store: stored there and seen there before the old
//! one goes, so that a crash at any moment leaves at least one.

use std::collections::BTreeMap;

use super::Held;
use crate::providers::Capability;
use crate::store::Store;
use crate::words::batch::{Batch, Filter, Metadata, Selection, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Entry, Name, SecretValue};
use crate::words::word::shell_word;

/// From where to where.
pub struct Way<'a> {
    /// The store that it is in.
    pub from: &'a Store,
    /// What it is called there.
    pub name: &'a Name,
    /// The store that it comes into, which may be the same.
    pub to: &'a Store,
    /// What it is to be called.
    pub new: &'a Name,
}

/// A secret that can be moved, as far as that is known without changing anything.
pub struct Moving<'a> {
    way: Way<'a>,
    value: SecretValue,
    /// What its version must still be when it goes.
    version: Option<u32>,
    write: Write,
    replaces: bool,
    /// What it has and does not take along.
    pub left_behind: Vec<&'static str>,
}

impl<'a> Moving<'a> {
    /// Reads what is to be moved, and looks whether it can be. Where there is something of the new
    /// name it goes for it if `force` says so.
    ///
    /// # Errors
    /// `unsupported` where it cannot be read; `not_found` where it is not there; `conflict` where the
    /// new name is taken; `usage` for a secret that is there already; what the stores answer.
    pub async fn plan(way: Way<'a>, force: bool) -> Result<Self> {
        let Way {
            from,
            name,
            to,
            new,
        } = way;
        if !from.can(Capability::Read) {
            let title = from.spec().title;
            return Err(Error::unsupported(format!(
                "{} cannot be moved: {title} gives no value back",
                name.shown()
            ))
            .hint(format!(
                "store its value anew, then delete the old one: keyfob delete -s {} {}",
                from.name(),
                name.shown().typed()
            ))
            .store(from.name().as_str()));
        }
        to.check_name(new)?;
        let same_place = from.name() == to.name() || from.scope().await? == to.scope().await?;
        if same_place && name == new {
            let place = from.name();
            let error = Error::usage(format!("{} is that already in {place}", name.shown()));
            return Err(error.store(place.as_str()));
        }
        let named = Selection::Names(vec![name.clone()]);
        let mut reading = from.read_counted(&named).await?;
        let value = reading.values.remove(name);
        let value = value.ok_or_else(|| from.missing(name))?;
        let version = reading
            .versions
            .and_then(|versions| versions.get(name).copied());
        let there = Selection::Names(vec![new.clone()]);
        let mut held = Held::by_target(to, &there).await?;
        held.look_closer(to, std::iter::once(new)).await?;
        let replaces = held.has(new);
        if replaces && !force {
            let same = held.value(new).is_some_and(|held| *held == value);
            return Err(taken(&way, same));
        }
        if replaces && same_place {
            check_apart(to, name, new).await?;
        }
        let mut write = Write {
            expected: held.expected(new),
            ..Write::new(new.clone(), value.clone())
        };
        let mut left_behind = Vec::new();
        if let Some(entry) = entry(from, name).await? {
            write.metadata = metadata(&entry, from, to, &mut left_behind);
        }
        match from.past(name).await? {
            Some(past) if past.is_empty() => {}
            Some(past) if to.takes_past() => write.past = past,
            None if !from.can(Capability::History) => {}
            // Those that are not given along are as good as left.
            _ => left_behind.push("earlier versions"),
        }
        to.check(&write)?;
        to.check_metadata([&write])?;
        Ok(Self {
            way,
            value,
            version,
            write,
            replaces,
            left_behind,
        })
    }

    /// Moves it.
    ///
    /// # Errors
    /// `partial` where it is stored under its new name and could not be deleted under the old one;
    /// `conflict` where somebody else has changed it meanwhile; what the stores answer. It is then
    /// under its old name as before.
    pub async fn carry_out(self) -> Result<()> {
        let Way {
            from,
            name,
            to,
            new,
        } = self.way;
        let written = match self.replaces {
            true => {
                let batch = Batch {
                    writes: vec![self.write],
                    if_absent: false,
                };
                to.write(batch).await?
            }
            false => to.write_new(self.write).await?,
        };
        let written = written.into_iter().next();
        let Some(written) = written else {
            return Err(Error::failed(format!(
                "{new} was not stored in {}",
                to.name()
            )));
        };
        written
            .result
            .map_err(|error| error.store(to.name().as_str()))?;
        let stays = |error: Error| {
            let (from, to) = (from.name(), to.name());
            error.context(format!(
                "{name} stays in {from}, as {new} may not be in {to}"
            ))
        };
        if to.can(Capability::Read) {
            let stored = to.value(new).await.map_err(stays)?;
            if stored != self.value {
                return Err(stays(Error::conflict("it has another value there")));
            }
        } else {
            let listed = entry(to, new).await.map_err(stays)?;
            let is_it = |entry: &Entry| written.mark.is_none() || entry.mark == written.mark;
            if !listed.is_some_and(|entry| is_it(&entry)) {
                return Err(stays(Error::conflict(
                    "it is not listed there as it was stored",
                )));
            }
        }
        let named = Selection::Names(vec![name.clone()]);
        let both = |error: Error| {
            let (source, target) = (from.name(), to.name());
            Error::partial(format!(
                "{new} is stored in {target}, and {name} stays in {source}: {}",
                error.message()
            ))
            .hint(format!(
                "keyfob delete -s {source} {} ends the move",
                shell_word(name.as_str())
            ))
            .store(source.as_str())
        };
        let now = from.read_counted(&named).await.map_err(both)?;
        let version = now
            .versions
            .and_then(|versions| versions.get(name).copied());
        match now.values.get(name) {
            // Somebody else has deleted it.
            None => return Ok(()),
            Some(value) if *value != self.value || version != self.version => {
                return Err(both(Error::conflict(
                    "somebody else has changed it meanwhile",
                )));
            }
            Some(_) => {}
        }
        let deleted = from
            .delete(std::slice::from_ref(name))
            .await
            .map_err(both)?;
        match deleted.into_iter().find_map(|outcome| outcome.result.err()) {
            Some(error) if error.kind() != Kind::NotFound => Err(both(error)),
            _ => Ok(()),
        }
    }
}

/// The error where there is something of the new name.
fn taken(way: &Way<'_>, same: bool) -> Error {
    let Way { name, to, new, .. } = way;
    let what = match same {
        true => " with the same value",
        false => "",
    };
    let error = Error::conflict(format!("{new} exists already in {}{what}", to.name()));
    error
        .hint(match same {
            true => format!("--force ends a move that was interrupted: {name} is deleted then"),
            false => "--force puts this one in its place".to_owned(),
        })
        .store(to.name().as_str())
}

/// Checks that two names of a store are two secrets: a backend may know one by several, and deleting
/// it by one would leave none.
async fn check_apart(store: &Store, name: &Name, new: &Name) -> Result<()> {
    let listed = store.list(&Filter::default()).await?;
    let is_listed = |name: &Name| listed.iter().any(|entry| entry.name == *name);
    match is_listed(name) && is_listed(new) {
        true => Ok(()),
        false => Err(Error::conflict(format!(
            "{name} and {new} may be one secret of {}, which lists them by other names",
            store.name()
        ))
        .hint(format!(
            "use the names that keyfob list -s {} shows",
            store.name()
        ))
        .store(store.name().as_str())),
    }
}

/// What is known of one secret beside its value; `None` where it is not listed.
async fn entry(store: &Store, name: &Name) -> Result<Option<Entry>> {
    let filter = Filter {
        prefix: Some(name.as_str().to_owned()),
        named: Some(name.clone()),
        ..Filter::default()
    };
    let listed = store.list(&filter).await?.into_iter();
    Ok(listed.into_iter().find(|entry| entry.name == *name))
}

/// What of `entry` the store `to` has room for; what it has not is named.
fn metadata(
    entry: &Entry,
    from: &Store,
    to: &Store,
    left_behind: &mut Vec<&'static str>,
) -> Metadata {
    let mut metadata = Metadata::default();
    if let Some(description) = &entry.description {
        match to.can(Capability::Describe) {
            true => metadata.description = Some(description.clone()),
            false => left_behind.push("description"),
        }
    }
    if let Some(expires_at) = entry.expires_at {
        match to.can(Capability::Expiry) {
            true => metadata.expires_at = Some(expires_at),
            false => left_behind.push("expiry"),
        }
    }
    // Elsewhere they are not the secret's own, but its group's.
    if !entry.attributes.is_empty() && from.can(Capability::Attributes) {
        match to.can(Capability::Attributes) {
            true => metadata.attributes = texts(entry),
            false => left_behind.push("attributes"),
        }
    }
    metadata
}

/// The attributes as they are given to a store.
fn texts(entry: &Entry) -> BTreeMap<String, String> {
    let texts = entry.attributes.iter().map(|(key, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (key.clone(), text)
    });
    texts.collect()
}
