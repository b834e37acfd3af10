//! `keyfob get`: prints one value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::commands::selected::WaitArg;
use crate::store::Store;
use crate::words::batch::Selection;
use crate::words::error::{Cause, Result};
use crate::words::secret::{Name, SecretValue, Target};

/// Print one secret's value
///
/// Prints the exact bytes of the value, and a newline after them only on a terminal.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob get DATABASE_URL
  keyfob get -s gpu hf-token
  keyfob get LOG_LEVEL --or info
  keyfob get keyfob://web/api-env/STRIPE_KEY | wc -c")]
pub struct GetArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// Print no newline after the value, on a terminal either
    #[arg(short = 'n', long)]
    pub no_newline: bool,
    /// What to print where there is no such secret
    #[arg(long, value_name = "VALUE")]
    pub or: Option<String>,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: GetArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let reference = app.reference(&args.name)?;
    let store = app.open(&reference.store)?;
    let value = match args.or {
        Some(or) => value_or(&store, &reference.name, or).await?,
        None => store.value(&reference.name).await?,
    };
    if app.ui.json {
        let mut document = json!({ "store": store.name(), "name": reference.name });
        match value.expose_str() {
            Some(text) => document["value"] = text.into(),
            None => {
                // JSON holds text alone; `encoding` tells that this is not the value itself.
                document["value"] = STANDARD.encode(value.expose()).into();
                document["encoding"] = "base64".into();
            }
        }
        return app.ui.document(&document);
    }
    print(app, &value, args.no_newline)
}

/// The value, or `or` where there is no such secret.
async fn value_or(store: &Store, name: &Name, or: String) -> Result<SecretValue> {
    let read = store.read(&Selection::Names(vec![name.clone()])).await;
    let value = match read {
        Ok(mut values) => values.remove(name),
        // Nothing was ever stored there.
        Err(error) if error.cause() == Cause::NotMade => None,
        Err(error) => return Err(error),
    };
    Ok(value.unwrap_or_else(|| SecretValue::from(or)))
}

/// Prints the exact bytes, and a newline after them only on a terminal.
pub fn print(app: &App, value: &SecretValue, no_newline: bool) -> Result<()> {
    app.ui.data(value.expose())?;
    if app.ui.stdout_is_terminal() && !no_newline {
        app.ui.data(b"\n")?;
    }
    Ok(())
}
