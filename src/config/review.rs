//! What a checkout's file decides once it is trusted.
//!
//! Showing a review and asking for consent is the work of `app` and of the `trust` command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::Value;
use super::judge::{self, Verdict, judge};
use super::layer::Layer;
use super::rotation::{Rotation, ValueSource};
use super::schema::Shape;
use super::source::{self, Source};
use super::trust::{TrustRecord, Untrusted, digest};
use super::variable::Variable;
use super::{LoadOptions, Role, merge, related};
use crate::words::error::Result;
use crate::words::key_material;
use crate::words::secret::Target;
use crate::words::shown;
use crate::words::text::Place;

/// What trusting a file would allow, bound to the very bytes that were read.
pub struct Review {
    /// The file, symbolic links followed.
    pub path: PathBuf,
    /// All that it decides, in the file's order.
    pub decides: Vec<Decision>,
    /// The relative files that it names, whose content is trusted with it.
    pub files: Vec<String>,
    /// Why it does not count yet; `None` where it is trusted already.
    pub untrusted: Option<Untrusted>,
    layer: Layer,
    sha256: String,
}

impl Review {
    /// Trusts the file with the content that was reviewed, and what it names as that is now.
    ///
    /// # Errors
    /// `untrusted` where it may be somebody else's word whatever is remembered; `config` where the
    /// record is damaged, `failed` where it cannot be written, `unavailable` where another keyfob
    /// keeps it locked.
    pub fn allow(&self, record: &TrustRecord) -> Result<()> {
        match &self.untrusted {
            Some(untrusted) if !untrusted.can_be_trusted() => Err(untrusted.error()),
            _ => {
                let trusted = judge::trusted(&self.layer, self.sha256.clone());
                record.allow(&self.path, trusted)
            }
        }
    }
}

/// One thing that a file decides. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its key: `stores.web.base_url`, `env.DATABASE_URL`.
    pub key: String,
    /// What it is set to.
    pub value: String,
    /// The line it stands in, counted from 1.
    pub line: usize,
}

/// Reads the file at `path` and tells what trusting it would allow.
///
/// # Errors
/// `config` where it, the user's own file or the record of trust is wrong.
pub fn review(options: &LoadOptions<'_>, path: &Path) -> Result<Review> {
    let path = options.env.cwd().join(path);
    let raw = source::read(&path, false)?;
    let canonical = raw.canonical.clone();
    let sha256 = digest(&raw.bytes);
    let below = merge::providers_below(options, &canonical)?;
    let source = Source::new(raw.clone(), &path, Role::Project, options.env)?;
    let layer = Layer::read(source, options.schemas, &below)?;
    let untrusted = match judge(options, raw, &path, &below)? {
        Verdict::Counts(_) => None,
        Verdict::Not(why) => Some(Untrusted {
            path: Arc::from(canonical.as_path()),
            why,
        }),
    };
    Ok(Review {
        path: canonical,
        decides: decisions(&layer),
        files: related::named_by(&layer).into_iter().collect(),
        untrusted,
        layer,
        sha256,
    })
}

/// A file that was trusted at some time.
pub struct Listed {
    /// The file, symbolic links followed.
    pub path: PathBuf,
    /// What has become of it.
    pub state: State,
}

/// What has become of a file that was trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as it was, and trusted.
    Trusted,
    /// It does not count any more.
    Untrusted(Untrusted),
    /// It is gone or cannot be read.
    Missing,
}

/// Every file that was trusted and not revoked, sorted by path.
///
/// # Errors
/// `config` where the record of trust, or the user's own file, is wrong.
pub fn list(options: &LoadOptions<'_>) -> Result<Vec<Listed>> {
    let state = |path: &Path| -> Result<State> {
        let raw = match source::read(path, false) {
            Ok(raw) if raw.canonical == path => raw,
            // What was trusted is what was there, not what a link leads to now.
            Ok(_) | Err(_) => return Ok(State::Missing),
        };
        let below = merge::providers_below(options, path)?;
        Ok(match judge(options, raw, path, &below)? {
            Verdict::Counts(_) => State::Trusted,
            Verdict::Not(why) => State::Untrusted(Untrusted {
                path: path.into(),
                why,
            }),
        })
    };
    let paths = TrustRecord::new(options.folders).paths()?;
    paths
        .into_iter()
        .map(|path| {
            let state = state(&path)?;
            Ok(Listed { path, state })
        })
        .collect()
}

