//! What the user sees: data on stdout, everything else on stderr.

mod escape;
mod moment;
mod progress;
pub mod prompt;
mod spinner;
mod table;
mod text;

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use anstream::{AutoStream, ColorChoice};
use jiff::Timestamp;
use serde::Serialize;

pub use escape::escape;
pub use progress::Bar;
pub use spinner::Spinner;
pub use table::Table;
pub use text::{at_home, colored, is_wide, shortened, told_columns, wrapped};

use crate::words::error::{Error, Result};
use crate::words::withheld::without_keys;

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[1;36m";
const PLAIN: &str = "\u{1b}[0m";

/// A time for programs, and for people who want it to the second.
pub fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

/// `value` as the JSON that is printed of it.
///
/// # Errors
/// `failed` where it cannot be written as JSON.
pub fn json(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::failed(format!("could not write JSON: {error}")).made_of(error))
}

/// How many columns the terminal has that stdout is; `None` where it is none.
pub fn columns() -> Option<u16> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(size.ws_col)
    }
    #[cfg(not(unix))]
    None
}

/// The same of whichever of stdout, stderr and stdin is a terminal.
pub fn columns_of_any() -> Option<u16> {
    #[cfg(unix)]
    {
        let sizes = [
            rustix::termios::tcgetwinsize(io::stdout()),
            rustix::termios::tcgetwinsize(io::stderr()),
            rustix::termios::tcgetwinsize(io::stdin()),
        ];
        let mut known = sizes.into_iter().flatten().map(|size| size.ws_col);
        known.find(|columns| *columns > 0)
    }
    #[cfg(not(unix))]
    None
}

/// How to talk to the user.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// Print JSON.
    pub json: bool,
    /// Say nothing but errors.
    pub quiet: bool,
    /// How much to tell of what goes on: 0 is nothing, 2 tells when as well.
    pub verbose: u8,
    /// When to use colours.
    pub color: ColorChoice,
    /// Whether questions may be asked.
    pub interactive: bool,
}

impl Ui {
    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        // It is asked for each row of a table, and stays what it is.
        static IS_TERMINAL: LazyLock<bool> = LazyLock::new(|| io::stdout().is_terminal());
        *IS_TERMINAL
    }

    /// A time as stdout is told it: on a terminal how long ago it was, or how soon it will be.
    pub fn time(&self, at: Timestamp) -> String {
        match self.stdout_is_terminal() {
            true => moment::told(at, Timestamp::now()),
            false => time(at),
        }
    }

    /// Writes one line of what is known of something: what it is called, and what it is.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn fact(&self, label: &str, text: &str) -> Result<()> {
        if !self.stdout_is_terminal() {
            return self.line(&format!("{label}: {text}"));
        }
        let label = format!("{label}: ");
        let room = columns().map_or(usize::MAX, usize::from);
        let room = room.saturating_sub(label.len());
        let parts = wrapped(&shortened(&escape(text)), room);
        let line = parts.join(&format!("\n{}", " ".repeat(label.len())));
        self.data(format!("{}{line}\n", escape(&label)).as_bytes())
    }

    /// How many columns the terminal has that messages go to; `None` where they go to none.
    pub fn message_columns(&self) -> Option<u16> {
        #[cfg(unix)]
        {
            let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
            // What does not say how wide it is is taken for as wide as they used to be.
            Some(if size.ws_col > 0 { size.ws_col } else { 80 })
        }
        #[cfg(not(unix))]
        None
    }

    /// Whether somebody can be shown something before being asked: messages are read on the
    /// terminal that the answer comes from.
    pub fn can_show_and_ask(&self) -> bool {
        self.interactive && !self.json && io::stderr().is_terminal()
    }

    /// Whether a person sees on the terminal what goes on.
    pub fn shows_waits(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Writes `data` to stdout, byte for byte.
    ///
    /// # Errors
    /// `failed` when stdout cannot be written. A reader that went away is no error: the process
    /// ends quietly, as it has nobody left to talk to.
    pub fn data(&self, data: &[u8]) -> Result<()> {
        write_stdout(data).or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => std::process::exit(0),
            _ => Err(stdout_error(error)),
        })
    }

    /// Writes `data` to stdout, where what comes after depends on its having been read.
    ///
    /// # Errors
    /// `failed` when stdout cannot be written, also when its reader went away.
    pub fn data_that_matters(&self, data: &[u8]) -> Result<()> {
        write_stdout(data).map_err(stdout_error)
    }

    /// Writes `text` to stdout, with its colours where these are wanted.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn styled(&self, text: &str) -> Result<()> {
        let coloured = match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            chosen => chosen,
        };
        match coloured {
            ColorChoice::Never => {
                self.data(anstream::adapter::strip_str(text).to_string().as_bytes())
            }
            _ => self.data(text.as_bytes()),
        }
    }

    /// Writes one line of data to stdout, [escaped](escape).
    pub fn line(&self, line: &str) -> Result<()> {
        let mut text = escape(line);
        text.push('\n');
        self.data(text.as_bytes())
    }

    /// Writes one JSON document to stdout.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn document(&self, document: &serde_json::Value) -> Result<()> {
        let mut document = document.clone();
        whole_seconds(&mut document);
        // On a terminal a person reads it; elsewhere a program does.
        let mut text = if self.stdout_is_terminal() {
            format!("{document:#}")
        } else {
            document.to_string()
        };
        text.push('\n');
        self.data(text.as_bytes())
    }

    /// Writes one JSON document to stdout, a list of `items`: the same as [`document`](Self::document)
    /// of it, which is never in memory as a whole where a program reads it.
    ///
    /// # Errors
    /// As [`data`](Self::data) and [`json`].
    pub fn documents(&self, items: &[impl Serialize]) -> Result<()> {
        if self.stdout_is_terminal() {
            return self.document(&json(&items)?);
        }
        let mut text = String::from("[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let mut document = json(item)?;
            whole_seconds(&mut document);
            text.push_str(&document.to_string());
        }
        text.push_str("]\n");
        self.data(text.as_bytes())
    }

    /// Says something on stderr, unless quiet.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            self.say(Voice::Note, "", message);
        }
    }

    /// Warns on stderr, unless quiet.
    pub fn warn(&self, message: &str) {
        if !self.quiet {
            self.insist(message);
        }
    }

    /// Warns on stderr, quiet or not, of what nobody may overlook.
    pub fn insist(&self, message: &str) {
        self.say(Voice::Warning, YELLOW, message);
    }

    /// Tells on stderr what goes on, from the given verbosity on; at the second and above, when.
    pub fn trace(&self, level: u8, message: &str) {
        if self.verbose < level {
            return;
        }
        match self.verbose {
            1 => self.say(Voice::Trace, CYAN, message),
            _ => {
                let now = Timestamp::now().strftime("%H:%M:%S%.3fZ");
                self.say(Voice::Trace, CYAN, &format!("{now} {message}"));
            }
        }
    }

    /// Reports a failure on stderr: `error: …` and `hint: …`, or one line of JSON.
    pub fn error(&self, error: &Error) {
        if self.json {
            self.stderr(&error.to_json().to_string());
            return;
        }
        let store = match error.store_name() {
            Some(store) if !is_named(store, error.message()) => format!("{store}: "),
            _ => String::new(),
        };
        self.stderr(&format!(
            "{RED}error:{PLAIN} {}{}",
            said(&store),
            said(error.message())
        ));
        if let Some(hint) = error.hint_text() {
            self.hint(hint);
        }
    }

    /// Reports what `error` says where it is the answer to what was asked: to people as any message,
    /// to programs as an error.
    pub fn answer(&self, error: &Error) {
        if self.json {
            return self.error(error);
        }
        self.note(error.message());
        if let Some(hint) = error.hint_text() {
            self.next(hint);
        }
    }

    /// Says on stderr what can be done about something.
    pub fn hint(&self, hint: &str) {
        self.say(Voice::Hint, CYAN, hint);
    }

    /// Says on stderr, unless quiet, what one would do next.
    pub fn next(&self, hint: &str) {
        if !self.quiet {
            self.hint(hint);
        }
    }

    /// Says `message` on stderr: a line behind the voice's word in this colour, or an object of JSON,
    /// so that whoever reads `--json` finds nothing else there.
    fn say(&self, voice: Voice, color: &str, message: &str) {
        let message = without_keys(message.to_owned());
        if self.json {
            let key = voice.key();
            self.stderr(&serde_json::json!({ key: { "message": message } }).to_string());
            return;
        }
        // What is typed as it stands is left so: no shell takes `~` behind a `=` for a home.
        let message = match voice {
            Voice::Hint => escape(&message),
            _ => for_whom(escape(&message)),
        };
        self.stderr(&match voice.word() {
            "" => message,
            word => format!("{color}{word}:{PLAIN} {message}"),
        });
    }

    fn stderr(&self, line: &str) {
        spinner::aside(|| {
            let mut stream = AutoStream::new(io::stderr(), self.color).lock();
            // There is nowhere to report that stderr is gone.
            let _ = writeln!(stream, "{line}");
        });
    }
}

