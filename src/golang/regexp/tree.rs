//! The tree of a regular expression as Go's parser builds it, and its way into the `regex` crate's syntax.

use std::fmt::Write;

use regex_syntax::hir::ClassUnicode;

use super::class;

/// One node. Depth and size are kept as Go counts them, for its limits.
#[derive(Debug)]
pub(super) struct Node {
    pub op: Op,
    pub subs: Vec<Self>,
    pub height: u32,
    /// Instructions that Go would compile it to.
    pub size: i64,
}

#[derive(Debug)]
pub(super) enum Op {
    Empty,
    /// Code points, surrogates included (they match nothing).
    Literal {
        runes: Vec<u32>,
        fold: bool,
    },
    Class(ClassUnicode),
    AnyNotNewline,
    Any,
    BeginLine,
    EndLine,
    BeginText,
    EndText,
    WordBoundary,
    NotWordBoundary,
    Capture,
    Repeat(Repeat),
    Concat,
    Alternate,
    /// An open parenthesis on the parser's stack.
    LeftParen {
        capture: bool,
        flags: Flags,
    },
    /// A bar on the parser's stack.
    VerticalBar,
}

/// How often: `*`, `+`, `?` or `{min,max}` (`max` `None` for no bound).
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub kind: RepeatKind,
    pub min: u32,
    pub max: Option<u32>,
    pub non_greedy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RepeatKind {
    Star,
    Plus,
    Quest,
    Counted,
}

/// The parser's flags that a pattern can change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `i`
    pub fold: bool,
    /// `m`
    pub multi_line: bool,
    /// `s`
    pub dot_newline: bool,
    /// `U`
    pub non_greedy: bool,
}

impl Node {
    pub fn new(op: Op, subs: Vec<Self>) -> Self {
        let mut node = Self { op, subs, height: 0, size: 0 };
        node.measure();
        node
    }

    /// Recomputes height and size after a change of this node.
    pub fn measure(&mut self) {
        self.height = 1 + self.subs.iter().map(|s| s.height).max().unwrap_or(0);
        let first = self.subs.first().map_or(0, |s| s.size);
        let all = self.subs.iter().fold(0_i64, |n, s| n.saturating_add(s.size));
        let size = match &self.op {
            Op::Literal { runes, .. } => i64::try_from(runes.len()).unwrap_or(i64::MAX),
            Op::Capture => first.saturating_add(2),
            Op::Concat => all,
            Op::Alternate => all.saturating_add(self.subs.len() as i64 - 1),
            Op::Repeat(r) => match r {
                Repeat { kind: RepeatKind::Plus | RepeatKind::Quest, .. } => first.saturating_add(1),
                Repeat { max: None, min: 0, .. } => first.saturating_add(2),
                Repeat { max: None, min, .. } => first.saturating_mul((*min).into()).saturating_add(1),
                Repeat { max: Some(max), min, .. } => {
                    first.saturating_mul((*max).into()).saturating_add(max.saturating_sub(*min).into())
                }
            },
            _ => 1,
        };
        self.size = size.max(1);
    }

    pub const fn is_pseudo(&self) -> bool {
        matches!(self.op, Op::LeftParen { .. } | Op::VerticalBar)
    }

    /// Go's rank of the node among those that match one character, simple ones first; `None` for all others.
    pub fn char_rank(&self) -> Option<u8> {
        match &self.op {
            Op::Literal { runes, .. } if runes.len() == 1 => Some(0),
            Op::Class(_) => Some(1),
            Op::AnyNotNewline => Some(2),
            Op::Any => Some(3),
            _ => None,
        }
    }

    /// How many code points Go's node holds: two for each range of a class.
    pub fn runes(&self) -> usize {
        match &self.op {
            Op::Literal { runes, .. } => runes.len(),
            Op::Class(class) => class.ranges().len() * 2,
            _ => 0,
        }
    }

    /// Writes the expression in the crate's syntax. False: the text would exceed `limit` bytes.
    pub fn emit(&self, out: &mut String, limit: usize) -> bool {
        match &self.op {
            Op::Empty | Op::LeftParen { .. } | Op::VerticalBar => out.push_str("(?:)"),
            Op::Literal { runes, fold } => {
                for &r in runes {
                    match char::from_u32(r) {
                        Some(c) if c.is_ascii_alphanumeric() && *fold => _ = write!(out, "(?i:{c})"),
                        Some(c) if c.is_ascii_alphanumeric() => out.push(c),
                        Some(c) if c.is_ascii() || !*fold => _ = write!(out, "\\x{{{:X}}}", u32::from(c)),
                        Some(_) => {
                            let mut class = class::range(r, r);
                            class::fold(&mut class);
                            write_class(&class, out);
                        }
                        // A surrogate: no text contains it.
                        None => out.push_str(NOTHING),
                    }
                }
            }
            Op::Class(class) => write_class(class, out),
            Op::AnyNotNewline => out.push_str("[^\\n]"),
            Op::Any => out.push_str("(?s:.)"),
            Op::BeginLine => out.push_str("(?m:^)"),
            Op::EndLine => out.push_str("(?m:$)"),
            Op::BeginText => out.push_str("\\A"),
            Op::EndText => out.push_str("\\z"),
            // Go's words are ASCII.
            Op::WordBoundary => out.push_str("(?-u:\\b)"),
            Op::NotWordBoundary => out.push_str("(?-u:\\B)"),
            Op::Capture | Op::Concat | Op::Alternate | Op::Repeat(_) => return self.emit_compound(out, limit),
        }
        out.len() <= limit
    }

    fn emit_compound(&self, out: &mut String, limit: usize) -> bool {
        out.push_str(if matches!(self.op, Op::Capture) { "(" } else { "(?:" });
        for (i, sub) in self.subs.iter().enumerate() {
            if i > 0 && matches!(self.op, Op::Alternate) {
                out.push('|');
            }
            // A repetition binds to one character only, if its operand is a text.
            let group = matches!((&self.op, &sub.op), (Op::Repeat(_), Op::Literal { .. }));
            out.push_str(if group { "(?:" } else { "" });
            if !sub.emit(out, limit) {
                return false;
            }
            out.push_str(if group { ")" } else { "" });
        }
        if let Op::Repeat(r) = &self.op {
            match (r.kind, r.max) {
                (RepeatKind::Star, _) => out.push('*'),
                (RepeatKind::Plus, _) => out.push('+'),
                (RepeatKind::Quest, _) => out.push('?'),
                (RepeatKind::Counted, Some(max)) => _ = write!(out, "{{{},{max}}}", r.min),
                (RepeatKind::Counted, None) => _ = write!(out, "{{{},}}", r.min),
            }
            out.push_str(if r.non_greedy { "?" } else { "" });
        }
        out.push(')');
        out.len() <= limit
    }
}

fn write_class(class: &ClassUnicode, out: &mut String) {
    if class.ranges().is_empty() {
        out.push_str(NOTHING);
        return;
    }
    out.push('[');
    for r in class.ranges() {
        _ = write!(out, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(r.start()), u32::from(r.end()));
    }
    out.push(']');
}

/// A class without members.
const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";
