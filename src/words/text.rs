//! Small questions about texts: names of variables, places, the line end of what was printed.

use std::fmt;

/// Whether every shell takes `name` for a variable: ASCII letters, digits and `_`, no digit first.
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Drops one newline from the end of `value`, be it LF or CRLF.
pub fn drop_newline(value: &mut Vec<u8>) {
    let dropped = match value.as_slice() {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    value.truncate(value.len() - dropped);
}

/// The line, counted from 1, of the byte at `offset` of `text`, or of its end where it is shorter.
pub fn line_of(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// A place in a text. Line and column count from 1, columns in characters; a byte order mark is no
/// column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of the byte at `offset` of `text`, or of its end where it is shorter.
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.rsplit(|byte| *byte == b'\n').next();
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        Self {
            line: line_of(text, offset),
            column: line.trim_start_matches('\u{feff}').chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_count_characters() {
        let place = |text: &str, offset| Place::of(text.as_bytes(), offset).to_string();
        let text = "a = 1\r\nä = \"é\" x";
        assert_eq!(place(text, 0), "1:1");
        assert_eq!(place(text, text.find('x').unwrap()), "2:9");
        assert_eq!(place("\u{feff}x", 3), "1:1");
    }

    #[test]
    fn one_newline_is_dropped() {
        for (text, left) in [("a\n\r\n", "a\n"), ("a\r", "a\r"), ("\n", ""), ("", "")] {
            let mut value = text.as_bytes().to_vec();
            drop_newline(&mut value);
            assert_eq!(value, left.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn every_offset_has_a_place(text in "[a-zé\\n\u{feff}]{0,20}", offset in 0..80usize) {
            let place = Place::of(text.as_bytes(), offset);
            prop_assert!(place.line >= 1 && place.column >= 1);
        }
    }
}
