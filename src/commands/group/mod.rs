//! `keyfob group`: groups of secrets with fields of their own.

mod fields;

use clap::{Args, Subcommand};

use self::fields::{GroupFieldArgs, fields};
use super::outcomes::{self, Results};
use crate::app::App;
use crate::providers::groups::{Addon, Group, Groups};
use crate::providers::{Capability, registry};
use crate::store::Store;
use crate::ui::{Table, json, prompt};
use crate::words::batch::{Action, Outcome};
use crate::words::error::Result;
use crate::words::secret::Name;
use crate::words::shown;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &[
    "ID",
    "NAME",
    "TYPE",
    "PRIORITY",
    "UPDATED",
    "TAGS",
    "DESCRIPTION",
];

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
    ///
    /// In a pipe a group a line, with tabs between id, name, type, priority, updated, tags and
    /// description.
    #[command(
        visible_alias = "ls",
        after_long_help = "Examples:\n  keyfob group list -s web"
    )]
    List,
    /// Show a group with the names of its variables and files, never a value
    #[command(
        after_long_help = "Examples:\n  keyfob group show -s web api-env\n  keyfob group show -s web --json api-env"
    )]
    Show(GroupShowArgs),
    /// Create a group
    #[command(after_long_help = "\
Examples:
  keyfob group create -s web api-env
  keyfob group create -s web 'Example Secret' --tag my-tag --secret-type environment --priority 10 \\
    --restrict service:example-service --addon example-addon:USERNAME=MONGO_USERNAME \\
    --variables .env --file /etc/app.conf=app.conf
  keyfob group create -s web --from group.yaml")]
    Create(GroupCreateArgs),
    /// Change what is named of a group and leave the rest
    ///
    /// Lists are replaced, and emptied by an empty text (--tag ''); so is the stage. Variables,
    /// files and docker secrets are added to those there are; in a payload given with --from, one
    /// that is null is taken away.
    #[command(after_long_help = "\
Examples:
  keyfob group update -s web api-env --priority 20 --dry-run
  keyfob group update -s web api-env --restricted=false
  keyfob group update -s web api-env --stage production --tag-match and
  keyfob group update -s web api-env --stage '' --addon ''
  keyfob group update -s web api-env --variables more.env
  keyfob group update -s web api-env --from group.json")]
    Update(GroupUpdateArgs),
    /// Delete groups with all of their secrets
    ///
    /// Asks unless --yes is given, which it must be where nobody can be asked.
    #[command(
        visible_alias = "rm",
        after_long_help = "Examples:\n  keyfob group delete -s web api-env\n  keyfob group rm -s web -y old-env older-env"
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
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub fields: GroupFieldArgs,
}

#[derive(Debug, Args)]
pub struct GroupUpdateArgs {
    /// The group's id or name
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub fields: GroupFieldArgs,
}

