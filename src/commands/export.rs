//! `keyfob export`: secrets in a file format.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use super::{output, selected};
use crate::app::App;
use crate::commands::selected::{SelectionArgs, WaitArg};
use crate::formats::{self, Format, Jobs, Options, Pair, SHORTEST_MASK};
use crate::select::{Destination, Found, Source};
use crate::state::Mode;
use crate::store::Store;
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::shown::ShownPath as _;
use crate::words::text::is_variable_name;
use crate::words::wiped::Wiped;
use crate::words::word::listed;

/// Write secrets in a file format
///
/// To stdout, or with -o to a file that only you can read and that is replaced whole. json, yaml and
/// toml keep every name, k8s those that keys may have; elsewhere names that are no valid variable
/// names are left out with a warning, unless they were asked for.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob export > .env
  keyfob export -s web -o backup.json         # the ending tells the format
  eval \"$(keyfob export --format shell --only DATABASE_URL,API_KEY)\"
  keyfob export --format fish | source
  keyfob export --format github               # in a step of GitHub Actions
  keyfob export --format k8s --name api-env | kubectl apply -f -
  keyfob export -s gpu --format nosana --upper
  keyfob export -s bytenite --format bytenite --prefix other/

With nothing named: all of the store that -s or KEYFOB_STORE names; else the [env] table of the
configuration where there is one; else all of the default store.

