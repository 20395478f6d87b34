//! Go's `fmt` over values: `Sprintf`, `Sprint`, `Sprintln`. Source: `fmt/print.go`; scalars are laid out by `golang::fmt`.
//!
//! Go walks nested values by recursion. Here the walk keeps its own stack, and a map or list that contains itself, which ends a Go
//! program with a stack overflow, ends with [`Unprintable::Cycle`].

mod verbs;
mod walk;

use super::{Heap, Value};
use crate::golang::fmt::Spec;
use walk::Walker;

/// Why a text cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprintable {
    /// A map or list contains itself.
    Cycle,
    /// The text would be longer than the limit given.
    TooLong,
}

impl std::fmt::Display for Unprintable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cycle => "a map or list that contains itself cannot be printed (limit: cycle)",
            Self::TooLong => "the printed text would be too long (limit: output)",
        })
    }
}
impl std::error::Error for Unprintable {}

/// Bytes that are printed at most where no limit is given.
const MAX_TEXT: usize = 1 << 30;

/// `fmt.Sprintf`, appended to `out`.
pub fn format(heap: &mut Heap, format: &[u8], args: &[Value], out: &mut Vec<u8>) -> Result<(), Unprintable> {
    format_within(heap, format, args, out, MAX_TEXT)
}

/// As [`format`](self::format()), while `out` is not longer than `limit` bytes.
pub fn format_within(
    heap: &mut Heap,
    format: &[u8],
    args: &[Value],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Unprintable> {
    verbs::printf(&mut Walker::new(heap, out, limit), format, args)
}

/// `%v` of one value; nil is `<nil>`.
pub fn value(heap: &mut Heap, value: &Value, out: &mut Vec<u8>) -> Result<(), Unprintable> {
    value_within(heap, value, out, MAX_TEXT)
}

/// As [`value()`], while `out` is not longer than `limit` bytes.
pub fn value_within(heap: &mut Heap, value: &Value, out: &mut Vec<u8>, limit: usize) -> Result<(), Unprintable> {
    Walker::new(heap, out, limit).argument(value, 'v')
}

/// What `{{ value }}` prints: as [`value()`], but a pointer is followed first, so that no `&` is shown.
pub fn action_within(heap: &mut Heap, value: &Value, out: &mut Vec<u8>, limit: usize) -> Result<(), Unprintable> {
    Walker::new(heap, out, limit).action(value)
}

/// `fmt.Sprint`: spaces between operands of which neither is a string.
pub fn sprint(heap: &mut Heap, args: &[Value], out: &mut Vec<u8>, limit: usize) -> Result<(), Unprintable> {
    let mut walker = Walker::new(heap, out, limit);
    let mut after_string = true;
    for arg in args {
        let is_string = arg.kind() == super::Kind::String;
        if !is_string && !after_string {
            walker.out.push(b' ');
        }
        walker.argument(arg, 'v')?;
        after_string = is_string;
    }
    Ok(())
}

/// `fmt.Sprintln`: spaces between all operands, and a newline.
pub fn sprintln(heap: &mut Heap, args: &[Value], out: &mut Vec<u8>, limit: usize) -> Result<(), Unprintable> {
    let mut walker = Walker::new(heap, out, limit);
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            walker.out.push(b' ');
        }
        walker.argument(arg, 'v')?;
    }
    walker.out.push(b'\n');
    Ok(())
}

/// `%#v` of one value.
pub fn go_syntax(heap: &mut Heap, value: &Value, out: &mut Vec<u8>) -> Result<(), Unprintable> {
    let mut walker = Walker::new(heap, out, MAX_TEXT);
    walker.spec = Spec { sharp_v: true, ..Spec::default() };
    walker.argument(value, 'v')
}

#[cfg(test)]
mod tests;
