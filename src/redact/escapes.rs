//! The sequences that colour text on a terminal, taken out of a stream: what `grep --color`, `ls` and
//! runners of tests put into the middle of a value must not keep it from being found.
//!
//! Those are `ESC [ … m` and `ESC [ … K`. Everything else that begins with ESC moves what is
//! written, and is text like any other.

use memchr::memchr;

const ESC: u8 = 0x1b;

/// The longest sequence, in bytes, that is one.
pub(super) const LONGEST: usize = 32;

/// The most digits of a number in one: more may be a value.
const DIGITS: usize = 3;

/// The most sequences in a row that are taken out: more would pile up.
const IN_A_ROW: u8 = 8;

/// How far a stream has come.
#[derive(Default)]
pub(super) struct Escapes {
    /// A sequence that is not over yet.
    begun: Vec<u8>,
    /// How many have come since the last text.
    row: u8,
}

impl Escapes {
    /// Whether `input` goes on as text alone.
    pub(super) fn pass(&mut self, input: &[u8]) -> bool {
        let passes = self.begun.is_empty() && memchr(ESC, input).is_none();
        if passes && !input.is_empty() {
            self.row = 0;
        }
        passes
    }

    /// The text of `input` goes to `text`, and each sequence to `found`, with the length of the text
    /// before it. `text` grows by no more than `input` and [`LONGEST`].
    pub(super) fn split(
        &mut self,
        input: &[u8],
        text: &mut Vec<u8>,
        mut found: impl FnMut(usize, &[u8]),
    ) {
        let mut rest = input;
        while let Some((byte, after)) = rest.split_first() {
            if self.begun.is_empty() {
                let plain = memchr(ESC, rest).unwrap_or(rest.len());
                if plain == 0 {
                    self.begun.push(ESC);
                    rest = after;
                } else {
                    self.row = 0;
                    text.extend_from_slice(&rest[..plain]);
                    rest = &rest[plain..];
                }
            } else if !self.goes_on(*byte) {
                // The byte may begin another.
                self.give_up(text);
            } else {
                self.begun.push(*byte);
                rest = after;
                if matches!(byte, b'm' | b'K') {
                    self.row += 1;
                    match self.row <= IN_A_ROW {
                        true => {
                            found(text.len(), &self.begun);
                            self.begun.clear();
                        }
                        false => self.give_up(text),
                    }
                }
            }
        }
    }

    /// What has begun goes to `text`: nothing came of it.
    pub(super) fn give_up(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(&self.begun);
        self.begun.clear();
        self.row = 0;
    }

    /// How many bytes of a sequence have begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.len()
    }

    fn goes_on(&self, byte: u8) -> bool {
        let digits = self.begun.iter().rev();
        let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
        match byte {
            b'[' => self.begun.len() == 1,
            b'0'..=b'9' => {
                self.begun.len() > 1 && digits < DIGITS && self.begun.len() < LONGEST - 1
            }
            b';' | b':' => self.begun.len() > 1 && self.begun.len() < LONGEST - 1,
            b'm' | b'K' => self.begun.len() > 1,
            _ => false,
        }
    }
}
