//! Control characters made visible, so that no name or message can drive the terminal.

/// `text` with every control character but the line feed shown as an escape, and the marks that
/// turn the direction of writing too.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(
            escape("a\u{1b}[31mb\r\tc\u{202e}d"),
            "a\\u{1b}[31mb\\r\\tc\\u{202e}d"
        );
        assert_eq!(escape("zwei\nZeilen, größer"), "zwei\nZeilen, größer");
    }
}
