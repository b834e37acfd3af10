//! API credentials: where they come from, in which order, and the keyring they are kept in.
//!
//! The environment first, then the configured command, then the OS keyring: what was given
//! explicitly is never looked up elsewhere, and the keyring is touched last.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use zeroize::Zeroizing;

mod command;

use crate::keyring::{Keyring, Unreachable};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};

/// Which credential is wanted, and what is configured for it.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The store's name, for what is said to the user.
    pub store: &'a str,
    /// Where the credential is good; one kept in the keyring goes nowhere else.
    pub base_url: &'a str,
    /// The variables that may hold it, the first that is set being taken: name and value.
    pub variables: &'a [(String, Option<String>)],
    /// The field of the command that prints it, and the command, where one is configured.
    pub command: (&'a str, Option<&'a str>),
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment variable of this name.
    Environment(String),
    /// The command in the field of this name.
    Command(String),
    /// The OS keyring.
    Keyring,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Command(field) => f.write_str(field),
            Source::Keyring => f.write_str("OS keyring"),
        }
    }
}

/// A credential and where it came from. `Debug` does not show the credential.
#[derive(Clone)]
pub struct Credential {
    /// What is sent to the server: printable ASCII without spaces.
    pub secret: Zeroizing<String>,
    /// Where it came from.
    pub source: Source,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.source)
    }
}

impl Wanted<'_> {
    /// The account under which the keyring has it. It names the base URL, so that a changed
    /// configuration finds nothing to send elsewhere.
    fn account(&self) -> String {
        account(self.provider, self.base_url)
    }

    fn set_variable(&self) -> Option<(&str, &str)> {
        self.variables
            .iter()
            .find_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
    }
}

/// The credential that `wanted` describes. A command is run in `env` without the variables in
/// `withheld`, and ended at `deadline`.
///
/// # Errors
/// `unauthenticated` where there is none, its command fails, or it cannot be sent in a header;
/// `unavailable` where its command does not finish in time.
pub async fn resolve(
    wanted: &Wanted<'_>,
    env: &Environment,
    withheld: &BTreeSet<String>,
    keyring: &Keyring,
    deadline: Option<Instant>,
) -> Result<Credential> {
    if let Some((name, value)) = wanted.set_variable() {
        let source = Source::Environment(name.to_owned());
        return checked(Zeroizing::new(value.to_owned()), source);
    }
    if let (field, Some(text)) = wanted.command {
        let printed = command::output(field, text, env, withheld, deadline).await?;
        return checked(printed, Source::Command(field.to_owned()));
    }
    let why = match keyring.get(&wanted.account()) {
        Ok(Some(bytes)) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return checked(Zeroizing::new(text), Source::Keyring);
        }
        Ok(None) | Err(Unreachable::Absent) => String::new(),
        Err(why) => format!(", and {why}"),
    };
    let names: Vec<&str> = wanted
        .variables
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    Err(Error::unauthenticated(format!(
        "there is no credential for {}{why}",
        wanted.base_url
    ))
    .hint(format!(
        "set {}, configure {}, or keep one in the OS keyring with 'keyfob login {}'",
        names.join(" or "),
        wanted.command.0,
        wanted.store
    )))
}

/// Where [`resolve`] would take the credential from, without running a command; `None` where
/// there is none. The keyring is asked only where nothing else is configured.
pub fn source(wanted: &Wanted<'_>, keyring: &Keyring) -> Option<Source> {
    if let Some((name, _)) = wanted.set_variable() {
        return Some(Source::Environment(name.to_owned()));
    }
    if let (field, Some(_)) = wanted.command {
        return Some(Source::Command(field.to_owned()));
    }
    matches!(keyring.get(&wanted.account()), Ok(Some(_))).then_some(Source::Keyring)
}

/// Keeps `secret` in the OS keyring for `provider` at `base_url` alone.
///
/// # Errors
/// `unauthenticated` where it cannot be sent in a header, `failed` where the keyring cannot be
/// used.
pub fn store_credential(
    keyring: &Keyring,
    provider: &str,
    base_url: &str,
    secret: &str,
) -> Result<()> {
    let secret = trimmed(secret);
    if !fits_a_header(secret) {
        return Err(unfit("the credential"));
    }
    keyring
        .set(&account(provider, base_url), secret.as_bytes())
        .map_err(|why| {
            Error::failed(format!("the credential cannot be kept: {why}"))
                .hint("give it in the environment, or configure a command that prints it, instead")
        })
}

/// Forgets the credential kept for `provider` at `base_url`; tells whether there was one. A
/// machine without a keyring has none.
///
/// # Errors
/// `failed` where there is a keyring and it cannot be used.
pub fn forget_credential(keyring: &Keyring, provider: &str, base_url: &str) -> Result<bool> {
    match keyring.delete(&account(provider, base_url)) {
        Ok(there_was) => Ok(there_was),
        Err(Unreachable::Absent) => Ok(false),
        Err(why) => Err(Error::failed(format!(
            "a credential that may be kept cannot be forgotten: {why}"
        ))),
    }
}

