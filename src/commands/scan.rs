//! `keyfob scan`: where the values of one's own secrets stand in files.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use futures_util::future::join_all;
use serde_json::json;

use crate::app::App;
use crate::providers::Capability;
use crate::redact::find::Finder;
use crate::scan::{self, Hit, Report, Scanner, Tree};
use crate::store::Store;
use crate::ui::escape;
use crate::words::batch::Selection;
use crate::words::error::{Error, Kind, Result};
use crate::words::secret::{Reference, SecretValue, StoreName};

/// Find the values of your own secrets in files, stdin or staged git changes
///
/// Looks for the values as they are, line by line, and in base64, hex, URLs, JSON and shell quotes.
/// Prints a line for each place, path:line:column: NAME, both counted from 1 and columns in bytes;
/// never the value or the text around it. Fails with exit code 1 when something was found.
///
/// In folders, what .gitignore leaves out, .git itself and symbolic links are passed over; hidden
/// files are not. A file named here is searched in any case. A file with a NUL byte in its first
/// 8 KiB counts as binary and is passed over unless --binary is given. Values shorter than 5 bytes
/// are not looked for.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob scan
  keyfob scan --all-stores src config/prod.yaml
  kubectl logs deploy/api | keyfob scan -
  keyfob scan --staged || [ $? = 10 ]   # in .git/hooks/pre-commit

Exit codes: 1 something was found, 0 nothing was, 10 nothing was but not everything could be read.")]
pub struct ScanArgs {
    /// Files and folders; - is stdin [default: the working directory]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Search the staged content of the files that the next git commit changes (those under PATH)
    #[arg(long)]
    pub staged: bool,
    /// Look for the values of all configured stores that can be read
    #[arg(long)]
    pub all_stores: bool,
    /// Search binary files too
    #[arg(long)]
    pub binary: bool,
    /// Search what .gitignore leaves out too
    #[arg(long, conflicts_with = "staged")]
    pub no_ignore: bool,
}

/// What stands for stdin among the paths.
const STDIN: &str = "-";

pub async fn run(args: ScanArgs, app: &App) -> Result<()> {
    let known = if args.all_stores {
        of_all_stores(app).await?
    } else {
        Known {
            secrets: of_store(&app.selected_store()?, app).await?,
            failures: Vec::new(),
        }
    };
    let shown = |reference: &Reference| match args.all_stores {
        true => reference.to_string(),
        false => reference.name.as_str().to_owned(),
    };
    let finder = Finder::new(known.secrets.iter().map(|(_, value)| value.expose()))?;
    let short: Vec<String> = finder
        .left_alone()
        .iter()
        .filter_map(|index| known.secrets.get(*index))
        .map(|(reference, _)| match args.all_stores {
            true => reference.to_string(),
            false => reference.name.to_string(),
        })
        .collect();
    if !short.is_empty() {
        app.ui.warn(&format!(
            "too short to be looked for, with fewer than 5 bytes: {}",
            short.join(", ")
        ));
    }
    let looked_for = known.secrets.len() - short.len();

    let scanner = Scanner::new(finder, args.binary);
    let mut report = search(&scanner, &args, app).await?;
    report.hits.sort();
    report.hits.dedup();
    print(app, &scanner, &report.hits, &known.secrets, &shown)?;

    for error in &report.unread {
        app.ui.warn(error.message());
    }
    if report.binaries > 0 {
        app.ui.note(&format!(
            "{} passed over; --binary searches them",
            count(report.binaries, "binary file")
        ));
    }
    verdict(app, &report, looked_for as u64, known.failures)
}

/// The secrets that are looked for, and the stores that would not tell theirs.
struct Known {
    secrets: Vec<(Reference, SecretValue)>,
    failures: Vec<Error>,
}

/// The secrets of one store.
async fn of_store(name: &StoreName, app: &App) -> Result<Vec<(Reference, SecretValue)>> {
    let store = app.open(name)?;
    store
        .require(Capability::Read, "scan")
        .map_err(|error| error.hint("--all-stores looks for the values of all stores that can"))?;
    values(&store).await
}

async fn values(store: &Store) -> Result<Vec<(Reference, SecretValue)>> {
    let values = store.read(&Selection::All).await?;
    let named = |name| Reference {
        store: store.name().clone(),
        name,
    };
    Ok(values
        .into_iter()
        .map(|(name, value)| (named(name), value))
        .collect())
}

