//! Searching a stream of bytes for the forms of many values at once, at the speed of the stream.
//!
//! Line breaks within a form are skipped, so that a value is found however its text is wrapped. An
//! Aho-Corasick automaton does the finding. It is exact but slow, so a filter runs ahead: of every
//! few bytes it looks up four in a table of those that forms begin with, and only where they stand
//! in it the automaton is set to work, from just before.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use memchr::memchr2;

use super::forms::{Form, Forms, is_break};
use crate::error::{Error, Result};

/// The most breaks in a row that count as wrapping.
const MOST_BREAKS: u8 = 4;

/// How far a search of a stream has come: what the automaton has seen, and the breaks since.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    state: StateID,
    breaks: u8,
}

/// The forms of some values, ready to be searched for.
pub(super) struct Search {
    automaton: NFA,
    start: StateID,
    /// For each state, the number of bytes of a form that have been seen.
    depths: Vec<u32>,
    /// For each form, the index of its value.
    values: Vec<usize>,
    filter: Filter,
}

impl Search {
    /// Prepares the search, or `None` where there is nothing to search for.
    ///
    /// # Errors
    /// `failed` where the forms are more than the automaton can hold (some gigabytes).
    pub(super) fn new(forms: &Forms) -> Result<Option<Self>> {
        let Some(filter) = Filter::new(&forms.forms) else {
            return Ok(None);
        };
        let too_large = |_| Error::failed("the values are too large to be searched for");
        let texts = forms.forms.iter().map(|form| form.text.as_slice());
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(texts)
            .map_err(too_large)?;
        let start = automaton
            .start_state(Anchored::No)
            .map_err(|_| Error::failed("the search has no start"))?;
        let mut depths = vec![0; start.as_usize() + 1];
        for form in &forms.forms {
            let mut state = start;
            for (at, byte) in form.text.iter().enumerate() {
                state = automaton.next_state(Anchored::No, state, *byte);
                if depths.len() <= state.as_usize() {
                    depths.resize(state.as_usize() + 1, 0);
                }
                depths[state.as_usize()] = u32::try_from(at + 1).unwrap_or(u32::MAX);
            }
        }
        Ok(Some(Self {
            automaton,
            start,
            depths,
            values: forms.forms.iter().map(|form| form.value).collect(),
            filter,
        }))
    }

    /// Where every stream begins.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            state: self.start,
            breaks: 0,
        }
    }

    /// How many of the bytes seen last, breaks aside, may be the beginning of a form.
    pub(super) fn depth(&self, cursor: &Cursor) -> usize {
        self.depths
            .get(cursor.state.as_usize())
            .map_or(0, |depth| *depth as usize)
    }

    /// Goes on through `input`. At each place in it where forms end, `found` is told the place and
    /// the forms: for each its length without breaks and the index of its value.
    pub(super) fn run(
        &self,
        cursor: &mut Cursor,
        input: &[u8],
        mut found: impl FnMut(usize, &mut dyn Iterator<Item = (usize, usize)>),
    ) {
        let mut at = 0;
        // The automaton may stop once what it has seen of a form begins here or later.
        let mut until = 0;
        loop {
            while let Some(byte) = input.get(at) {
                if at
                    .checked_sub(self.depth(cursor))
                    .is_some_and(|begin| begin >= until)
                {
                    break;
                }
                at += 1;
                if is_break(*byte) {
                    cursor.breaks += 1;
                    if cursor.breaks > MOST_BREAKS {
                        *cursor = self.cursor();
                    }
                    // What began before the break lies further back than its depth tells.
                    until = until.max(at);
                    continue;
                }
                cursor.breaks = 0;
                cursor.state = self.automaton.next_state(Anchored::No, cursor.state, *byte);
                if self.automaton.is_match(cursor.state) {
                    let state = cursor.state;
                    let mut forms = (0..self.automaton.match_len(state)).map(|index| {
                        let form = self.automaton.match_pattern(state, index);
                        let value = self.values.get(form.as_usize()).copied();
                        (self.automaton.pattern_len(form), value.unwrap_or_default())
                    });
                    found(at, &mut forms);
                }
            }
            if at == input.len() {
                return;
            }
            // The filter looks again at what the automaton holds, and so may forget it.
            at -= self.depth(cursor);
            *cursor = self.cursor();
            (at, until) = self.filter.next(input, at);
        }
    }
}

/// The bytes that forms begin with.
struct Filter {
    /// One bit for each hash of a few bytes.
    bits: Vec<u64>,
    /// Which of four bytes are looked at: three or all.
    mask: u32,
    /// The distance between two looks, such that none of the forms fits in between.
    stride: usize,
}

/// The binary logarithm of the number of bits: 32 KiB stay in the processor's fastest cache.
const LOG_BITS: u32 = 18;

