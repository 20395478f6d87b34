//! Version constraints as Masterminds/semver v3.5.0 reads them: `>=1.2 <2 || ~3.1`, `^1.2.x`, `1.2 - 1.4`.
//!
//! A constraint is groups joined by `||`; a version passes if it passes every part of one group. A group without any prerelease
//! in it refuses prereleases. Source: `constraints.go` of github.com/Masterminds/semver/v3. What is four regular expressions there
//! is a few lines of scanning here, because every render of a chart checks a constraint or two: none of the patterns can match in
//! more than one way, since no version contains an operator, white space or a comma.

use std::cmp::Ordering;
use std::fmt;

use super::semver::{Version, compare_prerelease};
use super::strconv;

/// The longest text that is read at all, in bytes.
const MAX_LEN: usize = 512;
/// The most groups joined by `||`.
const MAX_GROUPS: usize = 32;

/// A parsed constraint.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
    /// Lets prereleases pass groups that name none.
    pub include_prerelease: bool,
}

#[derive(Clone, Debug)]
struct Group {
    parts: Vec<Part>,
    /// Some part names a prerelease.
    has_pre: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    TildeOrEqual,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

#[derive(Clone, Debug)]
struct Part {
    op: Op,
    op_text: &'static str,
    version: Version,
    /// The version as written.
    text: String,
    /// Some segment is a wildcard or missing: any, the minor, only the patch.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

impl Constraint {
    /// Parses a constraint.
    ///
    /// # Errors
    /// The text of the library's error, `improper constraint: "…"` mostly.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, String> {
        let text = text.as_ref();
        if text.len() > MAX_LEN {
            return Err(format!("constraint string is too long (max {MAX_LEN} bytes)"));
        }
        let text = rewrite_ranges(text);
        let ors = split_or(&text);
        if ors.len() > MAX_GROUPS {
            return Err(format!("too many constraint groups (max {MAX_GROUPS})"));
        }
        let mut groups = Vec::with_capacity(ors.len());
        for or in ors {
            let written = scan_group(or).ok_or_else(|| format!("improper constraint: {}", strconv::quote(or)))?;
            let parts = written.into_iter().map(Part::new).collect::<Result<Vec<_>, _>>()?;
            let has_pre = parts.iter().any(|p| !p.version.pre.is_empty());
            groups.push(Group { parts, has_pre });
        }
        Ok(Self { groups, include_prerelease: false })
    }

    /// Does the version satisfy the constraint?
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|g| {
            let include_pre = self.include_prerelease || g.has_pre;
            g.parts.iter().all(|p| p.failure(version, include_pre).is_none())
        })
    }

    /// As [`Constraint::check`], with the reasons of a refusal: every part of every group that failed.
    ///
    /// # Errors
    /// The library's texts, such as `"1.2.3" is less than "2"`.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        let mut told_prerelease = false;
        for g in &self.groups {
            let include_pre = self.include_prerelease || g.has_pre;
            let mut joy = true;
            for p in &g.parts {
                let Some(failure) = p.failure(version, include_pre) else { continue };
                joy = false;
                // A prerelease that nobody asked for is said once.
                if failure != Failure::Prerelease || !std::mem::replace(&mut told_prerelease, true) {
                    reasons.push(failure.text(version, &p.text));
                }
            }
            if joy {
                return Ok(());
            }
        }
        Err(reasons)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, g) in self.groups.iter().enumerate() {
            f.write_str(if i > 0 { " || " } else { "" })?;
            for (j, p) in g.parts.iter().enumerate() {
                write!(f, "{}{}{}", if j > 0 { " " } else { "" }, p.op_text, p.text)?;
            }
        }
        Ok(())
    }
}

/// An operator with its version as written: one match of the library's `constraintRegex`.
struct Written<'t> {
    op: Op,
    op_text: &'static str,
    version: Pattern<'t>,
}

/// A version with wildcards, by the library's `cvRegex`: `v?N(.N)?(.N)?(-ids)?(+ids)?`, where N may hold wildcards (and, by a
/// slip of the library, a bar). Segments after the first keep their dot, `pre` its hyphen.
struct Pattern<'t> {
    all: &'t str,
    major: &'t str,
    minor: &'t str,
    patch: &'t str,
    pre: &'t str,
}

