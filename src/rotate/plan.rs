//! What a rotation will do, decided from what was asked for and what the providers can do. Asks
//! nobody and reads nothing, so that it can be shown before anything happens.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::derive::Derivation;
use crate::words::error::{Error, Result};
use crate::words::generate::Spec;
use crate::words::secret::{Reference, StoreName};
use crate::words::shell::ShellCommand;
use crate::words::shown::ShownPath as _;

/// What was asked for, by options and configuration.
#[derive(Clone, Debug)]
pub struct Order {
    /// The secret that is rotated.
    pub secret: Reference,
    /// Where its new value is written besides.
    pub copies: Vec<Reference>,
    /// Secrets that are made from the new value.
    pub derived: Vec<(Reference, Derivation)>,
    /// Where the new value comes from.
    pub source: Source,
    /// A command that is given the new value on its stdin, once for each target, and says whether
    /// it works.
    pub verify: Option<ShellCommand>,
    /// A command that runs after a rollback.
    pub on_rollback: Option<ShellCommand>,
}

impl Order {
    /// What it writes: the secret first.
    pub fn targets(&self) -> impl Iterator<Item = &Reference> {
        let derived = self.derived.iter().map(|(reference, _)| reference);
        std::iter::once(&self.secret)
            .chain(&self.copies)
            .chain(derived)
    }

    /// The stores that it writes to.
    pub fn stores(&self) -> impl Iterator<Item = &StoreName> {
        self.targets().map(|reference| &reference.store)
    }
}

/// Where a new value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// keyfob makes it.
    Generate(Spec),
    /// A command prints it.
    Command(ShellCommand),
    /// A file holds it, every byte; `-` is stdin.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generate(spec) => write!(f, "generate {spec}"),
            Self::Command(_) => f.write_str("run the command that prints it"),
            Self::File(path) if path.as_os_str() == "-" => f.write_str("read it from stdin"),
            Self::File(path) => write!(f, "read it from {}", path.shown()),
        }
    }
}

/// What a target has to do with the new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the secret that is rotated, and must exist.
    Secret,
    /// It holds the same value.
    Copy,
    /// It is made from the value.
    Derived(Derivation),
}

/// A secret that a rotation writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub reference: Reference,
    /// What it has to do with the new value.
    pub role: Role,
    /// Whether its value can be read back, and so the old one be put back.
    pub readable: bool,
}

/// What a rotation will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it writes: the secret first.
    pub targets: Vec<Target>,
    /// Where the new value comes from.
    pub source: Source,
    /// As ordered.
    pub verify: Option<ShellCommand>,
    /// As ordered.
    pub on_rollback: Option<ShellCommand>,
}

/// One step of a plan, in the order in which they are done; those of several stores at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Read the old value, so that it can be put back.
    Read { target: Reference },
    /// See whether it exists; its value cannot be read.
    Look { target: Reference },
    /// Make the new value.
    Make { how: String },
    /// Put both on this disk, encrypted.
    Journal,
    /// Write the new value.
    Write { target: Reference },
    /// Read it back and compare.
    ReadBack { target: Reference },
    /// Run the command that checks it.
    Verify { target: Reference },
    /// Remove the journal.
    Close,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { target } => write!(f, "read the old value of {target}"),
            Self::Look { target } => write!(
                f,
                "see whether {target} exists (its value cannot be read back)"
            ),
            Self::Make { how } => write!(f, "make the new value: {how}"),
            Self::Journal => f.write_str("keep old and new values in an encrypted journal"),
            Self::Write { target } => write!(f, "write {target}"),
            Self::ReadBack { target } => write!(f, "read {target} back and compare"),
            Self::Verify { target } => write!(f, "run the verify command for {target}"),
            Self::Close => f.write_str("remove the journal"),
        }
    }
}

impl Plan {
    /// Decides what `order` comes to; `readable` tells of a store whether its values can be read
    /// back.
    ///
    /// # Errors
    /// `usage` for a secret that would be written twice; whatever `readable` returns.
    pub fn new(order: Order, readable: impl Fn(&StoreName) -> Result<bool>) -> Result<Self> {
        let secret = std::iter::once((order.secret, Role::Secret));
        let copies = order.copies.into_iter().map(|copy| (copy, Role::Copy));
        let derived = order.derived.into_iter();
        let derived = derived.map(|(reference, made)| (reference, Role::Derived(made)));
        let mut seen = BTreeSet::new();
        let mut targets = Vec::new();
        for (reference, role) in secret.chain(copies).chain(derived) {
            if !seen.insert(reference.clone()) {
                return Err(Error::usage(format!(
                    "{reference} is named twice in one rotation"
                )));
            }
            targets.push(Target {
                readable: readable(&reference.store)?,
                reference,
                role,
            });
        }
        Ok(Self {
            targets,
            source: order.source,
            verify: order.verify,
            on_rollback: order.on_rollback,
        })
    }

    /// The secret that is rotated.
    pub fn secret(&self) -> &Reference {
        &self.targets[0].reference
    }

