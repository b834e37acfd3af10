//! `keyfob group`: groups of secrets with fields of their own.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};

use super::input::{self, MAX_FILE};
use super::outcomes;
use crate::app::App;
use crate::formats::{self, Format};
use crate::providers::groups::{Addon, AddonKey, Group, GroupFields, Groups, Target};
use crate::store::Store;
use crate::ui::{Table, json, prompt};
use crate::words::batch::{Action, Outcome};
use crate::words::document::Document;
use crate::words::error::{Error, Result};
use crate::words::secret::{MAX_VALUE, Name, SecretValue};
use crate::words::shown::ShownPath as _;

/// Manage groups of secrets, where the provider has them (northflank)
///
/// A group is a named set of variables and files with fields of its own. Its secrets are read and
/// written with get, set, delete, list and run, as GROUP/KEY, and as GROUP//path for files.
#[derive(Debug, Args)]
pub struct GroupArgs {
    #[command(subcommand)]
    pub command: GroupCommand,
}

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups
    #[command(
        visible_alias = "ls",
        after_long_help = "Examples:\n  keyfob group list -s web"
    )]
    List,
    /// Show a group with the names of its variables and files, never a value
    #[command(
        after_long_help = "Examples:\n  keyfob group show api-env\n  keyfob group show --json api-env"
    )]
    Show(GroupShowArgs),
    /// Create a group
    #[command(after_long_help = "\
Examples:
  keyfob group create api-env
  keyfob group create 'Example Secret' --tag my-tag --secret-type environment --priority 10 \\
    --restrict service:example-service --addon example-addon:USERNAME=MONGO_USERNAME \\
    --variables .env --file /etc/app.conf=app.conf
  keyfob group create --from group.yaml")]
    Create(GroupCreateArgs),
    /// Change what is named of a group and leave the rest
    ///
    /// Lists are replaced; variables and files are added to those there are. In a payload given
    /// with --from, a variable or file that is null is taken away.
    #[command(after_long_help = "\
Examples:
  keyfob group update api-env --priority 20
  keyfob group update api-env --restricted=false
  keyfob group update api-env --variables more.env
  keyfob group update api-env --from group.json")]
    Update(GroupUpdateArgs),
    /// Delete groups with all of their secrets
    ///
    /// Asks on a terminal unless --yes is given.
    #[command(
        visible_alias = "rm",
        after_long_help = "Examples:\n  keyfob group delete api-env\n  keyfob group rm -y old-env older-env"
    )]
    Delete(GroupDeleteArgs),
}

#[derive(Debug, Args)]
pub struct GroupShowArgs {
    /// The group's id or name
    #[arg(value_name = "GROUP")]
    pub group: String,
}

#[derive(Debug, Args)]
pub struct GroupCreateArgs {
    /// What to call it; its id follows from it
    #[arg(value_name = "NAME", required_unless_present = "from")]
    pub name: Option<String>,
    #[command(flatten)]
    pub fields: GroupFieldArgs,
}

#[derive(Debug, Args)]
pub struct GroupUpdateArgs {
    /// The group's id or name
    #[arg(value_name = "GROUP")]
    pub group: String,
    #[command(flatten)]
    pub fields: GroupFieldArgs,
}

#[derive(Debug, Args)]
pub struct GroupDeleteArgs {
    /// The groups' ids or names
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

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
    /// A tag; repeatable
    #[arg(long, value_name = "T")]
    pub tag: Vec<String>,
    /// environment, arguments or environment-arguments [default of a new group: environment]
    #[arg(long, value_name = "T")]
    pub secret_type: Option<String>,
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
    /// A key of an addon to bring along, under other names where some are given; repeatable
    #[arg(long, value_name = "ID:KEY[=ALIAS,…]")]
    pub addon: Vec<String>,
    /// A file with variables in dotenv, JSON, YAML or TOML; - is stdin; repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub variables: Vec<PathBuf>,
    /// A file of the group and the local file whose bytes it gets; repeatable
    #[arg(long, value_name = "/abs/path=LOCAL")]
    pub file: Vec<String>,
}

