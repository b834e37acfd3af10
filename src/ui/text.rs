//! Texts as a terminal has them: wrapped between words, states in their colours, the home folder as
//! `~`.

use std::path::Path;
use std::sync::OnceLock;

use unicode_width::UnicodeWidthStr as _;

const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
/// Begins a head.
pub const BOLD: &str = "\u{1b}[1m";
/// Ends whatever colour.
pub const PLAIN: &str = "\u{1b}[0m";

/// The user's home folder, once it is known.
static HOME: OnceLock<String> = OnceLock::new();

/// How wide the environment says that the terminal is, once it is known.
static COLUMNS: OnceLock<usize> = OnceLock::new();

/// Has help be as wide as `told`, the variable COLUMNS, says where there is no terminal to ask: as
/// clap has the rest of it.
pub fn is_wide(told: Option<&str>) {
    if let Some(columns) = told.and_then(|told| told.parse().ok()) {
        let _ = COLUMNS.set(columns);
    }
}

/// What [`is_wide`] was told.
pub fn told_columns() -> Option<usize> {
    COLUMNS.get().copied()
}

/// Has paths below `home` be told with `~` on a terminal from here on.
pub fn at_home(home: Option<&Path>) {
    if let Some(home) = home.and_then(Path::to_str).filter(|home| home.len() > 1) {
        let _ = HOME.set(home.trim_end_matches('/').to_owned());
    }
}

/// `text` with the home folder as `~`.
pub fn shortened(text: &str) -> String {
    let Some(home) = HOME.get() else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(home.as_str()) {
        let (before, found) = rest.split_at(at);
        let after = &found[home.len()..];
        let begins = out.len() + before.len() == 0 || before.ends_with([' ', '=', '(']);
        let ends = after.is_empty() || after.starts_with(['/', ' ', ',', ':', ')']);
        out.push_str(before);
        out.push_str(if begins && ends { "~" } else { home });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `text` in parts of at most so many columns, broken between words only: a word that is longer is a
/// part of its own.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if text.width() <= columns {
        return vec![text.to_owned()];
    }
    let mut parts = vec![String::new()];
    for word in text.split(' ') {
        let part = parts.last().map_or(0, |part| part.width());
        if part > 0 && part + 1 + word.width() > columns {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(word);
        }
    }
    parts
}

/// A state in its colour; whatever else as it is.
pub fn colored(word: &str) -> String {
    let color = match word {
        "ok" | "trusted" | "present" | "current" => GREEN,
        "warning" | "default" | "unknown" | "deleted" | "due" => YELLOW,
        "fault" | "missing" | "changed" | "untrusted" | "differs" | "failed" => RED,
        _ => return word.to_owned(),
    };
    format!("{color}{word}{PLAIN}")
}
