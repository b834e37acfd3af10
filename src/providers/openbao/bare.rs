//! Changing the keys of a path on a mount that keeps no versions: the whole map is read, and written
//! over whatever is there by then.

use std::collections::BTreeMap;

use super::edit::{Done, Edit, same, same_maps, typed, unversioned};
use super::name::Path;
use super::requests::Requests;
use crate::http;
use crate::providers::{exists_already, missing};
use crate::words::batch::Action;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::SecretValue;

/// How often a write is sent again that was not carried out.
const TRIES: usize = 20;

impl Requests {
    /// Carries `edits` of the keys of `path` out.
    pub async fn change_bare(
        &self,
        path: &Path,
        edits: &[Edit],
        results: &mut [Option<Result<Done>>],
    ) -> Result<()> {
        let base = self.read(path).await?.data.unwrap_or_default();
        let mut target = base.clone();
        let mut todo = Vec::new();
        for (at, edit) in edits.iter().enumerate() {
            let there = base.get(&edit.key);
            let result = match &edit.value {
                _ if edit.if_absent => Err(unversioned(&edit.name, "--if-absent")),
                _ if edit.description.is_some() => Err(unversioned(&edit.name, "--description")),
                // All that can be told without versions.
                Some(_) if edit.expected == Some(0) && there.is_some() => {
                    Err(exists_already(&edit.name))
                }
                None if there.is_none() => Err(missing(&edit.name)),
                None => Ok(Action::Deleted),
                Some(value) => Ok(match there {
                    Some(there) if same(there, value) => Action::Unchanged,
                    Some(_) => Action::Updated,
                    None => Action::Created,
                }),
            };
            match (result, &edit.value) {
                (Ok(Action::Unchanged), _) => results[at] = Some(Ok((Action::Unchanged, 0))),
                (Err(error), _) => results[at] = Some(Err(error)),
                (Ok(action), Some(value)) => {
                    target.insert(edit.key.clone(), typed(value));
                    todo.push((at, action));
                }
                (Ok(action), None) => {
                    target.remove(&edit.key);
                    todo.push((at, action));
                }
            }
        }
        if todo.is_empty() {
            return Ok(());
        }
        if base
            .keys()
            .any(|key| edits.iter().all(|edit| edit.key != *key))
        {
            self.tell_of_losses();
        }
        let keys: BTreeMap<&str, Option<&SecretValue>> = target
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value)))
            .collect();
        let mut pauses = http::pauses(TRIES);
        loop {
            let unclear = self.write_bare(path, &keys).await?;
            let now = match self.read(path).await {
                Ok(now) => now.data.unwrap_or_default(),
                Err(error) => {
                    return Err(unclear.unwrap_or(error).context(format!(
                        "{} was written, and could not be read back",
                        path.text()
                    )));
                }
            };
            let is_so = |at: usize| {
                let edit = &edits[at];
                match (&edit.value, now.get(&edit.key)) {
                    (Some(value), Some(there)) => same(there, value),
                    (None, None) => true,
                    _ => false,
                }
            };
            if todo.iter().all(|(at, _)| is_so(*at)) {
                for (at, action) in todo {
                    results[at] = Some(Ok((action, 0)));
                }
                return Ok(());
            }
            let Some(error) = unclear else {
                return Err(Error::conflict(format!(
                    "{} was written, and holds something else than was sent",
                    path.text()
                )));
            };
            // Somebody else's write is nothing to repeat this one over.
            if !same_maps(&now, &base) || error.kind() != Kind::Unavailable {
                return Err(error);
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
}
