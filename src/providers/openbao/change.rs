//! Changing the keys of one path: decided on what was read, carried out only on top of that, and
//! looked at afterwards.
//!
//! A write names the version that it stands on. Where another is the current one by now, all is
//! decided anew, a few times; where no answer came, the version that the write would have made tells
//! whether it was carried out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::name::Path;
use super::requests::{Data, Requests, Wrote};
use super::wire::{self, Map, Secret};
use crate::http::{self, Deadline};
use crate::providers::{exists_already, missing};
use crate::words::batch::Action;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Form, Name, SecretValue};

/// How often all is decided anew, as somebody else was faster.
const ROUNDS: usize = 30;

/// How often a write is sent again that was not carried out.
const TRIES: usize = 20;

/// How many keys one request changes: with their values they are less than the thousand strings that
/// the server reads.
const KEYS: usize = 400;

/// How many strings, where values are JSON that holds more than one.
const STRINGS: usize = 900;

/// How many bytes: a version holds one MiB.
const BYTES: usize = 900 * 1024;

/// The key of what people say of the whole path.
pub const DESCRIPTION: &str = "description";

/// The key of what people say of one key.
pub fn description_of(key: &str) -> String {
    format!("{DESCRIPTION}:{key}")
}

/// What is to become of one key.
pub struct Edit {
    /// The secret, for messages.
    pub name: Name,
    /// The key.
    pub key: String,
    /// Its new value; `None` where it is to go.
    pub value: Option<SecretValue>,
    /// What is to be said of it.
    pub description: Option<String>,
    /// The version in which it was seen as it must still be; 0 where it must not be there.
    pub expected: Option<u32>,
    /// Whether it must not be there.
    pub if_absent: bool,
}

/// What was done with one key, and the version that has it so.
pub type Done = (Action, u32);

/// What of an edit is to be done, over what was read.
struct Decided {
    action: Action,
    stores: bool,
    describes: bool,
}

/// What became of a change of the map.
enum Changed {
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

/// Whether two values are the same to the server: JSON is, whatever its writing.
fn same(one: &SecretValue, other: &SecretValue) -> bool {
    if one.form() == Form::Json && other.form() == Form::Json {
        let read = |value: &SecretValue| serde_json::from_slice(value.expose()).ok();
        return read(one).map(in_doubles) == read(other).map(in_doubles);
    }
    one == other
}

/// Numbers as the server keeps them.
fn in_doubles(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(items) => items.into_iter().map(in_doubles).collect(),
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, in_doubles(value)))
            .collect(),
        other => other,
    }
}

fn same_maps(one: &Map, other: &Map) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|((key, value), (other_key, other))| key == other_key && same(value, other))
}

impl Requests {
    /// Carries `edits` of the keys of `path` out: a result for each, in their order.
    pub async fn change(&self, path: &Path, edits: &[Edit]) -> Vec<Result<Done>> {
        let mut results: Vec<Option<Result<Done>>> = edits.iter().map(|_| None).collect();
        let rest = match self.keeps_versions().await {
            Ok(true) => self.change_versions(path, edits, &mut results).await,
            Ok(false) => self.change_bare(path, edits, &mut results).await,
            Err(error) => Err(error),
        };
        let error = rest.err().unwrap_or_else(|| {
            Error::conflict("others have changed the same path again and again")
                .hint("nothing of this was stored; try again")
        });
        let results = results.into_iter();
        results
            .map(|result| result.unwrap_or_else(|| Err(error.clone())))
            .collect()
    }

