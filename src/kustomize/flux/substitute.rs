//! `postBuild.substitute`: `${var}` and bash's operators on it, as Flux's `envsubst` 1.8 expands them.
//!
//! A bare `$var` is text, `$$` is a dollar sign before a brace, and of the operators that a shell has some are not known (`${a-b}`).
//! Object by object, the YAML text is expanded and read again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::pattern;
use crate::golang::unicode::{decode_rune, is_digit, is_letter, rune_to_lower, rune_to_upper, to_lower, to_upper};
use crate::kustomize::emit;
use crate::kustomize::error::{Error, Result};
use crate::kustomize::json::Json;
use crate::kustomize::node::Node;
use crate::kustomize::objects;
use crate::kustomize::read;
use crate::kustomize::resource;

/// The annotation or label that says `disabled` on objects which are to be left alone.
const OPT_OUT: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The variables of a Flux Kustomization.
#[derive(Clone, Debug, Default)]
pub struct Substitution {
    /// Values by name; line breaks in them do not count.
    pub variables: BTreeMap<String, String>,
    /// A variable that has neither value nor default is an error.
    pub strict: bool,
    /// Expand even if there are no variables, for the sake of defaults.
    pub always: bool,
    /// Variables that hold secrets.
    pub secret: BTreeSet<String>,
    /// What expressions made of secret variables, other than their values.
    pub made: Arc<Mutex<BTreeSet<String>>>,
}

impl Substitution {
    fn note(&self, variable: &str, value: &[u8], made: &[u8]) {
        if self.secret.contains(variable) && !value.is_empty() && made != value {
            let made = String::from_utf8_lossy(made).into_owned();
            self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(made);
        }
    }

    /// Expands an object, given as YAML: it is written as kustomize writes it, expanded as text, and read again. `None`: it asked to
    /// be left alone.
    pub fn object(&self, text: &str) -> Result<Option<String>> {
        let object = objects::from_text(text.as_bytes(), &"".into())?.into_iter().next();
        let node = object.map(|o| o.node).unwrap_or_default();
        let text = emit::object(&node)?;
        let opted_out = |field: &str| resource::pairs(&node, field).get(OPT_OUT).is_some_and(|v| v == "disabled");
        if opted_out("labels") || opted_out("annotations") {
            return Ok(None);
        }
        if self.variables.is_empty() && !self.always {
            return Ok(Some(text));
        }
        let json = self.json(&text).map_err(|e| e.wrap("envsubst error"))?;
        let Json::Map(_) = &json else {
            let e = format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", json.kind());
            return Err(Error::new(e).wrap("UnmarshalJSON"));
        };
        Ok(Some(emit::object(&node_of(&json))?))
    }

