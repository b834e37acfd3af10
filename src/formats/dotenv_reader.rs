//! Reads dotenv files as their users mean them.
//!
//! - `NAME=value`, `export NAME=value`, blanks around `=`, `# comments`, CRLF, a byte order mark;
//!   names are letters, digits, `_`, `-` and `.`.
//! - Without quotes a value ends before a `#` that follows a blank, or at the end of the line, and
//!   blanks at its end don't count; nothing in it is an escape.
//! - In single quotes everything stands for itself, newlines included.
//! - In double quotes `\n`, `\r`, `\t`, `\\`, `\"` and `\$` are escapes; before anything else a
//!   backslash stands for itself.
//! - Nothing is ever expanded or run. A `$` is a `$`; but `$NAME` and `${NAME}`, where readers put
//!   another variable's value, are an error outside single quotes, since to keep them would store
//!   what nobody meant, unless the file is to be taken literally. So are values in backquotes, and
//!   `\'` in single quotes, which tools read differently.
//! - A name that stands twice is an error, unless the last one is to count.
//!
//! Errors give the line and never a value.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::dotenv::begins_interpolation;
use super::format::Format::Dotenv;
use super::format::{Pair, ReadOptions};
use super::text::{SecretText, duplicate_key, utf8_input};
use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;

pub(super) fn read(bytes: &[u8], reading: ReadOptions) -> Result<Vec<Pair>> {
    let mut input = Input {
        rest: utf8_input(Dotenv, bytes)?,
        line: 1,
        reading,
    };
    let mut pairs: Vec<Pair> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    loop {
        input.skip(|c| c.is_whitespace());
        if input.rest.is_empty() {
            return Ok(pairs);
        }
        if input.rest.starts_with('#') {
            input.skip(|c| !is_break(c));
            continue;
        }
        let line = input.line;
        let name = input.name()?;
        let value = input.value(name)?;
        if let Some(first) = lines.insert(name.to_owned(), line) {
            if !reading.last_wins {
                let error = duplicate_key(name, line, first).hint("leave one of them out");
                return Err(match reading.offered {
                    true => error.also_hint("keyfob import --last-wins takes the last one"),
                    false => error,
                });
            }
            pairs.retain(|(other, _)| other != name);
        }
        pairs.push((name.to_owned(), SecretValue::from(value)));
    }
}

/// What stands for another character in double quotes. A break within quotes is a newline however
/// the file writes its breaks.
const ESCAPES: [(&str, char); 8] = [
    ("\\n", '\n'),
    ("\\r", '\r'),
    ("\\t", '\t'),
    ("\\\\", '\\'),
    ("\\\"", '"'),
    ("\\$", '$'),
    ("\r\n", '\n'),
    ("\r", '\n'),
];

/// Whether `c` ends a line.
fn is_break(c: char) -> bool {
    c == '\n' || c == '\r'
}

/// Whether `c` is a blank within a line.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !is_break(c)
}

/// What is left of the file, and the number of the line it begins on.
struct Input<'t> {
    rest: &'t str,
    line: usize,
    reading: ReadOptions,
}

impl<'t> Input<'t> {
    /// Takes `count` bytes off the front, which must be a character's border.
    fn take(&mut self, count: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(count);
        // CRLF is one break, a bare CR one too.
        let breaks = taken.matches(['\n', '\r']).count() - taken.matches("\r\n").count();
        self.line += breaks;
        self.rest = rest;
        taken
    }

    /// Takes all characters that are `wanted`.
    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn error(&self, what: &str) -> Error {
        Error::invalid_data(format!("line {} of the dotenv input {what}", self.line))
    }

    /// The name before `=`, and takes that too.
    fn name(&mut self) -> Result<&'t str> {
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with(is_blank)
        {
            let blanks = after.len() - after.trim_start_matches(is_blank).len();
            self.take("export".len() + blanks);
        }
        let name = self.skip(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        self.skip(is_blank);
        if name.is_empty() {
            return Err(self.error("does not begin with a variable name").hint(
                "lines are NAME=value, with letters, digits, \"_\", \"-\" and \".\" in NAME",
            ));
        }
        if !self.rest.starts_with('=') {
            return Err(self.error("has no \"=\" after its name").hint(
                "a value of several lines must stand in quotes, and a name holds letters, digits, \"_\", \"-\" and \".\" alone",
            ));
        }
        self.take(1);
        Ok(name)
    }

