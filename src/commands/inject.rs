//! `keyfob inject`: a template with secrets in the places of its placeholders.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::input::{self, MAX_FILE, is_standard};
use super::{output, selected};
use crate::app::App;
use crate::cli::{FileMode, InjectArgs, SelectionArgs};
use crate::error::{Error, Result};
use crate::fsio::Mode;
use crate::secret::{Reference, SecretValue, StoreName};
use crate::selection::{Found, Wants};
use crate::store::Store;
use crate::template::Template;

pub async fn run(args: InjectArgs, app: &App) -> Result<()> {
    app.waits(args.wait);
    let stdin = Path::new("-");
    let path = args.input.as_deref().unwrap_or(stdin);
    if args.input.is_none() && io::stdin().is_terminal() {
        return Err(Error::usage("there is no template")
            .hint("name it with -i FILE, or pipe it in; -i - reads what you type"));
    }
    let file = output::file(args.output.as_deref());
    if let Some(file) = file {
        output::check_not_input(file, Some(path).filter(|path| !is_standard(path)))?;
    }
    let bytes = input::read(path, MAX_FILE)?;
    let name = input::shown(path);
    let template = Template::parse(&name, &bytes)?;

    let plan = match brings_variables(&args.selection, &template, app)? {
        true => Some(selected::plan(&args.selection, app)?),
        false => None,
    };
    let mut wants = plan.as_ref().map(|plan| plan.wants()).unwrap_or_default();
    for reference in template.references() {
        wants.add(reference);
    }
    let stores = open(&wants, &template, app)?;
    let found = Found::read(&stores, &wants).await?;
    let variables = match plan {
        Some(plan) => selected::choose(&plan, &found, &args.selection, app)?.values(&found)?,
        None => BTreeMap::<String, SecretValue>::new(),
    };
    let text = template.fill(
        |reference| found.get(reference),
        |variable| variables.get(variable),
    )?;
    let mode = match args.mode {
        Some(FileMode(bits)) => Mode::Exactly(bits),
        None => Mode::PRIVATE,
    };
    match file {
        _ if !app.ui.json => output::write(file, &text, mode, app),
        Some(path) => {
            output::write(file, &text, mode, app)?;
            let references: BTreeSet<String> =
                template.references().map(Reference::to_string).collect();
            let names = template.variables();
            let filled = names.iter().filter(|name| variables.contains_key(**name));
            app.ui.document(&json!({
                "file": path.display().to_string(),
                "references": references,
                "variables": filled.collect::<Vec<_>>(),
            }))
        }
        None => app.ui.document(&match std::str::from_utf8(&text) {
            Ok(text) => json!({ "text": text }),
            Err(_) => json!({ "text": STANDARD.encode(&text), "encoding": "base64" }),
        }),
    }
}

/// Whether variables are brought along: because options name some, or because the template has a
/// name in it that `[env]` knows. All of a store is never brought unasked, as `{{ name }}` may
/// well be another tool's.
fn brings_variables(args: &SelectionArgs, template: &Template<'_>, app: &App) -> Result<bool> {
    if args.names_something() {
        return Ok(true);
    }
    let variables = template.variables();
    if variables.is_empty() {
        return Ok(false);
    }
    let mut table = app.config()?.env_variables();
    Ok(table.any(|variable| variables.contains(variable)))
}

/// Opens the stores; one that cannot be opened is told with the place it is named at.
fn open(wants: &Wants, template: &Template<'_>, app: &App) -> Result<Vec<Store>> {
    let open = |name: &StoreName| {
        app.open(name)
            .map_err(|error| template.at_reference(error, |reference| reference.store == *name))
    };
    wants.stores().map(open).collect()
}
