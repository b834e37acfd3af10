//! `keyfob set`: stores one secret.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use jiff::Timestamp;

use super::input::{self, MAX_VALUE};
use super::outcomes::{Results, report};
use crate::app::App;
use crate::cli::SetArgs;
use crate::duration::HumanDuration;
use crate::error::{Error, Kind, Result};
use crate::providers::{Action, Batch, Capability, Metadata, Write};
use crate::secret::{Name, SecretValue};
use crate::store::Store;
use crate::{generate, prompt};

pub async fn run(args: SetArgs, app: &App) -> Result<()> {
    if !args.refused.is_empty() {
        return Err(value_as_argument());
    }
    let reference = app.reference(&args.name)?;
    let store = app.open(&reference.store)?;
    store
        .provider()
        .check_name(&reference.name)
        .map_err(|error| store.named(error))?;
    let metadata = metadata(&args, &store)?;
    let value = value(&args, &reference.name, app).map_err(|error| {
        let readable = store.provider().capabilities().has(Capability::Read);
        match error.kind() {
            // Who wants to change a description alone cannot: nobody can bring the value along.
            Kind::Usage if !readable && !metadata.is_empty() => error.hint(format!(
                "{} never gives a value back, so a change of what stands beside it must bring the value again",
                store.spec().title
            )),
            _ => error,
        }
    })?;
    // The time it took to bring the value was nobody's network.
    app.services()?.http.deadline().progressed();
    if value.expose_str().is_none() {
        store.require(Capability::Binary, "a value that is not UTF-8 text")?;
    }
    let outcomes = store
        .write(Batch {
            writes: vec![Write {
                name: reference.name,
                value,
                metadata,
            }],
            if_absent: args.if_absent,
        })
        .await?;
    if !app.ui.json {
        for outcome in &outcomes {
            if let Ok(action) = &outcome.result {
                let done = match action {
                    Action::Unchanged => "was the same already",
                    other => other.as_str(),
                };
                app.ui
                    .note(&format!("{} {done} in {}", outcome.name, store.name()));
            }
        }
    }
    report(
        app,
        vec![Results {
            store: store.name().clone(),
            outcomes,
        }],
    )
}

/// The refusal of a value on the command line.
pub fn value_as_argument() -> Error {
    Error::usage("a value is not taken as an argument: it would stand in the shell's history and in the list of processes")
        .hint("pipe it in (printf %s \"$VALUE\" | keyfob set NAME), or let keyfob set NAME ask for it, or use --file, --from-env or --generate")
}

fn metadata(args: &SetArgs, store: &Store) -> Result<Metadata> {
    let mut attributes = BTreeMap::new();
    for attribute in &args.attr {
        let Some((key, value)) = attribute.split_once('=').filter(|(key, _)| !key.is_empty())
        else {
            return Err(Error::usage(format!(
                "--attr {attribute:?} is not KEY=VALUE"
            )));
        };
        if attributes
            .insert(key.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(Error::usage(format!("--attr {key} is given twice")));
        }
    }
    if args.description.is_some() {
        store.require(Capability::Describe, "--description")?;
    }
    if args.expires_at.is_some() {
        store.require(Capability::Expiry, "--expires-at")?;
    }
    if !attributes.is_empty() {
        store.require(Capability::Attributes, "--attr")?;
    }
    Ok(Metadata {
        description: args.description.clone(),
        expires_at: args.expires_at.as_deref().map(point_in_time).transpose()?,
        attributes,
    })
}

/// A time, or a duration from now.
fn point_in_time(text: &str) -> Result<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let duration: HumanDuration = text.parse().map_err(|_| {
        Error::usage(format!("{text:?} is neither a time nor a duration"))
            .hint("write a time like 2030-12-31T00:00:00Z, or a duration like 30d")
    })?;
    Timestamp::now()
        .checked_add(duration.get())
        .map_err(|_| Error::usage(format!("{text:?} is too far away")))
}

fn value(args: &SetArgs, name: &Name, app: &App) -> Result<SecretValue> {
    if let Some(spec) = &args.generate {
        return spec.parse::<generate::Spec>()?.generate();
    }
    if let Some(variable) = &args.from_env {
        return from_env(variable, app);
    }
    if let Some(path) = &args.file {
        return input::read(path, MAX_VALUE).map(SecretValue::from);
    }
    if io::stdin().is_terminal() {
        return prompt::new_secret(&app.ui, &format!("Value of {name}")).map_err(|error| {
            error.hint("pipe the value in, or use --file, --from-env or --generate")
        });
    }
    from_pipe()
}

fn from_env(variable: &str, app: &App) -> Result<SecretValue> {
    let Some(value) = app.env.raw(variable) else {
        return Err(Error::usage(format!(
            "there is no environment variable {variable}"
        )));
    };
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(SecretValue::new(value.as_bytes().to_vec()))
    }
    #[cfg(not(unix))]
    {
        value.to_str().map(SecretValue::from).ok_or_else(|| {
            Error::invalid_data(format!(
                "the environment variable {variable} is not Unicode"
            ))
        })
    }
}

/// Everything that comes through the pipe, without one newline at its end.
fn from_pipe() -> Result<SecretValue> {
    let bytes = input::stdin(MAX_VALUE)?;
    if bytes.is_empty() {
        return Err(Error::usage("no value came on stdin").hint(
            "check the command before the pipe; an empty value is stored with: echo | keyfob set NAME",
        ));
    }
    let end = match bytes.as_slice() {
        [.., b'\r', b'\n'] => bytes.len() - 2,
        [.., b'\n'] => bytes.len() - 1,
        _ => return Ok(SecretValue::from(bytes)),
    };
    Ok(SecretValue::new(bytes[..end].to_vec()))
}
