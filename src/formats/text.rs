//! What the formats share: a growing text that leaves no copies behind, places in a file, and the
//! errors of a format that cannot hold something.

use std::fmt;
use std::io;

use zeroize::Zeroizing;

use super::format::{Format, Pair};
use crate::words::error::{Error, Result};
use crate::words::text::{is_variable_name, line_of};
use crate::words::wiped::Wiped;
use crate::words::word::Word;

/// A text under construction whose memory is wiped, that of its outgrown buffers included.
#[derive(Default)]
pub(crate) struct SecretText(Wiped);

impl SecretText {
    /// An empty text with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity).into())
    }

    /// An empty text with room for `pairs`, should none of them take escapes.
    pub(crate) fn with_room_for(pairs: &[Pair]) -> Self {
        // A line holds quotes and the like besides.
        let lines = pairs
            .iter()
            .map(|(name, value)| name.len() + value.len() + 16);
        Self::with_capacity(lines.sum())
    }

    /// Appends `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// Appends `text`.
    pub(crate) fn push_str(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    /// Appends one character.
    pub(crate) fn push_char(&mut self, c: char) {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Appends formatted text.
    pub(crate) fn push_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    /// What has been written.
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0.into_zeroizing()
    }
}

impl fmt::Write for SecretText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl io::Write for SecretText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error of a secret that `format` has no way to write: it names the secret and says `why`.
pub(crate) fn cannot_hold(name: &str, format: Format, why: &str) -> Error {
    Error::invalid_data(format!(
        "{} cannot be written as {format}: {why}",
        Word(name)
    ))
}

/// Why the secret `name` cannot be written as `format`, where that is what `error` says.
pub(crate) fn why_it_cannot_hold(error: &Error, name: &str, format: Format) -> Option<String> {
    let start = cannot_hold(name, format, "");
    let why = error.message().strip_prefix(start.message())?;
    Some(why.to_owned())
}

/// `value` as text.
///
/// # Errors
/// `invalid_data` naming the secret, where the bytes are not UTF-8.
pub(crate) fn utf8_value<'v>(name: &str, format: Format, value: &'v [u8]) -> Result<&'v str> {
    std::str::from_utf8(value).map_err(|_| {
        cannot_hold(name, format, "its value is not UTF-8 text")
            .hint("--format json and k8s carry any bytes, as base64")
    })
}

/// `value` as text that can stand in an environment variable.
///
/// # Errors
/// `invalid_data` naming the secret, where the bytes are not UTF-8 or hold a NUL.
pub(crate) fn variable_value<'v>(name: &str, format: Format, value: &'v [u8]) -> Result<&'v str> {
    let text = utf8_value(name, format, value)?;
    if text.contains('\0') {
        return Err(cannot_hold(
            name,
            format,
            "its value holds a NUL byte, which no environment variable can",
        ));
    }
    Ok(text)
}

/// Checks that `name` is a valid name of an environment variable in a shell.
///
/// # Errors
/// `invalid_data` naming it.
pub(crate) fn check_variable_name(name: &str, format: Format) -> Result<()> {
    if is_variable_name(name) {
        Ok(())
    } else {
        Err(
            cannot_hold(name, format, "the name is no valid variable name")
                .hint("map it with -e VAR=NAME, or use --upper"),
        )
    }
}

/// The text of an input file, without a byte order mark.
///
/// # Errors
/// `invalid_data` with the line of the first byte that is not UTF-8.
pub(crate) fn utf8_input(format: Format, bytes: &[u8]) -> Result<&str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Error::invalid_data("the input is UTF-16 text").hint("save the file as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Error::invalid_data(format!(
            "the {format} input is not UTF-8 text, on line {}",
            line_of(good, good.len())
        ))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The error of a key that stands twice in an input file.
pub(crate) fn duplicate_key(name: &str, line: usize, first: usize) -> Error {
    Error::invalid_data(format!(
        "{} on line {line} stands on line {first} already",
        Word(name)
    ))
}

/// The error of a key whose value is not one that a secret can have.
pub(crate) fn unfit_value(name: &str, line: usize, what: &str) -> Error {
    Error::invalid_data(format!("{} on line {line} is {what}", Word(name)))
        .hint("values must be strings, numbers or booleans, in one flat table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_what_was_written() {
        let mut text = SecretText::with_capacity(1);
        for n in 0..100 {
            text.push_fmt(format_args!("{n},"));
        }
        let expected: String = (0..100).map(|n| format!("{n},")).collect();
        assert_eq!(text.into_bytes().as_slice(), expected.as_bytes());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_placed() {
        let error = utf8_input(Format::Dotenv, b"A=1\nB=\xff\n").unwrap_err();
        assert_eq!(
            error.message(),
            "the dotenv input is not UTF-8 text, on line 2"
        );
    }
}
