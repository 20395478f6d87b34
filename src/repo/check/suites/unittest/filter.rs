//! Filters of paths: `[?(@.name == "web" && !@.optional)]`, with `==`, `!=`, `<`, `<=`, `>`, `>=`, `=~ /regexp/`, `&&`, `||`, `!` and brackets.
//!
//! A comparison holds if both sides lead to something and it holds for every pair of what they lead to. Values of different types are not equal, and
//! neither less nor greater.

use std::cmp::Ordering;

use super::data::Yaml;
use super::path::{Path, Reader};
use crate::golang::regexp::Regexp;

#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// A path leads to something.
    There(Term),
    Constant(bool),
    Compare(Term, Operator, Term),
    Matches(Term, String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// From the node that is looked at.
    Here(Path),
    Root(Path),
    Literal(Yaml),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How deep brackets and `!` nest.
const MAX_DEPTH: usize = 100;

/// Reads a filter up to its `)]`.
pub fn parse(r: &mut Reader<'_>) -> Result<Filter, String> {
    either(r, 0)
}

fn either(r: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    let mut left = both(r, depth)?;
    r.skip_blanks();
    while r.take("||") {
        left = Filter::Or(Box::new(left), Box::new(both(r, depth)?));
        r.skip_blanks();
    }
    Ok(left)
}

fn both(r: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    let mut left = basic(r, depth)?;
    r.skip_blanks();
    while r.take("&&") {
        left = Filter::And(Box::new(left), Box::new(basic(r, depth)?));
        r.skip_blanks();
    }
    Ok(left)
}

fn basic(r: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    if depth > MAX_DEPTH {
        return Err(r.wrong("filter nested too deeply"));
    }
    r.skip_blanks();
    if !r.rest().starts_with("!=") && r.take("!") {
        return Ok(Filter::Not(Box::new(basic(r, depth + 1)?)));
    }
    if r.take("(") {
        let inner = either(r, depth + 1)?;
        r.skip_blanks();
        return if r.take(")") { Ok(inner) } else { Err(r.wrong("missing )")) };
    }
    let left = term(r)?;
    r.skip_blanks();
    if r.take("=~") {
        if matches!(left, Term::Literal(_)) {
            return Err(r.wrong("literal cannot be matched using =~"));
        }
        return Ok(Filter::Matches(left, regexp(r)?));
    }
    let operators = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        (">", Operator::Greater),
        ("<=", Operator::LessOrEqual),
        ("<", Operator::Less),
    ];
    let Some((_, operator)) = operators.into_iter().find(|(sign, _)| r.take(sign)) else {
        return Ok(match left {
            Term::Literal(Yaml::Bool(b)) => Filter::Constant(b),
            Term::Literal(_) => Filter::Constant(false),
            path => Filter::There(path),
        });
    };
    let right = term(r)?;
    let text = |t: &Term| matches!(t, Term::Literal(Yaml::Text(_)));
    if !matches!(operator, Operator::Equal | Operator::NotEqual) && (text(&left) || text(&right)) {
        return Err(r.wrong("strings cannot be compared using < and >"));
    }
    Ok(Filter::Compare(left, operator, right))
}

fn term(r: &mut Reader<'_>) -> Result<Term, String> {
    r.skip_blanks();
    if r.take("@") {
        return r.path(true).map(Term::Here);
    }
    if r.take("$") {
        return r.path(true).map(Term::Root);
    }
    for quote in ['\'', '"'] {
        if r.rest().starts_with(quote) {
            r.take(&quote.to_string());
            let text = r.until(|c| c == quote).to_owned();
            if !r.take(&quote.to_string()) {
                return Err(r.wrong("unmatched string delimiter"));
            }
            return Ok(Term::Literal(Yaml::Text(text)));
        }
    }
    for (word, value) in [("true", Yaml::Bool(true)), ("false", Yaml::Bool(false)), ("null", Yaml::Null)] {
        if r.take(word) {
            return Ok(Term::Literal(value));
        }
    }
    let number = r.until(|c| !(c.is_ascii_digit() || matches!(c, '.' | '-' | 'e' | 'E')));
    if number.is_empty() {
        return Err(r.wrong("invalid filter term"));
    }
    if let Ok(n) = number.parse::<i64>() {
        return Ok(Term::Literal(Yaml::Int(n)));
    }
    number.parse().map(|f| Term::Literal(Yaml::Float(f))).map_err(|_| r.wrong("invalid number"))
}

/// `/…/`, where `\/` is a slash.
fn regexp(r: &mut Reader<'_>) -> Result<String, String> {
    r.skip_blanks();
    if !r.take("/") {
        return Err(r.wrong("regular expression does not start with /"));
    }
    let mut out = String::new();
    loop {
        let part = r.until(|c| matches!(c, '/' | '\\'));
        out.push_str(part);
        if r.take("/") {
            break;
        }
        if r.take("\\/") {
            out.push('/');
        } else if r.take("\\\\") {
            out.push_str("\\\\");
        } else if r.take("\\") {
            out.push('\\');
        } else {
            return Err(r.wrong("unmatched regular expression delimiter"));
        }
    }
    Regexp::cached(out.as_bytes()).map_err(|e| r.wrong(&format!("invalid regular expression: {e}")))?;
    Ok(out)
}

impl Filter {
    pub fn holds(&self, node: &Yaml, root: &Yaml) -> bool {
        match self {
            Self::There(term) => !term.values(node, root).is_empty(),
            Self::Constant(b) => *b,
            Self::Not(inner) => !inner.holds(node, root),
            Self::And(a, b) => a.holds(node, root) && b.holds(node, root),
            Self::Or(a, b) => a.holds(node, root) || b.holds(node, root),
            Self::Matches(term, pattern) => {
                let Ok(pattern) = Regexp::cached(pattern.as_bytes()) else { return false };
                let found = term.values(node, root);
                !found.is_empty()
                    && found.iter().all(|v| v.as_text().is_some_and(|text| pattern.is_match(text.as_bytes())))
            }
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.values(node, root), right.values(node, root));
                !left.is_empty()
                    && !right.is_empty()
                    && left.iter().all(|l| right.iter().all(|r| operator.holds(compare(l, r))))
            }
        }
    }
}

impl Term {
    fn values(&self, node: &Yaml, root: &Yaml) -> Vec<Yaml> {
        match self {
            Self::Here(path) => path.find(node, node),
            Self::Root(path) => path.find(root, root),
            Self::Literal(value) => vec![value.clone()],
        }
    }
}

impl Operator {
    fn holds(self, found: Option<Ordering>) -> bool {
        match self {
            Self::Equal => found == Some(Ordering::Equal),
            Self::NotEqual => found != Some(Ordering::Equal),
            Self::Less => found == Some(Ordering::Less),
            Self::LessOrEqual => matches!(found, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => found == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(found, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// Nothing for values that can't be compared, and for truth values that differ.
fn compare(a: &Yaml, b: &Yaml) -> Option<Ordering> {
    let number = |v: &Yaml| match v {
        Yaml::Int(n) => Some(*n as f64),
        Yaml::Uint(n) => Some(*n as f64),
        Yaml::Float(f) => Some(*f),
        _ => None,
    };
    match (a, b) {
        (Yaml::Text(a), Yaml::Text(b)) => Some(a.cmp(b)),
        (Yaml::Bool(a), Yaml::Bool(b)) => (a == b).then_some(Ordering::Equal),
        (Yaml::Null, Yaml::Null) => Some(Ordering::Equal),
        (a, b) => number(a)?.partial_cmp(&number(b)?),
    }
}
