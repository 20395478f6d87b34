//! What is wrong with the secrets of a checkout. Needs no key; with one the MACs are verified too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{clear, is_encrypted, store};
use crate::golang::regexp::Regexp;
use crate::repo::document::{self, Node};
use crate::sops::config::{Config, Rule};
use crate::sops::{Branch, Key, KeyGroup, MasterKey, Services, Tree, Value, codes, damage, open};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Warning,
    Error,
}

/// One finding. No text of it holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub level: Level,
    /// Relative to the checkout.
    pub path: String,
    /// 1-based; 0 for the file as a whole.
    pub line: u32,
    pub message: String,
    pub fix: String,
}

/// Larger files are not looked into.
const MAX_FILE: u64 = 5 << 20;

struct Checker<'a> {
    root: &'a Path,
    keys: Option<&'a Services<'a>>,
    configs: BTreeMap<PathBuf, Read>,
    /// What rules that choose a whole directory are used on, by their patterns: see [`Checker::settle`].
    used: BTreeMap<String, Used>,
    out: Vec<Finding>,
}

/// The files that a rule fits.
#[derive(Default)]
struct Used {
    /// An encrypted one has no sign of it in its name.
    unmarked: bool,
    /// There are encrypted ones, all with such a sign.
    marked: bool,
    /// In clear, but wanted encrypted; and whether it is something else than a Secret or values: see [`clear::is_other`].
    clear: Vec<(Finding, bool)>,
}

/// What lies where a `.sops.yaml` may lie.
enum Read {
    Missing,
    /// It can't be read, which is told.
    Broken,
    Config(Config),
}

/// What the nearest `.sops.yaml` above a file says of it.
enum Chosen {
    /// Its rule for the file, and the file's path from there.
    By(Box<Rule>, String),
    ByNone,
    /// It can't be read as far as needed, which is told there.
    Unknown,
}

/// What people put into the names of encrypted files.
fn is_marked(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    [".sops.", ".enc.", ".encrypted.", ".secret."].iter().any(|mark| name.contains(mark))
}

/// Looks at all files below a folder (`.git` aside).
///
/// # Errors
/// The folder cannot be read.
pub fn check(root: &Path, keys: Option<&Services<'_>>) -> std::io::Result<Vec<Finding>> {
    let mut checker = Checker { root, keys, configs: BTreeMap::new(), used: BTreeMap::new(), out: Vec::new() };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if kind.is_dir() && name != ".git" {
                folders.push(entry.path());
            } else if kind.is_file() && entry.metadata()?.len() <= MAX_FILE {
                checker.file(&entry.path());
            }
        }
    }
    checker.settle();
    checker.out.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    Ok(checker.out)
}

fn names(groups: &[KeyGroup]) -> Vec<String> {
    let mut out: Vec<String> =
        groups.iter().flatten().map(|k: &MasterKey| format!("{} {}", k.kind(), k.name())).collect();
    out.sort();
    out.dedup();
    out
}

