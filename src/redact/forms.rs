//! The forms in which a value may turn up in a text: as it is, line by line, in base64, hex, URLs,
//! JSON, XML and shell quotes.
//!
//! Forms hold no line breaks, since a text that wraps its lines is searched as if it did not; see
//! [`search`](super::search); and a value with colours in it is looked for without them as well.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::escapes::{Escapes, LONGEST};
use crate::words::wiped::Wiped;

/// The shortest text, in bytes, that is looked for. To hide less would hide ordinary words.
pub const SHORTEST: usize = 5;

/// Values longer than this, in bytes, are looked for in fewer forms: as they are, by lines, in base64
/// and in JSON's usual escapes. All forms of a value of 128 KiB would take 250 MB of memory.
const LONG: usize = 8 * 1024;

/// A text that is looked for.
pub struct Form {
    /// Its bytes, without line breaks: at least [`SHORTEST`] of them.
    pub text: Wiped,
    /// The index of the value that it gives away.
    pub value: usize,
}

/// The forms of some values.
#[derive(Default)]
pub struct Forms {
    /// All of them, each once for its value.
    pub forms: Vec<Form>,
    /// The indices of the values that are too short to be looked for. Empty ones are not among them:
    /// there is nothing to hide.
    pub left_alone: Vec<usize>,
}

impl Forms {
    /// The forms of `values`. Blanks around a value don't count, as programs trim them away.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut forms = Self::default();
        for (index, value) in values.into_iter().enumerate() {
            let core = value.trim_ascii();
            let mut collected = Collected::default();
            let long_enough =
                |text: &[u8]| text.iter().filter(|byte| !is_break(**byte)).count() >= SHORTEST;
            let mut uncolored = Zeroizing::new(Vec::with_capacity(core.len() + LONGEST));
            let mut escapes = Escapes::default();
            if escapes.pass(core) {
                uncolored.extend_from_slice(core);
            } else {
                escapes.split(core, &mut uncolored, |_, _| ());
                escapes.give_up(&mut uncolored);
            }
            if long_enough(&uncolored) {
                collected.add_value(&uncolored);
            } else if !value.is_empty() {
                forms.left_alone.push(index);
            }
            if *uncolored != core && long_enough(core) {
                collected.add_value(core);
            }
            forms
                .forms
                .extend(collected.into_forms().into_iter().map(|text| Form {
                    text: text.into(),
                    value: index,
                }));
        }
        forms
    }
}