/// Operators; of two that begin alike, the longer comes first.
const OPS: [(&str, Op); 11] = [
    ("!=", Op::NotEqual),
    (">=", Op::GreaterEqual),
    ("=>", Op::GreaterEqual),
    ("<=", Op::LessEqual),
    ("=<", Op::LessEqual),
    ("~>", Op::Tilde),
    ("=", Op::TildeOrEqual),
    (">", Op::Greater),
    ("<", Op::Less),
    ("~", Op::Tilde),
    ("^", Op::Caret),
];

/// Go's `\s`, which lacks the vertical tab.
const fn is_space(b: u8) -> bool {
    matches!(b, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

fn skip_space(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|b| !is_space(*b)).unwrap_or(text.len())..]
}

/// The parts of a group: the library's `validConstraintRegex` and `findConstraintRegex`. `None`: it is none.
fn scan_group(text: &[u8]) -> Option<Vec<Written<'_>>> {
    let mut parts = Vec::new();
    let mut rest = skip_space(text);
    loop {
        let (op_text, op) =
            OPS.into_iter().find(|(op, _)| rest.starts_with(op.as_bytes())).unwrap_or(("", Op::TildeOrEqual));
        let (version, after) = scan_version(skip_space(&rest[op_text.len()..]))?;
        parts.push(Written { op, op_text, version });
        rest = skip_space(after);
        if rest.is_empty() {
            return Some(parts);
        }
        if let Some(next) = rest.strip_prefix(b",") {
            rest = skip_space(next);
        } else if rest.len() == after.len() {
            return None;
        }
    }
}

/// The version that the text begins with, and what follows.
fn scan_version(text: &[u8]) -> Option<(Pattern<'_>, &[u8])> {
    let run = |from: usize, is: fn(u8) -> bool| text[from..].iter().take_while(|b| is(**b)).count();
    let number = |b: u8| b.is_ascii_digit() || matches!(b, b'x' | b'X' | b'*' | b'|');
    let identifier = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    // The end of `<mark>run(.run)*` at `from`, or `from` if there is none; `repeat` is whether more runs may follow.
    let marked = |from: usize, mark: u8, is: fn(u8) -> bool, repeat: bool| {
        let mut end = from;
        let mut want = mark;
        while text.get(end) == Some(&want) {
            let n = run(end + 1, is);
            if n == 0 {
                break;
            }
            end += 1 + n;
            want = b'.';
            if !repeat {
                break;
            }
        }
        end
    };
    let start = usize::from(text.first() == Some(&b'v'));
    let major = start + run(start, number);
    if major == start {
        return None;
    }
    let minor = marked(major, b'.', number, false);
    let patch = if minor == major { minor } else { marked(minor, b'.', number, false) };
    let pre = marked(patch, b'-', identifier, true);
    let end = marked(pre, b'+', identifier, true);
    // Only ASCII was taken.
    let part = |from: usize, to: usize| std::str::from_utf8(&text[from..to]).unwrap_or_default();
    let pattern = Pattern {
        all: part(0, end),
        major: part(start, major),
        minor: part(major, minor),
        patch: part(minor, patch),
        pre: part(patch, pre),
    };
    Some((pattern, &text[end..]))
}

/// `1.2 - 1.4` becomes `>= 1.2, <= 1.4 `, in place of the first text that looks the same, as the library does it.
fn rewrite_ranges(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let Some((low, high, end)) = scan_range(&text[at..]) else {
            at += 1;
            continue;
        };
        let whole = &text[at..at + end];
        let new = format!(">= {low}, <= {high} ");
        if let Some(i) = out.windows(whole.len()).position(|w| w == whole) {
            out.splice(i..i + whole.len(), new.into_bytes());
        }
        at += end;
    }
    out
}

/// The range that the text begins with, with the white space around it, and its length.
fn scan_range(text: &[u8]) -> Option<(&str, &str, usize)> {
    let (low, after) = scan_version(skip_space(text))?;
    let hyphen = skip_space(after);
    let high = hyphen.strip_prefix(b"-")?;
    let high_start = skip_space(high);
    if hyphen.len() == after.len() || high_start.len() == high.len() {
        return None;
    }
    let (high, after) = scan_version(high_start)?;
    Some((low.all, high.all, text.len() - skip_space(after).len()))
}