impl Checker<'_> {
    fn say(&mut self, rule: &'static str, path: &str, line: u32, message: String, fix: &str) {
        let level = if rule == "secrets/no-rule" { Level::Warning } else { Level::Error };
        self.out.push(Finding { rule, level, path: path.to_owned(), line, message, fix: fix.to_owned() });
    }

    /// Reads a configuration once, and tells what is wrong with it.
    fn read(&mut self, file: &Path) -> Read {
        let Ok(text) = std::fs::read(file) else { return Read::Missing };
        let shown = file.strip_prefix(self.root).unwrap_or(file).display().to_string();
        for (line, message) in wrong_patterns(&text) {
            self.say("secrets/config", &shown, line, message, "correct the pattern: sops stops at it");
        }
        match Config::parse(&text) {
            Ok(config) => Read::Config(config),
            Err(e) => {
                self.say("secrets/config", &shown, 0, e.to_string(), "correct the file");
                Read::Broken
            }
        }
    }

    fn chosen(&mut self, path: &Path) -> Chosen {
        let mut folder = path.parent();
        while let Some(at) = folder {
            let file = at.join(".sops.yaml");
            if !self.configs.contains_key(&file) {
                let read = self.read(&file);
                self.configs.insert(file.clone(), read);
            }
            match self.configs.get(&file) {
                Some(Read::Config(config)) => {
                    let relative = path.strip_prefix(at).unwrap_or(path).to_string_lossy().into_owned();
                    return match config.rule(&relative) {
                        Ok(Some(rule)) => Chosen::By(Box::new(rule), relative),
                        Err(e) if e.to_string().contains(WRONG_PATTERN) => Chosen::Unknown,
                        Ok(None) | Err(_) => Chosen::ByNone,
                    };
                }
                Some(Read::Broken) => return Chosen::Unknown,
                Some(Read::Missing) | None => {}
            }
            if at == self.root {
                break;
            }
            folder = at.parent();
        }
        Chosen::ByNone
    }

    fn file(&mut self, path: &Path) {
        let shown = path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name == ".sops.yaml" {
            return;
        }
        let Ok(text) = std::fs::read(path) else { return };
        if is_encrypted(&shown, &text) {
            self.encrypted(path, &shown, &text);
            return;
        }
        if let Chosen::By(rule, relative) = self.chosen(path)
            && clear::is_wanted(&rule, &relative, &text)
        {
            let finding = Finding {
                rule: "secrets/not-encrypted",
                level: Level::Error,
                path: shown.clone(),
                line: 0,
                message: format!(
                    "the creation rule path_regex {:?} wants this file encrypted, and it is not",
                    rule.path_regex
                ),
                fix: "encrypt it: sops encrypt --in-place FILE".to_owned(),
            };
            // A Secret is meant in any case.
            if clear::fits_any_name(&rule, &relative)
                && !is_marked(&shown)
                && clear::plain_secrets(&shown, &text).is_empty()
            {
                self.used.entry(rule.path_regex).or_default().clear.push((finding, clear::is_other(&shown, &text)));
            } else {
                self.out.push(finding);
            }
            return;
        }
        for (field, line) in clear::plain_secrets(&shown, &text) {
            self.say(
                "secrets/plain-secret",
                &shown,
                line,
                format!("a Secret with {field} in clear"),
                "encrypt the file with sops, or make the Secret from an external store",
            );
        }
    }

    /// A rule that fits a whole directory, while its encrypted files say so in their names (`db.sops.yaml`), is used on files of such names: the
    /// others are in clear on purpose. Where nothing is encrypted yet, it means Secrets and values.
    fn settle(&mut self) {
        for used in std::mem::take(&mut self.used).into_values() {
            let is_meant = |is_other: bool| used.unmarked || !used.marked && !is_other;
            self.out.extend(used.clear.into_iter().filter(|(_, is_other)| is_meant(*is_other)).map(|(f, _)| f));
        }
    }

    fn encrypted(&mut self, path: &Path, shown: &str, text: &[u8]) {
        let store = store(shown);
        let tree = match store.load_encrypted(text) {
            Ok(tree) => tree,
            Err(e) => {
                self.say("secrets/unreadable", shown, 0, e.to_string(), "restore the file from the last good commit");
                return;
            }
        };
        let line = |what: &str| line_of(text, what);
        if tree.metadata.mac.is_empty() {
            self.say(
                "secrets/mac",
                shown,
                0,
                "the file has no MAC: changes to it cannot be noticed".into(),
                "encrypt it again with sops",
            );
        }
        for key in tree.metadata.groups.iter().flatten() {
            let MasterKey::Age { recipient, enc } = key else { continue };
            let opened = |keys: &Services<'_>| {
                keys.0.iter().filter(|keys| keys.holds(key)).find_map(|keys| keys.decrypt(key).err())
            };
            if let Some(e) = damage(enc).or_else(|| self.keys.and_then(opened)) {
                self.say(
                    "secrets/unreadable",
                    shown,
                    0,
                    format!("the data key for {recipient} is damaged: {e}"),
                    "restore the file from the last good commit, or run sops updatekeys with another recipient's key",
                );
            }
        }
        for place in plain_values(&tree) {
            let key = place.rsplit('.').next().unwrap_or(&place).to_owned();
            self.say(
                "secrets/plain-value",
                shown,
                line(&format!("{key}:")),
                format!("{place} stands in clear, the file's rules want it encrypted"),
                "set it with sops set, and treat the value as known to others",
            );
        }
        let chosen = self.chosen(path);
        if let Chosen::By(rule, _) = &chosen {
            let used = self.used.entry(rule.path_regex.clone()).or_default();
            *(if is_marked(shown) { &mut used.marked } else { &mut used.unmarked }) = true;
        }
        match chosen {
            Chosen::Unknown => {}
            // Recipients that are given by hand are in no rule.
            Chosen::By(rule, _) if names(&rule.groups).is_empty() => {}
            Chosen::By(rule, _) => {
                let (have, want) = (names(&tree.metadata.groups), names(&rule.groups));
                let missing: Vec<&str> = want.iter().filter(|k| !have.contains(k)).map(String::as_str).collect();
                let extra: Vec<&str> = have.iter().filter(|k| !want.contains(k)).map(String::as_str).collect();
                let mut parts = Vec::new();
                if !missing.is_empty() {
                    parts.push(format!("missing {}", missing.join(", ")));
                }
                if !extra.is_empty() {
                    parts.push(format!("not in the rule: {}", extra.join(", ")));
                }
                if !parts.is_empty() {
                    self.say(
                        "secrets/recipients",
                        shown,
                        line("sops:"),
                        format!("the recipients are not those of .sops.yaml: {}", parts.join("; ")),
                        "sops updatekeys FILE; when a recipient was removed, rotate and change the values",
                    );
                }
            }
            Chosen::ByNone => self.say(
                "secrets/no-rule",
                shown,
                0,
                "no creation rule of a .sops.yaml fits this file".into(),
                "add one, so that its recipients can be checked",
            ),
        }
        if let Some(keys) = self.keys.filter(|_| !tree.metadata.mac.is_empty())
            && let Err(e) = open(&store, text, keys, false)
            && matches!(e.code, codes::MAC_MISMATCH | codes::NOT_DECRYPTED)
        {
            self.say(
                "secrets/mac",
                shown,
                line("mac:"),
                e.to_string(),
                "find out who changed the file; restore it or set the values anew",
            );
        }
    }
}

