//! `keyfob edit`: a value in the user's editor.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::input;
use super::outcomes::{self, Results};
use super::set::value_as_argument;
use crate::app::App;
use crate::exec::editor;
use crate::providers::Capability;
use crate::state;
use crate::state::scratch::{self, Scratch};
use crate::store::Store;
use crate::words::batch::{Action, Batch, Outcome, Reading, Selection, Write};
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::secret::{Form, MAX_VALUE, Name, Reference, SecretValue, Target};
use crate::words::shown::ShownPath as _;
use crate::words::text::drop_newline;
use crate::words::word::shell_word;

/// Edit a value in $VISUAL or $EDITOR
///
/// The editor gets the value in a file for you alone, which lies in memory where the system has such
/// a place, and which is gone afterwards. Stores what was saved if it changed, and nothing where the
/// editor fails; what cannot be stored is kept, and the file named. A newline that the editor adds
/// at the end is dropped where the value had none. A name that is missing is made when something was
/// saved.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob edit DATABASE_URL
  EDITOR='code --wait' keyfob edit -s web api-env/CONFIG
  EDITOR='sed -i s/old/new/' keyfob edit SETTINGS

What the editor keeps elsewhere, such as vim's undo files and viminfo, is its own:
EDITOR='vim -n -i NONE' keeps nothing.")]
pub struct EditArgs {
    /// The secret's name, or a reference keyfob://STORE/NAME
    #[arg(value_name = "NAME")]
    pub name: Target,
}

pub async fn run(args: EditArgs, app: &App) -> Result<()> {
    let reference = app.reference(&args.name)?;
    let Reference { name, .. } = &reference;
    if matches!(&args.name, Target::Name(name) if name.as_str().contains('=')) {
        return Err(value_as_argument());
    }
    let named = name.check();
    named.map_err(|error| Error::usage(error.message()))?;
    let store = app.open(&reference.store)?;
    if !store.can(Capability::Read) {
        let title = store.spec().title;
        let error = Error::unsupported(format!(
            "{} cannot be edited: {title} gives no value back",
            name.shown()
        ));
        let set = format!("keyfob set -s {} {}", store.name(), word(name));
        return Err(error
            .hint(format!("{set} stores another value"))
            .store(store.name().as_str()));
    }
    store.check_name(name)?;
    let editor = editor_of(app)?;
    let read = read(&store, name).await?;
    let old = read.values.get(name);
    let text = match old.map(|value| (value, value.expose_str())) {
        None => "",
        Some((_, Some(text))) if !text.contains('\0') => text,
        Some(_) => return Err(no_text(&store, name)),
    };
    let (scratch, mut bytes) = saved(&editor, name, text, app).await?;
    // The time it took to edit was nobody's network.
    app.services()?.http.deadline().progressed();
    if !text.ends_with('\n') {
        drop_newline(&mut bytes);
    }
    if old.is_none() && bytes.is_empty() {
        let error = Error::failed(format!(
            "nothing was saved, and {} is not made",
            name.shown()
        ));
        return Err(error.store(store.name().as_str()));
    }
    if old.is_some() && *bytes == *text.as_bytes() {
        let same = Outcome::new(name.clone(), Ok(Action::Unchanged));
        return outcomes::written(app, "", Results::of(&store, vec![same]));
    }
    let stored = stored(&store, name, &read, SecretValue::from(bytes.clone())).await;
    let is_stored = |outcomes: &Vec<Outcome>| outcomes.iter().all(|it| it.result.is_ok());
    if !stored.as_ref().is_ok_and(is_stored) {
        // What somebody has typed is not thrown away for a server that was down.
        let (store, name) = (store.name(), word(name));
        let kept = scratch.keep(&bytes);
        let kept = kept.map_err(|error| Error::io("cannot keep what you saved", error))?;
        app.ui.warn(&format!(
            "what you saved is kept in {0}: keyfob set -s {store} {name} --file {0} stores it; remove the file then",
            shell_word(&kept.to_string_lossy())
        ));
    }
    outcomes::written(app, "", Results::of(&store, stored?))
}

