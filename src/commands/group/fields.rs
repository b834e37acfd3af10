//! The fields of a group, as options and as a file give them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::commands::input::{self, MAX_FILE};
use crate::formats::{self, Format, ReadOptions};
use crate::providers::groups::{Addon, AddonKey, GroupFields, Target};
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::secret::{MAX_VALUE, SecretValue};
use crate::words::shown::ShownPath as _;

/// The fields of a group.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fields")]
pub struct GroupFieldArgs {
    /// The whole payload as the backend's page has it, in JSON, YAML or TOML; - is stdin. The
    /// options below are laid over it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub from: Option<PathBuf>,
    /// What the group is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A tag; repeatable, as all lists are
    #[arg(long, value_name = "T")]
    pub tag: Vec<String>,
    /// environment, arguments or environment-arguments [default of a new group: environment]
    #[arg(long, value_name = "T")]
    pub secret_type: Option<String>,
    /// Who may see the values: whoever may see secrets, or configuration [default: secret]
    #[arg(long = "type", value_name = "T", value_parser = ["secret", "config"])]
    pub visibility: Option<String>,
    /// The stage that the group belongs to
    #[arg(long, value_name = "ID")]
    pub stage: Option<String>,
    /// From 0 to 100: which group wins where two hold the same name [default of a new group: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub priority: Option<i64>,
    /// Give the secrets only to what --restrict and --restrict-tag name, which imply it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub restricted: Option<bool>,
    /// A service or job that is given the secrets; repeatable
    #[arg(long, value_name = "service:ID|job:ID")]
    pub restrict: Vec<String>,
    /// A tag whose services and jobs are given the secrets; repeatable
    #[arg(long, value_name = "T")]
    pub restrict_tag: Vec<String>,
    /// Whether services and jobs must carry all of the tags (and) or one of them (or)
    #[arg(long, value_name = "CONDITION", value_parser = ["and", "or"])]
    pub tag_match: Option<String>,
    /// A key of an addon to bring along, under other names where some are given; repeatable
    #[arg(long, value_name = "ID:KEY[=ALIAS,…]")]
    pub addon: Vec<String>,
    /// A key of an addon elsewhere to bring along, in the same way; repeatable
    #[arg(long, value_name = "ID:KEY[=ALIAS,…]")]
    pub external_addon: Vec<String>,
    /// A file with variables in dotenv, JSON, YAML or TOML; - is stdin; repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub variables: Vec<PathBuf>,
    /// A file of the group and the local file whose bytes it gets; repeatable
    #[arg(long, value_name = "/abs/path=LOCAL")]
    pub file: Vec<String>,
    /// What builds mount under this name, and the local file whose bytes it gets; repeatable
    #[arg(long, value_name = "NAME=FILE")]
    pub docker_secret: Vec<String>,
}

/// What the options and the files that they name say.
///
/// # Errors
/// `usage` for an option that is malformed; what reading a file fails with.
pub fn fields(args: GroupFieldArgs) -> Result<GroupFields> {
    let payload = args.from.as_deref().map(payload).transpose()?;
    let mut fields = GroupFields {
        dry_run: false,
        payload: payload.unwrap_or_default(),
        name: None,
        description: args.description,
        tags: listed(&args.tag, |tag| Ok(tag.to_owned()))?,
        secret_type: args.secret_type,
        visibility: args.visibility,
        stage: args.stage,
        priority: args.priority,
        restricted: args.restricted,
        restricted_to: listed(&args.restrict, target)?,
        restricted_tags: listed(&args.restrict_tag, |tag| Ok(tag.to_owned()))?,
        tag_match: args.tag_match,
        addons: addons("--addon", &args.addon)?,
        external_addons: addons("--external-addon", &args.external_addon)?,
        variables: Vec::new(),
        files: Vec::new(),
        docker_secrets: Vec::new(),
    };
    for path in &args.variables {
        fields
            .variables
            .extend(input::pairs(path, None, ReadOptions::default())?);
    }
    for text in &args.file {
        fields.files.push(file("--file", "/abs/path=LOCAL", text)?);
    }
    for text in &args.docker_secret {
        let secret = file("--docker-secret", "NAME=FILE", text)?;
        fields.docker_secrets.push(secret);
    }
    Ok(fields)
}

/// The items of a list option: `None` where it is not given, none where all that it is given is an
/// empty text.
fn listed<T>(texts: &[String], read: impl Fn(&str) -> Result<T>) -> Result<Option<Vec<T>>> {
    match texts {
        [] => Ok(None),
        [text] if text.is_empty() => Ok(Some(Vec::new())),
        texts => texts
            .iter()
            .map(|text| read(text))
            .collect::<Result<_>>()
            .map(Some),
    }
}

/// `service:ID` or `job:ID`.
fn target(text: &str) -> Result<Target> {
    match text.split_once(':') {
        Some((kind @ ("service" | "job"), id)) if !id.is_empty() => Ok(Target {
            kind: kind.to_owned(),
            id: id.to_owned(),
        }),
        _ => Err(Error::usage(format!(
            "--restrict {text:?} is neither service:ID nor job:ID"
        ))),
    }
}

/// The addons of `texts`, each once, with all of its keys.
fn addons(option: &str, texts: &[String]) -> Result<Option<Vec<Addon>>> {
    let Some(all) = listed(texts, |text| key(option, text))? else {
        return Ok(None);
    };
    let mut addons: Vec<Addon> = Vec::new();
    for (id, key) in all {
        match addons.iter_mut().find(|addon| addon.id == id) {
            Some(addon) => addon.keys.push(key),
            None => addons.push(Addon {
                id,
                keys: vec![key],
            }),
        }
    }
    Ok(Some(addons))
}

/// `ID:KEY[=ALIAS,…]`.
fn key(option: &str, text: &str) -> Result<(String, AddonKey)> {
    let bad = || Error::usage(format!("{option} {text:?} is not ID:KEY or ID:KEY=ALIAS,…"));
    let (id, rest) = text
        .split_once(':')
        .filter(|(id, _)| !id.is_empty())
        .ok_or_else(bad)?;
    let (name, aliases) = match rest.split_once('=') {
        Some((name, aliases)) => (name, aliases.split(',').map(str::to_owned).collect()),
        None => (rest, Vec::new()),
    };
    if name.is_empty() || aliases.iter().any(String::is_empty) {
        return Err(bad());
    }
    let key = AddonKey {
        name: name.to_owned(),
        aliases,
    };
    Ok((id.to_owned(), key))
}

/// `NAME=LOCAL`: what it is called in the group, and the bytes of the local file.
fn file(option: &str, form: &str, text: &str) -> Result<(String, SecretValue)> {
    match text.split_once('=') {
        Some((name, local)) if !name.is_empty() && !local.is_empty() => {
            let bytes = input::read(Path::new(local), MAX_VALUE)?;
            Ok((name.to_owned(), SecretValue::from(bytes)))
        }
        _ => Err(Error::usage(format!("{option} {text:?} is not {form}"))),
    }
}

/// The whole payload of a file.
fn payload(path: &Path) -> Result<Document> {
    let bytes = input::read(path, MAX_FILE)?;
    // YAML reads JSON too, should a name say nothing.
    let format = Format::from_file_name(path).unwrap_or(Format::Yaml);
    formats::tree::read(format, &bytes).map_err(|error| error.context(path.shown()))
}
