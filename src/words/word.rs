//! How what somebody else has named stands in a sentence of keyfob's: a secret, a file, a variable, a
//! value that is none. There is one style. What is plain stands as it is; whatever could be taken for
//! a part of the sentence, or overlooked, stands in double quotes. Commands to type stand bare, with
//! the shell's own quotes where it wants them: see [`shell_word`].

use std::fmt::{self, Write as _};

/// `text` as it stands in a sentence: as it is where it is plain, else as [`Quoted`].
#[derive(Clone, Copy, Debug)]
pub struct Word<'a>(pub &'a str);

/// `text` in double quotes, with a backslash before those that it holds itself, and what cannot be
/// seen as an escape. Control characters are left to whoever prints the sentence, which escapes them
/// in the same way, and to JSON, which has its own.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// Whether `text` can stand in a sentence without quotes: letters and digits of any language, and
/// what names, paths and references are put together of, without a stop or a colon at the end.
fn is_plain(text: &str) -> bool {
    let within = |c: char| {
        c.is_alphanumeric() || "_-./:@+%~*<>[]".contains(c) || cfg!(windows) && matches!(c, '\\')
    };
    !text.is_empty() && !text.ends_with(['.', ':']) && text.chars().all(within)
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match is_plain(self.0) {
            true => f.write_str(self.0),
            false => Quoted(self.0).fmt(f),
        }
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_char(c)?,
                c if c.is_control() => f.write_char(c)?,
                c => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

/// `texts` as [`Word`]s, with commas between them.
pub fn listed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let words = texts.into_iter().map(|text| Word(text).to_string());
    words.collect::<Vec<_>>().join(", ")
}

/// The words of a library, with what they have in backquotes as [`Quoted`].
pub fn in_our_quotes(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for (at, piece) in text.split('`').enumerate() {
        match at % 2 {
            0 => words.push_str(piece),
            _ => words.push_str(&Quoted(piece).to_string()),
        }
    }
    words
}

/// `text` as one word of a POSIX shell, for a command in a hint. A message is one line, so that what
/// has control characters stands in the quotes of `$'…'`, which has escapes for them.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    // What stands behind the command is none of it.
    let ends = text.ends_with([',', ':']) || text.len() > 2 && text.ends_with('.');
    if !text.is_empty() && !ends && text.chars().all(plain) {
        return text.to_owned();
    }
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            '\n' => word.push_str("\\n"),
            '\t' => word.push_str("\\t"),
            '\r' => word.push_str("\\r"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    word.push_str(&format!("\\x{byte:02x}"));
                }
                // What follows may be a digit, which would be one of the escape's.
                word.push_str("'$'");
            }
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_stands_bare() {
        for text in [
            "API_KEY",
            "api-env//etc/app.conf",
            "keyfob://web/api/DB_PASSWORD",
            "/home/me/.config/keyfob/keyfob.toml",
            "größe/日本語",
            "a:b:c",
            "DB_*",
        ] {
            assert_eq!(Word(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_plain_is_seen() {
        for (text, shown) in [
            ("", r#""""#),
            (" P", r#"" P""#),
            ("P ", r#""P ""#),
            ("a b", r#""a b""#),
            ("a, b", r#""a, b""#),
            ("it's", r#""it's""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("a.", r#""a.""#),
            ("zero\u{200b}width", r#""zero\u{200b}width""#),
            ("a\u{a0}b", r#""a\u{a0}b""#),
            // Left to the printer.
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(Word(text).to_string(), shown);
        }
        assert_eq!(listed(["A", "a b"]), r#"A, "a b""#);
        assert_eq!(in_our_quotes("no `\"` or `-`"), r#"no "\"" or "-""#);
    }

    #[test]
    fn shell_words_are_quoted_where_they_must_be() {
        assert_eq!(
            shell_word("/home/a_b/.config/id.json"),
            "/home/a_b/.config/id.json"
        );
        assert_eq!(shell_word("/a b"), "'/a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("a\nb's\u{1b}1"), r"$'a\nb\'s\x1b'$'1'");
    }
}
