//! The language of manual pages, as far as keyfob's need it.

use std::fmt::Write as _;

/// The day on which the pages were last worked on.
const DATE: &str = "2026-11-26";

/// How long a line of filled text is at most.
const WIDTH: usize = 78;

/// A page as it grows.
pub struct Roff {
    text: String,
    /// Whether the last thing was a heading, behind which there is space already.
    after_heading: bool,
}

impl Roff {
    /// The page `name` of the section `section`.
    pub fn new(name: &str, section: u8) -> Self {
        let title = name.to_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            ".TH \"{}\" \"{section}\" \"{DATE}\" \"keyfob {version}\" \"keyfob\"\n",
            escaped(&title)
        );
        Self {
            text,
            after_heading: false,
        }
    }

    /// A section.
    pub fn section(&mut self, title: &str) {
        let _ = writeln!(self.text, ".SH {}", escaped(&title.to_uppercase()));
        self.after_heading = true;
    }

    /// A section within one.
    pub fn subsection(&mut self, title: &str) {
        let _ = writeln!(self.text, ".SS {}", escaped(title));
        self.after_heading = true;
    }

    /// A paragraph, which may hold code between backquotes and stress between stars.
    pub fn paragraph(&mut self, text: &str) {
        self.raw_paragraph(&inline(text));
    }

    /// A paragraph that is written in the language already.
    pub fn raw_paragraph(&mut self, roff: &str) {
        if !self.after_heading {
            self.text.push_str(".PP\n");
        }
        self.filled(roff);
    }

    /// A word, in the language already, and what is to be said of it: paragraphs.
    pub fn item<'t>(&mut self, tag: &str, paragraphs: impl IntoIterator<Item = &'t str>) {
        self.text.push_str(".TP\n");
        self.line(tag);
        for (at, paragraph) in paragraphs.into_iter().enumerate() {
            if at > 0 {
                self.text.push_str(".IP\n");
            }
            self.filled(&inline(paragraph));
        }
    }

    /// One of several points.
    pub fn point(&mut self, text: &str) {
        self.text.push_str(".IP \\(bu 2\n");
        self.filled(&inline(text));
    }

    /// Lines that stay as they are.
    pub fn literal<'t>(&mut self, lines: impl IntoIterator<Item = &'t str>) {
        if !self.after_heading {
            self.text.push_str(".sp\n");
        }
        self.text.push_str(".RS 4\n.nf\n");
        for line in lines {
            self.line(&escaped(line));
        }
        self.text.push_str(".fi\n.RE\n");
        self.after_heading = false;
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, roff: &str) {
        // What a line begins with would else be a request.
        if roff.starts_with(['.', '\'']) {
            self.text.push_str("\\&");
        }
        self.text.push_str(roff);
        self.text.push('\n');
        self.after_heading = false;
    }

    /// Text that is filled, in lines of the width that the language's readers expect.
    fn filled(&mut self, roff: &str) {
        let mut line = String::new();
        for word in roff.split(' ') {
            let would_be = length(&line) + 1 + length(word);
            if !line.is_empty() && would_be > WIDTH {
                self.line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }
}

/// How long `text` is to what reads a page: anything beyond ASCII comes to it as `\\[u2026]`.
fn length(text: &str) -> usize {
    let beyond = text.chars().filter(|c| !c.is_ascii()).count();
    text.chars().count() + beyond * r"\[u2026]".len()
}

/// `text` so that it stands as it is, for code too.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '"' => escaped.push_str("\\(dq"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// In bold.
pub fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// As what stands for something else.
pub fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

/// A text with code between backquotes, stress between stars, and links, of which the words stay.
fn inline(text: &str) -> String {
    let mut roff = String::new();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (at, part) in words.split('`').enumerate() {
        if at % 2 == 1 {
            roff.push_str(&bold(part));
            continue;
        }
        let part = without_links(part);
        for (at, part) in part.split("**").enumerate() {
            roff.push_str(&if at % 2 == 1 {
                bold(part)
            } else {
                escaped(part)
            });
        }
    }
    roff
}

/// `[words](address)` as the words alone, and the address behind where it leads elsewhere.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let parts = link.split_once("](").and_then(|(words, more)| {
            let (address, after) = more.split_once(')')?;
            (!words.contains(['[', ']'])).then_some((words, address, after))
        });
        plain.push_str(before);
        let Some((words, address, after)) = parts else {
            plain.push('[');
            rest = link;
            continue;
        };
        plain.push_str(words);
        if address.contains("://") {
            let _ = write!(plain, " <{address}>");
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_as_it_is() {
        assert_eq!(
            inline("`a-b` **c** 'd'"),
            "\\fBa\\-b\\fR \\fBc\\fR \\(aqd\\(aq"
        );
        assert_eq!(
            inline("[x](y.md), [age](https://age) [ok]"),
            "x, age <https://age> [ok]"
        );
        let mut page = Roff::new("x", 1);
        page.section("s");
        page.literal([".hidden", "back\\slash", "", "'quoted'"]);
        let page = page.finish();
        assert!(
            page.contains("\n\\&.hidden\nback\\(rsslash\n\n\\(aqquoted"),
            "{page}"
        );
    }
}
