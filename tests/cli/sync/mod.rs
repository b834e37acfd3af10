//! `keyfob sync`: over every pair of stores, with every option.

mod failing;
mod options;
#[cfg(unix)]
mod remembered;
mod thousand;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::servers::{ByteNite, Neo, Northflank, Nosana, Server};
use crate::support::servers::{bytenite, neo, northflank};
use crate::support::solana::Keypair;

pub const CANARY: &str = "canary-c4n4ry-value-0815";

/// The stores of the five providers, all of them under their built-in names.
pub struct World {
    pub home: Home,
    pub nosana: Nosana,
    pub northflank: Northflank,
    pub bytenite: ByteNite,
    pub neo: Neo,
    pub address: String,
}

/// The stores whose values can be read back.
pub const READABLE: [&str; 3] = ["local", "nosana", "northflank"];

/// Those whose values cannot.
pub const WRITE_ONLY: [&str; 2] = ["bytenite", "neo"];

impl World {
    pub fn new() -> Self {
        let mut home = Home::new();
        let keypair = Keypair::new(1);
        let world = (
            Nosana::start(),
            Northflank::start(),
            ByteNite::start(),
            Neo::start(),
        );
        let (nosana, northflank, bytenite, neo) = world;
        northflank.groups().put_variables("Api Env", json!({}));
        home.set("KEYFOB_NOSANA_BASE_URL", nosana.url());
        home.set("KEYFOB_NOSANA_KEYPAIR", keypair.write(&home));
        home.set("KEYFOB_NORTHFLANK_BASE_URL", northflank.url());
        home.set("KEYFOB_NORTHFLANK_PROJECT", northflank::PROJECT);
        home.set("KEYFOB_NORTHFLANK_GROUP", "api-env");
        home.set("NORTHFLANK_API_TOKEN", northflank::API_TOKEN);
        home.set("KEYFOB_BYTENITE_BASE_URL", bytenite.url());
        home.set("BYTENITE_API_KEY", bytenite::API_KEY);
        home.set("KEYFOB_NEO_BASE_URL", neo.url());
        home.set("NEO_API_KEY", neo::API_KEY);
        Self {
            home,
            nosana,
            northflank,
            bytenite,
            neo,
            address: keypair.address(),
        }
    }

    /// Stores a value as somebody without keyfob would; names are `TYPE/ID`.
    pub fn put(&self, store: &str, name: &str, value: &str) {
        match store {
            "local" => {
                let set = self.home.keyfob(["set", "-q", "-s", "local", name]);
                set.stdin(value).run().ok();
            }
            "nosana" => self.nosana.put(&self.address, name, value),
            "northflank" => {
                let groups = self.northflank.groups();
                groups.change(None, northflank::PROJECT, "api-env", |group| {
                    group.set_variable(name, value);
                });
            }
            "bytenite" => {
                let (kind, id) = name.split_once('/').expect("TYPE/ID");
                self.bytenite.put(kind, id, value, json!({}));
            }
            _ => {
                self.neo.remove(name);
                self.neo.put(name, value);
            }
        }
    }

    /// What `store` holds, by name.
    pub fn values(&self, store: &str) -> BTreeMap<String, String> {
        let texts = |values: serde_json::Map<String, Value>| {
            let values = values.into_iter();
            values
                .map(|(name, value)| (name, value.as_str().expect("text").to_owned()))
                .collect()
        };
        match store {
            "local" => {
                let names = self.home.run(["--json", "list", "-s", "local"]).ok().json();
                let names = names.as_array().expect("a list").iter();
                names
                    .map(|entry| {
                        let name = entry["name"].as_str().expect("a name");
                        let value = self.home.run(["get", "-s", "local", name]).ok().text();
                        (name.to_owned(), value)
                    })
                    .collect()
            }
            "nosana" => texts(self.nosana.secrets(&self.address)),
            "northflank" => {
                let group = self.northflank.groups();
                let group = group.get(None, northflank::PROJECT, "api-env");
                texts(group.expect("the group").variables())
            }
            "bytenite" => {
                let names = self.bytenite.names().into_iter();
                names
                    .map(|name| {
                        let (kind, id) = name.split_once('/').expect("TYPE/ID");
                        let key = self.bytenite.secret_key(kind, id).expect("a key");
                        (name, key)
                    })
                    .collect()
            }
            _ => {
                let secrets = self.neo.secrets().into_iter();
                secrets.map(|secret| (secret.name, secret.value)).collect()
            }
        }
    }

    pub fn server(&self, store: &str) -> Option<&Server> {
        match store {
            "nosana" => Some(&self.nosana),
            "northflank" => Some(&self.northflank),
            "bytenite" => Some(&self.bytenite),
            "neo" => Some(&self.neo),
            _ => None,
        }
    }

    /// Forgets what was asked of every server so far.
    pub fn forget_requests(&self) {
        for store in ["nosana", "northflank", "bytenite", "neo"] {
            self.server(store).expect("a server").forget_requests();
        }
    }

    /// The requests that changed something in `store`, which logging in does not.
    pub fn changes(&self, store: &str) -> Vec<String> {
        let asked = self.server(store).map(Server::asked).unwrap_or_default();
        let harmless = ["POST /login", "POST /v1/auth/access_token"];
        asked
            .into_iter()
            .filter(|line| !line.starts_with("GET ") && !harmless.contains(&line.as_str()))
            .collect()
    }

