//! `keyfob set`: stores one secret.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

use super::input;
use super::outcomes::{self, Results};
use crate::app::App;
use crate::providers::Capability;
use crate::store::Store;
use crate::ui::prompt;
use crate::words::batch::{Batch, Filter, Metadata, Outcome, Write};
use crate::words::duration::HumanDuration;
use crate::words::error::{Error, Kind, Result};
use crate::words::generate;
use crate::words::secret::{MAX_VALUE, Name, SecretValue, Target};
use crate::words::shown;
use crate::words::text::drop_newline;

/// Store a secret
///
/// The value comes from a pipe (one trailing newline is dropped; --file - keeps every byte, and
/// keyfob move renames a secret with all of them), from a hidden prompt that asks twice, or from
/// --file, --from-env or --generate. It is never taken as an argument: arguments stand in the
/// shell's history and in the list of processes, for everybody on the machine.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  printf 'hello' | keyfob set GREETING
  keyfob set API_KEY                          # asks, hidden, twice
  keyfob set TLS_KEY --file server.key        # every byte kept
  keyfob set DB_PASSWORD --generate=alnum:40
  keyfob set -s gpu hf-token --from-env HF_TOKEN
  keyfob set API_KEY --keep-value --description 'for the shop'")]
pub struct SetArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// A value given as an argument, only to be refused
    #[arg(hide = true, value_name = "VALUE", num_args = 0.., allow_hyphen_values = false)]
    pub refused: Vec<OsString>,
    /// Read the value from this file, every byte of it; - is stdin
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, group = "source")]
    pub file: Option<PathBuf>,
    /// Take the value from this environment variable
    #[arg(long, value_name = "VAR", group = "source")]
    pub from_env: Option<String>,
    /// Make a fresh value: password:N, alnum:N, hex:N, base64:N, uuid, words:N [default: password:32]
    #[arg(long, value_name = "SPEC", group = "source", num_args = 0..=1, require_equals = true, default_missing_value = "password:32")]
    pub generate: Option<String>,
    /// What the secret is for, where the provider keeps descriptions
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// When it expires, where the provider has expiry: a time (RFC 3339) or a duration from now
    #[arg(long, value_name = "WHEN")]
    pub expires_at: Option<String>,
    /// A further attribute, where the provider has them; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub attr: Vec<String>,
    /// Fail with conflict where the secret exists already
    #[arg(long)]
    pub if_absent: bool,
    /// Change what stands beside the value alone
    #[arg(long, conflicts_with_all = ["source", "if_absent"])]
    pub keep_value: bool,
}

pub async fn run(args: SetArgs, app: &App) -> Result<()> {
    let with_value = matches!(&args.name, Target::Name(name) if name.as_str().contains('='));
    // As everywhere: `-` is what comes through the pipe.
    let from_stdin = args.refused.len() == 1 && args.refused[0] == "-";
    if from_stdin && (args.file.is_some() || args.from_env.is_some() || args.generate.is_some()) {
        return Err(Error::usage(
            "the value comes from stdin, or from elsewhere, not from both",
        ));
    }
    if let (Some(_), [spec]) = (&args.generate, args.refused.as_slice())
        && let Some(spec) = spec.to_str()
        && spec.parse::<generate::Spec>().is_ok()
    {
        return Err(Error::usage("--generate takes what it makes behind \"=\"")
            .hint(format!("write --generate={spec}")));
    }
    if with_value || !from_stdin && !args.refused.is_empty() {
        return Err(value_as_argument());
    }
    let reference = app.reference(&args.name)?;
    // As a rule a variable of the shell that is not set.
    let named = reference.name.check();
    named.map_err(|error| Error::usage(error.message()))?;
    let store = app.open(&reference.store)?;
    // What the store has no room for is told before anybody is asked for the value, whatever it is.
    let mut write = Write::new(reference.name, SecretValue::from("any"));
    write.metadata = metadata(&args)?;
    store.check_metadata([&write])?;
    if args.keep_value {
        return annotate(write, &store, app).await;
    }
    store.check(&write)?;
    if let Some(at) = write.metadata.expires_at {
        doubt(at, app);
    }
    let asked = args.generate.is_none() && args.from_env.is_none() && args.file.is_none();
    let about = match asked && !write.metadata.is_empty() {
        // Who means to change a description alone has no value at hand.
        true => Some(without_value(&store)),
        false => None,
    };
    write.value = value(&args, &write.name, &store, app)
        .await
        .map_err(|error| match about {
            Some(hint) if error.kind() == Kind::Usage => error.also_hint(hint),
            _ => error,
        })?;
    // The time it took to bring the value was nobody's network.
    app.services()?.http.deadline().progressed();
    let outcomes = store
        .write(Batch {
            writes: vec![write],
            if_absent: args.if_absent,
        })
        .await?;
    outcomes::written(app, "", Results::of(&store, outcomes))
}