#[derive(Debug, Args)]
pub struct GroupDeleteArgs {
    /// The groups' ids or names
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

pub async fn run(args: GroupArgs, app: &App) -> Result<()> {
    let store = app.open(&app.selected_store()?)?;
    let groups = store.groups("keyfob group").map_err(|error| {
        let others = with_groups(app);
        match others.is_empty() {
            true => error,
            false => error.hint(format!("name the store: -s {}", others.join(", -s "))),
        }
    })?;
    match args.command {
        GroupCommand::List => list(groups, &store, app).await,
        GroupCommand::Show(args) => show(args, groups, &store, app).await,
        GroupCommand::Create(args) => create(args, groups, &store, app).await,
        GroupCommand::Update(args) => update(args, groups, &store, app).await,
        GroupCommand::Delete(args) => delete(args, groups, &store, app).await,
    }
    .map_err(|error| error.store(store.name().as_str()))
}

/// The stores that have groups.
fn with_groups(app: &App) -> Vec<String> {
    let stores = app
        .config()
        .map(|config| config.stores().collect::<Vec<_>>());
    let stores = stores.unwrap_or_default().into_iter();
    let has_groups = |provider: &str| {
        let spec = registry::find(provider);
        spec.is_some_and(|spec| spec.capabilities.has(Capability::Groups))
    };
    stores
        .filter(|store| has_groups(store.provider()))
        .map(|store| store.name().to_string())
        .collect()
}

async fn list(groups: &dyn Groups, store: &Store, app: &App) -> Result<()> {
    let (all, rest) = groups.list().await?;
    show_all(all, store, app)?;
    // What was read is shown, and what was not is said.
    rest.map_or(Ok(()), Err)
}

fn show_all(all: Vec<Group>, store: &Store, app: &App) -> Result<()> {
    if app.ui.json {
        return app.ui.document(&json(&all)?);
    }
    if all.is_empty() {
        app.ui.note(&format!(
            "there are no groups in the store {}",
            store.name()
        ));
    }
    let mut table = Table::new(COLUMNS, &app.ui);
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
                .map(|at| app.ui.time(at))
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
    for (label, text) in lines(&group, app) {
        app.ui.fact(label, &text)?;
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
    (fields.name, fields.dry_run) = (args.name, args.dry_run);
    let id = groups.create(fields).await?;
    let outcome = Outcome::new(Name::new(id)?, Ok(Action::Created));
    tell(vec![outcome], args.dry_run, store, app)
}

async fn update(
    args: GroupUpdateArgs,
    groups: &dyn Groups,
    store: &Store,
    app: &App,
) -> Result<()> {
    let mut fields = fields(args.fields)?;
    fields.dry_run = args.dry_run;
    let (id, action) = groups.update(&args.group, fields).await?;
    let outcome = Outcome::new(Name::new(id)?, Ok(action));
    tell(vec![outcome], args.dry_run, store, app)
}

async fn delete(
    args: GroupDeleteArgs,
    groups: &dyn Groups,
    store: &Store,
    app: &App,
) -> Result<()> {
    let from = store.name();
    let what = match args.groups.as_slice() {
        [group] => format!("the group {} and all of its secrets", shown::name(group)),
        groups => {
            let groups: Vec<String> = groups
                .iter()
                .map(|group| shown::name(group).to_string())
                .collect();
            format!("the groups {} and all of their secrets", groups.join(", "))
        }
    };
    let question = format!("Delete {what} from {from}?");
    let agreed = args.yes || args.dry_run;
    prompt::agree(&app.ui, agreed, &question, &format!("deleting {what}"))?;
    let mut outcomes = Vec::with_capacity(args.groups.len());
    for group in &args.groups {
        let deleted = match args.dry_run {
            true => groups.show(group).await.map(|group| group.id),
            false => groups.delete(group).await,
        };
        outcomes.push(match deleted {
            Ok(id) => Outcome::new(Name::new(id)?, Ok(Action::Deleted)),
            Err(error) => Outcome::new(Name::new(group.as_str())?, Err(error)),
        });
    }
    tell(outcomes, args.dry_run, store, app)
}

/// Says what became of groups, or what would.
fn tell(outcomes: Vec<Outcome>, dry_run: bool, store: &Store, app: &App) -> Result<()> {
    let results = match dry_run {
        true => Results::foreseen(store, outcomes),
        false => Results::of(store, outcomes),
    };
    outcomes::written(app, "group ", results)
}

/// What `show` prints, line by line: names of variables and files, and never a value.
fn lines(group: &Group, app: &App) -> Vec<(&'static str, String)> {
    let mut lines = vec![("id", group.id.clone()), ("name", group.name.clone())];
    let mut more = |label, text: Option<String>| lines.extend(text.map(|text| (label, text)));
    more("description", group.description.clone());
    more("secret type", group.secret_type.clone());
    more("type", group.visibility.clone());
    more("stage", group.stage.clone());
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
        more("tags match", restrictions.tag_match.clone());
    }
    for (label, addons) in [
        ("addon", &group.addons),
        ("external addon", &group.external_addons),
    ] {
        for line in addons.iter().flat_map(keys) {
            more(label, Some(line));
        }
    }
    for name in group.variables.iter().flatten() {
        more("variable", Some(name.clone()));
    }
    for path in group.files.iter().flatten() {
        more("file", Some(path.clone()));
    }
    for name in &group.docker_secrets {
        more("docker secret", Some(name.clone()));
    }
    more("created", group.created_at.map(|at| app.ui.time(at)));
    more("updated", group.updated_at.map(|at| app.ui.time(at)));
    lines
}

/// The keys that a group brings along of `addon`, as they are given to it; its id alone where none
/// is known.
fn keys(addon: &Addon) -> Vec<String> {
    if addon.keys.is_empty() {
        return vec![addon.id.clone()];
    }
    let keys = addon.keys.iter().map(|key| match key.aliases.as_slice() {
        [] => format!("{}:{}", addon.id, key.name),
        aliases => format!("{}:{}={}", addon.id, key.name, aliases.join(",")),
    });
    keys.collect()
}