    fn json(&self, text: &str) -> Result<Json> {
        if let Some(name) = self.variables.keys().find(|name| !is_name(name)) {
            return Err(Error::new(format!(
                "'{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            )));
        }
        let variables: BTreeMap<&str, Cow<'_, str>> =
            self.variables.iter().map(|(k, v)| (k.as_str(), without_breaks(v))).collect();
        let expanded = expand_noting(
            text,
            &|name| match variables.get(name) {
                Some(value) => Some(value.as_bytes().to_vec()),
                None if self.strict => None,
                None => Some(Vec::new()),
            },
            &|variable, value, made| self.note(variable, value, made),
        )
        .map_err(|e| e.wrap("variable substitution failed"))?;
        read::to_json(&expanded).map_err(|e| Error::new(e).wrap("YAMLToJSON"))
    }
}

fn without_breaks(value: &str) -> Cow<'_, str> {
    if value.contains('\n') { Cow::Owned(value.replace('\n', "")) } else { Cow::Borrowed(value) }
}

/// Numbers go through Go's `interface{}`.
fn node_of(json: &Json) -> Node {
    fn floats(json: &Json) -> Json {
        match json {
            Json::Int(n) => Json::Float(*n as f64),
            Json::Uint(n) => Json::Float(*n as f64),
            Json::List(items) => Json::List(items.iter().map(floats).collect()),
            Json::Map(entries) => Json::Map(entries.iter().map(|(k, v)| (k.clone(), floats(v))).collect()),
            other => other.clone(),
        }
    }
    emit::from_json(&floats(json))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// A variable, its value, and what an expression made of it.
type Note<'n> = &'n dyn Fn(&str, &[u8], &[u8]);

/// Expands a text. `lookup` gives a variable's value, or nothing if its absence is an error.
///
/// # Errors
/// An expression that can't be read, a variable that is not set.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>> {
    expand_noting(text, lookup, &|_, _, _| ())
}

/// As [`expand`]; what expressions make of variables is told to `note`.
fn expand_noting(text: &str, lookup: &dyn Fn(&str) -> Option<Vec<u8>>, note: Note<'_>) -> Result<Vec<u8>> {
    let mut parser = Parser { scanner: Scanner::new(text) };
    let nodes = parser.all()?;
    let mut out = Vec::with_capacity(text.len());
    for node in &nodes {
        evaluate(node, lookup, note, &mut out)?;
    }
    Ok(out)
}

#[derive(Debug)]
enum Part {
    Text(Vec<u8>),
    Func { name: String, variable: String, args: Vec<Self> },
}

fn evaluate(part: &Part, lookup: &dyn Fn(&str) -> Option<Vec<u8>>, note: Note<'_>, out: &mut Vec<u8>) -> Result<()> {
    let (name, variable, parts) = match part {
        Part::Text(text) => {
            out.extend_from_slice(text);
            return Ok(());
        }
        Part::Func { name, variable, args } => (name.as_str(), variable, args),
    };
    let mut args = Vec::with_capacity(parts.len());
    for part in parts {
        let mut arg = Vec::new();
        evaluate(part, lookup, note, &mut arg)?;
        args.push(arg);
    }
    let has_default = matches!(name, "-" | "+" | "=" | "?" | ":-" | ":+" | ":=" | ":?");
    let value = match lookup(variable) {
        Some(value) => value,
        None if has_default => Vec::new(),
        None => return Err(Error::new(format!("variable not set (strict mode): {variable:?}"))),
    };
    let made = apply(name, value.clone(), &args);
    // A length is a number like others.
    if (name, args.is_empty()) != ("#", true) {
        note(variable, &value, &made);
    }
    out.extend(made);
    Ok(())
}

fn apply(name: &str, value: Vec<u8>, args: &[Vec<u8>]) -> Vec<u8> {
    match (name, args) {
        (",", _) => first(&value, rune_to_lower),
        ("^", _) => first(&value, rune_to_upper),
        (",,", _) => to_lower(&value),
        ("^^", _) => to_upper(&value),
        ("#", []) => value.len().to_string().into_bytes(),
        ("#", [pattern, ..]) => trim(value, pattern, false),
        ("##", [pattern, ..]) => trim(value, pattern, true),
        ("%", [pattern, ..]) => reversed(&trim(reversed(&value), &reversed(pattern), false)),
        ("%%", [pattern, ..]) => reversed(&trim(reversed(&value), &reversed(pattern), true)),
        ("##" | "%" | "%%", []) => value,
        (":", _) => substring(value, args),
        ("/#", [old, new]) if value.starts_with(old) => replace(&value, old, new, 1),
        ("/%", [old, new]) if value.ends_with(old) => [&value[..value.len() - old.len()], new].concat(),
        ("/#" | "/%", _) => value,
        ("/", [old, rest @ ..]) => replace(&value, old, rest.first().map_or(&[][..], |s| s), 1),
        ("//", [old, rest @ ..]) => replace(&value, old, rest.first().map_or(&[][..], |s| s), usize::MAX),
        ("/" | "//", []) => value,
        (_, args) if value.is_empty() => args.concat(),
        _ => value,
    }
}

fn first(value: &[u8], change: impl Fn(char) -> char) -> Vec<u8> {
    if value.is_empty() {
        return Vec::new();
    }
    let (c, width) = decode_rune(value);
    let mut out = change(c).to_string().into_bytes();
    out.extend_from_slice(&value[width..]);
    out
}

fn reversed(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).chars().rev().collect::<String>().into_bytes()
}

/// Takes what matches off the front: the longest, or the shortest that is not empty.
fn trim(value: Vec<u8>, pattern: &[u8], longest: bool) -> Vec<u8> {
    let mut found = None;
    for end in (1..=value.len()).rev() {
        match pattern::matches(pattern, &value[..end]) {
            Err(_) => return value,
            Ok(true) => {
                found = Some(end);
                if longest {
                    break;
                }
            }
            Ok(false) => {}
        }
    }
    match found {
        Some(end) => value[end..].to_vec(),
        None => value,
    }
}

fn number(text: &[u8]) -> Option<i64> {
    crate::golang::strconv::atoi(std::str::from_utf8(text).ok()?).ok()
}

fn substring(value: Vec<u8>, args: &[Vec<u8>]) -> Vec<u8> {
    let length = value.len() as i64;
    let Some(start) = args.first().and_then(|a| number(a)) else { return value };
    let start = if start < 0 { (length + start).max(0) } else { start };
    let from = |start: i64| value.get(start as usize..).unwrap_or_default().to_vec();
    let Some(count) = args.get(1) else { return from(start) };
    let Some(count) = number(count) else { return value };
    let end = if count < 0 { length + count } else { start.saturating_add(count) };
    if count < 0 && end < start {
        return Vec::new();
    }
    if count >= 0 && end >= length {
        return from(start);
    }
    value.get(start as usize..end as usize).unwrap_or_default().to_vec()
}

/// Go's `strings.Replace`: an empty text is found before every character.
fn replace(value: &[u8], old: &[u8], new: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut at = 0;
    let mut done = 0;
    while done < most {
        if old.is_empty() {
            if done > 0 {
                if at >= value.len() {
                    break;
                }
                let width = decode_rune(&value[at..]).1;
                out.extend_from_slice(&value[at..at + width]);
                at += width;
            }
        } else {
            let Some(found) = value[at..].windows(old.len()).position(|w| w == old) else { break };
            out.extend_from_slice(&value[at..at + found]);
            at += found + old.len();
        }
        out.extend_from_slice(new);
        done += 1;
    }
    out.extend_from_slice(&value[at..]);
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Illegal,
    End,
    Ident,
    Open,
    Close,
}

const IDENT: u8 = 1;
const OPEN: u8 = 2;
const CLOSE: u8 = 4;
const ESCAPE: u8 = 8;

/// True if the character may follow in a word; the number counts bytes from its start.
type Accept = fn(char, usize) -> bool;

/// Reads characters and puts the last one back; what is escaped is taken out of the text.
struct Scanner {
    text: Vec<u8>,
    at: usize,
    start: usize,
    width: usize,
    mode: u8,
    /// Backslashes escape too, as within an expression.
    backslash: bool,
    accept: Accept,
}

const END: char = '\0';

impl Scanner {
    fn new(text: &str) -> Self {
        Self { text: text.into(), at: 0, start: 0, width: 0, mode: 0, backslash: false, accept: |_, _| true }
    }