/// All that `layer` says, in the file's order.
fn decisions(layer: &Layer) -> Vec<Decision> {
    let base = &layer.source.base;
    let mut found: Vec<(Place, Decision)> = Vec::new();
    let mut note = |place: Place, key: String, value: String| {
        let line = place.line;
        found.push((place, Decision { key, value, line }));
    };
    if let Some(placed) = &layer.default_store {
        let key = "default_store".to_owned();
        note(placed.place, key, placed.value.to_string());
    }
    for (name, table) in &layer.stores {
        // A store is shown although it sets nothing of its own.
        let place = table.provider_place.unwrap_or(table.place);
        let key = format!("stores.{name}.provider");
        note(place, key, table.schema.provider.to_owned());
        for (key, placed) in &table.fields {
            let value = match &placed.value {
                Value::Text(text) => match table.schema.field(key).map(|field| field.shape) {
                    // A key in the place of its path is told as elsewhere.
                    Some(Shape::Path) if key_material::is_key(text, &base.join(text.as_str())) => {
                        shown::surplus(text).exact()
                    }
                    _ => text.to_string(),
                },
                Value::List(elements) => shown::public_keys(elements).to_string(),
            };
            note(placed.place, format!("stores.{name}.{key}"), value);
        }
    }
    for (variable, placed) in &layer.env {
        for (key, value) in variable_texts(&placed.value) {
            note(placed.place, format!("env.{variable}{key}"), value);
        }
    }
    for (name, profile) in &layer.profiles {
        if let Some(placed) = &profile.default_store {
            let key = format!("profiles.{name}.default_store");
            note(placed.place, key, placed.value.to_string());
        }
        for (variable, placed) in &profile.env {
            for (key, value) in variable_texts(&placed.value) {
                let key = format!("profiles.{name}.env.{variable}{key}");
                note(placed.place, key, value);
            }
        }
    }
    for (name, placed) in &layer.rotations {
        let texts = rotation_texts(&placed.value);
        if texts.is_empty() {
            let key = format!("rotation.{name}.generate");
            note(placed.place, key, "a value of the usual kind".to_owned());
        }
        for (key, value) in texts {
            note(placed.place, format!("rotation.{name}.{key}"), value);
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, decision)| decision).collect()
}

/// What a variable stands for: at once, or key by key where there are several.
fn variable_texts(variable: &Variable) -> Vec<(&'static str, String)> {
    let from = variable.from.as_ref().map(|from| match from {
        Target::Name(name) => name.as_str().to_owned(),
        Target::Reference(reference) => reference.to_string(),
    });
    match (from, &variable.default) {
        (Some(from), None) if variable.required => vec![("", from)],
        (from, default) => {
            let optional = from.is_some() && default.is_none();
            let texts = [
                (".from", from),
                (".required", optional.then(|| "false".to_owned())),
                (".default", default.clone()),
            ];
            let texts = texts.into_iter();
            texts.filter_map(|(key, text)| Some((key, text?))).collect()
        }
    }
}

/// What a rotation says, key by key.
fn rotation_texts(rotation: &Rotation) -> Vec<(&'static str, String)> {
    let targets: Vec<String> = rotation.targets.iter().map(ToString::to_string).collect();
    let derived = rotation.derive.iter();
    let derived: Vec<String> = derived
        .map(|derived| format!("{} = {:?}", derived.target, derived.template))
        .collect();
    let (generate, command) = match &rotation.value {
        Some(ValueSource::Generate(spec)) => (Some(spec.clone()), None),
        Some(ValueSource::Command(command)) => (None, Some(command.clone())),
        None => (None, None),
    };
    let texts = [
        ("targets", Some(targets.join(", "))),
        ("generate", generate),
        ("command", command),
        ("verify", rotation.verify.clone()),
        ("on_rollback", rotation.on_rollback.clone()),
        ("derive", Some(derived.join(", "))),
        ("every", rotation.every.map(|every| every.to_string())),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)));
    texts.filter(|(_, text)| !text.is_empty()).collect()
}
