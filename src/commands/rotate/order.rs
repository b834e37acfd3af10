//! What is asked for, by options and by the policies of the configuration.

use std::path::Path;

use super::args::RotateArgs;
use crate::app::App;
use crate::config::{RotationEntry, ValueSource};
use crate::rotate::Derivation;
use crate::rotate::plan::{Order, Source};
use crate::words::error::{Error, Result};
use crate::words::generate::Spec;
use crate::words::secret::Reference;
use crate::words::shell::ShellCommand;
use crate::words::shown;

/// What the options ask for, an order for each name.
///
/// # Errors
/// `usage` for options that are malformed or mean one secret only.
pub fn orders(args: &RotateArgs, app: &App) -> Result<Vec<Order>> {
    let shared = [
        ("--to", !args.to.is_empty()),
        ("--derive", !args.derive.is_empty()),
        ("--file", args.file.is_some()),
    ];
    if let Some((option, _)) = shared.iter().find(|(_, given)| *given)
        && args.names.len() > 1
    {
        return Err(Error::usage(format!(
            "{option} is for one NAME: with several, each gets a value of its own"
        ))
        .hint("to write one value to several secrets, name one of them and the others with --to"));
    }
    let here = |command: &String| ShellCommand::new(command, app.env.cwd());
    let source = match (&args.generate, &args.from_command, &args.file) {
        (Some(spec), _, _) => Some(Source::Generate(spec.parse()?)),
        (_, Some(command), _) => Some(Source::Command(here(command))),
        (_, _, Some(path)) => Some(Source::File(path.clone())),
        (None, None, None) => None,
    };
    let policies = policies(app)?;
    let mut orders: Vec<Order> = Vec::with_capacity(args.names.len());
    for name in &args.names {
        let secret = app.reference(name)?;
        if orders.iter().any(|order| order.secret == secret) {
            return Err(Error::usage(format!("{secret} is named twice")));
        }
        let policy = policies.iter().find(|(known, _)| *known == secret);
        let mut order = match policy {
            Some((_, entry)) => from_policy(secret, entry)?,
            None => bare(secret),
        };
        let listed = order.copies.clone();
        for target in &args.to {
            let target = app.reference(target)?;
            if !listed.contains(&target) {
                order.copies.push(target);
            }
        }
        for derived in &args.derive {
            order.derived.push(derivation(derived, app)?);
        }
        if let Some(source) = &source {
            order.source = source.clone();
        }
        if let Some(verify) = &args.verify {
            order.verify = Some(here(verify));
        }
        if let Some(on_rollback) = &args.on_rollback {
            order.on_rollback = Some(here(on_rollback));
        }
        orders.push(order);
    }
    Ok(orders)
}

/// The policies, by the secret they are of.
///
/// # Errors
/// `config` for two of one secret.
pub fn policies(app: &App) -> Result<Vec<(Reference, &RotationEntry)>> {
    let mut policies: Vec<(Reference, &RotationEntry)> = Vec::new();
    for entry in app.config()?.rotations().values() {
        let secret = app.reference(&entry.rotation.secret)?;
        if let Some((_, other)) = policies.iter().find(|(known, _)| *known == secret) {
            return Err(Error::config(format!(
                "{} and {} are both about {secret}",
                other.origin, entry.origin
            )));
        }
        policies.push((secret, entry));
    }
    Ok(policies)
}

/// What the policy `entry` orders for `secret`, which may be among the targets that it lists.
///
/// # Errors
/// `config` for a generator or a template that is malformed, or a target that would be written with
/// two values, naming the place.
pub fn from_policy(secret: Reference, entry: &RotationEntry) -> Result<Order> {
    let rotation = &entry.rotation;
    let misplaced = |error: Error| {
        let placed = Error::config(format!("{}: {}", entry.origin, error.message()));
        match error.hint_text() {
            Some(hint) => placed.hint(hint),
            None => placed,
        }
    };
    let folder = entry.origin.folder().unwrap_or(Path::new("."));
    let there = |command: &String| ShellCommand::new(command, folder);
    let mut order = bare(secret);
    for target in &rotation.targets {
        if !order.targets().any(|known| known == target) {
            order.copies.push(target.clone());
        }
    }
    for derived in &rotation.derive {
        if order.targets().any(|known| *known == derived.target) {
            return Err(misplaced(Error::usage(format!(
                "{} would be written twice, once with the value and once derived from it",
                derived.target
            ))));
        }
        let template = derived.template.parse().map_err(misplaced)?;
        order.derived.push((derived.target.clone(), template));
    }
    match &rotation.value {
        Some(ValueSource::Generate(spec)) => {
            order.source = Source::Generate(spec.parse().map_err(misplaced)?);
        }
        Some(ValueSource::Command(command)) => order.source = Source::Command(there(command)),
        None => {}
    }
    order.verify = rotation.verify.as_ref().map(there);
    order.on_rollback = rotation.on_rollback.as_ref().map(there);
    Ok(order)
}

/// A generated value for `secret`, and nothing else.
fn bare(secret: Reference) -> Order {
    Order {
        secret,
        copies: Vec::new(),
        derived: Vec::new(),
        source: Source::Generate(Spec::default()),
        verify: None,
        on_rollback: None,
    }
}

fn derivation(text: &str, app: &App) -> Result<(Reference, Derivation)> {
    let Some((target, template)) = text.split_once('=') else {
        return Err(
            Error::usage(format!("--derive {} is not NAME=TEXT", shown::quoted(text)))
                .hint("such as --derive 'DATABASE_URL=postgres://app:{value|url}@db/app'"),
        );
    };
    Ok((app.reference(&target.parse()?)?, template.parse()?))
}
