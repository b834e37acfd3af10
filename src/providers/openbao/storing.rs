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
        if target.is_empty() {
            return self.delete(path, base).await;
        }
        // A patch merges what is inside of objects, and takes null for a removal.
        let merges = keys.values().copied().flatten().any(|value| {
            value.form() == Form::Json
                && matches!(value.expose().trim_ascii_start().first(), Some(b'{' | b'n'))
        });
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
        let version = base.version + 1;
        let all: BTreeMap<&str, Option<&SecretValue>> = target
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value)))
            .collect();
        let mut pauses = http::pauses(TRIES);
        let mut in_doubt: Option<Error> = None;
        loop {
            let error = match self.write(path, data).await {
                Ok(Wrote::Version(made)) => {
                    self.access.note_written(&path.text(), made);
                    if made == version && is_blind {
                        bulk::tell_of_unseen(
                            &self.access.endpoint.services,
                            chunk.len(),
                            &Error::forbidden("the token may not read it"),
                        );
                        return Ok(done(version, target, base));
                    }
                    let seen = self.look(path, version, &target).await.map_err(|error| {
                        error.context(format!(
                            "{} was written, and could not be read back",
                            path.text()
                        ))
                    })?;
                    return match seen {
                        Whose::Ours if made == version => {
                            Ok(Changed::Done(done_secret(version, target, base)))
                        }
                        Whose::Ours | Whose::Others => Err(Error::conflict(format!(
                            "{} was written, and holds something else than was sent",
                            path.text()
                        ))),
                        Whose::Nobodys => Err(Error::invalid_data(format!(
                            "the server said that {} was written, and it was not",
                            path.text()
                        ))),
                    };
                }
                Ok(Wrote::Outdated) => {
                    return match &in_doubt {
                        None => Ok(Changed::Outdated),
                        Some(_) => match self.look(path, version, &target).await? {
                            Whose::Ours => Ok(Changed::Done(done_secret(version, target, base))),
                            Whose::Others | Whose::Nobodys => Ok(Changed::Outdated),
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
                    match self.write(path, data).await {
                        Err(_) => return Err(error),
                        Ok(Wrote::Version(made)) if made == version => {
                            self.access.note_written(&path.text(), made);
                            return match self.look(path, version, &target).await? {
                                Whose::Ours => {
                                    Ok(Changed::Done(done_secret(version, target, base)))
                                }
                                _ => Ok(Changed::Outdated),
                            };
                        }
                        Ok(Wrote::Later(error)) => error,
                        Ok(Wrote::Unclear(error)) => {
                            in_doubt = Some(error.clone());
                            error
                        }
                        Ok(_) => return Ok(Changed::Outdated),
                    }
                }
                Err(error) => return Err(error),
                Ok(Wrote::Later(error)) => error,
                Ok(Wrote::Unclear(error)) => {
                    in_doubt = Some(error.clone());
                    error
                }
            };
            if in_doubt.is_some() {
                match self.look(path, version, &target).await {
                    Ok(Whose::Ours) => {
                        return Ok(Changed::Done(done_secret(version, target, base)));
                    }
                    Ok(Whose::Others) => return Ok(Changed::Outdated),
                    Ok(Whose::Nobodys) if error.kind() != Kind::Unavailable => return Err(error),
                    Ok(Whose::Nobodys) => {}
                    Err(_) => {
                        return Err(error.also_hint(
                            "it is not known whether it was stored; keyfob get shows it",
                        ));
                    }
                }
            }
            let pause = pauses
                .next()
                .filter(|pause| self.access.deadline().allows(*pause));
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Whose the version of this number is: ours holds `target` and nothing else.
    ///
    /// # Errors
    /// `unavailable` where it cannot be known any more; what keeps it from being read.
    async fn look(&self, path: &Path, version: u32, target: &Map) -> Result<Whose> {
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
                _ if seen.version == version => return Err(unknown(path, version)),
                _ => {}
            }
            let current = self.read_version(path, None).await?;
            if current.version >= version {
                // It came in between, or is kept no more.
                let again = self.read_version(path, Some(version)).await?;
                if again.version != version {
                    return Err(unknown(path, version));
                }
                continue;
            }
            // A node that does not tell how new its answer is may be behind.
            if self.access.awaited(&path.text()).is_none() || !self.waits(started).await {
                return Ok(Whose::Nobodys);
            }
        }
    }

    /// Deletes exactly the version that `base` is, which holds nothing that is to stay.
    async fn delete(&self, path: &Path, base: &Secret) -> Result<Changed> {
        self.mark("delete", path, base.version).await?;
        let started = Instant::now();
        loop {
            let now = self.read(path).await.map_err(|error| {
                error.context(format!(
                    "{} was deleted, and could not be looked at",
                    path.text()
                ))
            })?;
            match (&now.data, now.version == base.version) {
                (Some(_), false) => return Ok(Changed::Outdated),
                (None, _) => return Ok(Changed::Done(now)),
                (Some(_), true) if self.access.has_index() || !self.waits(started).await => {
                    return Err(Error::invalid_data(format!(
                        "the server said that {} was deleted, and it was not",
                        path.text()
                    )));
                }
                (Some(_), true) => {}
            }
        }
    }
}

fn unknown(path: &Path, version: u32) -> Error {
    Error::unavailable(format!(
        "it is not known whether {} was stored: version {version} is kept no more",
        path.text()
    ))
}

/// What is there now.
fn done_secret(version: u32, target: Map, base: &Secret) -> Secret {
    Secret {
        version,
        data: Some(target),
        beside: wire::Beside {
            custom: base.beside.custom.clone(),
            ..wire::Beside::default()
        },
    }
}

fn done(version: u32, target: Map, base: &Secret) -> Changed {
    Changed::Done(done_secret(version, target, base))
}
