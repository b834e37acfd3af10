//! Looking for the forms of any number of values in whole texts: what stands at a place is looked up
//! in a sorted list.
//!
//! An automaton takes many times the memory of what it finds, which is too much for ten thousand
//! values in all their forms; and it has to know in the middle of a stream how far it has come,
//! which nobody asks for here. Line breaks are skipped as [`search`](super::search) skips them.

use std::cmp::Ordering;

use super::filter::{FEW, Filter, MANY};
use super::forms::{Form, SHORTEST, is_break};

/// The most breaks in a row that count as wrapping.
pub(super) const MOST_BREAKS: u8 = 4;

/// From so many forms on the small filter would let too much through.
const MANY_FORMS: usize = 1 << 12;

/// What has no parent.
const NONE: u32 = u32::MAX;

/// Forms, ready to be looked up.
pub(super) struct Lookup {
    /// Sorted by their texts.
    forms: Vec<Form>,
    /// For each the longest other one that it begins with.
    parents: Vec<u32>,
    /// Where in the list those begin and end that share their first [`SHORTEST`] bytes; by the hash
    /// of these, or in the next place that was free.
    places: Vec<(u64, u32, u32)>,
    filter: Passing,
}

/// The filter that runs ahead.
enum Passing {
    Few(Filter<FEW>),
    Many(Filter<MANY>),
}

impl Lookup {
    /// Prepares for looking up `forms`; `None` where there are none.
    pub(super) fn new(mut forms: Vec<Form>) -> Option<Self> {
        let filter = match forms.len() < MANY_FORMS {
            true => Passing::Few(Filter::new(&forms)?),
            false => Passing::Many(Filter::new(&forms)?),
        };
        // They are counted in four bytes.
        forms.truncate(NONE as usize - 1);
        forms.sort_unstable_by(|a, b| (&**a.text, a.value).cmp(&(&**b.text, b.value)));
        let mut parents = Vec::with_capacity(forms.len());
        let mut above: Vec<u32> = Vec::new();
        for (at, form) in (0..).zip(&forms) {
            while above
                .last()
                .is_some_and(|last| !form.text.starts_with(&forms[*last as usize].text))
            {
                above.pop();
            }
            parents.push(above.last().copied().unwrap_or(NONE));
            above.push(at);
        }
        let mut places = vec![(0, 0, 0); (forms.len() * 2).next_power_of_two()];
        let mut begin = 0;
        for alike in forms.chunk_by(|a, b| key_of(&a.text) == key_of(&b.text)) {
            let end = begin + alike.len();
            let key = alike.first().and_then(|form| key_of(&form.text))?;
            let mut place = hash(key, places.len());
            while places[place].2 > 0 {
                place = (place + 1) % places.len();
            }
            // Neither is more than a form has a number for.
            places[place] = (key, u32::try_from(begin).ok()?, u32::try_from(end).ok()?);
            begin = end;
        }
        Some(Self {
            forms,
            parents,
            places,
            filter,
        })
    }

    /// Tells `found` each form in `text`: where it begins and ends, and the index of its value.
    pub(super) fn run(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize)) {
        let mut at = 0;
        while at < text.len() {
            let (from, until) = match &self.filter {
                Passing::Few(filter) => filter.next(text, at),
                Passing::Many(filter) => filter.next(text, at),
            };
            for begin in from..until.min(text.len()) {
                self.at(text, begin, &mut found);
            }
            at = until;
        }
    }

    /// The forms that begin at `begin`.
    fn at(&self, text: &[u8], begin: usize, found: &mut impl FnMut(usize, usize, usize)) {
        let input = &text[begin..];
        let Some(alike) = self.alike(input) else {
            return;
        };
        let forms = &self.forms[alike.0..alike.1];
        // All that the input begins with are ones that the last one before it begins with, or that
        // one itself.
        let before =
            forms.partition_point(|form| compare(&form.text, input).0 != Ordering::Greater);
        let Some(last) = before.checked_sub(1).map(|last| alike.0 + last) else {
            return;
        };
        let (_, common) = compare(&self.forms[last].text, input);
        let mut next = u32::try_from(last).unwrap_or(NONE);
        while let Some(form) = self.forms.get(next as usize) {
            if form.text.len() <= common
                && let Some(length) = span(input, form.text.len())
            {
                found(begin, begin + length, form.value);
            }
            next = self.parents[next as usize];
        }
    }

    /// Where in the list the forms stand that begin as `input` does.
    fn alike(&self, input: &[u8]) -> Option<(usize, usize)> {
        if input.first().is_none_or(|first| is_break(*first)) {
            return None;
        }
        let key = match input
            .get(..SHORTEST)
            .filter(|first| !first.iter().any(|byte| is_break(*byte)))
        {
            Some(first) => key_of(first)?,
            None => {
                let mut first = [0; SHORTEST];
                let mut bytes = unwrapped(input);
                for byte in &mut first {
                    *byte = *bytes.next()?.1;
                }
                key_of(&first)?
            }
        };
        let mut place = hash(key, self.places.len());
        loop {
            match self.places[place] {
                (_, _, 0) => return None,
                (other, begin, end) if other == key => return Some((begin as usize, end as usize)),
                _ => place = (place + 1) % self.places.len(),
            }
        }
    }
}

