//! Reading a file that does not say which format it has.
//!
//! Nothing is taken for granted: the file is read by every reader there is, and where two of them
//! make different secrets of it, its owner is asked which one is meant.

use super::format::{Format, Pair, ReadOptions};
use super::read;
use crate::words::error::{Error, Result};

/// Reads the names and values of a file whose format nobody has named.
///
/// # Errors
/// `usage` where two formats read the file differently; `invalid_data` where none reads it, in
/// the words of the one that it looks like.
pub fn read_any(bytes: &[u8], reading: ReadOptions) -> Result<Vec<Pair>> {
    let mut found: Option<(Format, Vec<Pair>)> = None;
    // The one that takes the most files for its own comes last, and is named second.
    for format in Format::readable().rev() {
        let Ok(pairs) = read(format, bytes, reading) else {
            continue;
        };
        match &found {
            Some((first, others)) if !same(others, &pairs) => {
                return Err(Error::usage(format!(
                    "the input means one thing as {first} and another as {format}"
                ))
                .hint("say which it is with --format"));
            }
            Some(_) => {}
            None => found = Some((format, pairs)),
        }
    }
    match found {
        Some((_, pairs)) => Ok(pairs),
        None => read(look(bytes), bytes, reading),
    }
}

/// Whether both are the same secrets, in whatever order.
fn same(these: &[Pair], those: &[Pair]) -> bool {
    let sorted = |pairs: &[Pair]| {
        let mut pairs: Vec<Pair> = pairs.to_vec();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs
    };
    sorted(these) == sorted(those)
}

/// What a file that no reader takes was meant to be, by its first line that says something.
fn look(bytes: &[u8]) -> Format {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .unwrap_or_default();
    let place = |wanted: u8| first.iter().position(|byte| *byte == wanted);
    match (first.first(), place(b'='), place(b':')) {
        (Some(b'{'), _, _) => Format::Json,
        (Some(b'['), _, _) => Format::Toml,
        (_, None, Some(_)) => Format::Yaml,
        (_, Some(equals), Some(colon)) if colon < equals => Format::Yaml,
        _ if first.starts_with(b"---") => Format::Yaml,
        _ => Format::Dotenv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;

    fn values(text: &str) -> Vec<String> {
        read_any(text.as_bytes(), ReadOptions::default())
            .unwrap()
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()))
            .collect()
    }

    #[test]
    fn the_content_tells_where_it_can() {
        assert_eq!(values("A=b c # d\n"), ["A=b c"]);
        assert_eq!(values("{\"A\": \"b\"}"), ["A=b"]);
        assert_eq!(values("A: b\n"), ["A=b"]);
        assert_eq!(values("A = '''\nb\nc'''\n"), ["A=b\nc"]);
        // Dotenv and TOML mean the same by these.
        assert_eq!(values("A = \"b\"\nC = 'd'\n"), ["A=b", "C=d"]);
        assert!(values("# nothing\n").is_empty());
    }

    #[test]
    fn what_two_formats_read_differently_is_not_guessed() {
        let error = read_any(b"A=\"\\u0041\"\n", ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("toml"), "{error}");
        assert!(error.message().contains("dotenv"), "{error}");
    }

    #[test]
    fn what_no_format_reads_is_told_by_the_one_it_looks_like() {
        for (text, format) in [
            ("{\"A\": \"hunter2\" \"b\"}", "JSON"),
            ("A=1\nhunter2\n", "dotenv"),
            ("A: 'hunter2\n", "YAML"),
            ("---\n- hunter2\n", "YAML"),
            ("[A]\nb = hunter2\n", "TOML"),
        ] {
            let error = read_any(text.as_bytes(), ReadOptions::default()).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
            assert!(error.message().contains(format), "{text:?}: {error}");
            assert!(!error.message().contains("hunter2"), "{error}");
        }
    }
}