    /// The value after `=`, to the end of its last line.
    fn value(&mut self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let blanks = self.skip(is_blank);
        let value = match self.rest.chars().next() {
            Some('\'') => self.single_quoted(name)?,
            Some('"') => self.double_quoted(name)?,
            Some('`') => {
                return Err(self
                    .error(&format!(
                        "gives {name} a value in backquotes, which some tools run as a command"
                    ))
                    .hint("use single or double quotes"));
            }
            _ => return self.unquoted(name, !blanks.is_empty()),
        };
        self.skip(is_blank);
        if self.rest.starts_with('#') {
            self.skip(|c| !is_break(c));
        }
        if !self.rest.is_empty() && !self.rest.starts_with(is_break) {
            return Err(self
                .error(&format!("goes on after the quoted value of {name}"))
                .hint("put the whole value into one pair of quotes"));
        }
        Ok(value)
    }

    fn unquoted(&mut self, name: &str, after_blank: bool) -> Result<Zeroizing<Vec<u8>>> {
        let end = self.rest.find(is_break).unwrap_or(self.rest.len());
        let text = &self.rest[..end];
        let mut blank_before = after_blank;
        let comment = text.char_indices().find(|(_, c)| {
            let found = *c == '#' && blank_before;
            blank_before = is_blank(*c);
            found
        });
        let value = text[..comment.map_or(end, |(at, _)| at)].trim_end_matches(is_blank);
        if !self.reading.literal
            && value
                .match_indices('$')
                .any(|(at, _)| names_variable(&value[at..]))
        {
            return Err(self.reference(name));
        }
        self.take(end);
        Ok(Zeroizing::new(value.as_bytes().to_vec()))
    }

    fn single_quoted(&mut self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let text = &self.rest[1..];
        let Some(end) = text.find('\'') else {
            return Err(self.unclosed(name));
        };
        let value = &text[..end];
        if value.ends_with('\\') {
            return Err(self.error(&format!(
                "has a backslash before a quote in the value of {name}, which tools read differently"
            ))
            .hint("put the value in double quotes, where \\\\ is a backslash and \\\" a quote"));
        }
        self.take(end + 2);
        let mut out = SecretText::with_capacity(value.len());
        for (at, part) in value.split("\r\n").enumerate() {
            for (at_inner, part) in part.split('\r').enumerate() {
                out.push_str(if at + at_inner == 0 { "" } else { "\n" });
                out.push_str(part);
            }
        }
        Ok(out.into_bytes())
    }

    fn double_quoted(&mut self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let text = &self.rest[1..];
        let mut escaped = false;
        let end = text.bytes().position(|byte| {
            let found = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            found
        });
        let Some(end) = end else {
            return Err(self.unclosed(name));
        };
        let value = &text[..end];
        let mut out = SecretText::with_capacity(value.len());
        let mut rest = value;
        while let Some(c) = rest.chars().next() {
            let escape = ESCAPES
                .iter()
                .find(|(written, _)| rest.starts_with(written));
            let (taken, meant) = match escape {
                Some((written, meant)) => (written.len(), *meant),
                None => (c.len_utf8(), c),
            };
            if escape.is_none() && !self.reading.literal && names_variable(rest) {
                return Err(self.reference(name));
            }
            out.push_char(meant);
            rest = &rest[taken..];
        }
        self.take(end + 2);
        Ok(out.into_bytes())
    }

    fn unclosed(&self, name: &str) -> Error {
        self.error(&format!("opens quotes for {name} that are never closed"))
    }

    fn reference(&self, name: &str) -> Error {
        let error = self
            .error(&format!(
                "gives {name} a value with the name of a variable behind $ in it, which keyfob does not expand"
            ))
            .hint("write out what it stands for, or put the value in single quotes");
        match self.reading.offered {
            true => error.also_hint("keyfob import --literal takes all values as they stand"),
            false => error,
        }
    }
}

