//! What every provider keeps to, as cases that run against any store: steered by what the store
//! says it can do, and tied to no server.
//!
//! Whoever runs them brings a [`Subject`] for each case: a store with nothing in it.

use std::fmt::Debug;

use futures_util::future::LocalBoxFuture;

use crate::providers::{Capability, Given};
use crate::store::Store;
use crate::words::batch::{Action, Batch, Filter, Outcome, Selection, Write};
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Name, SecretValue};

/// An empty store that is examined, and what is behind it.
pub trait Subject {
    /// Opens the store anew, as another command would.
    ///
    /// # Errors
    /// What opening it fails with.
    fn open(&self) -> Result<Store>;

    /// A name that the backend takes, another for each number, in the numbers' order below ten.
    /// From 50 on one that holds any bytes, where one can.
    fn name(&self, number: usize) -> String;

    /// What its server has seen until now; `None` where there is no server.
    fn traffic(&self) -> Option<Traffic>;

    /// Stops its server, where it has one.
    fn stop(&self);
}

/// What a server has seen.
pub struct Traffic {
    /// Its base URL.
    pub url: String,
    /// How many requests came.
    pub requests: usize,
    /// How many connections they came on.
    pub connections: usize,
}

/// One thing that a provider keeps to.
pub struct Case {
    /// What it is.
    pub name: &'static str,
    /// What a store must be able to do for it to mean anything.
    pub needs: &'static [Capability],
    run: for<'a> fn(&'a dyn Subject) -> LocalBoxFuture<'a, Result<()>>,
}

impl Case {
    /// Runs it on `subject`; not where the store cannot do what it needs.
    ///
    /// # Errors
    /// What is not as it should be.
    pub async fn run(&self, subject: &dyn Subject) -> Result<()> {
        let store = subject.open()?;
        match self.needs.iter().all(|capability| store.can(*capability)) {
            true => (self.run)(subject).await,
            false => Ok(()),
        }
    }
}

macro_rules! cases {
    ($($name:ident needs $needs:expr;)*) => {
        /// All of them.
        pub const CASES: &[Case] = &[
            $(Case {
                name: stringify!($name),
                needs: &$needs,
                run: |subject| Box::pin($name(subject)),
            }),*
        ];
    };
}

cases! {
    an_empty_store_is_no_failure needs [];
    what_is_written_is_listed needs [];
    what_is_written_is_read_back needs [Capability::Read];
    what_cannot_be_read_back_is_refused_with_a_hint needs [];
    writing_again_updates_and_the_same_value_changes_nothing needs [];
    what_cannot_be_read_back_is_marked_as_the_list_shows_it needs [];
    if_absent_leaves_what_is_there needs [];
    deleting_tells_what_was_there needs [];
    values_keep_every_byte needs [];
    bytes_are_kept_or_refused needs [];
    metadata_is_kept_or_refused_before_anything_is_written needs [];
    types_are_filtered_by_or_refused needs [];
    earlier_versions_come_back needs [Capability::History, Capability::Read];
    a_write_replaces_the_version_that_it_expects needs [Capability::History];
    what_is_offered_is_among_the_capabilities needs [];
    a_batch_goes_in_few_requests_and_on_few_connections needs [];
    a_server_that_is_gone_is_unavailable needs [];
    the_account_is_told_without_a_request_and_login_proves_it needs [];
}

/// Fails unless `holds`.
fn check(holds: bool, what: impl Into<String>) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::failed(what)),
    }
}

/// Fails unless the two are the same; they are names, kinds and counts, and no secrets.
fn same<T: PartialEq + Debug>(actual: T, expected: T, what: &str) -> Result<()> {
    let differ = || format!("{what}: {actual:?}, and not {expected:?}");
    check(actual == expected, differ())
}

fn named(subject: &dyn Subject, number: usize) -> Result<Name> {
    Name::new(subject.name(number))
}