/// Whether `message` names the store: as a word of its own or in a reference, not as a part of an
/// address or a path.
fn is_named(store: &str, message: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    message.match_indices(store).any(|(at, _)| {
        let (before, behind) = (&message[..at], &message[at + store.len()..]);
        let begins = !before.ends_with(joins) || before.ends_with("keyfob://");
        begins && !behind.starts_with(|c: char| c != '/' && joins(c))
    })
}

/// What a line on stderr is.
#[derive(Clone, Copy)]
enum Voice {
    Note,
    Warning,
    Hint,
    Trace,
}

impl Voice {
    /// What it begins with.
    fn word(self) -> &'static str {
        match self {
            Voice::Note => "",
            Voice::Warning => "warning",
            Voice::Hint => "hint",
            Voice::Trace => "keyfob",
        }
    }

    /// What it is called in JSON.
    fn key(self) -> &'static str {
        match self {
            Voice::Warning => "warning",
            Voice::Note | Voice::Hint | Voice::Trace => "note",
        }
    }
}

/// A message as it is printed: one line, without anything that the user gave and that may be a key.
fn said(message: &str) -> String {
    for_whom(escape(&without_keys(message.to_owned())))
}

/// `message`, with the home folder as `~` where a person reads it.
fn for_whom(message: String) -> String {
    match io::stderr().is_terminal() {
        true => shortened(&message),
        false => message,
    }
}

/// Takes what is less than a second from the times in `document`: what is called `…_at`.
fn whole_seconds(document: &mut serde_json::Value) {
    match document {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    serde_json::Value::String(text)
                        if key.ends_with("_at") && !is_whole_second(text) =>
                    {
                        if let Ok(at) = text.parse::<Timestamp>() {
                            *text = time(at);
                        }
                    }
                    value => whole_seconds(value),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(whole_seconds),
        _ => {}
    }
}

/// Whether `text` is a time as [`time`] writes it, which takes no reading to tell.
fn is_whole_second(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"0000-00-00T00:00:00Z";
    bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            _ => byte == like,
        })
}

fn write_stdout(data: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data)?;
    stdout.flush()
}

fn stdout_error(error: io::Error) -> Error {
    Error::io("could not write to stdout", error)
}