/// Whether `byte` is one that wrapping a text puts into it.
pub(super) fn is_break(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where in `bytes` the last `count` bytes begin that are no breaks, if there are as many.
pub(super) fn back(bytes: &[u8], count: usize) -> Result<usize, usize> {
    let mut left = count;
    for (at, byte) in bytes.iter().enumerate().rev() {
        if left == 0 {
            return Ok(at + 1);
        }
        left -= usize::from(!is_break(*byte));
    }
    if left == 0 { Ok(0) } else { Err(left) }
}

/// The forms of one value, each once.
#[derive(Default)]
struct Collected {
    forms: Vec<Zeroizing<Vec<u8>>>,
}

impl Collected {
    fn add(&mut self, text: &[u8]) {
        let mut form = Zeroizing::new(Vec::with_capacity(text.len()));
        form.extend(text.iter().filter(|byte| !is_break(**byte)));
        // Most encoders agree on most values. What is left twice goes at the end.
        let known = self.forms.iter().rev().take(64).any(|other| *other == form);
        if form.len() >= SHORTEST && !known {
            self.forms.push(form);
        }
    }

    /// The forms, each once.
    fn into_forms(mut self) -> Vec<Zeroizing<Vec<u8>>> {
        self.forms
            .sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
        self.forms.dedup();
        self.forms
    }

    fn add_value(&mut self, core: &[u8]) {
        if core.len() > LONG {
            self.add(core);
            self.add_base64(core);
            if let Ok(text) = std::str::from_utf8(core) {
                self.add(&json_escaped(text, "", false, LOWER));
            }
        }
        for spelling in spellings(core).iter().filter(|_| core.len() <= LONG) {
            self.add(spelling);
            self.add_base64(spelling);
            for hex in [
                base16ct::lower::encode_string,
                base16ct::upper::encode_string,
            ] {
                self.add(Zeroizing::new(hex(spelling)).as_bytes());
            }
            self.add_url(spelling);
            self.add_shell(spelling);
            self.add_xml(spelling);
            if let Ok(text) = std::str::from_utf8(spelling) {
                self.add_json(text);
            }
        }
        for line in core.split(|byte| is_break(*byte)) {
            let line = line.trim_ascii();
            if line.len() >= SHORTEST && line.len() < core.len() {
                self.add(line);
                self.add_xml(line);
                if let Ok(text) = std::str::from_utf8(line) {
                    self.add_json(text);
                }
            }
        }
    }

    /// The value in base64, wherever it begins in what is encoded: the digits that depend on the
    /// value alone. Encoded on its own, or by `echo`, the digits at its end are known too.
    fn add_base64(&mut self, value: &[u8]) {
        for before in 0..3 {
            let mut data = Zeroizing::new(Vec::with_capacity(before + value.len()));
            data.resize(before, 0);
            data.extend_from_slice(value);
            let digits = Zeroizing::new(STANDARD_NO_PAD.encode(&data));
            let first = (before * 8).div_ceil(6);
            let last = data.len() * 8 / 6;
            if let Some(stable) = digits.as_bytes().get(first..last) {
                self.add_alphabets(stable);
            }
        }
        let mut echoed = Zeroizing::new(Vec::with_capacity(value.len() + 1));
        echoed.extend_from_slice(value);
        echoed.push(b'\n');
        for data in [value, &echoed] {
            let padded = Zeroizing::new(STANDARD.encode(data));
            self.add_alphabets(padded.as_bytes());
            self.add_alphabets(padded.trim_end_matches('=').as_bytes());
        }
    }

    fn add_alphabets(&mut self, standard: &[u8]) {
        self.add(standard);
        let mut url_safe = Zeroizing::new(standard.to_vec());
        for digit in url_safe.iter_mut() {
            *digit = match *digit {
                b'+' => b'-',
                b'/' => b'_',
                other => other,
            };
        }
        self.add(&url_safe);
    }

    fn add_url(&mut self, value: &[u8]) {
        for (kept, space) in URL_STYLES {
            let is_kept =
                |byte: &u8| byte.is_ascii_alphanumeric() || kept.as_bytes().contains(byte);
            // Where nothing is escaped it is the value itself.
            if value.iter().all(is_kept) {
                continue;
            }
            for digits in [LOWER, UPPER] {
                let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 3));
                for byte in value {
                    if is_kept(byte) {
                        text.push(*byte);
                    } else if *byte == b' ' {
                        text.extend_from_slice(space.as_bytes());
                    } else {
                        text.push(b'%');
                        text.extend_from_slice(&hex_digits(*byte, digits));
                    }
                }
                self.add(&text);
            }
        }
    }

    fn add_json(&mut self, value: &str) {
        let has_separator = value.contains(['\u{2028}', '\u{2029}']);
        for escaped in ["", "/", "<>&", "<>&/", "<>&='", "<>&='+"] {
            // What escapes nothing of it more than the first does, says the same.
            if !escaped.is_empty() && !has_separator && !value.contains(|c| escaped.contains(c)) {
                continue;
            }
            for ascii in [false, true] {
                if ascii && value.is_ascii() {
                    continue;
                }
                for digits in [LOWER, UPPER] {
                    self.add(&json_escaped(value, escaped, ascii, digits));
                }
            }
        }
    }

    fn add_xml(&mut self, value: &[u8]) {
        if !value.iter().any(|byte| b"&<>\"'".contains(byte)) {
            return;
        }
        for (quote, apostrophe) in XML_STYLES {
            let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 6));
            for byte in value {
                text.extend_from_slice(match byte {
                    b'&' => b"&amp;",
                    b'<' => b"&lt;",
                    b'>' => b"&gt;",
                    b'"' => quote.as_bytes(),
                    b'\'' => apostrophe.as_bytes(),
                    byte => std::slice::from_ref(byte),
                });
            }
            self.add(&text);
        }
    }

    fn add_shell(&mut self, value: &[u8]) {
        for (special, escape) in SHELL_STYLES {
            if !value.iter().any(|byte| special.as_bytes().contains(byte)) {
                continue;
            }
            let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 5));
            for byte in value {
                if special.as_bytes().contains(byte) {
                    text.extend_from_slice(escape.as_bytes());
                }
                match byte {
                    // The quote ends the quotes: it is escaped outside, and they begin anew.
                    b'\'' if *escape == "'\\" => text.extend_from_slice(b"''"),
                    b'\'' if *escape == "'\"" => text.extend_from_slice(b"'\"'"),
                    byte => text.push(*byte),
                }
            }
            self.add(&text);
        }
    }
}