/// Whether `text` begins with what readers put another variable's value for: `$NAME`, or `${NAME`
/// with its end somewhere.
fn names_variable(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else {
        return false;
    };
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match rest.strip_prefix('{') {
        Some(name) => begins(name) && name.contains('}') || begins_interpolation(text),
        None => begins(rest),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::dotenv::write;

    fn read(bytes: &[u8]) -> Result<Vec<Pair>> {
        super::read(bytes, ReadOptions::default())
    }

    fn values(text: &str) -> Vec<(String, String)> {
        read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name, value.expose_str().unwrap().to_owned()))
            .collect()
    }

    fn one(text: &str) -> String {
        let mut values = values(text);
        assert_eq!(values.len(), 1, "{text:?}");
        values.remove(0).1
    }

    #[test]
    fn lines_are_read_as_users_mean_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("\u{feff}A=b\r\n", "b"),
            ("export A = b c  # d\n", "b c"),
            ("  A=b#c\n", "b#c"),
            ("A=#c\n", "#c"),
            ("A= # c\n", ""),
            ("A=\n", ""),
            ("# x\n\n A='b # c' # d\n", "b # c"),
            ("A='b\nc'\n", "b\nc"),
            ("A='b\r\nc'\r\n", "b\nc"),
            ("A=\"b\r\nc\"\r\n", "b\nc"),
            ("A='\\n $b ${c}'", "\\n $b ${c}"),
            (r#"A="\n\r\t\\\"\$\x""#, "\n\r\t\\\"$\\x"),
            (r#"A="\${b}""#, "${b}"),
            ("A=C:\\temp\\new", "C:\\temp\\new"),
            ("A=pa$$ $1 $", "pa$$ $1 $"),
            ("A='pa$$word'", "pa$$word"),
            ("A=\"\\$b\"", "$b"),
            ("A=$(id)", "$(id)"),
            ("A=it's", "it's"),
            ("A=''", ""),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
        assert_eq!(
            values("A=1\r\nB='2'\r\nexport\tC-d.e=3"),
            [("A", "1"), ("B", "2"), ("C-d.e", "3")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn errors_give_the_line_and_no_value() {
        for (text, line, part) in [
            ("A=1\nhunter2\n", 2, "has no \"=\""),
            ("A=1\n=hunter2\n", 2, "variable name"),
            ("A=1\n\nB='hunter2\n\n", 3, "never closed"),
            ("A='x\ny'\nB=\"hunter2\n\n", 3, "never closed"),
            ("A='x\r\ny'\r\nB=\"hunter2\\\"\r\n", 3, "never closed"),
            ("A='hunter2'x\n", 1, "goes on after"),
            ("A='hunter2\\'s'\n", 1, "backslash before a quote"),
            ("A=`hunter2`\n", 1, "backquotes"),
            ("A=hunter2${B}\n", 1, "does not expand"),
            ("A=hunter2$B\n", 1, "does not expand"),
            ("A=\"hunter2$b_\"\n", 1, "does not expand"),
            ("A=hunter2${B-c}\n", 1, "does not expand"),
            ("A=\"hunter2${B:-c}\"\n", 1, "does not expand"),
            ("A=1\nB=2\n\nA=hunter2\n", 4, "stands on line 1 already"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            let message = error.message();
            assert!(
                message.contains(&format!("line {line}")),
                "{text:?}: {message}"
            );
            assert!(message.contains(part), "{text:?}: {message}");
            assert!(text.starts_with("A=1\nhunter2") || !format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_file_may_be_taken_as_it_stands() {
        let reading = ReadOptions {
            last_wins: true,
            literal: true,
            ..ReadOptions::default()
        };
        let text = "A=1\nB=x$A${A:-b}\nA=\"$B\\n\"\n";
        let pairs = super::read(text.as_bytes(), reading).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), SecretValue::from(value));
        assert_eq!(pairs, [pair("B", "x$A${A:-b}"), pair("A", "$B\n")]);
    }

    proptest! {
        #[test]
        fn what_the_writer_accepts_reads_back(
            values in prop::collection::vec(
                prop_oneof![any::<String>(), "[a '\"$`{}:\\\\\r\n#=-]{0,12}"],
                1..6,
            )
        ) {
            let pairs: Vec<Pair> = values
                .iter()
                .enumerate()
                .map(|(n, value)| (format!("V{n}"), SecretValue::from(value.as_str())))
                .filter(|pair| write(std::slice::from_ref(pair)).is_ok())
                .collect();
            let text = write(&pairs).unwrap();
            prop_assert_eq!(read(&text).unwrap(), pairs);
        }

        #[test]
        fn any_input_is_read_or_refused(text in "[A='\"$`{}\\\\\r\n# ]{0,40}", bytes in any::<Vec<u8>>()) {
            let _ = read(text.as_bytes());
            let _ = read(&bytes);
        }
    }
}
