//! `keyfob diff`: what two stores hold otherwise, by name.

use clap::Args;
use futures_util::future::try_join;
use serde_json::json;

use super::Failure;
use super::pair;
use super::selected::{NameArgs, WaitArg};
use crate::app::App;
use crate::select::Listed;
use crate::transfer::{Comparison, Difference, Held};
use crate::ui::Table;
use crate::words::batch::Selection;
use crate::words::error::{Error, Result};
use crate::words::secret::StoreName;

/// The columns of the table, which the help tells of, too.
pub const COLUMNS: &[&str] = &["NAME", "DIFFERENCE"];

/// Compare two stores, never printing a value
///
/// Both are read at the same time, and their values compared in memory. A line for each difference:
/// the name, and in which store alone it is, that its value differs, or that this is unknown. Where
/// both stores keep types (nosana), a number and the string that reads as it does differ in type;
/// everywhere else the text alone counts.
///
/// Of a store whose values cannot be read back (bytenite, neo), keyfob knows what it has stored
/// itself, as keyed digests in your data folder; everything else there is unknown, and counts as a
/// difference. So does what somebody else has replaced since: neo shows that by ids and times,
/// bytenite only by another access key.
///
/// In a pipe a line each, with a tab between name and difference.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob diff dev web
  keyfob diff dev web --prefix api-env/
  keyfob diff dev web --only 'DB_*'
  keyfob diff --json dev fn | jq -r '.differences[].name'

Exit codes: 0 there is no difference, 1 there is one.")]
pub struct DiffArgs {
    /// A store
    #[arg(value_name = "A")]
    pub a: StoreName,
    /// Another store
    #[arg(value_name = "B")]
    pub b: StoreName,
    #[command(flatten)]
    pub names: NameArgs,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: DiffArgs, app: &App) -> Result<(), Failure> {
    app.waits(args.wait.wait);
    let comparison = compare(&args, app).await?;
    print(&comparison, &args, app)?;
    verdict(&comparison, &args, app).map_err(Failure::answer)
}

async fn compare(args: &DiffArgs, app: &App) -> Result<Comparison> {
    pair::refuse_store_option(app, "diff")?;
    let (a, b) = (app.open(&args.a)?, app.open(&args.b)?);
    pair::differ(&a, &b).await?;
    let NameArgs {
        only,
        except,
        prefix,
    } = &args.names;
    let (only, except) = (Listed::new(only)?, Listed::new(except)?);
    let asked = only.names.iter().chain(&except.names);
    let selection = match only.is_empty() || only.has_globs() {
        true => Selection::All,
        false => Selection::Names(asked.clone().cloned().collect()),
    };
    let (of_a, of_b) = try_join(Held::by(&a, &selection), Held::by(&b, &selection)).await?;
    let mut asked = asked;
    if let Some(name) = asked.find(|name| !of_a.has(name) && !of_b.has(name)) {
        return Err(Error::not_found(format!(
            "there is no secret named {} in {} or {}",
            name.shown(),
            args.a,
            args.b
        )));
    }
    Ok(Comparison::of(&of_a, &of_b, |name| {
        (only.is_empty() || only.has(name.as_str()))
            && prefix
                .as_ref()
                .is_none_or(|prefix| name.as_str().starts_with(prefix))
            && !except.has(name.as_str())
    }))
}

fn print(comparison: &Comparison, args: &DiffArgs, app: &App) -> Result<()> {
    let differences = comparison.differences.iter();
    if app.ui.json {
        let differences: Vec<serde_json::Value> = differences
            .map(|(name, difference)| match difference {
                Difference::DiffersInType => {
                    json!({ "name": name, "difference": difference.as_str(), "in": "type" })
                }
                _ => json!({ "name": name, "difference": difference.as_str() }),
            })
            .collect();
        return app.ui.document(&json!({
            "a": args.a,
            "b": args.b,
            "differences": differences,
        }));
    }
    let mut table = Table::new(COLUMNS, &app.ui);
    for (name, difference) in differences {
        table.row([name.as_str().to_owned(), in_words(*difference, args)]);
    }
    table.print(&app.ui)
}

fn in_words(difference: Difference, args: &DiffArgs) -> String {
    match difference {
        Difference::OnlyInA => format!("only in {}", args.a),
        Difference::OnlyInB => format!("only in {}", args.b),
        Difference::Differs => "differs".to_owned(),
        Difference::DiffersInType => "differs in type".to_owned(),
        Difference::Unknown => "unknown".to_owned(),
    }
}

/// Fails where there is a difference, or may be one.
fn verdict(comparison: &Comparison, args: &DiffArgs, app: &App) -> Result<()> {
    let (a, b) = (&args.a, &args.b);
    let count = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let counts: Vec<String> = [
        Difference::OnlyInA,
        Difference::OnlyInB,
        Difference::Differs,
        Difference::DiffersInType,
        Difference::Unknown,
    ]
    .into_iter()
    .map(|difference| {
        let what = match difference {
            Difference::Differs => "with another value".to_owned(),
            Difference::DiffersInType => "of another type".to_owned(),
            other => in_words(other, args),
        };
        count(comparison.count(difference), &what)
    })
    .chain([count(comparison.same, "the same")])
    .flatten()
    .collect();
    if comparison.differences.is_empty() {
        app.ui.note(&format!(
            "{a} and {b} do not differ: {} the same",
            comparison.same
        ));
        return Ok(());
    }
    let error = Error::failed(format!("{a} and {b} differ: {}", counts.join(", ")));
    Err(match comparison.count(Difference::Unknown) {
        0 => error,
        _ => error.hint(
            "unknown is what a store does not give back and keyfob has not stored there as it is now",
        ),
    })
}
