//! Running ahead of a search: of every few bytes of a text four are looked up in tables of those that
//! forms begin with, and what cannot be the beginning of a form is passed over.
//!
//! The automaton alone is too slow for `run --mask`, which may take 1.5 times as long as `cat | cat`.
//! Of a log of 1.2 GiB and 20 tokens, `cat | cat` makes 0.9 s; the search takes 0.9 s of processor
//! time with the filter and 11.8 s without, or 3.7 s where the automaton is a DFA. `aho-corasick`
//! has no such filter for as many patterns, and none that looks across line breaks.

use memchr::memchr2;

use super::forms::{Form, back, is_break};

/// The words of a table for few forms: 32 KiB stay in the processor's fastest cache.
pub(super) const FEW: usize = 1 << 12;

/// The words of a table for very many, which would fill the other: 1 MiB.
pub(super) const MANY: usize = 1 << 17;

/// What the hashes multiply by: the golden ratio, and an odd number that has nothing to do with it.
const FACTORS: [u32; 2] = [0x9e37_79b1, 0x85eb_ca6b];

/// The bytes that forms begin with, in tables of so many `WORDS`, a power of two, with a bit for each
/// hash of a few bytes.
pub(super) struct Filter<const WORDS: usize> {
    /// By two hashes: few bytes that begin no form have both of their bits.
    tables: [Box<[u64; WORDS]>; 2],
    /// Which of four bytes are looked at: three or all.
    mask: u32,
    /// The distance between two looks, such that none of the forms fits in between.
    stride: usize,
}

impl<const WORDS: usize> Filter<WORDS> {
    /// The binary logarithm of the number of bits in a table.
    const LOG_BITS: u32 = WORDS.ilog2() + u64::BITS.ilog2();

    /// The filter for `forms`, or `None` where there are none.
    pub(super) fn new(forms: &[Form]) -> Option<Self> {
        let shortest = forms.iter().map(|form| form.text.len()).min()?;
        let (looked_at, mask) = if shortest >= 7 {
            (4, u32::MAX)
        } else {
            (3, 0x00ff_ffff)
        };
        let stride = (shortest + 1 - looked_at).min(8);
        // Not by way of the stack, which a large one does not fit on.
        let table = || vec![0; WORDS].try_into().ok();
        let mut tables: [Box<[u64; WORDS]>; 2] = [table()?, table()?];
        for form in forms {
            for begin in form.text.windows(looked_at).take(stride) {
                let mut bytes = [0; 4];
                bytes[..looked_at].copy_from_slice(begin);
                for (table, factor) in tables.iter_mut().zip(FACTORS) {
                    let (word, bit) = Self::place(u32::from_le_bytes(bytes), factor);
                    table[word] |= 1 << bit;
                }
            }
        }
        Some(Self {
            tables,
            mask,
            stride,
        })
    }

    /// Whether a form may hold `four` among its first bytes.
    #[inline(always)]
    fn knows(&self, four: [u8; 4]) -> bool {
        let four = u32::from_le_bytes(four) & self.mask;
        let has = |table: &[u64; WORDS], factor| {
            let (word, bit) = Self::place(four, factor);
            table[word] >> bit & 1 == 1
        };
        // As a rule the first says no.
        has(&self.tables[0], FACTORS[0]) && has(&self.tables[1], FACTORS[1])
    }

    /// The bit for some bytes.
    #[inline(always)]
    fn place(bytes: u32, factor: u32) -> (usize, u32) {
        // Multiplicative hashing, of which the upper bits are the good ones.
        let hash = bytes.wrapping_mul(factor) >> (32 - Self::LOG_BITS);
        ((hash >> 6) as usize, hash & 63)
    }

    /// From `at` on, the next stretch of `input` that the automaton must see: from where, and up to
    /// where forms may begin in it.
    pub(super) fn next(&self, input: &[u8], at: usize) -> (usize, usize) {
        let back_from = |end: usize, count| at + back(&input[at..end], count).unwrap_or(0);
        let found = |look: usize| (back_from(look, self.stride - 1), look + 1);
        // What the end of the input cuts off is for the automaton, which can wait for the next.
        let cut_off = |end, count| (back_from(end, count), input.len() + 1);
        // Looks are counted from the beginning of the line, and over breaks as if they weren't there.
        let (mut line, mut look) = (at, 0);
        loop {
            let rest = &input[line..];
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            while let Some(bytes) = rest[..end].get(look..look + 4) {
                if self.knows([bytes[0], bytes[1], bytes[2], bytes[3]]) {
                    return found(line + look);
                }
                look += self.stride;
            }
            while look < end {
                match across(&rest[look..]) {
                    Some(bytes) if self.knows(bytes) => return found(line + look),
                    Some(_) => look += self.stride,
                    None => return cut_off(line + look, self.stride - 1),
                }
            }
            look -= end;
            match rest[end..].iter().position(|byte| !is_break(*byte)) {
                Some(breaks) => line += end + breaks,
                None => return cut_off(line + end, self.stride.saturating_sub(1 + look)),
            }
        }
    }
}

/// The first four of `bytes` that are no breaks.
fn across(bytes: &[u8]) -> Option<[u8; 4]> {
    let mut found = bytes.iter().filter(|byte| !is_break(**byte));
    let mut next = || found.next().copied();
    Some([next()?, next()?, next()?, next()?])
}
