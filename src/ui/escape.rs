//! Control characters made visible, so that no name or message can drive the terminal, or the
//! runner of a CI job, which obeys lines of its own form in what a step prints.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` as one line: every control character in it shown as an escape, the marks that turn the
/// direction of writing too, and the beginnings of a runner's commands: `::` where a line begins
/// (GitHub), `##[`, `##vso[` and their like anywhere (GitHub, Azure, TeamCity).
pub fn escape(text: &str) -> String {
    escaped(text).into_owned()
}

/// The same, and `text` itself where there is nothing to escape.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    // Most is plain, and many lines are told of many secrets.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'#';
    // Without a way out in the middle many bytes are looked at together.
    if text
        .bytes()
        .fold(true, |plain, byte| plain & is_plain(byte))
        && !(text.starts_with([' ', ':']) && text.trim_start().starts_with("::"))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let begin = text.len() - text.trim_start().len();
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let hidden = c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let commands = at == begin && rest.starts_with("::")
            || rest.strip_prefix("##").is_some_and(|it| {
                it.trim_start_matches(|c: char| c.is_ascii_lowercase())
                    .starts_with('[')
            });
        if hidden {
            out.extend(c.escape_default());
        } else if commands {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(
            escape("a\u{1b}[31mb\r\tc\u{202e}d\u{2028}"),
            "a\\u{1b}[31mb\\r\\tc\\u{202e}d\\u{2028}"
        );
        assert_eq!(escape("zwei\nZeilen, größer"), "zwei\\nZeilen, größer");
    }

    #[test]
    fn commands_of_runners_are_none() {
        assert_eq!(escape(" ::add-mask::a"), " \\u{3a}:add-mask::a");
        assert_eq!(escape("x ##[group]"), "x \\u{23}#[group]");
        assert_eq!(escape("###vso[task]"), "#\\u{23}#vso[task]");
        for plain in ["api::env", "error: ::x", "## a", "a ##b c["] {
            assert_eq!(escape(plain), plain);
        }
    }
}
