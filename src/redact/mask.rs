//! Hiding values in a stream of output, as it passes by.
//!
//! Every occurrence of every form of a value (see [`forms`](super::forms)) is replaced by
//! [`MARKER`], wherever the stream is cut into chunks. What overlaps is hidden together. Only bytes
//! that may still turn out to begin a value are held back, so that most prompts appear at once. Colours
//! within a value don't count, and are shown behind its marker.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::escapes::{Escapes, LONGEST};
use super::forms::{Forms, back, is_break};
use super::search::{Cursor, Search};
use crate::words::error::Result;

/// What is shown in place of a value.
pub const MARKER: &str = "***";

/// The most bytes of a form that are shown early, for a line's sake; see [`Stream::idle`].
const SHOWN_EARLY: usize = 3;

/// Hides some values in any number of streams.
pub struct Masker {
    search: Option<Arc<Search>>,
    left_alone: Vec<usize>,
}

impl Masker {
    /// A masker of all forms of `values`.
    ///
    /// # Errors
    /// `failed` where the values are too large together (some gigabytes).
    pub fn new<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Self> {
        let forms = Forms::of(values);
        Ok(Self {
            search: Search::new(&forms)?.map(Arc::new),
            left_alone: forms.left_alone,
        })
    }

    /// The indices of the values that are too short to be hidden, for the caller to warn of.
    pub fn left_alone(&self) -> &[usize] {
        &self.left_alone
    }

    /// A stream to hide them in. Each of a program's outputs is one.
    pub fn stream(&self) -> Stream {
        Stream {
            cursor: self.search.as_ref().map(|search| search.cursor()),
            search: self.search.clone(),
            held: Zeroizing::default(),
            end: 0,
            decided: 0,
            hidden: VecDeque::new(),
            escapes: Escapes::default(),
            colors: VecDeque::new(),
        }
    }
}

/// One stream of output. Offsets count its bytes from its beginning, without those of colours.
pub struct Stream {
    search: Option<Arc<Search>>,
    cursor: Option<Cursor>,
    /// The last bytes of the stream so far, from where a form may have begun.
    held: Zeroizing<Vec<u8>>,
    /// The offset of the next byte of input.
    end: u64,
    /// Up to which offset the stream has been shown or hidden.
    decided: u64,
    /// What is to be hidden, in order, none overlapping.
    hidden: VecDeque<Hidden>,
    escapes: Escapes,
    /// The colours that are to be shown, in order, and the offsets of what comes behind them.
    colors: VecDeque<(u64, Vec<u8>)>,
}

/// A part of the stream that is hidden.
struct Hidden {
    start: u64,
    end: u64,
    /// Whether its marker has been written.
    marked: bool,
}

