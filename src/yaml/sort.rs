//! The order of map keys in go-yaml's output: `sorter.go`, natural order for embedded numbers.

use super::emit::Dialect;
use crate::golang::unicode::{is_digit, is_letter};

/// `keyList.Less` for two strings that are UTF-8.
pub fn less(a: &[u8], b: &[u8], dialect: Dialect) -> bool {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if common == a.len() || common == b.len() {
        return a.len() < b.len();
    }
    let (x, y) = (a[common], b[common]);
    if x.is_ascii_alphabetic() && y.is_ascii_alphabetic() {
        return x < y;
    }
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(i) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len() < b.len() };
    let (al, bl) = (is_letter(a[i]), is_letter(b[i]));
    if al && bl {
        return a[i] < b[i];
    }
    if al || bl {
        let after_digit = dialect == Dialect::V3 && i > 0 && is_digit(a[i - 1]);
        return if after_digit { al } else { bl };
    }
    let (mut an, mut bn) = (0_i64, 0_i64);
    if a[i] == '0' || b[i] == '0' {
        // Zeros behind another digit count as digits of the same number.
        let nonzero = a[..i].iter().rev().take_while(|c| is_digit(**c)).any(|c| *c != '0');
        if nonzero {
            (an, bn) = (1, 1);
        }
    }
    let number = |s: &[char], mut n: i64| {
        let run = s[i..].iter().take_while(|c| is_digit(**c)).count();
        for c in &s[i..i + run] {
            n = n.wrapping_mul(10).wrapping_add(i64::from(u32::from(*c)) - i64::from(b'0'));
        }
        (n, run)
    };
    let ((an, ai), (bn, bi)) = (number(&a, an), number(&b, bn));
    if an != bn {
        return an < bn;
    }
    if ai != bi {
        return ai < bi;
    }
    a[i] < b[i]
}

/// Sorts by [`less`]. A merge sort of our own: the order is not always transitive, which the standard sort may refuse.
pub fn sort<T: Copy>(items: &mut Vec<T>, less: &impl Fn(T, T) -> bool) {
    if items.windows(2).all(|w| !less(w[1], w[0])) {
        return;
    }
    let mut from = std::mem::take(items);
    let mut to = Vec::with_capacity(from.len());
    let mut run = 1;
    while run < from.len() {
        to.clear();
        for pair in from.chunks(run * 2) {
            let (mut a, mut b) = pair.split_at(run.min(pair.len()));
            while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
                if less(*y, *x) {
                    to.push(*y);
                    b = rest_b;
                } else {
                    to.push(*x);
                    a = rest_a;
                }
            }
            to.extend_from_slice(a);
            to.extend_from_slice(b);
        }
        std::mem::swap(&mut from, &mut to);
        run *= 2;
    }
    *items = from;
}
