//! Nosana: the names, and no values, that a job is given secrets by.
//!
//! Two YAML documents. The first, on one line, is also JSON: the `state` for a job's definition,
//! whose list lets the node that runs it read those secrets. The second is the `environment` of
//! `global` or of a job in a `.nosana-ci.yml`, where the node puts the secret for each variable.

use std::collections::BTreeSet;

use serde_json::json;
use zeroize::Zeroizing;

use super::format::Format::Nosana;
use super::format::{Jobs, Options, Pair};
use super::text::{SecretText, check_variable_name};
use super::yaml;
use crate::words::error::Result;

/// Whose jobs these are.
pub(super) const JOBS: Jobs = Jobs {
    provider: "nosana",
    vendor: "Nosana",
    place: "Nosana's Secret Manager",
    named_after: None,
};

/// The secret manager that is named where none is said.
const ENDPOINT: &str = "https://secrets.nosana.ci";

pub(super) fn write(pairs: &[Pair], options: &Options) -> Result<Zeroizing<Vec<u8>>> {
    let name_of = |variable| options.source_names.get(variable).unwrap_or(variable);
    let endpoint = options.endpoint.as_deref().unwrap_or(ENDPOINT);
    let secrets: BTreeSet<_> = pairs
        .iter()
        .map(|(variable, _)| name_of(variable))
        .collect();
    let state = json!({ "state": { "nosana/secrets": secrets } });

    let mut out = SecretText::default();
    out.push_str("# For the job's JSON definition: the secrets that its node may read.\n");
    out.push_fmt(format_args!("{state}\n---\n"));
    out.push_str("# For .nosana-ci.yml, under global or a job.\n");
    out.push_str(if pairs.is_empty() {
        "environment: {}\n"
    } else {
        "environment:\n"
    });
    for (variable, _) in pairs {
        check_variable_name(variable, Nosana)?;
        out.push_str("  ");
        yaml::push_string(&mut out, variable);
        out.push_str(":\n    type: nosana/secret\n    endpoint: ");
        yaml::push_string(&mut out, endpoint);
        out.push_str("\n    value: ");
        yaml::push_string(&mut out, name_of(variable));
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn names_stand_there_and_values_do_not() {
        let pairs = [
            ("HF_TOKEN".to_owned(), SecretValue::from("hunter2")),
            ("A".to_owned(), SecretValue::new(vec![0xff])),
        ];
        let options = Options {
            source_names: [("HF_TOKEN".to_owned(), "hf \"token\"".to_owned())].into(),
            ..Options::default()
        };
        let text = write(&pairs, &options).unwrap();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            r#"# For the job's JSON definition: the secrets that its node may read.
{"state":{"nosana/secrets":["A","hf \"token\""]}}
---
# For .nosana-ci.yml, under global or a job.
environment:
  "HF_TOKEN":
    type: nosana/secret
    endpoint: "https://secrets.nosana.ci"
    value: "hf \"token\""
  "A":
    type: nosana/secret
    endpoint: "https://secrets.nosana.ci"
    value: "A"
"#
        );
    }
}
