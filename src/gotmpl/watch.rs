//! What functions make of secrets, seen as it is made.
//!
//! A secret that a template prints is found in the output. A hash of it, a part, another case or another encoding is not, and yet it tells the
//! secret, or lets somebody try guesses on it. Every call that is given a text with a secret in it is looked at: what comes out and was in no
//! argument is told to whoever hides the secrets. Numbers and truth values that a function makes (a length, a comparison) are not.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use aho_corasick::AhoCorasick;

use crate::value::{Heap, ListId, Value};

/// Shorter parts of a result are words of any text.
const SHORTEST: usize = 3;
/// Of lists and maps that are made of a secret, shorter texts are not taken.
const SHORT: usize = 6;

/// What is made of the secrets of one render.
#[derive(Debug)]
pub struct Watch {
    texts: Vec<String>,
    words: Vec<String>,
    /// Finds the texts; nothing if there are more than memory holds.
    finder: Option<AhoCorasick>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    derived: BTreeSet<String>,
    /// Lists of pieces of a secret, no one of which tells it.
    lists: HashSet<ListId>,
}

/// Functions that give back what others made, which was seen there, or say of what type a value is.
const PASSED: [&str; 4] = ["include", "tpl", "kindOf", "typeOf"];

/// Functions whose result is hidden whole: parts of it that are known hide only a part.
const ENCODE: [&str; 3] = ["b64enc", "b32enc", "urlquery"];

impl Watch {
    /// `texts` are secrets wherever they stand, `words` where no letter or digit is beside them.
    pub fn new(texts: Vec<String>, words: Vec<String>) -> Self {
        let finder = AhoCorasick::new(&texts).ok();
        Self { texts, words, finder, seen: Mutex::default() }
    }

    /// What has been made so far.
    pub fn derived(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).derived.iter().cloned().collect()
    }

    fn holds(&self, text: &[u8]) -> bool {
        let part_of_a_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
        self.finder.as_ref().is_none_or(|f| f.is_match(text))
            || self.words.iter().any(|w| {
                memchr::memmem::find_iter(text, w.as_bytes()).any(|at| {
                    let before = at.checked_sub(1).and_then(|i| text.get(i));
                    !part_of_a_word(before) && !part_of_a_word(text.get(at + w.len()))
                })
            })
    }

    /// After a call.
    pub fn call(&self, heap: &Heap, name: &str, args: &[Value], result: &Value) {
        if PASSED.contains(&name) || !matches!(result, Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))
        {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut is_secret = false;
        for arg in args {
            match arg {
                Value::Str(s) => texts.push(s),
                Value::Bytes(b) => texts.push(b),
                Value::List(id) => {
                    is_secret |= seen.lists.contains(id);
                    texts.extend(heap.list(*id).items.iter().filter_map(|v| match v {
                        Value::Str(s) => Some(s.as_bytes()),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        is_secret = is_secret
            || texts.iter().any(|t| self.holds(t) || seen.derived.iter().any(|d| d.len() >= SHORT && holds(t, d)));
        if !is_secret {
            return;
        }
        match result {
            Value::Str(s) if ENCODE.contains(&name) => {
                seen.derived.extend(std::str::from_utf8(s).ok().filter(|s| s.len() >= SHORTEST).map(String::from));
            }
            Value::Str(s) => self.take(&mut seen, s, &texts, SHORTEST),
            Value::Bytes(b) => self.take(&mut seen, b, &texts, SHORTEST),
            Value::List(id) => {
                let items = &heap.list(*id).items;
                let mut tells = false;
                for item in items {
                    if let Value::Str(s) = item {
                        tells |= self.holds(s);
                        self.take(&mut seen, s, &texts, SHORT);
                    }
                }
                if !tells {
                    seen.lists.insert(*id);
                }
            }
            Value::Map(id) => {
                for (_, value) in heap.map(*id).iter() {
                    if let Value::Str(s) = value {
                        self.take(&mut seen, s, &texts, SHORT);
                    }
                }
            }
            _ => {}
        }
    }

    fn take(&self, seen: &mut Seen, made: &[u8], texts: &[&[u8]], shortest: usize) {
        let Ok(made) = std::str::from_utf8(made) else { return };
        for line in made.lines().map(str::trim) {
            let known = line.len() < shortest || self.holds(line.as_bytes()) || seen.derived.contains(line);
            if known {
                continue;
            }
            let known = self.texts.iter().chain(&self.words);
            let part = known.into_iter().any(|t| t.contains(line))
                || line.len() >= SHORT && seen.derived.iter().any(|d| d.contains(line));
            if part || !texts.iter().any(|t| holds(t, line)) {
                seen.derived.insert(line.to_owned());
            }
        }
    }
}

fn holds(text: &[u8], part: &str) -> bool {
    memchr::memmem::find(text, part.as_bytes()).is_some()
}
