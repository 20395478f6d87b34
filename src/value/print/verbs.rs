//! The format string: flags, widths, precisions, argument indexes, and the `%!` texts for what is wrong with them.

use super::Unprintable;
use super::walk::Walker;
use crate::golang::fmt::Spec;
use crate::golang::unicode::{decode_rune, push_rune};
use crate::value::Value;

/// Widths and precisions beyond this are refused.
const MAX_NUMBER: i64 = 1_000_000;

/// Reads the format from left to right.
struct Reader<'a> {
    format: &'a [u8],
    at: usize,
    /// The next argument.
    arg: usize,
    count: usize,
    /// An explicit index was seen.
    reordered: bool,
    /// The explicit indexes of this verb are good.
    good: bool,
    /// What was read last was an explicit index.
    after_index: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// A decimal number up to `end`. An absurdly long one counts as none and swallows everything.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut n = None;
        while let Some(d) = self.format[..end].get(self.at).filter(|c| c.is_ascii_digit()) {
            let so_far = n.unwrap_or(0);
            if so_far > MAX_NUMBER as usize {
                self.at = end;
                return None;
            }
            n = Some(so_far * 10 + usize::from(d - b'0'));
            self.at += 1;
        }
        n
    }

    /// `[n]`, if it comes next.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let close = rest.iter().position(|&c| c == b']').filter(|_| rest.len() >= 3);
        let Some(close) = close.map(|i| self.at + i) else {
            self.at += 1;
            self.good = false;
            return;
        };
        self.at += 1;
        let n = self.number(close).filter(|_| self.at == close);
        self.at = close + 1;
        // Counted from 1. A number out of range is an index all the same.
        self.after_index = n.is_some();
        match n.and_then(|n| n.checked_sub(1)).filter(|n| *n < self.count) {
            Some(n) => self.arg = n,
            None => self.good = false,
        }
    }

    /// The argument that a `*` stands for.
    fn star(&mut self, args: &[Value]) -> Option<i64> {
        let arg = args.get(self.arg)?;
        self.arg += 1;
        let n = match arg {
            Value::Object(o) => o.int(),
            other => other.as_int(),
        };
        n.and_then(|n| i64::try_from(n).ok()).filter(|n| (-MAX_NUMBER..=MAX_NUMBER).contains(n))
    }
}

/// `fmt.Fprintf` to the walker's text.
pub(super) fn printf(walker: &mut Walker<'_>, format: &[u8], args: &[Value]) -> Result<(), Unprintable> {
    let mut r = Reader { format, at: 0, arg: 0, count: args.len(), reordered: false, good: true, after_index: false };
    while r.at < format.len() {
        r.good = true;
        let text = format[r.at..].split(|&c| c == b'%').next().unwrap_or_default();
        walker.out.extend_from_slice(text);
        walker.check()?;
        r.at += text.len();
        if r.at >= format.len() {
            break;
        }
        r.at += 1;
        verb(walker, &mut r, args)?;
    }
    // Arguments used out of order cannot be counted.
    if !r.reordered && r.arg < args.len() {
        walker.spec = Spec::default();
        walker.out.extend_from_slice(b"%!(EXTRA ");
        for (i, arg) in args[r.arg..].iter().enumerate() {
            if i > 0 {
                walker.out.extend_from_slice(b", ");
            }
            let ty = arg.go_type(walker.heap);
            walker.out.extend_from_slice(ty.as_bytes());
            if !arg.is_nil() {
                walker.out.push(b'=');
                walker.argument(arg, 'v')?;
            }
        }
        walker.out.push(b')');
    }
    Ok(())
}

/// One verb; the reader stands behind the percent sign.
fn verb(walker: &mut Walker<'_>, r: &mut Reader<'_>, args: &[Value]) -> Result<(), Unprintable> {
    let mut spec = Spec::default();
    while let Some(c) = r.peek() {
        match c {
            b'#' => spec.sharp = true,
            b'0' => spec.zero = true,
            b'+' => spec.plus = true,
            b'-' => spec.minus = true,
            b' ' => spec.space = true,
            _ => break,
        }
        r.at += 1;
    }
    r.index();
    let end = r.format.len();
    if r.peek() == Some(b'*') {
        r.at += 1;
        match r.star(args) {
            Some(n) => {
                spec.width = Some(n.unsigned_abs() as usize);
                if n < 0 {
                    spec.minus = true;
                    spec.zero = false;
                }
            }
            None => walker.out.extend_from_slice(b"%!(BADWIDTH)"),
        }
        r.after_index = false;
    } else {
        spec.width = r.number(end);
        if r.after_index && spec.width.is_some() {
            r.good = false;
        }
    }
    if r.peek() == Some(b'.') && r.at + 1 < end {
        r.at += 1;
        if r.after_index {
            r.good = false;
        }
        r.index();
        if r.peek() == Some(b'*') {
            r.at += 1;
            spec.precision = r.star(args).and_then(|n| usize::try_from(n).ok());
            if spec.precision.is_none() {
                walker.out.extend_from_slice(b"%!(BADPREC)");
            }
            r.after_index = false;
        } else {
            spec.precision = Some(r.number(end).unwrap_or(0));
        }
    }
    if !r.after_index {
        r.index();
    }
    if r.at >= end {
        walker.out.extend_from_slice(b"%!(NOVERB)");
        return Ok(());
    }
    let (verb, width) = decode_rune(&r.format[r.at..]);
    r.at += width;
    let wrong = |out: &mut Vec<u8>, why: &[u8]| {
        out.extend_from_slice(b"%!");
        push_rune(out, verb);
        out.extend_from_slice(why);
    };
    if verb == '%' {
        walker.out.push(b'%');
    } else if !r.good {
        wrong(walker.out, b"(BADINDEX)");
    } else if let Some(arg) = args.get(r.arg) {
        if matches!(verb, 'v' | 'w') {
            spec.sharp_v = std::mem::take(&mut spec.sharp);
            spec.plus_v = std::mem::take(&mut spec.plus);
        }
        walker.spec = spec;
        r.arg += 1;
        return walker.argument(arg, verb);
    } else {
        wrong(walker.out, b"(MISSING)");
    }
    Ok(())
}