pub async fn run(args: GroupArgs, app: &App) -> Result<()> {
    let store = app.open(&app.selected_store()?)?;
    let groups = store.groups("keyfob group")?;
    match args.command {
        GroupCommand::List => list(groups, &store, app).await,
        GroupCommand::Show(args) => show(args, groups, &store, app).await,
        GroupCommand::Create(args) => create(args, groups, &store, app).await,
        GroupCommand::Update(args) => update(args, groups, &store, app).await,
        GroupCommand::Delete(args) => delete(args, groups, &store, app).await,
    }
    .map_err(|error| error.store(store.name().as_str()))
}

async fn list(groups: &dyn Groups, store: &Store, app: &App) -> Result<()> {
    let all = groups.list().await?;
    if app.ui.json {
        return app.ui.document(&json(&all)?);
    }
    if all.is_empty() {
        app.ui.note(&format!(
            "there are no groups in the store {}",
            store.name()
        ));
    }
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "TYPE",
        "PRIORITY",
        "UPDATED",
        "TAGS",
        "DESCRIPTION",
    ]);
    for group in all {
        table.row([
            group.id,
            group.name,
            group.secret_type.unwrap_or_default(),
            group
                .priority
                .map(|priority| priority.to_string())
                .unwrap_or_default(),
            group
                .updated_at
                .map(|at| at.to_string())
                .unwrap_or_default(),
            group.tags.join(","),
            group.description.unwrap_or_default(),
        ]);
    }
    table.print(&app.ui)
}

async fn show(args: GroupShowArgs, groups: &dyn Groups, store: &Store, app: &App) -> Result<()> {
    let group = groups.show(&args.group).await?;
    if app.ui.json {
        let mut document = json(&group)?;
        document["store"] = store.name().as_str().into();
        return app.ui.document(&document);
    }
    for (label, text) in lines(&group) {
        app.ui.line(&format!("{label}: {text}"))?;
    }
    Ok(())
}

async fn create(
    args: GroupCreateArgs,
    groups: &dyn Groups,
    store: &Store,
    app: &App,
) -> Result<()> {
    let mut fields = fields(args.fields)?;
    fields.name = args.name;
    let id = groups.create(fields).await?;
    let outcome = Outcome::new(Name::new(id)?, Ok(Action::Created));
    outcomes::written(app, "group ", store, vec![outcome])
}

async fn update(
    args: GroupUpdateArgs,
    groups: &dyn Groups,
    store: &Store,
    app: &App,
) -> Result<()> {
    let (id, action) = groups.update(&args.group, fields(args.fields)?).await?;
    let outcome = Outcome::new(Name::new(id)?, Ok(action));
    outcomes::written(app, "group ", store, vec![outcome])
}

async fn delete(
    args: GroupDeleteArgs,
    groups: &dyn Groups,
    store: &Store,
    app: &App,
) -> Result<()> {
    let question = match args.groups.as_slice() {
        [group] => format!(
            "Delete the group {group} and all of its secrets from {}?",
            store.name()
        ),
        groups => format!(
            "Delete {} groups and all of their secrets from {}?",
            groups.len(),
            store.name()
        ),
    };
    if !args.yes && app.ui.interactive && !prompt::confirm(&app.ui, &question)? {
        return Err(Error::failed("nothing was deleted"));
    }
    let mut outcomes = Vec::with_capacity(args.groups.len());
    for group in &args.groups {
        outcomes.push(match groups.delete(group).await {
            Ok(id) => Outcome::new(Name::new(id)?, Ok(Action::Deleted)),
            Err(error) => Outcome::new(Name::new(group.as_str())?, Err(error)),
        });
    }
    outcomes::written(app, "group ", store, outcomes)
}

