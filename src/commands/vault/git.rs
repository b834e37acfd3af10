//! `keyfob vault merge`, `diff` and `git-setup`: the vault in a git repository.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::selected::{all, selected};
use crate::app::App;
use crate::ui::escape;
use crate::vault::Vault;
use crate::vault::merge::Conflict;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::{self, ShownPath as _};
use crate::words::word::shell_word;

/// The vault that the file at `path`, which may be a copy of it, is opened as: that of the store
/// whose place `place` is, else of the first store with an identity that opens it.
fn opening(path: &Path, place: &Path, app: &App) -> Result<Vault> {
    let canonical = |path: &Path| dunce::canonicalize(path).ok();
    let place = canonical(place);
    let mut vaults = all(app)?;
    if place.is_some() {
        // Stable: of the others the selected one stays first.
        vaults.sort_by_key(|vault| canonical(vault.path()) != place);
    }
    let mut trouble = None;
    let mut first = None;
    for vault in vaults {
        match vault.opens(path) {
            Ok(true) => return Ok(vault),
            Ok(false) => {}
            Err(error) => trouble = trouble.or(Some(error)),
        }
        first = first.or(Some(vault));
    }
    match (trouble, first) {
        (None, Some(vault)) => Ok(vault),
        (Some(error), _) => Err(error),
        (None, None) => selected(app),
    }
}

/// Merges.
///
/// # Errors
/// What the vault fails with; git then leaves a conflict.
pub fn merge(
    base: &Path,
    ours: &Path,
    theirs: &Path,
    place: Option<&Path>,
    app: &App,
) -> Result<()> {
    let at = |path: &Path| app.env.cwd().join(path);
    let (base, ours, theirs) = (at(base), at(ours), at(theirs));
    let place = place.map_or_else(|| ours.clone(), at);
    let vault = opening(&ours, &place, app)?;
    let merged = vault.merge(&base, &ours, &theirs, Some(&place))?;
    let path = place.shown();
    for conflict in &merged.conflicts {
        app.ui.note(&format!("{path}: {}", told(conflict)));
    }
    for reader in &merged.removed {
        app.ui.note(&format!(
            "{path}: one side shut out {reader}, and so is it now"
        ));
    }
    for reader in &merged.refused {
        app.ui.warn(&format!(
            "{path}: {reader} was let in by somebody who may not read the vault, and was not taken; \
             keyfob vault recipients add lets it in"
        ));
    }
    if !app.ui.json {
        return Ok(());
    }
    let conflicts: Vec<_> = merged
        .conflicts
        .iter()
        .map(|conflict| {
            let mut document = json!({
                "name": conflict.name,
                "newer": conflict.newer,
                "older": conflict.older,
            });
            if conflict.deleted {
                document["deleted"] = json!(true);
            }
            if let Some(version) = conflict.kept_as {
                document["kept_as"] = json!(version);
            }
            document
        })
        .collect();
    app.ui.document(&json!({
        "path": path.to_string(),
        "secrets": merged.secrets,
        "conflicts": conflicts,
        "refused": merged.refused,
        "removed": merged.removed,
    }))
}

fn told(conflict: &Conflict) -> String {
    let name = shown::name(&conflict.name);
    let what = match conflict.deleted {
        true => "was deleted",
        false => "has the value",
    };
    let kept = match conflict.kept_as {
        Some(version) => format!(
            "that of {} is version {version} in its history",
            conflict.older
        ),
        None => format!("it was deleted on the other at {}", conflict.older),
    };
    format!(
        "both sides changed {name}: it {what} of {}, and {kept}",
        conflict.newer
    )
}