/// Whether `text` can stand in a header as it is: printable ASCII without spaces, and some.
pub(super) fn fits_a_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn account(provider: &str, base_url: &str) -> String {
    format!("credential:{provider}:{}", base_url.trim_end_matches('/'))
}

fn checked(text: Zeroizing<String>, source: Source) -> Result<Credential> {
    let secret = trimmed(&text);
    if !fits_a_header(secret) {
        return Err(unfit(&format!("the credential from {source}")));
    }
    Ok(Credential {
        secret: Zeroizing::new(secret.to_owned()),
        source,
    })
}

/// Without the line end that copying and `echo` leave behind.
fn trimmed(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn unfit(what: &str) -> Error {
    Error::unauthenticated(format!(
        "{what} is not one line of printable ASCII without spaces"
    ))
    .hint("a credential is one word; check that it was copied whole, and without anything else")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    const URL: &str = "https://api.example.com";

    fn variables(first: Option<&str>, second: Option<&str>) -> [(String, Option<String>); 2] {
        [
            ("KEYFOB_FN_API_KEY".to_owned(), first.map(str::to_owned)),
            ("NEO_API_KEY".to_owned(), second.map(str::to_owned)),
        ]
    }

    fn wanted<'a>(
        variables: &'a [(String, Option<String>)],
        command: Option<&'a str>,
    ) -> Wanted<'a> {
        Wanted {
            provider: "neo",
            store: "fn",
            base_url: URL,
            variables,
            command: ("api_key_command", command),
        }
    }

    async fn resolved(wanted: &Wanted<'_>) -> Result<Credential> {
        let path = std::env::var("PATH").unwrap();
        let env = Environment::from_vars([("PATH", path)], std::env::temp_dir());
        resolve(wanted, &env, &BTreeSet::new(), &Keyring::default(), None).await
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_environment_wins_over_the_command() {
        let both = variables(Some("first"), Some("second"));
        let found = resolved(&wanted(&both, Some("exit 1"))).await.unwrap();
        assert_eq!(found.secret.as_str(), "first");
        assert_eq!(found.source.to_string(), "environment KEYFOB_FN_API_KEY");
        let second = variables(None, Some("second"));
        let found = resolved(&wanted(&second, Some("exit 1"))).await.unwrap();
        assert_eq!(found.source.to_string(), "environment NEO_API_KEY");
        let none = variables(None, None);
        let found = resolved(&wanted(&none, Some("echo third"))).await.unwrap();
        assert_eq!(found.secret.as_str(), "third");
        assert_eq!(found.source.to_string(), "api_key_command");
        assert_eq!(format!("{found:?}"), "Credential(api_key_command)");
    }

    #[tokio::test]
    async fn without_any_the_three_ways_are_named() {
        let none = variables(None, None);
        let error = resolved(&wanted(&none, None)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthenticated);
        let hint = error.hint_text().unwrap();
        for way in [
            "KEYFOB_FN_API_KEY or NEO_API_KEY",
            "api_key_command",
            "keyfob login fn",
        ] {
            assert!(hint.contains(way), "{hint}");
        }
    }

    #[tokio::test]
    async fn what_would_break_a_header_is_refused_without_showing_it() {
        for bad in ["hun ter2", "hunter2\n\n", "hunter2\nX: y", "hüntër2", "\n"] {
            let set = variables(Some(bad), None);
            let error = resolved(&wanted(&set, None)).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated);
            assert!(error.message().contains("KEYFOB_FN_API_KEY"), "{error}");
            assert!(!format!("{error:?}").contains("ter2"), "{error:?}");
            let error = store_credential(&Keyring::default(), "neo", URL, bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated);
        }
        let pasted = variables(Some("hunter2\r\n"), None);
        let found = resolved(&wanted(&pasted, None)).await.unwrap();
        assert_eq!(found.secret.as_str(), "hunter2");
    }

    #[test]
    fn a_source_is_told_without_running_anything() {
        let none = variables(None, None);
        let keyring = Keyring::default();
        let command = wanted(&none, Some("exit 1"));
        assert_eq!(
            source(&command, &keyring),
            Some(Source::Command("api_key_command".into()))
        );
        assert_eq!(source(&wanted(&none, None), &keyring), None);
    }

    #[test]
    fn without_a_keyring_nothing_is_kept_and_nothing_to_forget() {
        let keyring = Keyring::default();
        let error = store_credential(&keyring, "neo", URL, "hunter2").unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(!forget_credential(&keyring, "neo", URL).unwrap());
    }
}