/// What URL encoders leave as it stands beside letters and digits, and what they make of a space.
const URL_STYLES: &[(&str, &str)] = &[
    // RFC 3986; JavaScript's encodeURIComponent and encodeURI.
    ("-_.~", "%20"),
    ("-_.~!'()*", "%20"),
    ("-_.~!'()*;,/?:@&=+$#", "%20"),
    // Python's quote and quote_plus; HTML forms; the strictest.
    ("-_.~/", "%20"),
    ("-_.~", "+"),
    ("-_.*", "+"),
    ("", "%20"),
];

/// What is made of quotes in XML and HTML: texts and attributes; Python's, Java's and PHP's,
/// Go's, Ruby's and Rust's libraries.
const XML_STYLES: &[(&str, &str)] = &[
    ("\"", "'"),
    ("&quot;", "'"),
    ("&quot;", "&apos;"),
    ("&quot;", "&#39;"),
    ("&quot;", "&#039;"),
    ("&quot;", "&#x27;"),
    ("&#34;", "&#39;"),
];

/// Bytes that a way of quoting for a shell escapes, and what it puts before them.
const SHELL_STYLES: &[(&str, &str)] = &[
    ("'", "'\\"),
    ("'", "'\""),
    ("\"\\$`", "\\"),
    ("'\\", "\\"),
    (" \t!\"#$&'()*,;<>?[\\]^`{|}~", "\\"),
    (" \t!\"#$&'()*;<>?[\\]^`{|}", "\\"),
];

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn hex_digits(byte: u8, digits: &[u8; 16]) -> [u8; 2] {
    [
        digits[usize::from(byte >> 4)],
        digits[usize::from(byte & 15)],
    ]
}

/// `value` within a JSON string whose encoder writes the characters in `escaped` by number, and
/// with `ascii` all beyond ASCII. (A `/` is escaped by a backslash alone.)
fn json_escaped(value: &str, escaped: &str, ascii: bool, digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 6));
    for c in value.chars() {
        let short = match c {
            '"' | '\\' => Some(c as u8),
            '/' if escaped.contains('/') => Some(b'/'),
            '\u{8}' => Some(b'b'),
            '\u{c}' => Some(b'f'),
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            _ => None,
        };
        let separator = matches!(c, '\u{2028}' | '\u{2029}') && !escaped.is_empty();
        if let Some(short) = short {
            text.extend_from_slice(&[b'\\', short]);
        } else if c < ' ' || escaped.contains(c) || separator || (ascii && !c.is_ascii()) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.extend_from_slice(b"\\u");
                for byte in unit.to_be_bytes() {
                    text.extend_from_slice(&hex_digits(byte, digits));
                }
            }
        } else {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    text
}

