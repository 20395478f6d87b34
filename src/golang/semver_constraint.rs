//! Version constraints as Masterminds/semver v3.5.0 reads them: `>=1.2 <2 || ~3.1`, `^1.2.x`, `1.2 - 1.4`.
//!
//! A constraint is groups joined by `||`; a version passes if it passes every part of one group. A group without any prerelease
//! in it refuses prereleases. Source: `constraints.go` of github.com/Masterminds/semver/v3; the patterns are the library's own,
//! with Go's ASCII classes spelled out.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::semver::{Version, compare_prerelease};
use super::strconv;

/// The longest text that is read at all, in bytes.
const MAX_LEN: usize = 512;
/// The most groups joined by `||`.
const MAX_GROUPS: usize = 32;

const OPS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
/// A version with wildcards. Ten groups with the outer one; the `|` inside the classes is the library's slip and accepted.
const CV: &str = concat!(
    r"v?([0-9|x|X|*]+)(\.[0-9|x|X|*]+)?(\.[0-9|x|X|*]+)?",
    r"(-([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?",
    r"(\+([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?"
);
/// Go's `\s`, which lacks the vertical tab.
const S: &str = r"[\t\n\f\r ]";

fn pattern(text: &str) -> Regex {
    // The patterns are constants of this file, and the tests compile each.
    Regex::new(&format!("(?-u){text}")).expect("a constant pattern")
}

static ONE: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("^{S}*({OPS}){S}*({CV}){S}*$")));
static RANGE: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("{S}*({CV}){S}+-{S}+({CV}){S}*")));
static FIND: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("({OPS}){S}*({CV})")));
static VALID: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("^({S}*({OPS}){S}*({CV}){S}*)((?:{S}+|,{S}*)({OPS}){S}*({CV}){S}*)*$")));

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
            if !VALID.is_match(or) {
                return Err(improper(or));
            }
            let parts = FIND.find_iter(or).map(|m| Part::new(m.as_bytes())).collect::<Result<Vec<_>, _>>()?;
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

fn improper(text: &[u8]) -> String {
    format!("improper constraint: {}", strconv::quote(text))
}

/// `1.2 - 1.4` becomes `>= 1.2, <= 1.4 `, in place of the first text that looks the same, as the library does it.
fn rewrite_ranges(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for m in RANGE.captures_iter(text) {
        let whole = group(&m, 0);
        let new = [b">= ", group(&m, 1), b", <= ", group(&m, 11), b" "].concat();
        if let Some(at) = out.windows(whole.len()).position(|w| w == whole) {
            out.splice(at..at + whole.len(), new);
        }
    }
    out
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

fn group<'t>(m: &Captures<'t>, i: usize) -> &'t [u8] {
    m.get(i).map_or(b"", |m| m.as_bytes())
}

fn is_wild(segment: &str) -> bool {
    matches!(segment.trim_start_matches('.'), "" | "x" | "X" | "*")
}

impl Part {
    fn new(text: &[u8]) -> Result<Self, String> {
        let m = ONE.captures(text).ok_or_else(|| improper(text))?;
        // The pattern matches ASCII only.
        let field = |i| String::from_utf8_lossy(group(&m, i)).into_owned();
        let (op_text, op) = match group(&m, 1) {
            b"=" => ("=", Op::TildeOrEqual),
            b"!=" => ("!=", Op::NotEqual),
            b">" => (">", Op::Greater),
            b"<" => ("<", Op::Less),
            b">=" => (">=", Op::GreaterEqual),
            b"=>" => ("=>", Op::GreaterEqual),
            b"<=" => ("<=", Op::LessEqual),
            b"=<" => ("=<", Op::LessEqual),
            b"~" => ("~", Op::Tilde),
            b"~>" => ("~>", Op::Tilde),
            b"^" => ("^", Op::Caret),
            _ => ("", Op::TildeOrEqual),
        };
        let (text, major, minor, patch, pre) = (field(2), field(3), field(4), field(5), field(6));
        let (mut minor_dirty, mut patch_dirty) = (false, false);
        let written = if is_wild(&major) {
            format!("0.0.0{pre}")
        } else if is_wild(&minor) {
            minor_dirty = true;
            format!("{major}.0.0{pre}")
        } else if is_wild(&patch) {
            patch_dirty = true;
            format!("{major}{minor}.0{pre}")
        } else {
            text.clone()
        };
        let dirty = is_wild(&major) || minor_dirty || patch_dirty;
        let version = Version::new(&written).map_err(|_| "constraint parser error")?;
        Ok(Self { op, op_text, version, text, dirty, minor_dirty, patch_dirty })
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