/// Prints what may be seen of the vault in `file`.
///
/// # Errors
/// `failed` where there is no such file, `invalid_data` where it is no vault. One that is not for
/// the user's identity is said to be so on stdout: git would show nothing at all otherwise.
pub fn diff(file: &Path, app: &App) -> Result<()> {
    let path = app.env.cwd().join(file);
    let outline = opening(&path, &path, app).and_then(|vault| vault.outline(&path));
    let outline = match outline {
        Err(error) if error.kind() == Kind::Unauthenticated && !app.ui.json => {
            return app.ui.line("a vault that your identity does not open");
        }
        outline => outline?,
    };
    if app.ui.json {
        let secrets: Vec<_> = outline
            .secrets
            .iter()
            .map(|(name, secret)| {
                let mut document = json!(secret);
                document["name"] = json!(name);
                document
            })
            .collect();
        return app.ui.document(&json!({
            "path": path.shown().exact(),
            "recipients": outline.recipients,
            "secrets": secrets,
        }));
    }
    let mut text = String::new();
    for reader in &outline.recipients {
        text.push_str(&format!("reader {reader}\n"));
    }
    for (name, secret) in &outline.secrets {
        let state = match secret.deleted {
            true => "deleted",
            false => "updated",
        };
        text.push_str(&format!(
            "secret {} version {} {state} {}",
            line(name),
            secret.version,
            secret.updated_at
        ));
        if let Some(description) = &secret.description {
            text.push_str(&format!(" {}", line(description)));
        }
        text.push('\n');
    }
    app.ui.data(text.as_bytes())
}

/// `text` on one line.
fn line(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

/// Sets git up, and makes the vault text with `armor`.
///
/// # Errors
/// `failed` outside of a repository; `not_found` for `armor` without a vault.
pub fn set_up(armor: bool, app: &App) -> Result<()> {
    let vault = selected(app)?;
    let set_up = vault.set_up_git(&program(app)?)?;
    let armored = armor.then(|| vault.armor()).transpose()?;
    let action = |changed: bool, made: &'static str| match changed {
        true => made,
        false => "unchanged",
    };
    let attributes = set_up.attributes.shown();
    if app.ui.json {
        let settings: Vec<_> = set_up
            .settings
            .iter()
            .map(|(key, value, changed)| {
                json!({ "key": key, "value": value, "action": action(*changed, "updated") })
            })
            .collect();
        let mut document = json!({
            "path": vault.path().shown().exact(),
            "attributes": {
                "path": attributes.to_string(),
                "action": action(set_up.line_added, "updated"),
            },
            "settings": settings,
        });
        if let Some(changed) = armored {
            document["armor"] = json!(action(changed, "updated"));
        }
        return app.ui.document(&document);
    }
    app.ui.note(&match set_up.line_added {
        true => format!("added the vault to {attributes}: commit that file"),
        false => format!("{attributes} has the vault already"),
    });
    for (key, value, changed) in &set_up.settings {
        app.ui.note(&match changed {
            true => format!("set {key} in this clone: {value}"),
            false => format!("{key} is set in this clone already"),
        });
    }
    match armored {
        Some(true) => app.ui.note("the vault is text from now on"),
        Some(false) => app.ui.note("the vault is text already"),
        None => {}
    }
    if set_up.ignored {
        app.ui.warn(&format!(
            "git ignores {}: none of this takes effect before it is added",
            vault.path().shown()
        ));
    }
    Ok(())
}

/// keyfob as git's shell is to call it: by its name where that finds this very program.
fn program(app: &App) -> Result<String> {
    let own = std::env::current_exe()
        .map_err(|error| Error::io("keyfob could not find out where it is", error))?;
    let real = |path: &Path| dunce::canonicalize(path).ok();
    let folders = app.env.var_os("PATH").map(std::env::split_paths);
    let found = folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join("keyfob"))
        .find(|path| path.is_file());
    match found {
        Some(found) if real(&found) == real(&own) => Ok("keyfob".to_owned()),
        _ => Ok(shell_word(&text_of(own)?)),
    }
}

fn text_of(path: PathBuf) -> Result<String> {
    path.into_os_string().into_string().map_err(|path| {
        Error::failed(format!(
            "git cannot be told to call {}: it is not UTF-8",
            Path::new(&path).shown()
        ))
    })
}
