//! Keeps what was decrypted out of what is printed.
//!
//! Values that SOPS hides may flow through templates into any object. Whoever decrypts them to render tells them to a [`Masker`], and the output
//! goes through it: raw, base64 and as JSON or YAML escape them, whole and line by line.

use base64::Engine as _;

use super::document::Node;

/// What is printed in place of a value.
pub const MASK: &str = "<masked>";

/// Shorter texts are words of their own everywhere (`true`, `80`): to mask them would only spoil the output.
const SHORTEST: usize = 6;

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
        if whole.len() >= SHORTEST {
            self.add(whole);
            self.add(&engine.encode(text));
            self.add(&engine.encode(whole));
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
            text.lines().map(str::trim).filter(|l| l.len() >= SHORTEST).for_each(|l| self.add(l));
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
        if needle.len() >= SHORTEST && !self.needles.iter().any(|n| n == needle) {
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
        for needle in self.needles.iter().filter(|n| out.contains(n.as_str())).cloned().collect::<Vec<_>>() {
            out = out.replace(&needle, MASK);
        }
        out.into_bytes()
    }
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
    fn a_secret_keeps_its_keys() {
        let text = "apiVersion: v1\ndata:\n  a: Zm9v\n  b: |-\n    x: y\n    z\nkind: Secret\nmetadata:\n  name: s\nstringData: {a: b}\n";
        let want = "apiVersion: v1\ndata:\n  a: <masked>\n  b: <masked>\nkind: Secret\nmetadata:\n  name: s\nstringData: <masked>\n";
        assert_eq!(secret(text), want);
    }
}
