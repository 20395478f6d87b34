//! The lower half of Go's `fmt`: one scalar, with flags, width and precision, to text. Source: `fmt/format.go`.
//!
//! What a verb means for which value, and the format string itself, are the upper half and need values: `value::print`.

use super::float::append_float;
use super::strconv::{can_backquote, is_print, quote, quote_rune, quote_rune_to_ascii, quote_to_ascii};
use super::unicode::{push_rune, rune_count, rune_of, runes};

/// The flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spec {
    pub width: Option<usize>,
    pub precision: Option<usize>,
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%+v`: names of struct fields.
    pub plus_v: bool,
    /// `%#v`: Go syntax.
    pub sharp_v: bool,
}

/// Digits of an integer's base, and the letter of its `0x` prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    Lower,
    Upper,
}

impl Digits {
    const fn table(self) -> &'static [u8; 17] {
        match self {
            Self::Lower => b"0123456789abcdefx",
            Self::Upper => b"0123456789ABCDEFX",
        }
    }
}

impl Spec {
    fn push_padding(&self, out: &mut Vec<u8>, n: usize) {
        // Zeros only to the left.
        let pad = if self.zero && !self.minus { b'0' } else { b' ' };
        out.resize(out.len() + n, pad);
    }

    /// The text, padded to the width, which counts runes.
    pub fn pad(&self, out: &mut Vec<u8>, text: &[u8]) {
        let missing = self.width.map_or(0, |w| w.saturating_sub(rune_count(text)));
        if self.minus {
            out.extend_from_slice(text);
            self.push_padding(out, missing);
        } else {
            self.push_padding(out, missing);
            out.extend_from_slice(text);
        }
    }

    fn pad_without_zeros(&self, out: &mut Vec<u8>, text: &[u8]) {
        Self { zero: false, ..*self }.pad(out, text);
    }

