//! Searching a stream of bytes for the forms of many values at once, at the speed of the stream.
//!
//! Line breaks within a form are skipped, so that a value is found however its text is wrapped. An
//! Aho-Corasick automaton does the finding. It is exact but slow, so a [`Filter`] runs ahead, and
//! only where that sees the beginning of a form the automaton is set to work, from just before.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::filter::{FEW, Filter};
use super::forms::{Forms, is_break};
use super::lookup::MOST_BREAKS;
use crate::words::error::{Error, Result};

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
    filter: Filter<FEW>,
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

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::forms::back;
    use super::*;

    /// What the search should find, found slowly: for every form and place, a comparison.
    pub(in super::super) fn slowly(forms: &Forms, text: &[u8]) -> Vec<(usize, usize)> {
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
