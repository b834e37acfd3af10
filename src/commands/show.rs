//! `keyfob show`: one secret's metadata, never its value.

use clap::Args;

use super::list::plain;
use crate::app::App;
use crate::commands::selected::WaitArg;
use crate::ui;
use crate::words::error::Result;
use crate::words::secret::Target;

/// Show what is known of one secret, never its value
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob show DATABASE_URL
  keyfob show --json keyfob://data/s3/backup")]
pub struct ShowArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: ShowArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let reference = app.reference(&args.name)?;
    let store = app.open(&reference.store)?;
    let entry = store.entry(&reference.name).await?;
    let entry = entry.ok_or_else(|| store.missing(&reference.name))?;
    if app.ui.json {
        let mut document = ui::json(&entry)?;
        document["store"] = store.name().as_str().into();
        return app.ui.document(&document);
    }
    let mut lines = vec![
        ("name", entry.name.as_str().to_owned()),
        (
            "store",
            format!("{} ({})", store.name(), store.spec().title),
        ),
    ];
    if let Some(description) = entry.description {
        lines.push(("description", description));
    }
    let times = [
        ("created", entry.created_at),
        ("updated", entry.updated_at),
        ("expires", entry.expires_at),
    ];
    for (label, time) in times {
        if let Some(time) = time {
            lines.push((label, app.ui.time(time)));
        }
    }
    for (key, value) in &entry.attributes {
        lines.push((key, plain(value)));
    }
    for (label, text) in lines {
        app.ui.fact(label, &text)?;
    }
    Ok(())
}