    fn read(&mut self) -> char {
        match self.text.get(self.at..) {
            None | Some([]) => {
                self.width = 0;
                END
            }
            Some(rest) => {
                let (c, width) = decode_rune(rest);
                self.width = width;
                self.at += width;
                c
            }
        }
    }

    fn unread(&mut self) {
        self.at = self.at.saturating_sub(self.width);
    }

    fn peek(&mut self) -> char {
        let c = self.read();
        self.unread();
        c
    }

    fn word(&self) -> Vec<u8> {
        self.text.get(self.start..self.at).unwrap_or_default().to_vec()
    }

    fn take_out_escape(&mut self) {
        if self.at > 0 && self.at <= self.text.len() {
            self.text.remove(self.at - 1);
        }
    }

    fn scan(&mut self) -> Token {
        self.start = self.at;
        let c = self.read();
        if c == END {
            Token::End
        } else if self.opens(c) {
            Token::Open
        } else if self.mode & CLOSE != 0 && c == '}' {
            Token::Close
        } else if self.scan_ident(c) {
            Token::Ident
        } else {
            Token::Illegal
        }
    }

    fn opens(&mut self, c: char) -> bool {
        if self.mode & OPEN == 0 || c != '$' {
            return false;
        }
        if self.read() == '{' {
            return true;
        }
        self.unread();
        false
    }