    /// Runs `keyfob --json sync -y` with these arguments.
    #[track_caller]
    pub fn sync(&self, args: &[&str]) -> Run {
        let run = self
            .home
            .run([&["--json", "-vvv", "sync", "-y"], args].concat());
        run.lacks(CANARY);
        run
    }

    /// Runs `keyfob --json diff` with these arguments.
    #[track_caller]
    pub fn diff(&self, args: &[&str]) -> Run {
        let run = self.home.run([&["--json", "-vvv", "diff"], args].concat());
        run.lacks(CANARY);
        run
    }
}

/// What a run says that it did, by name, in the order of the results.
#[track_caller]
pub fn actions(run: &Run) -> Vec<(String, String)> {
    pairs(&run.json()["results"], "action")
}

/// What a run says that differs, by name.
#[track_caller]
pub fn differences(run: &Run) -> Vec<(String, String)> {
    pairs(&run.json()["differences"], "difference")
}

#[track_caller]
fn pairs(list: &Value, what: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let items = list.as_array().expect("a list").iter();
    items
        .map(|item| (text(&item["name"]), text(&item[what])))
        .collect()
}

/// How many of `actions` are `wanted`.
pub fn count(actions: &[(String, String)], wanted: &str) -> usize {
    let actions = actions.iter();
    actions.filter(|(_, action)| action == wanted).count()
}

pub fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
}

/// Puts these secrets into the local vault in one go.
pub fn import(world: &World, secrets: &serde_json::Map<String, Value>) {
    let import = ["import", "-q", "-s", "local", "-"];
    let import = world.home.keyfob(import);
    import
        .stdin(serde_json::to_vec(secrets).expect("JSON"))
        .run()
        .ok();
}

#[test]
fn every_pair_of_stores_is_compared_and_brought_to_one_state() {
    for from in READABLE {
        for to in READABLE.into_iter().chain(WRITE_ONLY) {
            if from != to {
                a_pair(from, to);
            }
        }
    }
}

fn a_pair(from: &str, to: &str) {
    let what = format!("{from} to {to}");
    let world = World::new();
    let readable = READABLE.contains(&to);
    for name in ["s3/new", "s3/other", "s3/same"] {
        world.put(from, name, &format!("{CANARY}-{name}"));
    }
    world.put(to, "s3/other", "old");
    world.put(to, "s3/same", &format!("{CANARY}-s3/same"));
    world.put(to, "s3/theirs", "theirs");

    let differs = if readable { "differs" } else { "unknown" };
    let mut expected = owned([("s3/new", "only_in_a"), ("s3/other", differs)]);
    if !readable {
        expected.extend(owned([("s3/same", "unknown")]));
    }
    expected.extend(owned([("s3/theirs", "only_in_b")]));
    let run = world.diff(&[from, to]);
    assert_eq!(differences(run.code(1)), expected, "{what}");
    assert_eq!(run.json()["a"], from);
    assert_eq!(run.json()["b"], to);

    world.forget_requests();
    let same = if readable { "unchanged" } else { "updated" };
    let expected = owned([
        ("s3/new", "created"),
        ("s3/other", "updated"),
        ("s3/same", same),
    ]);
    let dry = world.sync(&[from, to, "--dry-run"]);
    assert_eq!(actions(dry.ok()), expected, "{what}");
    assert_eq!(world.changes(to), Vec::<String>::new(), "{what}");
    let run = world.sync(&[from, to]);
    assert_eq!(actions(run.ok()), expected, "{what}");
    assert_eq!(run.json()["store"], to);
    assert_eq!(world.changes(from), Vec::<String>::new(), "{what}");
    let mut values = world.values(from);
    values.insert("s3/theirs".to_owned(), "theirs".to_owned());
    assert_eq!(world.values(to), values, "{what}");

    // A second time nothing is left to be written.
    world.forget_requests();
    let again = world.sync(&[from, to]);
    assert_eq!(count(&actions(again.ok()), "unchanged"), 3, "{what}");
    assert_eq!(world.changes(to), Vec::<String>::new(), "{what}");
    let run = world.diff(&[from, to]);
    let left = owned([("s3/theirs", "only_in_b")]);
    assert_eq!(differences(run.code(1)), left, "{what}");

    let pruned = world.sync(&[from, to, "--prune"]);
    assert_eq!(count(&actions(pruned.ok()), "deleted"), 1, "{what}");
    let run = world.diff(&[from, to]);
    assert_eq!(differences(run.ok()), [], "{what}");
    assert_eq!(world.values(to), world.values(from), "{what}");
    nothing_on_disk(&world.home);
}

/// No file holds the values, in whatever form; nor a digest of them that needs no key.
#[track_caller]
fn nothing_on_disk(home: &Home) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    let value = format!("{CANARY}-s3/new");
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>()
    };
    let mut forms = vec![CANARY.to_owned(), hex(CANARY.as_bytes())];
    for shift in 0..3 {
        // In base64 the beginning decides how the rest looks.
        let encoded = STANDARD.encode(format!("{}{CANARY}", &"xxx"[..shift]));
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    let digest = Sha256::digest(value.as_bytes());
    forms.push(hex(&digest)[..16].to_owned());
    forms.push("s3/other".to_owned());
    for form in forms {
        let mut files = home.files_holding(form.as_bytes());
        // The servers' names stand in no record; the vault is encrypted.
        files.retain(|path| !path.ends_with("keyfob.toml"));
        assert_eq!(files, Vec::<std::path::PathBuf>::new(), "{form}");
    }
}
