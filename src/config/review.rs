//! What a checkout's file may decide once it is trusted.
//!
//! Showing a review and asking for consent is the work of the `trust` command.

use std::path::{Path, PathBuf};

use super::check::Value;
use super::layer::Layer;
use super::rotation::{Rotation, ValueSource};
use super::source;
use super::trust::{TrustRecord, digest};
use super::{LoadOptions, Role, merge};
use crate::words::error::Result;
use crate::words::secret::Target;
use crate::words::text::Place;

/// What trusting a file would allow, bound to the very bytes that were read.
#[derive(Clone, Debug)]
pub struct Review {
    /// The file, symbolic links followed.
    pub path: PathBuf,
    /// What it would be allowed to decide, in the file's order. Empty where nothing in it needs
    /// trust.
    pub allowed: Vec<Allowed>,
    /// Whether it is trusted already.
    pub trusted: bool,
    sha256: String,
}

impl Review {
    /// Trusts the file with the content that was reviewed.
    ///
    /// # Errors
    /// `config` where the record is damaged, `failed` where it cannot be written, `unavailable`
    /// where another keyfob keeps it locked.
    pub fn allow(&self, record: &TrustRecord) -> Result<()> {
        record.allow(&self.path, self.sha256.clone())
    }
}

/// One thing that a trusted file may decide. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
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
    let record = TrustRecord::new(options.folders);
    let trusted = record.is_trusted(&raw.canonical, &raw.bytes)?;
    let (canonical, sha256) = (raw.canonical.clone(), digest(&raw.bytes));
    let below = merge::providers_below(options, &raw.canonical)?;
    let source = merge::source_of(raw, &path, Role::Project, trusted, options.env)?;
    let layer = Layer::read(source, options.schemas, &below)?;
    Ok(Review {
        path: canonical,
        allowed: decided(&layer),
        trusted,
        sha256,
    })
}

/// All in `layer` that counts only, or means more, from a trusted file, in the file's order.
fn decided(layer: &Layer) -> Vec<Allowed> {
    let mut found: Vec<(Place, Allowed)> = Vec::new();
    let mut note = |place: Place, key: String, value: String| {
        let line = place.line;
        found.push((place, Allowed { key, value, line }));
    };
    for (name, table) in &layer.stores {
        if let (Some(place), true) = (table.provider_place, table.replaces) {
            let key = format!("stores.{name}.provider");
            note(place, key, table.schema.provider.to_owned());
        }
        for (key, placed) in &table.fields {
            let field = table.schema.field(key);
            if field.is_some_and(|field| field.gated || field.reviewed) {
                let value = match &placed.value {
                    Value::Text(text) => text.to_string(),
                    Value::List(elements) => elements.join(", "),
                };
                note(placed.place, format!("stores.{name}.{key}"), value);
            }
        }
    }
    for (variable, placed) in &layer.env {
        let target = match &placed.value {
            Target::Name(name) => name.to_string(),
            Target::Reference(reference) => reference.to_string(),
        };
        note(placed.place, format!("env.{variable}"), target);
    }
    for (name, placed) in &layer.rotations {
        for (key, value) in rotation_texts(&placed.value) {
            note(placed.place, format!("rotation.{name}.{key}"), value);
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, allowed)| allowed).collect()
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
