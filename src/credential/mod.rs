//! API credentials: where they come from, in which order, the keyring they are kept in, and what no
//! other program may inherit of them.
//!
//! The environment first, then a secret of another store or the configured command, then the OS
//! keyring: what was given
//! explicitly is never looked up elsewhere, and the keyring is touched last.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

mod command;

use crate::config::environment::is_credential_variable;
use crate::config::schema::Schemas;
use crate::config::{Origin, StoreConfig};
use crate::http::Http;
use crate::identity::sealed;
use crate::keyring::{Keyring, Ring, Unreachable};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, SecretValue, StoreName};
use crate::words::shell::Script;

/// The variables of `env` that no other program may inherit: whatever may hold a credential of a
/// store, by keyfob's own name or a vendor's, and the key of sealed files.
pub fn withheld(schemas: Schemas, env: &Environment) -> BTreeSet<String> {
    env.names()
        .filter(|(_, known)| known == sealed::VARIABLE || is_credential_variable(schemas, known))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// What a credential is looked for with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The environment that its command runs in.
    pub env: &'a Environment,
    /// The variables that its command does not see; see [`withheld`].
    pub withheld: &'a BTreeSet<String>,
    /// The keyring that it may be kept in.
    pub keyring: &'a Keyring,
    /// Whose deadline ends its command, and whose log is told where it was found.
    pub http: &'a Http,
    /// Tells the user what matters beyond this command.
    pub notice: &'a dyn Fn(&str),
    /// Fetches what another store has.
    pub references: &'a dyn References,
}

/// Fetches credentials that other stores hold.
#[async_trait(?Send)]
pub trait References {
    /// The value of `reference`, for the credential of the store `wanted_by`.
    ///
    /// # Errors
    /// `config` where that store waits for this one's; what keeps it from being read.
    async fn value(&self, wanted_by: &StoreName, reference: &Reference) -> Result<SecretValue>;
}

/// There are no other stores.
pub struct NoReferences;

#[async_trait(?Send)]
impl References for NoReferences {
    async fn value(&self, _wanted_by: &StoreName, reference: &Reference) -> Result<SecretValue> {
        Err(Error::unauthenticated(format!(
            "{reference} cannot be fetched here"
        )))
    }
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment variable of this name.
    Environment(String),
    /// The command in the field of this name.
    Command(String),
    /// A secret of another store.
    Reference(Reference),
    /// The OS keyring.
    Keyring,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Command(field) => f.write_str(field),
            Source::Reference(reference) => reference.fmt(f),
            Source::Keyring => f.write_str("OS keyring"),
        }
    }
}

/// The credential that a store has in one field: from the environment, from the command in the
/// field's `_command`, or from the OS keyring. It is looked for when it is first needed, and once.
pub struct Credential {
    config: StoreConfig,
    base_url: String,
    field: &'static str,
    command_field: String,
    /// What it is kept under in the keyring.
    account: String,
    /// What it was kept under by earlier versions: the same for all stores of a provider at one
    /// address.
    shared: String,
    /// Whether it is sent in a body, which takes any text.
    in_a_body: bool,
    /// What is sent to the server: printable ASCII without spaces, unless it goes in a body.
    found: OnceCell<Zeroizing<String>>,
}

