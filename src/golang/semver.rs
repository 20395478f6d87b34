//! Semantic versions as Masterminds/semver v3.5.0 reads and orders them.
//!
//! The lax reading ([`Version::new`]) takes a leading `v`, missing segments and leading zeros in segments; the strict one
//! ([`Version::strict`]) takes only what semver.org allows. Metadata never counts in a comparison. A version remembers the text
//! it was read from. Source: `version.go` of github.com/Masterminds/semver/v3.

use std::cmp::Ordering;
use std::fmt;

/// The longest text that is read at all, in bytes.
const MAX_LEN: usize = 256;
const INVALID: &str = "invalid semantic version";

/// One version. Its texts are ASCII whenever it was parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    /// The prerelease without its `-`; empty if none.
    pub pre: String,
    /// The build metadata without its `+`; empty if none.
    pub metadata: String,
    /// The text that was parsed.
    pub original: String,
}

impl Version {
    /// Reads a version leniently: `v1`, `1.2`, `01.2.3` are versions.
    ///
    /// # Errors
    /// The text of the library's error.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, String> {
        let text = text.as_ref();
        if text.len() > MAX_LEN {
            return Err(too_long());
        }
        let parts = loose(text).ok_or(INVALID)?;
        let segment = |s: &str| {
            if s.is_empty() {
                return Ok(0);
            }
            parse_uint(s).map_err(|e| format!("error parsing version segment: {e}"))
        };
        let version = Self {
            major: segment(parts.major)?,
            minor: segment(parts.minor)?,
            patch: segment(parts.patch)?,
            pre: parts.pre.into(),
            metadata: parts.metadata.into(),
            original: parts.all.into(),
        };
        if !version.pre.is_empty() {
            validate_prerelease(&version.pre)?;
        }
        if !version.metadata.is_empty() {
            validate_metadata(&version.metadata)?;
        }
        Ok(version)
    }

    /// Reads a version as semver.org defines it.
    ///
    /// # Errors
    /// The text of the library's error.
    pub fn strict(text: impl AsRef<[u8]>) -> Result<Self, String> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err("version string empty".into());
        }
        if text.len() > MAX_LEN {
            return Err(too_long());
        }
        // What is not UTF-8 shows up as U+FFFD and is refused like any other character outside of ASCII.
        let text = String::from_utf8_lossy(text);
        let mut it = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(mut patch)) = (it.next(), it.next(), it.next()) else {
            return Err(INVALID.into());
        };
        let (mut pre, mut metadata) = ("", "");
        if let Some((head, tail)) = patch.split_once('+') {
            validate_metadata(tail)?;
            (patch, metadata) = (head, tail);
        }
        if let Some((head, tail)) = patch.split_once('-') {
            validate_prerelease(tail)?;
            (patch, pre) = (head, tail);
        }
        for p in [major, minor, patch] {
            if !is_digits(p) {
                return Err("invalid characters in version".into());
            }
            if p.len() > 1 && p.starts_with('0') {
                return Err(STARTS_ZERO.into());
            }
        }
        Ok(Self {
            major: parse_uint(major)?,
            minor: parse_uint(minor)?,
            patch: parse_uint(patch)?,
            pre: pre.into(),
            metadata: metadata.into(),
            original: text.to_string(),
        })
    }

    /// The library's order: segments, then prereleases; metadata is ignored.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        self.major.cmp(&other.major).then(self.minor.cmp(&other.minor)).then(self.patch.cmp(&other.patch)).then_with(
            || match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.pre, &other.pre),
            },
        )
    }

    /// The next major version: everything below it is reset.
    ///
    /// # Errors
    /// The text of the library's panic when the number would overflow; so for the other two.
    pub fn inc_major(&self) -> Result<Self, String> {
        let major = self.major.checked_add(1).ok_or("major version increment would overflow uint64")?;
        Ok(self.next(major, 0, 0))
    }

    /// The next minor version.
    ///
    /// # Errors
    /// As [`Version::inc_major`].
    pub fn inc_minor(&self) -> Result<Self, String> {
        let minor = self.minor.checked_add(1).ok_or("minor version increment would overflow uint64")?;
        Ok(self.next(self.major, minor, 0))
    }

    /// The next patch version; of a prerelease that is its release.
    ///
    /// # Errors
    /// As [`Version::inc_major`].
    pub fn inc_patch(&self) -> Result<Self, String> {
        let patch = if self.pre.is_empty() {
            self.patch.checked_add(1).ok_or("patch version increment would overflow uint64")?
        } else {
            self.patch
        };
        Ok(self.next(self.major, self.minor, patch))
    }

    fn next(&self, major: u64, minor: u64, patch: u64) -> Self {
        let next =
            Self { major, minor, patch, pre: String::new(), metadata: String::new(), original: self.original.clone() };
        next.rename()
    }

    /// The same version with another prerelease (empty for none).
    ///
    /// # Errors
    /// If it is not a prerelease.
    pub fn set_prerelease(&self, pre: &str) -> Result<Self, String> {
        if !pre.is_empty() {
            validate_prerelease(pre)?;
        }
        Ok(Self { pre: pre.into(), ..self.clone() }.rename())
    }

    /// The same version with other metadata (empty for none).
    ///
    /// # Errors
    /// If it is not metadata.
    pub fn set_metadata(&self, metadata: &str) -> Result<Self, String> {
        if !metadata.is_empty() {
            validate_metadata(metadata)?;
        }
        Ok(Self { metadata: metadata.into(), ..self.clone() }.rename())
    }

    /// A changed version's original text is its canonical one, with the `v` kept.
    fn rename(mut self) -> Self {
        let v = if self.original.starts_with('v') { "v" } else { "" };
        self.original = format!("{v}{self}");
        self
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn too_long() -> String {
    format!("version string is too long (max {MAX_LEN} bytes)")
}

const STARTS_ZERO: &str = "version segment starts with 0";

/// What `looseSemVerRegex` captures: `v?N(.N)?(.N)?(-ids)?(+ids)?` and nothing else. Missing parts are empty.
struct Loose<'a> {
    all: &'a str,
    major: &'a str,
    minor: &'a str,
    patch: &'a str,
    pre: &'a str,
    metadata: &'a str,
}

