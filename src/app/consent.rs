//! A checkout's file shown for what it decides, and the question whether that counts.

use crate::config::review::Review;
use crate::ui::{Ui, prompt};
use crate::words::error::Result;
use crate::words::shown::ShownPath as _;

/// What a line that is continued begins with, as no line of a review does.
const CONTINUED: &str = "      | ";

/// Shows on stderr all that the file decides: each thing on a line of its own, which no value can
/// forge or push away.
pub fn show(review: &Review, ui: &Ui) {
    let columns = ui.message_columns();
    for line in lines(review) {
        for part in wrapped(&line, columns) {
            ui.note(&part);
        }
    }
}

/// Asks whether it counts.
///
/// # Errors
/// `usage` where nothing may be asked.
pub fn ask(review: &Review, ui: &Ui) -> Result<bool> {
    let path = plain(&review.path.shown().exact());
    prompt::confirm(ui, &format!("Trust {path}?"))
}

fn lines(review: &Review) -> Vec<String> {
    let path = plain(&review.path.shown().exact());
    if review.decides.is_empty() {
        return vec![format!("{path} decides nothing")];
    }
    let mut lines = vec![format!("{path} decides:")];
    for decision in &review.decides {
        let (line, key) = (decision.line, plain(&decision.key));
        lines.push(format!("  line {line}: {key} = {:?}", decision.value));
    }
    if !review.files.is_empty() {
        lines.push("and by their content, which is trusted with it:".to_owned());
        let files = review.files.iter();
        lines.extend(files.map(|file| format!("  file: {file:?}")));
    }
    lines
}

/// `text` as it is where it is plain, else quoted.
fn plain(text: &str) -> String {
    let quoted = format!("{text:?}");
    match quoted.len() == text.len() + 2 && !text.contains(' ') {
        true => text.to_owned(),
        false => quoted,
    }
}

/// `line` in parts of at most so many columns. What a terminal would break itself could begin like
/// another line.
fn wrapped(line: &str, columns: Option<u16>) -> Vec<String> {
    let columns = columns.map_or(usize::MAX, usize::from);
    // A terminal so narrow shows nothing that could be read anyway.
    let columns = columns.max(CONTINUED.len() + 8);
    let mut parts = vec![String::new()];
    let mut width = 0;
    for c in line.chars() {
        // No more than that, whatever the terminal makes of it.
        let wide = if c.is_ascii() { 1 } else { 2 };
        if width + wide > columns {
            parts.push(CONTINUED.to_owned());
            width = CONTINUED.len();
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        width += wide;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_where_it_can_be_told() {
        let line = "  line 1: a = \"bbbbbbbbbbbbbbbbbbb  line 2: c\"";
        let parts = wrapped(line, Some(20));
        assert!(parts.iter().all(|part| part.len() <= 20), "{parts:?}");
        let joined: String = parts
            .iter()
            .map(|part| part.trim_start_matches(CONTINUED))
            .collect();
        assert_eq!(joined.replace(' ', ""), line.replace(' ', ""));
        assert!(parts[1..].iter().all(|part| part.starts_with(CONTINUED)));
        assert_eq!(wrapped(line, None), [line]);
    }

    #[test]
    fn what_is_not_plain_is_quoted() {
        assert_eq!(plain("stores.web.base_url"), "stores.web.base_url");
        assert_eq!(
            plain("rotation.a\n  line 9: b"),
            "\"rotation.a\\n  line 9: b\""
        );
        assert_eq!(plain("a\u{202e}b\u{1b}[2J"), "\"a\\u{202e}b\\u{1b}[2J\"");
    }
}
