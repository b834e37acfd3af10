//! Configuration as a whole, over real files in a folder of each test's own.

use std::path::{Path, PathBuf};

use super::review::review;
use super::schema::{Field, Schema, Schemas, Shape};
use super::trust::TrustRecord;
use super::{Config, Files, LoadOptions, StoreConfig};
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;

mod edited_files;
mod editing;
mod looking_up;
mod merging;
mod messages;
mod rotations;
mod trusting;

const BASE_URL: Field = Field::new("base_url", Shape::Url, "the server");
const CA_FILE: Field = Field::new("ca_file", Shape::Path, "its authority");

pub(super) const SCHEMAS: Schemas = &[
    &Schema {
        provider: "local",
        fields: &[
            Field::new("path", Shape::Path, "the vault").written(),
            Field::new("identity", Shape::Path, "the key").inline_env(),
            Field::new("recipients", Shape::List, "who can read"),
        ],
    },
    &Schema {
        provider: "nosana",
        fields: &[
            Field::new(
                "network",
                Shape::Choice(&["mainnet", "devnet"]),
                "the network",
            ),
            BASE_URL,
            Field::new("keypair", Shape::Path, "the key").inline_env(),
            Field::new("job", Shape::Text, "the job"),
            CA_FILE,
        ],
    },
    &Schema {
        provider: "bytenite",
        fields: &[
            BASE_URL,
            Field::new("api_key", Shape::Text, "the key")
                .credential()
                .vendor_env(&["BYTENITE_API_KEY"]),
            Field::new("api_key_command", Shape::Text, "prints the key"),
            CA_FILE,
        ],
    },
    &Schema {
        provider: "northflank",
        fields: &[
            BASE_URL,
            Field::new("api_token", Shape::Text, "the token")
                .credential()
                .vendor_env(&["NORTHFLANK_API_TOKEN"]),
            Field::new("api_token_command", Shape::Text, "prints the token"),
            Field::new("project", Shape::Text, "the project"),
            Field::new("team", Shape::Text, "the team"),
            Field::new("group", Shape::Text, "the group"),
            CA_FILE,
        ],
    },
    &Schema {
        provider: "neo",
        fields: &[
            BASE_URL,
            Field::new("api_key", Shape::Text, "the key")
                .credential()
                .vendor_env(&["NEO_API_KEY"]),
            Field::new("api_key_command", Shape::Text, "prints the key"),
            CA_FILE,
        ],
    },
];

/// A home folder with keyfob's own folders, and a repository in it that the tests work in.
struct World {
    _root: tempfile::TempDir,
    root: PathBuf,
    folders: Folders,
    vars: Vec<(String, String)>,
    cwd: PathBuf,
    files: Files,
}

impl World {
    /// One in which every project's file counts.
    fn new() -> Self {
        let mut world = Self::distrusting();
        world.var("KEYFOB_TRUST", "1");
        world
    }

    /// One in which a project's file counts when it was trusted.
    fn distrusting() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(temporary.path()).unwrap();
        let home = root.join("home");
        let world = Self {
            folders: Folders::below(&home),
            vars: vec![("HOME".into(), home.to_str().unwrap().into())],
            cwd: home.join("project"),
            files: Files::Found,
            root,
            _root: temporary,
        };
        std::fs::create_dir_all(world.cwd.join(".git")).unwrap();
        world
    }

    /// The path of `relative` under the home folder.
    fn home(&self, relative: &str) -> PathBuf {
        self.root.join("home").join(relative)
    }

    fn write(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.cwd.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn user(&self, text: &str) -> PathBuf {
        self.write(self.folders.config.join("config.toml"), text)
    }

    fn project(&self, text: &str) -> PathBuf {
        self.write("keyfob.toml", text)
    }

    fn var(&mut self, name: &str, value: &str) {
        self.vars.push((name.into(), value.into()));
    }

    /// Calls `act` with options to load by.
    fn with<T>(&self, act: impl FnOnce(&LoadOptions<'_>) -> T) -> T {
        let env = Environment::from_vars(self.vars.clone(), &self.cwd);
        act(&LoadOptions {
            env: &env,
            folders: &self.folders,
            files: self.files.clone(),
            schemas: SCHEMAS,
        })
    }

    fn load(&self) -> Result<Config> {
        self.with(Config::load)
    }

    fn store(&self, name: &str) -> StoreConfig {
        self.load().unwrap().store(&named(name)).unwrap().clone()
    }

    /// The error's message with the world's root left out, and paths as Unix has them.
    fn message(&self, error: &Error) -> String {
        let message = error.message().replace(self.root.to_str().unwrap(), "");
        // A quote that is escaped is no part of a path.
        match cfg!(windows) {
            true => {
                let parts = message.split("\\\"");
                let parts: Vec<String> = parts.map(|part| part.replace('\\', "/")).collect();
                parts.join("\\\"")
            }
            false => message,
        }
    }

    /// Why the project's file does not count, with the world's root left out.
    fn left_out(&self) -> Option<String> {
        let config = self.load().unwrap();
        let error = config.left_out().map(|untrusted| untrusted.error());
        error.map(|error| self.message(&error))
    }

    /// Reviews and trusts `path`.
    fn trust(&self, path: &Path) {
        let review = self.with(|options| review(options, path)).unwrap();
        review.allow(&TrustRecord::new(&self.folders)).unwrap();
    }
}

fn named(name: &str) -> StoreName {
    StoreName::new(name).unwrap()
}