Formats:
  dotenv   is read alike by shells, docker compose, direnv, just and mise, node and its library,
           and the libraries of Python and Ruby, but for values of several lines, which direnv
           and Ruby's before 3 do not take; a value that they would read otherwise is refused.
           dotenv-expand (Vite, Next.js) puts variables in the place of $NAME even so
  github   hides the values in the job's log, by commands on stdout, and then appends the variables
           to the file that GITHUB_ENV names, for the steps to come; values of fewer than five bytes
           are not hidden, with a warning
  nosana   holds no values: the names for a job's definition (nosana/secrets), and the environment
           block of a .nosana-ci.yml
  bytenite holds no values: the ids for platformConfig.secrets in the manifest.json of an app
  json     writes a value that is not text as {\"base64\": \"…\"}; k8s holds any bytes, too

With --json the format is json; with --json and -o, stdout tells which names are in the file.")]
pub struct ExportArgs {
    /// The format [default: that of the file's ending, else dotenv]
    #[arg(short, long, value_name = "FORMAT", hide_default_value = true)]
    pub format: Option<Format>,
    /// Write to this file, readable by you alone; - is stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The name of the Secret that k8s writes [default: keyfob]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

pub async fn run(args: ExportArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let file = output::file(args.output.as_deref());
    let format = format(&args, file, app)?;
    let mut options = Options::default();
    if let Some(name) = &args.name {
        if format != Format::K8s {
            return Err(Error::usage(format!("--name is for k8s, not for {format}")));
        }
        options.name = Some(name.clone());
        // A name that will not do is told before anybody is asked.
        formats::write(format, &[], &options)?;
    }
    if format == Format::Github {
        let file = github_file(app)?;
        return github(&args, &file, &options, app).await;
    }
    let pairs = match format.jobs() {
        Some(jobs) => names(jobs, format, &args, &mut options, app).await?,
        None => values(&args, format, app).await?,
    };
    let text = Wiped::from(formats::write(format, &pairs, &options)?);
    output::write(file, &text, Mode::PRIVATE, app)?;
    match file {
        Some(path) if app.ui.json => {
            let names: Vec<&String> = pairs.iter().map(|(name, _)| name).collect();
            app.ui.document(&json!({
                "path": path.shown().exact(),
                "format": format.to_string(),
                "names": names,
            }))
        }
        _ => Ok(()),
    }
}

/// The format asked for, where it fits what else was asked for.
fn format(args: &ExportArgs, file: Option<&Path>, app: &App) -> Result<Format> {
    let json_on_stdout = app.ui.json && file.is_none();
    let format = match args.format {
        Some(format) => format,
        None if json_on_stdout => Format::Json,
        None => file.and_then(Format::told_by).unwrap_or(Format::Dotenv),
    };
    if format == Format::Github && (args.output.is_some() || app.ui.json) {
        let option = if app.ui.json { "--json" } else { "-o" };
        return Err(Error::usage(format!(
            "{option} does not go with the format github, which writes commands to stdout and variables to the file that GITHUB_ENV names"
        )));
    }
    if json_on_stdout && format != Format::Json {
        return Err(
            Error::usage(format!("--json prints JSON, and the format is {format}"))
                .hint("leave out one of them, or write to a file with -o"),
        );
    }
    Ok(format)
}

/// The selected values by variable.
async fn values(args: &ExportArgs, format: Format, app: &App) -> Result<Vec<Pair>> {
    let values = selected::values(&args.selection, Destination::File(format), app).await?;
    Ok(values.into_iter().collect())
}

/// The selected variables without values, which nobody is asked for; `options` learns the names
/// behind them and where they are.
async fn names(
    jobs: Jobs,
    format: Format,
    args: &ExportArgs,
    options: &mut Options,
    app: &App,
) -> Result<Vec<Pair>> {
    let plan = selected::plan(&args.selection, app)?;
    let wants = plan.wants();
    let stores = selected::open(&wants, app)?;
    let found = Found::list(&stores, &wants).await?;
    let chosen = match jobs.named_after {
        None => {
            let naming = selected::naming(&args.selection, Destination::File(format));
            selected::choose(&plan, &found, &naming, app)?
        }
        // The vendor names the variables, so that any name will do here.
        Some(_) => {
            let naming = selected::naming(&args.selection, Destination::Store);
            plan.choose(&found, &naming)?
        }
    };
    options.endpoint = endpoint(jobs, &stores, app).await?;
    let mut pairs = Vec::with_capacity(chosen.variables.len());
    for (variable, source) in chosen.variables {
        let Source::Secret(reference) = source else {
            return Err(Error::usage(format!(
                "{variable} is a value in a file and no secret, and a {} job is given secrets alone",
                jobs.vendor
            ))
            .hint(format!("leave it out with --except {variable}")));
        };
        options
            .source_names
            .insert(variable.clone(), reference.name.as_str().to_owned());
        pairs.push((variable, SecretValue::default()));
    }
    if let Some(named_after) = jobs.named_after {
        let names = options.source_names.values().map(|name| named_after(name));
        warn_of_odd_names(jobs, names.filter(|name| !is_variable_name(name)), app);
    }
    Ok(pairs)
}

/// Warns of `odd` names, which jobs' variables cannot be named after.
fn warn_of_odd_names<'a>(jobs: Jobs, odd: impl Iterator<Item = &'a str>, app: &App) {
    let odd: Vec<&str> = odd.collect();
    if !odd.is_empty() {
        app.ui.warn(&format!(
            "{} names variables after secrets, and these are no names of variables: {}",
            jobs.vendor,
            listed(odd)
        ));
    }
}

/// The Secret Manager that the secrets are in; `None` where no store is one.
async fn endpoint(jobs: Jobs, stores: &[Store], app: &App) -> Result<Option<String>> {
    let mut endpoint: Option<String> = None;
    for store in stores {
        if store.spec().name() != jobs.provider {
            app.ui.warn(&format!(
                "{} is no {} store: jobs find its secrets only once they are in {}",
                store.name(),
                jobs.vendor,
                jobs.place
            ));
            continue;
        }
        let url = store.account().await?.url;
        match &endpoint {
            Some(other) if *other != url => {
                return Err(Error::usage(format!(
                    "the secrets are in two Secret Managers, {other} and {url}, and a job is given those of one"
                )));
            }
            _ => endpoint = Some(url),
        }
    }
    Ok(endpoint)
}

/// The file for variables of the later steps of a GitHub Actions job.
fn github_file(app: &App) -> Result<PathBuf> {
    app.env.var_os("GITHUB_ENV").map(PathBuf::from).ok_or_else(|| {
        Error::usage("the variable GITHUB_ENV is not set, so there is no file for the variables")
            .hint("--format github is for steps of GitHub Actions, which set it; elsewhere use another format")
    })
}

/// Hides the values in the log first, then hands the variables over.
async fn github(args: &ExportArgs, file: &Path, options: &Options, app: &App) -> Result<()> {
    let pairs = values(args, Format::Github, app).await?;
    let masks = formats::github_masks(&pairs)?;
    let variables = formats::write(Format::Github, &pairs, options)?;
    let short = pairs
        .iter()
        .filter(|(_, value)| (1..SHORTEST_MASK).contains(&value.len()));
    let short: Vec<&str> = short.map(|(name, _)| name.as_str()).collect();
    if !short.is_empty() {
        app.ui.warn(&format!(
            "too short to be hidden, and shown where a step prints it: {}",
            listed(short)
        ));
    }
    app.ui.data_that_matters(&masks)?;
    append(file, &variables)
        .map_err(|error| Error::io(format!("could not write {}", file.shown()), error))
}

/// Appends `text` to `file` in one go: others write to it, too.
fn append(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text)
}
