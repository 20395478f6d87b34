//! The table of Kubernetes' own kinds, one line a kind or type.
//!
//! `kind API KIND TYPE` names a kind, `type TYPE field:code …` its fields. Codes: `s` text, `y` bytes in base64, `i` integer, `n` number, `b` boolean,
//! `q` quantity, `p` integer or text, `*` anything, `[x` a list of x, `{x` a map to x, `#T` the type T; `!` marks what must be given.
//! `@since-until` (minor versions, either may be left out) stands behind what does not hold in all versions of the table.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Field, KindEntry, Minor, Range, Schemas, Struct, Type};

static TEXT: &str = include_str!("kubernetes.txt");

static TABLE: LazyLock<Schemas> = LazyLock::new(|| read(TEXT));

pub(super) fn kubernetes() -> &'static Schemas {
    &TABLE
}

pub(super) fn versions() -> Range {
    let line = TEXT.lines().find_map(|l| l.strip_prefix("versions ")).unwrap_or_default();
    let mut numbers = line.split(' ').filter_map(|n| n.parse().ok());
    Range { since: numbers.next().unwrap_or_default(), until: numbers.next().unwrap_or(Minor::MAX) }
}

fn read(text: &str) -> Schemas {
    let mut out = Schemas::default();
    let names = text.lines().filter_map(|l| l.strip_prefix("type ")?.split(' ').next());
    let index: HashMap<&str, usize> = names.enumerate().map(|(i, name)| (name, i)).collect();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("kind ") {
            let mut words = rest.split(' ');
            let (Some(api), Some(kind), Some(ty)) = (words.next(), words.next(), words.next()) else { continue };
            let (name, range) = ranged(ty);
            let ty = index.get(name).map_or(Type::Any, |i| Type::Object(*i));
            out.add_kind(api, kind, KindEntry { ty, range });
        } else if let Some(rest) = line.strip_prefix("type ") {
            let mut s = Struct::default();
            for word in rest.split(' ').skip(1) {
                let Some((field, code)) = word.split_once(':') else { continue };
                let (code, range) = ranged(code);
                let (code, required) = code.strip_suffix('!').map_or((code, false), |c| (c, true));
                s.fields.entry(field.into()).or_default().push(Field { ty: ty(code, &index), required, range });
            }
            out.add_struct(s);
        }
    }
    out
}

/// A word without its `@since-until`.
fn ranged(word: &str) -> (&str, Range) {
    let Some((word, range)) = word.split_once('@') else { return (word, Range::ALWAYS) };
    let (since, until) = range.split_once('-').unwrap_or((range, ""));
    (word, Range { since: since.parse().unwrap_or(0), until: until.parse().unwrap_or(Minor::MAX) })
}

fn ty(code: &str, index: &HashMap<&str, usize>) -> Type {
    let rest = code.get(1..).unwrap_or_default();
    match code.as_bytes().first() {
        Some(b's' | b'y') => Type::Text,
        Some(b'i') => Type::Integer,
        Some(b'n') => Type::Number,
        Some(b'b') => Type::Boolean,
        Some(b'q') => Type::Quantity,
        Some(b'p') => Type::IntOrString,
        Some(b'[') => Type::List(Box::new(ty(rest, index))),
        Some(b'{') => Type::Map(Box::new(ty(rest, index))),
        Some(b'#') => index.get(rest).map_or(Type::Any, |i| Type::Object(*i)),
        _ => Type::Any,
    }
}