impl Filter {
    /// The filter for `forms`, or `None` where there are none.
    fn new(forms: &[Form]) -> Option<Self> {
        let shortest = forms.iter().map(|form| form.text.len()).min()?;
        let (looked_at, mask) = if shortest >= 7 {
            (4, u32::MAX)
        } else {
            (3, 0x00ff_ffff)
        };
        let stride = (shortest + 1 - looked_at).min(8);
        let mut bits = vec![0u64; 1 << (LOG_BITS - 6)];
        for form in forms {
            for begin in form.text.windows(looked_at).take(stride) {
                let mut bytes = [0; 4];
                bytes[..looked_at].copy_from_slice(begin);
                let (word, bit) = place(u32::from_le_bytes(bytes));
                bits[word] |= 1 << bit;
            }
        }
        Some(Self { bits, mask, stride })
    }

    /// From `at` on, the next stretch of `input` that the automaton must see: from where, and up to
    /// where forms may begin in it.
    fn next(&self, input: &[u8], mut at: usize) -> (usize, usize) {
        loop {
            let line = &input[at..];
            let end = memchr2(b'\n', b'\r', line).unwrap_or(line.len());
            let mut look = 0;
            while let Some(bytes) = line[..end].get(look..look + 4) {
                let four = bytes
                    .iter()
                    .rev()
                    .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                let (word, bit) = place(four & self.mask);
                if self.bits[word] >> bit & 1 == 1 {
                    let from = look.saturating_sub(self.stride - 1);
                    return (at + from, at + look + 1);
                }
                look += self.stride;
            }
            // A form that begins near the line's end may go on behind the break, or in the next
            // input, where the filter cannot follow.
            if end > 0 || line.is_empty() {
                let from = end.saturating_sub(self.stride + 3);
                return (at + from, at + end + 1);
            }
            at += 1;
        }
    }
}

/// The bit for some bytes.
fn place(bytes: u32) -> (usize, u32) {
    // Multiplicative hashing by the golden ratio, of which the upper bits are the good ones.
    let hash = bytes.wrapping_mul(0x9e37_79b1) >> (32 - LOG_BITS);
    ((hash >> 6) as usize, hash & 63)
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
    search: Option<Search>,
    left_alone: Vec<usize>,
    reach: usize,
}

impl Finder {
    /// A finder of all forms of `values`.
    ///
    /// # Errors
    /// `failed` where the values are too large together (some gigabytes).
    pub fn new<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Self> {
        let forms = Forms::of(values);
        let longest = forms.forms.iter().map(|form| form.text.len()).max();
        Ok(Self {
            reach: longest.unwrap_or_default() * (1 + usize::from(MOST_BREAKS)),
            search: Search::new(&forms)?,
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
        let Some(search) = &self.search else {
            return Vec::new();
        };
        let mut all: Vec<Found> = Vec::new();
        search.run(&mut search.cursor(), text, |end, forms| {
            for (length, value) in forms {
                let start = back(&text[..end], length).unwrap_or(0);
                all.push(Found { start, end, value });
            }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn the_last_bytes_are_counted_without_breaks() {
        assert_eq!(back(b"ab\ncd\n", 2), Ok(3));
        assert_eq!(back(b"ab\ncd\n", 3), Ok(1));
        assert_eq!(back(b"ab\ncd\n", 0), Ok(6));
        assert_eq!(back(b"ab\n", 5), Err(3));
        assert_eq!(back(b"", 0), Ok(0));
    }

    /// What [`Finder`] should find, found slowly: for every form and place, a comparison.
    fn slowly(forms: &Forms, text: &[u8]) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for form in &forms.forms {
            for start in (0..text.len()).filter(|start| !is_break(text[*start])) {
                let (mut at, mut seen, mut breaks) = (start, 0, 0);
                while at < text.len() && seen < form.text.len() {
                    if is_break(text[at]) {
                        breaks += 1;
                        if breaks > MOST_BREAKS {
                            break;
                        }
                    } else if text[at] == form.text[seen] {
                        seen += 1;
                        breaks = 0;
                    } else {
                        break;
                    }
                    at += 1;
                }
                if seen == form.text.len() {
                    places.push((start, at));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_search_misses_nothing_and_adds_nothing(
            values in prop::collection::vec("[ab]{5,9}|[a-c]{7,12}|[a-d]{11,20}", 1..4),
            parts in prop::collection::vec(
                prop_oneof!["[abcd\n]{0,8}", "[x-z ]{0,30}", "\n{1,7}", "\r\n"],
                0..12,
            ),
            inserted in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut parts = parts;
            for (value, place) in inserted {
                let place = place.index(parts.len() + 1);
                let value = value.get::<String>(&values).clone();
                parts.insert(place, value);
            }
            let text = parts.concat();
            let forms = Forms::of(values.iter().map(|value| value.as_bytes()));
            let search = Search::new(&forms).unwrap().unwrap();

            // In chunks, each by a cursor that only knows the chunks before.
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut cursor = search.cursor();
            let mut found = Vec::new();
            for chunk in cuts.windows(2) {
                search.run(&mut cursor, &text.as_bytes()[chunk[0]..chunk[1]], |end, forms| {
                    let end = chunk[0] + end;
                    for (length, _) in forms {
                        found.push((back(&text.as_bytes()[..end], length).unwrap(), end));
                    }
                });
            }
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found, slowly(&forms, text.as_bytes()));
        }
    }
}
