//! Keeps what was decrypted out of what is printed.
//!
//! Values that SOPS hides may flow through templates into any object. Whoever decrypts them to render tells them to a [`Masker`], and the output
//! goes through it: raw, in base64, hex, as URLs, JSON or YAML escape them, whole and line by line. A short value is a word that other places may
//! have too: it is hidden where it stands alone, at the price of hiding an equal port or number.

use base64::Engine as _;

use super::document::Node;
use crate::golang::url::{Mode, escape};

/// What is printed in place of a value.
pub const MASK: &str = "<masked>";

/// Shorter texts are hidden as whole words only.
const SHORT: usize = 6;
/// Shorter ones still (`80`, `no`) are no secrets that anybody would have to read.
const SHORTEST: usize = 3;
/// Words of every document.
const PLAIN: [&str; 6] = ["true", "false", "null", "yes", "off", "none"];

/// The values to hide.
#[derive(Default)]
pub struct Masker {
    needles: Vec<String>,
}

impl Masker {
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

    /// Takes a whole text that was encrypted before, with every value in it.
    pub fn learn_text(&mut self, text: &str) {
        self.hide(text, 0);
        for (_, value) in text.lines().filter_map(|l| l.split_once('=')) {
            self.hide(value, 1);
        }
        if let Ok(documents) = super::document::parse(text.as_bytes()) {
            documents.iter().for_each(|d| self.leaves(&d.root, 1));
        }
    }

    fn hide(&mut self, text: &str, depth: usize) {
        let engine = &base64::engine::general_purpose::STANDARD;
        let whole = text.trim();
        if whole.len() >= SHORTEST && !PLAIN.contains(&whole.to_ascii_lowercase().as_str()) {
            self.add(whole);
            self.add(&engine.encode(text));
            self.add(&engine.encode(whole));
            self.add(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(whole).as_str());
            self.add(&data_encoding::HEXLOWER.encode(whole.as_bytes()));
            self.add(&data_encoding::HEXUPPER.encode(whole.as_bytes()));
            for mode in [Mode::QueryComponent, Mode::PathSegment] {
                self.add(&String::from_utf8_lossy(&escape(whole.as_bytes(), mode)));
            }
            let json = serde_json::Value::from(whole).to_string();
            self.add(json.trim_matches('"'));
        }
        if depth > 3 {
            return;
        }
        // The data of a Secret.
        if let Ok(decoded) = engine.decode(whole)
            && let Ok(decoded) = String::from_utf8(decoded)
        {
            self.hide(&decoded, depth + 1);
        }
        if text.contains('\n') {
            text.lines().map(str::trim).filter(|l| l.len() >= SHORT).for_each(|l| self.add(l));
        }
        // A values file: each of its values goes its own way.
        if text.contains(':')
            && let Ok(documents) = super::document::parse(text.as_bytes())
        {
            documents.iter().filter(|d| d.root.is_map()).for_each(|d| self.leaves(&d.root, depth + 1));
        }
    }

    fn leaves(&mut self, node: &Node, depth: usize) {
        if let Some(text) = node.as_str() {
            self.hide(text, depth);
        }
        node.items().iter().for_each(|n| self.leaves(n, depth));
        node.entries().iter().for_each(|(_, n)| self.leaves(n, depth));
    }

    fn add(&mut self, needle: &str) {
        // `---` is no word.
        let is_word = needle.len() >= SHORTEST && needle.contains(char::is_alphanumeric);
        if is_word && !self.needles.iter().any(|n| n == needle) {
            self.needles.push(needle.to_owned());
            // A needle that holds another is taken out first.
            self.needles.sort_by_key(|n| std::cmp::Reverse(n.len()));
        }
    }

    /// The text without the values.
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        if self.needles.is_empty() {
            return text.to_vec();
        }
        let mut out = String::from_utf8_lossy(text).into_owned();
        for needle in self.needles.iter().filter(|n| text_holds(text, n)) {
            out = if needle.len() < SHORT { without_word(&out, needle) } else { out.replace(needle, MASK) };
        }
        out.into_bytes()
    }
}

fn text_holds(text: &[u8], needle: &str) -> bool {
    memchr::memmem::find(text, needle.as_bytes()).is_some()
}

/// The text without a word, where no letter or digit stands beside it.
fn without_word(text: &str, word: &str) -> String {
    let part_of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, found) = rest.split_at(at);
        let after = &found[word.len()..];
        let before_it = before.chars().next_back().or_else(|| out.chars().next_back());
        out.push_str(before);
        out.push_str(if part_of_a_word(before_it) || part_of_a_word(after.chars().next()) { word } else { MASK });
        rest = after;
    }
    out.push_str(rest);
    out
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