/// How what stands beside a value is changed, for whoever gave no value.
fn without_value(store: &Store) -> String {
    match store.can(Capability::Read) {
        true => "--keep-value changes what stands beside the value alone".to_owned(),
        false => format!(
            "{} never gives a value back, so a change of what stands beside it must bring the value again",
            store.spec().title
        ),
    }
}

/// Changes what stands beside the value alone.
async fn annotate(write: Write, store: &Store, app: &App) -> Result<()> {
    if write.metadata.is_empty() {
        return Err(Error::usage(
            "--keep-value changes what stands beside the value, and nothing of that is named",
        )
        .hint("name it: --description, --expires-at or --attr"));
    }
    if let Some(at) = write.metadata.expires_at {
        doubt(at, app);
    }
    let action = store.annotate(&write.name, write.metadata).await?;
    let outcome = Outcome::new(write.name, Ok(action));
    outcomes::written(app, "", Results::of(store, vec![outcome]))
}

/// The refusal of a value on the command line.
pub fn value_as_argument() -> Error {
    Error::usage("a value is not taken as an argument: it would stand in the shell's history and in the list of processes")
        .hint("pipe it in (printf %s \"$VALUE\" | keyfob set NAME), or let keyfob set NAME ask for it, or use --file, --from-env or --generate")
}

fn metadata(args: &SetArgs) -> Result<Metadata> {
    let mut attributes = BTreeMap::new();
    for attribute in &args.attr {
        let Some((key, value)) = attribute.split_once('=').filter(|(key, _)| !key.is_empty())
        else {
            return Err(Error::usage(format!(
                "--attr {} is not KEY=VALUE",
                shown::quoted(attribute)
            )));
        };
        if attributes
            .insert(key.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(Error::usage(format!("--attr {key} is given twice")));
        }
    }
    Ok(Metadata {
        description: args.description.clone(),
        expires_at: args.expires_at.as_deref().map(point_in_time).transpose()?,
        attributes,
    })
}

/// The last whole second that there is room for: a day before the year 10,000, whatever the zone.
fn last_second() -> Timestamp {
    Timestamp::from_second(Timestamp::MAX.as_second()).unwrap_or(Timestamp::MAX)
}

/// Tells where a secret will not expire when the user may think that it does.
fn doubt(expires_at: Timestamp, app: &App) {
    if expires_at == last_second() {
        app.ui.note(&format!(
            "it expires at {expires_at}, the last time there is"
        ));
    }
}

/// The time that `text` is by RFC 3339, as near as there is room for; `None` for anything else.
fn rfc_3339(text: &str) -> Option<Timestamp> {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    // Finer than anybody keeps time.
    let text = match digits {
        0..=9 => text.to_owned(),
        _ => format!("{whole}{}{}", &rest[..10], &rest[1 + digits..]),
    };
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let pieces = Pieces::parse(text.as_str()).ok()?;
    pieces.time().zip(pieces.offset())?;
    // Whoever writes the end of the calendar means never.
    (pieces.date().year() == 9999).then(last_second)
}

/// A time to come, or a duration from now. What has expired already would be stored for nobody: it
/// is a slip, as a secret that is to go is deleted.
pub fn point_in_time(text: &str) -> Result<Timestamp> {
    if let Some(timestamp) = rfc_3339(text) {
        let now = Timestamp::now();
        return match timestamp > now {
            true => Ok(timestamp),
            false => Err(Error::usage(format!(
                "--expires-at {text:?} is in the past: this machine's clock says {now:.0}"
            ))
            .hint("give a time to come, or delete the secret instead (keyfob delete)")),
        };
    }
    let duration: HumanDuration = text.parse().map_err(|_| {
        Error::usage(format!(
            "{} is neither a time nor a duration",
            shown::quoted(text)
        ))
        .hint("write a time like 2030-12-31T00:00:00Z, or a duration like 30d")
    })?;
    Timestamp::now()
        .checked_add(duration.get())
        .map_err(|_| Error::usage(format!("{text:?} is too far away")))
}

