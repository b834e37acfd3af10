//! The commands of a rotation: what prints a new value, what checks it, what is told of a rollback.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::secret::{MAX_VALUE, Reference, SecretValue};
use crate::words::shell::{Script, ShellCommand, Trouble};
use crate::words::text::drop_newline;

/// The variable that tells a command which secret it is about.
const TARGET: &str = "KEYFOB_TARGET";

/// What the commands run in.
pub struct Hooks<'a> {
    /// The environment they inherit.
    pub env: &'a Environment,
    /// keyfob's own credentials, which they do not.
    pub withheld: BTreeSet<String>,
    /// How long each may take; `None` is for ever.
    pub limit: Option<Duration>,
}

impl Hooks<'_> {
    /// The new value of `secret`, printed by `command`; one newline at the end is dropped.
    ///
    /// # Errors
    /// `failed` where it does not end well, or prints nothing.
    pub async fn make(&self, command: &ShellCommand, secret: &Reference) -> Result<SecretValue> {
        let script = self.script(command, secret, None);
        let printed = script.output(MAX_VALUE).await;
        let mut bytes =
            printed.map_err(|trouble| failed("the command for the new value", &trouble))?;
        drop_newline(&mut bytes);
        if bytes.is_empty() {
            return Err(Error::failed(
                "the command for the new value printed nothing",
            ));
        }
        Ok(bytes.into())
    }

    /// Has `command` check the new `value`, which `target` has now or is made from.
    ///
    /// # Errors
    /// `failed` where it does not end well.
    pub async fn verify(
        &self,
        command: &ShellCommand,
        target: &Reference,
        value: &SecretValue,
    ) -> Result<()> {
        let script = self.script(command, target, Some(value));
        let verified = script.succeeds().await;
        verified.map_err(|trouble| failed(&format!("the verify command for {target}"), &trouble))
    }

    /// Tells `command` that `secret` was rolled back, and to which value.
    ///
    /// # Errors
    /// `failed` where it does not end well.
    pub async fn rolled_back(
        &self,
        command: &ShellCommand,
        secret: &Reference,
        old: Option<&SecretValue>,
    ) -> Result<()> {
        let script = self.script(command, secret, old);
        let told = script.succeeds().await;
        told.map_err(|trouble| failed("the command after a rollback", &trouble))
    }

    fn script<'s>(
        &'s self,
        command: &'s ShellCommand,
        target: &Reference,
        stdin: Option<&'s SecretValue>,
    ) -> Script<'s> {
        Script {
            text: command.text(),
            folder: command.folder(),
            env: self.env,
            withheld: &self.withheld,
            vars: vec![(TARGET, target.to_string())],
            stdin: stdin.map(SecretValue::expose),
            deadline: self
                .limit
                .and_then(|limit| Instant::now().checked_add(limit)),
        }
    }
}

fn failed(what: &str, trouble: &Trouble) -> Error {
    let error = Error::failed(format!("{what} {}", trouble.words()));
    match trouble {
        Trouble::TimedOut => error.hint("--timeout sets how long each command may take"),
        _ => error,
    }
}
