//! OpenBao and HashiCorp Vault: the key-value engine, whose paths hold maps of secrets.
//!
//! A secret is a key of a path's map ([`name`]). [`access`] knows who asks and [`sign_in`] how a
//! token is obtained; [`requests`] and [`wire`] are the server's words; [`change`] changes keys of a
//! path and never those of others; [`history`] tells of earlier versions.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_trait::async_trait;

use super::{
    Account, Capabilities, Capability, Given, Lack, Method, Provider, ProviderSpec, Services,
    Versions, bulk,
};
use crate::config::StoreConfig;
use crate::config::schema::{Field, Schema, Shape};
use crate::words::batch::{Action, Batch, Filter, Metadata, Outcome, Reading, Selection, Write};
use crate::words::error::{Error, Result};
use crate::words::secret::{Entry, Form, Name, SecretValue};

mod access;
mod bare;
mod change;
mod edit;
mod history;
mod id_token;
mod name;
mod requests;
mod sign_in;
mod storing;
mod wire;
mod wrapping;

use edit::{DESCRIPTION, Edit, description_of};
use name::{Layout, Path, Place, is_unprintable};
use requests::Requests;
use wire::Keys;

/// How long what people say of a path may be, in bytes, and the key that it stands under.
const LONGEST_DESCRIPTION: usize = 512;
const LONGEST_CUSTOM_KEY: usize = 128;

/// The largest value that a version can hold beside nothing else.
const LARGEST: usize = 1_048_346;

/// So many folders no store has: a server that makes them up must not be asked for ever.
const MAX_FOLDERS: usize = 100_000;

const SCHEMA: Schema = Schema {
    provider: "openbao",
    fields: &[
        Field::new("base_url", Shape::Url, "the address of the server")
            .vendor_env(&["BAO_ADDR", "VAULT_ADDR"]),
        Field::new("namespace", Shape::Text, "the namespace, as team/a")
            .locates()
            .vendor_env(&["BAO_NAMESPACE", "VAULT_NAMESPACE"]),
        Field::new(
            "mount",
            Shape::Text,
            "where the key-value engine is mounted (default: secret)",
        )
        .locates(),
        Field::new(
            "kv_version",
            Shape::Choice(&["auto", "1", "2"]),
            "the version of the engine (default: auto, which asks the server once)",
        ),
        Field::new("path", Shape::Text, "the path that names are relative to").locates(),
        Field::new(
            "key",
            Shape::Text,
            "the key under which each path has its one secret; names are then paths",
        )
        .locates(),
        Field::new(
            "auth",
            Shape::Choice(&["token", "approle", "jwt", "kubernetes", "userpass", "cert"]),
            "how to sign in (default: with a token that there is)",
        ),
        Field::new(
            "auth_mount",
            Shape::Text,
            "where that way is mounted (default: its name)",
        ),
        Field::new("role", Shape::Text, "the role to sign in for"),
        Field::new("username", Shape::Text, "the user of userpass"),
        Field::new("token", Shape::Text, "the token")
            .credential()
            .vendor_env(&["BAO_TOKEN", "VAULT_TOKEN"]),
        Field::new(
            "token_command",
            Shape::Text,
            "a command that prints the token",
        ),
        Field::new("role_id", Shape::Text, "the role id of approle").credential(),
        Field::new(
            "secret_id",
            Shape::Text,
            "the secret id of approle, or the token that it is wrapped in",
        )
        .credential(),
        Field::new(
            "secret_id_command",
            Shape::Text,
            "a command that prints the secret id",
        ),
        Field::new("jwt", Shape::Text, "the id token of jwt")
            .credential()
            .withheld_env(&[sign_in::GITLAB]),
        Field::new(
            "jwt_command",
            Shape::Text,
            "a command that prints the id token",
        ),
        Field::new(
            "jwt_file",
            Shape::Path,
            "a file with the id token (for kubernetes by default the pod's)",
        ),
        Field::new(
            "audience",
            Shape::Text,
            "whom GitHub's id token is to be for",
        ),
        Field::new("password", Shape::Text, "the password of userpass").credential(),
        Field::new(
            "password_command",
            Shape::Text,
            "a command that prints the password",
        ),
        Field::new(
            "client_cert",
            Shape::Path,
            "a PEM file with a certificate of your own",
        )
        .vendor_env(&["BAO_CLIENT_CERT", "VAULT_CLIENT_CERT"]),
        Field::new("client_key", Shape::Path, "a PEM file with its private key")
            .vendor_env(&["BAO_CLIENT_KEY", "VAULT_CLIENT_KEY"]),
        super::CA_FILE.vendor_env(&["BAO_CACERT", "VAULT_CACERT"]),
    ],
};

