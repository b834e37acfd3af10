//! The requests to one mount, and what stands in their answers.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode, Url};
use serde::Serialize;

use super::access::Access;
use super::name::Path;
use super::wire::{self, Keys, Numbered, Secret, Sent};
use crate::config::StoreConfig;
use crate::http::{self, Request, Response};
use crate::providers::Services;
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::SecretValue;

/// Where OpenBao mounts the key-value engine that it comes with.
const MOUNT: &str = "secret";

/// So long a version that was written is waited for on a server that has no index.
const STALE: Duration = Duration::from_secs(2);

/// The shortest pause while it is; they become longer.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a mount that is being made is asked again.
const COMING: usize = 4;

/// The mount of one store.
pub struct Requests {
    /// Who asks.
    pub access: Access,
    /// The mount, as it is configured.
    pub mount: String,
    /// The version that is configured.
    version: Option<u8>,
    /// Whether the mount was seen in this process.
    was_seen: Cell<bool>,
    /// Whether keys without their values are told.
    tells_keys: Cell<bool>,
    services: Rc<Services>,
    told: RefCell<bool>,
    /// Address, namespace and mount.
    place: String,
}

/// A version of a path at a place.
type Made = (String, Path, u32);

thread_local! {
    /// The versions that this process has made, by whichever of its stores, and which keys it has
    /// changed in each.
    static OWN: RefCell<BTreeMap<Made, BTreeSet<String>>> = RefCell::default();
}

/// What became of a write.
pub enum Wrote {
    /// It made this version.
    Version(u32),
    /// Nothing was done: another version is the current one, or there is none.
    Outdated,
    /// Nothing was done, and may be later.
    Later(Error),
    /// It may have been done.
    Unclear(Error),
    /// The same, and as a rule it was not: the node does not have the path yet, or no more.
    Behind(Error),
}

/// A write of some keys, or of the whole map.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The keys; those without a value go.
    pub keys: &'a BTreeMap<&'a str, Option<&'a SecretValue>>,
    /// Whether they are all that is to be there.
    pub is_whole: bool,
    /// The version that must be the current one.
    pub cas: u32,
}

impl Requests {
    pub fn new(config: &StoreConfig, services: &Rc<Services>) -> Result<Self> {
        let mount = config.text("mount").unwrap_or(MOUNT).trim_matches('/');
        let checked = Path::new(mount).map_err(|error| {
            Error::config(error.message())
                .context(format!("mount of {}", config.name()))
                .store(config.name().as_str())
        });
        let access = Access::new(config, services)?;
        let mount = checked?.text();
        let namespace = config.text("namespace").unwrap_or_default();
        Ok(Self {
            place: [&access.endpoint.shown(), namespace, &mount].join("\n"),
            access,
            mount,
            version: match config.text("kv_version") {
                Some("1") => Some(1),
                Some("2") => Some(2),
                _ => None,
            },
            was_seen: Cell::default(),
            tells_keys: Cell::new(true),
            services: Rc::clone(services),
            told: RefCell::default(),
        })
    }

    /// Sends what `make` makes, again where a mount that was seen is not there yet.
    async fn ask(&self, make: impl Fn() -> Result<Request>) -> Result<Response> {
        let mut pauses = http::pauses(COMING);
        loop {
            let response = self.access.call(&make).await?;
            if !self.was_seen.get() || !wire::is_coming(&response) {
                return Ok(response);
            }
            match pauses.next() {
                Some(pause) if self.services.http.deadline().allows(pause) => {
                    tokio::time::sleep(pause).await;
                }
                _ => return Ok(response),
            }
        }
    }

    /// Sends a PATCH that may be sent twice, again for a while where a node does not have the path yet:
    /// it looks for that in its own copy, before it passes anything on.
    async fn patch(&self, make: impl Fn() -> Result<Request>) -> Result<Response> {
        let started = Instant::now();
        loop {
            let response = self.ask(&make).await?;
            if !wire::is_behind(&response) || !self.waits(started).await {
                return Ok(response);
            }
        }
    }

    fn url(&self, what: Option<&str>, path: &Path) -> Result<Url> {
        let mount = self.mount.split('/');
        self.access.url(mount.chain(what).chain(path.segments()))
    }

