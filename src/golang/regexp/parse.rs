//! Go's parser of regular expressions, with its errors and limits.
//!
//! Source: `regexp/syntax/parse.go` (Go 1.26) with the flags of `regexp.Compile`. What the original does to the tree for speed
//! alone (factoring common prefixes of alternatives) is left to the crate that compiles the result.

use regex_syntax::hir::ClassUnicode;

use super::class;
use super::tree::{Flags, Node, Op, Repeat, RepeatKind};

/// Go's `syntax.Error`.
#[derive(Debug)]
pub(super) struct Error {
    pub code: &'static str,
    pub expr: Vec<u8>,
}

type Res<T> = Result<T, Error>;

fn err<T>(code: &'static str, expr: &[u8]) -> Res<T> {
    Err(Error { code, expr: expr.to_vec() })
}

const INVALID_CHAR_RANGE: &str = "invalid character class range";
const INVALID_ESCAPE: &str = "invalid escape sequence";
const INVALID_NAMED_CAPTURE: &str = "invalid named capture";
const INVALID_PERL_OP: &str = "invalid or unsupported Perl syntax";
const INVALID_REPEAT_OP: &str = "invalid nested repetition operator";
const INVALID_REPEAT_SIZE: &str = "invalid repeat count";
const INVALID_UTF8: &str = "invalid UTF-8";
const MISSING_BRACKET: &str = "missing closing ]";
const MISSING_PAREN: &str = "missing closing )";
const MISSING_REPEAT_ARGUMENT: &str = "missing argument to repetition operator";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";
const UNEXPECTED_PAREN: &str = "unexpected )";
const NESTING_DEPTH: &str = "expression nests too deeply";
pub(super) const LARGE: &str = "expression too large";

const MAX_HEIGHT: u32 = 1000;
const MAX_SIZE: i64 = (128 << 20) / 40;
/// Go takes 32 times as much, but its tree needs no text of it.
const MAX_RUNES: usize = 1 << 20;

/// A parsed expression.
pub(super) struct Parsed {
    pub root: Node,
    /// The names of the capturing groups, that of the whole match (none) first.
    pub names: Vec<Option<String>>,
}

struct Parser<'a> {
    whole: &'a [u8],
    flags: Flags,
    stack: Vec<Node>,
    names: Vec<Option<String>>,
    /// How many nodes Go has allocated, and how many of them lie in its free list.
    allocated: i64,
    free: i64,
    num_runes: usize,
    repeats: i64,
    sizing: bool,
}

