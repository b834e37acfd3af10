//! Bytes that are wiped when they are dropped, at the speed of memory.

use std::ops::{Deref, DerefMut};

use zeroize::Zeroizing;

/// Bytes that are wiped on drop. Whoever lets them grow past their capacity other than by
/// [`push`](Self::push) leaves a copy behind.
#[derive(Clone, Default)]
pub struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// Appends `bytes`. Memory that is outgrown is wiped.
    pub fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            self.make_room(needed.max(self.0.capacity() * 2));
        }
        self.0.extend_from_slice(bytes);
    }

    /// Makes room for so many bytes in all. Memory that is outgrown is wiped.
    pub fn make_room(&mut self, capacity: usize) {
        if capacity > self.0.capacity() {
            let roomier = Self::from(Vec::with_capacity(capacity));
            let outgrown = std::mem::replace(self, roomier);
            self.0.extend_from_slice(&outgrown);
        }
    }

    /// Hands the bytes on, to be wiped by whoever has them then.
    pub fn into_zeroizing(mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.0)
    }
}

impl From<Zeroizing<Vec<u8>>> for Wiped {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        // The vector wipes what it holds byte by byte, and the room that it has left all at once.
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_keeps_what_it_holds() {
        let mut bytes = Wiped::default();
        for piece in [&b"ab"[..], b"", b"c", &[b'x'; 100], b"d"] {
            bytes.push(piece);
        }
        let expected = [&b"abc"[..], &[b'x'; 100], b"d"].concat();
        assert_eq!(**bytes, expected);
        assert_eq!(*bytes.into_zeroizing(), expected);
    }
}