async fn value(args: &SetArgs, name: &Name, store: &Store, app: &App) -> Result<SecretValue> {
    if let Some(spec) = &args.generate {
        return spec.parse::<generate::Spec>()?.generate();
    }
    if let Some(variable) = &args.from_env {
        return from_env(variable, app);
    }
    if let Some(path) = &args.file {
        return input::read(path, MAX_VALUE).map(SecretValue::from);
    }
    if io::stdin().is_terminal() {
        let instead = "pipe the value in, or use --file, --from-env or --generate";
        let question = match app.ui.interactive {
            true => question(name, args.if_absent, store).await?,
            false => format!("the value of {name}"),
        };
        return prompt::new_secret(&app.ui, &question).map_err(|error| error.hint(instead));
    }
    from_pipe(store, name)
}

/// What is asked for: in which store, and whether it takes the place of another value.
async fn question(name: &Name, if_absent: bool, store: &Store) -> Result<String> {
    let filter = Filter {
        prefix: Some(name.as_str().to_owned()),
        named: Some(name.clone()),
        ..Filter::default()
    };
    let listed = match store.list(&filter).await {
        // Who may write need not be allowed to list.
        Err(error) if error.is_absence() || error.kind() == Kind::Forbidden => Vec::new(),
        listed => listed?,
    };
    let store = store.name();
    let Some(there) = listed.into_iter().find(|entry| entry.name == *name) else {
        return Ok(format!("Value of {name} in {store}"));
    };
    if if_absent {
        return Err(Error::conflict(format!("{name} exists already"))
            .hint("leave --if-absent out to replace its value")
            .store(store.as_str()));
    }
    let of = match there.updated_at {
        Some(at) => format!("the one of {}", at.strftime("%Y-%m-%d")),
        None => "the one there".to_owned(),
    };
    Ok(format!("New value of {name} in {store} (replaces {of})"))
}

fn from_env(variable: &str, app: &App) -> Result<SecretValue> {
    let Some(value) = app.env.raw(variable) else {
        return Err(Error::usage(format!(
            "there is no environment variable {}",
            shown::name(variable)
        )));
    };
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(SecretValue::new(value.as_bytes().to_vec()))
    }
    #[cfg(not(unix))]
    {
        value.to_str().map(SecretValue::from).ok_or_else(|| {
            Error::invalid_data(format!(
                "the environment variable {} is not Unicode",
                shown::name(variable)
            ))
        })
    }
}

/// Everything that comes through the pipe, without one newline at its end.
fn from_pipe(store: &Store, name: &Name) -> Result<SecretValue> {
    let mut bytes = input::stdin(MAX_VALUE)?;
    if bytes.is_empty() {
        return Err(Error::usage("no value came on stdin").hint(format!(
            "check the command before the pipe; an empty value is stored with: echo | keyfob set -s {} {}",
            store.name(),
            name.shown().typed()
        )));
    }
    drop_newline(&mut bytes);
    Ok(SecretValue::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_of_rfc_3339_is_taken() {
        let at = |text: &str| rfc_3339(text).map(|at| at.to_string());
        for (text, time) in [
            ("2030-12-31T00:00:00Z", "2030-12-31T00:00:00Z"),
            ("2030-12-31t00:00:00z", "2030-12-31T00:00:00Z"),
            ("2030-12-31 02:00:00+02:00", "2030-12-31T00:00:00Z"),
            ("2030-12-31T00:00:00-00:00", "2030-12-31T00:00:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            (
                "2030-12-31T00:00:00.1234567890123Z",
                "2030-12-31T00:00:00.123456789Z",
            ),
            ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00Z"),
            ("9999-12-31T23:59:59.999-12:00", "9999-12-30T22:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(time), "{text}");
        }
        for text in [
            "",
            "30d",
            "9999",
            "9999-12-31",
            "9999-12-31T23:59:59",
            "x.1234567890123",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
