//! One suite that every provider passes: the same tests over a strict server each, steered by what
//! the provider says it can do.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use keyfob::testing::Keyring;
use keyfob::testing::Sessions;
use keyfob::testing::Store;
use keyfob::testing::TokenCache;
use keyfob::testing::{
    Action, Batch, Capability, Filter, Metadata, NoProgress, Outcome, Selection, Services, Write,
    registry,
};
use keyfob::testing::{Config, LoadOptions};
use keyfob::testing::{Deadline, Http};
use keyfob::testing::{Environment, Folders};
use keyfob::testing::{Error, Kind};
use keyfob::testing::{Name, SecretValue, StoreName};
use serde_json::json;

use crate::support::home::Home;
use crate::support::servers::{
    ByteNite, Neo, Northflank, Nosana, Server, bytenite, neo, northflank,
};
use crate::support::solana::Keypair;

/// A store to be tested, and what keeps it alive.
struct Subject {
    provider: &'static str,
    /// What configures it, by field.
    variables: Vec<(String, String)>,
    /// The name that this backend gives to the secret of this number.
    name: fn(usize) -> String,
    /// What a write must name besides the value.
    metadata: fn() -> Metadata,
    /// Its server, where it has one.
    server: Option<Box<dyn AsServer>>,
    home: Home,
}

/// A server of any backend.
trait AsServer: Any {
    fn server(&self) -> &Server;
}

impl<T: std::ops::Deref<Target = Server> + 'static> AsServer for T {
    fn server(&self) -> &Server {
        self
    }
}

impl Subject {
    fn local() -> Self {
        Self {
            provider: "local",
            variables: Vec::new(),
            name: |number| format!("name {number}/ü"),
            metadata: Metadata::default,
            server: None,
            home: Home::new(),
        }
    }