    fn is_escape(&mut self, c: char) -> bool {
        if self.mode & ESCAPE == 0 {
            return false;
        }
        match c {
            '$' => self.peek() == '$',
            '\\' if self.backslash => matches!(self.peek(), '/' | '\\'),
            _ => false,
        }
    }

    fn accepts(&self, c: char) -> bool {
        (self.accept)(c, self.at.saturating_sub(self.start))
    }

    fn scan_ident(&mut self, c: char) -> bool {
        if self.mode & IDENT == 0 {
            return false;
        }
        if self.is_escape(c) {
            self.take_out_escape();
        } else if !self.accepts(c) {
            return false;
        }
        loop {
            let c = self.read();
            if c == END {
                self.unread();
                return true;
            }
            if self.opens(c) {
                self.unread();
                self.unread();
                return true;
            }
            if self.is_escape(c) {
                self.take_out_escape();
            } else if !self.accepts(c) {
                self.unread();
                return true;
            }
        }
    }
}

fn ident(c: char, _: usize) -> bool {
    is_letter(c) || is_digit(c) || c == '_'
}

fn not_closing(c: char, _: usize) -> bool {
    c != '}'
}

const BAD: &str = "bad substitution";

/// Expressions inside each other.
const MAX_DEPTH: usize = 200;

struct Parser {
    scanner: Scanner,
}

impl Parser {
    fn next(&mut self, accept: Accept, mode: u8) -> Token {
        self.scanner.accept = accept;
        self.scanner.mode = mode;
        self.scanner.scan()
    }

    fn all(&mut self) -> Result<Vec<Part>> {
        let mut out = Vec::new();
        loop {
            self.scanner.backslash = false;
            match self.next(|_, _| true, IDENT | OPEN | ESCAPE) {
                Token::Ident => out.push(Part::Text(self.scanner.word())),
                Token::Open => out.push(self.func(0)?),
                Token::End => return Ok(out),
                Token::Close | Token::Illegal => return Err(BAD.into()),
            }
        }
    }

    fn ident(&mut self, accept: Accept, problem: &str) -> Result<String> {
        if self.next(accept, IDENT) != Token::Ident {
            return Err(problem.into());
        }
        Ok(String::from_utf8_lossy(&self.scanner.word()).into_owned())
    }

    fn close(&mut self) -> Result<()> {
        self.scanner.mode = CLOSE;
        if self.scanner.scan() == Token::Close { Ok(()) } else { Err(BAD.into()) }
    }

    fn func(&mut self, depth: usize) -> Result<Part> {
        if depth > MAX_DEPTH {
            return Err("substitutions are nested too deeply".into());
        }
        self.scanner.backslash = true;
        if self.scanner.peek() == '#' {
            let name = self.ident(|c, i| c == '#' && i == 1, BAD)?;
            let variable = self.ident(ident, BAD)?;
            self.close()?;
            return Ok(Part::Func { name, variable, args: Vec::new() });
        }
        let variable = self.ident(ident, "unable to parse variable name")?;
        match self.scanner.peek() {
            ':' => {
                self.scanner.read();
                let next = self.scanner.peek();
                self.scanner.unread();
                if matches!(next, '=' | '-' | '?' | '+') {
                    return self.default(variable, depth);
                }
                self.substring(variable, depth)
            }
            '=' => self.default(variable, depth),
            ',' | '^' => {
                let name = self.ident(|c, i| matches!(c, ',' | '^') && i < 3, BAD)?;
                self.close()?;
                Ok(Part::Func { name, variable, args: Vec::new() })
            }
            '/' => self.replace(variable, depth),
            '#' => self.remove(variable, |c, i| c == '#' && i < 3, depth),
            '%' => self.remove(variable, |c, i| c == '%' && i < 3, depth),
            _ => match self.next(ident, CLOSE) {
                Token::Close => Ok(Part::Func { name: String::new(), variable, args: Vec::new() }),
                _ => Err("missing closing brace".into()),
            },
        }
    }

