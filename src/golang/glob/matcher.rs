//! The library's matchers, `match/*.go`: each tells whether a whole text matches, how many characters it takes if that is fixed,
//! and where in a text it first matches with which lengths. Lengths and places are bytes where the library has bytes.

use crate::golang::unicode::{decode_rune, rune_count, runes};

#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Nothing,
    Super,
    Any(Vec<char>),
    Single(Vec<char>),
    List { chars: Vec<char>, not: bool },
    Range { lo: char, hi: char, not: bool },
    Text { text: Vec<u8>, length: usize },
    Contains { needle: Vec<u8>, not: bool },
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    PrefixAny(Vec<u8>, Vec<char>),
    SuffixAny(Vec<u8>, Vec<char>),
    PrefixSuffix(Vec<u8>, Vec<u8>),
    Min(usize),
    Max(usize),
    AnyOf(Vec<Self>),
    EveryOf(Vec<Self>),
    Row { matchers: Vec<Self>, length: usize },
    Tree { value: Box<Self>, left: Option<Box<Self>>, right: Option<Box<Self>> },
}

/// A place and the lengths that match there, shortest first.
type Found = Option<(usize, Vec<usize>)>;

impl Matcher {
    pub fn text(text: &[u8]) -> Self {
        Self::Text { text: text.to_vec(), length: rune_count(text) }
    }

