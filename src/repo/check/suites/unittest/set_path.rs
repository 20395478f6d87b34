//! Where a suite's `set` puts a value: `image.tag`, `list[1].name`, `annotations[a.b/c]`.

use std::collections::BTreeMap;

use super::data::Yaml;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
}

/// Longer lists are not made up.
const MAX_INDEX: usize = 65_536;

/// A value at its path, as a values file would have it. Items of a list before it are null.
///
/// # Errors
/// The path can't be read.
pub fn build(path: &str, value: Yaml) -> Result<Yaml, String> {
    let mut out = value;
    for part in parse(path)?.into_iter().rev() {
        out = match part {
            Part::Key(key) => Yaml::Map(BTreeMap::from([(key, out)])),
            Part::Index(index) => {
                let mut items = vec![Yaml::Null; index];
                items.push(out);
                Yaml::List(items)
            }
        };
    }
    Ok(out)
}

fn parse(path: &str) -> Result<Vec<Part>, String> {
    #[derive(PartialEq)]
    enum Want {
        Key,
        Index,
        Denotation,
        Escaped(String),
    }
    let wrong = |what: &str| format!("set path {path:?}: {what}");
    if path.is_empty() {
        return Err("set path is empty".into());
    }
    let mut parts = Vec::new();
    let mut want = Want::Key;
    let mut rest = path;
    loop {
        let Some(end) = rest.find(['.', '[', ']', ',', '{', '}', '=']) else {
            match want {
                Want::Key if !rest.is_empty() => parts.push(Part::Key(rest.to_owned())),
                Want::Denotation if rest.is_empty() => {}
                _ => return Err(wrong("it ends too early")),
            }
            return Ok(parts);
        };
        let (text, sign) = (&rest[..end], rest.as_bytes()[end]);
        rest = &rest[end + 1..];
        want = match (want, sign) {
            (_, b',' | b'{' | b'}' | b'=') => return Err(wrong(&format!("invalid token {}", char::from(sign)))),
            (Want::Key, b'.') => {
                parts.push(Part::Key(text.to_owned()));
                Want::Key
            }
            (Want::Key, b'[') if text.is_empty() => Want::Escaped(String::new()),
            (Want::Key, b'[') => {
                parts.push(Part::Key(text.to_owned()));
                Want::Index
            }
            (Want::Index, b']') => {
                let index = text.parse().ok().filter(|i| *i <= MAX_INDEX);
                parts.push(Part::Index(index.ok_or_else(|| wrong(&format!("invalid index {text:?}")))?));
                Want::Denotation
            }
            (Want::Denotation, b'.') => Want::Key,
            (Want::Denotation, b'[') => Want::Index,
            (Want::Escaped(before), b'.') => Want::Escaped(format!("{before}{text}.")),
            (Want::Escaped(before), b']') => {
                parts.push(Part::Key(before + text));
                Want::Denotation
            }
            _ => return Err(wrong(&format!("unexpected {}", char::from(sign)))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_at_their_paths() {
        for (path, want) in [
            ("a", r#"{"a": 1}"#),
            ("a.b", r#"{"a": {"b": 1}}"#),
            ("a[1].b", r#"{"a": [null, {"b": 1}]}"#),
            ("a[0][1]", r#"{"a": [[null, 1]]}"#),
            ("a.[b.c/d].e", r#"{"a": {"b.c/d": {"e": 1}}}"#),
            ("[b.c]", r#"{"b.c": 1}"#),
            ("a.b c", r#"{"a": {"b c": 1}}"#),
        ] {
            assert_eq!(build(path, Yaml::Int(1)).unwrap().shown(), want, "{path}");
        }
        for path in ["", "a.", "a[", "a[x]", "a=b", "a]", "a[1", "a[99999999]", "a{"] {
            assert!(build(path, Yaml::Null).is_err(), "{path}");
        }
    }
}