/// The registry's line for OpenBao.
pub const SPEC: ProviderSpec = ProviderSpec {
    schema: &SCHEMA,
    title: "OpenBao",
    capabilities: Capabilities::of(&[
        Capability::Read,
        Capability::BulkWrite,
        Capability::AtomicReplace,
        Capability::Describe,
        Capability::Times,
        Capability::History,
    ]),
    lacks: &[Lack {
        capability: Capability::Types,
        act: "list by type: it has none",
        instead: "leave --type out",
    }],
    composite: None,
    credentials: &[
        Method {
            auth: Some("approle"),
            fields: &["role_id", "secret_id"],
        },
        Method {
            auth: Some("userpass"),
            fields: &["password"],
        },
        Method {
            auth: Some("jwt"),
            fields: &[],
        },
        Method {
            auth: Some("kubernetes"),
            fields: &[],
        },
        Method {
            auth: Some("cert"),
            fields: &[],
        },
        Method {
            auth: None,
            fields: &["token"],
        },
    ],
    without_cache: Some(
        "in a cluster a command may then read what was there before the write of the last one",
    ),
    open: |config, services| Ok(Box::new(OpenBao::open(config, services)?)),
};

/// A key-value engine of an OpenBao.
struct OpenBao {
    requests: Requests,
    layout: Layout,
    /// What there is by the configuration alone, where that says it.
    capabilities: Option<Capabilities>,
    services: Rc<Services>,
}

/// The keys of one path.
struct Found {
    path: Path,
    keys: Keys,
}

/// What is to be done at one path.
#[derive(Default)]
struct Part {
    /// Where each edit stands among all.
    places: Vec<usize>,
    edits: Vec<Edit>,
}

impl OpenBao {
    fn open(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let unversioned = config.text("kv_version") == Some("1");
        Ok(Self {
            requests: Requests::new(config, services)?,
            layout: Layout::of(config)?,
            capabilities: unversioned.then_some(Capabilities::of(&[
                Capability::Read,
                Capability::BulkWrite,
                Capability::AtomicReplace,
            ])),
            services: Rc::clone(services),
        })
    }

    /// Every path that may hold a secret whose name begins with `prefix`.
    async fn paths(&self, prefix: &str) -> Result<Vec<Path>> {
        let base = &self.layout.base;
        let mut paths = BTreeSet::new();
        if !base.is_root() && self.layout.one_key().is_none() {
            paths.insert(base.clone());
        }
        let mut folders = vec![base.clone()];
        let mut asked = 0;
        while !folders.is_empty() {
            asked += folders.len();
            if asked > MAX_FOLDERS {
                return Err(Error::invalid_data(format!(
                    "could not list the secrets: there is no end of folders after {MAX_FOLDERS}"
                )));
            }
            let listed = bulk::each(&self.services, "listing folders", &folders, |folder| {
                self.requests.folder(folder)
            });
            let mut below = Vec::new();
            for (folder, names) in folders.iter().zip(listed.await?) {
                for name in names? {
                    let (name, is_folder) = match name.strip_suffix('/') {
                        Some(name) => (name, true),
                        None => (name.as_str(), false),
                    };
                    // What the server itself would refuse to be asked for.
                    let Some(path) = folder.below(name) else {
                        continue;
                    };
                    if !self.layout.may_begin(&path, prefix) {
                        continue;
                    }
                    match is_folder {
                        true => below.push(path),
                        false => drop(paths.insert(path)),
                    }
                }
            }
            folders = below;
        }
        Ok(paths.into_iter().collect())
    }

    /// The names at these places, by path.
    fn by_path(&self, names: &[Name]) -> Result<BTreeMap<Path, Vec<(Name, String)>>> {
        let mut paths: BTreeMap<Path, Vec<(Name, String)>> = BTreeMap::new();
        for name in names {
            let Place { path, key } = self.layout.place(name)?;
            paths.entry(path).or_default().push((name.clone(), key));
        }
        Ok(paths)
    }

