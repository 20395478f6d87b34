//! Keeps what was decrypted out of what is printed.
//!
//! Values that SOPS hides may flow through templates into any object. Whoever decrypts them to render tells them to a [`Masker`], and the output
//! goes through it: raw, in base64, hex, as URLs, JSON or YAML escape them, whole and line by line. A short value is a word that other places may
//! have too: it is hidden where it stands alone, at the price of hiding an equal port or number. What a chart's functions make of a value (a
//! hash for a checksum, a part of it) is seen as it is made and hidden too: who can guess the value could try it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use base64::Engine as _;

use super::document::Node;
use crate::golang::url::{Mode, escape};
use crate::gotmpl::Watch;
use crate::sops::mask::is_placeholder;
use crate::yaml::tree::{self, NodeKind};

/// What is printed in place of a value.
pub const MASK: &str = "<masked>";

/// Shorter texts are hidden as whole words only.
const SHORT: usize = 6;
/// Shorter ones still (`80`, `no`) are no secrets that anybody would have to read.
const SHORTEST: usize = 3;
/// Words of every document.
const PLAIN: [&str; 6] = ["true", "false", "null", "yes", "off", "none"];
/// So many texts in texts are opened.
const DEPTH: usize = 3;

/// The values to hide.
///
/// What templates make of them becomes known while others look already: it is taken in through a shared reference.
#[derive(Default)]
pub struct Masker {
    needles: BTreeSet<String>,
    derived: Mutex<BTreeSet<String>>,
    finder: Mutex<Option<Arc<AhoCorasick>>>,
}