    fn nosana() -> Self {
        let server = Nosana::start();
        Self {
            provider: "nosana",
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("KEYPAIR".to_owned(), Keypair::new(1).json()),
            ],
            name: |number| format!("name {number}/ü"),
            metadata: Metadata::default,
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn northflank() -> Self {
        let server = Northflank::start();
        server.groups().put_variables("Api Env", json!({}));
        Self {
            provider: "northflank",
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("PROJECT".to_owned(), northflank::PROJECT.to_owned()),
                ("GROUP".to_owned(), "api-env".to_owned()),
                ("API_TOKEN".to_owned(), northflank::API_TOKEN.to_owned()),
            ],
            // A file holds any bytes, a variable text.
            name: |number| match number {
                50.. => format!("/files/{number}"),
                _ => format!("db/KEY-{number}"),
            },
            metadata: Metadata::default,
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn bytenite() -> Self {
        let server = ByteNite::start();
        Self {
            provider: "bytenite",
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("API_KEY".to_owned(), bytenite::API_KEY.to_owned()),
            ],
            name: |number| format!("s3/name {number}/ü"),
            metadata: Metadata::default,
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn neo() -> Self {
        let server = Neo::start();
        Self {
            provider: "neo",
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("API_KEY".to_owned(), neo::API_KEY.to_owned()),
            ],
            name: |number| format!("name {number}/ü"),
            metadata: Metadata::default,
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    /// Every provider of the registry.
    fn all() -> Vec<Self> {
        vec![
            Self::local(),
            Self::nosana(),
            Self::bytenite(),
            Self::northflank(),
            Self::neo(),
        ]
    }

    fn open(&self) -> Store {
        self.open_with(&[])
    }

    fn open_with(&self, overrides: &[(&str, &str)]) -> Store {
        let prefix = format!("KEYFOB_{}_", self.provider.to_uppercase());
        let own = self
            .variables
            .iter()
            .map(|(field, text)| (format!("{prefix}{field}"), text.clone()));
        let overrides = overrides
            .iter()
            .map(|(field, text)| (format!("{prefix}{field}"), (*text).to_owned()));
        let home = [("HOME".to_owned(), self.home.home().display().to_string())];
        let env = Environment::from_vars(own.chain(overrides).chain(home), self.home.work());
        let folders = Folders {
            config: self.home.config(),
            data: self.home.data(),
            cache: self.home.root().join("cache/keyfob"),
            patience: Folders::PATIENCE,
        };
        let config = Config::load(&LoadOptions {
            env: &env,
            folders: &folders,
            explicit: None,
            schemas: registry::SCHEMAS,
        })
        .expect("a good configuration");
        let deadline = Rc::new(Deadline::after(Some(Duration::from_secs(4))));
        let keyring = Keyring::default();
        let services = Services {
            http: Http::new(deadline, Rc::new(|_| ())),
            sessions: Sessions::new(TokenCache::default(), None),
            keyring,
            withheld: BTreeSet::new(),
            env,
            folders,
            progress: Rc::new(NoProgress),
            notice: Arc::new(|_| ()),
            wait: None,
        };
        let name = StoreName::new(self.provider).expect("a store name");
        Store::open(&name, &config, &Rc::new(services)).expect("a store that opens")
    }

    fn named(&self, number: usize) -> Name {
        Name::new((self.name)(number)).expect("a name")
    }

    fn write(&self, number: usize, value: impl Into<SecretValue>) -> Write {
        Write {
            name: self.named(number),
            value: value.into(),
            metadata: (self.metadata)(),
        }
    }
}

/// Runs `test` on every provider, and says which one it was that failed.
fn for_all<F: Future<Output = ()>>(test: impl Fn(Rc<Subject>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let subjects = Subject::all();
    let tested: Vec<&str> = subjects.iter().map(|subject| subject.provider).collect();
    let known: Vec<&str> = registry::PROVIDERS.iter().map(|spec| spec.name()).collect();
    assert_eq!(tested, known, "every provider passes the suite");
    let at = RefCell::new("");
    for subject in subjects {
        at.replace(subject.provider);
        eprintln!("provider: {}", at.borrow());
        runtime.block_on(test(Rc::new(subject)));
    }
}

fn batch(writes: Vec<Write>) -> Batch {
    Batch {
        writes,
        if_absent: false,
    }
}

fn actions(outcomes: &[Outcome]) -> Vec<Result<Action, Kind>> {
    outcomes
        .iter()
        .map(|outcome| outcome.result.clone().map_err(|error| error.kind()))
        .collect()
}

async fn names(provider: &Store) -> Vec<Name> {
    let entries = provider.list(&Filter::default()).await.expect("a list");
    entries.into_iter().map(|entry| entry.name).collect()
}

fn can(store: &Store, capability: Capability) -> bool {
    store.can(capability)
}

#[test]
fn an_empty_store_is_no_failure() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        assert_eq!(names(provider).await, Vec::<Name>::new());
        if can(&store, Capability::Read) {
            let selection = Selection::Names(vec![subject.named(1)]);
            assert!(provider.read(&selection).await.expect("a read").is_empty());
            assert!(
                provider
                    .read(&Selection::All)
                    .await
                    .expect("a read")
                    .is_empty()
            );
        }
        let outcomes = provider
            .delete(&[subject.named(1)])
            .await
            .expect("outcomes");
        assert_eq!(actions(&outcomes), [Err(Kind::NotFound)]);
    });
}

#[test]
fn what_is_written_is_listed_and_read_back() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let writes = vec![subject.write(2, "two"), subject.write(1, "one")];
        let outcomes = provider.write(batch(writes)).await.expect("outcomes");
        assert_eq!(
            actions(&outcomes),
            [Ok(Action::Created), Ok(Action::Created)]
        );
        assert_eq!(
            outcomes[0].name,
            subject.named(2),
            "in the order of the batch"
        );
        let store = subject.open();
        let provider = &store;
        assert_eq!(
            names(provider).await,
            [subject.named(1), subject.named(2)],
            "sorted"
        );
        let filter = Filter {
            prefix: Some(subject.named(2).to_string()),
            secret_type: None,
        };
        let filtered = provider.list(&filter).await.expect("a list");
        assert_eq!(filtered.len(), 1);
        assert_eq!(filtered[0].name, subject.named(2));
        let selection = Selection::Names(vec![subject.named(1), subject.named(9)]);
        match provider.read(&selection).await {
            Ok(values) => {
                assert!(can(&store, Capability::Read));
                assert_eq!(values.len(), 1, "a missing one is simply not there");
                assert_eq!(values[&subject.named(1)].expose(), b"one");
                assert_eq!(provider.read(&Selection::All).await.expect("all").len(), 2);
            }
            Err(error) => {
                assert!(!can(&store, Capability::Read));
                assert_eq!(error.kind(), Kind::Unsupported);
                assert!(
                    error.hint_text().is_some(),
                    "it says what can be done instead"
                );
            }
        }
    });
}

