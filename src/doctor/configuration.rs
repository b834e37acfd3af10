//! The configuration: what was loaded, what does not count, and variables that mean nothing.

use super::finding::{Finding, Patient};
use crate::config::check::suggest;
use crate::config::environment::variable;
use crate::config::trust::Untrusted;
use crate::config::{Config, LoadedFile, Role, StoreConfig};
use crate::words::env::Environment;
use crate::words::shown::ShownPath as _;

const CHECK: &str = "configuration";

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let config = match &patient.config {
        Ok(config) => config,
        Err(error) => return vec![Finding::error(CHECK, "", error)],
    };
    let mut found: Vec<Finding> = config.files().iter().map(loaded).collect();
    if found.is_empty() {
        found.push(Finding::ok(
            CHECK,
            "",
            match config.left_out() {
                None => "there is no file: the built-in stores alone",
                Some(_) => "no file counts: the built-in stores alone",
            },
        ));
    }
    let selected = patient.selected.as_ref();
    found.push(match selected.map(|name| config.store(name)) {
        Ok(Ok(store)) => {
            let (name, provider) = (store.name().as_str(), store.provider());
            let is_built_in = name == provider;
            Finding::ok(
                CHECK,
                "default store",
                match is_built_in {
                    true => name.to_owned(),
                    false => format!("{name} ({provider})"),
                },
            )
        }
        Ok(Err(error)) => Finding::error(CHECK, "default store", &error),
        Err(error) => Finding::error(CHECK, "default store", error),
    });
    found.extend(unknown_variables(config, &patient.services.env));
    found.extend(config.left_out().map(not_trusted));
    found
}

fn loaded(file: &LoadedFile) -> Finding {
    let whose = match file.role {
        Role::User => "your own",
        Role::Explicit => "the one you named",
        Role::Project => "the project's, trusted",
    };
    Finding::ok(CHECK, file.path.shown().exact(), whose)
}

/// The project's file that does not count.
fn not_trusted(untrusted: &Untrusted) -> Finding {
    let detail = format!("nothing in it counts: {}", untrusted.words());
    Finding::fault("trust", untrusted.path.shown().exact(), detail).hint(untrusted.remedy())
}

/// Variables that look like a store's field and are none.
fn unknown_variables(config: &Config, env: &Environment) -> Vec<Finding> {
    env.names()
        .filter_map(|(name, known)| {
            let (store, field) = config
                .stores()
                .filter_map(|store| Some((store, known.strip_prefix(&variable(store.name(), ""))?)))
                .min_by_key(|(_, field)| field.len())?;
            let field = field.to_ascii_lowercase();
            (field != "provider" && store.schema().field(&field).is_none())
                .then(|| unknown_variable(name, store, &field))
        })
        .collect()
}

fn unknown_variable(name: &str, store: &StoreConfig, field: &str) -> Finding {
    let fields = store.schema().fields.iter().map(|field| field.name);
    let finding = Finding::warning(
        "environment",
        name,
        format!(
            "it means nothing: the store {} ({}) has no field {field}",
            store.name(),
            store.provider()
        ),
    );
    finding.hint(match suggest(field, fields.clone()) {
        Some(near) => format!("did you mean {}?", variable(store.name(), near)),
        None => format!("its fields are {}", fields.collect::<Vec<_>>().join(", ")),
    })
}
