//! Whether a checkout's file counts: by what was read of it, from the one handle that it was read
//! from.

use std::collections::BTreeMap;
use std::path::Path;

use super::layer::Layer;
use super::schema::Providers;
use super::source::{Raw, Source};
use super::trust::{TrustRecord, Trusted, Why, digest};
use super::{LoadOptions, Role, related};
use crate::words::error::Result;

/// What has become of a file.
pub(super) enum Verdict {
    /// It counts, and means this.
    Counts(Layer),
    /// It does not.
    Not(Why),
}

/// Judges `raw`, found at `found`, by what the user has said of it before. What nobody has trusted
/// is not even parsed.
///
/// # Errors
/// `config` where the record of trust is wrong, or a trusted file is.
pub(super) fn judge(
    options: &LoadOptions<'_>,
    raw: Raw,
    found: &Path,
    below: &Providers,
) -> Result<Verdict> {
    if let Some(foreign) = raw.foreign {
        return Ok(Verdict::Not(Why::Foreign(foreign)));
    }
    let Some(trusted) = TrustRecord::new(options.folders).find(&raw.canonical)? else {
        return Ok(Verdict::Not(Why::New));
    };
    if trusted.sha256 != digest(&raw.bytes) {
        return Ok(Verdict::Not(Why::Changed));
    }
    let source = Source::new(raw, found, Role::Project, options.env)?;
    let layer = Layer::read(source, options.schemas, below)?;
    let now = files_of(&layer);
    for (name, is) in &now {
        let file = || layer.source.base.join(name);
        match trusted.files.get(name) {
            Some(was) if was == is => {}
            Some(_) => return Ok(Verdict::Not(Why::Named(file()))),
            // By an earlier version, that is.
            None => return Ok(Verdict::Not(Why::Unseen(file()))),
        }
    }
    Ok(Verdict::Counts(layer))
}

/// What trusting `layer`, whose content has this SHA-256, trusts.
pub(super) fn trusted(layer: &Layer, sha256: String) -> Trusted {
    Trusted {
        sha256,
        files: files_of(layer),
    }
}

/// The relative files that `layer` names, with what stands for their content.
fn files_of(layer: &Layer) -> BTreeMap<String, String> {
    related::contents(related::named_by(layer), &layer.source.base)
}
