//! A server's own words, as an error may repeat them: on one line, cut, with control characters
//! shown, and without anything that the request held and nobody may see.

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::redact::find::Finder;
use crate::ui::escape;

/// How many characters of them an error repeats.
const SHOWN: usize = 300;

/// How many bytes of them are looked at: what is behind is not shown.
const READ: usize = 16 * 1024;

/// What is shown in place of what must not be.
const HIDDEN: &str = "[hidden]";

/// The shortest part of a secret that says something of it.
const PART: usize = 8;

/// `words` without `secrets`, in whatever form, whole or in parts. One of fewer than five bytes is
/// left alone: it could stand in any word, and what was hidden would tell it.
pub fn shown(words: &str, secrets: &[Zeroizing<String>]) -> String {
    let words = &words[..character_at(words, READ)];
    let hidden = hidden(words, secrets);
    let mut left = Zeroizing::new(String::with_capacity(words.len()));
    let mut at = 0;
    for range in hidden {
        let start = character_at(words, range.start.max(at));
        left.push_str(&words[at..start.max(at)]);
        left.push_str(HIDDEN);
        at = (range.end..words.len())
            .find(|end| words.is_char_boundary(*end))
            .unwrap_or(words.len());
    }
    left.push_str(&words[at..]);
    let line = left.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = escape(&line);
    if let Some((end, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The beginning of the character of `text` that has the byte at `offset`, or its end.
fn character_at(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where in `words` something of `secrets` stands: in order, none touching another.
fn hidden(words: &str, secrets: &[Zeroizing<String>]) -> Vec<Range<usize>> {
    let text = words.as_bytes();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // Without a finder nothing can be told from a secret.
    let Ok(finder) = Finder::new(secrets.iter().map(|secret| secret.as_bytes())) else {
        ranges.push(0..text.len());
        return ranges;
    };
    ranges.extend(finder.find(text).iter().map(|found| found.start..found.end));
    let parts: HashSet<&[u8]> = secrets
        .iter()
        .flat_map(|secret| secret.as_bytes().windows(PART))
        .collect();
    let windows = text.windows(PART).enumerate();
    ranges.extend(
        windows
            .filter(|(_, window)| parts.contains(window))
            .map(|(at, _)| at..at + PART),
    );
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let touching = next.start <= kept.end;
        if touching {
            kept.end = kept.end.max(next.end);
        }
        touching
    });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &str, secrets: &[&str]) -> String {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|secret| Zeroizing::new((*secret).to_owned()))
            .collect();
        shown(words, &secrets)
    }

    #[test]
    fn nothing_of_a_secret_is_repeated() {
        let hidden = "no [hidden]!";
        for (words, secret) in [
            ("no hunter2!", "hunter2"),
            ("no aHVudGVyMi1odW50ZXIy!", "hunter2-hunter2"),
            ("no a b\\n\\\"c\\\"d!", "a b\n\"c\"d"),
            ("no correct-horse!", "correct-horse-battery"),
            ("no horse-battery!", "correct-horse-battery"),
            ("no größte-größe!", "die_größte-größe"),
        ] {
            assert_eq!(said(words, &[secret]), hidden, "{words}");
        }
        let several = ["abcdef", "abcdefgh", "fghijk"];
        assert_eq!(said("no abcdefghijk!", &several), hidden);
    }

    #[test]
    fn what_is_too_short_to_be_hidden_does_not_tell_itself() {
        let words = "400 InternalServerError";
        for secret in ["v", "e", "", " ", "Erro"] {
            assert_eq!(said(words, &[secret]), words, "{secret:?}");
        }
    }

    #[test]
    fn words_are_cut_escaped_and_on_one_line() {
        let words = said(&format!("a\r\n\u{1b}[31mb\0{}", "x".repeat(1000)), &[]);
        assert!(words.starts_with("a \\u{1b}[31mb\\u{0}xx"), "{words}");
        assert_eq!(words.chars().count(), SHOWN + 1);
        assert_eq!(said(&"ä".repeat(100_000), &[]).chars().count(), SHOWN + 1);
    }
}
