//! Places in a document as `sops set` takes them (`["a"]["b"][0]`), and changes at such a place.

use super::error::{Error, codes};
use super::store::json_tree;
use super::value::{Branch, Item, Key, Text, Value};
use crate::golang::json::{Token, Tokens};
use crate::golang::strconv::{atoi, parse_float};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Reads a path.
///
/// # Errors
/// Exit code 7, sops's text.
pub fn parse_path(text: &str) -> Result<Vec<Step>, Error> {
    let wrong = || Error::new(codes::INVALID_SET, "Invalid set index format");
    let mut out = Vec::new();
    for component in text.split('[').filter(|c| !c.is_empty()) {
        let inner = component.strip_suffix(']').ok_or_else(wrong)?;
        match inner.as_bytes() {
            [b'"' | b'\'', .., _] => out.push(Step::Key(inner.get(1..inner.len() - 1).ok_or_else(wrong)?.to_owned())),
            _ => out.push(Step::Index(usize::try_from(atoi(inner).map_err(|_| wrong())?).map_err(|_| wrong())?)),
        }
    }
    if out.is_empty() { Err(wrong()) } else { Ok(out) }
}

/// Reads the value that `sops set` is given: JSON, of whose numbers all are floats at the top. A list at the top is refused, as there.
///
/// # Errors
/// Exit code 7, sops's texts.
pub fn parse_value(text: &str) -> Result<Value, Error> {
    let wrong = |text: &str| Error::new(codes::INVALID_SET, text);
    let no_json = || wrong("Value for --set is not valid JSON");
    let mut tokens = Tokens::new(text.as_bytes());
    let value = match tokens.next_token().map_err(|_| no_json())? {
        Token::Null => Value::Null,
        Token::Bool(b) => Value::Bool(b),
        Token::Number(n) => Value::Float(parse_float(n).map_err(|_| no_json())?),
        Token::Str(s) => Value::Text(Text::from(s)),
        _ => {
            while tokens.next_token().map_err(|_| no_json())? != Token::End {}
            return json_tree(text.as_bytes()).map(Value::Branch).map_err(|_| wrong("Invalid --set value format"));
        }
    };
    match tokens.next_token() {
        Ok(Token::End) => Ok(value),
        _ => Err(no_json()),
    }
}

/// What sops crashes on.
fn crash() -> Error {
    Error::masked(
        codes::CRASH,
        "panic: interface conversion: interface {} is string, not int",
        "the path does not fit the document: a list wants an index",
    )
}

fn made(path: &[Step], leaf: Value) -> Value {
    match path {
        [] => leaf,
        [Step::Index(_), rest @ ..] => Value::List(vec![made(rest, leaf)]),
        [Step::Key(key), rest @ ..] => Value::Branch(vec![Item::new(key, made(rest, leaf))]),
    }
}

fn matches(item: &Item, step: &Step) -> bool {
    matches!((&item.key, step), (Key::Text(key), Step::Key(want)) if key == want.as_bytes())
}

/// Puts a value at a place, making what is missing on the way. True if something changed.
pub(super) fn set(target: &mut Value, path: &[Step], value: Value) -> Result<bool, Error> {
    let Some((step, rest)) = path.split_first() else {
        let changed = !target.same(&value);
        *target = value;
        return Ok(changed);
    };
    match target {
        Value::Branch(branch) => {
            if let Some(item) = branch.iter_mut().find(|item| matches(item, step)) {
                return set(&mut item.value, rest, value);
            }
            if let Value::Branch(new) = made(path, value) {
                branch.extend(new.into_iter().take(1));
            }
            Ok(true)
        }
        Value::List(items) => {
            let Step::Index(at) = step else { return Err(crash()) };
            match items.get_mut(*at) {
                Some(item) => set(item, rest, value),
                None => {
                    items.push(made(rest, value));
                    Ok(true)
                }
            }
        }
        other => {
            let new = made(path, value);
            let changed = !other.same(&new);
            *other = new;
            Ok(changed)
        }
    }
}

/// Takes away what is at a place.
pub(super) fn unset(target: &mut Value, path: &[Step]) -> Result<(), Error> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    let failed = |text: String| Err(Error::new(codes::FAILED, text));
    match target {
        Value::Branch(branch) => {
            let at = branch.iter().position(|item| matches(item, step));
            match (at, step) {
                (Some(at), _) if rest.is_empty() => {
                    branch.remove(at);
                    Ok(())
                }
                (Some(at), _) => branch.get_mut(at).map_or(Ok(()), |item| unset(&mut item.value, rest)),
                (None, Step::Key(key)) => failed(format!("Key not found: {key}")),
                (None, Step::Index(i)) => failed(format!("Key not found: %!s(int={i})")),
            }
        }
        Value::List(items) => {
            let Step::Index(at) = step else { return Err(crash()) };
            if *at >= items.len() {
                return failed(format!("Index {at} out of bounds"));
            }
            if rest.is_empty() {
                items.remove(*at);
                return Ok(());
            }
            items.get_mut(*at).map_or(Ok(()), |item| unset(item, rest))
        }
        other => {
            let shown = match step {
                Step::Key(key) => key.clone(),
                Step::Index(i) => format!("%!s(int={i})"),
            };
            failed(format!("Unsupported type: {} for item '{shown}'", other.go_type()))
        }
    }
}

/// Runs a change on the first branch as a value.
pub(super) fn on_branch<T>(
    branch: &mut Branch,
    change: impl FnOnce(&mut Value) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut value = Value::Branch(std::mem::take(branch));
    let result = change(&mut value);
    if let Value::Branch(new) = value {
        *branch = new;
    }
    result
}
