//! Artifacts for every directory that fits a pattern: `pathPattern: "@repo/apps/{app}/envs/{env}"`.
//!
//! Source: source-watcher 2.2 `internal/controller/artifactgenerator_pathpattern.go`: each capture is one name of a directory; in the names of
//! artifacts it stands in lower case, in their copies as it is.

use std::collections::BTreeMap;

use crate::repo::files::Checkout;

use super::{Copy, Generator, Output, alias_of, join};

/// More directories than this are not looked at.
const MOST: usize = 20_000;

/// A part of a pattern's path: what stands before, between and behind its captures.
struct Part<'p> {
    /// Texts and captures in turn, a text first.
    pieces: Vec<&'p str>,
}

type Captures = BTreeMap<String, String>;

impl Generator {
    /// The artifacts that the directories of this repository make of the templates.
    pub(super) fn expand(&self, checkout: &Checkout, pattern: &str) -> Result<Vec<Output>, String> {
        let Some((alias, path)) = alias_of(pattern) else {
            return Err(format!("invalid pathPattern format: {pattern}"));
        };
        let failed = |why: String| format!("pathPattern {pattern:?}: {why}");
        let Some(source) = self.sources.iter().find(|s| s.alias == alias) else {
            return Err(failed(format!("source alias {alias} not found in local sources")));
        };
        if !source.here {
            return Err(failed(format!("{} {} is not this checkout", source.kind, source.name)));
        }
        let mut names = Vec::new();
        let parts: Vec<Part<'_>> =
            path.split('/').map(|part| parse(part, &mut names)).collect::<Result<_, _>>().map_err(failed)?;
        let mut out: Vec<(Output, String)> = Vec::new();
        for (dir, captures) in directories(checkout, &parts)? {
            let lower: Captures = captures.iter().map(|(k, v)| (k.clone(), v.to_lowercase())).collect();
            if let Some((name, value)) = lower.iter().find(|(_, value)| !is_label_value(value)) {
                return Err(failed(format!(
                    "captured value {value:?} for variable {name:?} is not a valid Kubernetes label value"
                )));
            }
            for template in &self.artifacts {
                let why = |e| failed(format!("failed to render artifact {} for match {dir}: {e}", template.name));
                let output = rendered(template, &lower, &captures).map_err(why)?;
                if let Some((_, other)) = out.iter().find(|(o, _)| o.name == output.name) {
                    return Err(failed(format!(
                        "directories {other:?} and {dir:?} both resolve to artifact name {:?}",
                        output.name
                    )));
                }
                out.push((output, dir.clone()));
            }
        }
        Ok(out.into_iter().map(|(output, _)| output).collect())
    }
}

/// A value that a label may have.
fn is_label_value(text: &str) -> bool {
    let end = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && end(bytes.first().copied())
        && end(bytes.last().copied())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Cuts a text at its captures: texts and names in turn.
fn pieces(text: &str) -> Result<Vec<&str>, String> {
    let (mut out, mut rest) = (Vec::new(), text);
    loop {
        let (plain, after) = rest.split_once('{').unwrap_or((rest, ""));
        if plain.contains('}') {
            return Err("a capture ends without a beginning: missing opening brace".into());
        }
        out.push(plain);
        if plain.len() == rest.len() {
            return Ok(out);
        }
        let Some((name, after)) = after.split_once('}') else {
            return Err("a capture does not end: missing closing brace".into());
        };
        if name.is_empty() {
            return Err("empty capture variable".into());
        }
        if !is_name(name) {
            return Err(format!(
                "capture variable {name:?} must be a valid capture name matching [A-Za-z_][A-Za-z0-9_]*"
            ));
        }
        out.push(name);
        rest = after;
    }
}

fn parse<'p>(part: &'p str, names: &mut Vec<&'p str>) -> Result<Part<'p>, String> {
    let pieces = pieces(part)?;
    for name in pieces.iter().skip(1).step_by(2) {
        if names.contains(name) {
            return Err(format!("duplicate capture variable {name:?}"));
        }
        names.push(name);
    }
    Ok(Part { pieces })
}

impl Part<'_> {
    /// What the captures hold in a name that fits: as much as they can, the first one first.
    fn captures(&self, name: &str, out: &mut Captures) -> bool {
        fn fits(pieces: &[&str], name: &str, out: &mut Captures) -> bool {
            let Some((text, rest)) = pieces.split_first() else { return name.is_empty() };
            let Some(after) = name.strip_prefix(text) else { return false };
            let Some((capture, rest)) = rest.split_first() else { return after.is_empty() };
            let ends: Vec<usize> = after.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
            ends.into_iter().rev().any(|end| {
                let (held, after) = after.split_at(end);
                let fits = fits(rest, after, out);
                if fits {
                    out.insert((*capture).to_owned(), held.to_owned());
                }
                fits
            })
        }
        fits(&self.pieces, name, out)
    }
}

