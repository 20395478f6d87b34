//! The parts of an environment: what its kustomization names, and what those name that do nothing but name others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::mentions::{Seen, is_below, resolve};
use crate::kustomize::{Entry, Tree, names};
use crate::repo::{document, generated};

/// Files in memory, by their paths from the root.
#[derive(Clone, Default)]
pub struct Files(pub BTreeMap<Arc<str>, File>);

/// A file's text, and what was seen in it.
#[derive(Clone, Default)]
pub struct File {
    pub text: Arc<[u8]>,
    pub seen: Arc<Seen>,
}

/// How deep lists of lists are followed.
const MAX_DEPTH: usize = 16;

impl Files {
    /// The files at or below a path.
    pub fn below<'f>(&'f self, path: &'f str) -> impl Iterator<Item = (&'f Arc<str>, &'f File)> {
        self.0
            .range::<str, _>((Bound::Included(path), Bound::Unbounded))
            .take_while(move |(p, _)| p.starts_with(path))
            .filter(|(p, _)| is_below(p, path))
    }

    /// The kustomization of a directory.
    fn kustomization(&self, dir: &str) -> Option<&File> {
        let path = |name: &&str| if dir.is_empty() { (*name).to_owned() } else { format!("{dir}/{name}") };
        generated::NAMES.iter().find_map(|name| self.0.get(path(name).as_str()))
    }
}

impl Tree for Files {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let clean = resolve("", path.trim_start_matches('/'))?;
        let entry = if self.0.contains_key(clean.as_str()) { Entry::File } else { Entry::Directory };
        let found = entry == Entry::File || self.below(&clean).next().is_some();
        found.then(|| (format!("/{clean}"), entry))
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        let found = self.0.get(path.trim_start_matches('/'));
        found.map(|file| Cow::Borrowed(&*file.text)).ok_or_else(|| "no such file or directory".to_owned())
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let dir = path.trim_matches('/');
        names(self.below(dir).filter_map(|(path, _)| path.get(dir.len()..).map(|rest| rest.trim_start_matches('/'))))
    }
}

/// The paths of an environment's parts from the root, in the order in which they are built. `None` if its kustomization does more than name
/// them, or names what is not among the files.
pub fn of(files: &Files, dir: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    collect(files, dir, true, 0, &mut out)?;
    // None within another, none twice.
    let all: BTreeSet<&str> = out.iter().map(String::as_str).collect();
    let above = |p: &String| p.match_indices('/').any(|(i, _)| p.get(..i).is_some_and(|dir| all.contains(dir)));
    let apart = all.len() == out.len() && !out.iter().any(above);
    apart.then_some(out)
}

fn collect(files: &Files, dir: &str, root: bool, depth: usize, out: &mut Vec<String>) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let Some(file) = files.kustomization(dir) else {
        // An environment without one is built as Flux does.
        let written = root.then(|| generated::Generated::resources(files, &format!("/{dir}")))?;
        return written.iter().try_for_each(|entry| part(files, dir, entry, depth, out));
    };
    match resources(&file.text) {
        Some(entries) => entries.iter().try_for_each(|entry| part(files, dir, entry, depth, out)),
        None if root => None,
        None => {
            out.push(dir.to_owned());
            Some(())
        }
    }
}

fn part(files: &Files, dir: &str, entry: &str, depth: usize, out: &mut Vec<String>) -> Option<()> {
    let path = resolve(dir, entry)?;
    if files.0.contains_key(path.as_str()) {
        out.push(path);
        return Some(());
    }
    collect(files, &path, false, depth + 1, out)
}

/// What a kustomization names that does nothing else; `None` if it does.
fn resources(text: &[u8]) -> Option<Vec<String>> {
    const KEYS: [&str; 4] = ["apiVersion", "kind", "metadata", "resources"];
    // Most are told by the first letters of their lines.
    for line in text.split(|b| *b == b'\n') {
        if line.first().is_some_and(u8::is_ascii_alphabetic) {
            let key = line.split(|b| *b == b':').next().unwrap_or_default();
            if !KEYS.iter().any(|k| k.as_bytes() == key) {
                return None;
            }
        }
    }
    let mut documents = document::parse(text).ok()?;
    let only = documents.pop().filter(|_| documents.is_empty())?;
    if !only.root.entries().iter().all(|(key, _)| key.as_str().is_some_and(|k| KEYS.contains(&k))) {
        return None;
    }
    if only.root.get("kind").is_some_and(|kind| kind.as_str() != Some("Kustomization")) {
        return None;
    }
    only.root.get("resources")?.items().iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(files: &[(&str, &str)]) -> Option<Vec<String>> {
        let file = |text: &str| File { text: text.as_bytes().into(), ..File::default() };
        let files = files.iter().map(|(path, text)| (Arc::from(*path), file(text))).collect();
        of(&Files(files), "env")
    }

    #[test]
    fn lists_are_followed_and_nothing_else() {
        let list = |text: &str| format!("kind: Kustomization\nresources: {text}\n");
        let (top, apps) = (list("[apps, b.yaml, ../base]"), list("[web, api]"));
        let files = [
            ("base/kustomization.yaml", "namespace: x\nresources: [x.yaml]\n"),
            ("env/apps/api/kustomization.yaml", "namePrefix: a\n"),
            ("env/apps/kustomization.yaml", apps.as_str()),
            ("env/apps/web/kustomization.yaml", "resources: [a.yaml]\n"),
            ("env/apps/web/a.yaml", ""),
            ("env/b.yaml", ""),
            ("env/kustomization.yaml", top.as_str()),
        ];
        let want = ["env/apps/web/a.yaml", "env/apps/api", "env/b.yaml", "base"].map(String::from).to_vec();
        assert_eq!(parts(&files), Some(want));
        for text in [
            "namespace: x\nresources: [b.yaml]\n",
            "resources: [none]\n",
            "resources: [b.yaml, b.yaml]\n",
            "resources: {",
        ] {
            assert_eq!(parts(&[("env/b.yaml", ""), ("env/kustomization.yaml", text)]), None, "{text}");
        }
        let want = vec!["env/a.yaml".to_owned(), "env/web".into()];
        assert_eq!(parts(&[("env/a.yaml", ""), ("env/web/kustomization.yaml", "namespace: a\n")]), Some(want));
    }
}