    /// The number of characters it matches, if it is always the same.
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Single(_) | Self::List { .. } | Self::Range { .. } => Some(1),
            Self::Text { length, .. } | Self::Row { length, .. } => Some(*length),
            Self::AnyOf(all) => {
                let mut length = None;
                for m in all {
                    let this = m.length();
                    match length {
                        // The library takes a first alternative without a length for none at all.
                        None => length = this,
                        Some(_) if this == length => {}
                        Some(_) => return None,
                    }
                }
                length
            }
            Self::Tree { value, left, right } => {
                let side = |m: &Option<Box<Self>>| m.as_ref().map_or(Some(0), |m| m.length());
                Some(value.length()? + side(left)? + side(right)?)
            }
            _ => None,
        }
    }

    /// Does the whole text match? `steps` are left before giving up.
    pub fn matches(&self, s: &[u8], steps: &mut u64) -> bool {
        if *steps == 0 {
            return false;
        }
        *steps -= 1;
        match self {
            Self::Nothing => s.is_empty(),
            Self::Super => true,
            Self::Any(separators) => index_any(s, separators).is_none(),
            Self::Single(_) | Self::List { .. } | Self::Range { .. } => {
                let (c, width) = decode_rune(s);
                s.len() <= width && self.takes(c)
            }
            Self::Text { text, .. } => text == s,
            Self::Contains { needle, not } => index(s, needle).is_some() != *not,
            Self::Prefix(prefix) => s.starts_with(prefix),
            Self::Suffix(suffix) => s.ends_with(suffix),
            Self::PrefixAny(prefix, separators) => {
                s.strip_prefix(prefix.as_slice()).is_some_and(|rest| index_any(rest, separators).is_none())
            }
            Self::SuffixAny(suffix, separators) => {
                s.strip_suffix(suffix.as_slice()).is_some_and(|rest| index_any(rest, separators).is_none())
            }
            // The two may overlap.
            Self::PrefixSuffix(prefix, suffix) => s.starts_with(prefix) && s.ends_with(suffix),
            Self::Min(least) => !s.is_empty() && rune_count(s) >= *least,
            Self::Max(most) => rune_count(s) <= *most,
            Self::AnyOf(all) => all.iter().any(|m| m.matches(s, steps)),
            Self::EveryOf(all) => all.iter().all(|m| m.matches(s, steps)),
            Self::Row { matchers, length } => rune_count(s) == *length && row_matches(matchers, s, steps),
            Self::Tree { value, left, right } => {
                self.length().is_none_or(|n| n <= s.len())
                    && tree_matches(value, left.as_deref(), right.as_deref(), s, steps)
            }
        }
    }

    /// For the matchers of one character.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Single(separators) => !separators.contains(&c),
            Self::List { chars, not } => chars.contains(&c) != *not,
            Self::Range { lo, hi, not } => (*lo..=*hi).contains(&c) != *not,
            _ => false,
        }
    }

    /// The first place where it matches.
    fn index(&self, s: &[u8], steps: &mut u64) -> Found {
        *steps = steps.saturating_sub(1 + s.len() as u64 / 16);
        match self {
            Self::Nothing => Some((0, vec![0])),
            Self::Super => Some((0, starts(s, 0))),
            Self::Any(separators) => match index_any(s, separators) {
                Some(0) => Some((0, vec![0])),
                found => Some((0, starts(&s[..found.unwrap_or(s.len())], 0))),
            },
            Self::Single(_) | Self::List { .. } | Self::Range { .. } => {
                runes(s).find(|(_, c, _)| self.takes(*c)).map(|(i, c, _)| (i, vec![c.len_utf8()]))
            }
            Self::Text { text, .. } => index(s, text).map(|i| (i, vec![text.len()])),
            Self::Contains { needle, not } => contains_index(s, needle, *not),
            Self::Prefix(prefix) => {
                let i = index(s, prefix)?;
                Some((i, ends(&s[i + prefix.len()..], prefix.len())))
            }
            Self::Suffix(suffix) => index(s, suffix).map(|i| (0, vec![i + suffix.len()])),
            Self::PrefixAny(prefix, separators) => {
                let i = index(s, prefix)?;
                let rest = &s[i + prefix.len()..];
                let rest = &rest[..index_any(rest, separators).unwrap_or(rest.len())];
                Some((i, ends(rest, prefix.len())))
            }
            Self::SuffixAny(suffix, separators) => {
                let end = index(s, suffix)?;
                let start = last_index_any(&s[..end], separators).map_or(0, |i| i + 1);
                Some((start, vec![end + suffix.len() - start]))
            }
            Self::PrefixSuffix(prefix, suffix) => prefix_suffix_index(s, prefix, suffix),
            Self::Min(least) => {
                if s.len() < *least {
                    return None;
                }
                let ends: Vec<usize> =
                    runes(s).skip(least.saturating_sub(1)).map(|(i, c, _)| i + c.len_utf8()).collect();
                (!ends.is_empty()).then_some((0, ends))
            }
            Self::Max(most) => {
                let ends = runes(s).take(*most).map(|(i, c, _)| i + c.len_utf8());
                Some((0, std::iter::once(0).chain(ends).collect()))
            }
            Self::AnyOf(all) => {
                let mut best: Found = None;
                for m in all {
                    let Some((at, lengths)) = m.index(s, steps) else { continue };
                    match &mut best {
                        Some((first, _)) if at > *first => {}
                        Some((first, merged)) if at == *first => {
                            merged.extend(lengths);
                            merged.sort_unstable();
                            merged.dedup();
                        }
                        _ => best = Some((at, lengths)),
                    }
                }
                best
            }
            Self::EveryOf(all) => every_index(all, s, steps),
            Self::Row { matchers, length } => {
                for (i, _, _) in runes(s) {
                    let rest = &s[i..];
                    if rest.len() < *length || *steps == 0 {
                        break;
                    }
                    if row_matches(matchers, rest, steps) {
                        return Some((i, vec![*length]));
                    }
                }
                None
            }
            Self::Tree { .. } => None,
        }
    }
}

/// The places of all characters, and the end; each moved by `offset`.
fn starts(s: &[u8], offset: usize) -> Vec<usize> {
    runes(s).map(|(i, _, _)| offset + i).chain([offset + s.len()]).collect()
}

/// The beginning, and the end of each character; each moved by `offset`.
fn ends(s: &[u8], offset: usize) -> Vec<usize> {
    std::iter::once(offset).chain(runes(s).map(|(i, c, _)| offset + i + c.len_utf8())).collect()
}

