//! GitHub Actions: mask commands for the log, and variables for the steps to come.
//!
//! The runner reads a step's stdout line by line. `::add-mask::` takes the rest of its line, in
//! which `%25`, `%0D` and `%0A` stand for `%`, CR and LF, and hides that text from then on. Logs
//! are masked line by line too, so the lines of a value are masked one by one beside the whole
//! (newer runners do that themselves). The runner ignores blank masks, with a warning.
//!
//! The file that `GITHUB_ENV` names is read when the step ends: `NAME<<DELIMITER`, lines, and the
//! delimiter alone on a line. The value is what stands between, without the last line break:
//! nothing in it is an escape, carriage returns and trailing newlines stay. On Windows the runner
//! takes CRLF for one break, so there the breaks of the file itself are CRLF, and a value that
//! ends in a carriage return keeps it. Empty lines between entries are skipped: the text begins
//! with one, in case that an earlier writer left its last line open.

use zeroize::Zeroizing;

use super::format::Format::Github;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;
use crate::words::random;

/// How the runner on this platform ends a line.
const BREAK: &str = if cfg!(windows) { "\r\n" } else { "\n" };

/// What is shorter than this is not hidden: it stands in too much that is no secret.
pub const SHORTEST_MASK: usize = 5;

/// The commands that hide the values of `pairs` in the job's log: for stdout, before anything that
/// could print a value. Values and lines that are blank, or of fewer than [`SHORTEST_MASK`] bytes, have none.
///
/// # Errors
/// `invalid_data`, naming the secret, for a value that is not UTF-8 text.
pub fn masks(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::default();
    for (name, value) in pairs {
        let value = variable_value(name, Github, value.expose())?;
        let lines = value.split(['\r', '\n']).filter(|line| *line != value);
        for text in std::iter::once(value).chain(lines) {
            if text.len() >= SHORTEST_MASK && !text.trim().is_empty() {
                push_mask(&mut out, text);
            }
        }
    }
    Ok(out.into_bytes())
}

fn push_mask(out: &mut SecretText, text: &str) {
    out.push_str("::add-mask::");
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c => out.push_char(c),
        }
    }
    out.push_str("\n");
}

/// What is appended to the file that `GITHUB_ENV` names.
pub(super) fn variables(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::default();
    if !pairs.is_empty() {
        out.push_str(BREAK);
    }
    for (name, value) in pairs {
        check_variable_name(name, Github)?;
        if name == "NODE_OPTIONS" {
            return Err(cannot_hold(
                name,
                Github,
                "the runner refuses that variable",
            ));
        }
        let value = variable_value(name, Github, value.expose())?;
        let delimiter = delimiter(value)?;
        for part in [name, "<<", &delimiter, BREAK] {
            out.push_str(part);
        }
        if !value.is_empty() {
            out.push_str(value);
            out.push_str(BREAK);
        }
        out.push_str(&delimiter);
        out.push_str(BREAK);
    }
    Ok(out.into_bytes())
}

/// A text that nobody can foresee and `value` does not hold.
fn delimiter(value: &str) -> Result<String> {
    loop {
        let mut bytes = [0; 16];
        random::fill(&mut bytes)?;
        let delimiter = format!("keyfob_{:032x}", u128::from_ne_bytes(bytes));
        if !value.contains(&delimiter) {
            return Ok(delimiter);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::secret::SecretValue;

    fn pair(name: &str, value: &str) -> Pair {
        (name.to_owned(), SecretValue::from(value))
    }

    #[test]
    fn masks_are_the_whole_value_and_its_lines() {
        let pairs = [
            pair("A", "5000%\r\nbbbbb \n{\n"),
            pair("B", "four"),
            pair("C", "       "),
        ];
        let text = String::from_utf8(masks(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(
            text,
            "::add-mask::5000%25%0D%0Abbbbb %0A{%0A\n::add-mask::5000%25\n::add-mask::bbbbb \n"
        );
    }

    #[test]
    fn what_the_runner_refuses_is_refused() {
        assert!(variables(&[pair("a-b", "x")]).is_err());
        assert!(variables(&[pair("NODE_OPTIONS", "x")]).is_err());
        assert!(variables(&[pair("A", "\0")]).is_err());
    }

    /// The runner's own reading of the file, on a platform whose breaks are [`BREAK`].
    fn runner_reads(text: &str) -> Vec<(String, String)> {
        let mut read = Vec::new();
        let mut index = 0;
        let next = |index: &mut usize| -> Option<(String, usize)> {
            let rest = text.get(*index..).filter(|rest| !rest.is_empty())?;
            let Some(newline) = rest.find('\n') else {
                *index = text.len();
                return Some((rest.to_owned(), 0));
            };
            let line = &rest[..newline];
            *index += newline + 1;
            match line.strip_suffix('\r') {
                Some(line) if cfg!(windows) => Some((line.to_owned(), 2)),
                _ => Some((line.to_owned(), 1)),
            }
        };
        while let Some((line, _)) = next(&mut index) {
            if line.is_empty() {
                continue;
            }
            let (name, delimiter) = line.split_once("<<").unwrap();
            assert!(!name.contains('='));
            let start = index;
            let mut end = index;
            loop {
                let (line, newline) = next(&mut index).unwrap();
                if line == delimiter {
                    break;
                }
                end = index - newline;
            }
            read.push((name.to_owned(), text[start..end].to_owned()));
        }
        read
    }

    proptest! {
        #[test]
        fn the_runner_reads_the_same_bytes(
            values in prop::collection::vec(prop_oneof![any::<String>(), "[a\r\n<=%]{0,10}"], 0..5)
        ) {
            let named: Vec<(String, String)> = values
                .into_iter()
                .filter(|value| !value.contains('\0'))
                .enumerate()
                .map(|(n, value)| (format!("V{n}"), value))
                .collect();
            let pairs: Vec<Pair> = named.iter().map(|(name, value)| pair(name, value)).collect();
            let text = variables(&pairs).unwrap();
            // Behind a line that somebody left open.
            let text = format!("X<<_\nx\n_{}", std::str::from_utf8(&text).unwrap());
            prop_assert_eq!(&runner_reads(&text)[1..], &named[..]);
        }

        #[test]
        fn the_runner_unescapes_masks(value in "[%0-9AaDd\r\n]{0,12}") {
            let out = masks(&[pair("A", &value)]).unwrap();
            let out = std::str::from_utf8(&out).unwrap();
            let unescaped: Vec<String> = out
                .lines()
                .map(|line| {
                    let data = line.strip_prefix("::add-mask::").unwrap();
                    data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
                })
                .collect();
            if value.len() < SHORTEST_MASK || value.trim().is_empty() {
                prop_assert!(unescaped.is_empty());
            } else {
                prop_assert_eq!(&unescaped[0], &value);
            }
        }
    }
}
