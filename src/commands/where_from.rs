//! `keyfob where`: which store, and which line of the configuration, a secret or a variable is from.

use clap::Args;
use serde_json::{Map, Value, json};

use super::selected::WaitArg;
use crate::app::App;
use crate::config::{Mapping, Origin};
use crate::words::error::Result;
use crate::words::secret::{Reference, Target};
use crate::words::shown::ShownPath as _;

/// Tell where a secret or a variable comes from
///
/// For a variable of the [env] table: its secret, and the file and line that name it. For a secret,
/// which is looked for in its store: the store, and where that is configured. A store that -s or
/// KEYFOB_STORE names counts before the table, as it does for run.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob where DATABASE_URL
  keyfob where -P prod HF_TOKEN
  keyfob where keyfob://web/api-env/KEY
  keyfob where --json DATABASE_URL | jq -r '\"\\(.path):\\(.line)\"'")]
pub struct WhereArgs {
    /// A variable of the [env] table, a secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    #[command(flatten)]
    pub wait: WaitArg,
}

pub async fn run(args: WhereArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
    let config = app.config()?;
    let mapping = match &args.name {
        Target::Name(name) if app.store_named_by().is_none() => {
            config.env_table().get_key_value(name.as_str())
        }
        Target::Name(_) | Target::Reference(_) => None,
    };
    if let Some((
        variable,
        Mapping {
            variable: says,
            origin,
        },
    )) = mapping
    {
        let secret = says
            .from
            .as_ref()
            .map(|from| app.reference(from))
            .transpose()?;
        let mut told = Told::default();
        told.say("variable", variable.as_str());
        if let Some(secret) = &secret {
            told.secret(secret, app)?;
        }
        if let Some(default) = &says.default {
            told.say("default", default.as_str());
        }
        told.origin(Some(origin));
        return told.print(app);
    }
    let secret = app.reference(&args.name)?;
    let store = app.open(&secret.store)?;
    if store.entry(&secret.name).await?.is_none() {
        return Err(store.missing(&secret.name));
    }
    let mut told = Told::default();
    told.secret(&secret, app)?;
    told.origin(config.store(&secret.store)?.provider_origin());
    told.print(app)
}

/// What is told, in its order: for programs, and for people.
#[derive(Default)]
struct Told {
    document: Map<String, Value>,
    lines: Vec<(&'static str, String)>,
}

impl Told {
    fn say(&mut self, key: &'static str, value: &str) {
        self.document.insert(key.to_owned(), json!(value));
        self.lines.push((key, value.to_owned()));
    }

    fn secret(&mut self, secret: &Reference, app: &App) -> Result<()> {
        let provider = app.config()?.store(&secret.store)?.provider();
        self.document
            .insert("store".to_owned(), json!(secret.store));
        self.document.insert("provider".to_owned(), json!(provider));
        self.lines
            .push(("store", format!("{} ({provider})", secret.store)));
        self.say("name", secret.name.as_str());
        Ok(())
    }

    fn origin(&mut self, origin: Option<&Origin>) {
        let shown = match origin {
            Some(Origin::File { path, line, .. }) => {
                self.document
                    .insert("path".to_owned(), json!(path.to_string_lossy()));
                self.document.insert("line".to_owned(), json!(line));
                format!("{}:{line}", path.shown().exact())
            }
            Some(origin @ Origin::Environment { .. }) => origin.to_string(),
            None => "built in".to_owned(),
        };
        self.lines.push(("configured", shown));
    }

    fn print(self, app: &App) -> Result<()> {
        if app.ui.json {
            return app.ui.document(&Value::Object(self.document));
        }
        let mut lines = self.lines.iter();
        lines.try_for_each(|(label, text)| app.ui.fact(label, text))
    }
}
