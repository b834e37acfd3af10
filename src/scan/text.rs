//! One text, searched in windows that overlap by as much as a value can take up: whatever its size,
//! it takes a megabyte and some of memory.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};
use zeroize::Zeroizing;

use super::scanner::Scanner;

/// How many bytes of a text are searched at once, beside those that were searched before.
const WINDOW: usize = 1 << 20;

/// In how many of a text's first bytes a NUL byte makes it binary. git looks at 8000.
const HEAD: usize = 8 * 1024;

/// Where a value stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The offsets of its first byte and behind its last one.
    start: u64,
    end: u64,
    /// The line, counted from 1.
    pub line: u64,
    /// The column in bytes, counted from 1.
    pub column: u64,
    /// The index of the value.
    pub value: usize,
}

/// A text on its way through the search. It can be used for one text after the other.
pub(super) struct Text<'s> {
    scanner: &'s Scanner,
    window: Zeroizing<Vec<u8>>,
    size: usize,
    /// The offset of the window's first byte, and the number of line feeds before it.
    offset: u64,
    lines: u64,
    /// The offset of the first byte of the line that the window begins in.
    line_start: u64,
    /// Whether the text is binary, once that is known.
    binary: Option<bool>,
    places: Vec<Place>,
}

impl<'s> Text<'s> {
    pub(super) fn new(scanner: &'s Scanner) -> Self {
        Self::with_window(scanner, WINDOW)
    }

    fn with_window(scanner: &'s Scanner, window: usize) -> Self {
        let size = scanner.finder.reach() + window;
        Self {
            scanner,
            window: Zeroizing::new(Vec::with_capacity(size)),
            size,
            offset: 0,
            lines: 0,
            line_start: 0,
            binary: None,
            places: Vec::new(),
        }
    }

    /// Takes `reader` in to its end, or until it proves to be binary.
    pub(super) fn read(&mut self, reader: &mut impl Read) -> io::Result<()> {
        let mut room = HEAD.min(self.size);
        loop {
            let read = reader
                .by_ref()
                .take(room as u64)
                .read_to_end(&mut self.window)?;
            if read < room || self.is_binary() {
                return Ok(());
            }
            if self.window.len() >= self.size {
                self.advance();
            }
            room = self.size - self.window.len();
        }
    }

    /// Takes the text's next bytes in.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.size - self.window.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.window.extend_from_slice(now);
            bytes = later;
            if self.window.len() >= self.size {
                if self.is_binary() {
                    self.window.truncate(HEAD);
                    return;
                }
                self.advance();
            }
        }
    }

    /// The places of values in the text, or `None` where it is binary and binary texts are passed
    /// over. Afterwards the next text may come.
    pub(super) fn finish(&mut self) -> Option<Vec<Place>> {
        let binary = self.is_binary();
        if !binary {
            self.search();
        }
        let mut places = std::mem::take(&mut self.places);
        self.window.clear();
        (self.offset, self.lines, self.line_start) = (0, 0, 0);
        self.binary = None;
        // What stands where windows overlap was found in both, whole in one of them at least.
        places.sort_by_key(|place| (place.value, place.start));
        places.dedup_by(|next, kept| {
            let same = next.value == kept.value && next.start < kept.end;
            if same {
                kept.end = kept.end.max(next.end);
            }
            same
        });
        places.sort_by_key(|place| (place.start, place.value));
        (!binary).then_some(places)
    }

    /// Whether the text is to be passed over, as far as its beginning is there already.
    fn is_binary(&mut self) -> bool {
        let head = &self.window[..self.window.len().min(HEAD)];
        let skip = !self.scanner.binary;
        *self
            .binary
            .get_or_insert_with(|| skip && memchr(0, head).is_some())
    }

    /// Searches the window, and keeps of it what the next one overlaps with.
    fn advance(&mut self) {
        self.search();
        let gone = self.window.len() - self.scanner.finder.reach();
        let passed = &self.window[..gone];
        self.lines += memchr_iter(b'\n', passed).count() as u64;
        if let Some(last) = memrchr(b'\n', passed) {
            self.line_start = self.offset + last as u64 + 1;
        }
        self.offset += gone as u64;
        self.window.drain(..gone);
    }

    fn search(&mut self) {
        let (mut at, mut lines, mut line_start) = (0, self.lines, self.line_start);
        for found in self.scanner.finder.find(&self.window) {
            let passed = &self.window[at..found.start];
            lines += memchr_iter(b'\n', passed).count() as u64;
            if let Some(last) = memrchr(b'\n', passed) {
                line_start = self.offset + (at + last) as u64 + 1;
            }
            at = found.start;
            let start = self.offset + found.start as u64;
            self.places.push(Place {
                start,
                end: self.offset + found.end as u64,
                line: lines + 1,
                column: start - line_start + 1,
                value: found.value,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redact::find::Finder;

    fn scanner(values: &[&str], binary: bool) -> Scanner {
        let values = values.iter().map(|value| value.as_bytes());
        Scanner::new(Finder::new(values).unwrap(), binary)
    }

    fn places(text: &mut Text<'_>) -> Vec<(u64, u64, usize)> {
        let places = text.finish().unwrap();
        places
            .iter()
            .map(|place| (place.line, place.column, place.value))
            .collect()
    }

    #[test]
    fn lines_and_columns_are_counted_from_one_in_bytes() {
        let scanner = scanner(&["hunter2", "first\nsecond"], false);
        let mut text = Text::new(&scanner);
        text.push("hunter2\r\n\nä hunter2 hunter2\r\nfirst\r\nsecond".as_bytes());
        let expected = [(1, 1, 0), (3, 4, 0), (3, 12, 0), (4, 1, 1)];
        assert_eq!(places(&mut text), expected);
        text.push(b"hunter2");
        assert_eq!(places(&mut text), [(1, 1, 0)], "the next text starts anew");
    }

    #[test]
    fn only_a_nul_byte_near_the_beginning_makes_a_text_binary() {
        let (text_only, all) = (scanner(&["hunter2"], false), scanner(&["hunter2"], true));
        let early = [b"\0 hunter2".as_slice(), &[b'x'; 4 << 20]].concat();
        let late = [vec![b'x'; HEAD].as_slice(), b"\0hunter2"].concat();
        for (scanner, bytes, found) in [
            (&text_only, &early, false),
            (&all, &early, true),
            (&text_only, &late, true),
        ] {
            let mut text = Text::new(scanner);
            text.read(&mut bytes.as_slice()).unwrap();
            assert_eq!(text.finish().is_some_and(|places| places.len() == 1), found);
            text.push(bytes);
            assert_eq!(text.finish().is_some_and(|places| places.len() == 1), found);
        }
    }

    proptest! {
        #[test]
        fn windows_find_what_the_whole_holds(
            parts in prop::collection::vec("[ab\n]{0,60}|hunter2|hun\r\nter2|aHVudGVyMg==|line one|line two|line one\nline two", 0..30),
            window in 1usize..200,
        ) {
            let bytes = parts.concat().into_bytes();
            let scanner = scanner(&["hunter2", "line one\nline two"], false);
            let mut whole = Text::new(&scanner);
            whole.push(&bytes);
            let whole = whole.finish().unwrap();
            let mut pushed = Text::with_window(&scanner, window);
            pushed.push(&bytes);
            prop_assert_eq!(pushed.finish().unwrap(), whole.clone());
            pushed.read(&mut bytes.as_slice()).unwrap();
            prop_assert_eq!(pushed.finish().unwrap(), whole);
        }
    }
}