/// How sops begins what it says of a pattern that is none.
const WRONG_PATTERN: &str = "can not compile regexp: ";

/// The patterns of creation rules that are none, with their lines. Sops stops at the first that it comes to.
fn wrong_patterns(text: &[u8]) -> Vec<(u32, String)> {
    let documents = document::parse(text).unwrap_or_default();
    let rules = documents.first().and_then(|d| d.root.get("creation_rules")).map_or(&[][..], Node::items);
    let patterns = rules.iter().filter_map(|rule| rule.entry("path_regex"));
    let wrong = patterns.filter_map(|(key, pattern)| {
        let e = Regexp::cached(pattern.as_str()?.as_bytes()).err()?;
        Some((u32::try_from(key.line()).unwrap_or_default(), format!("{WRONG_PATTERN}{e}")))
    });
    wrong.collect()
}

/// The line where a text stands first; 0 if nowhere.
fn line_of(text: &[u8], what: &str) -> u32 {
    let found = text.split(|b| *b == b'\n').position(|line| line.trim_ascii_start().starts_with(what.as_bytes()));
    found.and_then(|i| u32::try_from(i + 1).ok()).unwrap_or(0)
}

/// Places of values that the document's own rules want encrypted.
fn plain_values(tree: &Tree) -> Vec<String> {
    fn walk(value: &Value, path: &mut Vec<Vec<u8>>, tree: &Tree, out: &mut Vec<String>) {
        match value {
            Value::Branch(branch) => items(branch, path, tree, out),
            Value::List(list) => list.iter().for_each(|v| walk(v, path, tree, out)),
            Value::Null | Value::Comment(_) => {}
            Value::Text(t) if t.is_empty() || crate::sops::is_encrypted(t.as_bytes()) => {}
            _ => {
                let place = String::from_utf8_lossy(&path.join(&b'.')).into_owned();
                if tree.metadata.selector().selects(path, &[Vec::new()], false) && !out.contains(&place) {
                    out.push(place);
                }
            }
        }
    }
    fn items(branch: &Branch, path: &mut Vec<Vec<u8>>, tree: &Tree, out: &mut Vec<String>) {
        for item in branch {
            if let Key::Text(key) = &item.key {
                path.push(key.clone());
                walk(&item.value, path, tree, out);
                path.pop();
            }
        }
    }
    let mut out = Vec::new();
    let selection = &tree.metadata.selection;
    // Which values a comment selects is only known with the comments above them.
    if selection.encrypted_comment_regex.is_empty() && selection.unencrypted_comment_regex.is_empty() {
        tree.branches.iter().for_each(|b| items(b, &mut Vec::new(), tree, &mut out));
    }
    out
}