/// The secrets of all stores that can be read. One that nobody has set up counts for nothing.
async fn of_all_stores(app: &App) -> Result<Known> {
    if app.named_store().is_some() {
        return Err(Error::usage("--all-stores and --store exclude each other"));
    }
    let config = app.config()?;
    let reads = config.stores().map(|configured| async move {
        let name = configured.name();
        let store = app.open(name)?;
        if !store.can(Capability::Read) {
            let message = format!("{name} is left out: its values cannot be read back");
            app.ui.trace(1, &message);
            return Ok(Vec::new());
        }
        values(&store).await
    });
    let mut known = Known {
        secrets: Vec::new(),
        failures: Vec::new(),
    };
    for (configured, read) in config.stores().zip(join_all(reads).await) {
        let name = configured.name();
        let set_up = configured.provider_origin().is_some() || configured.fields().next().is_some();
        match read {
            Ok(secrets) => known.secrets.extend(secrets),
            Err(error)
                if !set_up && matches!(error.kind(), Kind::Unauthenticated | Kind::Config) =>
            {
                app.ui
                    .trace(1, &format!("{name} is left out: {}", error.message()));
            }
            Err(error) => {
                app.ui
                    .warn(&format!("the store {name} could not be read: {error}"));
                known.failures.push(error.store(name.as_str()));
            }
        }
    }
    Ok(known)
}

/// Searches what the options name.
async fn search(scanner: &Scanner, args: &ScanArgs, app: &App) -> Result<Report> {
    let stdin = Path::new(STDIN);
    let (stdins, mut paths): (Vec<PathBuf>, Vec<PathBuf>) =
        args.paths.iter().cloned().partition(|path| path == stdin);
    if args.staged {
        if !stdins.is_empty() {
            return Err(Error::usage("--staged and stdin exclude each other"));
        }
        return scan::staged(scanner, &app.env, &paths).await;
    }
    if args.paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let mut report = scan::walk(
        scanner,
        &Tree {
            paths,
            ignores: !args.no_ignore,
        },
    )?;
    if !stdins.is_empty() {
        report.add(scan::stream(scanner, stdin, io::stdin().lock())?);
    }
    Ok(report)
}

/// Prints where the secrets stand: a line for each place, or one document.
fn print(
    app: &App,
    scanner: &Scanner,
    hits: &[Hit],
    secrets: &[(Reference, SecretValue)],
    shown: &dyn Fn(&Reference) -> String,
) -> Result<()> {
    let mut documents = Vec::new();
    let mut lines = String::new();
    let mut file = None;
    for hit in hits {
        let Some((reference, _)) = secrets.get(hit.value) else {
            continue;
        };
        // Sorted by path, thousands may stand in one.
        let path = match file.take() {
            Some((last, path)) if last == &hit.path => path,
            _ => scanner.masked(&hit.path.to_string_lossy()),
        };
        if app.ui.json {
            documents.push(json!({
                "path": path,
                "line": hit.line,
                "column": hit.column,
                "store": reference.store,
                "name": reference.name,
            }));
        } else {
            lines.push_str(&escape(&format!(
                "{path}:{}:{}: {}",
                hit.line,
                hit.column,
                shown(reference)
            )));
            lines.push('\n');
        }
        file = Some((&hit.path, path));
    }
    if app.ui.json {
        return app.ui.document(&json!(documents));
    }
    app.ui.data(lines.as_bytes())
}

/// Fails where something was found, or else where not everything could be looked at.
fn verdict(app: &App, report: &Report, looked_for: u64, failures: Vec<Error>) -> Result<()> {
    let files = count(report.files, "file");
    if !report.hits.is_empty() {
        let names: BTreeSet<usize> = report.hits.iter().map(|hit| hit.value).collect();
        let message = format!(
            "found {} at {} in {files}",
            count(names.len() as u64, "secret"),
            count(report.hits.len() as u64, "place"),
        );
        return Err(Error::failed(message)
            .hint("take them out, and give new values to those that others may have seen"));
    }
    let searched = match looked_for {
        0 => format!("there was no secret value to look for in {files}"),
        1 => format!("the one secret value is nowhere in {files}"),
        many => format!("found none of {many} secret values in {files}"),
    };
    if report.unread.is_empty() && failures.is_empty() {
        app.ui.note(&searched);
        return Ok(());
    }
    // Nobody was asked for anything that came: the store's own failure says more.
    if looked_for == 0
        && let Some(first) = failures.into_iter().next()
    {
        return Err(first);
    }
    Err(Error::partial(format!(
        "{searched}, but not everything could be read"
    )))
}

/// `count` and what it counts.
fn count(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