#[test]
fn writing_again_updates_and_the_same_value_changes_nothing() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let write = |value: &str| batch(vec![subject.write(1, value)]);
        provider.write(write("old")).await.expect("outcomes");
        let again = actions(&provider.write(write("old")).await.expect("outcomes"));
        if can(&store, Capability::Read) {
            assert_eq!(again, [Ok(Action::Unchanged)]);
        } else {
            assert_eq!(again, [Ok(Action::Updated)]);
        }
        let updated = actions(&provider.write(write("new")).await.expect("outcomes"));
        assert_eq!(updated, [Ok(Action::Updated)]);
        if can(&store, Capability::Read) {
            let values = provider.read(&Selection::All).await.expect("a read");
            assert_eq!(values[&subject.named(1)].expose(), b"new");
        }
        assert_eq!(names(provider).await.len(), 1);
    });
}

#[test]
fn what_cannot_be_read_back_is_marked_as_the_list_shows_it() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        for value in ["old", "new"] {
            let writes = vec![subject.write(1, value), subject.write(2, value)];
            let outcomes = provider.write(batch(writes)).await.expect("outcomes");
            let listed = provider.list(&Filter::default()).await.expect("a list");
            for (outcome, entry) in outcomes.iter().zip(&listed) {
                assert_eq!(outcome.mark, entry.mark);
                assert_eq!(entry.mark.is_none(), can(&store, Capability::Read));
            }
        }
    });
}

#[test]
fn if_absent_leaves_what_is_there() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        provider
            .write(batch(vec![subject.write(1, "kept")]))
            .await
            .expect("outcomes");
        let outcomes = provider
            .write(Batch {
                writes: vec![subject.write(1, "other"), subject.write(2, "new")],
                if_absent: true,
            })
            .await
            .expect("outcomes");
        assert_eq!(
            actions(&outcomes),
            [Err(Kind::Conflict), Ok(Action::Created)]
        );
        if can(&store, Capability::Read) {
            let values = provider.read(&Selection::All).await.expect("a read");
            assert_eq!(values[&subject.named(1)].expose(), b"kept");
        }
    });
}

#[test]
fn deleting_tells_what_was_there() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let writes = (0..3).map(|number| subject.write(number, "v")).collect();
        provider.write(batch(writes)).await.expect("outcomes");
        let doomed = [subject.named(2), subject.named(9), subject.named(0)];
        let outcomes = provider.delete(&doomed).await.expect("outcomes");
        assert_eq!(
            actions(&outcomes),
            [
                Ok(Action::Deleted),
                Err(Kind::NotFound),
                Ok(Action::Deleted)
            ]
        );
        assert_eq!(names(provider).await, [subject.named(1)]);
    });
}

