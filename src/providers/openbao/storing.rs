//! Carrying a change of a path's map out, on top of the version that was read: where no answer came,
//! the version that the write would have made tells whether it was carried out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::edit::{Edit, same_maps, typed};
use super::name::Path;
use super::requests::{Data, Requests, Wrote};
use super::wire::{self, Map, Secret};
use crate::http;
use crate::providers::bulk;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Form, SecretValue};

/// How often a write is sent again that was not carried out.
const TRIES: usize = 20;

/// What became of a change of the map.
pub enum Changed {
    /// It is so, in this version.
    Done(Secret),
    /// Another version is the current one.
    Outdated,
}

/// Whose a version is.
enum Whose {
    Ours,
    Others,
    /// There is none of that number.
    Nobodys,
    /// Nobody can tell: it is kept no more, or was deleted since.
    Unknown,
}

/// Whether a server that merges `value` into what is there would make something else of it: it goes
/// inside objects, takes null for a removal, and drops what is null in an object inside an array.
fn a_patch_changes(value: &SecretValue) -> bool {
    let json = value.expose().trim_ascii_start();
    value.form() == Form::Json
        && match json.first() {
            Some(b'{' | b'n') => true,
            // Also for a text of that word, which does no harm.
            Some(b'[') => json.windows(4).any(|word| word == b"null"),
            _ => false,
        }
}