    fn truncated<'a>(&self, s: &'a [u8]) -> &'a [u8] {
        let end = self.precision.and_then(|p| runes(s).nth(p)).map_or(s.len(), |(i, _, _)| i);
        &s[..end]
    }

    /// `%t`
    pub fn boolean(&self, out: &mut Vec<u8>, b: bool) {
        self.pad(out, if b { b"true" } else { b"false" });
    }

    /// `%s`
    pub fn string(&self, out: &mut Vec<u8>, s: &[u8]) {
        self.pad(out, self.truncated(s));
    }

    /// `%q` of a string
    pub fn quoted(&self, out: &mut Vec<u8>, s: &[u8]) {
        let s = self.truncated(s);
        if self.sharp && can_backquote(s) {
            return self.pad(out, &[b"`", s, b"`"].concat());
        }
        let text = if self.plus { quote_to_ascii(s) } else { quote(s) };
        self.pad(out, text.as_bytes());
    }

    /// `%x` of a string's bytes
    pub fn hex_bytes(&self, out: &mut Vec<u8>, s: &[u8], digits: Digits) {
        let s = &s[..self.precision.map_or(s.len(), |p| p.min(s.len()))];
        if s.is_empty() {
            return self.push_padding(out, self.width.unwrap_or(0));
        }
        let table = digits.table();
        let mut text = Vec::with_capacity(s.len() * 2 + 2);
        if self.sharp {
            text.extend_from_slice(&[b'0', table[16]]);
        }
        for (i, &b) in s.iter().enumerate() {
            if self.space && i > 0 {
                text.push(b' ');
                if self.sharp {
                    text.extend_from_slice(&[b'0', table[16]]);
                }
            }
            text.extend_from_slice(&[table[usize::from(b >> 4)], table[usize::from(b & 15)]]);
        }
        self.pad(out, &text);
    }

    /// `%c`
    pub fn character(&self, out: &mut Vec<u8>, n: u64) {
        let mut text = Vec::new();
        push_rune(&mut text, rune_of(n.into()));
        self.pad(out, &text);
    }

    /// `%q` of an integer
    pub fn quoted_character(&self, out: &mut Vec<u8>, n: u64) {
        let c = rune_of(n.into());
        let text = if self.plus { quote_rune_to_ascii(c) } else { quote_rune(c) };
        self.pad(out, text.as_bytes());
    }

    /// `%U`
    pub fn unicode(&self, out: &mut Vec<u8>, n: u64) {
        // Rust's own formatter takes widths of 16 bits only.
        let digits = format!("{n:X}");
        let zeros = self.precision.unwrap_or(0).max(4).saturating_sub(digits.len());
        let mut text = format!("U+{}{digits}", "0".repeat(zeros));
        if let Some(c) = u32::try_from(n).ok().and_then(char::from_u32).filter(|c| self.sharp && is_print(*c)) {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_without_zeros(out, text.as_bytes());
    }

    /// `%d`, `%b`, `%o`, `%O`, `%x`: an integer's 64 bits.
    pub fn integer(&self, out: &mut Vec<u8>, bits: u64, base: u64, signed: bool, verb: char, digits: Digits) {
        let negative = signed && (bits as i64) < 0;
        let mut n = if negative { bits.wrapping_neg() } else { bits };
        let mut least = 0;
        if let Some(precision) = self.precision {
            least = precision;
            if precision == 0 && n == 0 {
                // Nothing but padding.
                return self.pad_without_zeros(out, b"");
            }
        } else if let Some(width) = self.width.filter(|_| self.zero && !self.minus) {
            // Zero padding is like a precision, with room left for the sign.
            least = width.saturating_sub(usize::from(negative || self.plus || self.space));
        }
        let table = digits.table();
        // From the last digit to the first.
        let mut text = Vec::with_capacity(24);
        loop {
            text.push(table[(n % base) as usize]);
            n /= base;
            if n == 0 {
                break;
            }
        }
        if text.len() < least {
            text.resize(least, b'0');
        }
        if self.sharp {
            match base {
                2 => text.extend_from_slice(b"b0"),
                8 if text.last() != Some(&b'0') => text.push(b'0'),
                16 => text.extend_from_slice(&[table[16], b'0']),
                _ => {}
            }
        }
        if verb == 'O' {
            text.extend_from_slice(b"o0");
        }
        if negative {
            text.push(b'-');
        } else if self.plus {
            text.push(b'+');
        } else if self.space {
            text.push(b' ');
        }
        text.reverse();
        self.pad_without_zeros(out, &text);
    }

    /// `0x…` as pointers and Go syntax show it.
    pub fn hex0x(&self, out: &mut Vec<u8>, n: u64, leading0x: bool) {
        Self { sharp: leading0x, ..*self }.integer(out, n, 16, false, 'v', Digits::Lower);
    }

    /// `%e %E %f %g %G %b %x %X` of a float, `verb` being one of these; `precision` is what the verb means without one.
    pub fn float(&self, out: &mut Vec<u8>, f: f64, bits: u32, verb: u8, precision: i32) {
        let precision = self.precision.map_or(precision, |p| i32::try_from(p).unwrap_or(i32::MAX));
        let mut num = Vec::new();
        append_float(&mut num, f, verb, precision, bits);
        if !matches!(num.first(), Some(b'-' | b'+')) {
            num.insert(0, b'+');
        }
        if self.space && num[0] == b'+' && !self.plus {
            num[0] = b' ';
        }
        // Infinities and NaN do not look like numbers: no zeros.
        if matches!(num.get(1), Some(b'I' | b'N')) {
            if num[1] == b'N' && !self.space && !self.plus {
                num.remove(0);
            }
            // A sign is only shown where the number's is, or asked for: +Inf has it always.
            return self.pad_without_zeros(out, &num);
        }
        if self.sharp && verb != b'b' {
            self.keep_zeros(&mut num, verb, precision);
        }
        if self.plus || num[0] != b'+' {
            // The sign goes before the zeros.
            if let Some(width) = self.width.filter(|w| self.zero && !self.minus && *w > num.len()) {
                out.push(num[0]);
                self.push_padding(out, width - num.len());
                return out.extend_from_slice(&num[1..]);
            }
            return self.pad(out, &num);
        }
        self.pad(out, &num[1..]);
    }

    /// The sharp flag: a decimal point always, and for `%g` the trailing zeros.
    fn keep_zeros(&self, num: &mut Vec<u8>, verb: u8, precision: i32) {
        let hex = matches!(verb, b'x' | b'X');
        let mut digits = match verb {
            b'g' | b'G' | b'x' if precision == -1 => 6,
            b'g' | b'G' | b'x' => i64::from(precision),
            _ => 0,
        };
        let is_tail = |c: u8| matches!(c, b'p' | b'P') || !hex && matches!(c, b'e' | b'E');
        let end = num.iter().position(|&c| is_tail(c)).unwrap_or(num.len());
        let tail = num.split_off(end);
        let mut nonzero = false;
        for &c in num[1..].iter().filter(|c| **c != b'.') {
            nonzero |= c != b'0';
            digits -= i64::from(nonzero);
        }
        if !num.contains(&b'.') {
            if num.len() == 2 && num[1] == b'0' {
                digits -= 1;
            }
            num.push(b'.');
        }
        num.resize(num.len() + usize::try_from(digits).unwrap_or(0), b'0');
        num.extend_from_slice(&tail);
    }
}