fn contains_index(s: &[u8], needle: &[u8], not: bool) -> Found {
    let found = index(s, needle);
    if not {
        return Some((0, starts(&s[..found.unwrap_or(s.len())], 0)));
    }
    let offset = found? + needle.len();
    Some((0, if s.len() <= offset { vec![offset] } else { starts(&s[offset..], offset) }))
}

fn prefix_suffix_index(s: &[u8], prefix: &[u8], suffix: &[u8]) -> Found {
    let at = index(s, prefix)?;
    let mut rest = &s[at..];
    if suffix.is_empty() {
        return Some((at, vec![rest.len()]));
    }
    let mut lengths = Vec::new();
    while let Some(i) = rest.windows(suffix.len()).rposition(|w| w == suffix) {
        lengths.push(i + suffix.len());
        rest = &rest[..i];
    }
    lengths.reverse();
    (!lengths.is_empty()).then_some((at, lengths))
}

fn every_index(all: &[Matcher], s: &[u8], steps: &mut u64) -> Found {
    let (mut at, mut offset) = (0, 0);
    let mut current: Vec<usize> = Vec::new();
    let mut sub = s;
    for (i, m) in all.iter().enumerate() {
        let (found, lengths) = m.index(sub, steps)?;
        if i == 0 {
            current = lengths;
        } else {
            let here = found + offset;
            current.retain(|length| lengths.iter().any(|other| length + at == other + here));
            if current.is_empty() {
                return None;
            }
        }
        at = found + offset;
        sub = s.get(at..).unwrap_or_default();
        offset += found;
    }
    Some((at, current))
}

/// Each matcher in its turn takes as many characters as it is long.
fn row_matches(matchers: &[Matcher], s: &[u8], steps: &mut u64) -> bool {
    let mut rest = s;
    for m in matchers {
        let length = m.length().unwrap_or(0);
        let (mut last, mut count) = (0, 0);
        for (i, _, _) in runes(rest) {
            (last, count) = (i, count + 1);
            if count == length {
                break;
            }
        }
        // The library takes one byte of the last character, so that rows match one-byte characters only.
        let Some(part) = rest.get(..=last) else { return false };
        if count < length || !m.matches(part, steps) {
            return false;
        }
        rest = &rest[last + 1..];
    }
    true
}

fn tree_matches(value: &Matcher, left: Option<&Matcher>, right: Option<&Matcher>, s: &[u8], steps: &mut u64) -> bool {
    let side = |m: Option<&Matcher>, s: &[u8], steps: &mut u64| m.map_or(s.is_empty(), |m| m.matches(s, steps));
    // Lengths in characters cut what is searched in bytes, as in the library.
    let mut offset = left.map_or(0, |m| m.length().unwrap_or(0));
    let limit = s.len().saturating_sub(right.map_or(0, |m| m.length().unwrap_or(0)));
    while offset < limit && *steps > 0 {
        let Some((at, lengths)) = value.index(&s[offset..limit], steps) else { return false };
        let start = offset + at;
        if side(left, &s[..start], steps) {
            for length in lengths.iter().rev() {
                if side(right, s.get(start + length..).unwrap_or_default(), steps) {
                    return true;
                }
            }
        }
        let (_, step) = decode_rune(&s[start..]);
        if step == 0 {
            return false;
        }
        offset = start + step;
    }
    false
}

/// `strings.Index`
fn index(s: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    s.windows(needle.len()).position(|w| w == needle)
}

/// The first place of the first of the characters that is there at all.
fn index_any(s: &[u8], chars: &[char]) -> Option<usize> {
    chars.iter().find_map(|c| index(s, c.encode_utf8(&mut [0; 4]).as_bytes()))
}

fn last_index_any(s: &[u8], chars: &[char]) -> Option<usize> {
    chars.iter().find_map(|c| {
        let mut buffer = [0; 4];
        let needle = c.encode_utf8(&mut buffer).as_bytes();
        s.windows(needle.len()).rposition(|w| w == needle)
    })
}