impl Requests {
    /// Brings the keys of the edits `chunk` into the map that `base` has.
    pub async fn store(
        &self,
        path: &Path,
        base: &Secret,
        edits: &[Edit],
        chunk: &[usize],
        is_blind: bool,
    ) -> Result<Changed> {
        let mut target = base.data.clone().unwrap_or_default();
        let mut keys = BTreeMap::new();
        for edit in chunk.iter().map(|at| &edits[*at]) {
            match &edit.value {
                Some(value) => drop(target.insert(edit.key.clone(), typed(value))),
                None => drop(target.remove(&edit.key)),
            }
            keys.insert(edit.key.as_str(), edit.value.as_ref());
        }
        let merges = keys.values().copied().flatten().any(a_patch_changes);
        let whole: BTreeMap<&str, Option<&SecretValue>>;
        let (keys, is_whole) = match base.data.is_none() || merges {
            true => {
                let all = target.iter();
                whole = all
                    .map(|(key, value)| (key.as_str(), Some(value)))
                    .collect();
                (&whole, true)
            }
            false => (&keys, false),
        };
        let mut data = Data {
            keys,
            is_whole,
            cas: base.version,
        };
        let version = base.version.checked_add(1).ok_or_else(|| {
            Error::invalid_data(format!(
                "the server says that {} has version {}, and there is no next one",
                path.text(),
                base.version
            ))
        })?;
        let all: BTreeMap<&str, Option<&SecretValue>> = target
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value)))
            .collect();
        let mut pauses = http::pauses(TRIES);
        let mut in_doubt: Option<Error> = None;
        let mut refused_patch: Option<Error> = None;
        let started = Instant::now();
        loop {
            let mut is_behind = false;
            let error = match self.write(path, data).await {
                Ok(Wrote::Version(made)) => {
                    self.access.note_written(&self.address(path), made);
                    if made == version && is_blind {
                        bulk::tell_of_unseen(
                            &self.access.endpoint.services,
                            chunk.len(),
                            &Error::forbidden("the token may not read it"),
                        );
                        return Ok(self.done(path, version, target, base).await);
                    }
                    let seen = self
                        .look(path, version, &target, true)
                        .await
                        .map_err(|error| {
                            error.context(format!(
                                "{} was written, and could not be read back",
                                path.text()
                            ))
                        })?;
                    return match seen {
                        // What has gone since was there.
                        Whose::Ours | Whose::Unknown if made == version => {
                            Ok(self.done(path, version, target, base).await)
                        }
                        Whose::Ours | Whose::Unknown | Whose::Others => {
                            Err(Error::conflict(format!(
                                "{} was written, and holds something else than was sent",
                                path.text()
                            )))
                        }
                        Whose::Nobodys => Err(Error::invalid_data(format!(
                            "the server said that {} was written, and it was not",
                            path.text()
                        ))),
                    };
                }
                Ok(Wrote::Outdated) => {
                    return match &in_doubt {
                        None => Ok(Changed::Outdated),
                        // There is a newer one, which a node that is behind may not have yet.
                        Some(error) => match self.look(path, version, &target, true).await {
                            Ok(Whose::Ours) => Ok(self.done(path, version, target, base).await),
                            Ok(Whose::Others | Whose::Nobodys) => Ok(Changed::Outdated),
                            Ok(Whose::Unknown) | Err(_) => Err(self.not_known(path, error)),
                        },
                    };
                }
                // Who may not patch may write the whole, which stands on the same version.
                Err(error)
                    if !data.is_whole
                        && matches!(error.kind(), Kind::Forbidden | Kind::Failed)
                        && !is_blind =>
                {
                    data = Data {
                        keys: &all,
                        is_whole: true,
                        cas: base.version,
                    };
                    refused_patch = Some(error);
                    continue;
                }
                Err(error) => {
                    let error = match refused_patch.take() {
                        // It may do neither: what it may not do as a rule is told.
                        Some(first) if error.kind() == Kind::Forbidden => first,
                        _ => error,
                    };
                    return Err(match &in_doubt {
                        None => error,
                        // What was sent before may still be on its way.
                        Some(doubt) => self.not_known(path, doubt),
                    });
                }
                Ok(Wrote::Later(error)) => error,
                Ok(Wrote::Unclear(error)) => {
                    in_doubt = Some(error.clone());
                    error
                }
                Ok(Wrote::Behind(error)) => {
                    in_doubt = Some(error.clone());
                    is_behind = !data.is_whole;
                    error
                }
            };
            if let Some(doubt) = &in_doubt {
                match self.look(path, version, &target, false).await {
                    Ok(Whose::Ours) => return Ok(self.done(path, version, target, base).await),
                    Ok(Whose::Others) => return Ok(Changed::Outdated),
                    Ok(Whose::Nobodys) if is_behind && self.waits(started).await => continue,
                    // It is there no more, for the active node as well.
                    Ok(Whose::Nobodys) if is_behind && self.read(path).await?.data.is_none() => {
                        return Ok(Changed::Outdated);
                    }
                    Ok(Whose::Nobodys) if error.kind() != Kind::Unavailable => return Err(error),
                    Ok(Whose::Nobodys) => {}
                    Ok(Whose::Unknown) | Err(_) => return Err(self.not_known(path, doubt)),
                }
            }
            let pause = pauses
                .next()
                .filter(|pause| self.access.deadline().allows(*pause));
            match (pause, &in_doubt) {
                (Some(pause), _) => tokio::time::sleep(pause).await,
                // It may still be on its way.
                (None, Some(doubt)) => return Err(self.not_known(path, doubt)),
                (None, None) => return Err(error),
            }
        }
    }

    /// `error`, which left it open whether the server has stored what was sent.
    fn not_known(&self, path: &Path, error: &Error) -> Error {
        let store = self.access.endpoint.config.name();
        error
            .clone()
            .context(format!(
                "it is not known whether {} was changed",
                path.text()
            ))
            .also_hint(format!("keyfob list -s {store} shows what is there"))
    }

    /// Whose the version of this number is: ours holds `target` and nothing else. One that `is_there`
    /// is waited for, as a node may be behind.
    ///
    /// # Errors
    /// What keeps it from being read.
    async fn look(&self, path: &Path, version: u32, target: &Map, is_there: bool) -> Result<Whose> {
        let started = Instant::now();
        loop {
            let seen = self.read_version(path, Some(version)).await?;
            match &seen.data {
                Some(data) if seen.version == version => {
                    return Ok(match same_maps(data, target) {
                        true => Whose::Ours,
                        false => Whose::Others,
                    });
                }
                _ if seen.version == version => return Ok(Whose::Unknown),
                _ => {}
            }
            let current = self.read_version(path, None).await?;
            if current.version >= version {
                // It came in between, or is kept no more.
                let again = self.read_version(path, Some(version)).await?;
                if again.version != version {
                    return Ok(Whose::Unknown);
                }
                continue;
            }
            // A node that does not tell how new its answer is may be behind.
            let may_come = is_there || self.access.awaited(&self.address(path)).is_some();
            if !may_come || !self.waits(started).await {
                return Ok(Whose::Nobodys);
            }
        }
    }

    /// What is there now: `target`, in this version. One that holds nothing is deleted, exactly that
    /// one; where that cannot be done, it is an empty map.
    async fn done(&self, path: &Path, version: u32, target: Map, base: &Secret) -> Changed {
        let mut data = Some(target);
        if data.as_ref().is_some_and(Map::is_empty) {
            match self.mark("delete", path, version).await {
                Ok(()) => data = None,
                Err(error) => (self.access.endpoint.services.notice)(&format!(
                    "the path {} is empty now, and could not be deleted: {}",
                    path.text(),
                    error.message()
                )),
            }
        }
        Changed::Done(Secret {
            version,
            data,
            beside: wire::Beside {
                custom: base.beside.custom.clone(),
                ..wire::Beside::default()
            },
        })
    }
}