    async fn change_versions(
        &self,
        path: &Path,
        edits: &[Edit],
        results: &mut [Option<Result<Done>>],
    ) -> Result<()> {
        let mut pauses = http::pauses(ROUNDS);
        loop {
            let (base, is_blind) = match self.read(path).await {
                Ok(base) => (base, false),
                // Who may only create can do so where nothing is.
                Err(error) if may_be_created(&error, edits) => (Secret::default(), true),
                Err(error) => return Err(error),
            };
            let mut decided = BTreeMap::new();
            for (at, edit) in edits.iter().enumerate() {
                if results[at].is_some() {
                    continue;
                }
                match self.decide(path, &base, edit).await {
                    Ok(Some(todo)) => drop(decided.insert(at, todo)),
                    Ok(None) => results[at] = Some(Ok((Action::Unchanged, base.version))),
                    Err(error) => results[at] = Some(Err(error)),
                }
            }
            if decided.is_empty() {
                return Ok(());
            }
            let stored: Vec<usize> = decided
                .iter()
                .filter(|(_, todo)| todo.stores)
                .map(|(at, _)| *at)
                .collect();
            let mut current = base;
            let mut outdated = false;
            for chunk in chunks(edits, &stored) {
                match self.store(path, &current, edits, &chunk, is_blind).await {
                    Ok(Changed::Done(now)) => {
                        if now.version > current.version {
                            let keys = chunk.iter().map(|at| edits[*at].key.clone());
                            self.note_own(path, now.version, keys.collect());
                        }
                        for at in &chunk {
                            let action = decided[at].action;
                            results[*at] = Some(Ok((action, now.version)));
                        }
                        current = now;
                    }
                    Ok(Changed::Outdated) if is_blind => {
                        return Err(Error::forbidden(format!(
                            "{} is there already, and may not be read",
                            path.text()
                        ))
                        .hint("the token may create, and neither read nor change"));
                    }
                    Ok(Changed::Outdated) => {
                        outdated = true;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            let said: Vec<usize> = decided
                .iter()
                .filter(|(at, todo)| todo.describes && (!todo.stores || results[**at].is_some()))
                .map(|(at, _)| *at)
                .collect();
            if !said.is_empty() {
                self.say(path, &current, edits, &said, &decided, results)
                    .await;
            }
            if !outdated {
                return Ok(());
            }
            let pause = pauses
                .next()
                .filter(|pause| self.deadline().allows(*pause / 4));
            match pause {
                Some(pause) => tokio::time::sleep(pause / 4).await,
                None => return Ok(()),
            }
        }
    }

    fn deadline(&self) -> &Deadline {
        self.access.endpoint.services.http.deadline()
    }

    /// What is to be done of `edit` over what was read; `None` where all is as wanted.
    async fn decide(&self, path: &Path, base: &Secret, edit: &Edit) -> Result<Option<Decided>> {
        let there = base.data.as_ref().and_then(|data| data.get(&edit.key));
        if there.is_some() && edit.if_absent {
            return Err(exists_already(&edit.name));
        }
        if let Some(expected) = edit.expected
            && !self.is_as_expected(path, base, edit, expected).await?
        {
            return Err(Error::conflict(match (expected, there) {
                (0, _) => format!("{} was made by somebody else in the meantime", edit.name),
                (_, None) => format!("{} is gone, and was there in version {expected}", edit.name),
                _ => format!(
                    "{} has another value than in version {expected}: its path is at version {} already",
                    edit.name, base.version
                ),
            }));
        }
        let Some(value) = &edit.value else {
            return match there {
                Some(_) => Ok(Some(Decided {
                    action: Action::Deleted,
                    stores: true,
                    describes: base.beside.custom.contains_key(&description_of(&edit.key)),
                })),
                None => Err(missing(&edit.name)),
            };
        };
        let stores = !there.is_some_and(|there| same(there, value));
        let said = base.beside.custom.get(&description_of(&edit.key));
        let describes = match &edit.description {
            Some(text) => said.map(String::as_str).unwrap_or_default() != text,
            None => false,
        };
        let action = match there {
            Some(_) => Action::Updated,
            None => Action::Created,
        };
        Ok((stores || describes).then_some(Decided {
            action,
            stores,
            describes,
        }))
    }

    /// Whether the key is as it was in the version `expected`: what happened to other keys of the
    /// path is no conflict.
    async fn is_as_expected(
        &self,
        path: &Path,
        base: &Secret,
        edit: &Edit,
        expected: u32,
    ) -> Result<bool> {
        let of = |secret: &Secret| {
            let data = secret.data.as_ref();
            data.and_then(|data| data.get(&edit.key)).cloned()
        };
        let there = of(base);
        if expected == 0 {
            return Ok(there.is_none());
        }
        if expected == base.version {
            return Ok(true);
        }
        let before = self.read_version(path, Some(expected)).await?;
        // One that is kept no more cannot be compared with.
        Ok(match (before.data.is_some(), of(&before), there) {
            (true, Some(before), Some(there)) => same(&before, &there),
            (true, None, None) => true,
            _ => false,
        })
    }

    /// Brings the keys of the edits `chunk` into the map that `base` has.
    async fn store(
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
                        crate::providers::bulk::tell_of_unseen(
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
            let pause = pauses.next().filter(|pause| self.deadline().allows(*pause));
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

    /// Says of the edits `said` what is to be said of them.
    async fn say(
        &self,
        path: &Path,
        current: &Secret,
        edits: &[Edit],
        said: &[usize],
        decided: &BTreeMap<usize, Decided>,
        results: &mut [Option<Result<Done>>],
    ) {
        let mut custom = BTreeMap::new();
        for edit in said.iter().map(|at| &edits[*at]) {
            let text = edit.description.clone().filter(|text| !text.is_empty());
            custom.insert(description_of(&edit.key), text);
        }
        let mut described = self.describe(path, &custom).await;
        if described.is_ok() {
            described = self.is_said(path, &custom).await;
        }
        for at in said {
            let todo = &decided[at];
            results[*at] = Some(match (&described, edits[*at].value.is_some()) {
                (Ok(()), _) => Ok((todo.action, current.version)),
                // What is left of it says nothing of any secret.
                (Err(_), false) => Ok((todo.action, current.version)),
                (Err(error), true) => Err(error.clone().context(match todo.stores {
                    true => format!("{} is stored, and its description is not", edits[*at].name),
                    false => format!("{} is not described", edits[*at].name),
                })),
            });
        }
    }

    /// Looks whether it is said.
    async fn is_said(&self, path: &Path, custom: &BTreeMap<String, Option<String>>) -> Result<()> {
        let started = Instant::now();
        loop {
            let now = self.read(path).await?;
            let is_so = custom
                .iter()
                .all(|(key, text)| now.beside.custom.get(key) == text.as_ref());
            if is_so || now.version == 0 {
                return Ok(());
            }
            if self.access.has_index() || !self.waits(started).await {
                return Err(Error::invalid_data(
                    "the server said that it was described, and it was not",
                ));
            }
        }
    }

    // ---- without versions ----

    async fn change_bare(
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
            let pause = pauses.next().filter(|pause| self.deadline().allows(*pause));
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }
}

/// The error for what only a mount that keeps versions can do.
pub fn unversioned(name: &Name, what: &str) -> Error {
    Error::unsupported(format!(
        "{what} is not supported for {name}: its mount is of version 1, which keeps no versions"
    ))
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

/// The value as it is on the server, where nothing is without a type.
fn typed(value: &SecretValue) -> SecretValue {
    match value.form() {
        Form::Plain => value.clone().in_form(Form::String),
        Form::String | Form::Json => value.clone(),
    }
}

/// Whether what may not be read may still be created.
fn may_be_created(error: &Error, edits: &[Edit]) -> bool {
    let creates = |edit: &Edit| edit.value.is_some() && edit.expected.is_none_or(|it| it == 0);
    error.kind() == Kind::Forbidden
        && error.cause() == crate::words::error::Cause::Refused
        && edits.iter().all(creates)
}

/// The edits `which`, parted so that each part is one request that the server takes.
fn chunks(edits: &[Edit], which: &[usize]) -> Vec<Vec<usize>> {
    let mut chunks: Vec<Vec<usize>> = Vec::new();
    let (mut strings, mut bytes) = (0, 0);
    for at in which {
        let value = edits[*at].value.as_ref();
        let its_strings = 1 + value.map_or(1, wire::strings_in);
        let its_bytes = edits[*at].key.len() + value.map_or(4, SecretValue::len);
        let fits = chunks.last().is_some_and(|chunk| chunk.len() < KEYS)
            && strings + its_strings <= STRINGS
            && bytes + its_bytes <= BYTES;
        match chunks.last_mut().filter(|_| fits) {
            Some(chunk) => chunk.push(*at),
            None => {
                chunks.push(vec![*at]);
                (strings, bytes) = (0, 0);
            }
        }
        strings += its_strings;
        bytes += its_bytes;
    }
    chunks
}