/// What `show` prints, line by line: names of variables and files, and never a value.
fn lines(group: &Group) -> Vec<(&'static str, String)> {
    let mut lines = vec![("id", group.id.clone()), ("name", group.name.clone())];
    let mut more = |label, text: Option<String>| lines.extend(text.map(|text| (label, text)));
    more("description", group.description.clone());
    more("type", group.secret_type.clone());
    more(
        "priority",
        group.priority.map(|priority| priority.to_string()),
    );
    more(
        "tags",
        (!group.tags.is_empty()).then(|| group.tags.join(", ")),
    );
    if let Some(restrictions) = &group.restrictions {
        more("restricted", Some(restrictions.restricted.to_string()));
        for target in &restrictions.targets {
            more(
                "restricted to",
                Some(format!("{}:{}", target.kind, target.id)),
            );
        }
        for tag in &restrictions.tags {
            more("restricted to tag", Some(tag.clone()));
        }
    }
    for addon in &group.addons {
        for key in &addon.keys {
            let aliases = if key.aliases.is_empty() {
                String::new()
            } else {
                format!("={}", key.aliases.join(","))
            };
            more("addon", Some(format!("{}:{}{aliases}", addon.id, key.name)));
        }
    }
    for name in group.variables.iter().flatten() {
        more("variable", Some(name.clone()));
    }
    for path in group.files.iter().flatten() {
        more("file", Some(path.clone()));
    }
    more("created", group.created_at.map(|at| at.to_string()));
    more("updated", group.updated_at.map(|at| at.to_string()));
    lines
}

fn fields(args: GroupFieldArgs) -> Result<GroupFields> {
    let mut fields = GroupFields {
        payload: args
            .from
            .as_deref()
            .map(payload)
            .transpose()?
            .unwrap_or_default(),
        name: None,
        description: args.description,
        tags: args.tag,
        secret_type: args.secret_type,
        priority: args.priority,
        restricted: args.restricted,
        restricted_to: args
            .restrict
            .iter()
            .map(|text| target(text))
            .collect::<Result<_>>()?,
        restricted_tags: args.restrict_tag,
        addons: Vec::new(),
        variables: Vec::new(),
        files: Vec::new(),
    };
    for text in &args.addon {
        add_addon(&mut fields.addons, text)?;
    }
    for path in &args.variables {
        fields.variables.extend(input::pairs(path, None)?);
    }
    for text in &args.file {
        fields.files.push(file(text)?);
    }
    Ok(fields)
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

/// Adds `ID:KEY[=ALIAS,…]`, to the addon that is there already under its id where there is one.
fn add_addon(addons: &mut Vec<Addon>, text: &str) -> Result<()> {
    let bad = || Error::usage(format!("--addon {text:?} is not ID:KEY or ID:KEY=ALIAS,…"));
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
    match addons.iter_mut().find(|addon| addon.id == id) {
        Some(addon) => addon.keys.push(key),
        None => addons.push(Addon {
            id: id.to_owned(),
            keys: vec![key],
        }),
    }
    Ok(())
}

/// `/abs/path=LOCAL`: the path in the group and the bytes of the local file.
fn file(text: &str) -> Result<(String, SecretValue)> {
    match text.split_once('=') {
        Some((path, local)) if !path.is_empty() && !local.is_empty() => {
            let bytes = input::read(Path::new(local), MAX_VALUE)?;
            Ok((path.to_owned(), SecretValue::from(bytes)))
        }
        _ => Err(Error::usage(format!(
            "--file {text:?} is not /abs/path=LOCAL"
        ))),
    }
}

/// The whole payload of a file.
fn payload(path: &Path) -> Result<Document> {
    let bytes = input::read(path, MAX_FILE)?;
    // YAML reads JSON too, should a name say nothing.
    let format = Format::from_file_name(path).unwrap_or(Format::Yaml);
    formats::tree::read(format, &bytes).map_err(|error| error.context(path.shown()))
}
