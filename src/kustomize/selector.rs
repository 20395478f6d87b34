//! Selectors: anchored regular expressions on group, version, kind, name and namespace, and label selectors on labels and
//! annotations.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::{Error, Result};
use super::ids::{Gvk, Id};
use super::node::Node;
use super::resource::{Pairs, pairs};
use crate::golang::regexp::Regexp;

/// What a patch's or a replacement's target says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    pub id: Id,
    pub annotations: String,
    pub labels: String,
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:a={}:l={}", self.id, self.annotations, self.labels)
    }
}

impl Selector {
    /// True if labels and annotations of the object fit.
    pub fn matches_labels(&self, node: &Node) -> Result<bool> {
        let fits = |selector: &str, field: &str| -> Result<bool> {
            if selector.is_empty() {
                return Ok(true);
            }
            let wanted = parse(selector)?;
            let pairs = pairs(node, field);
            Ok(wanted.iter().all(|r| r.matches(&pairs)))
        };
        Ok(fits(&self.labels, "labels")? && fits(&self.annotations, "annotations")?)
    }
}

/// A selector with its expressions compiled.
pub struct SelectorRegex {
    group: Option<Arc<Regexp>>,
    version: Option<Arc<Regexp>>,
    kind: Option<Arc<Regexp>>,
    name: Option<Arc<Regexp>>,
    namespace: Option<Arc<Regexp>>,
}

fn anchored(pattern: &str) -> Result<Option<Arc<Regexp>>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    Ok(Some(Regexp::cached(format!("^(?:{pattern})$").as_bytes())?))
}

fn fits(regex: Option<&Arc<Regexp>>, text: &str) -> bool {
    regex.is_none_or(|r| r.is_match(text.as_bytes()))
}

impl SelectorRegex {
    pub fn new(selector: &Selector) -> Result<Self> {
        let Id { gvk, name, namespace, .. } = &selector.id;
        Ok(Self {
            group: anchored(&gvk.group)?,
            version: anchored(&gvk.version)?,
            kind: anchored(&gvk.kind)?,
            name: anchored(name)?,
            namespace: anchored(namespace)?,
        })
    }

    pub fn matches_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.kind.as_ref(), &gvk.kind)
            && fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
    }

    pub fn matches_name(&self, name: &str) -> bool {
        fits(self.name.as_ref(), name)
    }

    pub fn matches_namespace(&self, namespace: &str) -> bool {
        fits(self.namespace.as_ref(), namespace)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    In,
    NotIn,
    Exists,
    NotExists,
    Greater,
    Less,
}

struct Requirement {
    key: String,
    op: Op,
    values: BTreeSet<String>,
}