fn loose(text: &[u8]) -> Option<Loose<'_>> {
    let all = std::str::from_utf8(text).ok().filter(|s| s.is_ascii())?;
    let mut rest = all.strip_prefix('v').unwrap_or(all);
    let major = take(&mut rest, |b| b.is_ascii_digit());
    if major.is_empty() {
        return None;
    }
    let mut segment = || {
        let mut after = rest.strip_prefix('.')?;
        let digits = take(&mut after, |b| b.is_ascii_digit());
        (!digits.is_empty()).then(|| {
            rest = after;
            digits
        })
    };
    let minor = segment().unwrap_or("");
    let patch = if minor.is_empty() { "" } else { segment().unwrap_or("") };
    let pre = identifiers(&mut rest, '-')?;
    let metadata = identifiers(&mut rest, '+')?;
    rest.is_empty().then_some(Loose { all, major, minor, patch, pre, metadata })
}

/// Cuts the longest prefix of bytes that satisfy `is`.
fn take<'a>(rest: &mut &'a str, is: impl Fn(u8) -> bool) -> &'a str {
    let n = rest.bytes().position(|b| !is(b)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(n);
    *rest = tail;
    head
}

/// Cuts `<mark>id(.id)*`; empty if the mark is not there, `None` if an identifier is empty.
fn identifiers<'a>(rest: &mut &'a str, mark: char) -> Option<&'a str> {
    let Some(mut after) = rest.strip_prefix(mark) else {
        return Some("");
    };
    let ids = take(&mut after, |b| is_allowed(b) || b == b'.');
    *rest = after;
    ids.split('.').all(|id| !id.is_empty()).then_some(ids)
}

const fn is_allowed(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-'
}

fn is_digits(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_digit())
}

/// `strconv.ParseUint(s, 10, 64)` of a text of digits.
fn parse_uint(s: &str) -> Result<u64, String> {
    s.parse().map_err(|_| {
        let why = if s.is_empty() { "invalid syntax" } else { "value out of range" };
        format!("strconv.ParseUint: parsing \"{s}\": {why}")
    })
}

fn validate_prerelease(pre: &str) -> Result<(), String> {
    for id in pre.split('.') {
        if id.is_empty() || !id.bytes().all(is_allowed) {
            return Err("invalid prerelease string".into());
        }
        if id.len() > 1 && id.starts_with('0') && is_digits(id) {
            return Err(STARTS_ZERO.into());
        }
    }
    Ok(())
}

fn validate_metadata(metadata: &str) -> Result<(), String> {
    if metadata.split('.').any(|id| id.is_empty() || !id.bytes().all(is_allowed)) {
        return Err("invalid metadata string".into());
    }
    Ok(())
}

/// The order of two prereleases, one of which may be empty (then it is the lesser).
pub(super) fn compare_prerelease(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() {
            return Ordering::Equal;
        }
        let order = compare_identifier(x.unwrap_or(""), y.unwrap_or(""));
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_identifier(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    // What does not fit into a uint64 is a word to the library.
    let number = |s: &str| if is_digits(s) { s.parse::<u64>().ok() } else { None };
    match (a.is_empty(), b.is_empty(), number(a), number(b)) {
        (true, ..) => Ordering::Less,
        (_, true, ..) => Ordering::Greater,
        (.., None, None) => a.cmp(b),
        (.., Some(_), None) => Ordering::Less,
        (.., None, Some(_)) => Ordering::Greater,
        (.., Some(x), Some(y)) if x > y => Ordering::Greater,
        _ => Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lax() {
        for (text, want) in [
            ("1", Ok("1.0.0")),
            ("v1.2", Ok("1.2.0")),
            ("01.02.3-a.b+c", Ok("1.2.3-a.b+c")),
            ("1.2.3.4", Err(INVALID)),
            ("", Err(INVALID)),
            ("1.2.3-", Err(INVALID)),
            ("1.2.3-01", Err(STARTS_ZERO)),
            ("1.", Err(INVALID)),
            ("1-0+0", Ok("1.0.0-0+0")),
            (
                "99999999999999999999",
                Err(
                    "error parsing version segment: strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
                ),
            ),
        ] {
            let got = Version::new(text);
            assert_eq!(
                got.as_ref().map(ToString::to_string).map_err(String::as_str),
                want.map(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn strict() {
        for (text, want) in [
            ("1.2.3-a.1+m", Ok("1.2.3-a.1+m")),
            ("1.2", Err(INVALID)),
            ("v1.2.3", Err("invalid characters in version")),
            ("1.02.3", Err(STARTS_ZERO)),
            ("1..3", Err("strconv.ParseUint: parsing \"\": invalid syntax")),
            ("1.2.3+", Err("invalid metadata string")),
        ] {
            let got = Version::strict(text);
            assert_eq!(
                got.as_ref().map(ToString::to_string).map_err(String::as_str),
                want.map(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn order() {
        let sorted =
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.1"];
        for pair in sorted.windows(2) {
            let (a, b) = (Version::new(pair[0]).unwrap(), Version::new(pair[1]).unwrap());
            assert_eq!(a.compare(&b), Ordering::Less, "{pair:?}");
            assert_eq!(b.compare(&a), Ordering::Greater, "{pair:?}");
        }
    }
}