fn split_or(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut start, mut i) = (Vec::new(), 0, 0);
    while i + 1 < text.len() {
        if &text[i..i + 2] == b"||" {
            parts.push(&text[start..i]);
            start = i + 2;
            i += 1;
        }
        i += 1;
    }
    parts.push(&text[start..]);
    parts
}

fn is_wild(segment: &str) -> bool {
    matches!(segment.trim_start_matches('.'), "" | "x" | "X" | "*")
}

impl Part {
    fn new(written: Written<'_>) -> Result<Self, String> {
        let Written { op, op_text, version: Pattern { all, major, minor, patch, pre } } = written;
        let (mut minor_dirty, mut patch_dirty) = (false, false);
        let base = if is_wild(major) {
            format!("0.0.0{pre}")
        } else if is_wild(minor) {
            minor_dirty = true;
            format!("{major}.0.0{pre}")
        } else if is_wild(patch) {
            patch_dirty = true;
            format!("{major}{minor}.0{pre}")
        } else {
            all.to_owned()
        };
        let dirty = is_wild(major) || minor_dirty || patch_dirty;
        let version = Version::new(&base).map_err(|_| "constraint parser error")?;
        Ok(Self { op, op_text, version, text: all.to_owned(), dirty, minor_dirty, patch_dirty })
    }

    /// Why the version does not satisfy this part; `None` if it does.
    fn failure(&self, v: &Version, include_pre: bool) -> Option<Failure> {
        if !v.pre.is_empty() && !include_pre {
            return Some(Failure::Prerelease);
        }
        let c = &self.version;
        let unless = |ok: bool, failure| (!ok).then_some(failure);
        match self.op {
            Op::TildeOrEqual if self.dirty => self.tilde(v),
            Op::TildeOrEqual => unless(v.compare(c).is_eq(), Failure::NotEqual),
            Op::NotEqual => unless(self.not_equal(v), Failure::Equal),
            Op::Greater => unless(self.greater(v), Failure::LessOrEqual),
            Op::Less => unless(v.compare(c).is_lt(), Failure::GreaterOrEqual),
            Op::GreaterEqual => unless(v.compare(c).is_ge(), Failure::Less),
            Op::LessEqual => unless(self.less_equal(v), Failure::Greater),
            Op::Tilde => self.tilde(v),
            Op::Caret => self.caret(v),
        }
    }

    fn not_equal(&self, v: &Version) -> bool {
        let c = &self.version;
        if self.dirty {
            if c.major != v.major {
                return true;
            }
            if self.minor_dirty {
                return false;
            }
            if c.minor != v.minor {
                return true;
            }
            if self.patch_dirty {
                return compare_prerelease(&v.pre, &c.pre).is_ne();
            }
            if c.patch != v.patch {
                return true;
            }
        }
        v.compare(c).is_ne()
    }

    fn greater(&self, v: &Version) -> bool {
        let c = &self.version;
        if self.dirty {
            match v.major.cmp(&c.major) {
                Ordering::Greater => return true,
                Ordering::Less => return false,
                // `>11` wants 12, `>11.1` wants 11.2.
                Ordering::Equal if self.minor_dirty => return false,
                Ordering::Equal if self.patch_dirty => return v.minor > c.minor,
                Ordering::Equal => {}
            }
        }
        v.compare(c).is_gt()
    }

    fn less_equal(&self, v: &Version) -> bool {
        let c = &self.version;
        if !self.dirty {
            return v.compare(c).is_le();
        }
        !(v.major > c.major || (v.major == c.major && v.minor > c.minor && !self.minor_dirty))
    }

    fn tilde(&self, v: &Version) -> Option<Failure> {
        let c = &self.version;
        if v.compare(c).is_lt() {
            return Some(Failure::Less);
        }
        // `~0.0.0` and `*` take everything.
        if (c.major, c.minor, c.patch) == (0, 0, 0) && !self.minor_dirty && !self.patch_dirty {
            return None;
        }
        if v.major != c.major {
            return Some(Failure::OtherMajor);
        }
        (v.minor != c.minor && !self.minor_dirty).then_some(Failure::OtherMajorMinor)
    }