/// The directories that fit, with what the captures hold, in the order of a walk.
fn directories(checkout: &Checkout, parts: &[Part<'_>]) -> Result<Vec<(String, Captures)>, String> {
    let mut found = vec![(String::new(), Captures::new())];
    for part in parts {
        let mut next = Vec::new();
        for (dir, captures) in found {
            for name in checkout.list(&dir)?.iter().filter_map(|n| n.strip_suffix('/')) {
                let mut captures = captures.clone();
                if name != ".git" && part.captures(name, &mut captures) {
                    next.push((join(&dir, name), captures));
                }
            }
        }
        if next.len() > MOST {
            return Err(format!("more than {MOST} directories fit"));
        }
        found = next;
    }
    Ok(found)
}

/// An artifact of a template.
fn rendered(template: &Output, lower: &Captures, captures: &Captures) -> Result<Output, String> {
    let copy = |c: &Copy| Ok(Copy { from: filled(&c.from, captures)?, to: filled(&c.to, captures)?, ..c.clone() });
    Ok(Output {
        name: filled(&template.name, lower)?,
        copies: template.copies.iter().map(copy).collect::<Result<_, String>>()?,
    })
}

fn filled(template: &str, captures: &Captures) -> Result<String, String> {
    let invalid = |why: String| format!("invalid template {template:?}: {why}");
    let mut out = String::new();
    for (i, piece) in pieces(template).map_err(invalid)?.into_iter().enumerate() {
        let undefined = || invalid(format!("capture variable {piece:?} is not defined by pathPattern"));
        out.push_str(if i % 2 == 0 { piece } else { captures.get(piece).ok_or_else(undefined)? });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_hold_what_the_pattern_leaves_them() {
        for (pattern, name, want) in [
            ("{app}", "web", Some("app=web")),
            ("{app}-{env}", "web-eu-prod", Some("app=web-eu env=prod")),
            ("svc-{app}.d", "svc-web.d", Some("app=web")),
            ("svc-{app}.d", "svc-.d", None),
            ("apps", "apps", Some("")),
            ("apps", "app", None),
            ("{a}{b}", "xyz", Some("a=xy b=z")),
        ] {
            let part = parse(pattern, &mut Vec::new()).unwrap();
            let mut captures = Captures::new();
            let got = part.captures(name, &mut captures).then(|| {
                let all: Vec<String> = captures.iter().map(|(k, v)| format!("{k}={v}")).collect();
                all.join(" ")
            });
            assert_eq!(got.as_deref(), want, "{pattern} {name}");
        }
        for (pattern, want) in [
            ("{", "missing closing brace"),
            ("}", "missing opening brace"),
            ("{}", "empty capture"),
            ("{1a}", "must be a valid capture name"),
            ("{a}-{a}", "duplicate capture variable \"a\""),
        ] {
            let error = parse(pattern, &mut Vec::new()).err().unwrap();
            assert!(error.contains(want), "{pattern}: {error}");
        }
    }
}