impl Stream {
    /// Takes `input` and writes to `out` what can be shown.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn push(&mut self, input: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.search.is_none() || self.escapes.pass(input) {
            return self.push_text(input, out);
        }
        // It never grows, so no copy is left behind.
        let mut text = Zeroizing::new(Vec::with_capacity(input.len() + LONGEST));
        let (end, colors) = (self.end, &mut self.colors);
        self.escapes.split(input, &mut text, |at, color| {
            colors.push_back((end + at as u64, color.to_vec()));
        });
        self.push_text(&text, out)
    }

    fn push_text(&mut self, input: &[u8], out: &mut impl Write) -> io::Result<()> {
        let (Some(search), Some(cursor)) = (&self.search, &mut self.cursor) else {
            return out.write_all(input);
        };
        let base = self.end;
        let (held, hidden) = (&self.held, &mut self.hidden);
        // Where the stretch of `count` bytes, breaks aside, begins that ends at `end` of the input.
        let begin = |end: usize, count: usize| match back(&input[..end], count) {
            Ok(at) => base + at as u64,
            Err(more) => base - (held.len() - back(held, more).unwrap_or(0)) as u64,
        };
        search.run(cursor, input, |end, forms| {
            let longest = forms.map(|(length, _)| length).max().unwrap_or(0);
            hide(hidden, begin(end, longest), base + end as u64);
        });
        let safe = begin(input.len(), search.depth(cursor));
        self.end = base + input.len() as u64;
        self.decide(safe, base, input, out)?;
        self.hold(safe, base, input);
        Ok(())
    }

    /// Shows a finished line although its last bytes might begin a value that goes on in the next:
    /// for when no output has come for a while. At most three bytes of a value are given away so.
    /// Anything else that might be a value stays held back.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn idle(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.held.last().is_some_and(|byte| is_break(*byte)) {
            return Ok(());
        }
        self.end_escape(out)?;
        if let (Some(search), Some(cursor)) = (&self.search, &self.cursor)
            && search.depth(cursor) <= SHOWN_EARLY
        {
            let end = self.end;
            self.decide(end, end, &[], out)?;
        }
        Ok(())
    }

    /// Shows all that is held back, for a terminal, where somebody waits to see what they type or are
    /// asked. If it was the beginning of a value, what comes of the value after it is hidden still.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn idle_at_prompt(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.end_escape(out)?;
        let end = self.end;
        self.decide(end, end, &[], out)
    }

    /// The number of bytes that are held back.
    pub fn pending(&self) -> usize {
        // Never more than fit in memory.
        let text = usize::try_from(self.end - self.decided).unwrap_or(usize::MAX);
        text + self.escapes.begun()
    }

    /// Takes the beginning of a sequence, of which no more has come, for text.
    fn end_escape(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.escapes.begun() == 0 {
            return Ok(());
        }
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
        self.escapes.give_up(&mut text);
        self.push_text(&text, out)
    }

    /// Shows the colours that stand in what is decided.
    fn show_colors(&mut self, out: &mut impl Write) -> io::Result<()> {
        while let Some((at, _)) = self.colors.front()
            && *at <= self.decided
            && let Some((_, color)) = self.colors.pop_front()
        {
            out.write_all(&color)?;
        }
        Ok(())
    }

    /// Writes what is held back: the stream is over, and no value came of it.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.end_escape(out)?;
        let end = self.end;
        self.decide(end, end, &[], out)
    }

    /// Shows and hides the stream up to the offset `safe`, from which on a value may have begun. The
    /// stream's bytes from `base` on are `input`, those before are held.
    fn decide(
        &mut self,
        safe: u64,
        base: u64,
        input: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        loop {
            self.show_colors(out)?;
            let begun = safe.min(self.decided);
            match self.hidden.front_mut() {
                Some(hidden) if hidden.start <= begun => {
                    if !hidden.marked {
                        out.write_all(MARKER.as_bytes())?;
                        hidden.marked = true;
                    }
                    // Hidden to its end, whatever comes; it may yet grow while that is not safe.
                    self.decided = self.decided.max(hidden.end);
                    if hidden.end > safe {
                        return self.show_colors(out);
                    }
                    self.hidden.pop_front();
                }
                hidden => {
                    if self.decided >= safe {
                        return Ok(());
                    }
                    let next = hidden.map_or(safe, |hidden| hidden.start.min(safe));
                    let next = self.colors.front().map_or(next, |(at, _)| next.min(*at));
                    let (held, fresh) = parts(&self.held, base, input, self.decided, next);
                    out.write_all(held)?;
                    out.write_all(fresh)?;
                    self.decided = next;
                }
            }
        }
    }

    /// Keeps the bytes from the offset `safe` on.
    fn hold(&mut self, safe: u64, base: u64, input: &[u8]) {
        let (held, fresh) = parts(&self.held, base, input, safe, self.end);
        let length = held.len() + fresh.len();
        if length <= self.held.capacity() {
            let gone = self.held.len() - held.len();
            let fresh = fresh.len();
            self.held.drain(..gone);
            self.held.extend_from_slice(&input[input.len() - fresh..]);
        } else {
            // A vector that grows by itself frees its old memory without wiping it.
            let mut roomier = Zeroizing::new(Vec::with_capacity(length * 2));
            roomier.extend_from_slice(held);
            roomier.extend_from_slice(fresh);
            self.held = roomier;
        }
    }
}

/// The bytes from the offset `from` to `to`: those that are held, and those of `input`, which
/// begins at `base`.
fn parts<'b>(
    held: &'b [u8],
    base: u64,
    input: &'b [u8],
    from: u64,
    to: u64,
) -> (&'b [u8], &'b [u8]) {
    // What is held or passed in fits in memory, so the differences do.
    let back_from =
        |offset: u64| held.len() - (base.saturating_sub(offset) as usize).min(held.len());
    let ahead = |offset: u64| (offset.saturating_sub(base) as usize).min(input.len());
    (
        &held[back_from(from)..back_from(to)],
        &input[ahead(from)..ahead(to)],
    )
}

