//! Texts with places for values. What a place looks like is for whoever takes a text apart; here
//! the places are found, and values are filtered and put into them.

use zeroize::Zeroizing;

use crate::formats::Filter;
use crate::words::error::Result;
use crate::words::secret::SecretValue;

/// A text, taken apart; `S` is what a place in it stands for.
pub struct Places<'t, S>(Vec<Place<'t, S>>);

/// A part of a text: one that stays as it is, or a place for a value.
pub struct Place<'t, S> {
    /// Where it begins, in bytes.
    pub at: usize,
    /// What stands there, or is to.
    pub text: &'t [u8],
    /// What it stands for, where it is a place.
    pub subject: Option<S>,
    /// What the value is sent through, one after the other.
    pub filters: Vec<Filter>,
}

impl<'t, S> Places<'t, S> {
    /// Takes `bytes` apart. Wherever `open` stands, `place` tells for its offset what begins there
    /// and how many bytes it takes; `None` is nothing.
    ///
    /// # Errors
    /// What `place` fails with.
    pub fn parse(
        bytes: &'t [u8],
        open: &[u8],
        place: impl Fn(usize) -> Result<Option<(Place<'t, S>, usize)>>,
    ) -> Result<Self> {
        let mut places = Vec::new();
        let (mut done, mut from) = (0, 0);
        while let Some(found) = find(&bytes[from..], open) {
            let at = from + found;
            // A place may begin at the second of three braces.
            from = at + 1;
            if let Some((place, length)) = place(at)? {
                places.push(Place::text(done, &bytes[done..at]));
                places.push(place);
                done = at + length;
                from = done;
            }
        }
        places.push(Place::text(done, &bytes[done..]));
        Ok(Self(places))
    }

    /// What the places stand for, each with its place.
    pub fn iter(&self) -> impl Iterator<Item = (&S, &Place<'t, S>)> {
        let places = self.0.iter();
        places.filter_map(|place| Some((place.subject.as_ref()?, place)))
    }

    /// The text with the values that `value` gives for its places; `None` leaves one as it stands.
    ///
    /// # Errors
    /// What `value` fails with.
    pub fn fill(
        &self,
        value: impl Fn(&S, &Place<'t, S>) -> Result<Option<SecretValue>>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let pieces = self.0.iter().map(|place| {
            let value = place.subject.as_ref().map(|subject| value(subject, place));
            Ok((place.text, value.transpose()?.flatten()))
        });
        let pieces = pieces.collect::<Result<Vec<_>>>()?;
        let pieces = pieces.iter();
        let pieces = pieces.map(|(text, value)| value.as_ref().map_or(*text, SecretValue::expose));
        // As long as it will be: a vector that grows leaves its old memory behind unwiped.
        let length = pieces.clone().map(<[u8]>::len).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        pieces.for_each(|piece| text.extend_from_slice(piece));
        Ok(text)
    }
}

impl<'t, S> Place<'t, S> {
    /// A `text` that is no place.
    pub fn text(at: usize, text: &'t [u8]) -> Self {
        Self {
            at,
            text,
            subject: None,
            filters: Vec::new(),
        }
    }

    /// `value`, which belongs to `name`, as it is to stand here.
    ///
    /// # Errors
    /// `invalid_data` where a filter cannot write it.
    pub fn filtered(&self, name: &str, value: &SecretValue) -> Result<SecretValue> {
        let mut filters = self.filters.iter();
        filters.try_fold(value.clone(), |value, filter| {
            let filtered = filter.apply(name, &value).map_err(|error| {
                error.hint("the filters url and base64 take any bytes, and so does no filter")
            });
            Ok(filtered?.into())
        })
    }
}

/// Where `wanted` stands in `bytes` first.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
