#![no_main]
//! What the vendors' servers answer, through the whole client: a server on loopback answers each
//! request with a part of the input, headers and all.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use keyfob::testing::credential::NoReferences;
use keyfob::testing::registry::{PROVIDERS, SCHEMAS};
use keyfob::testing::{
    Batch, Config, Deadline, Environment, Files, Filter, Folders, Http, Keypair, Keyring,
    LoadOptions, Name, NoProgress, SecretValue, Selection, Services, Sessions, Store, StoreName,
    TokenCache, Write,
};
use libfuzzer_sys::fuzz_target;

const VALUE: &str = "zq7-hunter2-Xy";
const LOGIN: &str = concat!(
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 90\r\n\r\n",
    r#"{"token":"eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE4OTM0NTYwMDAsImV4cCI6MTg5MzQ1OTYwMH0.AAAAAAAA"}"#
);

/// The answers to come, the next one last.
type Answers = Arc<Mutex<Vec<Vec<u8>>>>;

struct Server {
    url: String,
    answers: Answers,
    folder: tempfile::TempDir,
    keypair: String,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let answers = Answers::default();
        let next = Arc::clone(&answers);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let Ok(mut connection) = connection else {
                    continue;
                };
                let mut request = [0; 16 * 1024];
                let length = connection.read(&mut request).unwrap_or(0);
                let login = request[..length].starts_with(b"POST /login");
                let answer = match login {
                    true => Some(LOGIN.as_bytes().to_vec()),
                    false => next.lock().expect("nobody panics").pop(),
                };
                let _ = connection.write_all(&answer.unwrap_or_default());
            }
        });
        Server {
            url,
            answers,
            folder: tempfile::tempdir().expect("a folder"),
            keypair: Keypair::generate()
                .expect("random")
                .to_cli_json()
                .to_string(),
        }
    })
}

fn open(provider: usize, server: &Server) -> Store {
    let folder: &Path = server.folder.path();
    let vars = [
        ("HOME", folder.to_str().expect("text")),
        ("KEYFOB_NOSANA_BASE_URL", &server.url),
        ("KEYFOB_NOSANA_KEYPAIR", &server.keypair),
        ("KEYFOB_BYTENITE_BASE_URL", &server.url),
        ("KEYFOB_BYTENITE_API_KEY", "key-1234567"),
        ("KEYFOB_NORTHFLANK_BASE_URL", &server.url),
        ("KEYFOB_NORTHFLANK_API_TOKEN", "key-1234567"),
        ("KEYFOB_NORTHFLANK_PROJECT", "shop"),
        ("KEYFOB_NEO_BASE_URL", &server.url),
        ("KEYFOB_NEO_API_KEY", "key-1234567"),
        ("KEYFOB_OPENBAO_BASE_URL", &server.url),
        ("KEYFOB_OPENBAO_TOKEN", "key-1234567"),
        ("KEYFOB_OPENBAO_PATH", "app"),
    ];
    let env = Environment::from_vars(vars, folder);
    let folders = Folders::below(folder);
    let config = Config::load(&LoadOptions {
        env: &env,
        folders: &folders,
        files: Files::default(),
        schemas: &SCHEMAS,
    })
    .expect("a configuration");
    // Too short for any pause, so that nothing is sent twice.
    let deadline = Rc::new(Deadline::after(Some(Duration::from_millis(150))));
    let services = Services {
        is_heard: false,
        http: Http::new(deadline, Rc::new(|_| ())),
        sessions: Sessions::new(TokenCache::default(), None),
        keyring: Keyring::default(),
        references: Rc::new(NoReferences),
        withheld: BTreeSet::new(),
        env,
        folders,
        progress: Rc::new(NoProgress),
        notice: Rc::new(|_| ()),
        wait: None,
    };
    let hosted: Vec<_> = PROVIDERS
        .iter()
        .filter(|spec| spec.name() != "local")
        .collect();
    let spec = hosted[provider % hosted.len()];
    let name = StoreName::new(spec.name()).expect("a name");
    let config = config.store(&name).expect("a store");
    Store::open_with(spec, config, &Rc::new(services)).expect("it opens")
}

fuzz_target!(|input: (u8, u8, bool, Vec<&[u8]>)| {
    let (provider, act, raw, bodies) = input;
    let server = server();
    let answers = bodies.iter().take(4).rev().map(|body| match raw {
        true => [b"HTTP/1.1 ", *body].concat(),
        false => {
            let (status, body) = body.split_first().map_or((0, *body), |(s, b)| (*s, b));
            let status = [
                200, 200, 200, 201, 204, 400, 401, 403, 404, 409, 422, 429, 500, 503,
            ][usize::from(status) % 14];
            let head = format!(
                "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        }
    });
    *server.answers.lock().expect("nobody panics") = answers.collect();
    let store = open(usize::from(provider), server);
    let name = |text| Name::new(text).expect("a name");
    let names = ["group/NAME", "s3/NAME", "NAME"].map(name);
    let name = names[usize::from(act / 8) % 3].clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let said = runtime.block_on(async {
        match act % 5 {
            0 => store
                .list(&Filter::default())
                .await
                .err()
                .map(|error| format!("{error:?}")),
            1 => store
                .read(&Selection::Names(vec![name]))
                .await
                .err()
                .map(|error| format!("{error:?}")),
            2 => store
                .read(&Selection::All)
                .await
                .err()
                .map(|error| format!("{error:?}")),
            3 => {
                let write = Write::new(name, SecretValue::from(VALUE));
                let batch = Batch {
                    writes: vec![write],
                    if_absent: false,
                };
                Some(format!("{:?}", store.write(batch).await))
            }
            _ => Some(format!("{:?}", store.delete(&[name]).await)),
        }
    });
    assert!(!said.unwrap_or_default().contains(VALUE));
});