#[test]
fn values_keep_every_byte_or_are_refused() {
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
    ];
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let long = "x".repeat(50_000);
        let texts: Vec<&str> = texts.into_iter().chain([long.as_str()]).collect();
        let writes = (0..texts.len())
            .map(|at| subject.write(at, texts[at]))
            .collect();
        for outcome in provider.write(batch(writes)).await.expect("outcomes") {
            assert_eq!(outcome.result.expect("success"), Action::Created);
        }
        if can(&store, Capability::Read) {
            let values = provider.read(&Selection::All).await.expect("a read");
            for (at, text) in texts.iter().enumerate() {
                assert_eq!(values[&subject.named(at)].expose_str(), Some(*text));
            }
        }
        let binary = Write {
            value: SecretValue::new(vec![0xff, 0, 0xfe]),
            ..subject.write(50, "")
        };
        let result = provider.write(batch(vec![binary])).await;
        if can(&store, Capability::Binary) {
            assert_eq!(actions(&result.expect("outcomes")), [Ok(Action::Created)]);
        } else {
            let error = failure(result);
            assert_eq!(error.kind(), Kind::Unsupported, "{error}");
            assert!(
                error.message().contains(subject.named(50).as_str()),
                "it names the secret"
            );
        }
    });
}

/// The failure of a call, or of its only item.
fn failure(result: Result<Vec<Outcome>, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(outcomes) => outcomes[0].result.clone().expect_err("a failure"),
    }
}

#[test]
fn metadata_is_kept_or_refused_before_anything_is_written() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let described = Write {
            metadata: Metadata {
                description: Some("what it is for".to_owned()),
                ..(subject.metadata)()
            },
            ..subject.write(1, "v")
        };
        let result = provider.write(batch(vec![described])).await;
        if can(&store, Capability::Describe) {
            assert_eq!(actions(&result.expect("outcomes")), [Ok(Action::Created)]);
        } else {
            assert_eq!(failure(result).kind(), Kind::Unsupported);
            assert!(names(provider).await.is_empty());
        }
        if !can(&store, Capability::Expiry) {
            let expiring = Write {
                metadata: Metadata {
                    expires_at: Some("2030-01-01T00:00:00Z".parse().expect("a time")),
                    ..(subject.metadata)()
                },
                ..subject.write(2, "v")
            };
            let result = provider.write(batch(vec![expiring])).await;
            assert_eq!(failure(result).kind(), Kind::Unsupported);
        }
    });
}

#[test]
fn a_batch_goes_in_few_requests_where_the_backend_takes_many_at_once() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let provider = &store;
        let writes = (0..60).map(|number| subject.write(number, "v")).collect();
        let outcomes = provider.write(batch(writes)).await.expect("outcomes");
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        assert_eq!(names(provider).await.len(), 60);
        if let Some(server) = &subject.server {
            let server = server.server();
            if can(&store, Capability::BulkWrite) {
                assert!(server.requests().len() <= 8, "{:?}", server.asked());
            }
            assert!(
                server.connections() <= 16,
                "{} connections",
                server.connections()
            );
        }
    });
}

#[test]
fn a_server_that_is_gone_is_unavailable_and_one_that_refuses_says_so() {
    for_all(async |subject: Rc<Subject>| {
        let Some(server) = &subject.server else {
            return;
        };
        let store = subject.open();
        store.list(&Filter::default()).await.expect("a list");
        server.server().stop();
        let store = subject.open();
        let error = store
            .list(&Filter::default())
            .await
            .expect_err("nobody is there");
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        let error = failure(
            store
                .write(batch(vec![subject.write(1, "canary-value")]))
                .await,
        );
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(!format!("{error:?}").contains("canary-value"));
    });
}

#[test]
fn the_account_is_told_without_a_request_and_login_proves_it() {
    for_all(async |subject: Rc<Subject>| {
        let store = subject.open();
        let account = store.account().await.expect("an account");
        assert!(!account.url.is_empty());
        if let Some(server) = &subject.server {
            assert!(server.server().requests().is_empty(), "nobody was asked");
        }
        let account = store.login(&BTreeMap::new()).await.expect("a login");
        if let Some(server) = &subject.server {
            assert_eq!(account.url, server.server().url());
            assert!(!server.server().requests().is_empty(), "somebody was asked");
        }
        store.logout().await.expect("a logout");
    });
}