/// Stores `value` in the place of what was `read`, unless somebody else has changed that.
async fn stored(
    store: &Store,
    name: &Name,
    read: &Reading,
    value: SecretValue,
) -> Result<Vec<Outcome>> {
    check_unchanged(store, name, read).await?;
    let old = read.values.get(name);
    let mut write = Write::new(name.clone(), in_form_of(old, value));
    write.expected = read.expected(name);
    let mut outcomes = match old {
        Some(_) => {
            let batch = Batch {
                writes: vec![write],
                if_absent: false,
            };
            store.write(batch).await?
        }
        None => store.write_new(write).await?,
    };
    for outcome in &mut outcomes {
        let result = std::mem::replace(&mut outcome.result, Ok(Action::Unchanged));
        outcome.result = result.map_err(|error| match error.kind() {
            Kind::Conflict => error.hint(again(store, name)),
            _ => error,
        });
    }
    Ok(outcomes)
}

/// How to go on after a change underneath.
fn again(store: &Store, name: &Name) -> String {
    let (store, name) = (store.name(), word(name));
    format!("keyfob edit -s {store} {name} opens what is there now")
}

/// What the store has of `name`; nothing where there is no store yet.
async fn read(store: &Store, name: &Name) -> Result<Reading> {
    let named = Selection::Names(vec![name.clone()]);
    match store.read_counted(&named).await {
        Err(error) if error.cause() == Cause::NotMade => Ok(Reading::default()),
        read => read,
    }
}

/// Where the store counts no versions, what it has now must be what was edited.
async fn check_unchanged(store: &Store, name: &Name, before: &Reading) -> Result<()> {
    if before.versions.is_some() {
        return Ok(());
    }
    let now = read(store, name).await?;
    match now.values.get(name) == before.values.get(name) {
        true => Ok(()),
        false => Err(Error::conflict(format!(
            "somebody else has changed {name} in the meantime, and nothing was stored"
        ))
        .hint(again(store, name))
        .store(store.name().as_str())),
    }
}

/// The new value, which is no string where the old one was none and it can be none either.
fn in_form_of(old: Option<&SecretValue>, new: SecretValue) -> SecretValue {
    let was_json = old.is_some_and(|old| old.form() == Form::Json);
    let value = serde_json::from_slice::<serde::de::IgnoredAny>(new.expose());
    match was_json && value.is_ok() && !new.expose().trim_ascii_start().starts_with(b"\"") {
        true => new.in_form(Form::Json),
        false => new,
    }
}

fn no_text(store: &Store, name: &Name) -> Error {
    let (store, name) = (store.name(), word(name));
    Error::invalid_data(format!(
        "the value of {name} is not text, and an editor may not keep its bytes"
    ))
    .hint(format!(
        "keyfob get -s {store} {name} > FILE, then keyfob set -s {store} {name} --file FILE"
    ))
    .store(store.as_str())
}

fn word(name: &Name) -> String {
    name.shown().typed()
}

/// The command that edits.
fn editor_of(app: &App) -> Result<String> {
    let named = ["VISUAL", "EDITOR"].into_iter();
    match named.filter_map(|variable| app.env.var(variable)).next() {
        Some(editor) => Ok(editor.to_owned()),
        None if app.ui.interactive && io::stderr().is_terminal() => Ok("vi".to_owned()),
        None => Err(Error::usage("no editor is named, and nobody can edit here")
            .hint("EDITOR names one: a command that is given the file and changes it")),
    }
}

/// What was saved of `text`, and where it is.
async fn saved(
    editor: &str,
    name: &Name,
    text: &str,
    app: &App,
) -> Result<(Scratch, Zeroizing<Vec<u8>>)> {
    let place = place(app)?;
    let cannot = |error| {
        Error::io(
            format!("cannot make a file in {} to edit", place.shown()),
            error,
        )
    };
    let scratch = Scratch::new(&place, name.as_str(), text.as_bytes()).map_err(cannot)?;
    let withheld = &app.services()?.withheld;
    let asked = editor::edit(editor, scratch.file(), &app.env, withheld).await?;
    #[cfg(unix)]
    if let Some(signal) = asked {
        drop(scratch);
        crate::exec::signals::end_by(signal);
        return Err(Error::failed("interrupted, and nothing was changed"));
    }
    #[cfg(not(unix))]
    let _ = asked;
    let bytes = input::read(scratch.file(), MAX_VALUE)?;
    Ok((scratch, bytes))
}

/// Where the value lies while it is edited.
fn place(app: &App) -> Result<PathBuf> {
    if let Some(place) = scratch::in_memory(&app.env) {
        return Ok(place);
    }
    let place = app.folders()?.cache.clone();
    state::create_folder(&place)?;
    app.ui.warn(&format!(
        "no folder in memory was found: while you edit, the value lies in {}",
        place.shown()
    ));
    Ok(place)
}
