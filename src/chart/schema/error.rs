//! Violations, as a tree, and how they print.
//!
//! A port of the texts of `kind/kind.go` and of `output.go` of santhosh-tekuri/jsonschema 6.0.3, with numbers as the English
//! printer of golang.org/x/text writes them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::location::{pointer, single_quote};
use crate::golang::strconv::format_float;

/// One violation, and those inside it.
#[derive(Debug)]
pub(super) struct Violation {
    pub at: At,
    pub kind: Kind,
    pub causes: Vec<Self>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Nobody will print it: only whether there is one matters.
    Silent,
    /// The whole: its text has no place.
    Schema(String),
    Group,
    Reference,
    Other(String),
}

/// The place in the instance.
#[derive(Debug)]
pub(super) enum At {
    Path(Vec<Arc<str>>),
    /// The library keeps a slice here whose array is written to later; see [`Path`].
    Shared(Path),
}

impl Violation {
    pub const fn silent() -> Self {
        Self { at: At::Path(Vec::new()), kind: Kind::Silent, causes: Vec::new() }
    }

    pub fn print(&self) -> String {
        let mut out = String::new();
        self.display(&mut out, 0);
        out
    }

    fn display(&self, out: &mut String, mut indent: usize) {
        // A reference with one cause says nothing itself.
        if !(matches!(self.kind, Kind::Reference) && self.causes.len() == 1) {
            if indent > 0 {
                out.push('\n');
                out.push_str(&"  ".repeat(indent - 1));
                out.push_str("- ");
            }
            indent += 1;
            if !matches!(self.kind, Kind::Schema(_)) {
                let at = match &self.at {
                    At::Path(p) => pointer(p),
                    At::Shared(p) => pointer(&p.tokens()),
                };
                out.push_str(&format!("at {}: ", single_quote(&at)));
            }
            out.push_str(match &self.kind {
                Kind::Schema(text) | Kind::Other(text) => text,
                Kind::Group | Kind::Reference => "validation failed",
                Kind::Silent => "",
            });
        }
        for cause in &self.causes {
            cause.display(out, indent);
        }
    }
}

/// A path that grows as a Go slice does: longer paths made from one share its array while there is room.
///
/// That shows in messages: for `propertyNames` the library keeps the slice itself, and a later sibling's name is then in the array.
#[derive(Clone, Debug)]
pub(super) struct Path {
    array: Rc<RefCell<Vec<Arc<str>>>>,
    len: usize,
    capacity: usize,
}

impl Path {
    pub fn new() -> Self {
        Self { array: Rc::default(), len: 0, capacity: 8 }
    }

    pub fn join(&self, token: Arc<str>) -> Self {
        let (array, capacity) = if self.len < self.capacity {
            (self.array.clone(), self.capacity)
        } else {
            (Rc::new(RefCell::new(self.tokens())), self.capacity * 2)
        };
        {
            let mut tokens = array.borrow_mut();
            match tokens.get_mut(self.len) {
                Some(t) => *t = token,
                None => tokens.push(token),
            }
        }
        Self { array, len: self.len + 1, capacity }
    }

    pub fn tokens(&self) -> Vec<Arc<str>> {
        self.array.borrow()[..self.len].to_vec()
    }
}

/// `%d`.
pub(super) fn int(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}", group(&digits))
}

/// Commas between thousands.
fn group(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `%v` of a float: powers of ten from 10⁶ and below 10⁻⁴.
pub(super) fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    let sign = if f.is_sign_negative() { "-" } else { "" };
    if f.is_infinite() {
        return format!("{sign}∞");
    }
    // d.ddde±dd
    let text = format_float(f.abs(), b'e', -1, 64);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if f != 0.0 && !(-4..6).contains(&exponent) {
        let minus = if exponent < 0 { "⁻" } else { "" };
        let digits: String = format!("{:02}", exponent.abs()).chars().map(superscript).collect();
        return format!("{sign}{mantissa}×10{minus}{digits}");
    }
    let plain = format_float(f.abs(), b'f', -1, 64);
    match plain.split_once('.') {
        Some((int, frac)) => format!("{sign}{}.{frac}", group(int)),
        None => format!("{sign}{}", group(&plain)),
    }
}

const fn superscript(digit: char) -> char {
    match digit {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_english() {
        for (f, want) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1234.5, "1,234.5"),
            (123_456.0, "123,456"),
            (1e6, "1×10⁰⁶"),
            (-1_234_567.0, "-1.234567×10⁰⁶"),
            (0.0001, "0.0001"),
            (0.00001, "1×10⁻⁰⁵"),
            (1.5e300, "1.5×10³⁰⁰"),
        ] {
            assert_eq!(float(f), want);
        }
        assert_eq!((int(1_234_567), int(-5), int(999)), ("1,234,567".into(), "-5".into(), "999".into()));
    }
}