fn write(subject: &dyn Subject, number: usize, value: impl Into<SecretValue>) -> Result<Write> {
    Ok(Write::new(named(subject, number)?, value.into()))
}

/// The values under the numbers.
fn batch(subject: &dyn Subject, values: &[(usize, &str)]) -> Result<Batch> {
    let writes = values.iter().map(|(at, value)| write(subject, *at, *value));
    Ok(Batch {
        writes: writes.collect::<Result<_>>()?,
        if_absent: false,
    })
}

fn one(write: Write) -> Batch {
    Batch {
        writes: vec![write],
        if_absent: false,
    }
}

type Done = Result<Action, Kind>;

/// What was done with each, or the kind of failure.
fn done(outcomes: &[Outcome]) -> Vec<Done> {
    let results = outcomes.iter().map(|outcome| &outcome.result);
    let results = results.map(|result| match result {
        Ok(action) => Ok(*action),
        Err(error) => Err(error.kind()),
    });
    results.collect()
}

/// The failure of a call, or of its only item.
fn failure(result: Result<Vec<Outcome>>) -> Result<Error> {
    let failed = match result {
        Err(error) => Some(error),
        Ok(outcomes) => outcomes.into_iter().find_map(|it| it.result.err()),
    };
    failed.ok_or_else(|| Error::failed("it should have failed"))
}

