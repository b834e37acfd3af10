//! The stores of all six providers under their built-in names, and a home that knows them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::home::Home;
use super::servers::{
    ByteNite, Neo, Northflank, Nosana, OpenBao, Server, bytenite, neo, northflank, openbao,
};
use super::solana::Keypair;

/// The stores whose values can be read back.
pub const READABLE: [&str; 4] = ["local", "nosana", "northflank", "openbao"];

/// Those whose values cannot.
pub const WRITE_ONLY: [&str; 2] = ["bytenite", "neo"];

/// The id of the group that the store `northflank` is about.
pub const GROUP: &str = "api-env";

/// The path that the store `openbao` is about.
pub const PATH: &str = "app";

/// A server for each hosted store, with nothing in it.
pub struct World {
    pub home: Home,
    pub nosana: Nosana,
    pub northflank: Northflank,
    pub bytenite: ByteNite,
    pub neo: Neo,
    pub openbao: OpenBao,
    /// The account with Nosana.
    pub address: String,
}

/// Where each hosted store is and how to sign in there.
impl Home {
    pub fn knows_nosana(&mut self, server: &Nosana, keypair: &Keypair) -> &mut Self {
        self.set("KEYFOB_NOSANA_BASE_URL", server.url())
            .set("KEYFOB_NOSANA_KEYPAIR", keypair.json())
    }

    /// The group, where there is to be one, is the caller's to name.
    pub fn knows_northflank(&mut self, server: &Northflank) -> &mut Self {
        self.set("KEYFOB_NORTHFLANK_BASE_URL", server.url())
            .set("KEYFOB_NORTHFLANK_PROJECT", northflank::PROJECT)
            .set("NORTHFLANK_API_TOKEN", northflank::API_TOKEN)
    }

    pub fn knows_bytenite(&mut self, server: &ByteNite) -> &mut Self {
        self.set("KEYFOB_BYTENITE_BASE_URL", server.url())
            .set("BYTENITE_API_KEY", bytenite::API_KEY)
    }

    pub fn knows_neo(&mut self, server: &Neo) -> &mut Self {
        self.set("KEYFOB_NEO_BASE_URL", server.url())
            .set("NEO_API_KEY", neo::API_KEY)
    }

    /// The path, where there is to be one, is the caller's to name.
    pub fn knows_openbao(&mut self, server: &OpenBao) -> &mut Self {
        self.set("KEYFOB_OPENBAO_BASE_URL", server.url())
            .set("BAO_TOKEN", openbao::TOKEN)
    }
}

impl World {
    pub fn new() -> Self {
        let keypair = Keypair::new(1);
        let world = Self {
            home: Home::new(),
            nosana: Nosana::start(),
            northflank: Northflank::start(),
            bytenite: ByteNite::start(),
            neo: Neo::start(),
            openbao: OpenBao::start(),
            address: keypair.address(),
        };
        let groups = world.northflank.groups();
        assert_eq!(groups.put_variables("Api Env", json!({})), GROUP);
        let mut world = world;
        world
            .home
            .knows_nosana(&world.nosana, &keypair)
            .knows_northflank(&world.northflank)
            .knows_bytenite(&world.bytenite)
            .knows_neo(&world.neo)
            .knows_openbao(&world.openbao)
            .set("KEYFOB_OPENBAO_PATH", PATH)
            .set("KEYFOB_NORTHFLANK_GROUP", GROUP);
        world
    }

    /// Stores a value as somebody without keyfob would; with ByteNite, names are `TYPE/ID`.
    pub fn put(&self, store: &str, name: &str, value: &str) {
        match store {
            "local" => {
                let set = self.home.keyfob(["set", "-q", "-s", "local", name]);
                set.stdin(value).run().ok();
            }
            "nosana" => self.nosana.put(&self.address, name, value),
            "northflank" => {
                let groups = self.northflank.groups();
                groups.change(None, northflank::PROJECT, GROUP, |group| {
                    group.set_variable(name, value);
                });
            }
            "bytenite" => {
                let (kind, id) = name.split_once('/').expect("TYPE/ID");
                self.bytenite.put(kind, id, value, json!({}));
            }
            "openbao" => {
                let name = format!("{PATH}/{name}");
                let (path, key) = name.rsplit_once('/').expect("PATH/KEY");
                self.openbao.put(path, key, value);
            }
            _ => {
                self.neo.remove(name);
                self.neo.put(name, value);
            }
        }
    }

    /// What `store` holds, by name.
    pub fn values(&self, store: &str) -> BTreeMap<String, String> {
        let texts = |values: Map<String, Value>| {
            let values = values.into_iter();
            values
                .map(|(name, value)| (name, value.as_str().expect("text").to_owned()))
                .collect()
        };
        match store {
            "local" => {
                let list = self.home.run(["--json", "list", "-s", "local"]).ok().json();
                let value = |entry: &Value| {
                    let name = entry["name"].as_str().expect("a name");
                    let value = self.home.run(["get", "-s", "local", name]).ok().text();
                    (name.to_owned(), value)
                };
                list.as_array().expect("a list").iter().map(value).collect()
            }
            "nosana" => texts(self.nosana.secrets(&self.address)),
            "northflank" => texts(self.northflank.groups().variables(GROUP)),
            "bytenite" => {
                let key = |name: String| {
                    let (kind, id) = name.split_once('/').expect("TYPE/ID");
                    let key = self.bytenite.secret_key(kind, id).expect("a key");
                    (name, key)
                };
                self.bytenite.names().into_iter().map(key).collect()
            }
            "openbao" => {
                let values = self.openbao.values().into_iter();
                let below = |(name, value): (String, String)| {
                    let name = name.strip_prefix(PATH)?.strip_prefix('/')?.to_owned();
                    Some((name, value))
                };
                values.filter_map(below).collect()
            }
            _ => {
                let secrets = self.neo.secrets().into_iter();
                secrets.map(|secret| (secret.name, secret.value)).collect()
            }
        }
    }

    /// The servers, in an order.
    pub fn servers(&self) -> [&Server; 5] {
        [
            &self.nosana,
            &self.northflank,
            &self.bytenite,
            &self.neo,
            &self.openbao,
        ]
    }

    /// The server of a store that has one.
    pub fn server(&self, store: &str) -> Option<&Server> {
        let names = ["nosana", "northflank", "bytenite", "neo", "openbao"];
        let at = names.into_iter().position(|name| name == store)?;
        Some(self.servers()[at])
    }

    /// Forgets what was asked of every server so far.
    pub fn forget_requests(&self) {
        self.servers().into_iter().for_each(Server::forget_requests);
    }

    /// The requests that changed something in `store`, which logging in does not.
    pub fn changes(&self, store: &str) -> Vec<String> {
        let mut asked = self.server(store).map(Server::asked).unwrap_or_default();
        let harmless = ["POST /login", "POST /v1/auth/access_token"];
        asked.retain(|line| !line.starts_with("GET ") && !harmless.contains(&line.as_str()));
        asked
    }
}
