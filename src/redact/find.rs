//! Finding values in whole texts: which of them, and where.

use super::forms::Forms;
use super::lookup::{Lookup, MOST_BREAKS};
use crate::words::error::Result;

/// A value that stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The offset, in bytes, of its first byte.
    pub start: usize,
    /// The offset behind its last byte.
    pub end: usize,
    /// Its index among the values.
    pub value: usize,
}

/// Finds values in whole texts.
pub struct Finder {
    lookup: Option<Lookup>,
    left_alone: Vec<usize>,
    reach: usize,
}

impl Finder {
    /// A finder of all forms of `values`, except for lines that say nothing of them: those around
    /// and atop of every key in a text file.
    ///
    /// # Errors
    /// `failed` where the values are too large together (some gigabytes).
    pub fn new<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Self> {
        let mut forms = Forms::of(values);
        forms.forms.retain(|form| !is_in_every_key(&form.text));
        let longest = forms.forms.iter().map(|form| form.text.len()).max();
        Ok(Self {
            reach: longest.unwrap_or_default() * (1 + usize::from(MOST_BREAKS)),
            lookup: Lookup::new(forms.forms),
            left_alone: forms.left_alone,
        })
    }

    /// The indices of the values that are too short to be found.
    pub fn left_alone(&self) -> &[usize] {
        &self.left_alone
    }

    /// The most bytes that one value can take up in a text, breaks included; 0 where there is nothing
    /// to find. Windows on a text that overlap by as many miss nothing.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Where the values stand in `text`, in the order of their beginnings. Forms of one value that
    /// overlap are found as one.
    pub fn find(&self, text: &[u8]) -> Vec<Found> {
        let Some(lookup) = &self.lookup else {
            return Vec::new();
        };
        let mut all: Vec<Found> = Vec::new();
        lookup.run(text, |start, end, value| {
            all.push(Found { start, end, value })
        });
        all.sort_by_key(|found| (found.value, found.start));
        all.dedup_by(|next, kept| {
            let same = next.value == kept.value && next.start < kept.end;
            if same {
                kept.end = kept.end.max(next.end);
            }
            same
        });
        all.sort();
        all
    }
}

/// Whether `line` stands in every key of its kind: what begins and ends the armour of PEM, PGP and
/// SSH, and the first line of OpenSSH's own format, in which the key itself has not begun yet.
fn is_in_every_key(line: &[u8]) -> bool {
    const OPENSSH: &[u8] = b"b3BlbnNzaC1rZXktdjEA";
    let title = line.strip_prefix(b"----").and_then(|rest| {
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        rest.strip_suffix(b"----")
            .map(|rest| rest.strip_suffix(b"-").unwrap_or(rest))
    });
    let armour = title.map(<[u8]>::trim_ascii).is_some_and(|title| {
        let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
        (title.starts_with(b"BEGIN ") || title.starts_with(b"END ")) && title.iter().all(plain)
    });
    armour || (line.starts_with(OPENSSH) && line.len() <= 76)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(values: &[&str], text: &str) -> Vec<(usize, usize, usize)> {
        Finder::new(values.iter().map(|value| value.as_bytes()))
            .unwrap()
            .find(text.as_bytes())
            .iter()
            .map(|found| (found.start, found.end, found.value))
            .collect()
    }

    #[test]
    fn values_are_placed_and_told_apart() {
        let values = ["hunter2", "swordfish", "abc"];
        assert_eq!(find(&values, ""), []);
        assert_eq!(find(&values, "abc nothing here"), []);
        assert_eq!(
            find(&values, "x swordfish\nhunter2hunter2 "),
            [(2, 11, 1), (12, 19, 0), (19, 26, 0)]
        );
        assert_eq!(
            find(&["secret1", "secret1", "ecret"], "a secret1"),
            [(2, 9, 0), (2, 9, 1), (3, 8, 2)]
        );
        assert_eq!(find(&[], "anything"), []);
    }

    #[test]
    fn breaks_do_not_hide_a_value() {
        assert_eq!(find(&["hunter2"], "hun\r\nter\n2"), [(0, 10, 0)]);
        assert_eq!(find(&["hunter2"], "h\nu\nn\nt\ne\nr\n2\n"), [(0, 13, 0)]);
        assert_eq!(find(&["hunter2"], "hunt\n\n\n\n\ner2"), []);
        assert_eq!(
            find(
                &["first line\nsecond line"],
                "first line\r\nsecond line\r\n"
            ),
            [(0, 23, 0)]
        );
        assert_eq!(
            find(&["first line\nsecond line"], "> second line\n> first line"),
            [(2, 13, 0), (16, 26, 0)]
        );
    }

    #[test]
    fn what_stands_in_every_key_gives_none_away() {
        let armour = |kind: &str, text: &str| {
            format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
        };
        let first = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW";
        let key = |second: &str| armour("OPENSSH PRIVATE KEY", &format!("{first}\n{second}"));
        let (own, other) = (key("QyNTUxOQAAACBown"), key("QyNTUxOQAAACBother"));
        assert_eq!(find(&[&own], &other), []);
        assert_eq!(find(&[&own], "QyNTUxOQAAACBown"), [(0, 16, 0)]);
        assert_eq!(find(&[&own], &format!("\n{own}")), [(1, own.len(), 0)]);
        let ssh2 =
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EA\n---- END SSH2 PUBLIC KEY ----";
        assert_eq!(find(&[ssh2], "---- BEGIN SSH2 PUBLIC KEY ----"), []);
        assert_eq!(
            find(&["-----BEGIN-it-----"], "-----BEGIN-it-----"),
            [(0, 18, 0)]
        );
        assert_eq!(find(&["---------"], "---------"), [(0, 9, 0)]);
    }
}
