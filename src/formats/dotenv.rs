//! Writes dotenv files: `NAME=value` lines in the quoting that all their readers agree on.
//!
//! The readers do not agree on much. Node's `dotenv` (16 and later) and `--env-file`, `python-dotenv`
//! (with its default interpolation), Ruby's `dotenv`, docker compose, direnv, just and mise (by Rust's
//! `dotenvy`), a POSIX shell that sources the file, and keyfob's own reader give back the very bytes of
//! every value that is written, with one exception: a value of several lines stands in quotes as it
//! is, which direnv refuses and Ruby's library takes from version 3 on. Whoever takes it otherwise
//! (`\n` in double quotes), a shell and Ruby from 3 on do not, so that no form is
//! everybody's. `dotenv-expand` is not among them: it expands `$NAME` in single quotes, too.
//!
//! A value with no such quoting is refused. In particular all but Node's library expand `$NAME` in
//! double quotes, `python-dotenv` expands `${…}` in every kind of quotes and takes `\\` in single
//! quotes for one backslash, most turn a bare carriage return into a newline, and nobody has the same
//! escapes in double quotes.

use zeroize::Zeroizing;

use super::format::Format::Dotenv;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        check_variable_name(name, Dotenv)?;
        let value = variable_value(name, Dotenv, value.expose())?;
        out.push_str(name);
        out.push_str("=");
        match quoting(value) {
            Ok(Quoting::None) => out.push_str(value),
            Ok(Quoting::Single) => {
                out.push_str("'");
                out.push_str(value);
                out.push_str("'");
            }
            Ok(Quoting::Double) => {
                out.push_str("\"");
                out.push_str(value);
                out.push_str("\"");
            }
            Err(why) => {
                return Err(cannot_hold(name, Dotenv, why)
                    .hint("--format json holds any value; --format shell any that has no NUL"));
            }
        }
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

enum Quoting {
    None,
    Single,
    Double,
}

/// The quotes in which all readers see `value` as it is, or why there are none.
fn quoting(value: &str) -> Result<Quoting, &'static str> {
    if !value.is_empty() && value.bytes().all(is_plain) {
        return Ok(Quoting::None);
    }
    if has_interpolation(value) {
        return Err("its value holds ${…}, which python-dotenv expands in any quotes");
    }
    if value.contains('\r') {
        return Err("its value holds a carriage return, which readers take for a newline");
    }
    // In single quotes only python-dotenv has escapes: \\ and \'.
    if !value.contains('\'') && !value.contains("\\\\") && !value.ends_with('\\') {
        return Ok(Quoting::Single);
    }
    // In double quotes everybody has escapes of their own, and expands or runs something.
    match value.contains(['"', '\\', '$', '`']) {
        true => Err(
            "no quoting that readers agree on holds its quotes, backslashes and dollar signs together",
        ),
        false => Ok(Quoting::Double),
    }
}

/// Bytes that mean themselves to every reader without any quotes. (`=` and `~` do not to zsh.)
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&byte)
}

/// Whether python-dotenv would expand something in `value`.
pub(super) fn has_interpolation(value: &str) -> bool {
    value
        .match_indices("${")
        .any(|(at, _)| begins_interpolation(&value[at..]))
}

/// Whether `text` begins with what python-dotenv expands: `${`, a name without `}` and `:`, and
/// then `}`, or `:-` and a default up to `}`.
pub(super) fn begins_interpolation(text: &str) -> bool {
    let Some(name) = text.strip_prefix("${") else {
        return false;
    };
    match name.find(['}', ':']).map(|end| &name[end..]) {
        Some(end) if end.starts_with('}') => true,
        Some(end) => end.starts_with(":-") && end.contains('}'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    fn written(value: &str) -> Result<String> {
        let bytes = write(&[("A".to_owned(), SecretValue::from(value))])?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn the_plainest_quoting_is_chosen() {
        assert_eq!(
            written("postgres://u:p@h:5432/db").unwrap(),
            "A=postgres://u:p@h:5432/db\n"
        );
        assert_eq!(written("").unwrap(), "A=''\n");
        assert_eq!(
            written("a $b `c` \"d\" #e").unwrap(),
            "A='a $b `c` \"d\" #e'\n"
        );
        assert_eq!(written("a\nb").unwrap(), "A='a\nb'\n");
        assert_eq!(written("it's").unwrap(), "A=\"it's\"\n");
        assert_eq!(written("a\\b").unwrap(), "A='a\\b'\n");
        assert_eq!(written("${unclosed").unwrap(), "A='${unclosed'\n");
    }

    #[test]
    fn what_readers_disagree_on_is_refused_without_being_shown() {
        for value in [
            "hunter2${HOME}",
            "hunter2${A:-b}",
            "hunter2'\"",
            "hunter2'\\n",
            "hunter2'`id`",
            "hunter2'$(id)",
            "hunter2\\",
            "hunter2\\\\x'\\",
            "\\\\hunter2\\share",
            "hunter2'$word",
            "hunter2\r\n",
            "hunter2\0",
        ] {
            let error = match written(value) {
                Ok(text) => panic!("{value:?} was written as {text:?}"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(error.message().starts_with("A cannot be written as dotenv"));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