    /// Which version of the key-value engine the mount is of: found once, and kept with the token.
    ///
    /// # Errors
    /// `forbidden` where the mount is missing or nothing below it may be seen; `config` where it is
    /// another engine's, or another mount's path.
    pub async fn version(&self) -> Result<u8> {
        if let Some(version) = self.version {
            return Ok(version);
        }
        self.access.prepare().await?;
        if let Some(version) = self.access.mount(&self.mount) {
            return Ok(version);
        }
        let response = self
            .ask(|| {
                let mounts = ["sys", "internal", "ui", "mounts"].into_iter();
                let url = self.access.url(mounts.chain(self.mount.split('/')))?;
                Ok(Request::new("look at the mount", Method::GET, url))
            })
            .await?;
        if !response.is_success() {
            return Err(wire::failure(&response));
        }
        let found = wire::mount(&response)?;
        let Some(version) = found.version else {
            return Err(Error::config(format!(
                "{} is not a mount of the key-value engine, or of a version that keyfob does not know",
                found.path
            )));
        };
        if found.path != self.mount {
            let rest = self.mount.strip_prefix(&format!("{}/", found.path));
            let hint = match rest {
                Some(rest) => format!("set mount to {} and path to {rest}", found.path),
                None => format!("set mount to {}", found.path),
            };
            return Err(Error::config(format!(
                "{} is no mount: it is a path of {}",
                self.mount, found.path
            ))
            .hint(hint));
        }
        self.was_seen.set(true);
        self.access.note_mount(&self.mount, version);
        Ok(version)
    }

    /// Whether the mount keeps versions.
    pub async fn keeps_versions(&self) -> Result<bool> {
        Ok(self.version().await? == 2)
    }

    // ---- reading ----

    /// The current version of `path`. One that was written a moment ago is waited for.
    pub async fn read(&self, path: &Path) -> Result<Secret> {
        let keeps_versions = self.keeps_versions().await?;
        let started = Instant::now();
        loop {
            let secret = match keeps_versions {
                true => self.read_version(path, None).await?,
                false => {
                    let make = || self.getting("read the secrets", None, path);
                    wire::bare(&self.ask(make).await?)?
                }
            };
            let awaited = self.access.awaited(&self.address(path));
            if !keeps_versions || awaited.is_none_or(|awaited| secret.version >= awaited) {
                return Ok(secret);
            }
            if !self.waits(started).await {
                return Ok(secret);
            }
        }
    }

    /// What tells `path` from those of other mounts and namespaces.
    pub fn address(&self, path: &Path) -> String {
        [self.place.as_str(), &path.text()].join("\n")
    }

    /// Waits a moment, unless that was so long already that what is not there will not come.
    pub async fn waits(&self, since: Instant) -> bool {
        let waited = since.elapsed();
        let pause = PAUSE.max(waited / 2);
        let may = waited < STALE && self.services.http.deadline().allows(pause);
        if may {
            tokio::time::sleep(pause).await;
        }
        may
    }

    fn getting(&self, operation: &'static str, what: Option<&str>, path: &Path) -> Result<Request> {
        Ok(Request::new(operation, Method::GET, self.url(what, path)?))
    }

    /// The version of `number`, else the current one.
    pub async fn read_version(&self, path: &Path, number: Option<u32>) -> Result<Secret> {
        let response = self
            .ask(|| {
                let mut request = self.getting("read the secrets", Some("data"), path)?;
                if let Some(number) = number {
                    let mut query = request.url.query_pairs_mut();
                    query.append_pair("version", &number.to_string());
                }
                Ok(request)
            })
            .await?;
        wire::secret(&response)
    }

    /// The keys of `path`, and what stands beside them; their values are read only where the server
    /// does not tell the keys alone.
    pub async fn keys(&self, path: &Path) -> Result<Keys> {
        if self.keeps_versions().await? && self.tells_keys.get() {
            let make = || self.getting("list the keys", Some("subkeys"), path);
            let response = self.ask(make).await?;
            let stale = |keys: &Keys| {
                let awaited = self.access.awaited(&self.address(path));
                awaited.is_some_and(|awaited| keys.version < awaited)
            };
            match wire::keys(&response)? {
                Some(keys) if !stale(&keys) => return Ok(keys),
                Some(_) => {}
                None if response.status == StatusCode::FORBIDDEN => self.tells_keys.set(false),
                None => {}
            }
        }
        let secret = self.read(path).await?;
        Ok(Keys {
            version: secret.version,
            keys: secret.data.map(|data| data.into_keys().collect()),
            beside: secret.beside,
        })
    }

