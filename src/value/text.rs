//! Go's string: immutable bytes, usually but not necessarily UTF-8.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::golang::unicode;

const INLINE: usize = Str::INLINE;

/// An immutable byte string, cheap to clone: a short one is copied, a long one shared.
pub struct Str(Repr);

enum Repr {
    Short { len: u8, bytes: [u8; INLINE] },
    Long(Arc<[u8]>),
}

impl Str {
    /// How many bytes lie in the `Str` itself: names, keys and most scalars of a chart are no longer.
    pub const INLINE: usize = 22;

    pub fn new(s: impl AsRef<[u8]>) -> Self {
        let s = s.as_ref();
        Self::short(s).unwrap_or_else(|| Self(Repr::Long(Arc::from(s))))
    }

    #[inline]
    fn short(s: &[u8]) -> Option<Self> {
        if s.len() > INLINE {
            return None;
        }
        let mut bytes = [0; INLINE];
        bytes[..s.len()].copy_from_slice(s);
        Some(Self(Repr::Short { len: s.len() as u8, bytes }))
    }

    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Long(s) => s,
        }
    }

    /// The first eight bytes as a number that orders as they do, with zeros behind a shorter text: most texts differ there, and to
    /// compare numbers takes no call. Where they are equal the rest decides.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        match &self.0 {
            Repr::Short { bytes, .. } => bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)),
            Repr::Long(s) => head_of(s),
        }
    }

    /// The text, with U+FFFD where the bytes are not UTF-8. For messages; never for data.
    pub fn to_text(&self) -> Cow<'_, str> {
        unicode::to_text(self)
    }
}

impl Clone for Str {
    #[inline]
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Repr::Short { len, bytes } => Repr::Short { len: *len, bytes: in_pieces(bytes) },
            Repr::Long(s) => Repr::Long(s.clone()),
        })
    }
}

/// [`Str::head`] of bytes.
#[inline]
pub(super) fn head_of(s: &[u8]) -> u64 {
    if let Some(first) = s.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    // Put together in registers, of pieces that may overlap: through memory they would have to be waited for.
    let n = s.len();
    let last = 8 * (8 - n as u32);
    if let (Some(first), Some(end)) = (s.first_chunk(), s.last_chunk()) {
        return u64::from(u32::from_be_bytes(*first)) << 32 | u64::from(u32::from_be_bytes(*end)) << last;
    }
    let at = |i: usize| u64::from(s.get(i).copied().unwrap_or(0)) << (56 - 8 * i as u32);
    at(0) | at(1) | at(2)
}

/// A copy made of pieces that registers hold. Left to itself the compiler moves the bytes beside the tag in two halves that overlap,
/// of every value whatever it is, and who reads them next waits for both to be written: ten nanoseconds each time.
#[inline(always)]
fn in_pieces(bytes: &[u8; INLINE]) -> [u8; INLINE] {
    let mut copy = [0; INLINE];
    let (two, rest) = bytes.split_at(2);
    let (four, rest) = rest.split_at(4);
    let (first, last) = rest.split_at(8);
    let eight = |piece: &[u8]| piece.try_into().map_or(0, u64::from_ne_bytes).to_ne_bytes();
    copy[..2].copy_from_slice(&two.try_into().map_or(0, u16::from_ne_bytes).to_ne_bytes());
    copy[2..6].copy_from_slice(&four.try_into().map_or(0, u32::from_ne_bytes).to_ne_bytes());
    copy[6..14].copy_from_slice(&eight(first));
    copy[14..].copy_from_slice(&eight(last));
    copy
}

impl Default for Str {
    fn default() -> Self {
        Self(Repr::Short { len: 0, bytes: [0; INLINE] })
    }
}
impl PartialEq for Str {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Str {}
impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Str {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head().cmp(&other.head()).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}
impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
impl Deref for Str {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl std::borrow::Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl From<&str> for Str {
    fn from(s: &str) -> Self {
        Self::new(s)
    }
}
impl From<String> for Str {
    fn from(s: String) -> Self {
        Self::new(s)
    }
}
impl From<Vec<u8>> for Str {
    fn from(s: Vec<u8>) -> Self {
        Self::new(s)
    }
}
impl From<Arc<[u8]>> for Str {
    /// Shares the bytes.
    fn from(s: Arc<[u8]>) -> Self {
        Self::short(&s).unwrap_or(Self(Repr::Long(s)))
    }
}
impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_text(), f)
    }
}
impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_are_one_type() {
        assert_eq!(size_of::<Str>(), 24);
        for n in [0, 1, INLINE - 1, INLINE, INLINE + 1, 100] {
            let text = vec![b'x'; n];
            let s = Str::new(&text);
            assert_eq!(s.as_bytes(), text);
            assert_eq!(s, Str::from(Arc::<[u8]>::from(&text[..])));
            assert_eq!(s.clone().cmp(&Str::new([&text[..], b"y"].concat())), Ordering::Less);
        }
        assert_eq!(Str::default(), Str::from(""));
    }

    #[test]
    fn texts_are_ordered_by_their_bytes() {
        let mut texts: Vec<Vec<u8>> = vec![b"a\xff".to_vec(), vec![0xff; 9], b"bcdefgh".to_vec(), b"bcdefgha".to_vec()];
        for len in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, INLINE, INLINE + 1, 40] {
            for (at, byte) in [(0, b'b'), (2, 0), (3, 1), (6, b'z'), (7, 0), (8, b'c'), (21, 0x80)] {
                let mut text = vec![b'a'; len];
                if let Some(b) = text.get_mut(at) {
                    *b = byte;
                }
                texts.push(text);
            }
        }
        for a in &texts {
            let padded = [a.as_slice(), &[0; 8]].concat();
            assert_eq!(Str::new(a).head(), u64::from_be_bytes(*padded.first_chunk().unwrap()), "{a:?}");
            assert_eq!(Str::new(a).head(), head_of(a));
            for b in &texts {
                assert_eq!(Str::new(a).cmp(&Str::new(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }
}