/// Parses an expression.
pub(super) fn parse(whole: &[u8]) -> Res<Parsed> {
    let mut p = Parser {
        whole,
        flags: Flags::default(),
        stack: Vec::new(),
        names: vec![None],
        allocated: 0,
        free: 0,
        num_runes: 0,
        repeats: 1,
        sizing: false,
    };
    p.run()?;
    p.close()?;
    match p.stack.pop() {
        Some(root) if p.stack.is_empty() => Ok(Parsed { root, names: p.names }),
        _ => err(MISSING_PAREN, whole),
    }
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Res<()> {
        let mut t = self.whole;
        let mut last_repeat: Option<&[u8]> = None;
        while let Some(&first) = t.first() {
            let mut repeat = None;
            match first {
                b'(' if t.get(1) == Some(&b'?') => t = self.perl_flags(t)?,
                b'(' => {
                    self.names.push(None);
                    self.op(Op::LeftParen { capture: true, flags: self.flags })?;
                    t = &t[1..];
                }
                b'|' => {
                    self.concat()?;
                    if !self.swap_vertical_bar() {
                        self.op(Op::VerticalBar)?;
                    }
                    t = &t[1..];
                }
                b')' => {
                    self.right_paren()?;
                    t = &t[1..];
                }
                b'^' => {
                    self.op(if self.flags.multi_line { Op::BeginLine } else { Op::BeginText })?;
                    t = &t[1..];
                }
                b'$' => {
                    self.op(if self.flags.multi_line { Op::EndLine } else { Op::EndText })?;
                    t = &t[1..];
                }
                b'.' => {
                    self.op(if self.flags.dot_newline { Op::Any } else { Op::AnyNotNewline })?;
                    t = &t[1..];
                }
                b'[' => t = self.class(t)?,
                b'*' | b'+' | b'?' => {
                    let (kind, min, max) = match first {
                        b'*' => (RepeatKind::Star, 0, None),
                        b'+' => (RepeatKind::Plus, 1, None),
                        _ => (RepeatKind::Quest, 0, Some(1)),
                    };
                    let r = Repeat { kind, min, max, non_greedy: self.flags.non_greedy };
                    repeat = Some(t);
                    t = self.repeat(r, t, &t[1..], last_repeat)?;
                }
                b'{' => match counts(t) {
                    None => {
                        self.literal('{'.into())?;
                        t = &t[1..];
                    }
                    Some((min, max, after)) => {
                        if min > 1000 || max.is_some_and(|max| max > 1000 || min > max) {
                            return err(INVALID_REPEAT_SIZE, before(t, after));
                        }
                        let r = Repeat { kind: RepeatKind::Counted, min, max, non_greedy: self.flags.non_greedy };
                        repeat = Some(t);
                        t = self.repeat(r, t, after, last_repeat)?;
                    }
                },
                b'\\' => t = self.escape(t)?,
                _ => {
                    let (c, rest) = next_rune(t)?;
                    self.literal(c)?;
                    t = rest;
                }
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    // The stack.

    fn allocate(&mut self) {
        if self.free > 0 {
            self.free -= 1;
        } else {
            self.allocated += 1;
        }
    }

    fn op(&mut self, op: Op) -> Res<()> {
        self.allocate();
        self.push(Node::new(op, Vec::new()))
    }

    fn literal(&mut self, rune: u32) -> Res<()> {
        self.op(Op::Literal { runes: vec![rune], fold: self.flags.fold })
    }

    fn push(&mut self, node: Node) -> Res<()> {
        self.num_runes = self.num_runes.saturating_add(node.runes());
        self.maybe_concat();
        self.stack.push(node);
        self.check_limits()
    }

    /// Joins the two topmost literals, which no operator can separate any more.
    fn maybe_concat(&mut self) {
        let [.., under, top] = self.stack.as_mut_slice() else { return };
        let (Op::Literal { runes: a, fold: x }, Op::Literal { runes: b, fold: y }) = (&mut under.op, &mut top.op)
        else {
            return;
        };
        if x == y {
            a.append(b);
            under.measure();
            self.stack.pop();
            self.free += 1;
        }
    }

    /// Checks the topmost node against Go's limits.
    fn check_limits(&mut self) -> Res<()> {
        if self.num_runes > MAX_RUNES {
            return err(LARGE, self.whole);
        }
        if !self.sizing {
            if let Some(Node { op: Op::Repeat(Repeat { kind: RepeatKind::Counted, min, max, .. }), .. }) =
                self.stack.last()
            {
                let n = i64::from(max.unwrap_or(*min)).max(1);
                self.repeats = if n > MAX_SIZE / self.repeats { MAX_SIZE } else { self.repeats * n };
            }
            self.sizing = self.allocated >= MAX_SIZE / self.repeats;
        }
        let Some(top) = self.stack.last() else { return Ok(()) };
        if self.sizing && top.size > MAX_SIZE {
            return err(LARGE, self.whole);
        }
        if top.height > MAX_HEIGHT {
            return err(NESTING_DEPTH, self.whole);
        }
        Ok(())
    }

    fn repeat(&mut self, mut r: Repeat, from: &'a [u8], mut after: &'a [u8], last: Option<&'a [u8]>) -> Res<&'a [u8]> {
        if let [b'?', rest @ ..] = after {
            after = rest;
            r.non_greedy = !r.non_greedy;
        }
        if let Some(last) = last {
            return err(INVALID_REPEAT_OP, before(last, after));
        }
        let Some(sub) = self.stack.pop_if(|n| !n.is_pseudo()) else {
            return err(MISSING_REPEAT_ARGUMENT, before(from, after));
        };
        self.allocate();
        self.stack.push(Node::new(Op::Repeat(r), vec![sub]));
        self.check_limits()?;
        let counts = r.kind == RepeatKind::Counted && (r.min >= 2 || r.max.is_some_and(|m| m >= 2));
        if counts && self.stack.last().is_some_and(|n| !repeat_is_valid(n, 1000)) {
            return err(INVALID_REPEAT_SIZE, before(from, after));
        }
        Ok(after)
    }

    /// Takes what lies above the topmost bar or parenthesis.
    fn take_above_pseudo(&mut self) -> Vec<Node> {
        let at = self.stack.iter().rposition(Node::is_pseudo).map_or(0, |i| i + 1);
        self.stack.split_off(at)
    }

    fn concat(&mut self) -> Res<()> {
        self.maybe_concat();
        let subs = self.take_above_pseudo();
        self.collapse(subs, Op::Concat)
    }

    /// Pushes one node of these; nodes of the same operation are hoisted into it.
    fn collapse(&mut self, mut subs: Vec<Node>, op: Op) -> Res<()> {
        if subs.is_empty() {
            return self.op(Op::Empty);
        }
        if subs.len() == 1
            && let Some(only) = subs.pop()
        {
            return self.push(only);
        }
        self.allocate();
        let mut all = Vec::with_capacity(subs.len());
        for sub in subs {
            if std::mem::discriminant(&sub.op) == std::mem::discriminant(&op) {
                all.extend(sub.subs);
                self.free += 1;
            } else {
                all.push(sub);
            }
        }
        self.push(Node::new(op, all))
    }

    /// Ends the innermost group: its last alternative, then the alternation.
    fn close(&mut self) -> Res<()> {
        self.concat()?;
        if self.swap_vertical_bar() {
            self.stack.pop();
        }
        let subs = self.take_above_pseudo();
        self.collapse(subs, Op::Alternate)
    }

    /// Puts what is on top below the bar under it, if there is one; single characters merge into a class.
    fn swap_vertical_bar(&mut self) -> bool {
        let n = self.stack.len();
        if n < 2 || !matches!(self.stack[n - 2].op, Op::VerticalBar) {
            return false;
        }
        if n >= 3
            && let (Some(top), Some(below)) = (self.stack[n - 1].char_rank(), self.stack[n - 3].char_rank())
        {
            if top > below {
                self.stack.swap(n - 1, n - 3);
            }
            if let Some(src) = self.stack.pop() {
                merge(&mut self.stack[n - 3], src);
                self.free += 1;
            }
            return true;
        }
        self.stack.swap(n - 1, n - 2);
        true
    }

    fn right_paren(&mut self) -> Res<()> {
        self.close()?;
        let (Some(inner), Some(Node { op: Op::LeftParen { capture, flags }, .. })) =
            (self.stack.pop(), self.stack.pop())
        else {
            return err(UNEXPECTED_PAREN, self.whole);
        };
        self.flags = flags;
        self.push(if capture { Node::new(Op::Capture, vec![inner]) } else { inner })
    }

    // Groups and flags.

    fn perl_flags(&mut self, s: &'a [u8]) -> Res<&'a [u8]> {
        let start = if s.len() > 4 && s[2] == b'P' && s[3] == b'<' {
            Some(4)
        } else if s.len() > 3 && s[2] == b'<' {
            Some(3)
        } else {
            None
        };
        if let Some(start) = start {
            return self.named_capture(s, start);
        }
        let mut t = &s[2..];
        let mut flags = self.flags;
        let (mut on, mut saw_flag) = (true, false);
        while !t.is_empty() {
            let (c, rest) = next_rune(t)?;
            t = rest;
            match char::from_u32(c) {
                Some('i') => flags.fold = on,
                Some('m') => flags.multi_line = on,
                Some('s') => flags.dot_newline = on,
                Some('U') => flags.non_greedy = on,
                Some('-') if on => {
                    on = false;
                    saw_flag = false;
                    continue;
                }
                Some(end @ (':' | ')')) if on || saw_flag => {
                    if end == ':' {
                        self.op(Op::LeftParen { capture: false, flags: self.flags })?;
                    }
                    self.flags = flags;
                    return Ok(t);
                }
                _ => break,
            }
            saw_flag = true;
        }
        err(INVALID_PERL_OP, before(s, t))
    }

    fn named_capture(&mut self, s: &'a [u8], start: usize) -> Res<&'a [u8]> {
        let Some(end) = s.iter().position(|&b| b == b'>') else {
            check_utf8(s)?;
            return err(INVALID_NAMED_CAPTURE, s);
        };
        let name = &s[start..end];
        check_utf8(name)?;
        if name.is_empty() || !name.iter().all(|&b| b == b'_' || b.is_ascii_alphanumeric()) {
            return err(INVALID_NAMED_CAPTURE, &s[..=end]);
        }
        self.op(Op::LeftParen { capture: true, flags: self.flags })?;
        self.names.push(Some(String::from_utf8_lossy(name).into_owned()));
        Ok(&s[end + 1..])
    }

    // Escapes and classes.

    fn escape(&mut self, t: &'a [u8]) -> Res<&'a [u8]> {
        if let Some(&letter) = t.get(1) {
            let op = match letter {
                b'A' => Some(Op::BeginText),
                b'b' => Some(Op::WordBoundary),
                b'B' => Some(Op::NotWordBoundary),
                b'z' => Some(Op::EndText),
                b'C' => return err(INVALID_ESCAPE, &t[..2]),
                b'Q' => {
                    let t = &t[2..];
                    let end = t.windows(2).position(|w| w == b"\\E");
                    let mut lit = &t[..end.unwrap_or(t.len())];
                    while !lit.is_empty() {
                        let (c, rest) = next_rune(lit)?;
                        self.literal(c)?;
                        lit = rest;
                    }
                    return Ok(end.map_or(&[], |end| &t[end + 2..]));
                }
                _ => None,
            };
            if let Some(op) = op {
                self.op(op)?;
                return Ok(&t[2..]);
            }
        }
        let mut class = ClassUnicode::empty();
        if let Some(rest) = self.class_escape(t, &mut class)? {
            self.op(Op::Class(class))?;
            return Ok(rest);
        }
        let (c, rest) = escaped_rune(t)?;
        self.literal(c)?;
        Ok(rest)
    }

    /// Adds `\pL`, `\p{Greek}` or `\d` at the beginning of `t` to the class; `None` if there is none.
    fn class_escape(&self, t: &'a [u8], class: &mut ClassUnicode) -> Res<Option<&'a [u8]>> {
        let [b'\\', letter, rest @ ..] = t else { return Ok(None) };
        if matches!(letter, b'p' | b'P') {
            return self.unicode_class(t, class).map(Some);
        }
        let Some((mut group, negated)) = class::perl(*letter) else { return Ok(None) };
        self.add_group(&mut group, negated, class);
        Ok(Some(rest))
    }

    fn add_group(&self, group: &mut ClassUnicode, negated: bool, class: &mut ClassUnicode) {
        if self.flags.fold {
            class::fold(group);
        }
        if negated {
            class::negate(group);
        }
        class.union(group);
    }

    fn unicode_class(&self, s: &'a [u8], class: &mut ClassUnicode) -> Res<&'a [u8]> {
        let mut negated = s[1] == b'P';
        let (c, after) = next_rune(&s[2..])?;
        let (seq, mut name, rest) = if c == u32::from('{') {
            let Some(end) = s.iter().position(|&b| b == b'}') else {
                check_utf8(s)?;
                return err(INVALID_CHAR_RANGE, s);
            };
            check_utf8(&s[3..end])?;
            (&s[..=end], &s[3..end], &s[end + 1..])
        } else {
            let seq = before(s, after);
            (seq, &seq[2..], after)
        };
        if let [b'^', positive @ ..] = name {
            negated = !negated;
            name = positive;
        }
        let Some(mut group) = class::unicode(&String::from_utf8_lossy(name), self.flags.fold) else {
            return err(INVALID_CHAR_RANGE, seq);
        };
        if negated {
            class::negate(&mut group);
        }
        class.union(&group);
        Ok(rest)
    }

    /// Adds `[:alpha:]` at the beginning of `t` to the class; `None` if there is none.
    fn named_class(&self, t: &'a [u8], class: &mut ClassUnicode) -> Res<Option<&'a [u8]>> {
        if t.len() <= 2 || !t.starts_with(b"[:") {
            return Ok(None);
        }
        let Some(i) = t[2..].windows(2).position(|w| w == b":]") else { return Ok(None) };
        let (whole, name) = (&t[..i + 4], &t[2..i + 2]);
        let (name, negated) = name.strip_prefix(b"^").map_or((name, false), |name| (name, true));
        let Some(mut group) = class::posix(name) else { return err(INVALID_CHAR_RANGE, whole) };
        self.add_group(&mut group, negated, class);
        Ok(Some(&t[i + 4..]))
    }

    fn class(&mut self, s: &'a [u8]) -> Res<&'a [u8]> {
        self.allocate();
        let mut t = &s[1..];
        let negated = t.first() == Some(&b'^');
        if negated {
            t = &t[1..];
        }
        // Ranges are gathered and put in order once: adding one at a time would cost the square of their number.
        let mut class = ClassUnicode::empty();
        let mut ranges = Vec::new();
        let mut first = true;
        while t.first() != Some(&b']') || first {
            first = false;
            if let Some(rest) = self.named_class(t, &mut class)? {
                t = rest;
                continue;
            }
            if let Some(rest) = self.class_escape(t, &mut class)? {
                t = rest;
                continue;
            }
            let from = t;
            let lo;
            (lo, t) = class_rune(t, s)?;
            let mut hi = lo;
            if t.len() >= 2 && t[0] == b'-' && t[1] != b']' {
                (hi, t) = class_rune(&t[1..], s)?;
                if hi < lo {
                    return err(INVALID_CHAR_RANGE, before(from, t));
                }
            }
            ranges.extend(class::range(lo, hi).ranges());
        }
        let mut singles = ClassUnicode::new(ranges);
        if self.flags.fold {
            class::fold(&mut singles);
        }
        class.union(&singles);
        if negated {
            class::negate(&mut class);
        }
        self.push(Node::new(Op::Class(class), Vec::new()))?;
        Ok(&t[1..])
    }
}

/// What of `s` comes before its tail `rest`.
fn before<'a>(s: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &s[..s.len().saturating_sub(rest.len())]
}

/// Makes `dst` match what `src` matches, too. Both match one character, and `dst` is not the simpler.
fn merge(dst: &mut Node, src: Node) {
    let as_class = |op: &Op| match op {
        Op::Literal { runes, fold } => {
            let mut class = runes.first().map_or_else(ClassUnicode::empty, |&r| class::range(r, r));
            if *fold {
                class::fold(&mut class);
            }
            class
        }
        Op::Class(class) => class.clone(),
        Op::AnyNotNewline => {
            let mut class = class::range('\n'.into(), '\n'.into());
            class::negate(&mut class);
            class
        }
        _ => class::range(0, 0x10FFFF),
    };
    let newline = |class: &ClassUnicode| class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&'\n'));
    match &mut dst.op {
        Op::Any => {}
        Op::AnyNotNewline => {
            if newline(&as_class(&src.op)) {
                dst.op = Op::Any;
            }
        }
        Op::Class(class) => class.union(&as_class(&src.op)),
        op => {
            let mut class = as_class(op);
            class.union(&as_class(&src.op));
            *op = Op::Class(class);
        }
    }
    dst.measure();
}

/// Does the repetition, with those inside, make at most `n` copies of anything?
fn repeat_is_valid(node: &Node, mut n: u32) -> bool {
    if let Op::Repeat(Repeat { kind: RepeatKind::Counted, min, max, .. }) = node.op {
        let m = match max {
            Some(0) => return true,
            Some(max) => max,
            None => min,
        };
        if m > n {
            return false;
        }
        n /= m.max(1);
    }
    node.subs.iter().all(|sub| repeat_is_valid(sub, n))
}

/// `{min}`, `{min,}` or `{min,max}` at the beginning of `s`, and what follows. `None`: no such thing, the brace is a literal.
/// Numbers too big are `u32::MAX`.
fn counts(s: &[u8]) -> Option<(u32, Option<u32>, &[u8])> {
    let (min, s) = decimal(s.strip_prefix(b"{")?)?;
    let (max, s) = match s {
        [b',', b'}', ..] => (None, &s[1..]),
        [b',', s @ ..] => {
            let (max, s) = decimal(s)?;
            (Some(max), s)
        }
        _ => (Some(min), s),
    };
    Some((min, max, s.strip_prefix(b"}")?))
}

fn decimal(s: &[u8]) -> Option<(u32, &[u8])> {
    let n = s.iter().position(|b| !b.is_ascii_digit()).unwrap_or(s.len());
    let (digits, rest) = s.split_at(n);
    if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let value = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u32::MAX);
    Some((value, rest))
}

fn class_rune<'a>(s: &'a [u8], whole: &[u8]) -> Res<(u32, &'a [u8])> {
    match s.first() {
        None => err(MISSING_BRACKET, whole),
        Some(b'\\') => escaped_rune(s),
        Some(_) => next_rune(s),
    }
}

/// The character of an escape sequence at the beginning of `s`.
fn escaped_rune(s: &[u8]) -> Res<(u32, &[u8])> {
    let t = &s[1..];
    if t.is_empty() {
        return err(TRAILING_BACKSLASH, b"");
    }
    let (c, mut t) = next_rune(t)?;
    let octal = |t: &[u8]| t.first().copied().filter(|b| (b'0'..=b'7').contains(b));
    match char::from_u32(c) {
        Some(c @ '0'..='7') if c == '0' || octal(t).is_some() => {
            let mut r = u32::from(c) - u32::from('0');
            for _ in 1..3 {
                let Some(digit) = octal(t) else { break };
                r = r * 8 + u32::from(digit - b'0');
                t = &t[1..];
            }
            return Ok((r, t));
        }
        Some('x') if !t.is_empty() => {
            if let Some(r) = hexadecimal(&mut t)? {
                return Ok((r, t));
            }
        }
        Some('a') => return Ok((7, t)),
        Some('f') => return Ok((0xC, t)),
        Some('n') => return Ok((0xA, t)),
        Some('r') => return Ok((0xD, t)),
        Some('t') => return Ok((9, t)),
        Some('v') => return Ok((0xB, t)),
        Some(c) if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok((c.into(), t)),
        _ => {}
    }
    err(INVALID_ESCAPE, before(s, t))
}

/// What follows `\x`: two digits, or any number of them in braces. `t` ends after what was read, good or not.
fn hexadecimal(t: &mut &[u8]) -> Res<Option<u32>> {
    let mut next = || -> Res<u32> {
        let (c, rest) = next_rune(t)?;
        *t = rest;
        Ok(c)
    };
    let digit = |c: u32| char::from_u32(c).and_then(|c| c.to_digit(16));
    let c = next()?;
    if c != u32::from('{') {
        let x = digit(c);
        let y = digit(next()?);
        return Ok(x.zip(y).map(|(x, y)| x * 16 + y));
    }
    let (mut r, mut digits) = (0, 0);
    while !t.is_empty() {
        let (c, rest) = next_rune(t)?;
        *t = rest;
        if c == u32::from('}') {
            return Ok((digits > 0).then_some(r));
        }
        let Some(v) = digit(c) else { return Ok(None) };
        r = r * 16 + v;
        if r > 0x10FFFF {
            return Ok(None);
        }
        digits += 1;
    }
    Ok(None)
}

fn next_rune(s: &[u8]) -> Res<(u32, &[u8])> {
    match super::decode(s) {
        Some((c, size)) => Ok((c.into(), &s[size..])),
        // Go reads U+FFFD of width 0 at the end of the text.
        None if s.is_empty() => Ok((0xFFFD, s)),
        None => err(INVALID_UTF8, s),
    }
}

fn check_utf8(s: &[u8]) -> Res<()> {
    match std::str::from_utf8(s) {
        Ok(_) => Ok(()),
        Err(e) => err(INVALID_UTF8, &s[e.valid_up_to()..]),
    }
}
