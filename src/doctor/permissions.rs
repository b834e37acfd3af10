//! Who else may read keys, or change what keyfob believes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Patient};
use crate::config::lookup;
use crate::identity::keypair::locate;
#[cfg(unix)]
use crate::words::shown::ShownPath as _;
use crate::written;

const CHECK: &str = "permissions";

/// What others may not do with a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// Not even read it: it holds a key.
    Private,
    /// Not change it: it decides where secrets go.
    Steady,
}

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    if cfg!(not(unix)) {
        return vec![Finding::skipped(
            CHECK,
            "",
            "who may read a file is not examined on this platform",
        )];
    }
    let paths: Vec<(PathBuf, Rule)> = paths(patient)
        .into_iter()
        .filter(|(path, _)| path.exists())
        .collect();
    let mut found: Vec<Finding> = paths
        .iter()
        .filter_map(|(path, rule)| examine_path(path, *rule))
        .collect();
    if found.is_empty() {
        found.push(match paths.len() {
            0 => Finding::skipped(CHECK, "", "keyfob keeps nothing on this disk yet"),
            1 => Finding::ok(CHECK, "", "the one file or folder is yours alone"),
            number => Finding::ok(
                CHECK,
                "",
                format!("{number} files and folders are yours alone"),
            ),
        });
    }
    found
}

/// What is looked at, where it is there.
fn paths(patient: &Patient<'_>) -> BTreeSet<(PathBuf, Rule)> {
    let folders = patient.options.folders;
    let mut paths = BTreeSet::from([
        (folders.config.clone(), Rule::Steady),
        (lookup::user_file(folders), Rule::Steady),
        (folders.config.join("trusted.json"), Rule::Steady),
        (folders.data.clone(), Rule::Steady),
        (folders.data.join("identity.txt"), Rule::Private),
        (written::key_file(folders), Rule::Private),
    ]);
    // One that is wrong is told of where a keypair is looked for.
    if let Ok(Some(path)) = locate::usual_file(&patient.services.env, locate::OF_ANY) {
        paths.insert((path, Rule::Private));
    }
    for store in patient.config.iter().flat_map(|config| config.stores()) {
        let keys = store.schema().fields.iter();
        let keys = keys.filter(|field| field.inline_env);
        let keys = keys.filter_map(|field| store.path(field.name));
        paths.extend(keys.map(|path| (path.to_owned(), Rule::Private)));
    }
    paths
}

#[cfg(unix)]
fn examine_path(path: &Path, rule: Rule) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;

    let shown = path.shown();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let why = crate::words::error::io_reason(&error);
            return Some(Finding::fault(
                CHECK,
                shown.exact(),
                format!("it cannot be looked at: {why}"),
            ));
        }
    };
    let me = rustix::process::geteuid().as_raw();
    if ![me, 0].contains(&metadata.uid()) {
        return Some(
            Finding::fault(
                CHECK,
                shown.exact(),
                format!("it belongs to the user {}", metadata.uid()),
            )
            .hint(format!("chown {me} {}", shown.typed())),
        );
    }
    let mode = metadata.mode() & 0o7777;
    let (forbidden, what, remedy) = match rule {
        Rule::Private => (0o077, "others can read it", "chmod 600"),
        Rule::Steady => (0o022, "others can change it", "chmod go-w"),
    };
    (mode & forbidden != 0).then(|| {
        Finding::fault(CHECK, shown.exact(), format!("{what} (mode {mode:04o})"))
            .hint(format!("{remedy} {}", shown.typed()))
    })
}

#[cfg(not(unix))]
fn examine_path(_path: &Path, _rule: Rule) -> Option<Finding> {
    None
}