/// `value` as it is, and with each kind of line break.
fn spellings(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = vec![Zeroizing::new(value.to_vec())];
    if value.iter().any(|byte| is_break(*byte)) {
        for newline in ["\n", "\r\n"] {
            let mut spelling = Zeroizing::new(Vec::with_capacity(value.len() * 2));
            let mut rest = value;
            while let Some((byte, after)) = rest.split_first() {
                rest = after;
                if is_break(*byte) {
                    if *byte == b'\r' && rest.first() == Some(&b'\n') {
                        rest = &rest[1..];
                    }
                    spelling.extend_from_slice(newline.as_bytes());
                } else {
                    spelling.push(*byte);
                }
            }
            if !spellings.contains(&spelling) {
                spellings.push(spelling);
            }
        }
    }
    spellings
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn forms(value: &str) -> HashSet<String> {
        Forms::of([value.as_bytes()])
            .forms
            .iter()
            .map(|form| String::from_utf8(form.text.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn a_plain_value_has_few_forms() {
        let forms = forms("hunter2x");
        for form in [
            "hunter2x",
            "aHVudGVyMn",
            "h1bnRlcjJ4",
            "odW50ZXIye",
            "68756e7465723278",
        ] {
            assert!(forms.contains(form), "{form}");
        }
        assert!(forms.len() < 15, "{forms:?}");
    }

    #[test]
    fn encoders_agree_with_the_forms() {
        let forms = forms("p@ss/w+rd \"<é'&\"~\u{1b}");
        for form in [
            "p%40ss%2Fw%2Brd%20%22%3C%C3%A9%27%26%22~%1B",
            "p%40ss%2fw%2brd+%22%3c%c3%a9%27%26%22%7e%1b",
            "p%40ss%2Fw%2Brd%20%22%3C%C3%A9'%26%22~%1B",
            "p@ss/w+rd%20%22%3C%C3%A9'&%22~%1B",
            "p@ss/w+rd &quot;&lt;é&#39;&amp;&quot;~\u{1b}",
            "p@ss/w+rd \"&lt;é'&amp;\"~\u{1b}",
            r#"p@ss/w+rd \"<é'&\"~\u001b"#,
            r#"p@ss\/w+rd \"<\u00e9'&\"~\u001b"#,
            r#"p@ss/w+rd \"\u003c\u00e9'\u0026\"~\u001b"#,
            r#"p@ss/w\u002Brd \"\u003C\u00E9\u0027\u0026\"~\u001B"#,
            "p@ss/w+rd \"<é'\\''&\"~\u{1b}",
            "p@ss/w+rd \"<é'\"'\"'&\"~\u{1b}",
            "p@ss/w+rd\\ \\\"\\<é\\'\\&\\\"~\u{1b}",
        ] {
            assert!(forms.contains(form), "{form}\n{forms:#?}");
        }
    }

    #[test]
    fn lines_are_forms_and_short_ones_are_not() {
        let forms = forms("first line\r\n ab\n\"second\" one\n");
        for form in [
            "first line",
            "\"second\" one",
            "\\\"second\\\" one",
            "first line ab\"second\" one",
            "first line\\n ab\\n\\\"second\\\" one",
            "first line\\r\\n ab\\r\\n\\\"second\\\" one",
        ] {
            assert!(forms.contains(form), "{form}\n{forms:#?}");
        }
        assert!(!forms.contains("ab"));
    }

    #[test]
    fn a_long_value_has_its_usual_forms() {
        let line = "a \"long\" line of a long value";
        let value = format!("{line}\n").repeat(1000);
        let forms = forms(&value);
        assert!(forms.contains(&line.repeat(1000)));
        assert!(forms.contains(line));
        assert!(forms.contains(&STANDARD.encode(&value)));
        let escaped = serde_json::to_string(value.trim_end()).unwrap();
        assert!(forms.contains(escaped.trim_matches('"')));
        assert!(forms.len() < 20);
    }

    #[test]
    fn short_values_are_left_alone_and_named() {
        let forms = Forms::of(
            ["abcd", "", "  abcd\n", "a\nb\nc\nd", "abcde", "a\nbcde"].map(str::as_bytes),
        );
        assert_eq!(forms.left_alone, [0, 2, 3]);
        assert!(forms.forms.iter().all(|form| form.value >= 4));
        assert!(forms.forms.iter().all(|form| form.text.len() >= SHORTEST));
    }

    #[test]
    fn the_last_bytes_are_counted_without_breaks() {
        assert_eq!(back(b"ab\ncd\n", 2), Ok(3));
        assert_eq!(back(b"ab\ncd\n", 3), Ok(1));
        assert_eq!(back(b"ab\ncd\n", 0), Ok(6));
        assert_eq!(back(b"ab\n", 5), Err(3));
        assert_eq!(back(b"", 0), Ok(0));
    }
}
