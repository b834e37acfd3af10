//! One suite that every provider passes: the cases of [`conformance`] over a strict server each,
//! steered by what the provider says it can do. The last provider is none of the registry's: it
//! shows that a folder and a line are all that one is.

mod memory;

use std::any::Any;
#[cfg(unix)]
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use keyfob::testing::conformance::{self, CASES, Traffic};
use keyfob::testing::credential::NoReferences;
use keyfob::testing::{Config, LoadOptions};
use keyfob::testing::{Deadline, Http};
use keyfob::testing::{Environment, Folders};
use keyfob::testing::{Keyring, Sessions, Store, StoreName, TokenCache};
use keyfob::testing::{NoProgress, ProviderSpec, Result, Schema, Services, registry};
use serde_json::json;

#[cfg(unix)]
use crate::support::bao::{self, Bao};
use crate::support::home::Home;
use crate::support::servers::{
    ByteNite, Neo, Northflank, Nosana, OpenBao, Server, bytenite, neo, northflank, openbao,
};
use crate::support::solana::Keypair;

/// The fields of the registry's providers and of the last.
static SCHEMAS: LazyLock<Vec<&'static Schema>> = LazyLock::new(|| {
    let known = registry::PROVIDERS.iter().map(|spec| spec.schema);
    known.chain([memory::SPEC.schema]).collect()
});

/// A store to be tested, and what keeps it alive.
struct Subject {
    spec: &'static ProviderSpec,
    /// What configures it, by field.
    variables: Vec<(String, String)>,
    /// The name that this backend gives to the secret of this number.
    name: fn(usize) -> String,
    /// Its server, where it has one.
    server: Option<Box<dyn AsServer>>,
    home: Home,
}

fn spec(provider: &str) -> &'static ProviderSpec {
    registry::find(provider).expect("a provider of the registry")
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
            spec: spec("local"),
            variables: Vec::new(),
            name: |number| format!("name {number}/ü"),
            server: None,
            home: Home::new(),
        }
    }

    fn memory() -> Self {
        Self {
            spec: &memory::SPEC,
            ..Self::local()
        }
    }

    fn nosana() -> Self {
        let server = Nosana::start();
        Self {
            spec: spec("nosana"),
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("KEYPAIR".to_owned(), Keypair::new(1).json()),
            ],
            name: |number| format!("name {number}/ü"),
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn northflank() -> Self {
        let server = Northflank::start();
        server.groups().put_variables("Api Env", json!({}));
        Self {
            spec: spec("northflank"),
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
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn bytenite() -> Self {
        let server = ByteNite::start();
        Self {
            spec: spec("bytenite"),
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("API_KEY".to_owned(), bytenite::API_KEY.to_owned()),
            ],
            name: |number| format!("s3/name {number}/ü"),
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    fn openbao() -> Self {
        let server = OpenBao::start();
        Self {
            spec: spec("openbao"),
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("TOKEN".to_owned(), openbao::TOKEN.to_owned()),
                ("PATH".to_owned(), "team/app".to_owned()),
            ],
            name: |number| format!("name {number} ü"),
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }

    /// A path of its own in the real server, which this node of it is asked for.
    #[cfg(unix)]
    fn of_bao(bao: &Bao, at: usize, case: usize) -> Self {
        let mut variables = vec![
            ("BASE_URL".to_owned(), bao.url(at).to_owned()),
            ("TOKEN".to_owned(), bao.token.clone()),
            ("PATH".to_owned(), format!("cases/{case}")),
        ];
        if let Some(tls) = &bao.tls {
            let file = tls.ca_file().display().to_string();
            variables.push(("CA_FILE".to_owned(), file));
        }
        Self {
            spec: spec("openbao"),
            variables,
            name: |number| format!("name {number} ü"),
            server: None,
            home: Home::new(),
        }
    }

    fn neo() -> Self {
        let server = Neo::start();
        Self {
            spec: spec("neo"),
            variables: vec![
                ("BASE_URL".to_owned(), server.url()),
                ("API_KEY".to_owned(), neo::API_KEY.to_owned()),
            ],
            name: |number| format!("name {number}/ü"),
            server: Some(Box::new(server)),
            home: Home::new(),
        }
    }
}

impl conformance::Subject for Subject {
    fn open(&self) -> Result<Store> {
        let prefix = format!("KEYFOB_{}_", self.spec.name().to_uppercase());
        let own = self
            .variables
            .iter()
            .map(|(field, text)| (format!("{prefix}{field}"), text.clone()));
        let home = [("HOME".to_owned(), self.home.home().display().to_string())];
        let env = Environment::from_vars(own.chain(home), self.home.work());
        let folders = Folders {
            config: self.home.config(),
            data: self.home.data(),
            cache: self.home.root().join("cache/keyfob"),
            patience: Folders::PATIENCE,
        };
        let config = Config::load(&LoadOptions {
            env: &env,
            folders: &folders,
            files: Default::default(),
            schemas: &SCHEMAS,
        })?;
        let deadline = Rc::new(Deadline::after(Some(Duration::from_secs(4))));
        let keyring = Keyring::default();
        let services = Services {
            http: Http::new(deadline, Rc::new(|_| ())),
            sessions: Sessions::new(TokenCache::default(), None),
            keyring,
            references: Rc::new(NoReferences),
            withheld: BTreeSet::new(),
            env,
            folders,
            progress: Rc::new(NoProgress),
            notice: Rc::new(|_| ()),
            is_heard: true,
            wait: None,
        };
        let name = StoreName::new(self.spec.name())?;
        Store::open_with(self.spec, config.store(&name)?, &Rc::new(services))
    }

    fn name(&self, number: usize) -> String {
        (self.name)(number)
    }

    fn traffic(&self) -> Option<Traffic> {
        let server = self.server.as_ref()?.server();
        Some(Traffic {
            url: server.url(),
            requests: server.requests().len(),
            connections: server.connections(),
        })
    }

    fn stop(&self) {
        if let Some(server) = &self.server {
            server.server().stop();
        }
    }
}

/// Runs every case over a store of its own, and says which ones failed.
fn conforms(subject: impl Fn() -> Subject) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut failed = Vec::new();
    for case in CASES {
        if let Err(error) = runtime.block_on(case.run(&subject())) {
            failed.push(format!("{}: {error}", case.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The same cases on what the strict server stands for: one node, and three through one that does
/// not lead.
#[cfg(unix)]
#[test]
fn openbao_itself() {
    let Some(program) = bao::bao("openbao_itself") else {
        return;
    };
    for bao in [Bao::dev(program.clone()), Bao::cluster(program.clone())] {
        let at = bao.leader().map_or(0, |leader| (leader + 1) % bao.nodes());
        let case = Cell::new(0);
        conforms(|| {
            case.set(case.get() + 1);
            Subject::of_bao(&bao, at, case.get())
        });
    }
}

macro_rules! providers {
    ($($provider:ident),*) => {
        $(#[test]
        fn $provider() {
            conforms(Subject::$provider);
        })*

        #[test]
        fn every_provider_passes_the_suite() {
            let mut tested = vec![$(stringify!($provider)),*];
            tested.retain(|name| *name != memory::SPEC.name());
            let known: Vec<&str> = registry::PROVIDERS.iter().map(ProviderSpec::name).collect();
            assert_eq!(tested, known);
        }
    };
}

providers!(local, nosana, bytenite, northflank, neo, openbao, memory);
