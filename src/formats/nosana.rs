//! Nosana: the names, and no values, that a job is given secrets by.
//!
//! Two YAML documents. The first, on one line, is also JSON: the `state` for a job's definition,
//! whose list lets the node that runs it read those secrets. The second is the `environment` of
//! `global` or of a job in a `.nosana-ci.yml`, where the node puts the secret for each variable.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use zeroize::Zeroizing;

use super::Format::Nosana;
use super::text::{SecretText, check_variable_name};
use super::{Pair, yaml};
use crate::words::error::Result;

/// Writes the variables of `pairs`. `names` has the secret's name by variable where it is another;
/// `endpoint` is the base URL of the secret manager.
pub(super) fn write(
    pairs: &[Pair],
    endpoint: &str,
    names: &BTreeMap<String, String>,
) -> Result<Zeroizing<Vec<u8>>> {
    let name_of = |variable: &str| {
        names
            .get(variable)
            .map_or(variable.to_owned(), Clone::clone)
    };
    let secrets: BTreeSet<String> = pairs
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
        yaml::push_string(&mut out, &name_of(variable));
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
        let names = BTreeMap::from([("HF_TOKEN".to_owned(), "hf \"token\"".to_owned())]);
        let text = write(&pairs, "https://secrets.nosana.ci", &names).unwrap();
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
