//! `keyfob inject`: a template with secrets in the places of its placeholders.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueHint};
use serde_json::json;

use super::input::{self, MAX_FILE, is_standard};
use super::{output, selected};
use crate::app::App;
use crate::commands::selected::{SelectionArgs, WaitArg};
use crate::inject::Template;
use crate::select::{Destination, Found, Wants};
use crate::state::Mode;
use crate::store::Store;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, SecretValue, StoreName};
use crate::words::shown::ShownPath as _;

/// Fill the placeholders of a template with secrets
///
/// {{ keyfob://STORE/NAME }} stands for a secret. Nothing is written unless every placeholder was
/// filled. The template may be any bytes; what else stands in it, placeholders of other tools
/// too, stays as it is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob inject -i config.yaml.tpl -o config.yaml
  echo 'url = {{ keyfob://web/DATABASE_URL | json }}' | keyfob inject
  keyfob inject -i nginx.tpl -o nginx.conf --mode 0640
  keyfob inject -i app.tpl -o /etc/app.conf --mode keep
  keyfob inject -e TOKEN=keyfob://gpu/hf-token -i template    # fills {{ TOKEN }}

Placeholders:
  {{ keyfob://STORE/NAME }}          the value as it is; %XX for odd characters in NAME
  {{ keyfob://STORE/NAME | json }}   written for where it stands: json (with its quotes), yaml (with
                                     its quotes), shell (one word), url (any part of one), base64
  {{ VAR }}                          a variable that the selection below, the store that -s names
                                     or the [env] table of the configuration brings; any other name
                                     is left as it is
  {{ keyfob:{{ }}                    the two braces themselves

With --json the filled template is the field text of the document; with -o too, the document tells
what was filled.")]
pub struct InjectArgs {
    /// The template; - is stdin [default: stdin]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Write to this file, replaced whole; - is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Who may read the file that is written, in octal; keep: who may read the one it replaces [default: 0600]
    #[arg(long, value_name = "MODE", requires = "output")]
    pub mode: Option<FileMode>,
    #[command(flatten)]
    pub wait: WaitArg,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Those with these permission bits.
    Bits(u32),
    /// Those who may read the file that is replaced.
    Keep,
}

impl std::str::FromStr for FileMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "keep" {
            return Ok(Self::Keep);
        }
        let digits = text.strip_prefix("0o").unwrap_or(text);
        u32::from_str_radix(digits, 8)
            .ok()
            .filter(|bits| *bits <= 0o777 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .map(Self::Bits)
            .ok_or_else(|| {
                Error::usage(format!(
                    "{text:?} is no mode: write it like 0600 or 640, or keep"
                ))
            })
    }
}

pub async fn run(args: InjectArgs, app: &App) -> Result<()> {
    app.waits(args.wait.wait);
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
        Some(plan) => {
            let naming = selected::naming(&args.selection, Destination::Template);
            let chosen = selected::choose(&plan, &found, &naming, app)?;
            selected::values_of(chosen, &found, &naming, app)?
        }
        None => BTreeMap::<String, SecretValue>::new(),
    };
    let text = template.fill(
        |reference| found.get(reference),
        |variable| variables.get(variable),
    )?;
    let mode = match args.mode {
        Some(FileMode::Bits(bits)) => Mode::Exactly(bits),
        Some(FileMode::Keep) => Mode::KeepOr(0o600),
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
                "path": path.shown().exact(),
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
/// name in it that the store named by `-s`, or else `[env]`, may know. All of a store is never
/// brought unasked, as `{{ name }}` may well be another tool's.
fn brings_variables(args: &SelectionArgs, template: &Template<'_>, app: &App) -> Result<bool> {
    if args.names_something() {
        return Ok(true);
    }
    let variables = template.variables();
    if variables.is_empty() {
        return Ok(false);
    }
    if app.store_named_by().is_some() {
        return Ok(true);
    }
    let mut table = app.config()?.env_table().keys();
    Ok(table.any(|variable| variables.contains(variable.as_str())))
}

/// Opens the stores; one that cannot be opened is told with the place it is named at.
fn open(wants: &Wants, template: &Template<'_>, app: &App) -> Result<Vec<Store>> {
    let open = |name: &StoreName| {
        app.open(name)
            .map_err(|error| template.at_reference(error, |reference| reference.store == *name))
    };
    wants.stores().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("0600", 0o600), ("640", 0o640), ("0o444", 0o444)] {
            assert_eq!(text.parse::<FileMode>().unwrap(), FileMode::Bits(bits));
        }
        for text in ["", "u=rw", "0900", "1777", "-1", "+600"] {
            assert!(text.parse::<FileMode>().is_err(), "{text}");
        }
    }
}