impl Requirement {
    fn matches(&self, pairs: &Pairs) -> bool {
        let value = pairs.get(&self.key);
        match self.op {
            Op::In => value.is_some_and(|v| self.values.contains(v)),
            Op::NotIn => value.is_none_or(|v| !self.values.contains(v)),
            Op::Exists => value.is_some(),
            Op::NotExists => value.is_none(),
            Op::Greater | Op::Less => {
                let number = |s: &String| s.parse::<i64>().ok();
                let (Some(own), Some(bound)) = (value.and_then(number), self.values.first().and_then(number)) else {
                    return false;
                };
                if self.op == Op::Greater { own > bound } else { own < bound }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tok {
    Error,
    End,
    Ident,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
}

fn keyword(s: &str) -> Option<Tok> {
    Some(match s {
        ")" => Tok::Close,
        "," => Tok::Comma,
        "!" => Tok::Not,
        "==" => Tok::DoubleEquals,
        "=" => Tok::Equals,
        ">" => Tok::Greater,
        "in" => Tok::In,
        "<" => Tok::Less,
        "!=" => Tok::NotEquals,
        "notin" => Tok::NotIn,
        "(" => Tok::Open,
        _ => return None,
    })
}

/// Tokens with their texts, the end last.
fn lex(text: &str) -> Vec<(Tok, String)> {
    let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(space);
        let Some(first) = rest.chars().next().filter(|c| *c != '\0') else {
            out.push((Tok::End, String::new()));
            return out;
        };
        if !special(first) {
            let end = rest.find(|c| special(c) || space(c) || c == '\0').unwrap_or(rest.len());
            let (word, left) = rest.split_at(end);
            out.push((keyword(word).unwrap_or(Tok::Ident), word.to_owned()));
            rest = left;
            continue;
        }
        let run = rest.find(|c| !special(c)).unwrap_or(rest.len());
        let mut taken = None;
        for end in 1..=run {
            match keyword(&rest[..end]) {
                Some(tok) => taken = Some((tok, end)),
                None if taken.is_some() => break,
                None => {}
            }
        }
        let (tok, end) = taken.unwrap_or((Tok::Error, run));
        let word = &rest[..end];
        out.push(match tok {
            Tok::Error => (tok, format!("error expected: keyword found '{word}'")),
            tok => (tok, word.to_owned()),
        });
        rest = &rest[end..];
    }
}

struct Parser {
    tokens: Vec<(Tok, String)>,
    at: usize,
}

impl Parser {
    /// The next token where a value may stand: there keywords are words.
    fn peek(&self) -> (Tok, &str) {
        match self.tokens.get(self.at).or(self.tokens.last()) {
            Some((Tok::In | Tok::NotIn, text)) => (Tok::Ident, text),
            Some((tok, text)) => (*tok, text),
            None => (Tok::End, ""),
        }
    }

    fn take(&mut self) -> (Tok, String) {
        let (tok, text) = self.peek();
        let out = (tok, text.to_owned());
        self.at += 1;
        out
    }

    fn requirements(&mut self) -> std::result::Result<Vec<Requirement>, String> {
        let mut out = Vec::new();
        loop {
            let (tok, text) = self.peek();
            match tok {
                Tok::Ident | Tok::Not => {
                    out.push(self.requirement().map_err(|e| format!("unable to parse requirement: {e}"))?);
                    let (tok, text) = self.take();
                    match tok {
                        Tok::End => return Ok(out),
                        Tok::Comma => {
                            let (tok, text) = self.peek();
                            if !matches!(tok, Tok::Ident | Tok::Not) {
                                return Err(format!("found '{text}', expected: identifier after ','"));
                            }
                        }
                        _ => return Err(format!("found '{text}', expected: ',' or 'end of string'")),
                    }
                }
                Tok::End => return Ok(out),
                _ => return Err(format!("found '{text}', expected: !, identifier, or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> std::result::Result<Requirement, String> {
        let (mut tok, mut key) = self.take();
        let not = tok == Tok::Not;
        if not {
            (tok, key) = self.take();
        }
        if tok != Tok::Ident {
            return Err(format!("found '{key}', expected: identifier"));
        }
        qualified_name(&key).map_err(|e| format!("invalid label key {key:?}: {e}"))?;
        let ends = matches!(self.peek().0, Tok::End | Tok::Comma);
        if not || ends {
            let op = if not { Op::NotExists } else { Op::Exists };
            return Ok(Requirement { key, op, values: BTreeSet::new() });
        }
        let (tok, text) = self.tokens.get(self.at).cloned().unwrap_or((Tok::End, String::new()));
        self.at += 1;
        let op = match tok {
            Tok::In | Tok::Equals | Tok::DoubleEquals => Op::In,
            Tok::NotIn | Tok::NotEquals => Op::NotIn,
            Tok::Greater => Op::Greater,
            Tok::Less => Op::Less,
            _ => return Err(format!("found '{text}', expected: '=', '!=', '==', 'in', notin'")),
        };
        let values = if matches!(tok, Tok::In | Tok::NotIn) { self.values()? } else { self.exact_value()? };
        if matches!(op, Op::Greater | Op::Less) && values.iter().any(|v| v.parse::<i64>().is_err()) {
            return Err("for 'Gt', 'Lt' operators, the value must be an integer".into());
        }
        for value in &values {
            label_value(value).map_err(|e| format!("invalid label value: {value:?}: at key: {key:?}: {e}"))?;
        }
        Ok(Requirement { key, op, values })
    }

    fn values(&mut self) -> std::result::Result<BTreeSet<String>, String> {
        let (tok, text) = self.take();
        if tok != Tok::Open {
            return Err(format!("found '{text}' expected: '('"));
        }
        let (tok, text) = self.peek();
        let text = text.to_owned();
        match tok {
            Tok::Ident | Tok::Comma => {
                let values = self.list()?;
                if self.take().0 != Tok::Close {
                    return Err(format!("found '{text}', expected: ')'"));
                }
                Ok(values)
            }
            Tok::Close => {
                self.take();
                Ok(BTreeSet::from([String::new()]))
            }
            _ => Err(format!("found '{text}', expected: ',', ')' or identifier")),
        }
    }

    fn list(&mut self) -> std::result::Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            let (tok, text) = self.take();
            match tok {
                Tok::Ident => {
                    values.insert(text);
                    match self.peek() {
                        (Tok::Comma, _) => {}
                        (Tok::Close, _) => return Ok(values),
                        (_, text) => return Err(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                Tok::Comma => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek().0 {
                        Tok::Close => {
                            values.insert(String::new());
                            return Ok(values);
                        }
                        Tok::Comma => {
                            self.take();
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                _ => return Err(format!("found '{text}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> std::result::Result<BTreeSet<String>, String> {
        if matches!(self.peek().0, Tok::End | Tok::Comma) {
            return Ok(BTreeSet::from([String::new()]));
        }
        match self.take() {
            (Tok::Ident, text) => Ok(BTreeSet::from([text])),
            (_, text) => Err(format!("found '{text}', expected: identifier")),
        }
    }
}

/// `labels.Parse` of Kubernetes.
fn parse(text: &str) -> Result<Vec<Requirement>> {
    Parser { tokens: lex(text), at: 0 }.requirements().map_err(Error::new)
}

const NAME_MESSAGE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
     alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn is_name(s: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    edge(s.bytes().next())
        && edge(s.bytes().last())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// `validation.IsQualifiedName`
fn qualified_name(s: &str) -> std::result::Result<(), String> {
    let mut problems: Vec<String> = Vec::new();
    let name = match s.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            let label = |l: &str| {
                let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                !l.is_empty() && l.bytes().all(|b| inner(b) || b == b'-') && !l.starts_with('-') && !l.ends_with('-')
            };
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".into());
            } else if !prefix.split('.').all(label) {
                problems.push(
                    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                        .into(),
                );
            } else if prefix.len() > 253 {
                problems.push("prefix part must be no more than 253 characters".into());
            }
            name
        }
        _ => {
            return Err("a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
                 an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                 '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
                .into());
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 characters".into());
    }
    if !is_name(name) {
        problems.push(NAME_MESSAGE.into());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// `validation.IsValidLabelValue`
fn label_value(s: &str) -> std::result::Result<(), String> {
    if s.len() > 63 {
        return Err("must be no more than 63 characters".into());
    }
    if s.is_empty() || is_name(s) {
        return Ok(());
    }
    Err("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
         with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors_match_as_kubernetes_does() {
        let pairs: Pairs = [("app", "web"), ("tier", "3")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        for (text, want) in [
            ("app=web", true),
            ("app==web,tier", true),
            ("app!=web", false),
            ("x!=y", true),
            ("!x", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("tier>2", true),
            ("tier<2", false),
            ("", true),
        ] {
            let wanted = parse(text).unwrap();
            assert_eq!(wanted.iter().all(|r| r.matches(&pairs)), want, "{text}");
        }
        for (text, want) in [
            ("a b", "unable to parse requirement: found 'b', expected: '=', '!=', '==', 'in', notin'"),
            ("a=b,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ] {
            assert_eq!(parse(text).err().unwrap().to_string(), want);
        }
    }
}
