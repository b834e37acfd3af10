//! Patterns that stand for many names: `DB_*`.

use regex::Regex;

use crate::words::error::{Error, Result};

/// A pattern of names, in which `*` stands for any text (slashes included), `?` for one character,
/// `[a-z]` and `[!a-z]` for one of those or none of them, and `\x` for the character x itself.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    regex: Regex,
}

impl Glob {
    /// Whether `text` is a pattern and not simply a name.
    pub fn is_glob(text: &str) -> bool {
        pieces(text).any(|piece| !matches!(piece, Piece::Char(_)))
    }

    /// The pattern `text`, where it is one and not simply a name.
    ///
    /// # Errors
    /// `usage` for a range that is none, such as `[z-a]`.
    pub fn of(text: &str) -> Result<Option<Self>> {
        match Self::is_glob(text) {
            true => Self::new(text).map(Some),
            false => Ok(None),
        }
    }

    /// The pattern `text`; one without any `*`, `?` or `[…]` matches that name alone.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn new(text: &str) -> Result<Self> {
        let mut pattern = String::from("(?s)^");
        for piece in pieces(text) {
            match piece {
                Piece::Any => pattern.push_str(".*"),
                Piece::One => pattern.push('.'),
                Piece::Char(c) => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                Piece::Class { not, members } => {
                    pattern.push_str(if not { "[^" } else { "[" });
                    push_members(&mut pattern, members);
                    pattern.push(']');
                }
            }
        }
        pattern.push('$');
        let regex = Regex::new(&pattern).map_err(|_| {
            Error::usage(format!("{text:?} is no pattern of names"))
                .hint("* stands for any text, ? for one character, [a-z] for one of those")
        })?;
        let text = text.to_owned();
        Ok(Self { text, regex })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern of names that are turned letter by letter. No letter is to become a wildcard.
    ///
    /// # Errors
    /// `usage` where a range is none any more.
    pub fn turned(&self, turn: impl Fn(char) -> char) -> Result<Self> {
        let mut text = String::with_capacity(self.text.len());
        for piece in pieces(&self.text) {
            match piece {
                Piece::Any => text.push('*'),
                Piece::One => text.push('?'),
                Piece::Char(c) => text.push_str(&escape(turn(c).encode_utf8(&mut [0; 4]))),
                Piece::Class { not, members } => {
                    text.push_str(if not { "[!" } else { "[" });
                    text.extend(members.chars().map(|c| if c == '-' { c } else { turn(c) }));
                    text.push(']');
                }
            }
        }
        Self::new(&text)
    }

    /// What every name that it stands for begins with.
    pub fn beginning(&self) -> String {
        let chars = pieces(&self.text).map_while(|piece| match piece {
            Piece::Char(c) => Some(c),
            _ => None,
        });
        chars.collect()
    }

    /// Whether `name` is one of those it stands for.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

/// The text that a pattern without any wildcard stands for: `\x` is x.
pub fn plain(text: &str) -> String {
    let chars = pieces(text).map(|piece| match piece {
        Piece::Char(c) => c,
        Piece::Any => '*',
        Piece::One => '?',
        Piece::Class { .. } => '[',
    });
    chars.collect()
}

/// The pattern that stands for `name` alone.
pub fn escape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if "*?[\\".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// Writes what stands between brackets so that only `-` means something there.
fn push_members(pattern: &mut String, members: &str) {
    let last = members.chars().count().saturating_sub(1);
    for (at, c) in members.chars().enumerate() {
        let range = c == '-' && at > 0 && at < last;
        if !range && !c.is_alphanumeric() && c.is_ascii() && !c.is_ascii_control() && c != ' ' {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

enum Piece<'t> {
    Any,
    One,
    Char(char),
    Class { not: bool, members: &'t str },
}

/// What a pattern is made of. A `[` that nothing closes, and a `\` before what means nothing, stand
/// for themselves.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let c = rest.chars().next()?;
        let after = &rest[c.len_utf8()..];
        let (piece, left) = match c {
            '*' => (Piece::Any, after),
            '?' => (Piece::One, after),
            '\\' => match after.chars().next().filter(|next| "*?[\\".contains(*next)) {
                Some(next) => (Piece::Char(next), &after[next.len_utf8()..]),
                None => (Piece::Char(c), after),
            },
            '[' => class(after).unwrap_or((Piece::Char(c), after)),
            c => (Piece::Char(c), after),
        };
        rest = left;
        Some(piece)
    })
}

/// The class that begins behind its `[`, and what follows it.
fn class(text: &str) -> Option<(Piece<'_>, &str)> {
    let (not, members) = match text.strip_prefix(['!', '^']) {
        Some(members) => (true, members),
        None => (false, text),
    };
    // A `]` that stands first is a member.
    let first = members.chars().next()?.len_utf8();
    let end = first + members[first..].find(']')?;
    let piece = Piece::Class {
        not,
        members: &members[..end],
    };
    Some((piece, &members[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stand_for_what_they_do_elsewhere() {
        for (pattern, matching, other) in [
            (
                "DB_*",
                &["DB_", "DB_URL", "DB_a/b\nc"][..],
                &["XDB_", "db_"][..],
            ),
            ("*", &["", "a/b", "\n"], &[]),
            ("a?c", &["abc", "aüc"], &["ac", "abbc"]),
            ("[A-C]x", &["Ax", "Cx"], &["Dx", "-x"]),
            ("[!A-C]x", &["Dx"], &["Ax", "x"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a-]", &["-", "a"], &["b"]),
            ("[.^$]", &[".", "^", "$"], &["a"]),
            ("a.*", &["a.", "a.b"], &["ab"]),
            ("api/*/KEY", &["api/x/KEY", "api/x/y/KEY"], &["api/KEY"]),
        ] {
            let glob = Glob::of(pattern).unwrap().unwrap();
            for name in matching {
                assert!(glob.matches(name), "{pattern} {name:?}");
            }
            for name in other {
                assert!(!glob.matches(name), "{pattern} {name:?}");
            }
        }
    }

    #[test]
    fn what_holds_no_wildcard_is_a_name() {
        for (text, name) in [
            ("DB_URL", "DB_URL"),
            ("a[b", "a[b"),
            ("a\\b", "a\\b"),
            ("a\\*b", "a*b"),
            ("\\[x]", "[x]"),
            ("\\\\*", "\\*"),
        ] {
            let is_glob = text == "\\\\*";
            assert_eq!(Glob::is_glob(text), is_glob, "{text}");
            assert_eq!(plain(text), name, "{text}");
        }
        assert!(Glob::of("[z-a]").is_err());
    }

    #[test]
    fn a_turned_pattern_matches_turned_names() {
        let upper = |c: char| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_uppercase()
            }
        };
        let glob = Glob::new("q-[a-c]?*").unwrap().turned(upper).unwrap();
        assert!(glob.matches("Q_BX") && glob.matches("Q_AX_Y"));
        assert!(!glob.matches("q-bx") && !glob.matches("Q_DX"));
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_more_than_it_says(text in "\\PC{0,12}", name in "\\PC{0,12}") {
            match Glob::of(&text) {
                Ok(None) => prop_assert_eq!(Glob::new(&text).unwrap().matches(&name), plain(&text) == name),
                Ok(Some(glob)) => { glob.matches(&name); }
                Err(_) => {}
            }
            prop_assert!(!Glob::is_glob(&escape(&text)));
            prop_assert_eq!(plain(&escape(&text)), text);
        }
    }
}