/// Adds a stretch to what is to be hidden; none before ended behind `end`.
fn hide(hidden: &mut VecDeque<Hidden>, mut start: u64, end: u64) {
    let mut marked = false;
    while let Some(last) = hidden.back() {
        if last.end <= start {
            break;
        }
        start = start.min(last.start);
        marked |= last.marked;
        hidden.pop_back();
    }
    hidden.push_back(Hidden { start, end, marked });
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::redact::find::Finder;

    fn masker(values: &[&str]) -> Masker {
        Masker::new(values.iter().map(|value| value.as_bytes())).unwrap()
    }

    /// What comes out when `input` comes in chunks of `size` bytes.
    fn masked(values: &[&str], input: &[u8], size: usize) -> Vec<u8> {
        let mut stream = masker(values).stream();
        let mut out = Vec::new();
        for chunk in input.chunks(size) {
            stream.push(chunk, &mut out).unwrap();
        }
        stream.finish(&mut out).unwrap();
        out
    }

    #[track_caller]
    fn assert_masked(values: &[&str], input: &str, expected: &str) {
        for size in 1..=input.len() {
            let out = masked(values, input.as_bytes(), size);
            assert_eq!(
                String::from_utf8_lossy(&out),
                expected,
                "in chunks of {size}"
            );
        }
    }

    #[test]
    fn values_are_hidden_across_chunks() {
        assert_masked(&["hunter2"], "my hunter2, my hunter", "my ***, my hunter");
        assert_masked(&["hunter2"], "hunter2hunter2\n", "******\n");
        assert_masked(&["hunter2"], "hunthunter2er2", "hunt***er2");
        assert_masked(&["hunter2"], "nothing to see", "nothing to see");
        assert_masked(&[], "nothing to hide", "nothing to hide");
    }

    #[test]
    fn what_overlaps_is_hidden_together() {
        assert_masked(&["abcdef", "defghi"], "<abcdefghi>", "<***>");
        assert_masked(&["xabcdefy", "abcdef"], "xabcdefy xabcdefz", "*** x***z");
        assert_masked(&["ababab"], "abababab!", "***!");
    }

    #[test]
    fn lines_of_a_value_are_hidden() {
        let key = "-----BEGIN-----\nMIIEow\n-----END-----\n";
        assert_masked(&[key], key, "***\n");
        assert_masked(
            &[key],
            "-----BEGIN-----\r\nMIIEow\r\n-----END-----\r\n",
            "***\r\n",
        );
        assert_masked(&[key], "1: MIIEow\n2: -----END-----\n", "1: ***\n2: ***\n");
    }

    #[test]
    fn encodings_are_hidden() {
        assert_masked(&["p@ss w\"rd"], "u=p%40ss%20w%22rd&v", "u=***&v");
        assert_masked(&["p@ss w\"rd"], "u=p%40ss+w%22rd&v", "u=***&v");
        assert_masked(&["p@ss w\"rd"], r#"{"u":"p@ss w\"rd"}"#, r#"{"u":"***"}"#);
        assert_masked(&["p@ss w\"rd"], &STANDARD.encode("p@ss w\"rd"), "***");
        assert_masked(&["p@ss w\"rd"], &STANDARD.encode("p@ss w\"rd\n"), "***");
        assert_masked(&["hunter2"], "68756e74657232", "***");
    }

    #[test]
    fn base64_is_hidden_wherever_it_begins_and_however_it_is_wrapped() {
        let value = "correct horse battery staple";
        for before in 0..80 {
            let text = format!("{}{value} and some more text behind it", "x".repeat(before));
            let digits = STANDARD.encode(text);
            for (width, newline) in [(64, "\n"), (76, "\r\n"), (16, "\n"), (1, "\n")] {
                let lines: Vec<&str> = digits
                    .as_bytes()
                    .chunks(width)
                    .map(|line| std::str::from_utf8(line).unwrap())
                    .collect();
                let wrapped = lines.join(newline);
                let out = masked(&[value], wrapped.as_bytes(), 7);
                let out = String::from_utf8(out).unwrap();
                assert_eq!(out.matches(MARKER).count(), 1, "{before} {width}: {out}");
                // Of the digits no more are left than those of the text around, and a part of one
                // on either side.
                let left = out.replace(MARKER, "").replace(['\r', '\n'], "").len();
                assert!(
                    digits.len() - left >= value.len() * 8 / 6 - 1,
                    "{before} {width}: {out}"
                );
            }
        }
    }

    #[test]
    fn only_what_may_be_a_value_is_held_back() {
        let mut stream = masker(&["hunter2", "swordfish"]).stream();
        let mut out = Vec::new();
        for (input, shown, pending) in [
            ("Password: ", "Password: ", 0),
            ("h", "", 1),
            ("unt", "", 4),
            ("? ", "hunt? ", 0),
            ("swordfis", "", 8),
            ("h", MARKER, 0),
            ("\n> ", "\n> ", 0),
            ("hunter", "", 6),
        ] {
            stream.push(input.as_bytes(), &mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), shown, "after {input:?}");
            assert_eq!(stream.pending(), pending, "after {input:?}");
            out.clear();
        }
        stream.idle(&mut out).unwrap();
        assert_eq!(out, b"");
        stream.finish(&mut out).unwrap();
        assert_eq!(out, b"hunter");
    }

    #[test]
    fn an_idle_stream_shows_its_line_and_still_hides_what_goes_on() {
        let mut stream = masker(&["hunter2", "2222222"]).stream();
        let mut out = Vec::new();
        stream.push(b"listening on port 22\n", &mut out).unwrap();
        assert_eq!(out, b"listening on port ");
        stream.idle(&mut out).unwrap();
        assert_eq!(out, b"listening on port 22\n");
        assert_eq!(stream.pending(), 0);
        out.clear();
        stream.push(b"22222 hunt\n", &mut out).unwrap();
        assert_eq!(out, b"*** ");
        stream.idle(&mut out).unwrap();
        assert_eq!(out, b"*** ", "four bytes of a value are too many");
        stream.finish(&mut out).unwrap();
        assert_eq!(out, b"*** hunt\n");
    }

    #[test]
    fn what_is_typed_at_a_prompt_is_shown_and_the_rest_of_a_value_is_not() {
        let mut stream = masker(&["hunter2"]).stream();
        let mut out = Vec::new();
        for (input, shown) in [("$ h", "$ h"), ("unt", "unt"), ("er", "er"), ("2", "***")] {
            stream.push(input.as_bytes(), &mut out).unwrap();
            stream.idle_at_prompt(&mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), shown, "after {input:?}");
            out.clear();
        }
    }

    #[test]
    fn colors_within_a_value_do_not_show_it() {
        // As `grep --color`, `ls` and runners of tests have it.
        assert_masked(
            &["hunter2"],
            "a \x1b[01;31m\x1b[Khun\x1b[m\x1b[Kter2 b",
            "a \x1b[01;31m\x1b[K***\x1b[m\x1b[K b",
        );
        assert_masked(
            &["hunter2"],
            "\x1b[38;2;255;0;255mh\x1b[1mu\x1b[0mnter\x1b[4:3m2\x1b[0m",
            "\x1b[38;2;255;0;255m***\x1b[1m\x1b[0m\x1b[4:3m\x1b[0m",
        );
        // Where there is no value, all stays where it was.
        for text in [
            "\x1b[32mhunt\x1b[0m ok\x1b[K",
            "hun\x1b[2Jter2 \x1b \x1b[ \x1b[31 \x1b]0;m\x07",
            "\x1b\x1b[1m\x1b[\x1b[1mhunt",
            "hun\x1b[1234mter2",
            &format!("hun{}ter2", "\x1b[m".repeat(9)),
            &format!("hunt\x1b[{}m", ";".repeat(40)),
        ] {
            assert_masked(&["hunter2"], text, text);
        }
        // What the sequence itself would be is hidden, and so is a value with colours in it.
        assert_masked(&["1234567"], "\x1b[1234567m", "\x1b[***m");
        assert_masked(&["a\x1b[1mbcdef"], "a\x1b[1mbcdef", "***\x1b[1m");
    }

    #[test]
    fn a_colored_prompt_appears_at_once() {
        let mut stream = masker(&["hunter2"]).stream();
        let mut out = Vec::new();
        stream.push(b"\x1b[32m$ \x1b[0m", &mut out).unwrap();
        assert_eq!(out, b"\x1b[32m$ \x1b[0m");
        assert_eq!(stream.pending(), 0);
        stream.push(b"\x1b[", &mut out).unwrap();
        assert_eq!(stream.pending(), 2);
        stream.idle_at_prompt(&mut out).unwrap();
        assert!(out.ends_with(b"\x1b["));
    }

    #[test]
    fn breaks_without_end_do_not_pile_up() {
        let mut stream = masker(&["hunter2"]).stream();
        let mut out = Vec::new();
        stream.push(b"hunt", &mut out).unwrap();
        for _ in 0..1000 {
            stream.push(b"\n", &mut out).unwrap();
            assert!(stream.pending() < 10);
        }
    }

    #[test]
    fn any_bytes_pass() {
        let input: Vec<u8> = (0..=255).cycle().take(5000).collect();
        assert_eq!(masked(&["hunter2"], &input, 13), input);
        let value = [0xff, 0xfe, 0x00, 0x80, 0x81];
        let mut stream = Masker::new([value.as_slice()]).unwrap().stream();
        let mut out = Vec::new();
        stream
            .push(&[0xff, 0xff, 0xfe, 0x00, 0x80, 0x81, 0x82], &mut out)
            .unwrap();
        stream.finish(&mut out).unwrap();
        assert_eq!(out, [&[0xff][..], MARKER.as_bytes(), &[0x82]].concat());
    }

    #[test]
    fn short_values_are_left_alone() {
        let masker = masker(&["1", "hunter2", ""]);
        assert_eq!(masker.left_alone(), [0]);
    }

    /// How a program may print a value.
    fn printed(value: &str, how: u8) -> String {
        match how % 8 {
            0 => value.to_owned(),
            1 => STANDARD.encode(value),
            2 => STANDARD.encode(format!("u:{value}")),
            3 => STANDARD
                .encode(format!("{value}!"))
                .replace('+', "-")
                .replace('/', "_"),
            4 => serde_json::to_string(value).unwrap(),
            5 => value.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            6 => value.replace('\n', "\r\n"),
            _ => value
                .lines()
                .rev()
                .map(|line| format!("> {line}\n"))
                .collect(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_form_of_a_value_gets_through(
            values in prop::collection::vec("[a-e]{5,8}|[!-)+-~]{5,40}|[ -)+-~\n]{5,60}|[é日\u{1f600}\"\\\\ ]{3,12}", 1..5),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), "[a-e \n]{0,20}|\\PC{0,20}"), 0..8),
            wrap in prop::option::of(1usize..80),
            sizes in prop::collection::vec(1usize..40, 1..20),
        ) {
            let mut text = String::new();
            for (value, how, between) in &pieces {
                text.push_str(between);
                text.push_str(&printed(value.get::<String>(&values), *how));
            }
            if let Some(width) = wrap {
                let chars: Vec<char> = text.chars().collect();
                let lines: Vec<String> = chars.chunks(width).map(|line| line.iter().collect()).collect();
                text = lines.join("\n");
            }
            let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            let masker = Masker::new(bytes.iter().copied()).unwrap();
            let finder = Finder::new(bytes.iter().copied()).unwrap();

            let mut stream = masker.stream();
            let mut out = Vec::new();
            let mut rest = text.as_bytes();
            for size in sizes.iter().cycle() {
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                stream.push(chunk, &mut out).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            stream.finish(&mut out).unwrap();
            prop_assert_eq!(finder.find(&out), []);

            let mut stream = masker.stream();
            let mut at_once = Vec::new();
            stream.push(text.as_bytes(), &mut at_once).unwrap();
            stream.finish(&mut at_once).unwrap();
            prop_assert_eq!(&out, &at_once, "the chunks make a difference");
            if finder.find(text.as_bytes()).is_empty() {
                prop_assert_eq!(&out, text.as_bytes());
            }
        }
    }
}
