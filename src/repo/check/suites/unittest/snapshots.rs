//! helm-unittest's stored snapshots, `__snapshot__/NAME_test.yaml.snap`: for each test its texts, numbered in the order in which it asks for them.

use std::collections::BTreeMap;

use super::data::{Doc, Yaml};
use crate::golang::regexp::Regexp;
use crate::repo::check::suites::lines;
use crate::yaml::emit::{Dialect, Emitter, Place};
use crate::yaml::sort;

/// Texts by test and number.
pub type Texts = BTreeMap<String, BTreeMap<u64, String>>;

/// The snapshots of one suite while it runs.
#[derive(Debug, Default)]
pub struct Snapshots {
    stored: Texts,
    /// What the tests came to.
    pub now: Texts,
    /// Whether what differs is taken as it is.
    pub update: bool,
    /// Tests that asked for a text that is not stored, with its number.
    pub missing: Vec<(String, u64)>,
    test: String,
    number: u64,
}

impl Snapshots {
    /// Reads a file's text.
    ///
    /// # Errors
    /// It is no file of snapshots.
    pub fn read(text: &[u8], update: bool) -> Result<Self, String> {
        let mut stored = Texts::new();
        let read = || {
            let doc = Doc::parse(text, 0)?;
            let Some(root) = doc.root() else { return Ok(()) };
            for (test, _, node) in doc.entries(root)? {
                let texts = stored.entry(test).or_default();
                for (number, line, node) in doc.entries(node)? {
                    let number = number.parse().map_err(|_| super::data::Wrong {
                        line,
                        message: format!("a number is expected here, not {number:?}"),
                    })?;
                    texts.insert(number, doc.text(node)?);
                }
            }
            Ok(())
        };
        let mut read = read;
        read().map_err(|e: super::data::Wrong| format!("line {}: {}", e.line, e.message))?;
        Ok(Self { stored, update, ..Self::default() })
    }

    /// A test begins.
    pub fn begin(&mut self, test: &str) {
        test.clone_into(&mut self.test);
        self.number = 0;
    }

    /// Holds a value against the next snapshot of the test, or against patterns. What is not stored yet is taken as it is.
    ///
    /// # Errors
    /// How they differ.
    pub fn compare(&mut self, value: &Yaml, matches: &str, not_matches: &str) -> Result<(), String> {
        self.number += 1;
        let text = value.to_yaml();
        let stored = self.stored.get(&self.test).and_then(|t| t.get(&self.number)).cloned();
        let mut result = Ok(());
        if !matches.is_empty() || !not_matches.is_empty() {
            let found = |pattern: &str| Regexp::cached(pattern.as_bytes()).map(|p| p.is_match(text.as_bytes()));
            if !matches.is_empty() && !found(matches)? {
                result = Err(format!("pattern {matches:?} is not in the snapshot"));
            } else if !not_matches.is_empty() && found(not_matches)? {
                result = Err(format!("pattern {not_matches:?} is in the snapshot"));
            }
        } else if let Some(stored) = stored.as_ref().filter(|s| **s != text) {
            let diff = lines::difference(stored, &text).map_or_else(String::new, |d| d.1);
            result = Err(format!("snapshot {} differs:\n{diff}", self.number));
        }
        if stored.is_none() {
            self.missing.push((self.test.clone(), self.number));
        }
        let kept = if self.update { text } else { stored.unwrap_or(text) };
        self.now.entry(self.test.clone()).or_default().insert(self.number, kept);
        if self.update { Ok(()) } else { result }
    }

    /// What is stored and nothing asked for.
    pub fn vanished(&self) -> Vec<(&str, u64)> {
        let pairs = self.stored.iter().flat_map(|(test, texts)| texts.keys().map(move |n| (test.as_str(), *n)));
        pairs.filter(|(test, n)| !self.now.get(*test).is_some_and(|t| t.contains_key(n))).collect()
    }

    pub fn changed(&self) -> bool {
        self.now != self.stored
    }

    /// Keeps what is stored of a test that did not run.
    pub fn keep(&mut self, test: &str) {
        if let Some(texts) = self.stored.get(test) {
            self.now.insert(test.to_owned(), texts.clone());
        }
    }

    /// The file's text, in helm-unittest's form.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Emitter::new(Dialect::V3);
        let mut tests: Vec<_> = self.now.iter().collect();
        sort::sort(&mut tests, &|a, b| sort::less(a.0.as_bytes(), b.0.as_bytes(), Dialect::V3));
        if tests.is_empty() {
            out.empty_mapping();
            return out.finish();
        }
        out.mapping_start();
        for (test, texts) in tests {
            out.key(test.as_bytes());
            out.mapping_start();
            for (number, text) in texts {
                out.bare_key(number.to_string().as_bytes());
                out.string(text.as_bytes(), Place::Value);
            }
            out.end();
        }
        out.end();
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_written_as_they_were() {
        let text =
            "a test, with a comma:\n  1: |\n    a: 1\n    b:\n      - x\n  2: |\n    plain\n'yes':\n  1: |\n    null\n";
        let mut s = Snapshots::read(text.as_bytes(), false).unwrap();
        assert_eq!(s.vanished().len(), 3);
        s.keep("a test, with a comma");
        s.begin("yes");
        assert_eq!(s.compare(&Yaml::Null, "", ""), Ok(()));
        assert_eq!(s.compare(&Yaml::Null, "", ""), Ok(()));
        assert_eq!(s.missing, [("yes".to_owned(), 2)]);
        s.begin("yes");
        assert_eq!(s.compare(&Yaml::Int(1), "", "").unwrap_err(), "snapshot 1 differs:\n- null\n+ 1");
        s.now.get_mut("yes").unwrap().remove(&2);
        assert_eq!(String::from_utf8(s.write()).unwrap(), text.replace("'yes'", "\"yes\""));
    }
}
