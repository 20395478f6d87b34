//! From text to nodes.

use crate::golang::float::parse_float;
use crate::golang::fmt::Spec;
use crate::golang::strconv::{Unit, atoi, unquote_char};
use crate::golang::unicode::{is_digit, is_letter};
use crate::value::Str;

use super::{Bound, Node};

/// The operator of a filter that has none.
pub const EXISTS: &str = "exists";

/// The texts and actions of a template.
///
/// # Errors
/// Go's words.
pub fn nodes(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser { rest: text };
    let mut out = Vec::new();
    loop {
        let end = parser.rest.find('{').unwrap_or(parser.rest.len());
        let text = parser.take(end);
        if !text.is_empty() {
            out.push(Node::Text(text.into()));
        }
        if parser.rest.is_empty() {
            return Ok(out);
        }
        parser.take(1);
        out.push(Node::Action(parser.action()?));
    }
}

/// The nodes of an action's inside. Behind a brace in it more text may follow, which must be a template and is not looked at.
fn inside(text: &str) -> Result<Vec<Node>, String> {
    match nodes(&format!("{{{text}}}"))?.into_iter().next() {
        Some(Node::Action(nodes)) => Ok(nodes),
        _ => Ok(Vec::new()),
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Behind the opening brace, up to and with the closing one.
    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut out = Vec::new();
        loop {
            if self.rest.starts_with("[?(") {
                out.push(self.filter()?);
                continue;
            }
            if self.rest.starts_with("..") {
                if matches!(out.last(), Some(Node::Recursive)) {
                    return Err("invalid multiple recursive descent".into());
                }
                self.take(2);
                out.push(Node::Recursive);
                if self.rest.chars().next().is_some_and(is_word) {
                    out.push(self.field());
                }
                continue;
            }
            match self.rest.chars().next() {
                None | Some('\r' | '\n') => return Err("unclosed action".into()),
                Some('}') => {
                    self.take(1);
                    return Ok(out);
                }
                // The current object is what a step has anyway.
                Some(' ' | '@' | '$') => {
                    self.take(1);
                }
                Some('[') => self.array(&mut out)?,
                Some(quote @ ('"' | '\'')) => out.push(self.quoted(quote)?),
                Some('.') => {
                    self.take(1);
                    out.push(self.field());
                }
                Some(c) if matches!(c, '+' | '-') || is_digit(c) => out.push(self.number()?),
                Some(c) if is_word(c) => {
                    let end = self.rest.find(ends).unwrap_or(self.rest.len());
                    out.push(match self.take(end) {
                        "true" => Node::Bool(true),
                        "false" => Node::Bool(false),
                        word => Node::Word(word.into()),
                    });
                }
                Some(c) => {
                    let mut shown = Vec::new();
                    Spec { sharp: true, ..Spec::default() }.unicode(&mut shown, u64::from(c as u32));
                    let shown = String::from_utf8_lossy(&shown);
                    return Err(format!("unrecognized character in action: {shown}"));
                }
            }
        }
    }

    /// A name, behind its dot. A backslash keeps the next character from ending it, and is left out.
    fn field(&mut self) -> Node {
        let mut escaped = false;
        let stop = |c: char| {
            let plain = !escaped;
            escaped = plain && c == '\\';
            plain && ends(c)
        };
        let end = self.rest.find(stop).unwrap_or(self.rest.len());
        match self.take(end) {
            "*" => Node::Wildcard,
            name => Node::Field(Str::new(name.replace('\\', ""))),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest.get(sign..).unwrap_or_default();
        let end = digits.find(|c| c != '.' && !is_digit(c)).unwrap_or(digits.len());
        let text = self.take(sign + end);
        let float = || parse_float(text).map(Node::Float);
        atoi(text).map(Node::Int).or_else(|_| float()).map_err(|_| format!("cannot parse number {text}"))
    }

    fn quoted(&mut self, quote: char) -> Result<Node, String> {
        let end = self.rest.char_indices().skip(1).find_map(|(i, c)| match c {
            '\n' => Some(None),
            c if c == quote && !self.rest.get(..i).is_some_and(|before| before.ends_with('\\')) => Some(Some(i)),
            _ => None,
        });
        let Some(end) = end.flatten() else { return Err("unterminated quoted string".into()) };
        let literal = self.take(end + 1);
        let mut text = literal.get(1..end).unwrap_or_default();
        let mut out = Vec::new();
        while !text.is_empty() {
            let Some((unit, rest)) = unquote_char(text, quote) else {
                return Err(format!("unquote string {literal} error invalid syntax"));
            };
            match unit {
                Unit::Rune(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Unit::Byte(b) => out.push(b),
            }
            text = rest;
        }
        Ok(Node::Text(out))
    }

    /// `[…]` that is no filter: a union, a key in quotes, a slice.
    fn array(&mut self, out: &mut Vec<Node>) -> Result<(), String> {
        let end = self.rest.find([']', '\n']).filter(|end| self.rest.get(*end..).is_some_and(|r| r.starts_with(']')));
        let Some(end) = end else { return Err("unterminated array".into()) };
        let text = self.take(end + 1).get(1..end).unwrap_or_default();
        if text.contains(',') {
            let parts = text.split(',').map(|part| inside(&format!("[{}]", part.trim_matches(' '))));
            out.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).filter(|key| !key.contains('\''));
        if let Some(key) = key {
            out.extend(inside(&format!(".{key}"))?);
            return Ok(());
        }
        out.push(Node::Slice(slice(if text == "*" { ":" } else { text })?));
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        self.take(3);
        // A parenthesis in quotes ends nothing, in the first quotes that there are.
        let (mut quote, mut closed) = (None, false);
        let mut before = ' ';
        let end = self.rest.char_indices().find_map(|(i, c)| {
            let was = std::mem::replace(&mut before, c);
            match c {
                '\n' => return Some(None),
                '"' | '\'' => match quote {
                    None => quote = Some(c),
                    Some(q) => closed |= c == q && was != '\\',
                },
                ')' if quote.is_some() == closed => return Some(Some(i)),
                _ => {}
            }
            None
        });
        let Some(end) = end.flatten() else { return Err("unterminated filter".into()) };
        let text = self.take(end);
        self.take(1);
        if !self.rest.starts_with(']') {
            return Err("unclosed array expect ]".into());
        }
        self.take(1);
        Ok(match comparison(text) {
            None => Node::Filter { left: inside(text)?, operator: EXISTS.into(), right: Vec::new() },
            Some((left, operator, right)) => {
                Node::Filter { left: inside(left)?, operator: operator.into(), right: inside(right)? }
            }
        })
    }
}

/// The expression `^([^!<>=]+)([!<>=]+)(.+?)$`.
fn comparison(text: &str) -> Option<(&str, &str, &str)> {
    let sign = |c: char| matches!(c, '!' | '<' | '>' | '=');
    let start = text.find(sign).filter(|start| *start > 0)?;
    let (left, rest) = text.split_at(start);
    let mut end = rest.find(|c| !sign(c)).unwrap_or(rest.len());
    if end == rest.len() {
        // Something must be left to compare with.
        end -= 1;
    }
    let (operator, right) = rest.split_at(end);
    (!operator.is_empty()).then_some((left, operator, right))
}

/// `[from:to:step]`, the expression `^(-?[\d]*)(:-?[\d]*)?(:-?[\d]*)?$`.
fn slice(text: &str) -> Result<[Bound; 3], String> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = |part: &&str| part.strip_prefix('-').unwrap_or(part).bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(fits) {
        return Err(format!("invalid array index {text}"));
    }
    let mut bounds = [Bound::default(); 3];
    for (bound, part) in bounds.iter_mut().zip(&parts) {
        if !part.is_empty() {
            let value = atoi(part).map_err(|_| format!("array index {part} is not a number"))?;
            *bound = Bound { value, known: true, derived: false };
        }
    }
    if parts.len() == 1 {
        let [from, to, _] = &mut bounds;
        *to = Bound { value: from.value.wrapping_add(1), known: true, derived: true };
    }
    Ok(bounds)
}

fn is_word(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

/// Ends a name or a word.
fn ends(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