    fn param(&mut self, accept: Accept, mode: u8, depth: usize) -> Result<Part> {
        match self.next(accept, mode | OPEN) {
            Token::Open => self.func(depth + 1),
            Token::Ident | Token::Close => Ok(Part::Text(self.scanner.word())),
            Token::End | Token::Illegal => Err("unable to parse substitution within function".into()),
        }
    }

    fn substring(&mut self, variable: String, depth: usize) -> Result<Part> {
        let name = self.ident(|c, i| i == 1 && c == ':', BAD)?;
        let mut args = vec![self.param(|c, _| c != ':' && c != '}', IDENT, depth)?];
        match self.next(|c, _| c == ':', IDENT | CLOSE) {
            Token::Close => return Ok(Part::Func { name, variable, args }),
            Token::Ident => {}
            _ => return Err(BAD.into()),
        }
        args.push(self.param(not_closing, IDENT, depth)?);
        self.close()?;
        Ok(Part::Func { name, variable, args })
    }

    fn remove(&mut self, variable: String, accept: Accept, depth: usize) -> Result<Part> {
        let name = self.ident(accept, BAD)?;
        let args = vec![self.param(not_closing, IDENT, depth)?];
        self.close()?;
        Ok(Part::Func { name, variable, args })
    }

    fn replace(&mut self, variable: String, depth: usize) -> Result<Part> {
        let accept: Accept = |c, i| (i == 1 && c == '/') || (i == 2 && matches!(c, '/' | '#' | '%'));
        let name = self.ident(accept, BAD)?;
        let mut args = vec![self.param(|c, _| c != '/', IDENT | ESCAPE, depth)?];
        self.ident(|c, _| c == '/', BAD)?;
        if self.scanner.peek() != '}' {
            args.push(self.param(not_closing, IDENT | ESCAPE, depth)?);
        }
        self.close()?;
        Ok(Part::Func { name, variable, args })
    }

    fn default(&mut self, variable: String, depth: usize) -> Result<Part> {
        let accept: Accept = if self.scanner.peek() == '=' {
            |c, i| i == 1 && c == '='
        } else {
            |c, i| (i == 1 && c == ':') || (i == 2 && matches!(c, '=' | '-' | '?' | '+'))
        };
        let name = self.ident(accept, "unable to parse default function")?;
        let mut args = Vec::new();
        while self.scanner.peek() != '}' {
            args.push(self.param(not_closing, IDENT, depth)?);
        }
        self.close()?;
        Ok(Part::Func { name, variable, args })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_expanded() {
        let lookup = |name: &str| Some(if name == "A" { b"a/b/c.txt".to_vec() } else { Vec::new() });
        for (text, want) in [
            ("x ${A} y", Ok("x a/b/c.txt y")),
            ("$A $${A}", Ok("$A ${A}")),
            ("${N:=dflt}", Ok("dflt")),
            ("${N:-${A}}", Ok("a/b/c.txt")),
            ("${#A}", Ok("9")),
            ("${A^^}", Ok("A/B/C.TXT")),
            ("${A##*/}", Ok("c.txt")),
            ("${A#*/}", Ok("b/c.txt")),
            ("${A%.*}", Ok("a/b/c")),
            ("${A:2:1}", Ok("b")),
            ("${A//\\//-}", Ok("a-b-c.txt")),
            ("${A-x}", Err("missing closing brace")),
            ("${}", Err("unable to parse variable name")),
        ] {
            let got = expand(text, &lookup).map(|b| String::from_utf8(b).unwrap()).map_err(|e| e.message);
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