async fn names(store: &Store) -> Result<Vec<Name>> {
    let entries = store.list(&Filter::default()).await?;
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

async fn value(store: &Store, name: &Name) -> Result<Option<String>> {
    let values = store.read(&Selection::All).await?;
    let text = values.get(name).and_then(SecretValue::expose_str);
    Ok(text.map(str::to_owned))
}

async fn an_empty_store_is_no_failure(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let name = named(subject, 1)?;
    same(names(&store).await?, Vec::new(), "listed")?;
    if store.can(Capability::Read) {
        for selection in [Selection::Names(vec![name.clone()]), Selection::All] {
            same(store.read(&selection).await?.len(), 0, "read")?;
        }
    }
    let outcomes = store.delete(&[name]).await?;
    same(done(&outcomes), vec![Err(Kind::NotFound)], "deleted")
}

async fn what_is_written_is_listed(subject: &dyn Subject) -> Result<()> {
    let (first, second) = (named(subject, 1)?, named(subject, 2)?);
    let written = batch(subject, &[(2, "two"), (1, "one")])?;
    let outcomes = subject.open()?.write(written).await?;
    same(done(&outcomes), vec![Ok(Action::Created); 2], "written")?;
    let told: Vec<&Name> = outcomes.iter().map(|outcome| &outcome.name).collect();
    same(told, vec![&second, &first], "in the order of the batch")?;
    let store = subject.open()?;
    let listed = names(&store).await?;
    same(listed, vec![first, second.clone()], "sorted")?;
    let filter = Filter {
        prefix: Some(second.as_str().to_owned()),
        ..Filter::default()
    };
    let filtered = store.list(&filter).await?.into_iter();
    let filtered: Vec<Name> = filtered.map(|entry| entry.name).collect();
    same(filtered, vec![second], "filtered")
}

async fn what_is_written_is_read_back(subject: &dyn Subject) -> Result<()> {
    let written = batch(subject, &[(1, "one"), (2, "two")])?;
    subject.open()?.write(written).await?;
    let store = subject.open()?;
    let selection = Selection::Names(vec![named(subject, 1)?, named(subject, 9)?]);
    let values = store.read(&selection).await?;
    same(values.len(), 1, "a missing one is simply not there")?;
    let read = value(&store, &named(subject, 1)?).await?;
    same(read.as_deref(), Some("one"), "read")?;
    same(store.read(&Selection::All).await?.len(), 2, "all")
}

async fn what_cannot_be_read_back_is_refused_with_a_hint(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    if store.can(Capability::Read) {
        return Ok(());
    }
    let Err(error) = store.read(&Selection::All).await else {
        return Err(Error::failed("it was read"));
    };
    same(error.kind(), Kind::Unsupported, "refused")?;
    check(error.hint_text().is_some(), "without what to do instead")
}

async fn writing_again_updates_and_the_same_value_changes_nothing(
    subject: &dyn Subject,
) -> Result<()> {
    let store = subject.open()?;
    let write = async |value| -> Result<Vec<Done>> {
        let outcomes = store.write(batch(subject, &[(1, value)])?).await?;
        Ok(done(&outcomes))
    };
    write("old").await?;
    let again = match store.can(Capability::Read) {
        true => Action::Unchanged,
        false => Action::Updated,
    };
    same(write("old").await?, vec![Ok(again)], "the same")?;
    same(write("new").await?, vec![Ok(Action::Updated)], "another")?;
    if store.can(Capability::Read) {
        let read = value(&store, &named(subject, 1)?).await?;
        same(read.as_deref(), Some("new"), "read")?;
    }
    same(names(&store).await?.len(), 1, "listed")
}

async fn what_cannot_be_read_back_is_marked_as_the_list_shows_it(
    subject: &dyn Subject,
) -> Result<()> {
    let store = subject.open()?;
    for value in ["old", "new"] {
        let written = batch(subject, &[(1, value), (2, value)])?;
        let outcomes = store.write(written).await?;
        let listed = store.list(&Filter::default()).await?;
        for (outcome, entry) in outcomes.iter().zip(&listed) {
            check(outcome.mark == entry.mark, "another mark than is listed")?;
            let unmarked = store.can(Capability::Read);
            same(entry.mark.is_none(), unmarked, "unmarked")?;
        }
    }
    Ok(())
}

async fn if_absent_leaves_what_is_there(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    store.write(batch(subject, &[(1, "kept")])?).await?;
    let mut other = batch(subject, &[(1, "other"), (2, "new")])?;
    other.if_absent = true;
    let outcomes = store.write(other).await?;
    let expected = vec![Err(Kind::Conflict), Ok(Action::Created)];
    same(done(&outcomes), expected, "written")?;
    if store.can(Capability::Read) {
        let read = value(&store, &named(subject, 1)?).await?;
        same(read.as_deref(), Some("kept"), "read")?;
    }
    Ok(())
}

async fn deleting_tells_what_was_there(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let written = batch(subject, &[(0, "v"), (1, "v"), (2, "v")])?;
    store.write(written).await?;
    let doomed = [named(subject, 2)?, named(subject, 9)?, named(subject, 0)?];
    let outcomes = store.delete(&doomed).await?;
    let expected = vec![
        Ok(Action::Deleted),
        Err(Kind::NotFound),
        Ok(Action::Deleted),
    ];
    same(done(&outcomes), expected, "deleted")?;
    same(names(&store).await?, vec![named(subject, 1)?], "left")
}

async fn values_keep_every_byte(subject: &dyn Subject) -> Result<()> {
    let long = "x".repeat(50_000);
    let texts = [
        "plain",
        " spaces around ",
        "line\nline\r\nline\n",
        "quotes \" ' ` and \\ and $VAR ${VAR} $(cmd)",
        "größe ☃ 🦀 \u{202e}",
        "\u{1}\u{7f}\t",
        "{\"json\":[1,2]}",
        "null",
        "42",
        &long,
    ];
    let store = subject.open()?;
    let numbered: Vec<(usize, &str)> = texts.into_iter().enumerate().collect();
    let outcomes = store.write(batch(subject, &numbered)?).await?;
    let expected = vec![Ok(Action::Created); texts.len()];
    same(done(&outcomes), expected, "written")?;
    if store.can(Capability::Read) {
        let values = store.read(&Selection::All).await?;
        for (at, text) in numbered {
            let read = values.get(&named(subject, at)?);
            let read = read.and_then(SecretValue::expose_str);
            same(read, Some(text), "read")?;
        }
    }
    Ok(())
}

async fn bytes_are_kept_or_refused(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let bytes = SecretValue::new(vec![0xff, 0, 0xfe]);
    let mut batch = batch(subject, &[(49, "before"), (51, "after")])?;
    let odd = write(subject, 50, bytes.clone())?;
    batch.writes.insert(1, odd);
    let outcomes = store.write(batch).await?;
    let name = named(subject, 50)?;
    let of_bytes = match store.can(Capability::Binary) {
        true => Ok(Action::Created),
        false => Err(Kind::InvalidData),
    };
    // It is its own trouble alone.
    let created = Ok(Action::Created);
    same(done(&outcomes), vec![created, of_bytes, created], "written")?;
    if let Some(Err(error)) = outcomes.get(1).map(|outcome| &outcome.result) {
        let told = error.message().contains(name.as_str());
        return check(told, "it does not name the secret");
    }
    let read = store.value(&name).await?;
    check(read == bytes, "other bytes were read back")
}

async fn metadata_is_kept_or_refused_before_anything_is_written(
    subject: &dyn Subject,
) -> Result<()> {
    let store = subject.open()?;
    let mut described = write(subject, 1, "v")?;
    described.metadata.description = Some("what it is for".to_owned());
    let mut expiring = write(subject, 2, "v")?;
    expiring.metadata.expires_at = "2030-01-01T00:00:00Z".parse().ok();
    let mut attributed = write(subject, 3, "v")?;
    let attribute = ("accessKey".to_owned(), "a".to_owned());
    attributed.metadata.attributes.extend([attribute]);
    let mut there = 0;
    for (write, capability) in [
        (described, Capability::Describe),
        (expiring, Capability::Expiry),
        (attributed, Capability::Attributes),
    ] {
        let result = store.write(one(write)).await;
        if store.can(capability) {
            there += 1;
            same(done(&result?), vec![Ok(Action::Created)], "written")?;
        } else {
            same(failure(result)?.kind(), Kind::Unsupported, "refused")?;
        }
        let listed = store.list(&Filter::default()).await?;
        same(listed.len(), there, "listed")?;
    }
    Ok(())
}

async fn types_are_filtered_by_or_refused(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let filter = Filter {
        secret_type: Some("no-such-type".to_owned()),
        ..Filter::default()
    };
    match store.list(&filter).await {
        Ok(listed) => {
            check(store.can(Capability::Types), "a type was let through")?;
            same(listed.len(), 0, "listed")
        }
        Err(error) => {
            check(!store.can(Capability::Types), error.message())?;
            same(error.kind(), Kind::Unsupported, "refused")
        }
    }
}

async fn earlier_versions_come_back(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let name = named(subject, 1)?;
    store.write(batch(subject, &[(1, "old")])?).await?;
    store.write(batch(subject, &[(1, "new")])?).await?;
    let versions = store.history(&name).await?;
    let numbers: Vec<u32> = versions.iter().map(|version| version.number).collect();
    same(numbers.len(), 2, "versions")?;
    check(numbers.first() > numbers.last(), "not the newest first")?;
    let current: Vec<bool> = versions.iter().map(|version| version.current).collect();
    same(current, vec![true, false], "current")?;
    let restored = store.restore(&name, None).await?;
    same(Some(&restored.from), numbers.last(), "restored")?;
    let read = value(&store, &name).await?;
    same(read.as_deref(), Some("old"), "read")?;
    let absent = store.history(&named(subject, 9)?).await;
    let kind = absent.err().map(|error| error.kind());
    same(kind, Some(Kind::NotFound), "of none")
}

async fn a_write_replaces_the_version_that_it_expects(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    store.write(batch(subject, &[(1, "old")])?).await?;
    let listed = store.list(&Filter::default()).await?;
    let seen = listed.first().and_then(|entry| entry.version);
    check(seen.is_some(), "the list tells no version")?;
    let over = async |value: &str| -> Result<Vec<Done>> {
        let mut write = write(subject, 1, value)?;
        write.expected = seen;
        Ok(done(&store.write(one(write)).await?))
    };
    same(over("new").await?, vec![Ok(Action::Updated)], "expected")?;
    let late = over("late").await?;
    same(late, vec![Err(Kind::Conflict)], "no longer expected")?;
    // 0 is none.
    let mut batch = batch(subject, &[(1, "late"), (2, "new")])?;
    for write in &mut batch.writes {
        write.expected = Some(0);
    }
    let outcomes = store.write(batch).await?;
    let expected = vec![Err(Kind::Conflict), Ok(Action::Created)];
    same(done(&outcomes), expected, "none expected")?;
    let names = vec![named(subject, 1)?, named(subject, 2)?, named(subject, 9)?];
    let reading = store.read_counted(&Selection::Names(names.clone())).await?;
    let expected: Vec<Option<u32>> = names.iter().map(|name| reading.expected(name)).collect();
    let listed = store.list(&Filter::default()).await?;
    let versions = listed.iter().map(|entry| entry.version);
    let versions: Vec<Option<u32>> = versions.chain([Some(0)]).collect();
    same(expected, versions, "read with their versions")
}

async fn what_is_offered_is_among_the_capabilities(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let refused =
        |error: Option<Error>| error.is_some_and(|error| error.kind() == Kind::Unsupported);
    let history = store.history(&named(subject, 1)?).await.err();
    same(
        !refused(history),
        store.can(Capability::History),
        "offers history",
    )?;
    let groups = store.groups("it").err();
    same(
        !refused(groups),
        store.can(Capability::Groups),
        "offers groups",
    )
}

async fn a_batch_goes_in_few_requests_and_on_few_connections(subject: &dyn Subject) -> Result<()> {
    let store = subject.open()?;
    let values: Vec<(usize, &str)> = (0..60).map(|number| (number, "v")).collect();
    let outcomes = store.write(batch(subject, &values)?).await?;
    same(done(&outcomes), vec![Ok(Action::Created); 60], "written")?;
    same(names(&store).await?.len(), 60, "listed")?;
    let Some(seen) = subject.traffic() else {
        return Ok(());
    };
    let many = store.can(Capability::BulkWrite) && seen.requests > 8;
    check(!many, format!("{} requests", seen.requests))?;
    let count = seen.connections;
    check(count <= 16, format!("{count} connections"))
}

async fn a_server_that_is_gone_is_unavailable(subject: &dyn Subject) -> Result<()> {
    if subject.traffic().is_none() {
        return Ok(());
    }
    names(&subject.open()?).await?;
    subject.stop();
    let store = subject.open()?;
    let listed = names(&store).await.err().map(|error| error.kind());
    same(listed, Some(Kind::Unavailable), "listed")?;
    let error = failure(store.write(batch(subject, &[(1, "canary-value")])?).await)?;
    same(error.kind(), Kind::Unavailable, "written")?;
    let told = format!("{error:?}").contains("canary-value");
    check(!told, "the error tells the value")
}

async fn the_account_is_told_without_a_request_and_login_proves_it(
    subject: &dyn Subject,
) -> Result<()> {
    let store = subject.open()?;
    let requests = || subject.traffic().map(|seen| seen.requests);
    let account = store.account().await?;
    check(!account.url.is_empty(), "it has no address")?;
    check(requests().is_none_or(|count| count == 0), "it was asked")?;
    let account = store.login(&Given::new()).await?;
    if let Some(seen) = subject.traffic() {
        same(account.url, seen.url, "its address")?;
        check(seen.requests > 0, "nobody was asked")?;
    }
    store.logout().await.map(drop)
}
