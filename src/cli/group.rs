//! The types of `keyfob group`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

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
