//! Texts with places for values. What a place looks like is for whoever takes a text apart; here
//! the places are found, and values are filtered and put into them.

use zeroize::Zeroizing;

use crate::formats::Filter;
use crate::words::error::Result;
use crate::words::secret::SecretValue;

/// A text, taken apart; `S` is what a place in it stands for.
pub struct Places<'t, S>(Vec<Part<'t, S>>);

/// A part of a text.
pub enum Part<'t, S> {
    /// Bytes that stay as they are.
    Text(&'t [u8]),
    /// A place.
    Place(Place<'t, S>),
}

/// A place for a value.
pub struct Place<'t, S> {
    /// Where it begins, in bytes.
    pub at: usize,
    /// What stands there.
    pub text: &'t [u8],
    /// What it stands for.
    pub subject: S,
    /// What the value is sent through, one after the other.
    pub filters: Vec<Filter>,
}

/// What comes into a place.
pub enum Piece<'v> {
    /// Bytes as they are.
    Plain(&'v [u8]),
    /// A filtered value.
    Filtered(SecretValue),
}

impl<'t, S> Places<'t, S> {
    /// Takes `bytes` apart. Wherever `open` stands, `part` tells for its offset what begins there
    /// and how many bytes it takes; `None` is nothing.
    ///
    /// # Errors
    /// What `part` fails with.
    pub fn parse(
        bytes: &'t [u8],
        open: &[u8],
        part: impl Fn(usize) -> Result<Option<(Part<'t, S>, usize)>>,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        let (mut done, mut from) = (0, 0);
        while let Some(found) = find(&bytes[from..], open) {
            let at = from + found;
            // A place may begin at the second of three braces.
            from = at + 1;
            if let Some((part, length)) = part(at)? {
                parts.push(Part::Text(&bytes[done..at]));
                parts.push(part);
                done = at + length;
                from = done;
            }
        }
        parts.push(Part::Text(&bytes[done..]));
        Ok(Self(parts))
    }

    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = &Place<'t, S>> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place),
            Part::Text(_) => None,
        })
    }

    /// The text with what `piece` gives for each place.
    ///
    /// # Errors
    /// What `piece` fails with.
    pub fn fill<'v>(
        &'v self,
        piece: impl Fn(&'v Place<'t, S>) -> Result<Piece<'v>>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let pieces = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(Piece::Plain(text)),
            Part::Place(place) => piece(place),
        });
        let pieces = pieces.collect::<Result<Vec<_>>>()?;
        // As long as it will be: a vector that grows leaves its old memory behind unwiped.
        let length = pieces.iter().map(|piece| piece.bytes().len()).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        for piece in &pieces {
            text.extend_from_slice(piece.bytes());
        }
        Ok(text)
    }
}

impl<S> Place<'_, S> {
    /// `value`, which belongs to `name`, as it is to stand here.
    ///
    /// # Errors
    /// `invalid_data` where a filter cannot write it.
    pub fn write<'v>(&self, name: &str, value: &'v SecretValue) -> Result<Piece<'v>> {
        let mut piece = Piece::Plain(value.expose());
        for filter in &self.filters {
            let value = match &piece {
                Piece::Plain(_) => filter.apply(name, value),
                Piece::Filtered(value) => filter.apply(name, value),
            };
            let value = value.map_err(|error| {
                error.hint("the filters url and base64 take any bytes, and so does no filter")
            })?;
            piece = Piece::Filtered(value.into());
        }
        Ok(piece)
    }
}

impl Piece<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Filtered(value) => value.expose(),
        }
    }
}

/// Where `wanted` stands in `bytes` first.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