    /// The targets in the order in which they are written: what can be taken back first, and what
    /// cannot only once all of that is in place and verified.
    pub fn phases(&self) -> [Vec<&Target>; 2] {
        let (first, second) = self.targets.iter().partition(|target| target.readable);
        [first, second]
    }

    /// What is done, step by step.
    pub fn steps(&self) -> Vec<Step> {
        let reference = |target: &Target| target.reference.clone();
        let mut steps: Vec<Step> = self
            .targets
            .iter()
            .map(|target| match target.readable {
                true => Step::Read {
                    target: reference(target),
                },
                false => Step::Look {
                    target: reference(target),
                },
            })
            .collect();
        steps.push(Step::Make {
            how: self.source.to_string(),
        });
        steps.push(Step::Journal);
        for phase in self.phases() {
            steps.extend(phase.iter().map(|target| Step::Write {
                target: reference(target),
            }));
            let read_back = phase.iter().filter(|target| target.readable);
            steps.extend(read_back.map(|target| Step::ReadBack {
                target: reference(target),
            }));
            if self.verify.is_some() {
                steps.extend(phase.iter().map(|target| Step::Verify {
                    target: reference(target),
                }));
            }
        }
        steps.push(Step::Close);
        steps
    }

    /// The targets whose old value nobody could put back.
    pub fn irrevocable(&self) -> impl Iterator<Item = &Reference> {
        let targets = self.targets.iter().filter(|target| !target.readable);
        targets.map(|target| &target.reference)
    }

    /// Refuses what cannot be undone, unless that is accepted.
    ///
    /// # Errors
    /// `unsupported` that names those targets.
    pub fn check_undo(&self, accepted: bool) -> Result<()> {
        let irrevocable: Vec<String> = self.irrevocable().map(Reference::to_string).collect();
        if accepted || irrevocable.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "the old value of {} cannot be read, and so could not be put back if something fails",
            irrevocable.join(", ")
        ))
        .hint("--accept-no-undo rotates all the same; such targets are written last"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::words::error::Kind;

    fn reference(text: &str) -> Reference {
        format!("keyfob://{text}").parse().unwrap()
    }

    fn order(secret: &str, copies: &[&str]) -> Order {
        Order {
            secret: reference(secret),
            copies: copies.iter().map(|copy| reference(copy)).collect(),
            derived: Vec::new(),
            source: Source::Generate(Spec::default()),
            verify: None,
            on_rollback: None,
        }
    }

    fn plan(order: Order) -> Result<Plan> {
        Plan::new(order, |store| {
            Ok(!["neo", "bytenite"].contains(&store.as_str()))
        })
    }

    fn lines(plan: &Plan) -> Vec<String> {
        plan.steps().iter().map(Step::to_string).collect()
    }

    #[test]
    fn what_cannot_be_taken_back_is_written_last() {
        let mut order = order("neo/K", &["local/K", "nosana/K"]);
        order.derived = vec![(reference("local/URL"), "x:{value}".parse().unwrap())];
        order.verify = Some(ShellCommand::new("true", Path::new("/")));
        assert_eq!(
            lines(&plan(order).unwrap()),
            [
                "see whether keyfob://neo/K exists (its value cannot be read back)",
                "read the old value of keyfob://local/K",
                "read the old value of keyfob://nosana/K",
                "read the old value of keyfob://local/URL",
                "make the new value: generate password:32",
                "keep old and new values in an encrypted journal",
                "write keyfob://local/K",
                "write keyfob://nosana/K",
                "write keyfob://local/URL",
                "read keyfob://local/K back and compare",
                "read keyfob://nosana/K back and compare",
                "read keyfob://local/URL back and compare",
                "run the verify command for keyfob://local/K",
                "run the verify command for keyfob://nosana/K",
                "run the verify command for keyfob://local/URL",
                "write keyfob://neo/K",
                "run the verify command for keyfob://neo/K",
                "remove the journal",
            ]
        );
    }

    #[test]
    fn no_verify_command_is_no_step() {
        let steps = lines(&plan(order("local/K", &[])).unwrap());
        assert!(!steps.iter().any(|step| step.contains("verify")));
        assert_eq!(steps.len(), 6);
    }

    #[test]
    fn no_undo_must_be_accepted() {
        let all = plan(order("local/K", &["bytenite/s3/a", "neo/K"])).unwrap();
        let error = all.check_undo(false).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(
            error
                .message()
                .contains("keyfob://bytenite/s3/a, keyfob://neo/K")
        );
        all.check_undo(true).unwrap();
        plan(order("local/K", &["nosana/K"]))
            .unwrap()
            .check_undo(false)
            .unwrap();
    }

    #[test]
    fn a_secret_is_written_once() {
        let mut twice = order("local/K", &["local/K"]);
        assert_eq!(plan(twice.clone()).unwrap_err().kind(), Kind::Usage);
        twice.copies.clear();
        twice.derived = vec![(reference("local/K"), "{value}".parse().unwrap())];
        assert_eq!(plan(twice).unwrap_err().kind(), Kind::Usage);
    }
}
