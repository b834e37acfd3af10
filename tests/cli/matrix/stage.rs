//! One hosted store with known secrets, a vault beside it, and what must never be said aloud.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use serde_json::{Map, Value, json};

use crate::support::home::Home;
use crate::support::servers::northflank::PROJECT;
use crate::support::servers::{Server, bytenite, neo, northflank, openbao};
use crate::support::solana::Keypair;
use crate::support::world::{GROUP, World};

/// The stores that are asked over a network.
pub const STORES: [&str; 5] = ["nosana", "bytenite", "northflank", "neo", "openbao"];

/// The values of two secrets that the store holds, and of two that the vault holds.
pub const OLD_A: &str = "canary-old-a-q7Zk1";
pub const OLD_B: &str = "canary-old-b-q7Zk2";
pub const NEW_A: &str = "canary-new-a-q7Zk3";
pub const NEW_N: &str = "canary-new-n-q7Zk4";

/// What some place holds, by name. A group is there as `group ID`, with its description.
pub type Held = BTreeMap<String, String>;

/// How a store names what it holds: `{a}` and `{b}` are there, `{n}` is not.
pub fn name(store: &str, which: char) -> String {
    let letter = which.to_ascii_uppercase();
    match store {
        "bytenite" => format!("s3/{letter}"),
        "northflank" => format!("{GROUP}/{letter}"),
        _ => letter.to_string(),
    }
}

/// A text with `{s}`, `{a}`, `{b}`, `{n}`, and the values `{A}`, `{B}`, `{A2}`, `{N}` filled in.
pub fn filled(text: &str, store: &str) -> String {
    let mut text = text.replace("{s}", store);
    for which in ['a', 'b', 'n'] {
        text = text.replace(&format!("{{{which}}}"), &name(store, which));
    }
    let values = [("A2", NEW_A), ("A", OLD_A), ("B", OLD_B), ("N", NEW_N)];
    for (sign, value) in values {
        text = text.replace(&format!("{{{sign}}}"), value);
    }
    text
}

/// The store that a case is about.
pub struct Stage {
    pub world: World,
    pub store: &'static str,
}

impl Stage {
    /// One whose store holds `{a}` and `{b}`, and whose vault another `{a}` and `{n}`.
    pub fn new(store: &'static str) -> Self {
        let mut world = World::new();
        world.home.unset("KEYFOB_NORTHFLANK_GROUP");
        // No job of this is about who asked a second time.
        world.home.set("KEYFOB_NO_INPUT", "1");
        for (which, value) in [('a', OLD_A), ('b', OLD_B)] {
            let name = name(store, which);
            let name = name.strip_prefix("api-env/").unwrap_or(&name);
            world.put(store, name, value);
        }
        world.home.write("show-x", "printf %s \"$X\" > ran\n");
        copy_vault(store, &world.home);
        world.forget_requests();
        Self { world, store }
    }

    /// The store's server.
    pub fn server(&self) -> &Server {
        self.world.server(self.store).expect("a hosted store")
    }

    /// What the store holds, by the word of its server.
    pub fn held(&self) -> Held {
        let world = &self.world;
        if self.store != "northflank" {
            return world.values(self.store).into_iter().collect();
        }
        let groups = world.northflank.groups();
        let mut held = Held::new();
        for id in groups.ids(None, PROJECT) {
            let group = groups.get(None, PROJECT, &id).expect("a group");
            let description = group.fields.get("description").and_then(Value::as_str);
            held.insert(format!("group {id}"), description.unwrap_or("").to_owned());
            let mut add = |values: Map<String, Value>| {
                for (name, value) in values {
                    let value = value.as_str().map_or(value.to_string(), str::to_owned);
                    held.insert(format!("{id}/{name}"), value);
                }
            };
            add(group.variables());
            add(group.files());
        }
        held
    }

    /// What the vault holds.
    pub fn vault(&self) -> Held {
        self.world.values("local").into_iter().collect()
    }

    /// The vault to the byte.
    pub fn vault_file(&self) -> Vec<u8> {
        let file = self.world.home.data().join("vault.age");
        fs::read(file).expect("a vault")
    }

    /// What the command that was run saw, if one was.
    pub fn ran(&self) -> Option<String> {
        fs::read_to_string(self.world.home.work().join("ran")).ok()
    }

    /// Whether a change that was not finished is kept, sealed.
    pub fn has_open_change(&self) -> bool {
        let journal = self.world.home.data().join("journal");
        fs::read_dir(journal).is_ok_and(|folder| {
            folder.flatten().any(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().ends_with(".age")
            })
        })
    }

    /// What no message may hold.
    pub fn canaries(&self) -> Vec<String> {
        let keypair = Keypair::new(1);
        let mut canaries = vec![
            keypair.base58(),
            keypair.seed_base58(),
            keypair.json(),
            keypair.seed_json(),
            bytenite::API_KEY.to_owned(),
            northflank::API_TOKEN.to_owned(),
            neo::API_KEY.to_owned(),
            openbao::TOKEN.to_owned(),
        ];
        canaries.extend([OLD_A, OLD_B, NEW_A, NEW_N].map(str::to_owned));
        // Tokens, and whatever else proved who asked.
        let sent = self.server().requests().into_iter().filter_map(|request| {
            let sent = request.header("authorization")?;
            Some(sent.trim_start_matches("Bearer ").to_owned())
        });
        canaries.extend(sent);
        // A login for whoever keeps it.
        let signed = self.server().requests().into_iter().filter_map(|request| {
            let body = request.json()?;
            body.get("signature")?.as_str().map(str::to_owned)
        });
        canaries.extend(signed);
        canaries.sort();
        canaries.dedup();
        // A token may come spoiled.
        canaries.retain(|canary| canary.len() > 8);
        canaries
    }
}

/// Puts a vault into `home` that was made once for each store.
fn copy_vault(store: &'static str, home: &Home) {
    static MADE: LazyLock<Mutex<BTreeMap<&'static str, Home>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    let from = made.entry(store).or_insert_with(|| {
        let home = Home::new();
        let secrets = json!({name(store, 'a'): NEW_A, name(store, 'n'): NEW_N});
        let import = home.keyfob(["import", "-q", "-s", "local", "-y", "--format=json", "-"]);
        import.stdin(secrets.to_string()).run().ok();
        home
    });
    for (from, to) in [(from.data(), home.data()), (from.config(), home.config())] {
        copy_folder(&from, &to);
    }
}

fn copy_folder(from: &Path, to: &PathBuf) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    fs::create_dir_all(to).expect("a folder of the test");
    crate::support::home::set_mode(to, 0o700);
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file of the test");
    }
}