impl Masker {
    /// What hides all that any of these hides. One after the other would not do: what is left of a value that one has found a part of is not found.
    pub fn of_all(all: &[&Self]) -> Self {
        let mut out = Self::default();
        for masker in all {
            out.needles.extend(masker.needles.iter().cloned());
            out.learn_derived(masker.derived.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        out
    }

    /// Takes the values of a decrypted document that were encrypted before.
    pub fn learn(&mut self, encrypted: &Node, plain: &Node) {
        if let (Some(before), Some(after)) = (encrypted.as_str(), plain.as_str()) {
            if crate::sops::is_encrypted(before.as_bytes()) {
                self.hide(after, 0);
            }
            return;
        }
        for (before, after) in encrypted.items().iter().zip(plain.items()) {
            self.learn(before, after);
        }
        for (key, after) in plain.entries() {
            if let Some(before) = key.as_str().and_then(|k| encrypted.get(k)) {
                self.learn(before, after);
            }
        }
    }

    /// Takes the data of a Secret, whether it was encrypted or lies in clear in the repository.
    pub fn learn_secret(&mut self, secret: &Node) {
        for part in ["data", "stringData"] {
            for (_, value) in secret.get(part).map_or(&[][..], Node::entries) {
                let Some(text) = value.as_str() else { continue };
                if !is_placeholder(text) && !text.starts_with("ENC[") {
                    let compact: String = text.split_whitespace().collect();
                    self.hide(if part == "data" { &compact } else { text }, 0);
                }
            }
        }
    }

    /// Takes a whole text that was encrypted before, with every value in it.
    pub fn learn_text(&mut self, text: &str) {
        self.hide(text, 0);
        for line in text.lines() {
            if let Some((_, value)) = line.split_once('=') {
                self.hide(value, 1);
                self.hide(value.trim().trim_matches(['"', '\'']), 1);
            }
        }
        if let Ok(documents) = super::document::parse(text.as_bytes()) {
            documents.iter().for_each(|d| self.leaves(&d.root, 1));
        }
    }

    /// Takes a text as it is.
    pub fn learn_word(&mut self, word: &str) {
        self.add(word);
    }

    /// A text is none to hide after all.
    pub fn forget(&mut self, word: &str) {
        if self.needles.remove(word) {
            *self.finder.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Takes what was made of values that are known.
    pub fn learn_derived(&self, derived: impl IntoIterator<Item = String>) {
        let mut known = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        known.extend(derived.into_iter().filter(|d| is_word(d)));
        if known.len() > before {
            *self.finder.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn hide(&mut self, text: &str, depth: usize) {
        let engine = &base64::engine::general_purpose::STANDARD;
        let whole = text.trim();
        if whole.len() >= SHORTEST && !PLAIN.contains(&whole.to_ascii_lowercase().as_str()) {
            self.forms(text, whole);
        }
        if depth > DEPTH {
            return;
        }
        // The data of a Secret.
        if let Ok(decoded) = engine.decode(whole)
            && let Ok(decoded) = String::from_utf8(decoded)
        {
            self.hide(&decoded, depth + 1);
        }
        // A values file: each of its values goes its own way, and its keys are no secrets.
        let documents = text.contains(':').then(|| super::document::parse(text.as_bytes()).unwrap_or_default());
        let documents = documents.unwrap_or_default();
        if !documents.is_empty() && documents.iter().all(|d| d.root.is_map()) {
            documents.iter().for_each(|d| self.leaves(&d.root, depth + 1));
        } else if text.contains('\n') {
            text.lines().map(str::trim).filter(|l| l.len() >= SHORT).for_each(|l| self.add_escaped(l));
        }
    }

    /// A text in each of the forms that it can be written in.
    fn forms(&mut self, text: &str, whole: &str) {
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        self.add_escaped(whole);
        self.add(&STANDARD.encode(text));
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            self.add(&engine.encode(whole));
            // Behind other texts: the characters that depend on nothing else.
            for skip in 1..3 {
                let rest = whole.as_bytes().get(skip..).unwrap_or_default();
                let inner = engine.encode(&rest[..rest.len() - rest.len() % 3]);
                if inner.len() > SHORT {
                    self.add(&inner);
                }
            }
        }
        self.add(&data_encoding::HEXLOWER.encode(whole.as_bytes()));
        self.add(&data_encoding::HEXUPPER.encode(whole.as_bytes()));
        for mode in [Mode::QueryComponent, Mode::PathSegment] {
            self.add(&String::from_utf8_lossy(&escape(whole.as_bytes(), mode)));
        }
        // A number that templates read as one.
        if let Ok(number) = whole.parse::<f64>()
            && number.is_finite()
        {
            let text = format!("{number:e}");
            if let Some((digits, exponent)) = text.split_once('e') {
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
                self.add(&format!("{digits}e{sign}{exponent:0>2}"));
            }
        }
    }

    /// A text, and as JSON, YAML and HTML write it.
    fn add_escaped(&mut self, text: &str) {
        self.add(text);
        let json = serde_json::Value::from(text).to_string();
        let inner = json.get(1..json.len() - 1).unwrap_or_default();
        self.add(inner);
        self.add(&inner.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"));
        let again = serde_json::Value::from(inner).to_string();
        self.add(again.get(1..again.len() - 1).unwrap_or_default());
        self.add(&text.replace('\'', "''"));
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.add(&html.replace('"', "&#34;").replace('\'', "&#39;"));
        self.add(&format!("{text:?}").trim_matches('"').replace("\\'", "'"));
    }

    fn leaves(&mut self, node: &Node, depth: usize) {
        if let Some(text) = node.as_str() {
            self.hide(text, depth);
        }
        node.items().iter().for_each(|n| self.leaves(n, depth));
        node.entries().iter().for_each(|(_, n)| self.leaves(n, depth));
    }

    fn add(&mut self, needle: &str) {
        if is_word(needle) && self.needles.insert(needle.to_owned()) {
            *self.finder.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// True if there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// What the templates of a release must be watched with, whose values are these: nothing if there is no secret among them.
    pub fn watch(&self, values: &[u8]) -> Option<Watch> {
        if self.is_empty() || self.found(values).is_empty() {
            return None;
        }
        let values: serde_json::Value = serde_json::from_slice(values).ok()?;
        let mut own = Self::default();
        self.found_in(&values, &mut own);
        let (words, texts) = own.needles.into_iter().partition(|n| n.len() < SHORT);
        Some(Watch::new(texts, words))
    }

    fn found_in(&self, value: &serde_json::Value, own: &mut Self) {
        use serde_json::Value as Json;
        match value {
            Json::Object(map) => map.iter().for_each(|(k, v)| {
                self.found_in(&Json::from(k.as_str()), own);
                self.found_in(v, own);
            }),
            Json::Array(items) => items.iter().for_each(|v| self.found_in(v, own)),
            Json::String(text) => {
                let found = self.found(text.as_bytes());
                found.iter().filter_map(|(start, end)| text.get(*start..*end)).for_each(|t| own.hide(t, DEPTH));
            }
            Json::Number(n) if !self.found(n.to_string().as_bytes()).is_empty() => own.hide(&n.to_string(), DEPTH),
            _ => {}
        }
    }

    fn finder(&self) -> Option<Arc<AhoCorasick>> {
        let mut finder = self.finder.lock().unwrap_or_else(PoisonError::into_inner);
        if finder.is_none() {
            let derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
            // It can't be made only of more needles than memory holds.
            *finder = AhoCorasick::new(self.needles.iter().chain(derived.iter())).ok().map(Arc::new);
        }
        finder.clone()
    }

    /// Where something is to be hidden: ranges in order, none in or beside another.
    fn found(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let mut out: Vec<(usize, usize)> = Vec::new();
        if self.is_empty() {
            return out;
        }
        let Some(finder) = self.finder() else { return vec![(0, text.len())] };
        let part_of_a_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
        let all = finder.find_overlapping_iter(text).map(|m| (m.start(), m.end())).filter(|(start, end)| {
            let before = start.checked_sub(1).and_then(|i| text.get(i));
            end - start >= SHORT || !part_of_a_word(before) && !part_of_a_word(text.get(*end))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        for (start, end) in all {
            match out.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => out.push((start, end)),
            }
        }
        out
    }

    /// The text without the values.
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for (start, end) in self.found(text) {
            out.extend_from_slice(text.get(at..start).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            at = end;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        out
    }

    /// True if there is nothing to hide in a text.
    pub fn is_clean(&self, text: &[u8]) -> bool {
        self.found(text).is_empty()
    }

    /// As [`Masker::apply`], for what people read.
    pub fn apply_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }

    /// YAML documents without the values, and still YAML: a scalar whose text is broken over lines or written with escapes is read first.
    pub fn apply_yaml(&self, text: &[u8]) -> Vec<u8> {
        if self.is_empty() {
            return text.to_vec();
        }
        let mut out = Vec::with_capacity(text.len());
        let mut document = Vec::new();
        for line in text.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b"---") {
                out.append(&mut self.document(&document));
                out.extend_from_slice(line);
                document.clear();
            } else {
                document.extend_from_slice(line);
            }
        }
        out.append(&mut self.document(&document));
        out
    }

    fn document(&self, text: &[u8]) -> Vec<u8> {
        let masked = self.apply(text);
        let Ok(before) = tree::parse(text, None) else { return masked };
        let hidden = |n: &tree::Node<'_>| n.kind == NodeKind::Scalar && !self.found(&n.value).is_empty();
        if tree::parse(&masked, None).is_ok_and(|after| !after.nodes.iter().any(hidden)) {
            return masked;
        }
        let mut scalars: Vec<_> = before.nodes.iter().filter(|n| hidden(n)).collect();
        scalars.sort_by_key(|n| n.start.pos);
        let spliced = self.spliced(text, &scalars, true);
        if tree::parse(&spliced, None).is_ok() {
            return spliced;
        }
        // What is between the scalars is no text of anyone's.
        self.spliced(text, &scalars, false)
    }

    fn spliced(&self, text: &[u8], scalars: &[&tree::Node<'_>], between: bool) -> Vec<u8> {
        let gap = |start: usize, end: usize| {
            let gap = text.get(start..end).unwrap_or_default();
            if between { self.apply(gap) } else { gap.to_vec() }
        };
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for n in scalars {
            let (start, end) = (n.start.pos as usize, n.end.pos as usize);
            let Some(written) = text.get(start..end).filter(|_| at <= start) else { continue };
            out.append(&mut gap(at, start));
            let value = String::from_utf8_lossy(&self.apply(&n.value)).into_owned();
            out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
            if written.ends_with(b"\n") {
                out.push(b'\n');
            }
            at = end;
        }
        out.append(&mut gap(at, text.len()));
        out
    }

    /// A JSON value without the values.
    pub fn apply_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match value {
            Json::Object(map) => map.into_iter().map(|(k, v)| (self.apply_text(&k), self.apply_json(v))).collect(),
            Json::Array(items) => items.into_iter().map(|v| self.apply_json(v)).collect(),
            Json::String(text) => self.apply_text(&text).into(),
            Json::Number(n) if !self.found(n.to_string().as_bytes()).is_empty() => MASK.into(),
            other => other,
        }
    }
}

/// `---` is none.
fn is_word(text: &str) -> bool {
    text.len() >= SHORTEST && text.contains(char::is_alphanumeric)
}

/// A Secret as the build prints it, keys kept and values masked.
pub fn secret(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        if !line.starts_with([' ', '-', '#']) {
            inside = line.starts_with("data:") || line.starts_with("stringData:");
            let value = line.split_once(':').map_or("", |(_, v)| v.trim());
            match line.split_once(':') {
                Some((key, _)) if inside && !matches!(value, "" | "{}" | "null") => {
                    out.push_str(&format!("{key}: {MASK}\n"));
                }
                _ => out.push_str(&format!("{line}\n")),
            }
        } else if !inside {
            out.push_str(&format!("{line}\n"));
        } else if let Some((key, _)) = entry(line) {
            out.push_str(&format!("  {key}: {MASK}\n"));
        }
    }
    out
}

/// A line of a block map two spaces deep.
fn entry(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("  ").filter(|r| !r.starts_with([' ', '#']))?;
    rest.split_once(": ").or_else(|| rest.strip_suffix(':').map(|k| (k, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::document::parse;

    #[test]
    fn what_was_decrypted_is_hidden_in_each_form() {
        let before =
            parse(b"data:\n  values.yaml: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\n  plain: visible-text\n")
                .unwrap();
        let after = parse(b"data:\n  values.yaml: |\n    password: canary-one\n    nested: {token: \"can\\\"ary2\"}\n  plain: visible-text\n").unwrap();
        let mut masker = Masker::default();
        masker.learn(&before[0].root, &after[0].root);
        let base64 = base64::engine::general_purpose::STANDARD.encode("canary-one");
        let text = format!("a: canary-one\nb: {base64}\nc: \"can\\\"ary2\"\nd: can\"ary2\ne: visible-text\n");
        let out = String::from_utf8(masker.apply(text.as_bytes())).unwrap();
        assert_eq!(out, "a: <masked>\nb: <masked>\nc: \"<masked>\"\nd: <masked>\ne: visible-text\n");
    }

    #[test]
    fn short_values_are_hidden_where_they_stand_alone() {
        let mut masker = Masker::default();
        masker.learn_text("pin: \"9001\"\nflag: \"true\"\nn: 80\nk: a/b+c d\n");
        let text =
            "a: \"9001\"\nb: 19001\nc: x-9001\nd: OTAwMQ==\ne: 39303031\nf: true 80\ng: a%2Fb%2Bc+d\nh: abc_9001\n9001";
        let want = "a: \"<masked>\"\nb: 19001\nc: x-<masked>\nd: <masked>\ne: <masked>\nf: true 80\ng: <masked>\nh: abc_9001\n<masked>";
        assert_eq!(String::from_utf8(masker.apply(text.as_bytes())).unwrap(), want);
    }

    #[test]
    fn a_secret_keeps_its_keys() {
        let text = "apiVersion: v1\ndata:\n  a: Zm9v\n  b: |-\n    x: y\n    z\nkind: Secret\nmetadata:\n  name: s\nstringData: {a: b}\n";
        let want = "apiVersion: v1\ndata:\n  a: <masked>\n  b: <masked>\nkind: Secret\nmetadata:\n  name: s\nstringData: <masked>\n";
        assert_eq!(secret(text), want);
    }
}