impl Credential {
    /// The credential in `field` of a store, good at `base_url` and, where it is good for a part of
    /// that alone, with the fields `scope` of the store as they are. Looks for nothing yet.
    ///
    /// What is kept in the keyring is kept for these and the store's name, so that a changed
    /// configuration finds nothing to send elsewhere, and another store nothing at all.
    pub fn new(
        config: &StoreConfig,
        base_url: &str,
        field: &'static str,
        scope: &[&'static str],
    ) -> Self {
        let shared = account(config, base_url, field, scope);
        Self {
            account: format!("{shared}#store={}", config.name()),
            shared,
            config: config.clone(),
            base_url: base_url.to_owned(),
            field,
            command_field: format!("{field}_command"),
            in_a_body: false,
            found: OnceCell::new(),
        }
    }

    /// The same, which is sent in a body: any text, as a person's password is.
    pub fn in_a_body(self) -> Self {
        Self {
            in_a_body: true,
            ..self
        }
    }

    /// The field that it is in.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The credential.
    ///
    /// # Errors
    /// `unauthenticated` where there is none, its command fails, or no header can carry it;
    /// `unavailable` where its command does not finish in time.
    pub async fn get(&self, means: &Means<'_>) -> Result<&str> {
        let find = || async {
            let started = Instant::now();
            let (found, source) = self.find(means).await?;
            (means.http.log())(&format!(
                "credential of {} from {source} in {} ms",
                self.config.name(),
                started.elapsed().as_millis()
            ));
            let whence = format!("the credential from {source}");
            checked(&found, &whence, self.in_a_body)
        };
        let found = self.found.get_or_try_init(find).await?;
        Ok(found)
    }

    /// The credential, as far as it can be had without running a command.
    pub async fn peek(&self, means: &Means<'_>) -> Option<&str> {
        match (self.found.get(), self.configured()) {
            (Some(found), _) => Some(found),
            (None, Some(Source::Command(_) | Source::Reference(_))) => None,
            (None, _) => self.get(means).await.ok(),
        }
    }

    /// Where it comes from; `None` where there is none. Runs no command, and asks the keyring only
    /// where nothing else is configured.
    pub fn source(&self, keyring: &Keyring) -> Option<Source> {
        self.configured()
            .or_else(|| matches!(self.kept(keyring), Ok(Some(_))).then_some(Source::Keyring))
    }

    /// What the keyring has, and whether all stores at its address share it.
    fn kept(&self, keyring: &Keyring) -> Result<Option<Kept>, Unreachable> {
        if let Some(secret) = keyring.get(&self.account)? {
            return Ok(Some(Kept {
                secret,
                is_shared: false,
            }));
        }
        let shared = keyring.get(&self.shared)?;
        Ok(shared.map(|secret| Kept {
            secret,
            is_shared: true,
        }))
    }

    /// Keeps `secret` in the OS keyring.
    ///
    /// # Errors
    /// `unauthenticated` where it cannot be sent in a header, `failed` where the keyring cannot be
    /// used.
    pub fn keep(&self, keyring: &Keyring, secret: &str) -> Result<()> {
        let secret = checked(secret.as_bytes(), "the credential", self.in_a_body)?;
        keyring
            .set(&self.account, secret.as_bytes(), None)
            .map_err(|why| {
                Error::failed(format!("the credential cannot be kept: {why}")).hint(
                    "give it in the environment, or configure a command that prints it, instead",
                )
            })
    }

    /// Forgets what is kept in the OS keyring; tells in words what there was. What earlier versions
    /// have kept for all stores at the address goes as well, as the store would use it. In a session
    /// without a keyring nothing is forgotten.
    ///
    /// # Errors
    /// `failed` where there is a keyring and it cannot be used.
    pub fn forget(&self, keyring: &Keyring) -> Result<Vec<String>> {
        const WHAT: &str = "the credential in the OS keyring";
        let shared = format!("{WHAT} that all stores at {} shared", self.base_url);
        let mut forgotten = Vec::new();
        for (account, what) in [(&self.account, WHAT.to_owned()), (&self.shared, shared)] {
            match keyring.delete(account) {
                Ok(true) => forgotten.push(what),
                Ok(false) | Err(Unreachable::Absent) => {}
                Err(why) => {
                    return Err(Error::failed(format!(
                        "a credential that may be kept cannot be forgotten: {why}"
                    ))
                    .hint(forget_again(&self.config)));
                }
            }
        }
        Ok(forgotten)
    }

    /// Where it is configured to come from; `None` leaves the OS keyring.
    pub fn configured(&self) -> Option<Source> {
        if let Some(reference) = self.config.reference(self.field) {
            return Some(Source::Reference(reference));
        }
        match self.config.origin(self.field) {
            Some(Origin::Environment { variable }) => Some(Source::Environment(variable.clone())),
            _ => self
                .config
                .text(&self.command_field)
                .map(|_| Source::Command(self.command_field.clone())),
        }
    }

    async fn find(&self, means: &Means<'_>) -> Result<(Zeroizing<Vec<u8>>, Source)> {
        let why = match self.configured() {
            Some(source @ Source::Environment(_)) => {
                let text = self.config.text(self.field).unwrap_or_default();
                return Ok((Zeroizing::new(text.as_bytes().to_vec()), source));
            }
            Some(Source::Reference(reference)) => {
                let wanted_by = self.config.name();
                let value = means.references.value(wanted_by, &reference).await;
                let value = value
                    .map_err(|error| error.context(format!("{} of {wanted_by}", self.field)))?;
                let source = Source::Reference(reference);
                return Ok((Zeroizing::new(value.expose().to_vec()), source));
            }
            Some(source) => {
                let script = Script {
                    text: self.config.text(&self.command_field).unwrap_or_default(),
                    folder: self
                        .config
                        .origin(&self.command_field)
                        .and_then(Origin::folder),
                    env: means.env,
                    withheld: means.withheld,
                    vars: Vec::new(),
                    stdin: None,
                    deadline: means.http.deadline().end(),
                };
                return Ok((command::output(&self.command_field, &script).await?, source));
            }
            None => match self.kept(means.keyring) {
                Ok(Some(kept)) => {
                    if kept.is_shared {
                        let name = self.config.name();
                        (means.notice)(&format!(
                            "{name}: its credential was kept by an earlier version, for all stores at {}; keyfob login {name} keeps one for it alone",
                            self.base_url,
                        ));
                    }
                    return Ok((kept.secret, Source::Keyring));
                }
                Ok(None) | Err(Unreachable::Absent) => String::new(),
                Err(why) => format!(", and {why}"),
            },
        };
        let error =
            Error::unauthenticated(format!("there is no credential for {}{why}", self.base_url));
        Err(match self.config.credential_hint(self.field) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// What to do about what a keyring that cannot be used may still have of a store.
pub fn forget_again(config: &StoreConfig) -> String {
    format!(
        "once the keyring can be used: keyfob logout {}",
        config.name()
    )
}

/// What the keyring has.
struct Kept {
    secret: Zeroizing<Vec<u8>>,
    is_shared: bool,
}

/// The account under which the keyring has a credential for all stores at an address. The first field of a provider that is
/// one goes without its name.
fn account(config: &StoreConfig, base_url: &str, field: &str, scope: &[&str]) -> String {
    let mut account = format!(
        "credential:{}:{}",
        config.provider(),
        base_url.trim_end_matches('/')
    );
    let first = config.schema().fields.iter().find(|field| field.credential);
    if first.is_some_and(|first| first.name != field) {
        account.push_str(&format!("#{field}"));
    }
    for part in scope {
        if let Some(text) = config.text(part) {
            account.push_str(&format!("#{part}={text}"));
        }
    }
    account
}

/// `bytes` without the line end that copying and `echo` leave behind, as what a header can carry.
///
/// # Errors
/// `unauthenticated` for anything but one word of printable ASCII, or in a body some text.
fn checked(bytes: &[u8], what: &str, in_a_body: bool) -> Result<Zeroizing<String>> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    match std::str::from_utf8(text) {
        Ok(text) if fits_a_header(text) || (in_a_body && !text.is_empty()) => {
            Ok(Zeroizing::new(text.to_owned()))
        }
        _ => Err(Error::unauthenticated(format!(
            "{what} is not one line of printable ASCII without spaces"
        ))
        .hint(
            "a credential is one word; check that it was copied whole, and without anything else",
        )),
    }
}

/// Whether `text` can stand in a header as it is: printable ASCII without spaces, and some.
pub(super) fn fits_a_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::schema::{Field, Schema, Shape};
    use crate::config::{Config, LoadOptions};
    use crate::http::Deadline;
    use crate::words::env::Folders;
    use crate::words::error::Kind;

    const URL: &str = "https://api.example.com";

    const SCHEMAS: Schemas = &[&Schema {
        provider: "role",
        fields: &[
            Field::new("token", Shape::Text, "the token")
                .credential()
                .vendor_env(&["NEW_TOKEN", "OLD_TOKEN"]),
            Field::new("token_command", Shape::Text, "prints it"),
            Field::new("role_id", Shape::Text, "the role")
                .credential()
                .vendor_env(&["NEW_ROLE"]),
            Field::new("namespace", Shape::Text, "a part").vendor_env(&["NEW_NAMESPACE"]),
        ],
    }];

    fn config(vars: &[(&str, &str)]) -> StoreConfig {
        let folder = tempfile::tempdir().unwrap();
        let env = Environment::from_vars(vars.iter().copied(), folder.path());
        let folders = Folders::below(folder.path());
        let options = LoadOptions {
            env: &env,
            folders: &folders,
            files: Default::default(),
            schemas: SCHEMAS,
        };
        let config = Config::load(&options).unwrap();
        config
            .store(&StoreName::new("role").unwrap())
            .unwrap()
            .clone()
    }

    fn credential(vars: &[(&str, &str)]) -> Credential {
        Credential::new(&config(vars), URL, "token", &[])
    }

    /// What is found, and where.
    async fn found(vars: &[(&str, &str)]) -> Result<(String, Source)> {
        let path = std::env::var("PATH").unwrap();
        let env = Environment::from_vars([("PATH", path)], std::env::temp_dir());
        let keyring = Keyring::default();
        let credential = credential(vars);
        let means = Means {
            env: &env,
            withheld: &BTreeSet::new(),
            keyring: &keyring,
            http: &Http::new(Rc::new(Deadline::after(None)), Rc::new(|_| ())),
            notice: &|_| (),
            references: &NoReferences,
        };
        let secret = credential.get(&means).await?.to_owned();
        Ok((secret, credential.source(&keyring).unwrap()))
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_environment_wins_over_the_command() {
        let command = ("KEYFOB_ROLE_TOKEN_COMMAND", "exit 1");
        let own = ("KEYFOB_ROLE_TOKEN", "first");
        let (new, old) = (("NEW_TOKEN", "second"), ("OLD_TOKEN", "third"));
        for (vars, secret, source) in [
            (
                &[own, new, old, command][..],
                "first",
                "environment KEYFOB_ROLE_TOKEN",
            ),
            (&[new, old, command], "second", "environment NEW_TOKEN"),
            (&[old, command], "third", "environment OLD_TOKEN"),
            (
                &[("KEYFOB_ROLE_TOKEN_COMMAND", "echo fourth")],
                "fourth",
                "token_command",
            ),
        ] {
            let found = found(vars).await.unwrap();
            assert_eq!(
                (found.0.as_str(), found.1.to_string().as_str()),
                (secret, source)
            );
        }
    }

    #[tokio::test]
    async fn without_any_the_ways_are_named() {
        let error = found(&[]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthenticated);
        let hint = error.hint_text().unwrap();
        for way in [
            "KEYFOB_ROLE_TOKEN or NEW_TOKEN or OLD_TOKEN",
            "token_command",
            "keyfob login role",
        ] {
            assert!(hint.contains(way), "{hint}");
        }
    }

    #[tokio::test]
    async fn what_would_break_a_header_is_refused_without_showing_it() {
        for bad in ["hun ter2", "hunter2\n\n", "hunter2\nX: y", "hüntër2", "\n"] {
            let error = found(&[("NEW_TOKEN", bad)]).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated);
            assert!(error.message().contains("NEW_TOKEN"), "{error}");
            assert!(!format!("{error:?}").contains("ter2"), "{error:?}");
            let error = credential(&[]).keep(&Keyring::default(), bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated);
        }
        let pasted = found(&[("NEW_TOKEN", "hunter2\r\n")]).await.unwrap();
        assert_eq!(pasted.0, "hunter2");
    }

    #[test]
    fn a_source_is_told_without_running_anything() {
        let source = |vars| credential(vars).source(&Keyring::default());
        assert_eq!(
            source(&[("KEYFOB_ROLE_TOKEN_COMMAND", "exit 1")]),
            Some(Source::Command("token_command".into()))
        );
        assert_eq!(source(&[]), None);
    }

    #[test]
    fn without_a_keyring_nothing_is_kept_and_nothing_to_forget() {
        let keyring = Keyring::default();
        let error = credential(&[]).keep(&keyring, "hunter2").unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(credential(&[]).forget(&keyring).unwrap().is_empty());
    }

    #[test]
    fn accounts_tell_apart_what_must_not_be_taken_for_another() {
        let team = config(&[("NEW_NAMESPACE", "team")]);
        let of = |config: &StoreConfig, url, field, scope: &[&'static str]| {
            Credential::new(config, url, field, scope).account
        };
        let first = of(&team, "https://a.example/", "token", &[]);
        assert_eq!(first, "credential:role:https://a.example#store=role");
        // As 0.1 has named it.
        let shared = Credential::new(&team, "https://a.example/", "token", &[]).shared;
        assert_eq!(shared, "credential:role:https://a.example");
        let all = [
            first,
            of(&team, "https://b.example", "token", &[]),
            of(&team, "https://a.example", "role_id", &[]),
            of(&team, "https://a.example", "token", &["namespace"]),
            of(&team, "https://a.example", "role_id", &["namespace"]),
            of(
                &config(&[("NEW_NAMESPACE", "other")]),
                "https://a.example",
                "token",
                &["namespace"],
            ),
        ];
        assert_eq!(BTreeSet::from_iter(&all).len(), all.len(), "{all:?}");
    }

    #[test]
    fn what_may_be_secret_is_withheld_and_nothing_else() {
        let names = [
            "KEYFOB_ROLE_TOKEN",
            "KEYFOB_MY_OWN_ROLE_ID",
            "NEW_TOKEN",
            "OLD_TOKEN",
            "NEW_ROLE",
            sealed::VARIABLE,
        ];
        let plain = [
            "PATH",
            "NEW_NAMESPACE",
            "KEYFOB_ROLE_TOKEN_COMMAND",
            "TOKEN",
        ];
        let vars = names.iter().chain(&plain).map(|name| (*name, ""));
        let env = Environment::from_vars(vars, "/");
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(withheld(SCHEMAS, &env), expected);
    }
}