    /// The values of the names, with the versions that they were read in.
    async fn read_all(&self, selection: &Selection) -> Result<Reading> {
        let named: Option<Vec<Path>> = match selection {
            Selection::All => None,
            Selection::Names(names) => Some(self.by_path(names)?.into_keys().collect()),
            Selection::Listed(names) => {
                // One that has no place here is not here.
                let held = names.iter().filter(|name| self.layout.place(name).is_ok());
                let held: Vec<Name> = held.cloned().collect();
                Some(self.by_path(&held)?.into_keys().collect())
            }
        };
        let counts = self.requests.keeps_versions().await?;
        let paths = match named {
            Some(paths) => paths,
            None => self.paths("").await?,
        };
        let wanted: Option<BTreeSet<&Name>> = match selection {
            Selection::All => None,
            Selection::Names(names) | Selection::Listed(names) => Some(names.iter().collect()),
        };
        let secrets = match paths.as_slice() {
            [path] => vec![self.requests.read(path).await],
            paths => {
                bulk::each(&self.services, "reading secrets", paths, |path| {
                    self.requests.read(path)
                })
                .await?
            }
        };
        let mut reading = Reading {
            values: BTreeMap::new(),
            versions: counts.then(BTreeMap::new),
        };
        for (path, secret) in paths.iter().zip(secrets) {
            let secret = secret?;
            for (key, value) in secret.data.unwrap_or_default() {
                let name = self.layout.name(path, &key);
                let wanted =
                    |name: &Name| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
                let Some(name) = name.filter(wanted) else {
                    continue;
                };
                if let Some(versions) = &mut reading.versions {
                    let version = self.requests.version_of(path, &key, secret.version);
                    versions.insert(name.clone(), version);
                }
                reading.values.insert(name, value);
            }
        }
        self.requests.access.keep().await;
        Ok(reading)
    }

    /// The entries of one path.
    fn entries(&self, found: Found, filter: &Filter) -> Vec<Entry> {
        let Found { path, keys } = found;
        let beside = keys.beside;
        let entries = keys.keys.unwrap_or_default().into_iter().filter_map(|key| {
            let name = self.layout.name(&path, &key)?;
            if !filter.admits(name.as_str()) {
                return None;
            }
            let mut entry = Entry::new(name);
            entry.updated_at = beside.created_at;
            let said = beside.custom.get(&description_of(&key));
            let said = said.or_else(|| beside.custom.get(DESCRIPTION));
            entry.description = said.filter(|text| !text.is_empty()).cloned();
            if keys.version > 0 {
                entry.version = Some(self.requests.version_of(&path, &key, keys.version));
                entry
                    .attributes
                    .insert("version".to_owned(), keys.version.into());
            }
            Some(entry)
        });
        entries.collect()
    }

    /// Carries out `edits`, path by path, several at once.
    async fn change(&self, what: &str, edits: Vec<(Path, Edit)>) -> Result<Vec<Outcome>> {
        let names: Vec<Name> = edits.iter().map(|(_, edit)| edit.name.clone()).collect();
        let mut parts: BTreeMap<Path, Part> = BTreeMap::new();
        for (at, (path, edit)) in edits.into_iter().enumerate() {
            let part = parts.entry(path).or_default();
            part.places.push(at);
            part.edits.push(edit);
        }
        // So that no two look for it at once.
        self.requests.version().await?;
        let parts: Vec<(Path, Part)> = parts.into_iter().collect();
        let done = bulk::each(&self.services, what, &parts, |(path, part)| async {
            let mut results = self.requests.change(path, &part.edits).await;
            // One that all paths would meet ends the work.
            match results.as_mut_slice() {
                [Err(error)] => Err(error.clone()),
                _ => Ok(results),
            }
        });
        let mut results: BTreeMap<usize, Result<_>> = BTreeMap::new();
        for ((_, part), done) in parts.iter().zip(done.await?) {
            let places = part.places.iter().copied();
            match done {
                Ok(done) => results.extend(places.zip(done)),
                Err(error) => results.extend(places.map(|at| (at, Err(error.clone())))),
            }
        }
        self.requests.access.keep().await;
        let results = results.into_values();
        let results = results.map(|result| result.map(|(action, _)| action));
        Ok(bulk::outcomes(names, results.collect()))
    }
}

#[async_trait(?Send)]
impl Provider for OpenBao {
    fn capabilities(&self) -> Option<Capabilities> {
        self.capabilities
    }

    fn check_name(&self, name: &Name) -> Result<()> {
        self.layout.place(name).map(drop)
    }