    /// The names in the folder `path`; those of folders end in a slash.
    pub async fn folder(&self, path: &Path) -> Result<Vec<String>> {
        let what = self.keeps_versions().await?.then_some("metadata");
        let response = self
            .ask(|| {
                let mut request = self.getting("list the secrets", what, path)?;
                request.url.query_pairs_mut().append_pair("list", "true");
                Ok(request)
            })
            .await?;
        wire::list(&response).map_err(|error| match error.kind() {
            Kind::Forbidden => error.also_hint("where it may read and not list, name the secrets"),
            _ => error,
        })
    }

    /// The versions of `path`, the oldest first, and the number of the current one; `None` where that
    /// may not be seen.
    pub async fn versions(&self, path: &Path) -> Result<Option<(Vec<Numbered>, u32)>> {
        let make = || self.getting("list the versions", Some("metadata"), path);
        let response = self.ask(make).await?;
        match response.status {
            StatusCode::FORBIDDEN => Ok(None),
            _ => wire::versions(&response).map(Some),
        }
    }

    /// Since which version `key` of `path` is as it is in `version`, as far as this process knows: a
    /// version of its own that changed other keys is none of this one's.
    pub fn version_of(&self, path: &Path, key: &str, version: u32) -> u32 {
        let mut since = version;
        OWN.with_borrow(|own| {
            while let Some(keys) = own.get(&(self.place.clone(), path.clone(), since))
                && !keys.contains(key)
            {
                since -= 1;
            }
        });
        since
    }

    /// Notes a version that this process has made.
    pub fn note_own(&self, path: &Path, version: u32, keys: BTreeSet<String>) {
        let made = (self.place.clone(), path.clone(), version);
        OWN.with_borrow_mut(|own| drop(own.insert(made, keys)));
    }

    // ---- writing ----

    /// Sends a write once. It is for the caller to look what became of one that is unclear.
    ///
    /// # Errors
    /// What the server refuses for good.
    pub async fn write(&self, path: &Path, data: Data<'_>) -> Result<Wrote> {
        let sent = self.ask(|| self.writing(path, data)).await;
        let response = match self.heard(sent)? {
            Ok(response) => response,
            Err(wrote) => return Ok(wrote),
        };
        if !response.is_success() {
            return Err(wire::failure(&response));
        }
        match wire::written(&response) {
            Ok(version) => Ok(Wrote::Version(version)),
            Err(error) if response.status == StatusCode::NO_CONTENT && response.body.is_empty() => {
                Ok(Wrote::Unclear(error.hint(
                    "a mount of version 1 answers so; leave kv_version out to have it found",
                )))
            }
            Err(error) => Ok(Wrote::Unclear(error)),
        }
    }

