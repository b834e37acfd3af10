//! What is asked of texts in many places.

/// Whether `name` can be a variable's in every shell: ASCII letters, digits and `_`, not beginning
/// with a digit.
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `bytes` without the one line end that `echo` and its like leave behind them.
pub fn without_line_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [value @ .., b'\r', b'\n'] | [value @ .., b'\n'] => value,
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_goes() {
        for (text, left) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r", "a\r"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(without_line_end(text.as_bytes()), left.as_bytes());
        }
    }
}
