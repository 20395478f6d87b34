//! What a definition says of a value beside its type: a pattern, how long it may be, how large, how many. Told in the API server's words.

use std::cmp::Ordering;

use crate::golang::regexp::Regexp;
use crate::repo::document::{Kind, Node};

/// A limit of a number, as it is written.
#[derive(Clone, Debug, PartialEq)]
struct Limit {
    value: f64,
    text: String,
    /// The limit itself is not allowed.
    exclusive: bool,
}

/// What a value must hold to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// In Go's syntax. One that can't be compiled says nothing: no API server takes such a definition.
    pattern: Option<String>,
    length: (Option<usize>, Option<usize>),
    items: (Option<usize>, Option<usize>),
    properties: (Option<usize>, Option<usize>),
    minimum: Option<Limit>,
    maximum: Option<Limit>,
    multiple_of: Option<(f64, String)>,
}

/// Longer values are cut in messages.
const MOST_SHOWN: usize = 120;

/// A number that is written in decimal digits; what YAML reads otherwise (`0x1f`, `017`) is not judged.
fn number(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['-', '+']).as_bytes();
    let is_octal = digits.len() > 1 && digits.first() == Some(&b'0') && digits.iter().all(u8::is_ascii_digit);
    text.parse().ok().filter(|n: &f64| !is_octal && n.is_finite())
}

/// A text in quotes, as `%q` shows it where nothing in it is strange.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}…", text.get(..end).unwrap_or_default())),
        None => format!("{text:?}"),
    }
}

impl Bounds {
    /// Reads them from a schema; nothing if it has none.
    pub fn read(schema: &Node) -> Option<Self> {
        let written = |key: &str| schema.get(key).and_then(Node::as_str);
        let count = |key: &str| written(key).and_then(|t| t.parse().ok());
        let limit = |key: &str, exclusive: &str| {
            let text = written(key)?.to_owned();
            Some(Limit { value: number(&text)?, text, exclusive: written(exclusive) == Some("true") })
        };
        let bounds = Self {
            pattern: written("pattern").map(String::from),
            length: (count("minLength"), count("maxLength")),
            items: (count("minItems"), count("maxItems")),
            properties: (count("minProperties"), count("maxProperties")),
            minimum: limit("minimum", "exclusiveMinimum"),
            maximum: limit("maximum", "exclusiveMaximum"),
            multiple_of: written("multipleOf").and_then(|t| Some((number(t).filter(|n| *n > 0.0)?, t.to_owned()))),
        };
        (bounds != Self::default()).then_some(bounds)
    }

    /// What of a value does not hold, behind its path, and what to do. Each bound is for values of one type.
    pub fn faults(&self, node: &Node, path: &str) -> Vec<(String, String)> {
        let text = node.as_str().unwrap_or_default();
        match node.kind() {
            Kind::Text => self.of_text(text, path),
            Kind::Int | Kind::Float => number(text).map(|n| self.of_number(n, text, path)).unwrap_or_default(),
            Kind::List => of_count(node.items().len(), self.items, "items", path),
            Kind::Map => of_count(node.entries().len(), self.properties, "properties", path),
            Kind::Null | Kind::Bool => Vec::new(),
        }
    }

    fn of_text(&self, text: &str, path: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let length = text.chars().count();
        if let Some(most) = self.length.1.filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            out.push((message, format!("it has {length} characters: shorten it")));
        }
        if let Some(least) = self.length.0.filter(|least| length < *least) {
            let message =
                format!("Invalid value: {}: {path} in body should be at least {least} chars long", quoted(text));
            out.push((message, "give a value, or remove the field".into()));
        }
        if let Some(pattern) = &self.pattern
            && Regexp::cached(pattern.as_bytes()).is_ok_and(|regexp| !regexp.is_match(text.as_bytes()))
        {
            let message = format!("Invalid value: {}: {path} in body should match '{pattern}'", quoted(text));
            let is_duration = pattern.starts_with(r"^([0-9]+(\.[0-9]+)?(ms|s|m");
            let fix =
                if is_duration { "write a duration: 30s, 5m, 1m30s" } else { "write a value that fits the pattern" };
            out.push((message, fix.into()));
        }
        out
    }

    fn of_number(&self, n: f64, text: &str, path: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut say = |what: &str| {
            out.push((format!("Invalid value: {text}: {path} in body should be {what}"), "correct the number".into()));
        };
        let (mut least, mut most) = (String::new(), String::new());
        if let Some(limit) = &self.minimum {
            match n.partial_cmp(&limit.value) {
                Some(Ordering::Less | Ordering::Equal) if limit.exclusive => {
                    least = format!("greater than {}", limit.text)
                }
                Some(Ordering::Less) => least = format!("greater than or equal to {}", limit.text),
                _ => {}
            }
        }
        if let Some(limit) = &self.maximum {
            match n.partial_cmp(&limit.value) {
                Some(Ordering::Greater | Ordering::Equal) if limit.exclusive => {
                    most = format!("less than {}", limit.text)
                }
                Some(Ordering::Greater) => most = format!("less than or equal to {}", limit.text),
                _ => {}
            }
        }
        for what in [least, most].iter().filter(|what| !what.is_empty()) {
            say(what);
        }
        if let Some((factor, shown)) = &self.multiple_of
            && (n / factor).fract() != 0.0
        {
            say(&format!("a multiple of {shown}"));
        }
        out
    }
}

fn of_count(
    count: usize,
    (least, most): (Option<usize>, Option<usize>),
    what: &str,
    path: &str,
) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Some(most) = most.filter(|most| count > *most) {
        out.push((format!("Too many: {count}: must have at most {most} items"), format!("take {} out", count - most)));
    }
    if let Some(least) = least.filter(|least| count < *least) {
        let message = format!("Invalid value: {count}: {path} in body should have at least {least} {what}");
        out.push((message, format!("add {}", least - count)));
    }
    out
}