    fn writing(&self, path: &Path, data: Data<'_>) -> Result<Request> {
        #[derive(Serialize)]
        struct Body<'a> {
            data: Sent<'a>,
            options: Options,
        }
        #[derive(Serialize)]
        struct Options {
            cas: u32,
        }
        let body = Body {
            data: Sent(data.keys),
            options: Options { cas: data.cas },
        };
        let url = self.url(Some("data"), path)?;
        let request = match data.is_whole {
            true => Request::new("store the secrets", Method::POST, url).json(&body)?,
            false => Request::new("store the secrets", Method::PATCH, url).merge_patch(&body)?,
        };
        Ok(sensitive(request, data.keys))
    }

    /// Stores the whole map on a mount without versions, sent once.
    ///
    /// # Errors
    /// What the server refuses for good.
    pub async fn write_bare(
        &self,
        path: &Path,
        keys: &BTreeMap<&str, Option<&SecretValue>>,
    ) -> Result<Option<Error>> {
        let sent = self
            .ask(|| {
                let url = self.url(None, path)?;
                let (method, operation) = match keys.is_empty() {
                    true => (Method::DELETE, "delete the secrets"),
                    false => (Method::POST, "store the secrets"),
                };
                // Not repeatable: what was there before tells whether it was carried out.
                let request = Request::new(operation, method, url);
                match keys.is_empty() {
                    true => Ok(request),
                    false => Ok(sensitive(request.json(&Sent(keys))?, keys)),
                }
            })
            .await;
        match self.heard(sent)? {
            Ok(response) if response.is_success() => Ok(None),
            Ok(response) => Err(wire::failure(&response)),
            Err(Wrote::Later(error) | Wrote::Unclear(error) | Wrote::Behind(error)) => {
                Ok(Some(error))
            }
            Err(_) => Err(Error::failed("a mount without versions has none to expect")),
        }
    }

    /// Sorts what came of a write: an answer that means something, or what is known without one.
    ///
    /// # Errors
    /// What kept it from being sent.
    fn heard(&self, sent: Result<Response>) -> Result<Result<Response, Wrote>> {
        let response = match sent {
            Ok(response) => response,
            // No answer, or one that broke off, came after the server had the request.
            Err(error) if error.cause() == Cause::Unreachable => {
                return Ok(Err(Wrote::Unclear(error)));
            }
            Err(error) if error.kind() == Kind::InvalidData => {
                return Ok(Err(Wrote::Unclear(error)));
            }
            Err(error) => return Err(error),
        };
        if wire::is_outdated(&response) || wire::is_absent(&response) {
            return Ok(Err(Wrote::Outdated));
        }
        if wire::is_behind(&response) {
            return Ok(Err(Wrote::Behind(wire::failure(&response))));
        }
        if wire::is_refused_for_now(&response) {
            return Ok(Err(Wrote::Later(wire::failure(&response))));
        }
        let unclear = response.is_html()
            || wire::is_transient(response.status, &response.body)
            || (response.status.is_server_error()
                && wire::failure(&response).kind() == Kind::Unavailable);
        Ok(match unclear {
            true => Err(Wrote::Unclear(wire::failure(&response))),
            false => Ok(response),
        })
    }

    /// Deletes, or brings back, exactly these versions of `path`.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn mark(&self, act: &'static str, path: &Path, version: u32) -> Result<()> {
        #[derive(Serialize)]
        struct Body {
            versions: [u32; 1],
        }
        let operation = match act {
            "undelete" => "bring the secrets back",
            _ => "delete the secrets",
        };
        let response = self
            .ask(|| {
                let url = self.url(Some(act), path)?;
                // A second one does what the first has done.
                Request::new(operation, Method::POST, url)
                    .repeatable()
                    .json(&Body {
                        versions: [version],
                    })
            })
            .await?;
        match response.is_success() {
            true => Ok(()),
            false => Err(wire::failure(&response)),
        }
    }

    /// Changes what people have said of the path; what has no text goes.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn describe(
        &self,
        path: &Path,
        custom: &BTreeMap<String, Option<String>>,
    ) -> Result<()> {
        #[derive(Serialize)]
        struct Body<'a> {
            custom_metadata: &'a BTreeMap<String, Option<String>>,
        }
        let response = self
            .patch(|| {
                let url = self.url(Some("metadata"), path)?;
                // A second one does what the first has done.
                Request::new("describe the secrets", Method::PATCH, url)
                    .repeatable()
                    .merge_patch(&Body {
                        custom_metadata: custom,
                    })
            })
            .await?;
        match response.is_success() {
            true => Ok(()),
            false => Err(wire::failure(&response)),
        }
    }

    /// Says, once, what a mount without versions cannot keep from happening.
    pub fn tell_of_losses(&self) {
        if !self.told.replace(true) {
            (self.services.notice)(&format!(
                "the mount {} is of version 1, which replaces all keys of a path at once: what somebody else stores in the same moment may be lost",
                self.mount
            ));
        }
    }
}

/// With the values that must not come back in a message.
fn sensitive(mut request: Request, keys: &BTreeMap<&str, Option<&SecretValue>>) -> Request {
    for value in keys.values().copied().flatten() {
        if let Some(text) = value.expose_str() {
            request = request.sensitive(text);
        }
    }
    request
}
