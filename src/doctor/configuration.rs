//! The configuration: what was loaded, what of it does not count yet, and variables that mean
//! nothing.

use super::finding::{Finding, Patient};
use crate::config::check::suggest;
use crate::config::environment::variable;
use crate::config::review;
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
            "there is no file: the built-in stores alone",
        ));
    }
    let selected = patient.selected.as_ref();
    found.push(match selected.map(|name| config.store(name)) {
        Ok(Ok(store)) => {
            let name = store.name();
            Finding::ok(
                CHECK,
                "default store",
                format!("{name}, {}", store.provider()),
            )
        }
        Ok(Err(error)) => Finding::error(CHECK, "default store", &error),
        Err(error) => Finding::error(CHECK, "default store", error),
    });
    found.extend(unknown_variables(config, &patient.services.env));
    let untrusted = config.files().iter().filter(|file| !file.trusted);
    found.extend(untrusted.map(|file| not_trusted(file, config, patient)));
    found
}

fn loaded(file: &LoadedFile) -> Finding {
    let whose = match (file.role, file.trusted) {
        (Role::User, _) => "your own",
        (Role::Explicit, _) => "the one you named",
        (Role::Project, true) => "the project's, trusted",
        (Role::Project, false) => "the project's, not trusted",
    };
    Finding::ok(CHECK, file.path.shown(), whose)
}

/// What of a file does not count before it is trusted.
fn not_trusted(file: &LoadedFile, config: &Config, patient: &Patient<'_>) -> Finding {
    let review = match review::review(&patient.options, &file.path) {
        Ok(review) => review,
        Err(error) => return Finding::error("trust", file.path.shown(), &error),
    };
    let needed = config
        .stores()
        .any(|store| !store.untrusted_fields().is_empty())
        || config.env_table().is_err()
        || config.rotations().is_err();
    if !needed {
        return Finding::ok(
            "trust",
            file.path.shown(),
            "it decides nothing that needs trust",
        );
    }
    let keys: Vec<String> = review
        .allowed
        .iter()
        .map(|allowed| format!("`{}`", allowed.key))
        .collect();
    Finding::fault(
        "trust",
        file.path.shown(),
        format!("what it sets does not count yet: {}", keys.join(", ")),
    )
    .hint("read the file, then run `keyfob trust`; in CI set KEYFOB_TRUST=1")
}

/// Variables that look like a store's field and are none.
fn unknown_variables(config: &Config, env: &Environment) -> Vec<Finding> {
    let names = env.vars().filter_map(|(name, _)| name.to_str());
    names
        .filter_map(|name| {
            let (store, field) = config
                .stores()
                .filter_map(|store| Some((store, name.strip_prefix(&variable(store.name(), ""))?)))
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
            "it means nothing: the store {} ({}) has no field `{field}`",
            store.name(),
            store.provider()
        ),
    );
    finding.hint(match suggest(field, fields.clone()) {
        Some(near) => format!("did you mean {}?", variable(store.name(), near)),
        None => format!("its fields are {}", fields.collect::<Vec<_>>().join(", ")),
    })
}