/// The first [`SHORTEST`] bytes as a number.
fn key_of(text: &[u8]) -> Option<u64> {
    let mut key = [0; 8];
    key[..SHORTEST].copy_from_slice(text.get(..SHORTEST)?);
    Some(u64::from_le_bytes(key))
}

/// Where `key` belongs, of so many places: a power of two.
fn hash(key: u64, places: usize) -> usize {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    // Cut to the number of places.
    hash as usize & (places - 1)
}

/// The bytes of `input` and their places, without the breaks that wrap it, up to where too many
/// come in a row.
fn unwrapped(input: &[u8]) -> impl Iterator<Item = (usize, &u8)> {
    let mut breaks = 0;
    let bytes = input.iter().enumerate().map_while(move |(at, byte)| {
        breaks = if is_break(*byte) { breaks + 1 } else { 0 };
        (breaks <= MOST_BREAKS).then_some((at, byte))
    });
    bytes.filter(|(_, byte)| !is_break(**byte))
}

/// How `form` is sorted beside `input`, equal where that begins with it, and in how many bytes they
/// agree.
fn compare(form: &[u8], input: &[u8]) -> (Ordering, usize) {
    // As a rule nothing is wrapped.
    if input.starts_with(form) {
        return (Ordering::Equal, form.len());
    }
    let mut bytes = unwrapped(input);
    for (at, byte) in form.iter().enumerate() {
        let order = bytes.next().map(|(_, other)| byte.cmp(other));
        match order {
            Some(Ordering::Equal) => {}
            Some(order) => return (order, at),
            None => return (Ordering::Greater, at),
        }
    }
    (Ordering::Equal, form.len())
}

/// How long the stretch of `input` is that has so many bytes without breaks.
fn span(input: &[u8], count: usize) -> Option<usize> {
    match input.get(..count) {
        Some(stretch) if !stretch.iter().any(|byte| is_break(*byte)) => Some(count),
        _ => unwrapped(input)
            .nth(count.checked_sub(1)?)
            .map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::forms::Forms;
    use super::super::search::tests::slowly;
    use super::*;

    fn found(values: &[String], text: &[u8]) -> Vec<(usize, usize)> {
        let forms = Forms::of(values.iter().map(|value| value.as_bytes()));
        let mut places = Vec::new();
        if let Some(lookup) = Lookup::new(forms.forms) {
            lookup.run(text, |start, end, _| places.push((start, end)));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn each_of_very_many_is_found_as_its_own() {
        let values: Vec<String> = (0..2_000).map(|at| format!("swordfish-{at:05}")).collect();
        let forms = Forms::of(values.iter().map(|value| value.as_bytes()));
        assert!(forms.forms.len() >= MANY_FORMS, "{}", forms.forms.len());
        let lookup = Lookup::new(forms.forms).unwrap();
        let text = values.join("\n");
        let mut told = Vec::new();
        lookup.run(text.as_bytes(), |start, end, value| {
            assert_eq!(text[start..end], values[value]);
            told.push(value);
        });
        assert_eq!(told, (0..2_000).collect::<Vec<_>>());
    }

    #[test]
    fn equal_values_and_ones_that_begin_another_are_all_told() {
        let values = ["abcde", "abcde", "abcdefgh", "abcdex", "abcdefgh-ijkl"];
        let forms = Forms::of(values.map(str::as_bytes));
        let lookup = Lookup::new(forms.forms).unwrap();
        let mut told = Vec::new();
        lookup.run(b"-abc\ndefgh-", |start, end, value| {
            told.push((start, end, value))
        });
        told.sort_unstable();
        assert_eq!(told, [(1, 7, 0), (1, 7, 1), (1, 10, 2)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn it_misses_nothing_and_adds_nothing(
            values in prop::collection::vec("[ab]{5,9}|[a-c]{7,12}|[a-d]{11,20}|[a-b\n]{5,12}", 1..6),
            parts in prop::collection::vec(
                prop_oneof!["[abcd\n]{0,8}", "[x-z ]{0,30}", "\n{1,7}", "\r\n"],
                0..12,
            ),
            inserted in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
        ) {
            let mut parts = parts;
            for (value, place) in inserted {
                let place = place.index(parts.len() + 1);
                parts.insert(place, value.get::<String>(&values).clone());
            }
            let text = parts.concat();
            let forms = Forms::of(values.iter().map(|value| value.as_bytes()));
            prop_assert_eq!(found(&values, text.as_bytes()), slowly(&forms, text.as_bytes()));
        }
    }
}