    fn caret(&self, v: &Version) -> Option<Failure> {
        let c = &self.version;
        if v.compare(c).is_lt() {
            return Some(Failure::Less);
        }
        if c.major > 0 || self.minor_dirty {
            return (v.major != c.major).then_some(Failure::OtherMajor);
        }
        if v.major > 0 {
            return Some(Failure::OtherMajor);
        }
        if c.minor > 0 || self.patch_dirty {
            return (v.minor != c.minor).then_some(Failure::OtherMinorOfZero);
        }
        if v.minor > 0 {
            return Some(Failure::OtherMinor);
        }
        (c.patch != v.patch).then_some(Failure::OtherPatchOfZero)
    }
}

/// Why a part refuses a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Prerelease,
    NotEqual,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    OtherMajor,
    OtherMajorMinor,
    OtherMinor,
    OtherMinorOfZero,
    OtherPatchOfZero,
}

impl Failure {
    fn text(self, version: &Version, constraint: &str) -> String {
        // Both are ASCII without quotes or backslashes, so `%q` is quotes around them.
        let (v, c) = (format!("\"{version}\""), format!("\"{constraint}\""));
        match self {
            Self::Prerelease => {
                format!("{v} is a prerelease version and the constraint is only looking for release versions")
            }
            Self::NotEqual => format!("{v} is not equal to {c}"),
            Self::Equal => format!("{v} is equal to {c}"),
            Self::Less => format!("{v} is less than {c}"),
            Self::LessOrEqual => format!("{v} is less than or equal to {c}"),
            Self::Greater => format!("{v} is greater than {c}"),
            Self::GreaterOrEqual => format!("{v} is greater than or equal to {c}"),
            Self::OtherMajor => format!("{v} does not have same major version as {c}"),
            Self::OtherMajorMinor => format!("{v} does not have same major and minor version as {c}"),
            Self::OtherMinor => format!("{v} does not have same minor version as {c}"),
            Self::OtherMinorOfZero => format!(
                "{v} does not have same minor version as {c}. Expected minor versions to match when constraint major version is 0"
            ),
            Self::OtherPatchOfZero => format!(
                "{v} does not equal {c}. Expect version and constraint to equal when major and minor versions are 0"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        for (constraint, version, want) in [
            ("1.2.3", "1.2.3+x", true),
            (">=1.2 <2", "1.9.9", true),
            (">=1.2, <2 || ~3.1", "3.1.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.3", true),
            (">11", "11.1.0", false),
            ("!=1.2", "1.2.9", false),
            ("1.2 - 1.4", "1.4.5", true),
            ("1.x", "1.9.0", true),
            ("*", "1.0.0-a", false),
            (">=1.0.0-0", "1.0.0-a", true),
            ("<=2", "2.9.9", true),
            ("<2-0", "2.0.0-alpha", false),
        ] {
            let c = Constraint::new(constraint).unwrap();
            let v = Version::new(version).unwrap();
            assert_eq!(c.check(&v), want, "{constraint} {version}");
            assert_eq!(c.validate(&v).is_ok(), want, "{constraint} {version}");
        }
    }

    #[test]
    fn errors() {
        for (text, want) in [
            ("", "improper constraint: \"\""),
            (">>1", "improper constraint: \">>1\""),
            ("1 || a\n", "improper constraint: \" a\\n\""),
            ("1|2.3.4", "constraint parser error"),
        ] {
            assert_eq!(Constraint::new(text).unwrap_err(), want);
        }
    }

    #[test]
    fn reasons() {
        let v = Version::new("1.2.3-a").unwrap();
        let c = Constraint::new("1 2 || ~3.1-0 || ^0.1-0").unwrap();
        assert_eq!(
            c.validate(&v).unwrap_err(),
            [
                "\"1.2.3-a\" is a prerelease version and the constraint is only looking for release versions",
                "\"1.2.3-a\" is less than \"3.1-0\"",
                "\"1.2.3-a\" does not have same major version as \"0.1-0\"",
            ]
        );
    }
}