    fn check(&self, write: &Write) -> Result<()> {
        let place = self.layout.place(&write.name)?;
        let refuse = |why: String| Err(Error::invalid_data(format!("{} {why}", write.name)));
        if place.key.is_empty() {
            return refuse("ends in a slash: nothing is stored under a key without a name".into());
        }
        if write.value.len() > LARGEST && write.value.form() != Form::Json {
            return refuse(format!(
                "has a value of {} bytes, and a path holds {LARGEST} at most",
                write.value.len()
            ));
        }
        match &write.metadata.description {
            Some(text) => check_description(&write.name, &place.key, text),
            None => Ok(()),
        }
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        bulk::concurrency(&self.services.env)?;
        self.requests.version().await?;
        let paths = match &filter.named {
            Some(name) => vec![self.layout.place(name)?.path],
            None => {
                let prefix = filter.prefix.as_deref().unwrap_or_default();
                self.paths(prefix).await?
            }
        };
        let found = bulk::each(&self.services, "listing secrets", &paths, |path| async {
            Ok(Found {
                path: path.clone(),
                keys: self.requests.keys(path).await?,
            })
        });
        let mut entries = Vec::new();
        for found in found.await? {
            entries.extend(self.entries(found?, filter));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        self.requests.access.keep().await;
        Ok(entries)
    }

    async fn read(&self, selection: &Selection) -> Result<BTreeMap<Name, SecretValue>> {
        Ok(self.read_all(selection).await?.values)
    }

    async fn read_counted(&self, selection: &Selection) -> Result<Reading> {
        self.read_all(selection).await
    }

    async fn write(&self, batch: Batch) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        let mut edits = Vec::with_capacity(batch.writes.len());
        for write in batch.writes {
            let Place { path, key } = self.layout.place(&write.name)?;
            let edit = Edit {
                name: write.name,
                key,
                value: Some(write.value),
                description: write.metadata.description,
                expected: write.expected,
                if_absent: batch.if_absent,
            };
            edits.push((path, edit));
        }
        self.change("storing secrets", edits).await
    }

    async fn annotate(&self, name: &Name, metadata: Metadata) -> Result<Action> {
        let Place { path, key } = self.layout.place(name)?;
        let description = metadata.description.unwrap_or_default();
        check_description(name, &key, &description)?;
        let annotated = self
            .requests
            .annotate(&path, &key, name, &description)
            .await;
        self.requests.access.keep().await;
        annotated
    }

    async fn delete(&self, names: &[Name]) -> Result<Vec<Outcome>> {
        bulk::concurrency(&self.services.env)?;
        let mut edits = Vec::with_capacity(names.len());
        for name in names {
            let Place { path, key } = self.layout.place(name)?;
            let edit = Edit {
                name: name.clone(),
                key,
                value: None,
                description: None,
                expected: None,
                if_absent: false,
            };
            edits.push((path, edit));
        }
        self.change("deleting secrets", edits).await
    }

    async fn login(&self, given: &Given) -> Result<Account> {
        let access = &self.requests.access;
        match given.is_empty() {
            true => access.log_in_anew().await?,
            false => access.log_in_with(given).await?,
        }
        access.keep().await;
        self.account().await
    }

    async fn account(&self) -> Result<Account> {
        self.requests.access.account().await
    }

    async fn logout(&self) -> Result<Vec<String>> {
        self.requests.access.log_out().await
    }

    fn versions(&self) -> Option<&dyn Versions> {
        match self.capabilities {
            None => Some(self),
            Some(_) => None,
        }
    }
}

/// Checks that `description` can stand beside `key`.
///
/// # Errors
/// `invalid_data` that says what the server does not take.
fn check_description(name: &Name, key: &str, description: &str) -> Result<()> {
    if description_of(key).len() > LONGEST_CUSTOM_KEY {
        return Err(Error::invalid_data(format!(
            "{name} is too long to be described: its key has {} bytes",
            key.len()
        )));
    }
    if key.chars().any(is_unprintable) {
        return Err(Error::invalid_data(format!(
            "{name} cannot be described: its key has characters that cannot be printed"
        )));
    }
    if description.len() > LONGEST_DESCRIPTION || description.chars().any(is_unprintable) {
        return Err(Error::invalid_data(format!(
            "{name} has a description that the server does not take: it is one line of at most {LONGEST_DESCRIPTION} bytes"
        )));
    }
    Ok(())
}
